/*
 * nn_window_sites.c
 *		Copies windows of all sites at one time into the lanes of a tile.
 *
 * Where spec->nsites > 1 a window is a row in time: its origin in any one series says
 * which.  All series have the same rows (nn_data.h), so the same row of each is found by
 * adding where the series begins.  A site without a series gets zeros, the mean of
 * what was scaled, and unknown targets.
 *
 * As in nn_window.c lanes are innermost and written in order; what "linear" took from
 * rows after the origin is taken back, site by site.  Cost: one load and one store per
 * number, and per site and lane one look at the origin's row.
 */
#include "core/nn_window.h"

#include <math.h>

uint32_t
nn_series_at(const NnData *data, uint32_t site)
{
	const NnSeries *series = data->series;

	if (series->at_site)
		return series->at_site[site];
	return site < series->nseries ? site : UINT32_MAX;
}

uint32_t
nn_series_site(const NnData *data, uint32_t s)
{
	return data->series->site ? data->series->site[s] : s;
}

uint32_t
nn_window_row(const NnData *data, const NnWindow *window)
{
	return window->origin - data->series->first[window->series];
}

/*
 * out [width][L] = numbers of one row and site, src[lane] pointing at them; NULL: pad.
 * Lanes n..L-1 get pad.
 */
static void
lanes_put(nn_real *out, const nn_real *const *src, uint32_t n, uint32_t L, uint32_t width,
		  nn_real pad)
{
	for (uint32_t c = 0; c < width; c++, out += L)
	{
		for (uint32_t lane = 0; lane < n; lane++)
			out[lane] = src[lane] ? src[lane][c] : pad;
		for (uint32_t lane = n; lane < L; lane++)
			out[lane] = pad;
	}
}

static void
site_poll(const NnData *data)
{
	data->env->poll(data->env->host);
}

/* past [context][S][C][L] */
void
nn_sites_past(const NnData *data, const NnWindow *windows, uint32_t n, uint32_t L, nn_real *past)
{
	uint32_t	S = data->spec->nsites,
				T = data->spec->context;
	size_t		row = (size_t) data->C * L;

	for (uint32_t s = 0; s < S; s++)
	{
		uint32_t	q = nn_series_at(data, s);
		const nn_real *src[NN_MAX_LANES] = {NULL};
		NnWindow	here[NN_MAX_LANES];

		site_poll(data);
		for (uint32_t lane = 0; lane < n && q != UINT32_MAX; lane++)
		{
			here[lane] = (NnWindow) {q, data->series->first[q] + nn_window_row(data, &windows[lane])};
			src[lane] = data->x + ((size_t) here[lane].origin + 1 - T) * data->C;
		}
		for (uint32_t t = 0; t < T; t++)
		{
			lanes_put(past + ((size_t) t * S + s) * row, src, n, L, data->C, NN_R(0.0));
			for (uint32_t lane = 0; lane < n && q != UINT32_MAX; lane++)
				src[lane] += data->C;
		}
		for (uint32_t lane = 0; lane < n && q != UINT32_MAX && data->gap != NULL; lane++)
			nn_lane_look_back(data, &here[lane], L, S * row, past + s * row + lane);
	}
}

/*
 * out [horizon][S][width][L] (time_outside) or [S][horizon][width][L] from the rows after
 * each origin of from [rows][stride]; pad beyond the rows and where no series is.
 */
void
nn_sites_horizon(const NnData *data, const NnWindow *windows, uint32_t n, uint32_t L,
				 const nn_real *from, uint32_t width, uint32_t stride, nn_real pad,
				 bool time_outside, nn_real *out)
{
	uint32_t	S = data->spec->nsites,
				horizon = data->spec->horizon;

	for (uint32_t s = 0; s < S; s++)
	{
		uint32_t	q = nn_series_at(data, s);

		site_poll(data);
		for (uint32_t h = 0; h < horizon; h++)
		{
			const nn_real *src[NN_MAX_LANES] = {NULL};
			size_t		place = time_outside ? (size_t) h * S + s : (size_t) s * horizon + h;

			for (uint32_t lane = 0; lane < n && q != UINT32_MAX; lane++)
			{
				uint64_t	row = (uint64_t) data->series->first[q] + nn_window_row(data, &windows[lane]) +
					1 + h;

				if (row < data->series->first[q + 1])
					src[lane] = from + row * stride;
			}
			lanes_put(out + place * width * L, src, n, L, width, pad);
		}
	}
}

/* statics [S][nstatic][L]: the same in every lane */
void
nn_sites_statics(const NnData *data, uint32_t n, uint32_t L, nn_real *statics)
{
	uint32_t	Cs = data->series->Cs;

	for (uint32_t s = 0; s < data->spec->nsites; s++)
	{
		uint32_t	q = nn_series_at(data, s);
		const nn_real *src[NN_MAX_LANES] = {NULL};

		for (uint32_t lane = 0; lane < n && q != UINT32_MAX; lane++)
			src[lane] = data->statics + (size_t) q * Cs;
		lanes_put(statics + (size_t) s * Cs * L, src, n, L, Cs, NN_R(0.0));
	}
}

uint64_t
nn_window_known(const NnData *data, const NnWindow *window)
{
	const NnSpec *spec = data->spec;
	uint32_t	values = spec->horizon * spec->ntargets;
	uint64_t	known = 0;

	if (spec->nsites <= 1)
	{
		const nn_real *y = data->y + (size_t) (window->origin + 1) * spec->ntargets;

		for (uint32_t i = 0; i < values; i++)
			known += !isnan(y[i]);
		return known;
	}
	for (uint32_t s = 0; s < spec->nsites; s++)
	{
		uint32_t	q = nn_series_at(data, s);
		const nn_real *y;

		if (q == UINT32_MAX)
			continue;
		y = data->y + ((size_t) data->series->first[q] + nn_window_row(data, window) + 1) * spec->ntargets;
		for (uint32_t i = 0; i < values; i++)
			known += !isnan(y[i]);
	}
	return known;
}
