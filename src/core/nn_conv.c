/*
 * nn_conv.c
 *		The convolution over a grid as a map over sites, and what all maps share.
 *
 * Sites are cells, row by row; those beyond the edge are zeros, which are never
 * multiplied.  A product runs over cells of one grid row that have the same neighbours
 * inside the grid, so the kernel walks all taps of several cells at once and reads
 * neighbours where they lie: nothing is copied together.  The answer to x goes the same
 * way along mirrored taps; weight gradients are one product per tap and row.
 *
 * As in PyTorch, "same" adds (kernel_size - 1) / 2 zeros on each side, so that (n - 1) /
 * strides + 1 of n rows come out; Keras, with strides, places its zeros unevenly.  Taps
 * are the kernel's places row by row.  On a hexagonal grid, whose odd columns lie half a
 * cell lower, a kernel of size 3 is a cell and its six neighbours: 7 taps, from the one
 * above to the one below.
 */
#include <string.h>

#include "core/nn_cell.h"
#include "core/nn_map.h"
#include "core/nn_op.h"

#define MAX_TAPS	(NN_MAX_KERNEL * NN_MAX_KERNEL)
#define HEXAGON		7

/* Multiply-adds between polls: some milliseconds. */
#define POLL_PRODUCTS 5e8

/* ------------------------------------------------------------------------
 * What all maps share
 */

uint32_t
nn_map_tensor(NnPlanner *planner, NnLayer *layer, const char *name, NnInit init, uint32_t blocks,
			  uint32_t M, uint32_t taps, uint32_t C, bool always)
{
	size_t		columns = nn_size_mul(planner->env, taps, C);
	uint32_t	tensor;

	if (columns > INT32_MAX)
		nn_fail(planner->env, NN_TOO_LARGE,
				nn_format(planner->env, "layer \"%s\" joins %u places of %u channels each", layer->name,
						  taps, C), "Use a smaller kernel or fewer channels.");
	tensor = nn_planner_tensor(planner, layer, name, init, blocks, M, (uint32_t) columns);
	nn_planner_pack_taps(planner, layer, tensor, taps);
	if (always)
		planner->plan->pack[planner->plan->npacks - 1].explain = false;
	return tensor;
}

const nn_real *
nn_map_weights(const NnMapUse *use, uint32_t tap, bool transpose)
{
	const NnPack *pack = &use->state->plan->pack[use->layer->first_pack + use->pack + transpose];

	return use->state->packed + pack->offset +
		tap * use->state->kernels->packed_size(pack->M, pack->K);
}

void
nn_map_product(NnState *state, nn_real *out, size_t stride, uint32_t n, const nn_real *bias,
			   const NnTap *tap, uint32_t ntaps, uint32_t M, bool accumulate)
{
	double		site = 0;
	uint32_t	slice;
	NnTap		at[MAX_TAPS];

	for (uint32_t i = 0; i < ntaps; i++)
		site += (double) M * tap[i].K * state->L;
	slice = site * n <= POLL_PRODUCTS ? n : (uint32_t) (POLL_PRODUCTS / site);
	slice = slice > 0 ? slice : 1;
	for (uint32_t s = 0; s < n; s += slice)
	{
		for (uint32_t i = 0; i < ntaps; i++)
		{
			at[i] = tap[i];
			at[i].x += s * at[i].stride;
		}
		state->env->poll(state->env->host);
		state->kernels->matmul_taps(out + s * stride, stride, n - s < slice ? n - s : slice, bias,
									at, ntaps, M, state->L, accumulate);
	}
}

/* ------------------------------------------------------------------------
 * Geometry
 */

/* How outputs lie on the grid of inputs. */
typedef struct Geometry
{
	int32_t		rows, cols;		/* of the input */
	int32_t		out_rows, out_cols;
	int32_t		stride, size, before;	/* before: rows of zeros, and columns */
	bool		hexagonal;
	uint32_t	taps;
} Geometry;

