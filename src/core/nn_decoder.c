/*
 * nn_decoder.c
 *		decoder: all steps ahead at once, one step of a GRU each, as in SegRNN (Lin,
 *		Lin, Wu, Wang, Lv 2023, arXiv 2308.11200, "parallel multi-step forecasting").
 *
 * [1][S][H] -> [m][S][H], m = ceil(horizon / length): from the state h of a site,
 * step j is GRU(e, h) with the input e = (position[j], site[s]), learned.  With one
 * site the position has the full width.  Tensors: weight_ih [3H][H], weight_hh
 * [3H][H], bias_ih, bias_hh [3H] as in PyTorch's GRUCell; position [m][d1], site
 * [S][d2], d1 + d2 = H, begun with standard normal numbers as there.
 *
 * W_ih e is the same for all lanes, and a sum of a part of j and a part of s: so
 * there are m + S products with half of W_ih, not m * S * L with the whole of it.
 * They are computed with the vectors as lanes.  W_hh h is one product per site,
 * whatever m.  What is left for each step and site are the gates.
 */
#include <string.h>

#include "core/nn_op.h"

enum
{
	TENSOR_IH, TENSOR_HH, TENSOR_BIAS_IH, TENSOR_BIAS_HH, TENSOR_POSITION, TENSOR_SITE
};

/* Packs, each followed by its transpose: position's columns of weight_ih, weight_hh, site's. */
enum
{
	PACK_POSITION = 0, PACK_HH = 2, PACK_SITE = 4
};

/*
 * Learned vectors, of positions or of sites, with the vectors in the lanes: in
 * chunks of NN_MAX_LANES, each [rows][width] (chunk_width), one behind the other.
 */
typedef struct Vectors
{
	uint32_t	count, C;		/* vectors, numbers in one */
	uint32_t	tensor, pack, column;	/* column: first one of weight_ih */
	nn_real    *e;				/* [C][lanes] the vectors; backward: later their gradients */
	nn_real    *q;				/* [3H][lanes] forward: W_ih e; backward: its gradient */
} Vectors;

typedef struct Run
{
	NnState    *state;
	const NnLayer *layer;
	const NnKernels *kernels;
	uint32_t	m, S, H, GH, L;
	size_t		n, gn;			/* H * L, GH * L */
	Vectors		positions, sites;
	const nn_real *h;			/* [S][H][L] */
	nn_real    *gates;			/* [m][S][GH][L]; where no backward follows [GH][L] */
	nn_real    *zh;				/* [S][GH][L]; likewise */
	nn_real    *dzh;			/* [GH][L] backward: of one step */
	nn_real    *dh;				/* [H][L] */
	nn_real    *sum;			/* [GH] padded */
	bool		keeps;			/* backward may follow */
} Run;

static size_t
padded(size_t n)
{
	return (n + NN_LANES - 1) / NN_LANES * NN_LANES;
}

/* Lanes of the chunk that begins with vector first. */
static uint32_t
chunk_width(const Vectors *vectors, uint32_t first)
{
	uint32_t	rest = vectors->count - first;

	return rest < NN_MAX_LANES ? (uint32_t) padded(rest) : NN_MAX_LANES;
}

/* Row 0 of vector v in a table of that many rows; the next row is *width further. */
static nn_real *
vector_lane(const Vectors *vectors, nn_real *table, uint32_t rows, uint32_t v, uint32_t *width)
{
	uint32_t	first = v / NN_MAX_LANES * NN_MAX_LANES;

	*width = chunk_width(vectors, first);
	return table + (size_t) first * rows + (v - first);
}

