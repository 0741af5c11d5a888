/*
 * nn_normalize.c
 *		Taking off what is local to a window, and bringing it back: statistics,
 *		normalize, denormalize.
 *
 * "statistics" measures each target's window, "normalize" takes center and scale off
 * the targets before the network sees them, "denormalize" gives them back to the
 * outputs.  With the mean, the standard deviation and a learned gain and shift this is
 * reversible instance normalization (Kim et al. 2022, "Reversible instance
 * normalization for accurate time-series forecasting against distribution shift",
 * ICLR); with the last value it is what SegRNN and NLinear do.  A few operations per
 * value of the window; nothing is kept for backward, which reads inputs and statistics
 * again.  In training nobody asks for the statistics' gradient, since below them is
 * only the window; where a forecast is explained it runs through them too.
 */
#include <math.h>
#include <string.h>

#include "core/nn_normalize.h"
#include "core/nn_op.h"

/*
 * Added to the variance and to the mean of absolute values, as RevIN adds it to the
 * variance: on the scaled axis, where a column's own deviation is about 1.  A constant
 * window becomes zeros, and what the network makes of them is scaled by 0.003 or less.
 */
#define EPSILON 1e-5

/*
 * 1 / gain is computed as gain / (gain^2 + GAIN_EPSILON): the same to 1e-6 for a gain
 * of 1, at most 500, and smooth where a gain passes through 0.
 */
#define GAIN_EPSILON NN_R(1e-6)

enum
{
	TENSOR_GAIN, TENSOR_SHIFT
};

/* A target's values in the window: row t at x + t * step, L lanes. */
typedef struct Column
{
	const nn_real *x;
	size_t		step;
	uint32_t	T, L;
} Column;

/* Targets of one site, of the layer's input. */
static uint32_t
site_targets(const NnLayer *layer, uint32_t targets)
{
	return targets / layer->in.S;
}

/* Offset of target k within a row of the layer's input. */
static size_t
target_offset(const NnLayer *layer, uint32_t targets, uint32_t k, uint32_t L)
{
	uint32_t	g = site_targets(layer, targets);

	return ((size_t) (k / g) * layer->in.C + k % g) * L;
}

/* ------------------------------------------------------------------------
 * statistics: [T][S][C] -> [1][S][2 g], g = ntargets / S: center and scale of each
 * target, the first g channels of each site.
 *
 *	center	"none": 0, "last": x(T - 1), "mean": mean of x over T
 *	scale	"none": 1, "standard": sqrt(population variance + EPSILON),
 *			"mean": mean of |x| + EPSILON
 *
 * |x| is on the scaled axis: after "standard" scaling it is the distance from the
 * column's mean, not the size of the original value.
 */

void
nn_statistics_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	const NnEnv *env = planner->env;
	uint32_t	G = planner->spec->ntargets,
				S = layer->in.S;

	nn_planner_require_single(planner, layer);
	if (G % S != 0)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "layer \"%s\" of type \"statistics\" gets %u sites, which cannot share %u "
						  "targets", layer->name, S, G),
				"Give it the input \"past\" or a layer of type \"sites\".");
	if (layer->in.C < G / S || planner->plan->layer[layer->input[0]].time == NN_TIME_APART)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "layer \"%s\" of type \"statistics\" gets an input without the %u targets",
						  layer->name, G),
				"Give it the input \"past\" or a layer of type \"sites\".");
	layer->center = spec->center;
	layer->spread = spec->spread;
	layer->out = (NnShape) {1, S, 2 * (G / S), 0};
}

/* Sums are double: exact enough for the longest window, and squares cannot overflow. */
static void
column_mean(const Column *column, double *mean)
{
	memset(mean, 0, column->L * sizeof(double));
	for (uint32_t t = 0; t < column->T; t++)
		for (uint32_t i = 0; i < column->L; i++)
			mean[i] += (double) column->x[t * column->step + i];
	for (uint32_t i = 0; i < column->L; i++)
		mean[i] /= column->T;
}

