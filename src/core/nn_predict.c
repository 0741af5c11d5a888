/*
 * nn_predict.c
 *		Forecasts of a whole model: networks, simple members, weights, intervals.
 *
 * A network's forecast costs what nn_forecast.h says; a simple member's a pass over
 * the rows that it reads of the history.
 */
#include <math.h>
#include <string.h>

#include "core/nn_interval.h"
#include "core/nn_loss.h"
#include "core/nn_predict.h"

/* Values weighed between two polls. */
#define POLL_VALUES 65536

/*
 * Half-widths of a head count as this share of the scale at least: errors are measured
 * by them, and a head that collapsed would make one error look like thousands.
 */
#define HEAD_LEAST 0.02

struct NnPredictor
{
	const NnEnv *env;
	const NnModel *model;
	const NnSpec *spec;
	uint32_t	max_windows, max_horizon, nmembers;
	NnForecaster **network;		/* [ensemble_size] */
	bool		head;			/* the loss gives intervals */
	/* Values are [max_windows][max_horizon][G]. */
	double	   *point;			/* of one network or member */
	double	   *low, *high;		/* [NN_MAX_LEVELS][values] of one network; NULL without a head */
	double	   *mean_low, *mean_high;	/* the same of all networks */
	double	   *head_low, *head_high;	/* [values] half-widths of the head; NULL without one */
	double	   *scratch;		/* [2][values] */
	double	   *unit;			/* [G][NN_MEASURES] of one window */

	/* Simple members */
	NnClassic  *classic;
	uint32_t	read_rows;		/* rows of a history at the most */
	double	   *history;		/* [read_rows] */
	/*
	 * Parameters of series that the model does not know, by series of the data that was
	 * last given: [nseries of it][G][NN_CLASSIC_PARAMETERS] of each member, fitted where
	 * fitted says so.
	 */
	const NnData *data;
	size_t		cells;			/* nseries * G there is room for */
	double	   *own[NN_CLASSIC_KINDS];
	bool	   *fitted;			/* [nseries of it][G][NN_CLASSIC_KINDS] */
};

/* ------------------------------------------------------------------------
 * Members
 */

/* Rows of a history that methods look at: as nn_classic.h says. */
static uint32_t
rows_read(const NnSpec *spec)
{
	uint64_t	seasons = 10 * (uint64_t) spec->season;

	return seasons > 2000 ? (uint32_t) (seasons > 100000 ? 100000 : seasons) : 2000;
}

uint64_t
nn_predict_rows(const NnModel *model)
{
	const NnSpec *spec = &model->spec;
	uint64_t	rows = (uint64_t) spec->context + spec->difference,
				members = rows_read(spec);

	/* A history of two seasons counts as one that shows its season, see season_shown. */
	if (members < 2 * (uint64_t) spec->season)
		members = 2 * (uint64_t) spec->season;
	return nn_member_count(spec) > 1 && members > rows ? members : rows;
}

/*
 * Target k of series s in rows from first to the n-th, at most max of them, into
 * history; returns how many.
 */
static uint32_t
history_copy(const NnSeries *series, uint32_t s, uint32_t n, uint32_t k, uint32_t max,
			 double *history)
{
	uint32_t	begin = n > max ? n - max : 0;
	const double *value = series->value + ((size_t) series->first[s] + begin) * series->C + k;

	for (uint32_t t = 0; t < n - begin; t++)
		history[t] = value[(size_t) t * series->C];
	return n - begin;
}

