/*
 * nn_explain.c
 *		What a network's forecast rests on: gradients and attention of its inputs.
 *
 * A gradient costs a forward and a backward of a tile; the points of an attribution's
 * path are the lanes of tiles.
 */
#include <math.h>
#include <string.h>

#include "core/nn_explain.h"
#include "core/nn_loss.h"
#include "core/nn_op.h"
#include "core/nn_tile.h"

/* A tile at work. */
typedef struct Tile
{
	NnExplainer *explainer;
	const NnData *data;
	const NnWindow *windows;	/* [count] */
	uint32_t	count, L;
} Tile;

static size_t
inputs_count(const NnEnv *env, const NnSpec *spec)
{
	size_t		n = nn_size_mul(env, spec->context, nn_spec_channels(spec));

	n = nn_size_add(env, n, nn_size_mul(env, spec->horizon, spec->nfuture));
	return nn_size_add(env, n, spec->nstatic);
}

NnExplainer *
nn_explainer_create(const NnEnv *env, const NnModel *model, const NnKernels *kernels,
					uint32_t windows)
{
	NnExplainer *e = NN_NEW(env, NnExplainer);
	const NnSpec *spec = &model->spec;
	NnPlan	   *plan = nn_plan_build(env, spec, kernels, nn_tile_lanes(windows));
	size_t		values = nn_size_mul(env, spec->horizon, spec->ntargets),
				inputs = inputs_count(env, spec),
				doubles = nn_size_add(env, inputs, nn_size_mul(env, values, 3)),
				bytes = nn_size_add(env, nn_plan_memory(env, plan, true),
									nn_size_mul(env, doubles, sizeof(double)));

	if (bytes > env->max_memory)
		nn_fail(env, NN_NO_MEMORY,
				nn_format(env, "explaining needs %.1f MB of memory, above the limit of %.1f MB",
						  bytes / 1048576.0, env->max_memory / 1048576.0),
				"Raise \"lstm.max_memory\".");
	e->env = env;
	e->model = model;
	e->spec = spec;
	e->plan = plan;
	e->state = nn_state_create(env, plan, kernels, model->params, true);
	e->state->training = false;	/* no dropout */
	e->state->explain = true;
	e->raw = NN_NEW_ARRAY(env, double, values);
	e->value = NN_NEW_ARRAY(env, double, values);
	e->seed = NN_NEW_ARRAY(env, double, values);
	e->sum = NN_NEW_ARRAY(env, double, inputs);
	return e;
}

/* From now on the state is that of network i. */
static void
network_load(NnExplainer *e, uint32_t i)
{
	e->state->params = e->model->params + i * e->model->nparams;
	nn_state_pack(e->state);
}

static void
tile_gather(const Tile *tile)
{
	NnState    *state = tile->explainer->state;

	state->L = tile->L;
	nn_window_gather(tile->data, tile->windows, tile->count, tile->L,
					 nn_state_output(state, NN_LAYER_PAST),
					 nn_state_output(state, NN_LAYER_FUTURE),
					 nn_state_output(state, NN_LAYER_STATIC), NULL);
	nn_window_identity(tile->data, tile->windows, tile->count, tile->L, state->identity);
}

/* ------------------------------------------------------------------------
 * Forecasts and their gradients
 */

/* Raw outputs [outputs] of value v of a lane. */
static void
raw_read(const Tile *tile, uint32_t l, uint32_t v, double *raw)
{
	const NnPlan *plan = tile->explainer->plan;
	const nn_real *out = nn_state_output(tile->explainer->state, plan->output_layer);

	for (uint32_t p = 0; p < plan->outputs; p++)
		raw[p] = (double) out[((size_t) v * plan->outputs + p) * tile->L + l];
}

/* Which of a value's raw outputs is its point forecast. */
static uint32_t
point_output(const NnSpec *spec, uint32_t outputs, const double *raw)
{
	double		point = nn_loss_point(spec, raw);
	uint32_t	nearest = 0;

	/* The median of quantiles that cross may be any of them. */
	for (uint32_t p = 1; spec->loss == NN_LOSS_QUANTILE && p < outputs; p++)
		if (fabs(raw[p] - point) < fabs(raw[nearest] - point))
			nearest = p;
	return nearest;
}

/* explainer->raw and ->value of a lane. */
static void
lane_read(const Tile *tile, uint32_t l)
{
	NnExplainer *e = tile->explainer;
	uint32_t	values = e->spec->horizon * e->spec->ntargets;

	for (uint32_t v = 0; v < values; v++)
	{
		double		raw[NN_MAX_QUANTILES];

		raw_read(tile, l, v, raw);
		e->raw[v] = nn_loss_point(e->spec, raw);
	}
	nn_unscale(tile->data, &tile->windows[l], e->spec->horizon, e->raw, e->value);
}

