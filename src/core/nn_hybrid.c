/*
 * nn_hybrid.c
 *		Exponential smoothing within the network, its rates learned with the weights
 *		(in the spirit of Smyl 2020, International Journal of Forecasting 36:75-85).
 *
 * "smoothing" follows level and season of each target through the window,
 * "remainder" takes off the window what they say at its end, for the layers that
 * learn the rest, and "recompose" adds the same to the forecasts.  So a value of
 * the window and one ahead are measured from the same place.  All work on the
 * first channels of the past, the targets, one site, and cost a few operations
 * per value of the window; backward runs through the whole recursion.
 */
#include <math.h>
#include <string.h>

#include "core/nn_op.h"

/*
 * Rates are sigmoids of a tensor that begins at 0, moved so that they begin at 0.3
 * and 0.1: ln(0.3 / 0.7), ln(0.1 / 0.9).
 */
#define ALPHA_START	(-0.8472978603872037)
#define GAMMA_START	(-2.1972245773362196)

/* A target's way through the window; arrays of rows r, in which a row takes step reals. */
typedef struct Run
{
	uint32_t	T, m, rows, L;	/* m: season, at least 1 */
	bool		seasonal;
	size_t		x_step, step;
	nn_real		alpha, gamma;
} Run;

static bool
layer_is_smoothing(const NnLayer *layer)
{
	return nn_ops[layer->op].plan == nn_smoothing_plan;
}

/*
 * smoothing: past [T][1][C] -> [T + R][1][2 G].  Channel k of row t is the level of
 * target k as the rows before t give it, channel G + k what its season adds at t (0
 * without a season): their sum is the one-step forecast of row t, and from row T on
 * the forecast.  R = max(horizon, m), so that the last rows know every phase.
 *
 *	l(t) = alpha (x(t) - s(t)) + (1 - alpha) l(t - 1)
 *	s(t + m) = gamma (x(t) - l(t)) + (1 - gamma) s(t)
 *
 * where s(t) is the season that row t meets.  With a season m > 1 the level starts as
 * the mean of the first m rows, and the season as what they differ by, without a
 * season the level starts as the first row.  alpha = sigmoid(tensor alpha - 0.847),
 * gamma = sigmoid(tensor gamma - 2.197), for each target.
 */
void
nn_smoothing_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	const NnEnv *env = planner->env;
	uint32_t	G = planner->spec->ntargets,
				T = layer->in.T,
				m = spec->season > 1 ? spec->season : 0,
				ahead = m > planner->spec->horizon ? m : planner->spec->horizon;

	nn_planner_require_single(planner, layer);
	if (layer->in.S != 1 || layer->in.C < G)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "layer \"%s\" of type \"smoothing\" needs the past, with %u targets in "
						  "one site", spec->name, G),
				"Give it the input \"past\".");
	if (T < m)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "layer \"%s\" has a season of %u rows, but gets only %u", spec->name, m,
						  T),
				"Use a longer context, or a shorter \"season\".");
	layer->season = m;
	layer->out = (NnShape) {T + ahead, 1, 2 * G, 0};
	nn_planner_tensor(planner, layer, "alpha", NN_INIT_ZEROS, 1, G, 0);
	if (m > 0)
		nn_planner_tensor(planner, layer, "gamma", NN_INIT_ZEROS, 1, G, 0);
	/* Backward adds up the gradients of all rows, and the rates' lane by lane. */
	nn_planner_scratch(planner, layer,
					   nn_size_add(env, nn_size_mul(env, layer->out.T, layer->out.C), 2));
}

/* The rate of target k whose tensor begins at offset. */
static nn_real
rate_of(const NnState *state, const NnLayer *layer, uint32_t tensor, uint32_t k, double offset)
{
	nn_real		x[NN_LANES] = {nn_op_param(state, layer, tensor)[k] + (nn_real) offset},
				y[NN_LANES];

	state->kernels->activate(NN_SIGMOID, y, x, NN_LANES);
	return y[0];
}

static Run
run_open(const NnState *state, const NnLayer *layer, uint32_t k)
{
	Run			run = {.T = layer->in.T, .rows = layer->out.T, .L = state->L};

	run.seasonal = layer->season > 0;
	run.m = run.seasonal ? layer->season : 1;
	run.x_step = (size_t) layer->in.C * run.L;
	run.step = (size_t) layer->out.C * run.L;
	run.alpha = rate_of(state, layer, 0, k, ALPHA_START);
	run.gamma = run.seasonal ? rate_of(state, layer, 1, k, GAMMA_START) : 0;
	return run;
}