void
nn_members_fit(const NnEnv *env, const NnSeries *series, const uint32_t *rows, NnModel *model)
{
	const NnSpec *spec = &model->spec;
	uint32_t	G = spec->ntargets,
				most = rows_read(spec);
	double	   *history;
	NnClassic  *classic;

	if (nn_member_count(spec) == 1)
		return;
	history = NN_NEW_ARRAY(env, double, most);
	classic = nn_classic_create(env, most, spec->season);
	for (int kind = 0; kind < NN_CLASSIC_KINDS; kind++)
		if (spec->members & NN_MEMBER(kind))
			model->classic[kind] =
				NN_NEW_ARRAY(env, double,
							 nn_size_mul(env, nn_size_mul(env, series->nseries, G),
										 nn_classic_parameters((NnClassicKind) kind)));
	for (uint32_t s = 0; s < series->nseries; s++)
		for (uint32_t k = 0; k < G; k++)
		{
			uint32_t	n = history_copy(series, s, rows[s], k, most, history);

			for (int kind = 0; kind < NN_CLASSIC_KINDS; kind++)
				if (nn_classic_parameters((NnClassicKind) kind) > 0 && model->classic[kind])
					nn_classic_fit(classic, (NnClassicKind) kind, history, n, model->classic[kind] +
								   ((size_t) s * G + k) *
								   nn_classic_parameters((NnClassicKind) kind));
			env->poll(env->host);
		}
}

/* ------------------------------------------------------------------------
 * Weights
 */

/* Euclidean projection of w [M] onto the simplex (Duchi et al. 2008). */
static void
simplex_project(uint32_t M, double *w)
{
	double		sorted[NN_CLASSIC_KINDS + 1],
				sum = 0,
				shift = 0;

	memcpy(sorted, w, M * sizeof(double));
	for (uint32_t i = 1; i < M; i++)
		for (uint32_t j = i; j > 0 && sorted[j - 1] < sorted[j]; j--)
		{
			double		x = sorted[j];

			sorted[j] = sorted[j - 1];
			sorted[j - 1] = x;
		}
	for (uint32_t i = 0; i < M; i++)
	{
		sum += sorted[i];
		if (sorted[i] - (sum - 1) / (i + 1) > 0)
			shift = (sum - 1) / (i + 1);
	}
	for (uint32_t i = 0; i < M; i++)
		w[i] = w[i] > shift ? w[i] - shift : 0;
}

/* Gram matrix [M][M] of the members' scaled errors over the values all members have. */
static double
gram_matrix(const NnEnv *env, uint32_t M, size_t n, const double *forecast,
			const double *actual, const double *scale, double *gram)
{
	double		count = 0;

	for (size_t i = 0; i < n; i++)
	{
		double		error[NN_CLASSIC_KINDS + 1];
		bool		known = !isnan(actual[i]);

		if (i % POLL_VALUES == 0)
			env->poll(env->host);
		for (uint32_t m = 0; m < M && known; m++)
		{
			error[m] = (actual[i] - forecast[m * n + i]) / scale[i];
			known = isfinite(error[m]);
		}
		if (!known)
			continue;
		count++;
		for (uint32_t a = 0; a < M; a++)
			for (uint32_t b = 0; b <= a; b++)
				gram[a * M + b] += error[a] * error[b];
	}
	for (uint32_t a = 0; a < M; a++)
		for (uint32_t b = 0; b <= a; b++)
			gram[b * M + a] = gram[a * M + b] /= count > 0 ? count : 1;
	return count;
}

/*
 * base [M]: shares by mean absolute error, the fourth power of its inverse; values that not
 * all members have are passed over.
 */
static void
inverse_errors(const NnEnv *env, uint32_t M, size_t n, const double *forecast,
			   const double *actual, const double *scale, double *base)
{
	double		error[NN_CLASSIC_KINDS + 1] = {0},
				least = INFINITY,
				sum = 0;

	for (size_t i = 0; i < n; i++)
	{
		bool		known = !isnan(actual[i]);

		if (i % POLL_VALUES == 0)
			env->poll(env->host);
		for (uint32_t m = 0; m < M && known; m++)
			known = isfinite(forecast[m * n + i]);
		for (uint32_t m = 0; m < M && known; m++)
			error[m] += fabs(actual[i] - forecast[m * n + i]) / scale[i];
	}
	for (uint32_t m = 0; m < M; m++)
		least = fmin(least, error[m]);
	for (uint32_t m = 0; m < M; m++)
	{
		base[m] = error[m] > 0 ? pow(least / error[m], 4) : 1;
		sum += base[m];
	}
	for (uint32_t m = 0; m < M; m++)
		base[m] = sum > 0 ? base[m] / sum : 1.0 / M;
}