/* d value / d raw of the same value, before differences add up. */
static double
value_slope(const Tile *tile, uint32_t l, uint32_t v)
{
	const NnExplainer *e = tile->explainer;
	const NnData *data = tile->data;
	double		value = e->value[v],
				scale = data->prep->scale[(size_t) data->group[tile->windows[l].series] *
										  data->prep->C + v % e->spec->ntargets];

	if (value <= e->spec->lower_bound || value >= e->spec->upper_bound)
		return 0;				/* held at a bound */
	/* value = exp(level) - 1 */
	return e->spec->scaling == NN_SCALING_LOG1P ? scale * (1 + value) : scale;
}

/*
 * Gradient of the raw outputs of a lane for the sum of weight [horizon][ntargets] times
 * value.  Under differencing a step's value contains the raw outputs of all steps of
 * its chain.
 */
static void
lane_seed(const Tile *tile, uint32_t l, const double *weight)
{
	NnExplainer *e = tile->explainer;
	const NnPlan *plan = e->plan;
	nn_real    *draw = nn_state_gradient(e->state, plan->output_layer);
	uint32_t	G = e->spec->ntargets,
				values = e->spec->horizon * G,
				back = e->spec->difference * G;

	for (uint32_t v = values; v-- > 0;)
	{
		e->seed[v] = weight[v] == 0 ? 0 : weight[v] * value_slope(tile, l, v);
		if (back > 0 && v + back < values)
			e->seed[v] += e->seed[v + back];
	}
	for (uint32_t v = 0; v < values; v++)
	{
		double		raw[NN_MAX_QUANTILES];
		uint32_t	p;

		if (e->seed[v] == 0)
			continue;
		raw_read(tile, l, v, raw);
		p = point_output(e->spec, plan->outputs, raw);
		draw[((size_t) v * plan->outputs + p) * tile->L + l] = (nn_real) e->seed[v];
	}
}

/*
 * Backward for weight [count][horizon][ntargets], or one for all lanes (stride 0); the
 * gradients of the inputs are in the state then.
 */
static void
tile_backward(const Tile *tile, const double *weight, size_t stride)
{
	NnExplainer *e = tile->explainer;
	const NnPlan *plan = e->plan;

	memset(nn_state_gradient(e->state, plan->output_layer), 0,
		   (size_t) e->spec->horizon * e->spec->ntargets * plan->outputs * tile->L *
		   sizeof(nn_real));
	for (uint32_t l = 0; l < tile->count; l++)
	{
		lane_read(tile, l);
		lane_seed(tile, l, weight + l * stride);
	}
	memset(e->state->dparams, 0, plan->nparams * sizeof(nn_real));
	nn_state_backward(e->state);
}

/* What padding brought into the context is told of the rows that it repeats. */
static void
padding_fold(const NnData *data, const NnWindow *window, double *past)
{
	uint32_t	pad = nn_window_pad(data->spec, data->series, window);
	size_t		C = data->C;

	for (uint32_t t = 0; t < pad; t++)
	{
		uint32_t	from = nn_pad_source(data->spec, pad, t);

		for (size_t c = 0; c < C; c++)
		{
			past[from * C + c] += past[t * C + c];
			past[t * C + c] = 0;
		}
	}
}

void
nn_explain_past(NnExplainer *e, const NnData *data, const NnWindow *windows, uint32_t n,
				const double *weight, double *gradient)
{
	size_t		values = (size_t) e->spec->horizon * e->spec->ntargets,
				inputs = (size_t) e->spec->context * data->C;
	double		share = 1.0 / e->spec->ensemble_size;

	memset(gradient, 0, n * inputs * sizeof(double));
	for (uint32_t i = 0; i < e->spec->ensemble_size; i++)
	{
		network_load(e, i);
		for (uint32_t first = 0; first < n; first += e->plan->lanes)
		{
			uint32_t	count = n - first < e->plan->lanes ? n - first : e->plan->lanes;
			Tile		tile = {e, data, windows + first, count,
				(count + NN_LANES - 1) / NN_LANES * NN_LANES};
			const nn_real *past;

			tile_gather(&tile);
			nn_state_forward(e->state);
			tile_backward(&tile, weight + first * values, values);
			past = nn_state_gradient(e->state, NN_LAYER_PAST);
			for (size_t x = 0; x < inputs; x++)
				for (uint32_t l = 0; l < count; l++)
					gradient[(first + l) * inputs + x] += share * (double) past[x * tile.L + l];
		}
	}
	for (uint32_t i = 0; i < n; i++)
		padding_fold(data, &windows[i], gradient + i * inputs);
}

