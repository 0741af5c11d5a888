/*
 * nn_window.c
 *		Copies windows out of the prepared rows into the lanes of a tile.
 *
 * Called for each tile of each step, so it does nothing but move numbers: time
 * outside, channels inside, lanes innermost, so that the lines of a tile are
 * written once and in order while at most NN_MAX_LANES streams of rows are read.
 *
 * The one thing it knows beyond that: under "linear" a row whose gap was still
 * open at the origin holds a value that looks ahead.  Such lanes are found by one
 * look at the origin's row and put back to the last value known then.  What padding
 * repeats is taken from the lane itself, after that: it looks no further ahead.
 */
#include "core/nn_window.h"

#include <float.h>
#include <math.h>
#include <string.h>

/*
 * out[steps][width][L] from src[lane][steps][stride], the first width numbers of
 * each row; lanes n..L-1 get pad.
 */
static void
lanes_copy(nn_real *out, const nn_real *const *src, uint32_t n, uint32_t L, uint32_t steps,
		   uint32_t width, uint32_t stride, nn_real pad)
{
	for (uint32_t t = 0; t < steps; t++)
	{
		for (uint32_t c = 0; c < width; c++)
		{
			size_t		at = (size_t) t * stride + c;

			for (uint32_t lane = 0; lane < n; lane++)
				out[lane] = src[lane][at];
			for (uint32_t lane = n; lane < L; lane++)
				out[lane] = pad;
			out += L;
		}
	}
}

/* Steps from..steps-1 of one lane of out[steps][width][L] become pad. */
static void
lane_pad(nn_real *out, uint32_t lane, uint32_t L, uint32_t from, uint32_t steps,
		 uint32_t width, nn_real pad)
{
	for (size_t i = (size_t) from * width; i < (size_t) steps * width; i++)
		out[i * L + lane] = pad;
}

/*
 * Channel c of one lane, rows gap..origin: the value of row gap - 1, the last that
 * was known.  lane points at [context][...][C][L] plus the lane, rows row_stride apart.
 */
static void
gap_flatten(const NnData *data, const NnWindow *window, uint32_t c, uint32_t gap, uint32_t L,
			size_t row_stride, nn_real *lane)
{
	int64_t		begin = (int64_t) window->origin + 1 - data->spec->context;
	nn_real		last = data->x[((size_t) gap - 1) * data->C + c];

	for (int64_t row = gap > begin ? gap : begin; row <= window->origin; row++)
		lane[(size_t) (row - begin) * row_stride + (size_t) c * L] = last;
}

/*
 * The same for a differenced target: the level stays that of row gap - 1, which
 * makes the differences.  Rows with nothing to be differenced against keep theirs.
 */
static void
gap_flatten_difference(const NnData *data, const NnWindow *window, uint32_t c, uint32_t gap,
					   uint32_t L, size_t row_stride, nn_real *lane)
{
#ifdef NN_DOUBLE
	const double limit = DBL_MAX;
#else
	const double limit = FLT_MAX;
#endif
	const NnPrep *prep = data->prep;
	uint32_t	ntargets = data->spec->ntargets,
				lag = data->spec->difference;
	int64_t		begin = (int64_t) window->origin + 1 - data->spec->context;
	size_t		at = (size_t) data->group[window->series] * prep->C + c;
	int64_t		start = (int64_t) data->start[(size_t) window->series * data->series->C + c] + lag;
	double		last = data->level[((size_t) gap - 1) * ntargets + c];

	for (int64_t row = gap > begin ? gap : begin; row <= window->origin; row++)
	{
		double		before = last,
					scaled;

		if (row < start)
			continue;
		if (row - lag < gap)
			before = data->level[((size_t) row - lag) * ntargets + c];
		scaled = (last - before - prep->center[at]) / prep->scale[at];
		scaled = fmax(-limit, fmin(limit, scaled));
		lane[(size_t) (row - begin) * row_stride + (size_t) c * L] = (nn_real) scaled;
	}
}

void
nn_lane_look_back(const NnData *data, const NnWindow *window, uint32_t L, size_t row_stride,
				  nn_real *lane)
{
	uint32_t	C = data->series->C;
	const uint8_t *known = data->known + (size_t) window->origin * C;

	if (memchr(known, 0, C) == NULL)
		return;
	for (uint32_t c = 0; c < C; c++)
	{
		uint32_t	gap = nn_data_gap(data, window->series, window->origin, c);

		if (gap == 0)
			continue;
		if (c < data->spec->ntargets && data->spec->difference > 0)
			gap_flatten_difference(data, window, c, gap, L, row_stride, lane);
		else
			gap_flatten(data, window, c, gap, L, row_stride, lane);
	}
}

/* The first pad rows of one lane repeat later ones. */
static void
lane_repeat(const NnData *data, uint32_t pad, uint32_t L, nn_real *lane)
{
	size_t		C = data->C;

	for (uint32_t t = 0; t < pad; t++)
	{
		uint32_t	from = nn_pad_source(data->spec, pad, t);

		for (size_t c = 0; c < C; c++)
			lane[(t * C + c) * L] = lane[(from * C + c) * L];
	}
}

/*
 * Own rows of lanes whose context begins with padding, from[pad of the lane] up to most;
 * the other lanes' rows there, too.  Lanes n..L-1 get zeros.
 */
static void
rows_before_copy(const NnData *data, const NnWindow *windows, const uint32_t *pad, uint32_t most,
				 uint32_t n, uint32_t L, nn_real *past)
{
	size_t		C = data->C;

	memset(past, 0, most * C * L * sizeof(nn_real));
	for (uint32_t lane = 0; lane < n; lane++)
	{
		const nn_real *x = data->x + ((size_t) windows[lane].origin + 1 + pad[lane] -
									  data->spec->context) * C;

		for (size_t i = pad[lane] * C; i < most * C; i++)
			past[i * L + lane] = *x++;
	}
}