void
nn_weights_fit(const NnEnv *env, uint32_t M, size_t n, const double *forecast,
			   const double *actual, const double *scale, double pull, double *weight)
{
	double	   *gram = NN_NEW_ARRAY(env, double, (size_t) M * M),
				base[NN_CLASSIC_KINDS + 1],
				trace = 0;

	for (uint32_t m = 0; m < M; m++)
		weight[m] = 1.0 / M;
	if (gram_matrix(env, M, n, forecast, actual, scale, gram) == 0)
		return;
	inverse_errors(env, M, n, forecast, actual, scale, base);
	memcpy(weight, base, M * sizeof(double));
	for (uint32_t m = 0; m < M; m++)
		trace += gram[m * M + m] / M;
	if (!(trace > 0 && isfinite(trace)))
		return;
	/*
	 * Half of w' gram w + pull |w - base|^2, gram of mean diagonal 1: projected gradient, whose steps
	 * cannot overshoot.
	 */
	for (int round = 0; round < 2000; round++)
	{
		double		next[NN_CLASSIC_KINDS + 1];

		for (uint32_t a = 0; a < M; a++)
		{
			double		slope = pull * (weight[a] - base[a]);

			for (uint32_t b = 0; b < M; b++)
				slope += gram[a * M + b] / trace * weight[b];
			next[a] = weight[a] - slope / (M + pull);
		}
		simplex_project(M, next);
		memcpy(weight, next, M * sizeof(double));
	}
}

/* ------------------------------------------------------------------------
 * The predictor
 */

static void
classic_prepare(NnPredictor *p, const NnEnv *env)
{
	if (p->nmembers == 1)
		return;
	p->read_rows = rows_read(p->spec);
	p->history = NN_NEW_ARRAY(env, double, p->read_rows);
	p->classic = nn_classic_create(env, p->read_rows, p->spec->season);
}

/* Fails where networks like the first, and room for values beside them, take too much. */
static void
memory_check(const NnEnv *env, const NnPredictor *p, size_t values)
{
	size_t		arrays = 3 + 2 + (p->head ? 4 * NN_MAX_LEVELS + 2 : 0),
				bytes = nn_size_mul(env, p->network[0]->bytes, p->spec->ensemble_size);

	bytes = nn_size_add(env, bytes, nn_size_mul(env, nn_size_mul(env, values, arrays),
												sizeof(double)));
	if (bytes > env->max_memory)
		nn_fail(env, NN_NO_MEMORY,
				nn_format(env, "forecasting with %u networks needs %.1f MB of memory, above the limit of "
						  "%.1f MB", p->spec->ensemble_size, bytes / 1048576.0,
						  env->max_memory / 1048576.0),
				"Raise \"lstm.max_memory\".");
}

NnPredictor *
nn_predictor_create(const NnEnv *env, const NnModel *model, const NnKernels *kernels,
					uint32_t windows, uint32_t max_horizon)
{
	NnPredictor *p = NN_NEW(env, NnPredictor);
	const NnSpec *spec = &model->spec;
	size_t		values = nn_size_mul(env, nn_size_mul(env, windows, max_horizon), spec->ntargets);
	bool		calibrated = model->interval.steps > 0;

	p->env = env;
	p->model = model;
	p->spec = spec;
	p->max_windows = windows;
	p->max_horizon = max_horizon;
	p->nmembers = nn_member_count(spec);
	p->head = nn_loss_has_interval(spec);
	p->network = NN_NEW_ARRAY(env, NnForecaster *, spec->ensemble_size);
	for (uint32_t i = 0; i < spec->ensemble_size; i++)
	{
		p->network[i] = nn_forecaster_create(env, spec, kernels, model->params + i * model->nparams,
											 windows, max_horizon,
											 calibrated ? 1 : p->head ? NN_MAX_LEVELS : 0);
		if (i == 0)
			memory_check(env, p, values);
	}
	p->point = NN_NEW_ARRAY(env, double, values);
	p->low = NN_NEW_ARRAY(env, double, p->head ? values * NN_MAX_LEVELS : 0);
	p->high = NN_NEW_ARRAY(env, double, p->head ? values * NN_MAX_LEVELS : 0);
	p->mean_low = NN_NEW_ARRAY(env, double, p->head ? values * NN_MAX_LEVELS : 0);
	p->mean_high = NN_NEW_ARRAY(env, double, p->head ? values * NN_MAX_LEVELS : 0);
	p->scratch = NN_NEW_ARRAY(env, double, nn_size_mul(env, values, 2));
	p->head_low = NN_NEW_ARRAY(env, double, p->head ? values : 0);
	p->head_high = NN_NEW_ARRAY(env, double, p->head ? values : 0);
	p->unit = NN_NEW_ARRAY(env, double, nn_size_mul(env, spec->ntargets, NN_MEASURES));
	classic_prepare(p, env);
	return p;
}