static void
column_scale(const Column *column, NnSpread spread, const double *mean, nn_real *scale)
{
	double		sum[NN_MAX_LANES] = {0};

	for (uint32_t t = 0; spread != NN_SPREAD_NONE && t < column->T; t++)
	{
		const nn_real *x = column->x + t * column->step;

		if (spread == NN_SPREAD_MEAN)
			for (uint32_t i = 0; i < column->L; i++)
				sum[i] += fabs((double) x[i]);
		else
			for (uint32_t i = 0; i < column->L; i++)
				sum[i] += ((double) x[i] - mean[i]) * ((double) x[i] - mean[i]);
	}
	for (uint32_t i = 0; i < column->L; i++)
		sum[i] = sum[i] / column->T + EPSILON;
	for (uint32_t i = 0; i < column->L; i++)
		scale[i] = spread == NN_SPREAD_NONE ? 1 :
			(nn_real) (spread == NN_SPREAD_MEAN ? sum[i] : sqrt(sum[i]));
}

static void
column_center(const Column *column, NnCenter center, const double *mean, nn_real *y)
{
	const nn_real *last = column->x + (column->T - 1) * column->step;

	for (uint32_t i = 0; i < column->L; i++)
		y[i] = center == NN_CENTER_LAST ? last[i] :
			center == NN_CENTER_MEAN ? (nn_real) mean[i] : 0;
}

void
nn_statistics_run(const NnNormalizing *run)
{
	const NnLayer *layer = run->layer;
	double		mean[NN_MAX_LANES];

	for (uint32_t k = 0; k < run->targets; k++)
	{
		Column		column = {run->x + target_offset(layer, run->targets, k, run->L),
		run->x_step, layer->in.T, run->L};
		nn_real    *y = run->y + (size_t) k * 2 * run->L;

		run->env->poll(run->env->host);
		column_mean(&column, mean);
		column_center(&column, layer->center, mean, y);
		column_scale(&column, layer->spread, mean, y + run->L);
	}
}

/* A call in lanes; what lies in rows is filled in. */
static NnNormalizing
run_open(NnState *state, const NnLayer *layer)
{
	return (NnNormalizing) {
		.env = state->env,
		.layer = layer,
		.targets = state->plan->ntargets,
		.L = state->L,
		.x = nn_op_input(state, layer, 0),
		.y = state->activations + layer->output.offset,
		.x_step = (size_t) layer->in.S * layer->in.C * state->L,
		.y_step = (size_t) layer->out.S * layer->out.C * state->L,
		.statistics = layer->ninputs > 1 ? nn_op_input(state, layer, 1) : NULL
	};
}

void
nn_statistics_forward(NnState *state, const NnLayer *layer)
{
	NnNormalizing run = run_open(state, layer);

	nn_statistics_run(&run);
}

/* dx += what center and scale, with gradients dcenter and dscale, owe to the column. */
static void
column_backward(const NnLayer *layer, const Column *column, nn_real *dx, const nn_real *scale,
				const nn_real *dcenter, const nn_real *dscale)
{
	nn_real    *dlast = dx + (column->T - 1) * column->step,
				n = (nn_real) column->T;
	double		mean[NN_MAX_LANES];

	column_mean(column, mean);
	if (layer->center == NN_CENTER_LAST)	/* center = x(T - 1) */
		for (uint32_t i = 0; i < column->L; i++)
			dlast[i] += dcenter[i];
	for (uint32_t t = 0; t < column->T; t++)
	{
		const nn_real *x = column->x + t * column->step;
		nn_real    *d = dx + t * column->step;

		if (layer->center == NN_CENTER_MEAN)	/* center = sum of x / T */
			for (uint32_t i = 0; i < column->L; i++)
				d[i] += dcenter[i] / n;
		if (layer->spread == NN_SPREAD_STANDARD)	/* scale = sqrt(sum of (x - mean)^2 / T + eps) */
			for (uint32_t i = 0; i < column->L; i++)
				d[i] += dscale[i] * (nn_real) ((double) x[i] - mean[i]) / (n * scale[i]);
		if (layer->spread == NN_SPREAD_MEAN)	/* scale = sum of |x| / T + eps */
			for (uint32_t i = 0; i < column->L; i++)
				d[i] += (x[i] > 0 ? dscale[i] : x[i] < 0 ? -dscale[i] : 0) / n;
	}
}