/* ------------------------------------------------------------------------
 * Integrated gradients
 */

/* The inputs of a layer shrink to alpha [count] of themselves; rows [n][C][L], first C of them. */
static void
lanes_shrink(const Tile *tile, uint32_t layer, uint32_t C, const double *alpha)
{
	NnState    *state = tile->explainer->state;
	const NnShape *shape = &tile->explainer->plan->layer[layer].out;
	nn_real    *x = nn_state_output(state, layer);

	for (uint32_t t = 0; t < shape->T; t++, x += (size_t) shape->C * tile->L)
		for (uint32_t c = 0; c < C; c++)
			for (uint32_t l = 0; l < tile->count; l++)
				x[(size_t) c * tile->L + l] *= (nn_real) alpha[l];
}

/* The path's points alpha [count] of the window into the lanes, forward. */
static void
path_forward(const Tile *tile, const double *alpha)
{
	const NnSpec *spec = tile->explainer->spec;

	tile_gather(tile);
	lanes_shrink(tile, NN_LAYER_PAST, tile->data->series->C, alpha);
	lanes_shrink(tile, NN_LAYER_FUTURE, spec->nfuture, alpha);
	lanes_shrink(tile, NN_LAYER_STATIC, spec->nstatic, alpha);
	nn_state_forward(tile->explainer->state);
}

/* sum [n] += the lanes' gradients of a layer's n outputs. */
static void
gradients_sum(const Tile *tile, uint32_t layer, size_t n, double *sum)
{
	const nn_real *g = nn_state_gradient(tile->explainer->state, layer);

	for (size_t x = 0; x < n; x++)
		for (uint32_t l = 0; l < tile->count; l++)
			sum[x] += (double) g[x * tile->L + l];
}

/* What one attribution works on. */
typedef struct Path
{
	NnExplainer *explainer;
	const NnData *data;
	const NnWindow *window;
	uint32_t	value;			/* h * ntargets + k */
	NnWindow	lane[NN_TILE_LANES];	/* the window in every lane */
	size_t		npast, nfuture, nstatic;
} Path;

/* Adds share times the mean gradient over the path of the loaded network, times its input. */
static void
path_integrate(const Path *path, const double *weight, uint32_t points, double share,
			   NnAttribution *out)
{
	NnExplainer *e = path->explainer;
	uint32_t	lanes = e->plan->lanes,
				masks = path->data->series->C;
	size_t		n = path->npast + path->nfuture + path->nstatic;
	Tile		tile = {e, path->data, path->lane, 1, NN_LANES};
	const nn_real *x;

	memset(e->sum, 0, n * sizeof(double));
	for (uint32_t first = 0; first < points; first += lanes)
	{
		double		alpha[NN_TILE_LANES];

		tile.count = points - first < lanes ? points - first : lanes;
		tile.L = (tile.count + NN_LANES - 1) / NN_LANES * NN_LANES;
		for (uint32_t l = 0; l < tile.count; l++)
			alpha[l] = (first + l + 0.5) / points;
		path_forward(&tile, alpha);
		tile_backward(&tile, weight, 0);
		gradients_sum(&tile, NN_LAYER_PAST, path->npast, e->sum);
		gradients_sum(&tile, NN_LAYER_FUTURE, path->nfuture, e->sum + path->npast);
		gradients_sum(&tile, NN_LAYER_STATIC, path->nstatic,
					  e->sum + path->npast + path->nfuture);
	}
	tile.count = 1;
	tile.L = NN_LANES;
	tile_gather(&tile);
	share /= points;
	x = nn_state_output(e->state, NN_LAYER_PAST);
	for (size_t i = 0; i < path->npast; i++)
		if (i % path->data->C < masks)
			out->past[i] += share * e->sum[i] * (double) x[i * NN_LANES];
	x = nn_state_output(e->state, NN_LAYER_FUTURE);
	for (size_t i = 0; i < path->nfuture; i++)
		out->future[i] += share * e->sum[path->npast + i] * (double) x[i * NN_LANES];
	x = nn_state_output(e->state, NN_LAYER_STATIC);
	for (size_t i = 0; i < path->nstatic; i++)
		out->statics[i] += share * e->sum[path->npast + path->nfuture + i] *
			(double) x[i * NN_LANES];
}

/* The forecasts at both ends of the path of the loaded network. */
static void
path_ends(const Path *path, double share, NnAttribution *out)
{
	static const double alpha[2] = {1, 0};
	Tile		tile = {path->explainer, path->data, path->lane, 2, NN_LANES};

	path_forward(&tile, alpha);
	lane_read(&tile, 0);
	out->forecast += share * path->explainer->value[path->value];
	lane_read(&tile, 1);
	out->baseline += share * path->explainer->value[path->value];
}