void
nn_predictor_forget(NnPredictor *predictor)
{
	predictor->data = NULL;
	for (uint32_t i = 0; i < predictor->spec->ensemble_size; i++)
		nn_forecaster_forget(predictor->network[i]);
}

bool
nn_predictor_has_head(const NnPredictor *predictor)
{
	return predictor->head;
}

/* Forecasts of a piece of at most max_windows windows. */
typedef struct Piece
{
	NnPredictor *p;
	const NnData *data;
	const NnWindow *windows;
	uint32_t	n, horizon;
	size_t		values;			/* n * horizon * G */
} Piece;

static void
add_scaled(size_t n, double factor, const double *x, double *sum)
{
	for (size_t i = 0; i < n; i++)
		sum[i] += factor * x[i];
}

/* out [values]: mean of the networks; means of their bounds into mean_low, mean_high. */
static void
networks_run(const Piece *piece, const double *level, uint32_t nlevels, double *out)
{
	NnPredictor *p = piece->p;
	double		share = 1.0 / p->spec->ensemble_size;

	memset(out, 0, piece->values * sizeof(double));
	for (size_t v = 0; v < piece->values * nlevels; v++)
		p->mean_low[v] = p->mean_high[v] = 0;
	for (uint32_t i = 0; i < p->spec->ensemble_size; i++)
	{
		nn_forecast(p->network[i], piece->data, piece->windows, piece->n, piece->horizon, level,
					nlevels, p->point, p->low, p->high);
		add_scaled(piece->values, share, p->point, out);
		add_scaled(piece->values * nlevels, share, p->low, p->mean_low);
		add_scaled(piece->values * nlevels, share, p->high, p->mean_high);
	}
}

/*
 * Half-widths of the head's first level around the networks' point [values], at least
 * HEAD_LEAST of the scale.
 */
static void
head_widths(const Piece *piece, const double *point)
{
	NnPredictor *p = piece->p;
	const NnData *data = piece->data;
	uint32_t	G = p->spec->ntargets;
	size_t		per = (size_t) piece->horizon * G;

	for (size_t v = 0; v < piece->values; v++)
	{
		uint32_t	series = piece->windows[v / per].series;
		double		least = HEAD_LEAST * data->prep->scale[(size_t) data->group[series] * data->prep->C +
													 v % G];

		p->head_low[v] = fmax(point[v] - p->mean_low[v], least);
		p->head_high[v] = fmax(p->mean_high[v] - point[v], least);
	}
}

