/*
 * nn_graph_attention.c
 *		graph_attention: every site weighs its neighbours (Velickovic et al. 2018, 1710.10903).
 *
 * At every step, for every head and lane, with z(s) = W x(s), cut into heads of D channels:
 *	e(s, t) = leaky_relu(a_source z(s) + a_target z(t))		slope 0.2 below 0
 *	w(., t) = softmax of e(., t) over t itself and the sources of the edges into t
 *	y(t)    = sum_s w(s, t) z(s) + b, the heads one after the other
 * Weights of the edges do not enter.  Tensors weight [U][C], source and target
 * [heads][D], bias [U].
 *
 * Shares and scores have a row for each edge and each site, E + S in all, target by
 * target: first the site itself, then its edges as the graph has them.  The shares
 * are kept beside the output, [T][heads][E + S][L].  Saved: z and both halves of the
 * scores.  Costs U C + U (E + S) / S multiply-adds for a site, step and lane.
 */
#include "core/nn_graph.h"
#include "core/nn_op.h"

#define LEAK NN_R(0.2)

/* Multiply-adds between polls: below 1 ms. */
#define POLL_PRODUCTS 1e6

/* Numbers of the tensors. */
enum
{
	WEIGHT, SOURCE, TARGET, BIAS
};

/* One step of a layer at work. */
typedef struct Run
{
	NnState    *state;
	const NnLayer *layer;
	const NnKernels *kernels;
	uint32_t	S, C, U, L, E;
	uint32_t	heads, D;		/* D: channels of a head */
	uint32_t	slice;			/* rows between polls */
	const nn_real *source, *target; /* [E] of the graph */
	const nn_real *x;			/* [S][C][L] */
	nn_real    *z;				/* [S][U][L] */
	nn_real    *p, *q;			/* [S][heads][L]: a_source z, a_target z */
	nn_real    *w;				/* [heads][E + S][L] */
	nn_real    *dz, *dp, *dq;	/* as above; backward only */
	nn_real    *dw;				/* [most rows of a site][L] */
} Run;

/* Rows that a site can have at the most: itself and a source for each edge into it. */
static size_t
rows_most(const NnPlan *plan)
{
	return 1 + (size_t) (plan->nedges < plan->nsites - 1 ? plan->nedges : plan->nsites - 1);
}

void
nn_graph_attention_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	const NnEnv *env = planner->env;
	uint32_t	S = layer->in.S,
				U,
				tensor;
	size_t		of_step,
				rows;

	nn_graph_require(planner, layer);
	U = nn_op_head_units(planner, layer, spec);
	of_step = nn_size_mul(env, S, nn_size_add(env, U, 2 * (size_t) spec->heads));
	layer->heads = spec->heads;
	layer->out = (NnShape) {layer->in.T, S, U, 0};
	tensor = nn_planner_tensor(planner, layer, "weight", NN_INIT_GLOROT, 1, U, layer->in.C);
	nn_planner_pack(planner, layer, tensor, true);
	nn_planner_tensor(planner, layer, "source", NN_INIT_GLOROT, 1, spec->heads, U / spec->heads);
	nn_planner_tensor(planner, layer, "target", NN_INIT_GLOROT, 1, spec->heads, U / spec->heads);
	nn_planner_tensor(planner, layer, "bias", NN_INIT_ZEROS, 1, U, 0);

	rows = nn_size_add(env, planner->plan->nedges, S);
	nn_planner_kept(planner, layer,
					nn_size_mul(env, nn_size_mul(env, layer->in.T, spec->heads), rows));
	nn_planner_saved(planner, layer, nn_size_mul(env, layer->in.T, of_step));
	/* z, p and q of a step forwards; dz, dp, dq and dw backwards. */
	nn_planner_scratch(planner, layer, nn_size_add(env, of_step, rows_most(planner->plan)));
}

static Run
run_open(NnState *state, const NnLayer *layer)
{
	Run			run = {.state = state, .layer = layer, .kernels = state->kernels};

	run.S = layer->in.S;
	run.C = layer->in.C;
	run.U = layer->out.C;
	run.L = state->L;
	run.E = state->plan->nedges;
	run.heads = layer->heads;
	run.D = run.U / run.heads;
	run.slice = 1 + (uint32_t) (POLL_PRODUCTS / ((double) run.D * run.L));
	run.source = nn_graph_source(state->plan, state->params);
	run.target = nn_graph_target(state->plan, state->params);
	return run;
}