/* Level and season of the first m rows, and the state after them. */
static void
start_forward(const Run *run, const nn_real *x, nn_real *level, nn_real *season)
{
	nn_real		mean[NN_MAX_LANES] = {0};

	for (uint32_t t = 0; t < run->m; t++)
		for (uint32_t i = 0; i < run->L; i++)
			mean[i] += x[t * run->x_step + i] / (nn_real) run->m;
	for (uint32_t t = 0; t <= run->m; t++)
		memcpy(level + t * run->step, mean, run->L * sizeof(nn_real));
	for (uint32_t t = 0; t < run->m; t++)
		for (uint32_t i = 0; i < run->L; i++)
		{
			nn_real		s = run->seasonal ? x[t * run->x_step + i] - mean[i] : 0;

			season[t * run->step + i] = s;
			season[(t + run->m) * run->step + i] = s;
		}
}

/* Row t >= m: the next level and the same phase's next season. */
static void
row_forward(const Run *run, uint32_t t, const nn_real *x, nn_real *level, nn_real *season)
{
	const nn_real *xt = x + t * run->x_step,
			   *lt = level + t * run->step,
			   *st = season + t * run->step;
	nn_real    *l = level + (t + 1) * run->step,
			   *s = season + (t + run->m) * run->step;

	for (uint32_t i = 0; i < run->L; i++)
	{
		l[i] = run->alpha * (xt[i] - st[i]) + (1 - run->alpha) * lt[i];
		s[i] = run->seasonal ? run->gamma * (xt[i] - l[i]) + (1 - run->gamma) * st[i] : 0;
	}
}

void
nn_smoothing_forward(NnState *state, const NnLayer *layer)
{
	uint32_t	G = layer->out.C / 2;

	for (uint32_t k = 0; k < G; k++)
	{
		Run			run = run_open(state, layer, k);
		const nn_real *x = nn_op_input(state, layer, 0) + (size_t) k * run.L;
		nn_real    *level = state->activations + layer->output.offset + (size_t) k * run.L,
				   *season = level + (size_t) G * run.L;
		size_t		n = run.L * sizeof(nn_real);

		state->env->poll(state->env->host);
		start_forward(&run, x, level, season);
		for (uint32_t t = run.m; t < run.T; t++)
			row_forward(&run, t, x, level, season);
		for (uint32_t t = run.T + 1; t < run.rows; t++)
			memcpy(level + t * run.step, level + run.T * run.step, n);
		for (uint32_t t = run.T + run.m; t < run.rows; t++)
			memcpy(season + t * run.step, season + (t - run.m) * run.step, n);
	}
}

/* The answer to row_forward; dx may be NULL. */
static void
row_backward(const Run *run, uint32_t t, const nn_real *x, const nn_real *level,
			 const nn_real *season, nn_real *dx, nn_real *dlevel, nn_real *dseason,
			 nn_real *dalpha, nn_real *dgamma)
{
	size_t		at = t * run->step,
				next = at + run->step,
				later = at + run->m * run->step;

	for (uint32_t i = 0; i < run->L; i++)
	{
		nn_real		xt = x[t * run->x_step + i],
					dl = dlevel[next + i],
					ds = run->seasonal ? dseason[later + i] : 0;

		/* s = gamma (x - l) + (1 - gamma) s_before */
		dgamma[i] += ds * (xt - level[next + i] - season[at + i]);
		dl -= run->gamma * ds;
		/* l = alpha (x - s_before) + (1 - alpha) l_before */
		dalpha[i] += dl * (xt - season[at + i] - level[at + i]);
		dseason[at + i] += (1 - run->gamma) * ds - run->alpha * dl;
		dlevel[at + i] += (1 - run->alpha) * dl;
		if (dx)
			dx[t * run->x_step + i] += run->gamma * ds + run->alpha * dl;
	}
}

/* The answer to start_forward, for the window's gradient. */
static void
start_backward(const Run *run, nn_real *dx, const nn_real *dlevel, const nn_real *dseason)
{
	nn_real		dmean[NN_MAX_LANES] = {0};

	/* level(t) = mean; season(t) = season(t + m) = x(t) - mean */
	for (uint32_t t = 0; t <= run->m; t++)
		for (uint32_t i = 0; i < run->L; i++)
			dmean[i] += dlevel[t * run->step + i];
	for (uint32_t t = 0; run->seasonal && t < run->m; t++)
		for (uint32_t i = 0; i < run->L; i++)
		{
			nn_real		d = dseason[t * run->step + i] + dseason[(t + run->m) * run->step + i];

			dx[t * run->x_step + i] += d;
			dmean[i] -= d;
		}
	/* mean = sum of the first m rows / m */
	for (uint32_t t = 0; t < run->m; t++)
		for (uint32_t i = 0; i < run->L; i++)
			dx[t * run->x_step + i] += dmean[i] / (nn_real) run->m;
}