/* Parameters of the member for target k of series s: the model's, or fitted now. */
static const double *
classic_parameters(const Piece *piece, int kind, const NnWindow *window, uint32_t k, uint32_t n)
{
	NnPredictor *p = piece->p;
	uint32_t	size = nn_classic_parameters((NnClassicKind) kind),
				G = p->spec->ntargets,
				trained = piece->data->identity ? piece->data->identity[window->series] :
		window->series;
	size_t		at = (size_t) window->series * G + k;
	bool	   *fitted;

	if (size == 0)
		return NULL;
	if (trained < p->model->nseries)
		return p->model->classic[kind] + ((size_t) trained * G + k) * size;
	if (p->data != piece->data)
	{
		size_t		cells = nn_size_mul(p->env, piece->data->series->nseries, G);

		p->data = piece->data;
		if (cells > p->cells)
		{
			p->cells = cells;
			p->fitted = NN_NEW_ARRAY(p->env, bool, nn_size_mul(p->env, cells, NN_CLASSIC_KINDS));
			memset(p->own, 0, sizeof(p->own));
		}
		memset(p->fitted, 0, cells * NN_CLASSIC_KINDS * sizeof(bool));
	}
	if (p->own[kind] == NULL)
		p->own[kind] = NN_NEW_ARRAY(p->env, double, nn_size_mul(p->env, p->cells, size));
	fitted = &p->fitted[at * NN_CLASSIC_KINDS + (size_t) kind];
	if (!*fitted)
		nn_classic_fit(p->classic, (NnClassicKind) kind, p->history, n, p->own[kind] + at * size);
	*fitted = true;
	return p->own[kind] + at * size;
}

/*
 * Weights are those of long histories: where the rows show less than two seasons, a member that
 * would find its season in them knows nothing of it.
 */
static bool
season_shown(const NnSpec *spec, int kind, uint32_t rows)
{
	return kind == NN_CLASSIC_SEASONAL_NAIVE || kind == NN_CLASSIC_NAIVE || spec->season <= 1 ||
		rows >= 2 * (uint64_t) spec->season;
}

static void
classic_run(const Piece *piece, int kind, double *out)
{
	NnPredictor *p = piece->p;
	const NnSeries *series = piece->data->series;
	uint32_t	G = p->spec->ntargets;

	for (uint32_t i = 0; i < piece->n; i++)
	{
		const NnWindow *window = &piece->windows[i];
		uint32_t	rows = window->origin + 1 - series->first[window->series];
		bool		shown = season_shown(p->spec, kind, rows);

		p->env->poll(p->env->host);
		for (uint32_t k = 0; k < G; k++)
		{
			uint32_t	n = history_copy(series, window->series, rows, k, p->read_rows, p->history);
			const double *parameter = classic_parameters(piece, kind, window, k, n);

			nn_classic_forecast(p->classic, (NnClassicKind) kind, parameter, p->history, n,
								piece->horizon, p->point);
			for (uint32_t h = 0; h < piece->horizon; h++)
				out[((size_t) i * piece->horizon + h) * G + k] =
					shown ? nn_bounded(p->spec, p->point[h]) : NAN;
		}
	}
}

/*
 * point [values] of the model from the networks' [values].  Where a member knows
 * nothing, the network speaks for it.
 */
static void
members_add(const Piece *piece, const double *network, double *point)
{
	const NnModel *model = piece->p->model;
	double	   *member = piece->p->scratch + piece->values;

	for (size_t v = 0; v < piece->values; v++)
		point[v] = model->weight[0] * network[v];
	for (uint32_t m = 1; m < piece->p->nmembers; m++)
	{
		if (model->weight[m] == 0)
			continue;
		classic_run(piece, nn_member_kind(piece->p->spec, m), member);
		for (size_t v = 0; v < piece->values; v++)
			point[v] += model->weight[m] * (isnan(member[v]) ? network[v] : member[v]);
	}
}