void
nn_decoder_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	uint32_t	H = layer->in.C,
				S = layer->in.S,
				m = (planner->spec->horizon + spec->length - 1) / spec->length,
				d1 = S > 1 ? H / 2 : H;
	uint32_t	tensor;
	size_t		vectors,
				per_lane;

	if (layer->in.T != 1)
		nn_fail(planner->env, NN_BAD_VALUE,
				nn_format(planner->env, "layer \"%s\" of type \"decoder\" gets %u steps instead of one",
						  layer->name, layer->in.T),
				"Put a layer of type \"last\" before it.");
	if (S > 1 && H < 2)
		nn_fail(planner->env, NN_BAD_VALUE,
				nn_format(planner->env, "layer \"%s\" of type \"decoder\" gets %u channel at %u sites",
						  layer->name, H, S),
				"It needs two channels: one for the step, one for the site.");
	if (H > NN_MAX_UNITS)
		nn_fail(planner->env, NN_TOO_LARGE,
				nn_format(planner->env, "layer \"%s\" gets %u channels, more than %d", layer->name, H,
						  NN_MAX_UNITS), NULL);
	layer->out = (NnShape) {m, S, H, 0};
	tensor = nn_planner_tensor(planner, layer, "weight_ih", NN_INIT_GLOROT, 3, 3 * H, H);
	nn_planner_pack_columns(planner, layer, tensor, 0, d1);
	nn_planner_pack(planner, layer, nn_planner_tensor(planner, layer, "weight_hh",
													  NN_INIT_ORTHOGONAL, 3, 3 * H, H), true);
	if (S > 1)
		nn_planner_pack_columns(planner, layer, tensor, d1, H - d1);
	nn_planner_tensor(planner, layer, "bias_ih", NN_INIT_ZEROS, 3, 3 * H, 0);
	nn_planner_tensor(planner, layer, "bias_hh", NN_INIT_ZEROS, 3, 3 * H, 0);
	nn_planner_tensor(planner, layer, "position", NN_INIT_NORMAL, 1, m, d1);
	if (S > 1)
		nn_planner_tensor(planner, layer, "site", NN_INIT_NORMAL, 1, S, H - d1);

	nn_planner_saved(planner, layer, nn_size_mul(planner->env, (size_t) m * S + S, 3 * (size_t) H));
	/* e and q of all vectors, and sum, do not depend on the lanes of the tile. */
	vectors = nn_size_mul(planner->env, padded(m) + padded(S), 4 * (size_t) H);
	per_lane = (vectors + padded(3 * (size_t) H) + planner->lanes - 1) / planner->lanes;
	nn_planner_scratch(planner, layer, nn_size_add(planner->env, per_lane, 6 * (size_t) H));
}

/* Cuts the tables of vectors off the scratch. */
static void
vectors_cut(Vectors *vectors, uint32_t GH, nn_real **at)
{
	vectors->e = *at;
	*at += padded(vectors->count) * vectors->C;
	vectors->q = *at;
	*at += padded(vectors->count) * GH;
}

static Run
run_open(NnState *state, const NnLayer *layer)
{
	Run			run = {.state = state, .layer = layer, .kernels = state->kernels};
	const NnTensor *position = &state->plan->tensor[layer->first_tensor + TENSOR_POSITION];
	nn_real    *at = state->scratch + layer->scratch.offset;

	run.m = layer->out.T;
	run.S = layer->out.S;
	run.H = layer->out.C;
	run.GH = 3 * run.H;
	run.L = state->L;
	run.n = (size_t) run.H * run.L;
	run.gn = (size_t) run.GH * run.L;
	run.h = nn_op_input(state, layer, 0);
	run.positions = (Vectors) {run.m, position->dim[1], TENSOR_POSITION, PACK_POSITION, 0, NULL, NULL};
	run.sites = (Vectors) {run.S > 1 ? run.S : 0, run.H - position->dim[1], TENSOR_SITE, PACK_SITE,
	position->dim[1], NULL, NULL};
	vectors_cut(&run.positions, run.GH, &at);
	vectors_cut(&run.sites, run.GH, &at);
	run.sum = at;
	at += padded(run.GH);
	run.keeps = state->gradients != NULL;
	if (run.keeps)
	{
		run.gates = state->saved + layer->saved.offset;
		run.zh = run.gates + (size_t) run.m * run.S * run.gn;
		run.dzh = at;
		run.dh = at + run.gn;
	}
	else
	{
		run.gates = at;
		run.zh = at + run.gn;
	}
	return run;
}

