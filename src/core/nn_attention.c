/*
 * nn_attention.c
 *		Multi-head scaled dot-product attention (Vaswani et al. 2017, 1706.03762).
 *
 * Inputs query [Tq][S][Cq] and states [Tk][S][Ck], the query itself where only one
 * is named; output [Tq][S][U].  Within a site, for every lane,
 *	q = W_q x + b_q,  k = W_k s + b_k,  v = W_v s + b_v		each [U]
 *	w = softmax(q k / sqrt(U / heads)) over the Tk states, head by head
 *	y = W_o (sum w v, the heads one after the other) + b_o
 * No step is masked: all of the states lie in the window, so all are known.
 *
 * Tensors weight_q [U][Cq], weight_k and weight_v [U][Ck], weight_o [U][U] and a
 * bias [U] for each: PyTorch's in_proj_weight is weight_q, weight_k and weight_v
 * one below the other, its out_proj.weight is weight_o.
 *
 * Saved: k, v, q and the joined heads; without a backward a site's k and v and a
 * row of the others in scratch.  The weights are kept beside the output in any
 * case, for who asks what a forecast looked at.  The projections cost 2 (Tq + Tk)
 * U^2 multiply-adds in a lane, the rest 2 Tq Tk U.
 */
#include <math.h>
#include <string.h>

#include "core/nn_op.h"

/* Multiply-adds between polls: below 1 ms. */
#define POLL_PRODUCTS 1e6

/* Numbers of the tensors, and of the packs: each matrix and its transpose. */
enum
{
	WEIGHT_Q, BIAS_Q, WEIGHT_K, BIAS_K, WEIGHT_V, BIAS_V, WEIGHT_O, BIAS_O
};
enum
{
	PACK_Q, PACK_Q_BACK, PACK_K, PACK_K_BACK, PACK_V, PACK_V_BACK, PACK_O, PACK_O_BACK
};

/* One site of a layer at work. */
typedef struct Run
{
	NnState    *state;
	const NnLayer *layer;
	const NnKernels *kernels;
	uint32_t	Tq, Tk, S, Cq, Ck, U, L;
	uint32_t	heads, D;		/* D: channels of a head */
	uint32_t	second;			/* number of the input that has the states */
	uint32_t	poll_states;	/* states between polls */
	nn_real		scale;			/* 1 / sqrt(D) */
	const nn_real *x, *s;		/* [Tq][S][Cq][L], [Tk][S][Ck][L] from this site on */
	nn_real    *k, *v;			/* [Tk][U][L] */
	nn_real    *q, *o;			/* [Tq][U][L]; one row where nothing is kept */
	bool		keeps;
	nn_real    *w;				/* [Tq][heads][Tk][L], sites between the steps: w_step */
	size_t		w_step;			/* reals from one step's weights to the next one's */
	nn_real    *dk, *dv;		/* [Tk][U][L], backward only, like what follows */
	nn_real    *d_o;			/* [U][L] */
	nn_real    *dw;				/* [Tk][L] */
} Run;

static uint32_t
projection_plan(NnPlanner *planner, NnLayer *layer, const char *suffix, uint32_t U, uint32_t C)
{
	const NnEnv *env = planner->env;
	uint32_t	tensor = nn_planner_tensor(planner, layer, nn_format(env, "weight_%s", suffix),
										   NN_INIT_GLOROT, 1, U, C);

	nn_planner_pack(planner, layer, tensor, true);
	return nn_planner_tensor(planner, layer, nn_format(env, "bias_%s", suffix), NN_INIT_ZEROS, 1,
							 U, 0);
}

void
nn_attention_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	const NnEnv *env = planner->env;
	NnShape		states = planner->plan->layer[layer->input[layer->ninputs - 1]].out;
	uint32_t	U;
	size_t		weights,
				k,
				q;

	if (states.S != layer->in.S)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "layer \"%s\" has a query of %u sites, but states of %u", spec->name,
						  layer->in.S, states.S), NULL);
	U = nn_op_head_units(planner, layer, spec);
	layer->heads = spec->heads;
	layer->out = (NnShape) {layer->in.T, layer->in.S, U, 0};
	projection_plan(planner, layer, "q", U, layer->in.C);
	projection_plan(planner, layer, "k", U, states.C);
	projection_plan(planner, layer, "v", U, states.C);
	projection_plan(planner, layer, "o", U, U);
	planner->plan->pack[planner->plan->npacks - 1].explain = false; /* q, k, v need it always */

	weights = nn_size_mul(env, nn_size_mul(env, layer->in.T, layer->in.S),
						  nn_size_mul(env, states.T, spec->heads));
	nn_planner_kept(planner, layer, weights);
	k = nn_size_mul(env, states.T, U);
	q = nn_size_mul(env, layer->in.T, U);
	nn_planner_saved(planner, layer,
					 nn_size_mul(env, nn_size_mul(env, layer->in.S, 2), nn_size_add(env, k, q)));
	/* k, v, q and o of a row forwards; dk, dv, d_o and dw backwards. */
	nn_planner_scratch(planner, layer,
					   nn_size_add(env, nn_size_mul(env, 2, nn_size_add(env, k, U)), states.T));
}