/* Bounds of the calibrated intervals of one level: low, high [values]. */
static void
calibrated_bounds(const Piece *piece, const double *point, double level, double *low,
				  double *high)
{
	NnPredictor *p = piece->p;
	const NnInterval *interval = &p->model->interval;
	NnIntervalPlace place = nn_interval_place(level);
	uint32_t	G = p->spec->ntargets;
	bool		head = interval->unit == NN_MEASURE_HEAD;

	for (uint32_t i = 0; i < piece->n; i++)
	{
		p->env->poll(p->env->host);
		if (!head)
			nn_window_units(piece->data, &piece->windows[i], p->unit);
		for (uint32_t h = 0; h < piece->horizon; h++)
			for (uint32_t k = 0; k < G; k++)
			{
				size_t		at = ((size_t) i * piece->horizon + h) * G + k;
				double		width = nn_interval_width(interval, G, h, k, place),
							unit = head ? 0 : p->unit[k * NN_MEASURES + interval->unit];

				low[at] = nn_bounded(p->spec, point[at] - width * (head ? p->head_low[at] : unit));
				high[at] = nn_bounded(p->spec, point[at] + width * (head ? p->head_high[at] : unit));
			}
	}
}

/* What the loss gives at the i-th level, moved from the networks' forecast to the model's. */
static void
bounds_move(const Piece *piece, const double *network, const double *point, uint32_t i,
			double *low, double *high)
{
	const NnPredictor *p = piece->p;

	for (size_t v = 0; v < piece->values; v++)
	{
		double		shift = point[v] - network[v];

		low[v] = p->head ? nn_bounded(p->spec, p->mean_low[i * piece->values + v] + shift) : NAN;
		high[v] = p->head ? nn_bounded(p->spec, p->mean_high[i * piece->values + v] + shift) : NAN;
	}
}

static Piece
piece_get(NnPredictor *p, const NnData *data, const NnWindow *windows, uint32_t n,
		  uint32_t horizon, uint32_t first)
{
	Piece		piece = {p, data, windows + first, n - first, horizon, 0};

	if (piece.n > p->max_windows)
		piece.n = p->max_windows;
	piece.values = (size_t) piece.n * horizon * p->spec->ntargets;
	return piece;
}

void
nn_predict(NnPredictor *p, const NnData *data, const NnWindow *windows, uint32_t n,
		   uint32_t horizon, const double *level, uint32_t nlevels, double *point, double *low,
		   double *high)
{
	static const double head_level = NN_MEASURE_HEAD_LEVEL;
	size_t		per = (size_t) horizon * p->spec->ntargets;
	bool		calibrated = p->model->interval.steps > 0;

	for (uint32_t first = 0; first < n; first += p->max_windows)
	{
		Piece		piece = piece_get(p, data, windows, n, horizon, first);
		double	   *network = p->scratch,
				   *out = point + first * per;

		if (calibrated)
			networks_run(&piece, &head_level, p->head && nlevels > 0, network);
		else
			networks_run(&piece, level, p->head ? nlevels : 0, network);
		if (calibrated && p->head && nlevels > 0)
			head_widths(&piece, network);
		if (p->nmembers > 1)
			members_add(&piece, network, out);
		else
			memcpy(out, network, piece.values * sizeof(double));
		for (uint32_t i = 0; i < nlevels; i++)
		{
			size_t		at = ((size_t) i * n + first) * per;

			if (calibrated)
				calibrated_bounds(&piece, out, level[i], low + at, high + at);
			else
				bounds_move(&piece, network, out, i, low + at, high + at);
		}
	}
}

void
nn_predict_member(NnPredictor *p, const NnData *data, const NnWindow *windows, uint32_t n,
				  uint32_t horizon, uint32_t member, double *out, double *head)
{
	static const double head_level = NN_MEASURE_HEAD_LEVEL;
	size_t		per = (size_t) horizon * p->spec->ntargets;

	for (uint32_t first = 0; first < n; first += p->max_windows)
	{
		Piece		piece = piece_get(p, data, windows, n, horizon, first);
		bool		widths = member == 0 && head != NULL && p->head;

		if (member > 0)
			classic_run(&piece, nn_member_kind(p->spec, member), out + first * per);
		else
			networks_run(&piece, &head_level, widths, out + first * per);
		if (!widths)
			continue;
		head_widths(&piece, out + first * per);
		for (size_t v = 0; v < piece.values; v++)
		{
			head[(first * per + v) * 2] = p->head_low[v];
			head[(first * per + v) * 2 + 1] = p->head_high[v];
		}
	}
}
