/*
 * nn_plan.h
 *		From a spec to a list of layers with every size and offset fixed.
 *
 * A plan is plain data without pointers: it can be copied to shared memory in
 * one memcpy.  A layer names only earlier layers, so the list is the tape:
 * forward runs up, backward runs down.  Slabs are arrays of nn_real; a span is
 * an offset and a count in reals.  Spans of activations are given for one lane
 * group set of plan->lanes lanes (the widest tile).
 */
#ifndef NN_PLAN_H
#define NN_PLAN_H

#include "core/nn_spec.h"

#define NN_MAX_TENSORS	256
#define NN_MAX_PACKS	256

/* Numbers of the layers that bring in the window. */
#define NN_LAYER_PAST	0
#define NN_LAYER_FUTURE	1
#define NN_LAYER_STATIC	2
#define NN_LAYER_ARRAY	3		/* the first of plan->narrays */

typedef struct NnShape
{
	uint32_t	T, S, C;		/* time, sites, channels; lanes come last in memory */
	uint32_t	rows;			/* of the grid that the sites are, row by row; 0: no grid */
} NnShape;

typedef struct NnSpan
{
	size_t		offset, count;
} NnSpan;

typedef enum NnInit
{
	NN_INIT_ZEROS,
	NN_INIT_ONES,
	NN_INIT_GLOROT,				/* uniform +- sqrt(6 / (fan_in + fan_out)) per gate block */
	NN_INIT_ORTHOGONAL,			/* orthogonal rows or columns per gate block (Saxe et al. 2014) */
	NN_INIT_FORGET,				/* zeros; ones in the second gate block (Jozefowicz et al. 2015) */
	NN_INIT_NORMAL,				/* standard normal */
	NN_INIT_UNIFORM,			/* uniform +- 0.05, as Keras's embeddings */
	NN_INIT_GIVEN				/* zeros, for the caller to fill: the graph's edges; never trained */
} NnInit;

typedef struct NnTensor
{
	char		name[NN_MAX_NAME];	/* "<layer>.<PyTorch's name>" */
	uint32_t	ndim, dim[4];
	uint32_t	blocks;			/* gate blocks stacked in dimension 0 */
	NnInit		init;
	bool		decay;			/* L1, L2 and weight decay apply (weights, not biases) */
	bool		idle;			/* its gradient is always zero (state weights of one step) */
	NnSpan		span;			/* in the parameter slab; idle ones lie last */
} NnTensor;

/*
 * What a layer's output depends on, as a forecast goes on from step to step.  A
 * network whose last layer is NN_TIME_END can carry its state: fed one more row,
 * it goes on from where it stood.
 */
typedef enum NnTime
{
	NN_TIME_PAST,				/* a step for each row of the past; of this row and earlier ones */
	NN_TIME_END,				/* one step, of the newest such */
	NN_TIME_APART,				/* not on the past */
	NN_TIME_WINDOW				/* on the window as a whole, or a mixture of the above */
} NnTime;

/* A matrix product's weights, laid out for the kernel; refreshed after each step. */
typedef struct NnPack
{
	uint32_t	tensor;
	uint32_t	M, K;
	size_t		first;			/* element of the tensor that is (0, 0) */
	size_t		rs, cs;			/* strides of the tensor as nn_kernel.h's pack takes them */
	uint32_t	taps;			/* matrices of that kind one after the other: the next ... */
	size_t		next;			/* ... begins so many elements of the tensor on */
	size_t		offset;			/* in the packed slab */
	bool		backward;		/* the transpose: only needed for training */
	bool		explain;		/* ... and only for gradients of the window itself */
} NnPack;

typedef struct NnLayer
{
	uint32_t	op;				/* row of nn_ops */
	char		name[NN_MAX_NAME];
	uint32_t	ninputs, input[NN_MAX_INPUTS];
	NnShape		in, out;		/* of the first input, of the output */
	NnTime		time;
	NnActivation activation, recurrent_activation;
	bool		peephole, reverse;
	nn_real		dropout, recurrent_dropout;
	uint32_t	outputs, locations;	/* residual: raw outputs per value, and how many are shifted */
	uint32_t	heads;			/* attention */
	NnCenter	center;			/* statistics */
	NnSpread	spread;
	bool		affine;			/* normalize: has a gain and a shift */
	uint32_t	season;			/* residual, smoothing, recall: rows, 0: none */
	uint32_t	kernel_size, strides;	/* convolutions; pools have their size in kernel_size */
	NnPadding	padding;
	NnPool		pool;			/* global_pool */
	uint32_t	hops;			/* graph layers */
	NnSupport	support;
	NnFusion	fusion;
	uint32_t	nlags, lag[NN_MAX_LAGS];
	uint32_t	arrays;			/* bit i: the output depends on array column i */
	uint32_t	first_tensor, ntensors, first_pack, npacks;
	bool		needs_gradient; /* something below it has parameters: backward goes on */
	NnSpan		output;			/* in the activation slab; its gradient in the gradient slab */
	NnSpan		kept;			/* beside it: what may be looked at after a forward, any forward */
	NnSpan		saved;			/* forward leaves it for backward */
	NnSpan		scratch;		/* in the shared scratch slab: only within one call */
	NnSpan		memory;			/* in the memory slab: state carried from forecast to forecast */
} NnLayer;