/* Sets what belongs to the step. */
static void
run_step(Run *run, uint32_t t)
{
	NnState    *state = run->state;
	const NnLayer *layer = run->layer;
	size_t		zn = (size_t) run->S * run->U * run->L,
				pn = (size_t) run->S * run->heads * run->L;
	nn_real    *scratch = state->scratch + layer->scratch.offset;

	run->x = nn_op_input(state, layer, 0) + (size_t) t * run->S * run->C * run->L;
	run->w = state->activations + layer->kept.offset +
		(size_t) t * run->heads * ((size_t) run->E + run->S) * run->L;
	run->z = state->gradients ? state->saved + layer->saved.offset + t * (zn + 2 * pn) : scratch;
	run->p = run->z + zn;
	run->q = run->p + pn;
	run->dz = scratch;
	run->dp = run->dz + zn;
	run->dq = run->dp + pn;
	run->dw = run->dq + pn;
}

/* Row i of the site t whose edges begin with number e: the site seen; 0 is t itself. */
static uint32_t
seen_of(const Run *run, uint32_t t, uint32_t e, uint32_t i)
{
	return i == 0 ? t : (uint32_t) run->source[e + i - 1];
}

/* Rows of site t, whose edges begin with number e. */
static uint32_t
rows_of(const Run *run, uint32_t t, uint32_t e)
{
	uint32_t	last = e;

	while (last < run->E && (uint32_t) run->target[last] == t)
		last++;
	return 1 + last - e;
}

static void
poll_rows(const Run *run, uint32_t i)
{
	if (i % run->slice == 0)
		run->state->env->poll(run->state->env->host);
}

/* z, p and q of all sites. */
static void
sites_forward(const Run *run)
{
	const nn_real *a = nn_op_param(run->state, run->layer, SOURCE),
			   *b = nn_op_param(run->state, run->layer, TARGET);
	uint32_t	U = run->U,
				L = run->L;

	nn_op_clear(run->state, run->p, 2 * (size_t) run->S * run->heads * L);	/* p and q */
	for (uint32_t s = 0; s < run->S; s++)
	{
		nn_real    *z = run->z + (size_t) s * U * L;

		run->state->env->poll(run->state->env->host);
		run->kernels->matmul(z, nn_op_pack(run->state, run->layer, 0), NULL,
							 run->x + (size_t) s * run->C * L, U, run->C, L, false);
		for (uint32_t u = 0; u < U; u++)
		{
			size_t		score = ((size_t) s * run->heads + u / run->D) * L;

			run->kernels->axpy(run->p + score, a[u], z + (size_t) u * L, L);
			run->kernels->axpy(run->q + score, b[u], z + (size_t) u * L, L);
		}
	}
}

/* What site t sees with head h, its n rows from edge e on: w [n][L] and y [D][L]. */
static void
head_forward(const Run *run, uint32_t h, uint32_t t, uint32_t e, uint32_t n, nn_real *w, nn_real *y)
{
	uint32_t	L = run->L;
	const nn_real *q = run->q + ((size_t) t * run->heads + h) * L;

	for (uint32_t i = 0; i < n; i++)
	{
		const nn_real *p = run->p + ((size_t) seen_of(run, t, e, i) * run->heads + h) * L;

		for (uint32_t l = 0; l < L; l++)
		{
			nn_real		score = p[l] + q[l];

			w[(size_t) i * L + l] = score < 0 ? LEAK * score : score;
		}
	}
	run->kernels->lane_softmax(w, 1, n, L);
	for (uint32_t i = 0; i < n; i++)
	{
		poll_rows(run, i);
		run->kernels->lane_axpy(y, w + (size_t) i * L,
								run->z + ((size_t) seen_of(run, t, e, i) * run->U + h * run->D) * L,
								run->D, L);
	}
}

void
nn_graph_attention_forward(NnState *state, const NnLayer *layer)
{
	Run			run = run_open(state, layer);
	const nn_real *bias = nn_op_param(state, layer, BIAS);
	size_t		un = (size_t) run.U * run.L,
				dn = (size_t) run.D * run.L,
				wn = ((size_t) run.E + run.S) * run.L;

	for (uint32_t t = 0; t < layer->in.T; t++)
	{
		run_step(&run, t);
		sites_forward(&run);
		for (uint32_t s = 0, e = 0; s < run.S; s++)
		{
			nn_real    *y = state->activations + layer->output.offset + ((size_t) t * run.S + s) * un;
			uint32_t	n = rows_of(&run, s, e);

			for (size_t i = 0; i < un; i++)
				y[i] = bias[i / run.L];
			for (uint32_t h = 0; h < run.heads; h++)
				head_forward(&run, h, s, e, n, run.w + h * wn + ((size_t) e + s) * run.L, y + h * dn);
			e += n - 1;
		}
	}
}

/*
 * The answer to head_forward: adds to dz, dp and dq, given w [n][L] and the gradient
 * dy [D][L] of what site t sees.
 */
