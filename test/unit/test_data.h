/*
 * test_data.h
 *		Series for the tests of data preparation: built from arrays or at random.
 */
#ifndef TEST_DATA_H
#define TEST_DATA_H

#include "core/nn_data.h"
#include "unit.h"

/* A number from a fixed sequence, in [0, 1). */
UNIT_UNUSED static double
random_unit(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (double) (*state >> 40) / (double) (1 << 24);
}

UNIT_UNUSED static uint32_t
random_below(uint64_t *state, uint32_t n)
{
	return (uint32_t) (random_unit(state) * n);
}

/* A spec that prepares nothing: "previous", no scaling. */
UNIT_UNUSED static NnSpec *
spec_plain(uint32_t ntargets, uint32_t npast, uint32_t nfuture, uint32_t context,
		   uint32_t horizon)
{
	NnSpec	   *spec = NN_NEW(unit_env(), NnSpec);

	spec->ntargets = ntargets;
	spec->npast = npast;
	spec->nfuture = nfuture;
	spec->context = context;
	spec->horizon = spec->forecast_horizon = horizon;
	spec->scaling = NN_SCALING_NONE;
	spec->missing = NN_MISSING_PREVIOUS;
	spec->lower_bound = spec->upper_bound = NAN;
	return spec;
}

/* Series of the given numbers of rows, all values NaN; names "s0", "s1", ..., columns "c0", ... */
UNIT_UNUSED static NnSeries *
series_create(uint32_t nseries, const uint32_t *rows, uint32_t C, uint32_t Cs)
{
	NnEnv	   *env = unit_env();
	NnSeries   *series = NN_NEW(env, NnSeries);
	uint32_t   *first = NN_NEW_ARRAY(env, uint32_t, nseries + 1);
	uint32_t   *history = NN_NEW_ARRAY(env, uint32_t, nseries);
	const char **name = NN_NEW_ARRAY(env, const char *, nseries);
	const char **column = NN_NEW_ARRAY(env, const char *, C);

	for (uint32_t s = 0; s < nseries; s++)
	{
		first[s + 1] = first[s] + rows[s];
		history[s] = rows[s];
		name[s] = nn_format(env, "s%u", s);
	}
	for (uint32_t c = 0; c < C; c++)
		column[c] = nn_format(env, "c%u", c);
	series->nseries = nseries;
	series->C = C;
	series->Cs = Cs;
	series->first = first;
	series->history = history;
	series->value = NN_NEW_ARRAY(env, double, (size_t) first[nseries] * C);
	series->statics = NN_NEW_ARRAY(env, double, (size_t) nseries * Cs);
	series->name = name;
	series->column = column;
	for (size_t i = 0; i < (size_t) first[nseries] * C; i++)
		series->value[i] = NAN;
	return series;
}

/* One series of one column. */
UNIT_UNUSED static NnSeries *
series_of(const double *values, uint32_t rows)
{
	NnSeries   *series = series_create(1, &rows, 1, 0);

	memcpy(series->value, values, rows * sizeof(double));
	return series;
}

#define SERIES_OF(...) \
	series_of((const double[]) {__VA_ARGS__}, \
			  (uint32_t) (sizeof((const double[]) {__VA_ARGS__}) / sizeof(double)))

/* Fits on all rows. */
UNIT_UNUSED static NnPrep *
prep_of(const NnSpec *spec, const NnSeries *series)
{
	uint32_t   *rows = NN_NEW_ARRAY(unit_env(), uint32_t, series->nseries);

	for (uint32_t s = 0; s < series->nseries; s++)
		rows[s] = UINT32_MAX;
	return nn_prep_fit(unit_env(), spec, series, rows);
}

/* Prepares with prep; series s is group s when there are several. */
UNIT_UNUSED static NnData *
data_of(const NnSpec *spec, const NnPrep *prep, const NnSeries *series)
{
	uint32_t   *group = NN_NEW_ARRAY(unit_env(), uint32_t, series->nseries);

	for (uint32_t s = 0; s < series->nseries && prep->ngroups > 1; s++)
		group[s] = s;
	return nn_data_prepare(unit_env(), spec, prep, series, group);
}

/*
 * A random walk with a season in every column, values above 1, and runs of unknown
 * values of random length; gaps 0: none.
 */
UNIT_UNUSED static void
series_randomise(NnSeries *series, uint64_t *state, double gaps)
{
	for (uint32_t s = 0; s < series->nseries; s++)
	{
		for (uint32_t c = 0; c < series->C; c++)
		{
			double		level = 20.0 + 10.0 * random_unit(state);
			uint32_t	gap = 0;

			for (uint32_t row = series->first[s]; row < series->first[s + 1]; row++)
			{
				level = fmax(2.0, level + random_unit(state) - 0.5);
				if (gap > 0)
					gap--;
				else if (random_unit(state) < gaps)
					gap = 1 + random_below(state, 6);
				series->value[(size_t) row * series->C + c] = gap > 0 ? NAN :
					level + (row % 4);
			}
		}
	}
	for (uint32_t i = 0; i < series->nseries * series->Cs; i++)
		((double *) series->statics)[i] = random_unit(state);
}

#endif							/* TEST_DATA_H */