void
nn_statistics_backward(NnState *state, const NnLayer *layer)
{
	NnNormalizing run = run_open(state, layer);
	const nn_real *dy = state->gradients + layer->output.offset;
	nn_real    *dx = nn_op_input_gradient(state, layer, 0);

	for (uint32_t k = 0; dx && k < run.targets; k++)
	{
		size_t		at = target_offset(layer, run.targets, k, run.L),
					pair = (size_t) k * 2 * run.L;
		Column		column = {run.x + at, run.x_step, layer->in.T, run.L};

		state->env->poll(state->env->host);
		column_backward(layer, &column, dx + at, run.y + pair + run.L, dy + pair, dy + pair + run.L);
	}
}

static bool
layer_is(const NnLayer *layer, void (*plan) (NnPlanner *, NnLayer *, const NnLayerSpec *))
{
	return nn_ops[layer->op].plan == plan;
}

/* Fails unless the second input is of type statistics; returns it. */
static const NnLayer *
statistics_check(const NnPlanner *planner, const NnLayer *layer)
{
	const NnLayer *statistics = &planner->plan->layer[layer->input[1]];

	if (!layer_is(statistics, nn_statistics_plan))
		nn_fail(planner->env, NN_BAD_VALUE,
				nn_format(planner->env, "the second input of layer \"%s\" is of type \"%s\", not "
						  "\"statistics\"", layer->name, nn_ops[statistics->op].name), NULL);
	return statistics;
}

/* ------------------------------------------------------------------------
 * normalize: x [T][S][C] and its statistics -> [T][S][C].  Targets, the first
 * channels of each site, become z = (x - center) / scale, with "affine" z * gain +
 * shift, learned for each target from 1 and 0 on.  Other channels are copied.
 */

void
nn_normalize_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	const NnEnv *env = planner->env;
	const NnLayer *statistics = statistics_check(planner, layer);

	if (layer->in.S != statistics->out.S || layer->in.C < statistics->out.C / 2)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "layer \"%s\" of type \"normalize\" gets %u sites of %u channels, but the "
						  "statistics of %u sites of %u targets", layer->name, layer->in.S, layer->in.C,
						  statistics->out.S, statistics->out.C / 2),
				"Its first input is that of the statistics.");
	layer->out = layer->in;
	if (!spec->affine)
		return;
	layer->affine = true;
	nn_planner_tensor(planner, layer, "gain", NN_INIT_ONES, 1, planner->spec->ntargets, 0);
	nn_planner_tensor(planner, layer, "shift", NN_INIT_ZEROS, 1, planner->spec->ntargets, 0);
	nn_planner_scratch(planner, layer, 1);	/* [L] of dgain */
}

/* 1 / scale of target k, [L]. */
static void
inverse_scale(const NnNormalizing *run, uint32_t k, nn_real *inverse)
{
	const nn_real *scale = run->statistics + ((size_t) k * 2 + 1) * run->L;

	for (uint32_t i = 0; i < run->L; i++)
		inverse[i] = 1 / scale[i];
}

void
nn_normalize_run(const NnNormalizing *run)
{
	const NnLayer *layer = run->layer;
	nn_real		inverse[NN_MAX_LANES];

	for (uint32_t t = 0; t < layer->in.T; t++)
		memcpy(run->y + t * run->y_step, run->x + t * run->x_step,
			   (size_t) layer->in.S * layer->in.C * run->L * sizeof(nn_real));
	for (uint32_t k = 0; k < run->targets; k++)
	{
		const nn_real *center = run->statistics + (size_t) k * 2 * run->L;
		nn_real    *y = run->y + target_offset(layer, run->targets, k, run->L),
					gain = run->gain ? run->gain[k] : 1,
					shift = run->shift ? run->shift[k] : 0;

		run->env->poll(run->env->host);
		inverse_scale(run, k, inverse);
		for (uint32_t t = 0; t < layer->in.T; t++, y += run->y_step)
			for (uint32_t i = 0; i < run->L; i++)
				y[i] = (y[i] - center[i]) * inverse[i] * gain + shift;
	}
}