/* Lays the learned vectors [count][C] into lanes; the other lanes are zeros. */
static void
vectors_lay(const Run *run, Vectors *vectors)
{
	const nn_real *param;

	if (vectors->count == 0)
		return;
	param = nn_op_param(run->state, run->layer, vectors->tensor);
	memset(vectors->e, 0, padded(vectors->count) * vectors->C * sizeof(nn_real));
	for (uint32_t v = 0; v < vectors->count; v++)
	{
		uint32_t	width;
		nn_real    *e = vector_lane(vectors, vectors->e, vectors->C, v, &width);

		for (uint32_t c = 0; c < vectors->C; c++)
			e[(size_t) c * width] = param[(size_t) v * vectors->C + c];
	}
}

/* q = W_ih e (+ bias) for all vectors. */
static void
vectors_product(const Run *run, Vectors *vectors, const nn_real *bias)
{
	vectors_lay(run, vectors);
	for (uint32_t first = 0; first < vectors->count; first += NN_MAX_LANES)
	{
		run->state->env->poll(run->state->env->host);
		run->kernels->matmul(vectors->q + (size_t) first * run->GH,
							 nn_op_pack(run->state, run->layer, vectors->pack), bias,
							 vectors->e + (size_t) first * vectors->C, run->GH, vectors->C,
							 chunk_width(vectors, first), false);
	}
}

/* z [GH][L]: the input's product of position j at site s, the same in all lanes. */
static void
input_spread(const Run *run, uint32_t j, uint32_t s, nn_real *z)
{
	uint32_t	width_j,
				width_s = 0;
	const nn_real *qj = vector_lane(&run->positions, run->positions.q, run->GH, j, &width_j),
			   *qs = run->S > 1 ?
		vector_lane(&run->sites, run->sites.q, run->GH, s, &width_s) : NULL;

	for (uint32_t r = 0; r < run->GH; r++, z += run->L)
	{
		nn_real		q = qj[(size_t) r * width_j] + (qs ? qs[(size_t) r * width_s] : 0);

		for (uint32_t l = 0; l < run->L; l++)
			z[l] = q;
	}
}

void
nn_decoder_forward(NnState *state, const NnLayer *layer)
{
	Run			run = run_open(state, layer);
	nn_real    *y = state->activations + layer->output.offset;

	vectors_product(&run, &run.positions, nn_op_param(state, layer, TENSOR_BIAS_IH));
	vectors_product(&run, &run.sites, NULL);
	for (uint32_t s = 0; s < run.S; s++)
	{
		const nn_real *h = run.h + s * run.n;
		nn_real    *zh = run.zh + (run.keeps ? s * run.gn : 0);

		state->env->poll(state->env->host);
		/* zh = W_hh h + bias_hh */
		run.kernels->matmul(zh, nn_op_pack(state, layer, PACK_HH),
							nn_op_param(state, layer, TENSOR_BIAS_HH), h, run.GH, run.H, run.L, false);
		for (uint32_t j = 0; j < run.m; j++)
		{
			size_t		row = (size_t) j * run.S + s;
			nn_real    *z = run.gates + (run.keeps ? row * run.gn : 0);

			state->env->poll(state->env->host);
			input_spread(&run, j, s, z);
			run.kernels->gru_forward(z, zh, h, y + row * run.n, run.H, run.L);
		}
	}
}

/* Adds sum [GH] to the gradient of vector v's product. */
static void
vector_gradient_add(const Run *run, Vectors *vectors, uint32_t v)
{
	uint32_t	width;
	nn_real    *q;

	if (vectors->count == 0)
		return;
	q = vector_lane(vectors, vectors->q, run->GH, v, &width);
	for (uint32_t r = 0; r < run->GH; r++)
		q[(size_t) r * width] += run->sum[r];
}

