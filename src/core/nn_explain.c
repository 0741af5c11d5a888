/*
 * nn_explain.c
 *		What a network's forecast rests on: gradients and attention of its inputs.
 *
 * A gradient costs a forward and a backward of a tile; the points of an attribution's
 * path are the lanes of tiles.
 */
#include <math.h>
#include <string.h>

#include "core/nn_array.h"
#include "core/nn_explain.h"
#include "core/nn_forecast.h"
#include "core/nn_graph.h"
#include "core/nn_loss.h"
#include "core/nn_op.h"
#include "core/nn_tile.h"

/* Numbers of each lane that are looked at between two polls. */
#define POLL_NUMBERS 4096

/* A tile at work.  A lane shows what is forecast together: one window, or all sites of a time. */
typedef struct Tile
{
	NnExplainer *explainer;
	const NnData *data;
	const NnWindow *windows;	/* [count][per] */
	uint32_t	count, per, L;
} Tile;

/* Numbers of an attribution. */
static size_t
inputs_count(const NnEnv *env, const NnSpec *spec)
{
	size_t		n = nn_size_mul(env, spec->context,
								(size_t) nn_spec_channels(spec) + spec->narrays);

	n = nn_size_add(env, n, nn_size_mul(env, spec->horizon, spec->nfuture));
	return nn_size_mul(env, nn_size_add(env, n, spec->nstatic), spec->nsites);
}

static uint32_t
lanes_wanted(const NnSpec *spec, uint32_t windows)
{
	return spec->nsites > 1 ? NN_SITE_LANES : nn_tile_lanes(windows);
}