/* dparam[k] += the sum of the lanes of drate, times the slope of rate = sigmoid(param). */
static void
rate_backward(NnState *state, const NnLayer *layer, uint32_t tensor, uint32_t k, nn_real rate,
			  const nn_real *drate)
{
	nn_real		sum = 0;

	state->kernels->lane_sum(&sum, drate, 0, 1, 1, state->L);
	nn_op_dparam(state, layer, tensor)[k] += sum * rate * (1 - rate);
}

void
nn_smoothing_backward(NnState *state, const NnLayer *layer)
{
	uint32_t	G = layer->out.C / 2,
				L = state->L;
	size_t		all = (size_t) layer->out.T * layer->out.C * L;
	nn_real    *d = state->scratch + layer->scratch.offset,
			   *dalpha = d + all,
			   *dgamma = dalpha + L,
			   *dx = nn_op_input_gradient(state, layer, 0);

	memcpy(d, state->gradients + layer->output.offset, all * sizeof(nn_real));
	for (uint32_t k = 0; k < G; k++)
	{
		Run			run = run_open(state, layer, k);
		const nn_real *x = nn_op_input(state, layer, 0) + (size_t) k * L,
				   *level = state->activations + layer->output.offset + (size_t) k * L,
				   *season = level + (size_t) G * L;
		nn_real    *dxk = dx ? dx + (size_t) k * L : NULL,
				   *dlevel = d + (size_t) k * L,
				   *dseason = dlevel + (size_t) G * L;

		state->env->poll(state->env->host);
		memset(dalpha, 0, 2 * L * sizeof(nn_real)); /* and dgamma */
		/* season(t) = season(t - m), level(t) = level(T) beyond the window's end */
		for (uint32_t t = run.rows; t-- > run.T + run.m;)
			state->kernels->axpy(dseason + (t - run.m) * run.step, 1, dseason + t * run.step, L);
		for (uint32_t t = run.T + 1; t < run.rows; t++)
			state->kernels->axpy(dlevel + run.T * run.step, 1, dlevel + t * run.step, L);
		for (uint32_t t = run.T; t-- > run.m;)
			row_backward(&run, t, x, level, season, dxk, dlevel, dseason, dalpha, dgamma);
		if (dxk)
			start_backward(&run, dxk, dlevel, dseason);
		rate_backward(state, layer, 0, k, run.alpha, dalpha);
		if (run.seasonal)
			rate_backward(state, layer, 1, k, run.gamma, dgamma);
	}
}

/* Fails unless the second input is a smoothing of T rows (0: any number). */
static void
smoothing_check(NnPlanner *planner, const NnLayer *layer, const NnLayerSpec *spec, uint32_t T)
{
	const NnEnv *env = planner->env;
	const NnLayer *smooth = &planner->plan->layer[layer->input[1]];

	if (!layer_is_smoothing(smooth))
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "the second input of layer \"%s\" is of type \"%s\", not \"smoothing\"",
						  spec->name, nn_ops[smooth->op].name), NULL);
	if (T > 0 && smooth->in.T != T)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "layer \"%s\" gets %u steps, but a smoothing of %u", spec->name, T,
						  smooth->in.T), "Give both the input \"past\".");
}

/*
 * remainder: past [T][1][C] and its smoothing -> [T][1][C], targets without the level
 * at the window's end and the season of their phase there, other channels as they
 * are.  What is left keeps the trend within the window.
 */
void
nn_remainder_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	smoothing_check(planner, layer, spec, layer->in.T);
	if (layer->in.S != 1 || layer->in.C < planner->spec->ntargets)
		nn_fail(planner->env, NN_BAD_VALUE,
				nn_format(planner->env, "layer \"%s\" of type \"remainder\" needs the past", spec->name),
				"Give it the inputs \"past\" and the smoothing of it.");
	layer->out = layer->in;
	layer->season = planner->plan->layer[layer->input[1]].season;
}

/* The row from T on that has the phase of row t. */
static uint32_t
phase_row(const NnLayer *layer, uint32_t t)
{
	uint32_t	T = layer->in.T,
				m = layer->season;

	return m == 0 ? T : T + (m - (T - t) % m) % m;
}