/* Gradients of weight_ih's columns and of the learned vectors, from those of q. */
static void
vectors_backward(const Run *run, Vectors *vectors)
{
	nn_real    *dweight = nn_op_dparam(run->state, run->layer, TENSOR_IH) + vectors->column,
			   *dparam;

	if (vectors->count == 0)
		return;
	dparam = nn_op_dparam(run->state, run->layer, vectors->tensor);
	for (uint32_t first = 0; first < vectors->count; first += NN_MAX_LANES)
	{
		uint32_t	width = chunk_width(vectors, first);
		nn_real    *e = vectors->e + (size_t) first * vectors->C,
				   *dq = vectors->q + (size_t) first * run->GH;

		run->state->env->poll(run->state->env->host);
		/* q = W_ih e */
		run->kernels->outer(dweight, run->H, dq, 0, e, 0, 1, run->GH, vectors->C, width);
		run->state->env->poll(run->state->env->host);
		run->kernels->matmul(e, nn_op_pack(run->state, run->layer, vectors->pack + 1), NULL, dq,
							 vectors->C, run->GH, width, false);
		for (uint32_t v = 0; v < width && first + v < vectors->count; v++)
			for (uint32_t c = 0; c < vectors->C; c++)
				dparam[(size_t) (first + v) * vectors->C + c] += e[(size_t) c * width + v];
	}
}

/* One step at one site: dzh to run->dzh, dh's direct part to dx, the input's to q. */
static void
step_backward(Run *run, uint32_t j, uint32_t s, nn_real *dx)
{
	const nn_real *dy = run->state->gradients + run->layer->output.offset;
	size_t		row = (size_t) j * run->S + s;
	nn_real    *gates = run->gates + row * run->gn;

	memcpy(run->dh, dy + row * run->n, run->n * sizeof(nn_real));
	run->kernels->gru_backward(gates, run->dzh, run->dh, gates, run->zh + s * run->gn,
							   run->h + s * run->n, run->H, run->L);
	if (dx)						/* y(j) = ... + z * h */
		run->kernels->axpy(dx + s * run->n, 1, run->dh, run->n);
	/* z(j, s) = q(j) + q(s) in every lane */
	memset(run->sum, 0, run->GH * sizeof(nn_real));
	run->kernels->lane_sum(run->sum, gates, 0, 1, run->GH, run->L);
	vector_gradient_add(run, &run->positions, j);
	vector_gradient_add(run, &run->sites, s);
	for (uint32_t r = 0; r < run->GH; r++)	/* q(j) = ... + bias_ih */
		nn_op_dparam(run->state, run->layer, TENSOR_BIAS_IH)[r] += run->sum[r];
}

void
nn_decoder_backward(NnState *state, const NnLayer *layer)
{
	Run			run = run_open(state, layer);
	nn_real    *dx = nn_op_input_gradient(state, layer, 0);

	vectors_lay(&run, &run.positions);
	vectors_lay(&run, &run.sites);
	memset(run.positions.q, 0, padded(run.positions.count) * run.GH * sizeof(nn_real));
	memset(run.sites.q, 0, padded(run.sites.count) * run.GH * sizeof(nn_real));
	for (uint32_t s = 0; s < run.S; s++)
	{
		nn_real    *total = run.gates + s * run.gn; /* of dzh, where dz(0, s) has done its work */

		for (uint32_t j = 0; j < run.m; j++)
		{
			state->env->poll(state->env->host);
			step_backward(&run, j, s, dx);
			if (j == 0)
				memcpy(total, run.dzh, run.gn * sizeof(nn_real));
			else
				run.kernels->axpy(total, 1, run.dzh, run.gn);
		}
		state->env->poll(state->env->host);
		if (dx)					/* zh = W_hh h + bias_hh */
			run.kernels->matmul(dx + s * run.n, nn_op_pack(state, layer, PACK_HH + 1), NULL, total,
								run.H, run.GH, run.L, true);
	}
	nn_op_outer(state, nn_op_dparam(state, layer, TENSOR_HH), run.H, run.gates, (ptrdiff_t) run.gn,
				run.h, (ptrdiff_t) run.n, run.S, run.GH, run.H);
	run.kernels->lane_sum(nn_op_dparam(state, layer, TENSOR_BIAS_HH), run.gates,
						  (ptrdiff_t) run.gn, run.S, run.GH, run.L);
	vectors_backward(&run, &run.positions);
	vectors_backward(&run, &run.sites);
}