static void
head_backward(const Run *run, uint32_t h, uint32_t t, uint32_t e, uint32_t n, const nn_real *w,
			  const nn_real *dy)
{
	uint32_t	L = run->L;
	size_t		own = ((size_t) t * run->heads + h) * L;

	for (uint32_t i = 0; i < n; i++)
	{
		size_t		at = ((size_t) seen_of(run, t, e, i) * run->U + h * run->D) * L;

		poll_rows(run, i);
		/* y = sum w z */
		run->kernels->lane_dot(run->dw + (size_t) i * L, dy, run->z + at, run->D, L);
		run->kernels->lane_axpy(run->dz + at, w + (size_t) i * L, dy, run->D, L);
	}
	/* w = softmax(e) */
	run->kernels->lane_softmax_grad(run->dw, w, 1, n, L);
	for (uint32_t i = 0; i < n; i++)
	{
		size_t		at = ((size_t) seen_of(run, t, e, i) * run->heads + h) * L;

		for (uint32_t l = 0; l < L; l++)
		{
			nn_real		de = run->dw[(size_t) i * L + l];

			/* e = leaky_relu(p + q) */
			if (run->p[at + l] + run->q[own + l] < 0)
				de *= LEAK;
			run->dp[at + l] += de;
			run->dq[own + l] += de;
		}
	}
}

/* The answer to sites_forward, given dz, dp and dq; adds to dx [S][C][L] unless NULL. */
static void
sites_backward(const Run *run, nn_real *dx)
{
	NnState    *state = run->state;
	const NnLayer *layer = run->layer;
	const nn_real *a = nn_op_param(state, layer, SOURCE),
			   *b = nn_op_param(state, layer, TARGET);
	ptrdiff_t	pn = (ptrdiff_t) run->heads * run->L,
				un = (ptrdiff_t) run->U * run->L,
				cn = (ptrdiff_t) run->C * run->L;
	uint32_t	D = run->D;

	for (uint32_t h = 0; h < run->heads; h++)
	{
		/* p = a_source z, q = a_target z */
		nn_op_outer(state, nn_op_dparam(state, layer, SOURCE) + h * D, D, run->dp + h * run->L, pn,
					run->z + (size_t) h * D * run->L, un, run->S, 1, D);
		nn_op_outer(state, nn_op_dparam(state, layer, TARGET) + h * D, D, run->dq + h * run->L, pn,
					run->z + (size_t) h * D * run->L, un, run->S, 1, D);
	}
	for (uint32_t s = 0; s < run->S; s++)
	{
		nn_real    *dz = run->dz + s * un;

		state->env->poll(state->env->host);
		for (uint32_t u = 0; u < run->U; u++)
		{
			size_t		score = ((size_t) s * run->heads + u / D) * run->L;

			run->kernels->axpy(dz + (size_t) u * run->L, a[u], run->dp + score, run->L);
			run->kernels->axpy(dz + (size_t) u * run->L, b[u], run->dq + score, run->L);
		}
		/* z = W x */
		if (dx)
			run->kernels->matmul(dx + s * cn, nn_op_pack(state, layer, 1), NULL, dz, run->C, run->U,
								 run->L, true);
	}
	nn_op_outer(state, nn_op_dparam(state, layer, WEIGHT), run->C, run->dz, un, run->x, cn, run->S,
				run->U, run->C);
}

void
nn_graph_attention_backward(NnState *state, const NnLayer *layer)
{
	Run			run = run_open(state, layer);
	nn_real    *dx = nn_op_input_gradient(state, layer, 0);
	size_t		un = (size_t) run.U * run.L,
				dn = (size_t) run.D * run.L,
				wn = ((size_t) run.E + run.S) * run.L;

	for (uint32_t t = 0; t < layer->in.T; t++)
	{
		const nn_real *dy = state->gradients + layer->output.offset + (size_t) t * run.S * un;

		run_step(&run, t);
		nn_op_clear(state, run.dz, (size_t) (run.dw - run.dz));	/* dz, dp, dq */
		for (uint32_t s = 0, e = 0; s < run.S; s++)
		{
			uint32_t	n = rows_of(&run, s, e);

			/* y = sum w z + b */
			run.kernels->lane_sum(nn_op_dparam(state, layer, BIAS), dy + s * un, 0, 1, run.U, run.L);
			for (uint32_t h = 0; h < run.heads; h++)
				head_backward(&run, h, s, e, n, run.w + h * wn + ((size_t) e + s) * run.L,
							  dy + s * un + h * dn);
			e += n - 1;
		}
		sites_backward(&run, dx ? dx + (size_t) t * run.S * run.C * run.L : NULL);
	}
}

const nn_real *
nn_graph_attention_weights(const NnState *state, const NnLayer *layer)
{
	if (nn_ops[layer->op].forward != nn_graph_attention_forward)
		return NULL;
	return state->activations + layer->kept.offset;
}