static double
attribution_sum(const Path *path, const NnAttribution *out)
{
	double		sum = 0;

	for (size_t i = 0; i < path->npast; i++)
		sum += out->past[i];
	for (size_t i = 0; i < path->nfuture; i++)
		sum += out->future[i];
	for (size_t i = 0; i < path->nstatic; i++)
		sum += out->statics[i];
	return sum;
}

/* One try with so many points, over all networks. */
static void
attribution_run(const Path *path, const double *weight, uint32_t points, NnAttribution *out)
{
	NnExplainer *e = path->explainer;
	double		share = 1.0 / e->spec->ensemble_size;

	memset(out->past, 0, path->npast * sizeof(double));
	memset(out->future, 0, path->nfuture * sizeof(double));
	memset(out->statics, 0, path->nstatic * sizeof(double));
	out->forecast = out->baseline = 0;
	out->points = points;
	for (uint32_t i = 0; i < e->spec->ensemble_size; i++)
	{
		network_load(e, i);
		path_ends(path, share, out);
		path_integrate(path, weight, points, share, out);
	}
}

void
nn_explain_forecast(NnExplainer *e, const NnData *data, const NnWindow *window, uint32_t h,
					uint32_t k, NnAttribution *out)
{
	const NnSpec *spec = e->spec;
	Path		path = {.explainer = e,.data = data,.window = window};
	double	   *weight = NN_NEW_ARRAY(e->env, double, (size_t) spec->horizon * spec->ntargets),
				scale = data->prep->scale[(size_t) data->group[window->series] * data->prep->C + k];

	path.value = h * spec->ntargets + k;
	path.npast = (size_t) spec->context * data->C;
	path.nfuture = (size_t) spec->horizon * spec->nfuture;
	path.nstatic = spec->nstatic;
	for (uint32_t l = 0; l < NN_TILE_LANES; l++)
		path.lane[l] = *window;
	weight[path.value] = 1;
	for (uint32_t points = NN_EXPLAIN_FIRST_POINTS;; points *= 2)
	{
		double		difference;

		attribution_run(&path, weight, points, out);
		difference = out->forecast - out->baseline;
		/* Below a hundred-thousandth of the scale the numbers of the network end. */
		out->exact = fabs(attribution_sum(&path, out) - difference) <=
			fmax(NN_EXPLAIN_TOLERANCE * fabs(difference), 1e-5 * scale);
		if (out->exact || points >= NN_EXPLAIN_LAST_POINTS)
			break;
	}
	padding_fold(data, window, out->past);
}

/* ------------------------------------------------------------------------
 * Attention
 */

bool
nn_explain_attends(const NnExplainer *e, uint32_t i, uint32_t *queries, uint32_t *states)
{
	const NnLayer *layer = &e->plan->layer[i];

	if (i < NN_LAYER_FIRST || nn_attention_weights(e->state, layer) == NULL)
		return false;
	*queries = layer->in.T;
	*states = e->plan->layer[layer->input[layer->ninputs - 1]].out.T;
	return true;
}

/* Adds share times the first lane's weights of a layer to weight [queries][states]. */
static void
weights_add(const NnExplainer *e, uint32_t i, double share, double *weight)
{
	const NnLayer *layer = &e->plan->layer[i];
	const nn_real *w = nn_attention_weights(e->state, layer);
	uint32_t	queries,
				states,
				each = layer->in.S * layer->heads;

	nn_explain_attends(e, i, &queries, &states);
	for (uint32_t q = 0; q < queries; q++, weight += states)
		for (uint32_t m = 0; m < each; m++, w += (size_t) states * NN_LANES)
			for (uint32_t k = 0; k < states; k++)
				weight[k] += share / each * (double) w[(size_t) k * NN_LANES];
}

void
nn_explain_attention(NnExplainer *e, const NnData *data, const NnWindow *window,
					 const uint32_t *layers, uint32_t nlayers, double *weight)
{
	Tile		tile = {e, data, window, 1, NN_LANES};

	for (uint32_t i = 0; i < e->spec->ensemble_size; i++)
	{
		double	   *at = weight;

		network_load(e, i);
		tile_gather(&tile);
		nn_state_forward(e->state);
		for (uint32_t n = 0; n < nlayers; n++)
		{
			uint32_t	queries,
						states;

			nn_explain_attends(e, layers[n], &queries, &states);
			weights_add(e, layers[n], 1.0 / e->spec->ensemble_size, at);
			at += (size_t) queries * states;
		}
	}
}