/* The parameters of the layer that normalizes, which may be none. */
static void
affine_set(const NnState *state, const NnLayer *normalizes, NnNormalizing *run)
{
	if (normalizes == NULL || !normalizes->affine)
		return;
	run->gain = nn_op_param(state, normalizes, TENSOR_GAIN);
	run->shift = nn_op_param(state, normalizes, TENSOR_SHIFT);
}

void
nn_normalize_forward(NnState *state, const NnLayer *layer)
{
	NnNormalizing run = run_open(state, layer);

	affine_set(state, layer, &run);
	nn_normalize_run(&run);
}

/*
 * Target k of all rows.  dx and the pair of dstatistics may be NULL; dgain [L] is
 * written: the gradient of gain, lane by lane.
 */
static void
target_backward(const NnNormalizing *run, uint32_t k, const nn_real *dy, nn_real *dx,
				nn_real *dstatistics, nn_real *dgain)
{
	size_t		at = target_offset(run->layer, run->targets, k, run->L);
	const nn_real *center = run->statistics + (size_t) k * 2 * run->L;
	nn_real		inverse[NN_MAX_LANES],
				dcenter[NN_MAX_LANES] = {0},
				dscale[NN_MAX_LANES] = {0},
				gain = run->gain ? run->gain[k] : 1;

	inverse_scale(run, k, inverse);
	for (uint32_t t = 0; t < run->layer->in.T; t++)
		for (uint32_t i = 0; i < run->L; i++)
		{
			/* y = z * gain + shift; z = (x - center) * inverse */
			nn_real		d = dy[t * run->x_step + at + i],
						z = (run->x[t * run->x_step + at + i] - center[i]) * inverse[i];

			dcenter[i] -= d;
			dscale[i] -= d * z;
			if (dx)
				dx[t * run->x_step + at + i] += d * gain * inverse[i];
		}
	for (uint32_t i = 0; dstatistics && i < run->L; i++)
	{
		/* inverse = 1 / scale */
		dstatistics[(size_t) k * 2 * run->L + i] += dcenter[i] * gain * inverse[i];
		dstatistics[((size_t) k * 2 + 1) * run->L + i] += dscale[i] * gain * inverse[i];
	}
	for (uint32_t i = 0; dgain && i < run->L; i++)
		dgain[i] = -dscale[i];
}

void
nn_normalize_backward(NnState *state, const NnLayer *layer)
{
	NnNormalizing run = run_open(state, layer);
	const nn_real *dy = state->gradients + layer->output.offset;
	nn_real    *dx = nn_op_input_gradient(state, layer, 0),
			   *dstatistics = nn_op_input_gradient(state, layer, 1),
			   *dgain = layer->affine ? state->scratch + layer->scratch.offset : NULL;

	affine_set(state, layer, &run);
	for (uint32_t k = 0; k < run.targets && (dx || dstatistics || dgain); k++)
	{
		state->env->poll(state->env->host);
		target_backward(&run, k, dy, dx, dstatistics, dgain);
		if (dgain == NULL)
			continue;
		state->kernels->lane_sum(nn_op_dparam(state, layer, TENSOR_GAIN) + k, dgain, 0, 1, 1, run.L);
		/* y = ... + shift */
		state->kernels->lane_sum(nn_op_dparam(state, layer, TENSOR_SHIFT) + k,
								 dy + target_offset(layer, run.targets, k, run.L),
								 (ptrdiff_t) run.x_step, layer->in.T, 1, run.L);
	}
	if (dx)						/* other channels: y = x */
	{
		uint32_t	g = site_targets(layer, run.targets);
		size_t		others = (size_t) (layer->in.C - g) * run.L;

		for (uint32_t row = 0; row < layer->in.T * layer->in.S; row++)
		{
			size_t		at = ((size_t) row * layer->in.C + g) * run.L;

			state->kernels->axpy(dx + at, 1, dy + at, others);
		}
	}
}