static Geometry
geometry_of(const NnLayer *layer, NnShape in, NnShape out, bool of_state, uint32_t taps)
{
	Geometry	g = {.rows = (int32_t) in.rows, .cols = (int32_t) (in.S / in.rows),
	.out_rows = (int32_t) out.rows, .out_cols = (int32_t) (out.S / out.rows), .taps = taps};
	bool		same = of_state || layer->padding == NN_PADDING_SAME;

	g.stride = of_state ? 1 : (int32_t) layer->strides;
	g.size = (int32_t) layer->kernel_size;
	g.before = same ? (g.size - 1) / 2 : 0;
	g.hexagonal = taps == HEXAGON;	/* which is no square */
	return g;
}

/* The input cell, relative to (row, col) * stride, that tap sees from an output in column col. */
static void
tap_place(const Geometry *g, uint32_t tap, int32_t col, int32_t *row_step, int32_t *col_step)
{
	static const int32_t sideways[HEXAGON] = {0, -1, 1, 0, -1, 1, 0};
	static const int32_t down[2][HEXAGON] = {
		{-1, -1, -1, 0, 0, 0, 1},	/* even columns: neighbours beside lie half a cell lower */
		{-1, 0, 0, 0, 1, 1, 1}
	};

	if (g->hexagonal)
	{
		*row_step = down[col & 1][tap];
		*col_step = sideways[tap];
		return;
	}
	*row_step = (int32_t) tap / g->size - g->before;
	*col_step = (int32_t) tap % g->size - g->before;
}

/*
 * Number of the cell that cell (row, col) of the result reads through tap, or -1.
 * Forward the result is an output and reads inputs; adjoint the reverse.
 */
static int64_t
tap_source(const Geometry *g, bool adjoint, uint32_t tap, int32_t row, int32_t col)
{
	int32_t		down,
				sideways,
				rows = adjoint ? g->out_rows : g->rows,
				cols = adjoint ? g->out_cols : g->cols;

	if (!adjoint)
	{
		tap_place(g, tap, col, &down, &sideways);
		row = row * g->stride + down;
		col = col * g->stride + sideways;
	}
	else
	{
		tap_place(g, tap, 0, &down, &sideways);
		tap_place(g, tap, col - sideways, &down, &sideways);	/* as the output saw it */
		row -= down;
		col -= sideways;
		if (row < 0 || col < 0 || row % g->stride != 0 || col % g->stride != 0)
			return -1;
		row /= g->stride;
		col /= g->stride;
	}
	if (row < 0 || row >= rows || col < 0 || col >= cols)
		return -1;
	return (int64_t) row * cols + col;
}

/* Columns between results whose neighbours lie alike. */
static int32_t
column_step(const Geometry *g, bool adjoint)
{
	return g->hexagonal ? 2 : adjoint ? g->stride : 1;
}

/* Cells from (row, col) on, step columns apart, that reach the same taps as the first does. */
static uint32_t
run_length(const Geometry *g, bool adjoint, int32_t row, int32_t col, int32_t step, int32_t cols,
		   const int64_t *source)
{
	uint32_t	n = 1;

	for (int32_t at = col + step; at < cols; at += step, n++)
		for (uint32_t tap = 0; tap < g->taps; tap++)
			if ((tap_source(g, adjoint, tap, row, at) < 0) != (source[tap] < 0))
				return n;
	return n;
}

/* ------------------------------------------------------------------------
 * The map
 */

