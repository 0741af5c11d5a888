/*
 * nn_map.h
 *		Linear maps over sites: the products of spatial layers.
 *
 * A map takes one step's x [Si][C][L] to z [So][M][L].  Every site of z is a sum over
 * taps, each a mixture of sites of x times a matrix of its own:
 *	z(s) = bias + sum_tap W[:, tap] (tap's mixture of x at s)
 * W is a tensor [M][taps * C], column tap * C + c.  For a convolution a tap is a place
 * under the kernel; for a graph tap 0 is the site itself and the others are walks along
 * the edges.  Who uses a map knows neither: spatial cells (nn_spatial.c) are
 * gate(map(x) + map(h)), whatever the map.
 *
 * A layer may use a map twice: for its input (strides, padding) and for its own state,
 * which always keeps the sites.  Nothing here allocates; maps poll by themselves.
 */
#ifndef NN_MAP_H
#define NN_MAP_H

#include "core/nn_cell.h"

typedef struct NnMap NnMap;

/* One use of a map by a layer: everything but the arrays. */
typedef struct NnMapUse
{
	const NnMap *map;
	NnState    *state;
	const NnLayer *layer;
	bool		of_state;		/* maps the layer's own state: So = Si, whatever the strides */
	NnShape		in, out;		/* T means nothing here; C is C and M */
	uint32_t	taps;
	uint32_t	tensor;			/* of the layer's tensors: W [M][taps * C] */
	uint32_t	pack;			/* of the layer's packs: the taps forward, then the transposes */
	nn_real    *scratch;		/* the map's own, see NnMap.scratch; shared by both uses */
} NnMapUse;

struct NnMap
{
	/*
	 * While planning, with layer's attributes set: checks that the map fits layer->in,
	 * sets the sites of the map's output (S and rows; T and C are the caller's) and
	 * returns the number of taps.
	 */
	uint32_t	(*sites) (NnPlanner *planner, NnLayer *layer, NnShape *out);

	/* Adds tensors and packs of its own, after all of the layer's; NULL: it has none. */
	void		(*plan) (NnPlanner *planner, NnLayer *layer);

	/*
	 * Reals per lane that it needs in scratch for x of C and z of M channels, in forward
	 * or backward; NULL: none.  Called once for each use; the layer provides the larger.
	 */
	size_t		(*scratch) (NnPlanner *planner, const NnLayer *layer, uint32_t C, uint32_t M);

	/*
	 * Before the first use in a forward or a backward of the layer, and after the last;
	 * NULL: nothing to be done.  What open leaves in the scratch stays there until close.
	 * use is that of the input.  Only a backward closes.
	 */
	void		(*open) (const NnMapUse *use, bool backward);
	void		(*close) (const NnMapUse *use);

	/* z [So][M][L] = start + map(x), where start is z itself when accumulate, else bias [M] or 0. */
	void		(*forward) (const NnMapUse *use, nn_real *z, const nn_real *bias,
							const nn_real *x, bool accumulate);

	/* dx [Si][C][L] += the transposed map of dz [So][M][L]: z = map(x). */
	void		(*backward) (const NnMapUse *use, nn_real *dx, const nn_real *dz);

	/*
	 * dW += what dz [So][M][L] and x [Si][C][L] of one step make of it, into the layer's
	 * dparams; where a map has tensors of its own that x passes, theirs too.  Comes after
	 * backward of the same dz (where that is called at all).
	 */
	void		(*weights) (const NnMapUse *use, const nn_real *dz, const nn_real *x);
};

extern const NnMap nn_convolution_map;	/* nn_conv.c */

/* Columns of the grid that the layer's input is; fails where it is none. */
extern uint32_t nn_grid_columns(const NnPlanner *planner, const NnLayer *layer);

/* Are its cells those of a hexagonal grid? */
extern bool nn_grid_is_hexagonal(const NnPlanner *planner, const NnLayer *layer);

/*
 * Adds the tensor W of a map, "name" [M][taps * C] in so many gate blocks, and its
 * packs: of every tap W[:, tap] [M][C], and the transposes where x gets a gradient
 * (always: those of a state).  Tensor and pack numbers ascend in order of calling, two packs
 * a call: pack is the taps', pack + 1 the transposes'.
 */
extern uint32_t nn_map_tensor(NnPlanner *planner, NnLayer *layer, const char *name, NnInit init,
							  uint32_t blocks, uint32_t M, uint32_t taps, uint32_t C, bool always);

/* W[:, tap] [M][C] packed for the kernels, or its transpose [C][M]. */
extern const nn_real *nn_map_weights(const NnMapUse *use, uint32_t tap, bool transpose);

/*
 * nn_kernel.h's matmul_taps over n sites, cut into calls of a few milliseconds with a
 * poll before each: out [n][M][L], sites stride reals apart.
 */
extern void nn_map_product(NnState *state, nn_real *out, size_t stride, uint32_t n,
						   const nn_real *bias, const NnTap *tap, uint32_t ntaps, uint32_t M,
						   bool accumulate);

/* ------------------------------------------------------------------------
 * Layers made of a map; rows of the op table call them with theirs (nn_spatial.c).
 * nn_mapped_*: z = map(x) + bias at every step.  "weight" [units][taps * C], "bias" [units].
 */
extern void nn_mapped_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec,
						   const NnMap *map);
extern void nn_mapped_forward(NnState *state, const NnLayer *layer, const NnMap *map);
extern void nn_mapped_backward(NnState *state, const NnLayer *layer, const NnMap *map);

/* nn_spatial_*: a cell whose products are maps of input and state; tensors as nn_recurrent.c. */
extern void nn_spatial_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec,
							const NnCell *cell, const NnMap *map);
extern void nn_spatial_forward(NnState *state, const NnLayer *layer, const NnCell *cell,
							   const NnMap *map);
extern void nn_spatial_backward(NnState *state, const NnLayer *layer, const NnCell *cell,
								const NnMap *map);

#endif							/* NN_MAP_H */