static Run
run_open(NnState *state, const NnLayer *layer)
{
	Run			run = {.state = state, .layer = layer, .kernels = state->kernels};
	NnShape		states;

	run.second = layer->ninputs - 1;
	states = state->plan->layer[layer->input[run.second]].out;
	run.Tq = layer->in.T;
	run.Tk = states.T;
	run.S = layer->in.S;
	run.Cq = layer->in.C;
	run.Ck = states.C;
	run.U = layer->out.C;
	run.L = state->L;
	run.heads = layer->heads;
	run.D = run.U / run.heads;
	run.scale = (nn_real) (1 / sqrt((double) run.D));
	run.poll_states = 1 + (uint32_t) (POLL_PRODUCTS / ((double) run.D * run.L));
	run.keeps = state->gradients != NULL;
	return run;
}

/* Sets what belongs to the site. */
static void
run_site(Run *run, uint32_t site)
{
	const NnState *state = run->state;
	const NnLayer *layer = run->layer;
	size_t		un = (size_t) run->U * run->L,
				site_weights = (size_t) run->heads * run->Tk * run->L;
	nn_real    *scratch = state->scratch + layer->scratch.offset;

	run->x = nn_op_input(state, layer, 0) + (size_t) site * run->Cq * run->L;
	run->s = nn_op_input(state, layer, run->second) + (size_t) site * run->Ck * run->L;
	run->w = state->activations + layer->kept.offset + site * site_weights;
	run->w_step = run->S * site_weights;
	run->k = run->keeps ? state->saved + layer->saved.offset +
		(size_t) site * 2 * (run->Tk + run->Tq) * un : scratch;
	run->v = run->k + run->Tk * un;
	run->q = run->v + run->Tk * un;
	run->o = run->q + (run->keeps ? run->Tq : 1) * un;
	run->dk = scratch;
	run->dv = run->dk + run->Tk * un;
	run->d_o = run->dv + run->Tk * un;
	run->dw = run->d_o + un;
}

/* out [U][L] = W x + b */
static void
project(const Run *run, nn_real *out, uint32_t pack, uint32_t bias, const nn_real *x, uint32_t C)
{
	run->state->env->poll(run->state->env->host);
	run->kernels->matmul(out, nn_op_pack(run->state, run->layer, pack),
						 nn_op_param(run->state, run->layer, bias), x, run->U, C, run->L, false);
}

static void
poll_states(const Run *run, uint32_t t)
{
	if (t % run->poll_states == 0)
		run->state->env->poll(run->state->env->host);
}

/* Weights w [Tk][L] of one head of one step, and what it sees: q, o [D][L]. */
static void
head_forward(const Run *run, uint32_t head, const nn_real *q, nn_real *w, nn_real *o)
{
	size_t		un = (size_t) run->U * run->L,
				first = (size_t) head * run->D * run->L;

	for (uint32_t t = 0; t < run->Tk; t++)
	{
		poll_states(run, t);
		run->kernels->lane_dot(w + (size_t) t * run->L, q, run->k + t * un + first, run->D, run->L);
	}
	run->kernels->lane_softmax(w, run->scale, run->Tk, run->L);
	memset(o, 0, (size_t) run->D * run->L * sizeof(nn_real));
	for (uint32_t t = 0; t < run->Tk; t++)
	{
		poll_states(run, t);
		run->kernels->lane_axpy(o, w + (size_t) t * run->L, run->v + t * un + first, run->D, run->L);
	}
}

void
nn_attention_forward(NnState *state, const NnLayer *layer)
{
	Run			run = run_open(state, layer);
	nn_real    *y = state->activations + layer->output.offset;
	size_t		un = (size_t) run.U * run.L,
				dn = (size_t) run.D * run.L;

	for (uint32_t site = 0; site < run.S; site++)
	{
		run_site(&run, site);
		for (uint32_t t = 0; t < run.Tk; t++)
		{
			const nn_real *s = run.s + (size_t) t * run.S * run.Ck * run.L;

			project(&run, run.k + t * un, PACK_K, BIAS_K, s, run.Ck);
			project(&run, run.v + t * un, PACK_V, BIAS_V, s, run.Ck);
		}
		for (uint32_t t = 0; t < run.Tq; t++)
		{
			nn_real    *q = run.q + (run.keeps ? t * un : 0),
					   *o = run.o + (run.keeps ? t * un : 0);

			project(&run, q, PACK_Q, BIAS_Q, run.x + (size_t) t * run.S * run.Cq * run.L, run.Cq);
			for (uint32_t h = 0; h < run.heads; h++)
				head_forward(&run, h, q + h * dn,
							 run.w + t * run.w_step + (size_t) h * run.Tk * run.L, o + h * dn);
			project(&run, y + ((size_t) t * run.S + site) * un, PACK_O, BIAS_O, o, run.U);
		}
	}
}

/*
 * The answer to head_forward: adds to dk and dv, and turns the gradient d_o [D][L] of
 * what the head sees into that of its query.
 */