/* z [results][M][L] of one row: start + sum over taps of W x, or of its transpose. */
static void
row_product(const NnMapUse *use, const Geometry *g, bool adjoint, int32_t row, nn_real *z,
			const nn_real *bias, const nn_real *x, bool accumulate)
{
	uint32_t	L = use->state->L,
				M = adjoint ? use->in.C : use->out.C,
				K = adjoint ? use->out.C : use->in.C;
	int32_t		cols = adjoint ? g->cols : g->out_cols,
				step = column_step(g, adjoint),
				apart = adjoint ? step / g->stride : step * g->stride;
	size_t		mn = (size_t) M * L,
				kn = (size_t) K * L;
	NnTap		taps[MAX_TAPS];

	for (int32_t first = 0; first < step && first < cols; first++)
		for (int32_t col = first; col < cols;)
		{
			int64_t		source[MAX_TAPS];
			uint32_t	n,
						ntaps = 0;

			for (uint32_t tap = 0; tap < g->taps; tap++)
			{
				source[tap] = tap_source(g, adjoint, tap, row, col);
				if (source[tap] >= 0)
					taps[ntaps++] = (NnTap) {nn_map_weights(use, tap, adjoint),
						x + (size_t) source[tap] * kn, (size_t) apart * kn, K};
			}
			n = run_length(g, adjoint, row, col, step, cols, source);
			nn_map_product(use->state, z + ((size_t) row * cols + col) * mn, step * mn, n, bias, taps,
						   ntaps, M, accumulate);
			col += (int32_t) n * step;
		}
}

static Geometry
geometry_of_use(const NnMapUse *use)
{
	return geometry_of(use->layer, use->in, use->out, use->of_state, use->taps);
}

static void
convolution_forward(const NnMapUse *use, nn_real *z, const nn_real *bias, const nn_real *x,
					bool accumulate)
{
	Geometry	g = geometry_of_use(use);

	for (int32_t row = 0; row < g.out_rows; row++)
		row_product(use, &g, false, row, z, bias, x, accumulate);
}

static void
convolution_backward(const NnMapUse *use, nn_real *dx, const nn_real *dz)
{
	Geometry	g = geometry_of_use(use);

	/* z(s) = sum_tap W_tap x(s + tap) */
	for (int32_t row = 0; row < g.rows; row++)
		row_product(use, &g, true, row, dx, NULL, dz, true);
}

/* dW[:, tap] += of the outputs of a row that see a cell through tap: z(s) = sum_tap W_tap x(s + tap). */
static void
row_weights(const NnMapUse *use, const Geometry *g, uint32_t tap, int32_t row, const nn_real *dz,
			const nn_real *x)
{
	int32_t		step = column_step(g, false);
	size_t		mn = (size_t) use->out.C * use->state->L,
				cn = (size_t) use->in.C * use->state->L;
	nn_real    *dw = nn_op_dparam(use->state, use->layer, use->tensor) + (size_t) tap * use->in.C;

	for (int32_t first = 0; first < step && first < g->out_cols; first++)
	{
		int32_t		col = first;
		uint32_t	n = 0;
		int64_t		source;

		while (col < g->out_cols && tap_source(g, false, tap, row, col) < 0)
			col += step;
		if (col >= g->out_cols)
			continue;
		source = tap_source(g, false, tap, row, col);
		while (col + (int32_t) n * step < g->out_cols &&
			   tap_source(g, false, tap, row, col + (int32_t) n * step) >= 0)
			n++;
		nn_op_outer(use->state, dw, (size_t) use->taps * use->in.C,
					dz + ((size_t) row * g->out_cols + col) * mn, (ptrdiff_t) (step * mn),
					x + (size_t) source * cn, (ptrdiff_t) (step * g->stride * cn),
					n, use->out.C, use->in.C);
	}
}

static void
convolution_weights(const NnMapUse *use, const nn_real *dz, const nn_real *x)
{
	Geometry	g = geometry_of_use(use);

	for (int32_t row = 0; row < g.out_rows; row++)
		for (uint32_t tap = 0; tap < g.taps; tap++)
			row_weights(use, &g, tap, row, dz, x);
}

/* ------------------------------------------------------------------------
 * Planning
 */

/* Are the cells of the layer's input those of a hexagonal grid?  (An image's never are.) */
bool
nn_grid_is_hexagonal(const NnPlanner *planner, const NnLayer *layer)
{
	const NnSpec *spec = planner->spec;

	return spec->hexagonal && layer->in.rows == spec->grid_rows && layer->in.S == spec->nsites;
}