NnExplainer *
nn_explainer_create(const NnEnv *env, const NnModel *model, const NnKernels *kernels,
					uint32_t windows)
{
	NnExplainer *e = NN_NEW(env, NnExplainer);
	const NnSpec *spec = &model->spec;
	NnPlan	   *plan = nn_plan_build(env, spec, kernels, lanes_wanted(spec, windows));
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

static void
tile_poll(const Tile *tile)
{
	const NnEnv *env = tile->explainer->env;

	env->poll(env->host);
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
	NnWindow	lane[NN_MAX_LANES];

	for (uint32_t l = 0; l < tile->count; l++)
		lane[l] = tile->windows[(size_t) l * tile->per];
	state->L = tile->L;
	nn_window_gather(tile->data, lane, tile->count, tile->L, nn_state_output(state, NN_LAYER_PAST),
					 nn_state_output(state, NN_LAYER_FUTURE),
					 nn_state_output(state, NN_LAYER_STATIC), NULL);
	nn_window_identity(tile->data, lane, tile->count, tile->L, state->identity);
	nn_window_arrays(state, tile->data, lane, tile->count);
}

/* ------------------------------------------------------------------------
 * Forecasts and their gradients
 */

/* The site that a window's series is at. */
static uint32_t
window_site(const NnData *data, const NnWindow *window)
{
	return data->spec->nsites > 1 ? nn_series_site(data, window->series) : 0;
}

/* Place of the first raw output of value v of a window in lane l. */
static size_t
raw_place(const Tile *tile, uint32_t l, const NnWindow *window, uint32_t v)
{
	const NnSpec *spec = tile->explainer->spec;
	size_t		values = (size_t) spec->horizon * spec->ntargets;

	return (window_site(tile->data, window) * values + v) * tile->explainer->plan->outputs * tile->L + l;
}

/* Raw outputs [outputs] of value v of a window in lane l. */
static void
raw_read(const Tile *tile, uint32_t l, const NnWindow *window, uint32_t v, double *raw)
{
	const NnPlan *plan = tile->explainer->plan;
	const nn_real *out = nn_state_output(tile->explainer->state, plan->output_layer) +
		raw_place(tile, l, window, v);

	for (uint32_t p = 0; p < plan->outputs; p++)
		raw[p] = (double) out[(size_t) p * tile->L];
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

/* explainer->raw and ->value of a window in lane l. */
static void
lane_read(const Tile *tile, uint32_t l, const NnWindow *window)
{
	NnExplainer *e = tile->explainer;
	uint32_t	values = e->spec->horizon * e->spec->ntargets;

	for (uint32_t v = 0; v < values; v++)
	{
		double		raw[NN_MAX_QUANTILES];

		raw_read(tile, l, window, v, raw);
		e->raw[v] = nn_loss_point(e->spec, raw);
	}
	nn_unscale(tile->data, window, e->spec->horizon, e->raw, e->value);
}

/* d value / d raw of the same value, before differences add up. */
static double
value_slope(const Tile *tile, const NnWindow *window, uint32_t v)
{
	const NnExplainer *e = tile->explainer;
	const NnData *data = tile->data;
	double		value = e->value[v],
				scale = data->prep->scale[(size_t) data->group[window->series] *
										  data->prep->C + v % e->spec->ntargets];

	if (value <= e->spec->lower_bound || value >= e->spec->upper_bound)
		return 0;				/* held at a bound */
	/* value = exp(level) - 1 */
	return e->spec->scaling == NN_SCALING_LOG1P ? scale * (1 + value) : scale;
}

/*
 * Gradient of the raw outputs of a window in lane l for the sum of weight
 * [horizon][ntargets] times value.  Under differencing a step's value contains the raw
 * outputs of all steps of its chain.
 */
static void
lane_seed(const Tile *tile, uint32_t l, const NnWindow *window, const double *weight)
{
	NnExplainer *e = tile->explainer;
	const NnPlan *plan = e->plan;
	nn_real    *draw = nn_state_gradient(e->state, plan->output_layer);
	uint32_t	G = e->spec->ntargets,
				values = e->spec->horizon * G,
				back = e->spec->difference * G;

	for (uint32_t v = values; v-- > 0;)
	{
		e->seed[v] = weight[v] == 0 ? 0 : weight[v] * value_slope(tile, window, v);
		if (back > 0 && v + back < values)
			e->seed[v] += e->seed[v + back];
	}
	for (uint32_t v = 0; v < values; v++)
	{
		double		raw[NN_MAX_QUANTILES];
		uint32_t	p;

		if (e->seed[v] == 0)
			continue;
		raw_read(tile, l, window, v, raw);
		p = point_output(e->spec, plan->outputs, raw);
		draw[raw_place(tile, l, window, v) + (size_t) p * tile->L] = (nn_real) e->seed[v];
	}
}

/*
 * Backward for weight [count][per][horizon][ntargets], or one for all lanes (stride 0); the
 * gradients of the inputs are in the state then.
 */
static void
tile_backward(const Tile *tile, const double *weight, size_t stride)
{
	NnExplainer *e = tile->explainer;
	const NnPlan *plan = e->plan;

	nn_op_clear(e->state, nn_state_gradient(e->state, plan->output_layer),
				(size_t) e->spec->horizon * e->spec->ntargets * plan->outputs * e->spec->nsites *
				tile->L);
	for (uint32_t i = 0; i < tile->count * tile->per; i++)
	{
		tile_poll(tile);
		lane_read(tile, i / tile->per, &tile->windows[i]);
		lane_seed(tile, i / tile->per, &tile->windows[i], weight + i * stride);
	}
	nn_op_clear(e->state, e->state->dparams, plan->nparams);
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

/* gradient [count][per][context][C] += share times that of the tile's windows. */
static void
tile_past_add(const Tile *tile, double share, double *gradient)
{
	const NnSpec *spec = tile->explainer->spec;
	const nn_real *past = nn_state_gradient(tile->explainer->state, NN_LAYER_PAST);
	uint32_t	C = tile->data->C;

	for (uint32_t i = 0; i < tile->count * tile->per; i++)
	{
		uint32_t	site = window_site(tile->data, &tile->windows[i]);

		tile_poll(tile);
		for (uint32_t t = 0; t < spec->context; t++)
			for (uint32_t c = 0; c < C; c++)
				gradient[((size_t) i * spec->context + t) * C + c] += share *
					(double) past[(((size_t) t * spec->nsites + site) * C + c) * tile->L + i / tile->per];
	}
}

void
nn_explain_past(NnExplainer *e, const NnData *data, const NnWindow *windows, uint32_t n,
				const double *weight, double *gradient)
{
	size_t		values = (size_t) e->spec->horizon * e->spec->ntargets,
				inputs = (size_t) e->spec->context * data->C;
	uint32_t	per = e->spec->nsites > 1 ? data->series->nseries : 1;
	double		share = 1.0 / e->spec->ensemble_size;

	memset(gradient, 0, n * inputs * sizeof(double));
	for (uint32_t i = 0; i < e->spec->ensemble_size; i++)
	{
		network_load(e, i);
		for (uint32_t first = 0; first < n / per; first += e->plan->lanes)
		{
			uint32_t	left = n / per - first,
						count = left < e->plan->lanes ? left : e->plan->lanes;
			size_t		at = (size_t) first * per;
			Tile		tile = {e, data, windows + at, count, per,
				(count + NN_LANES - 1) / NN_LANES * NN_LANES};

			tile_gather(&tile);
			nn_state_forward(e->state);
			tile_backward(&tile, weight + at * values, values);
			tile_past_add(&tile, share, gradient + at * inputs);
		}
	}
	for (uint32_t i = 0; i < n; i++)
		padding_fold(data, &windows[i], gradient + i * inputs);
}

/* ------------------------------------------------------------------------
 * Integrated gradients
 */

/* The first C channels of an input layer shrink to alpha [count] of themselves. */
static void
lanes_shrink(const Tile *tile, uint32_t layer, uint32_t C, const double *alpha)
{
	NnState    *state = tile->explainer->state;
	const NnShape *shape = &tile->explainer->plan->layer[layer].out;
	nn_real    *x = nn_state_output(state, layer);

	for (size_t row = 0; row < (size_t) shape->T * shape->S; row++, x += (size_t) shape->C * tile->L)
	{
		if (row % POLL_NUMBERS == 0)
			tile_poll(tile);
		for (uint32_t c = 0; c < C; c++)
			for (uint32_t l = 0; l < tile->count; l++)
				x[(size_t) c * tile->L + l] *= (nn_real) alpha[l];
	}
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
	for (uint32_t i = 0; i < spec->narrays; i++)
		lanes_shrink(tile, NN_LAYER_ARRAY + i, spec->array[i].C, alpha);
	nn_state_forward(tile->explainer->state);
}

/* sum [n] += the lanes' gradients of a layer's n outputs. */
static void
gradients_sum(const Tile *tile, uint32_t layer, size_t n, double *sum)
{
	const nn_real *g = nn_state_gradient(tile->explainer->state, layer);

	for (size_t x = 0; x < n; x++)
	{
		if (x % POLL_NUMBERS == 0)
			tile_poll(tile);
		for (uint32_t l = 0; l < tile->count; l++)
			sum[x] += (double) g[x * tile->L + l];
	}
}

/*
 * sum [context][S] += the lanes' gradients of an array's numbers times what they are at the
 * end of the path: what they are in the lane, divided by how far it is.
 */
static void
array_sum(const Tile *tile, uint32_t layer, const double *alpha, double *sum)
{
	const NnExplainer *e = tile->explainer;
	const NnShape *shape = &e->plan->layer[layer].out;
	const nn_real *g = nn_state_gradient(e->state, layer),
			   *x = nn_state_output(e->state, layer);
	uint32_t	S = e->spec->nsites;
	size_t		numbers = (size_t) shape->S * shape->C / S;

	for (size_t row = 0; row < (size_t) shape->T * S; row++)
	{
		tile_poll(tile);
		for (size_t i = 0; i < numbers; i++, g += tile->L, x += tile->L)
			for (uint32_t l = 0; l < tile->count; l++)
				sum[row] += (double) g[l] * (double) x[l] / alpha[l];
	}
}

/* What one attribution works on. */
typedef struct Path
{
	NnExplainer *explainer;
	const NnData *data;
	const NnWindow *window;
	uint32_t	value;			/* h * ntargets + k */
	NnWindow	lane[NN_TILE_LANES];	/* the window in every lane */
	size_t		npast, nfuture, nstatic, narrays;	/* numbers of each kind of input */
} Path;

/* explainer->sum: gradients over the points of the path, in the order of Path's counts. */
static void
path_sum(const Path *path, const double *weight, uint32_t points)
{
	NnExplainer *e = path->explainer;
	const NnSpec *spec = e->spec;
	uint32_t	lanes = e->plan->lanes;
	double	   *future = e->sum + path->npast,
			   *statics = future + path->nfuture,
			   *arrays = statics + path->nstatic;
	Tile		tile = {e, path->data, path->lane, 1, 1, NN_LANES};

	memset(e->sum, 0, (path->npast + path->nfuture + path->nstatic + path->narrays) * sizeof(double));
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
		gradients_sum(&tile, NN_LAYER_FUTURE, path->nfuture, future);
		gradients_sum(&tile, NN_LAYER_STATIC, path->nstatic, statics);
		for (uint32_t i = 0; i < spec->narrays; i++)
			array_sum(&tile, NN_LAYER_ARRAY + i, alpha,
					  arrays + (size_t) i * spec->context * spec->nsites);
	}
}

/* out [n] += share * sum [n] * the first lane of a layer's outputs. */
static void
inputs_add(const NnExplainer *e, uint32_t layer, size_t n, double share, const double *sum,
		   double *out)
{
	const nn_real *x = nn_state_output(e->state, layer);

	for (size_t i = 0; i < n; i++)
	{
		if (i % POLL_NUMBERS == 0)
			e->env->poll(e->env->host);
		out[i] += share * sum[i] * (double) x[i * NN_LANES];
	}
}

/* Adds share times the mean gradient over the path of the loaded network, times its input. */
static void
path_integrate(const Path *path, const double *weight, uint32_t points, double share,
			   NnAttribution *out)
{
	NnExplainer *e = path->explainer;
	uint32_t	C = path->data->C;
	const double *sum = e->sum;
	Tile		tile = {e, path->data, path->lane, 1, 1, NN_LANES};

	path_sum(path, weight, points);
	share /= points;
	for (size_t i = 0; i < path->npast; i++)
		if (i % C >= path->data->series->C)
			e->sum[i] = 0;		/* a mask */
	tile_gather(&tile);
	inputs_add(e, NN_LAYER_PAST, path->npast, share, sum, out->past);
	sum += path->npast;
	inputs_add(e, NN_LAYER_FUTURE, path->nfuture, share, sum, out->future);
	sum += path->nfuture;
	inputs_add(e, NN_LAYER_STATIC, path->nstatic, share, sum, out->statics);
	sum += path->nstatic;
	for (size_t i = 0; i < path->narrays; i++)
		out->arrays[i] += share * sum[i];
}

/* The forecasts at both ends of the path of the loaded network. */
static void
path_ends(const Path *path, double share, NnAttribution *out)
{
	static const double alpha[2] = {1, 0};
	Tile		tile = {path->explainer, path->data, path->lane, 2, 1, NN_LANES};

	path_forward(&tile, alpha);
	lane_read(&tile, 0, path->window);
	out->forecast += share * path->explainer->value[path->value];
	lane_read(&tile, 1, path->window);
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
	for (size_t i = 0; i < path->narrays; i++)
		sum += out->arrays[i];
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
	memset(out->arrays, 0, path->narrays * sizeof(double));
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
	path.npast = (size_t) spec->context * spec->nsites * data->C;
	path.nfuture = (size_t) spec->horizon * spec->nsites * spec->nfuture;
	path.nstatic = (size_t) spec->nsites * spec->nstatic;
	path.narrays = (size_t) spec->narrays * spec->context * spec->nsites;
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
 * What a network shows of itself
 */

/* Edges into a site: their number, the first of them into *first. */
static uint32_t
edges_into(const NnExplainer *e, uint32_t site, uint32_t *first)
{
	const nn_real *target = nn_graph_target(e->plan, e->model->params);
	uint32_t	begin = 0,
				end;

	while (begin < e->plan->nedges && (uint32_t) target[begin] < site)
		begin++;
	for (end = begin; end < e->plan->nedges && (uint32_t) target[end] == site;)
		end++;
	*first = begin;
	return end - begin;
}

bool
nn_explain_look(const NnExplainer *e, uint32_t i, uint32_t site, NnLook *look)
{
	const NnLayer *layer = &e->plan->layer[i];

	*look = (NnLook) {.layer = i,.rows = 1};
	if (i < e->plan->first_layer)
		return false;
	if (nn_attention_weights(e->state, layer) != NULL)
	{
		look->kind = NN_LOOK_STEPS;
		look->rows = layer->in.T;
		look->columns = e->plan->layer[layer->input[layer->ninputs - 1]].out.T;
	}
	else if (nn_graph_attention_weights(e->state, layer) != NULL)
	{
		look->kind = NN_LOOK_SITES;
		look->columns = 1 + edges_into(e, site, &look->first);
	}
	else if (nn_fuse_shares(e->state, layer) != NULL ||
			 nn_fuse_weights(e->plan, layer, e->model->params, 0, NULL))
	{
		look->kind = NN_LOOK_BRANCHES;
		look->columns = layer->ninputs;
	}
	return look->columns > 0;
}

uint32_t
nn_explain_source(const NnExplainer *e, const NnLook *look, uint32_t site, uint32_t i)
{
	if (i == 0)
		return site;
	return (uint32_t) nn_graph_source(e->plan, e->model->params)[look->first + i - 1];
}

/* Sites begin to *end - 1 of a layer of S that say something of the model's site. */
static uint32_t
sites_of(const NnExplainer *e, uint32_t S, uint32_t site, uint32_t *end)
{
	bool		own = e->spec->nsites > 1 && S == e->spec->nsites;

	*end = own ? site + 1 : S;
	return own ? site : 0;
}

/* Adds share times the first lane's weights of an attention to weight [rows][columns]. */
static void
steps_add(const NnExplainer *e, const NnLook *look, uint32_t site, double share, double *weight)
{
	const NnLayer *layer = &e->plan->layer[look->layer];
	const nn_real *w = nn_attention_weights(e->state, layer);
	uint32_t	S = layer->in.S,
				end,
				begin = sites_of(e, S, site, &end),
				n = (end - begin) * layer->heads;

	for (uint32_t q = 0; q < look->rows; q++)
		for (uint32_t i = 0; i < n; i++)
			for (uint32_t k = 0; k < look->columns; k++)
			{
				size_t		row = ((size_t) q * S + begin) * layer->heads + i;

				weight[(size_t) q * look->columns + k] += share / n *
					(double) w[(row * look->columns + k) * NN_LANES];
			}
}

/* The same of a graph_attention: weight [columns]. */
static void
neighbours_add(const NnExplainer *e, const NnLook *look, uint32_t site, double share,
			   double *weight)
{
	const NnLayer *layer = &e->plan->layer[look->layer];
	const nn_real *w = nn_graph_attention_weights(e->state, layer);
	uint32_t	n = layer->out.T * layer->heads;
	size_t		all = (size_t) e->plan->nedges + e->plan->nsites;

	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < look->columns; k++)
			weight[k] += share / n * (double) w[(i * all + look->first + site + k) * NN_LANES];
}

/* The same of a fusion, params being those of the network. */
static void
branches_add(const NnExplainer *e, const NnLook *look, uint32_t site, double share,
			 double *weight)
{
	const NnLayer *layer = &e->plan->layer[look->layer];
	const nn_real *w = nn_fuse_shares(e->state, layer);
	uint32_t	S = layer->out.S,
				T = layer->out.T,
				k = layer->ninputs,
				end,
				begin = sites_of(e, S, site, &end);
	double		learned[NN_MAX_INPUTS];

	if (nn_fuse_weights(e->plan, layer, e->state->params, e->state->missing[0], learned))
		for (uint32_t i = 0; i < k; i++)
			weight[i] += share * learned[i];
	for (uint32_t t = 0; t < T && w != NULL; t++)
		for (uint32_t s = begin; s < end; s++)
			for (uint32_t i = 0; i < k; i++)
				weight[i] += share / ((double) T * (end - begin)) *
					(double) w[(((size_t) t * S + s) * k + i) * NN_LANES];
}

void
nn_explain_looks(NnExplainer *e, const NnData *data, const NnWindow *window, const NnLook *look,
				 uint32_t n, double *weight)
{
	Tile		tile = {e, data, window, 1, 1, NN_LANES};
	uint32_t	site = window_site(data, window);
	double		share = 1.0 / e->spec->ensemble_size;

	for (uint32_t i = 0; i < e->spec->ensemble_size; i++)
	{
		double	   *at = weight;

		network_load(e, i);
		tile_gather(&tile);
		nn_state_forward(e->state);
		for (uint32_t j = 0; j < n; j++)
		{
			switch (look[j].kind)
			{
				case NN_LOOK_STEPS:
					steps_add(e, &look[j], site, share, at);
					break;
				case NN_LOOK_SITES:
					neighbours_add(e, &look[j], site, share, at);
					break;
				case NN_LOOK_BRANCHES:
					branches_add(e, &look[j], site, share, at);
					break;
			}
			at += (size_t) look[j].rows * look[j].columns;
		}
	}
}