void
nn_remainder_forward(NnState *state, const NnLayer *layer)
{
	const nn_real *smooth = nn_op_input(state, layer, 1);
	nn_real    *y = state->activations + layer->output.offset;
	uint32_t	L = state->L,
				T = layer->in.T;
	size_t		targets = (size_t) state->plan->ntargets * L,
				row = (size_t) layer->in.C * L;

	memcpy(y, nn_op_input(state, layer, 0), T * row * sizeof(nn_real));
	for (uint32_t t = 0; t < T; t++)
	{
		/* Of 2 G channels, levels come first, then seasons. */
		state->kernels->axpy(y + t * row, -1, smooth + T * 2 * targets, targets);
		state->kernels->axpy(y + t * row, -1,
							 smooth + phase_row(layer, t) * 2 * targets + targets, targets);
	}
}

void
nn_remainder_backward(NnState *state, const NnLayer *layer)
{
	const nn_real *dy = state->gradients + layer->output.offset;
	nn_real    *dx = nn_op_input_gradient(state, layer, 0),
			   *dsmooth = nn_op_input_gradient(state, layer, 1);
	uint32_t	L = state->L,
				T = layer->in.T;
	size_t		targets = (size_t) state->plan->ntargets * L,
				row = (size_t) layer->in.C * L;

	if (dx)						/* y = x - ... */
		state->kernels->axpy(dx, 1, dy, T * row);
	for (uint32_t t = 0; dsmooth && t < T; t++)
	{
		/* y = x - level(T) - season(T + phase) */
		state->kernels->axpy(dsmooth + T * 2 * targets, -1, dy + t * row, targets);
		state->kernels->axpy(dsmooth + phase_row(layer, t) * 2 * targets + targets, -1,
							 dy + t * row, targets);
	}
}

/*
 * recompose: outputs [1][1][V * P] and a smoothing -> the same, with the smoothing's
 * forecast of step h and target k added to each raw output of (h, k) that is a
 * location, as residual adds the last value.
 */
void
nn_recompose_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	const NnSpec *s = planner->spec;
	size_t		needed = (size_t) s->horizon * s->ntargets * nn_spec_outputs(s);

	smoothing_check(planner, layer, spec, 0);
	if (layer->in.T != 1 || layer->in.S != 1 || layer->in.C != needed)
		nn_fail(planner->env, NN_BAD_VALUE,
				nn_format(planner->env, "layer \"%s\" of type \"recompose\" must follow the output layer",
						  spec->name),
				"Put it last, after the last dense layer.");
	layer->out = layer->in;
	layer->outputs = nn_spec_outputs(s);
	layer->locations = s->loss == NN_LOSS_QUANTILE ? layer->outputs : 1;
}

/* Place of the level of raw output i's step and target in the smoothing. */
static size_t
forecast_place(const NnState *state, const NnLayer *layer, uint32_t i)
{
	uint32_t	G = state->plan->ntargets,
				value = i / layer->outputs,
				T = state->plan->layer[layer->input[1]].in.T;

	return ((size_t) (T + value / G) * 2 * G + value % G) * state->L;
}

void
nn_recompose_forward(NnState *state, const NnLayer *layer)
{
	const nn_real *smooth = nn_op_input(state, layer, 1);
	nn_real    *y = state->activations + layer->output.offset;
	uint32_t	L = state->L;
	size_t		season = (size_t) state->plan->ntargets * L;

	memcpy(y, nn_op_input(state, layer, 0), (size_t) layer->in.C * L * sizeof(nn_real));
	for (uint32_t i = 0; i < layer->in.C; i++)
		if (i % layer->outputs < layer->locations)
		{
			const nn_real *level = smooth + forecast_place(state, layer, i);

			state->kernels->axpy(y + (size_t) i * L, 1, level, L);
			state->kernels->axpy(y + (size_t) i * L, 1, level + season, L);
		}
}

void
nn_recompose_backward(NnState *state, const NnLayer *layer)
{
	const nn_real *dy = state->gradients + layer->output.offset;
	nn_real    *dx = nn_op_input_gradient(state, layer, 0),
			   *dsmooth = nn_op_input_gradient(state, layer, 1);
	uint32_t	L = state->L;
	size_t		season = (size_t) state->plan->ntargets * L;

	if (dx)						/* y = x + ... */
		state->kernels->axpy(dx, 1, dy, (size_t) layer->in.C * L);
	for (uint32_t i = 0; dsmooth && i < layer->in.C; i++)
		if (i % layer->outputs < layer->locations)
		{
			/* y = ... + level + season */
			nn_real    *dlevel = dsmooth + forecast_place(state, layer, i);

			state->kernels->axpy(dlevel, 1, dy + (size_t) i * L, L);
			state->kernels->axpy(dlevel + season, 1, dy + (size_t) i * L, L);
		}
}