/* past [context][C][L] */
static void
past_gather(const NnData *data, const NnWindow *windows, uint32_t n, uint32_t L, nn_real *past)
{
	const nn_real *src[NN_MAX_LANES] = {NULL};
	uint32_t	pad[NN_MAX_LANES] = {0},
				context = data->spec->context,
				most = 0;		/* rows of padding of the lane that has the most */

	for (uint32_t lane = 0; lane < n; lane++)
	{
		pad[lane] = nn_window_pad(data->spec, data->series, &windows[lane]);
		most = pad[lane] > most ? pad[lane] : most;
	}
	for (uint32_t lane = 0; lane < n; lane++)
		src[lane] = data->x + ((size_t) windows[lane].origin + 1 + most - context) * data->C;
	lanes_copy(past + (size_t) most * data->C * L, src, n, L, context - most, data->C, data->C,
			   NN_R(0.0));
	if (most > 0)
		rows_before_copy(data, windows, pad, most, n, L, past);
	for (uint32_t lane = 0; lane < n && data->gap != NULL; lane++)
		nn_lane_look_back(data, &windows[lane], L, (size_t) data->C * L, past + lane);
	for (uint32_t lane = 0; lane < n; lane++)
		lane_repeat(data, pad[lane], L, past + lane);
}

/* Rows of the horizon that lie within the window's series. */
static uint32_t
horizon_rows(const NnData *data, const NnWindow *window)
{
	uint32_t	rows = data->series->first[window->series + 1] - window->origin - 1;

	return rows < data->spec->horizon ? rows : data->spec->horizon;
}

/*
 * out [horizon][width][L] from the rows after each origin of from[rows][stride].
 * Lanes whose series ends within the horizon get pad there.
 */
static void
horizon_gather(const NnData *data, const NnWindow *windows, uint32_t n, uint32_t L,
			   const nn_real *from, uint32_t width, uint32_t stride, nn_real pad, nn_real *out)
{
	const nn_real *src[NN_MAX_LANES] = {NULL};
	uint32_t	horizon = data->spec->horizon,
				shortest = horizon;

	for (uint32_t lane = 0; lane < n; lane++)
	{
		uint32_t	rows = horizon_rows(data, &windows[lane]);

		src[lane] = (rows > 0) ? from + ((size_t) windows[lane].origin + 1) * stride : from;
		shortest = rows < shortest ? rows : shortest;
	}
	lanes_copy(out, src, n, L, shortest, width, stride, pad);
	if (shortest == horizon)
		return;

	/* The steps that not all lanes have, lane by lane. */
	for (uint32_t lane = 0; lane < L; lane++)
	{
		uint32_t	rows = lane < n ? horizon_rows(data, &windows[lane]) : shortest;

		for (uint32_t t = shortest; t < rows; t++)
			for (uint32_t c = 0; c < width; c++)
				out[((size_t) t * width + c) * L + lane] = src[lane][(size_t) t * stride + c];
		lane_pad(out, lane, L, rows, horizon, width, pad);
	}
}

/* statics [nstatic][L] */
static void
statics_gather(const NnData *data, const NnWindow *windows, uint32_t n, uint32_t L,
			   nn_real *statics)
{
	const nn_real *src[NN_MAX_LANES] = {NULL};
	uint32_t	Cs = data->series->Cs;

	for (uint32_t lane = 0; lane < n; lane++)
		src[lane] = data->statics + (size_t) windows[lane].series * Cs;
	lanes_copy(statics, src, n, L, 1, Cs, Cs, NN_R(0.0));
}

void
nn_window_gather(const NnData *data, const NnWindow *windows, uint32_t n, uint32_t L,
				 nn_real *past, nn_real *future, nn_real *statics, nn_real *target)
{
	const NnSpec *spec = data->spec;
	const nn_real *ahead = data->x + spec->ntargets + spec->npast;
	bool		sites = spec->nsites > 1;

	if (past != NULL && sites)
		nn_sites_past(data, windows, n, L, past);
	else if (past != NULL)
		past_gather(data, windows, n, L, past);
	if (future != NULL && spec->nfuture > 0 && sites)
		nn_sites_horizon(data, windows, n, L, ahead, spec->nfuture, data->C, NN_R(0.0), true, future);
	else if (future != NULL && spec->nfuture > 0)
		horizon_gather(data, windows, n, L, ahead, spec->nfuture, data->C, NN_R(0.0), future);
	if (statics != NULL && data->series->Cs > 0 && sites)
		nn_sites_statics(data, n, L, statics);
	else if (statics != NULL && data->series->Cs > 0)
		statics_gather(data, windows, n, L, statics);
	if (target != NULL && sites)
		nn_sites_horizon(data, windows, n, L, data->y, spec->ntargets, spec->ntargets, (nn_real) NAN,
						 false, target);
	else if (target != NULL)
		horizon_gather(data, windows, n, L, data->y, spec->ntargets, spec->ntargets, (nn_real) NAN,
					   target);
}

void
nn_window_identity(const NnData *data, const NnWindow *windows, uint32_t n, uint32_t L,
				   uint32_t *identity)
{
	for (uint32_t lane = 0; lane < L; lane++)
		identity[lane] = lane >= n ? NN_IDENTITY_NONE :
			data->identity ? data->identity[windows[lane].series] : windows[lane].series;
}