static void
convolution_check(const NnPlanner *planner, const NnLayer *layer, uint32_t cols)
{
	const NnEnv *env = planner->env;
	uint32_t	size = layer->kernel_size;

	if (layer->padding == NN_PADDING_SAME && size % 2 == 0)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "layer \"%s\" has the even \"kernel_size\" %u", layer->name, size),
				"Set it to an odd number, or \"padding\" to \"valid\".");
	if (layer->padding == NN_PADDING_VALID && (size > layer->in.rows || size > cols))
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "layer \"%s\" has a kernel of %u x %u cells on a grid of %u x %u",
						  layer->name, size, size, layer->in.rows, cols),
				"Set \"padding\" to \"same\", or \"kernel_size\" to a smaller number.");
	if (nn_grid_is_hexagonal(planner, layer) &&
		(size > 3 || size == 2 || layer->strides > 1 || layer->padding == NN_PADDING_VALID))
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "layer \"%s\" does not fit a hexagonal grid", layer->name),
				"There \"kernel_size\" is 3 (a cell and its neighbours) or 1, \"strides\" 1 and "
				"\"padding\" \"same\".");
}

uint32_t
nn_grid_columns(const NnPlanner *planner, const NnLayer *layer)
{
	const NnEnv *env = planner->env;

	if (layer->in.rows == 0)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "layer \"%s\" of type \"%s\" needs a grid", layer->name,
						  nn_ops[layer->op].name),
				"Say which cell of a grid each series is, name an array of images as its input, or use "
				"a layer of another type.");
	if (layer->in.S % layer->in.rows != 0)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "%u sites are no grid of %u rows", layer->in.S, layer->in.rows), NULL);
	return layer->in.S / layer->in.rows;
}

static uint32_t
convolution_sites(NnPlanner *planner, NnLayer *layer, NnShape *out)
{
	uint32_t	cols = nn_grid_columns(planner, layer),
				size = layer->kernel_size,
				cut = layer->padding == NN_PADDING_SAME ? 1 : size;

	convolution_check(planner, layer, cols);
	out->rows = (layer->in.rows - cut) / layer->strides + 1;
	out->S = out->rows * ((cols - cut) / layer->strides + 1);
	return nn_grid_is_hexagonal(planner, layer) && size == 3 ? HEXAGON : size * size;
}

const NnMap nn_convolution_map = {
	.sites = convolution_sites,
	.forward = convolution_forward,
	.backward = convolution_backward,
	.weights = convolution_weights
};

void
nn_conv2d_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	nn_mapped_plan(planner, layer, spec, &nn_convolution_map);
}

void
nn_conv2d_forward(NnState *state, const NnLayer *layer)
{
	nn_mapped_forward(state, layer, &nn_convolution_map);
}

void
nn_conv2d_backward(NnState *state, const NnLayer *layer)
{
	nn_mapped_backward(state, layer, &nn_convolution_map);
}

/* The map of a cell's state keeps the cells, whatever that of its input does. */
static void
recurrent_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec, const NnCell *cell)
{
	if (spec->kernel_size % 2 == 0)
		nn_fail(planner->env, NN_BAD_VALUE,
				nn_format(planner->env, "layer \"%s\" has the even \"kernel_size\" %u", spec->name,
						  spec->kernel_size),
				"Set it to an odd number: the layer's state is convolved with \"same\" padding.");
	nn_spatial_plan(planner, layer, spec, cell, &nn_convolution_map);
}

/* plan, forward and backward of the layer of that cell */
#define CONVOLUTION_OF(cell) \
void \
nn_conv_##cell##_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec) \
{ \
	recurrent_plan(planner, layer, spec, &nn_##cell##_cell); \
} \
void \
nn_conv_##cell##_forward(NnState *state, const NnLayer *layer) \
{ \
	nn_spatial_forward(state, layer, &nn_##cell##_cell, &nn_convolution_map); \
} \
void \
nn_conv_##cell##_backward(NnState *state, const NnLayer *layer) \
{ \
	nn_spatial_backward(state, layer, &nn_##cell##_cell, &nn_convolution_map); \
}

CONVOLUTION_OF(rnn)
CONVOLUTION_OF(gru)
CONVOLUTION_OF(lstm)