/* ------------------------------------------------------------------------
 * denormalize: outputs [1][1][V * P] and statistics -> the same.  Raw outputs of
 * target k that are locations (the forecast, the mean, every quantile) become y =
 * z * scale + center, where z is the output, or (output - shift) / gain with the
 * tensors of the third input, an affine normalize layer.  Widths and degrees of freedom
 * stay as they are: the loss makes them positive by a curve, on the axis of all
 * windows, so a factor here would not be one there.
 */

void
nn_denormalize_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	const NnEnv *env = planner->env;
	const NnSpec *s = planner->spec;
	const NnLayer *normalizes = nn_denormalize_undoes(planner->plan, layer);
	size_t		needed = (size_t) s->horizon * s->ntargets * nn_spec_outputs(s);

	(void) spec;
	if (layer->in.T != 1 || layer->in.S != 1 || layer->in.C != needed)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "layer \"%s\" of type \"denormalize\" must follow the output layer",
						  layer->name),
				"Put it last, after the last dense layer or \"join\".");
	statistics_check(planner, layer);
	if (normalizes && !layer_is(normalizes, nn_normalize_plan))
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "the third input of layer \"%s\" is of type \"%s\", not \"normalize\"",
						  layer->name, nn_ops[normalizes->op].name), NULL);
	if (normalizes && normalizes->input[1] != layer->input[1])
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "layer \"%s\" and its third input use different statistics", layer->name),
				"Give it the statistics of the layer of type \"normalize\".");
	layer->out = layer->in;
	layer->outputs = nn_spec_outputs(s);
	layer->locations = s->loss == NN_LOSS_QUANTILE ? layer->outputs : 1;
	nn_planner_scratch(planner, layer, 2);	/* [L] of dgain and of dshift */
}

const NnLayer *
nn_denormalize_undoes(const NnPlan *plan, const NnLayer *layer)
{
	return layer->ninputs > 2 ? &plan->layer[layer->input[2]] : NULL;
}

/* Factor that undoes the gain of target k. */
static nn_real
gain_inverse(const NnNormalizing *run, uint32_t k)
{
	return run->gain ? run->gain[k] / (run->gain[k] * run->gain[k] + GAIN_EPSILON) : 1;
}

/* Steps of the horizon. */
static uint32_t
output_steps(const NnNormalizing *run)
{
	return run->layer->in.C / (run->targets * run->layer->outputs);
}

/* Offset of raw output p of target k at step h. */
static size_t
output_offset(const NnNormalizing *run, uint32_t h, uint32_t k, uint32_t p)
{
	return (((size_t) h * run->targets + k) * run->layer->outputs + p) * run->L;
}

void
nn_denormalize_run(const NnNormalizing *run)
{
	memcpy(run->y, run->x, (size_t) run->layer->in.C * run->L * sizeof(nn_real));
	for (uint32_t k = 0; k < run->targets; k++)
	{
		const nn_real *center = run->statistics + (size_t) k * 2 * run->L,
				   *scale = center + run->L;
		nn_real		inverse = gain_inverse(run, k),
					shift = run->shift ? run->shift[k] : 0;

		run->env->poll(run->env->host);
		for (uint32_t h = 0; h < output_steps(run); h++)
			for (uint32_t p = 0; p < run->layer->locations; p++)
			{
				nn_real    *y = run->y + output_offset(run, h, k, p);

				for (uint32_t i = 0; i < run->L; i++)
					y[i] = (y[i] - shift) * inverse * scale[i] + center[i];
			}
	}
}