typedef struct NnPlan
{
	uint32_t	nlayers, ntensors, npacks;
	uint32_t	lanes;			/* of the widest tile */
	uint32_t	context, horizon, ntargets, outputs;	/* outputs: raw per value */
	uint32_t	nsites, nedges, narrays;
	uint32_t	first_layer;	/* number of the first layer that is not an input */
	uint32_t	graph;			/* number of the first tensor of the graph, see nn_graph.h */
	uint32_t	output_layer;	/* [1][nsites][horizon * ntargets * outputs] */
	size_t		nparams;
	size_t		nactive;		/* parameters before the idle ones: what training moves */
	size_t		nactivations, nsaved, nscratch, nmemory, npacked;	/* reals of each slab */
	NnLayer		layer[NN_MAX_LAYERS];
	NnTensor	tensor[NN_MAX_TENSORS];
	NnPack		pack[NN_MAX_PACKS];
} NnPlan;

/*
 * Lays out the network of spec for tiles of up to lanes lanes.  Fails with
 * NN_BAD_VALUE (a layer that does not fit, a last layer of the wrong size)
 * or NN_TOO_LARGE; allocates only the plan.
 */
extern NnPlan *nn_plan_build(const NnEnv *env, const NnSpec *spec, const NnKernels *kernels,
							 uint32_t lanes);

/*
 * The network of plan for horizon rows of the past instead of context, with plan's
 * parameters, packs, scratch and memory: what a forecast goes on with that
 * carries its state.  NULL unless spec->stateful.
 */
extern NnPlan *nn_plan_continue(const NnEnv *env, const NnSpec *spec, const NnKernels *kernels,
								const NnPlan *plan);

/* Bytes of a state for this plan (training or forecasting), to be held against a limit. */
extern size_t nn_plan_memory(const NnEnv *env, const NnPlan *plan, bool training);

/* Initial parameters, a function of seed and tensor number only.  params [nparams]. */
extern void nn_params_init(const NnEnv *env, const NnPlan *plan, uint64_t seed, nn_real *params);

/* Bytes that nn_params_init takes from the arena beside params. */
extern size_t nn_params_memory(const NnEnv *env, const NnPlan *plan);

/* Number of the spec's layer that makes the outputs: the last but for those that finish them. */
extern uint32_t nn_plan_output_position(const NnSpec *spec);

/* Number of the tensor or layer of that name, or -1. */
extern int nn_plan_tensor(const NnPlan *plan, const char *name);
extern int nn_plan_layer(const NnPlan *plan, const char *name);

/* ------------------------------------------------------------------------
 * For the operations' plan functions.
 */
typedef struct NnPlanner
{
	const NnEnv *env;
	const NnSpec *spec;
	const NnKernels *kernels;
	NnPlan	   *plan;
	size_t		lanes;
} NnPlanner;

/* Adds a tensor to layer (its blocks stacked in dimension 0); returns its number. */
extern uint32_t nn_planner_tensor(NnPlanner *planner, NnLayer *layer, const char *name,
								  NnInit init, uint32_t blocks, uint32_t dim0, uint32_t dim1);

/*
 * Asks for the packed form of a [M][K] tensor (dim0 = M) and, if the layer must
 * pass gradients to that product's input, for that of its transpose.  Packs are
 * numbered in order of asking; the transpose follows its matrix.
 */
extern void nn_planner_pack(NnPlanner *planner, NnLayer *layer, uint32_t tensor, bool transpose);

/*
 * The same for columns first to first + count - 1 of the tensor, and always for
 * their transpose: what they are multiplied with is learned.
 */
extern void nn_planner_pack_columns(NnPlanner *planner, NnLayer *layer, uint32_t tensor,
									uint32_t first, uint32_t count);

/*
 * The same for a tensor [M][taps * C], column tap * C + c: one pack of its taps' matrices
 * [M][C] and one of their transposes, the taps one after the other in each.
 */
extern void nn_planner_pack_taps(NnPlanner *planner, NnLayer *layer, uint32_t tensor,
								 uint32_t taps);

/* Fails where several sites are forecast together: the layer's type looks at one series. */
extern void nn_planner_require_single(const NnPlanner *planner, const NnLayer *layer);

/* Reals per lane that forward leaves in the activation slab beside the output. */
extern void nn_planner_kept(NnPlanner *planner, NnLayer *layer, size_t reals_per_lane);

/*
 * Reals per lane that forward must leave for backward / that one call needs / that
 * hold the state of a layer along the past when a forecast goes on from it.
 */
extern void nn_planner_saved(NnPlanner *planner, NnLayer *layer, size_t reals_per_lane);
extern void nn_planner_scratch(NnPlanner *planner, NnLayer *layer, size_t reals_per_lane);
extern void nn_planner_memory(NnPlanner *planner, NnLayer *layer, size_t reals_per_lane);

#endif							/* NN_PLAN_H */