static void
head_backward(const Run *run, uint32_t head, const nn_real *q, const nn_real *w, nn_real *d_o)
{
	size_t		un = (size_t) run->U * run->L,
				first = (size_t) head * run->D * run->L;

	for (uint32_t t = 0; t < run->Tk; t++)
	{
		poll_states(run, t);
		/* o = sum_t w(t) v(t) */
		run->kernels->lane_dot(run->dw + (size_t) t * run->L, d_o, run->v + t * un + first, run->D,
							   run->L);
		run->kernels->lane_axpy(run->dv + t * un + first, w + (size_t) t * run->L, d_o, run->D,
								run->L);
	}
	/* w = softmax(scale q k) */
	run->kernels->lane_softmax_grad(run->dw, w, run->scale, run->Tk, run->L);
	memset(d_o, 0, (size_t) run->D * run->L * sizeof(nn_real));
	for (uint32_t t = 0; t < run->Tk; t++)
	{
		const nn_real *dw = run->dw + (size_t) t * run->L;

		poll_states(run, t);
		/* q k(t) */
		run->kernels->lane_axpy(d_o, dw, run->k + t * un + first, run->D, run->L);
		run->kernels->lane_axpy(run->dk + t * un + first, dw, q, run->D, run->L);
	}
}

/*
 * The answer to project for T steps: z = W x + b, where dz [T] starts dz_stride apart
 * and x, dx (NULL: not wanted) start x_stride apart.
 */
static void
project_backward(const Run *run, uint32_t pack, uint32_t weight, const nn_real *dz,
				 size_t dz_stride, const nn_real *x, nn_real *dx, size_t x_stride, uint32_t T,
				 uint32_t C)
{
	NnState    *state = run->state;

	nn_op_outer(state, nn_op_dparam(state, run->layer, weight), C, dz, (ptrdiff_t) dz_stride, x,
				(ptrdiff_t) x_stride, T, run->U, C);
	run->kernels->lane_sum(nn_op_dparam(state, run->layer, weight + 1), dz, (ptrdiff_t) dz_stride,
						   T, run->U, run->L);
	for (uint32_t t = 0; dx && t < T; t++)
	{
		state->env->poll(state->env->host);
		run->kernels->matmul(dx + t * x_stride, nn_op_pack(state, run->layer, pack), NULL,
							 dz + t * dz_stride, C, run->U, run->L, true);
	}
}

/* From the gradient of the site's outputs dy [Tq][S][U][L] to those of q (in its place), k and v. */
static void
site_backward(Run *run, const nn_real *dy)
{
	size_t		un = (size_t) run->U * run->L,
				dn = (size_t) run->D * run->L;

	memset(run->dk, 0, 2 * run->Tk * un * sizeof(nn_real)); /* dk and dv */
	for (uint32_t t = 0; t < run->Tq; t++)
	{
		nn_real    *q = run->q + t * un;

		run->state->env->poll(run->state->env->host);
		/* y = W_o o + b_o */
		run->kernels->matmul(run->d_o, nn_op_pack(run->state, run->layer, PACK_O_BACK), NULL,
							 dy + t * run->S * un, run->U, run->U, run->L, false);
		for (uint32_t h = 0; h < run->heads; h++)
			head_backward(run, h, q + h * dn,
						  run->w + t * run->w_step + (size_t) h * run->Tk * run->L,
						  run->d_o + h * dn);
		memcpy(q, run->d_o, un * sizeof(nn_real));
	}
}

void
nn_attention_backward(NnState *state, const NnLayer *layer)
{
	Run			run = run_open(state, layer);
	nn_real    *dx = nn_op_input_gradient(state, layer, 0),
			   *ds = nn_op_input_gradient(state, layer, run.second);
	size_t		un = (size_t) run.U * run.L,
				xn = (size_t) run.Cq * run.L,
				sn = (size_t) run.Ck * run.L;

	for (uint32_t site = 0; site < run.S; site++)
	{
		const nn_real *dy = state->gradients + layer->output.offset + site * un;
		nn_real    *dx_site = dx ? dx + site * xn : NULL,
				   *ds_site = ds ? ds + site * sn : NULL;

		run_site(&run, site);
		site_backward(&run, dy);
		/* y = W_o o + b_o, q = W_q x + b_q, k = W_k s + b_k, v = W_v s + b_v */
		project_backward(&run, PACK_O_BACK, WEIGHT_O, dy, run.S * un, run.o, NULL, un, run.Tq,
						 run.U);
		project_backward(&run, PACK_Q_BACK, WEIGHT_Q, run.q, un, run.x, dx_site, run.S * xn, run.Tq,
						 run.Cq);
		project_backward(&run, PACK_K_BACK, WEIGHT_K, run.dk, un, run.s, ds_site, run.S * sn,
						 run.Tk, run.Ck);
		project_backward(&run, PACK_V_BACK, WEIGHT_V, run.dv, un, run.s, ds_site, run.S * sn,
						 run.Tk, run.Ck);
	}
}

const nn_real *
nn_attention_weights(const NnState *state, const NnLayer *layer)
{
	if (nn_ops[layer->op].forward != nn_attention_forward)
		return NULL;
	return state->activations + layer->kept.offset;
}