void
nn_denormalize_forward(NnState *state, const NnLayer *layer)
{
	NnNormalizing run = run_open(state, layer);

	affine_set(state, nn_denormalize_undoes(state->plan, layer), &run);
	nn_denormalize_run(&run);
}

/*
 * Target k of all steps.  dx and dstatistics may be NULL; dinverse and dshift [L]
 * are written: gradients of gain_inverse and shift, lane by lane.
 */
static void
output_backward(const NnNormalizing *run, uint32_t k, const nn_real *dy, nn_real *dx,
				nn_real *dstatistics, nn_real *dinverse, nn_real *dshift)
{
	const nn_real *scale = run->statistics + ((size_t) k * 2 + 1) * run->L;
	nn_real		inverse = gain_inverse(run, k),
				shift = run->shift ? run->shift[k] : 0,
				dcenter[NN_MAX_LANES] = {0},
				dscale[NN_MAX_LANES] = {0};	/* divided by inverse */

	for (uint32_t h = 0; h < output_steps(run); h++)
		for (uint32_t p = 0; p < run->layer->locations; p++)
		{
			size_t		at = output_offset(run, h, k, p);

			for (uint32_t i = 0; i < run->L; i++)
			{
				/* y = (x - shift) * inverse * scale + center */
				nn_real		d = dy[at + i];

				dcenter[i] += d;
				dscale[i] += d * (run->x[at + i] - shift);
				if (dx)
					dx[at + i] += d * inverse * scale[i];
			}
		}
	for (uint32_t i = 0; i < run->L; i++)
	{
		dinverse[i] = dscale[i] * scale[i];
		dshift[i] = -dcenter[i] * inverse * scale[i];
	}
	for (uint32_t i = 0; dstatistics && i < run->L; i++)
	{
		dstatistics[(size_t) k * 2 * run->L + i] += dcenter[i];
		dstatistics[((size_t) k * 2 + 1) * run->L + i] += dscale[i] * inverse;
	}
}

/* The gradients of gain and shift of target k, from those of gain_inverse and shift. */
static void
affine_backward(NnState *state, const NnLayer *normalizes, uint32_t k, const nn_real *dinverse,
				const nn_real *dshift)
{
	nn_real		gain = nn_op_param(state, normalizes, TENSOR_GAIN)[k],
				below = gain * gain + GAIN_EPSILON,
				sum = 0;

	state->kernels->lane_sum(&sum, dinverse, 0, 1, 1, state->L);
	/* inverse = gain / (gain^2 + eps) */
	nn_op_dparam(state, normalizes, TENSOR_GAIN)[k] +=
		sum * (GAIN_EPSILON - gain * gain) / (below * below);
	state->kernels->lane_sum(nn_op_dparam(state, normalizes, TENSOR_SHIFT) + k, dshift, 0, 1, 1,
							 state->L);
}

void
nn_denormalize_backward(NnState *state, const NnLayer *layer)
{
	NnNormalizing run = run_open(state, layer);
	const NnLayer *normalizes = nn_denormalize_undoes(state->plan, layer);
	const nn_real *dy = state->gradients + layer->output.offset;
	nn_real    *dx = nn_op_input_gradient(state, layer, 0),
			   *dstatistics = nn_op_input_gradient(state, layer, 1),
			   *dinverse = state->scratch + layer->scratch.offset,
			   *dshift = dinverse + run.L;

	affine_set(state, normalizes, &run);
	for (uint32_t k = 0; k < run.targets; k++)
	{
		state->env->poll(state->env->host);
		output_backward(&run, k, dy, dx, dstatistics, dinverse, dshift);
		if (run.gain)
			affine_backward(state, normalizes, k, dinverse, dshift);
	}
	for (uint32_t i = 0; dx && i < layer->in.C; i++)
		if (i % layer->outputs >= layer->locations)	/* widths: y = x */
			state->kernels->axpy(dx + (size_t) i * run.L, 1, dy + (size_t) i * run.L, run.L);
}
