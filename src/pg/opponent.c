/*
 * opponent.c
 *		Classical methods beside a model, on the rows of its source.
 *
 * Holds one scratch for all series; the parameters are the caller's.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"

#include "core/nn_baseline.h"
#include "pg/opponent.h"

/* As nn_classic.h says of the fitted methods. */
static uint32
rows_most(uint32 season)
{
	uint64		seasons = 10 * (uint64) season;

	return (uint32) Min(Max(seasons, 2000), 100000);
}

Opponent *
opponent_create(const NnEnv *env, uint32 season)
{
	Opponent   *opponent = NN_NEW(env, Opponent);

	opponent->env = env;
	opponent->season = season;
	opponent->most = rows_most(season);
	opponent->history = NN_NEW_ARRAY(env, double, opponent->most);
	opponent->classic = nn_classic_create(env, opponent->most, season);
	return opponent;
}

NnClassicKind
opponent_parse(const char *word, uint32 season)
{
	NnClassicKind kind;

	if (strcmp(word, "auto") == 0)
		return season > 1 ? NN_CLASSIC_SEASONAL_NAIVE : NN_CLASSIC_NAIVE;
	if (!nn_classic_parse(word, &kind))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown baseline \"%s\"", word),
				 errhint("Baselines are auto, naive, seasonal_naive, mean, drift, holt_winters, "
						 "holt_winters_multiplicative, holt_winters_damped, "
						 "holt_winters_multiplicative_damped, theta and ar.")));
	return kind;
}

bool
opponent_is_fitted(NnClassicKind kind)
{
	return nn_classic_parameters(kind) > 0;
}

/* The last of the first rows rows into the scratch; returns how many. */
static uint32
history_copy(Opponent *opponent, const NnSeries *series, uint32 s, uint32 k, uint32 rows)
{
	uint32		begin = rows > opponent->most ? rows - opponent->most : 0;
	const double *value = series->value + ((size_t) series->first[s] + begin) * series->C + k;

	for (uint32 t = 0; t < rows - begin; t++)
		opponent->history[t] = value[(size_t) t * series->C];
	return rows - begin;
}

void
opponent_fit(Opponent *opponent, NnClassicKind kind, const NnSeries *series, uint32 s, uint32 k,
			 uint32 rows, double *parameter)
{
	uint32		n;

	if (!opponent_is_fitted(kind))
		return;
	n = history_copy(opponent, series, s, k, rows);
	nn_classic_fit(opponent->classic, kind, opponent->history, n, parameter);
}

void
opponent_forecast(Opponent *opponent, NnClassicKind kind, const double *parameter,
				  const NnSeries *series, uint32 s, uint32 k, uint32 rows, uint32 horizon,
				  double *out)
{
	uint32		n;

	if (!opponent_is_fitted(kind))
	{
		nn_baseline_column((NnBaselineKind) kind,
						   series->value + (size_t) series->first[s] * series->C + k, series->C,
						   rows, opponent->season, horizon, out);
		return;
	}
	n = history_copy(opponent, series, s, k, rows);
	nn_classic_forecast(opponent->classic, kind, parameter, opponent->history, n, horizon, out);
}

StaticAssertDecl((int) NN_CLASSIC_NAIVE == (int) NN_BASELINE_NAIVE &&
				 (int) NN_CLASSIC_SEASONAL_NAIVE == (int) NN_BASELINE_SEASONAL &&
				 (int) NN_CLASSIC_MEAN == (int) NN_BASELINE_MEAN &&
				 (int) NN_CLASSIC_DRIFT == (int) NN_BASELINE_DRIFT,
				 "methods without parameters have the numbers of the baselines");

/* Mean absolute error of a variant, fitted before row from, at every horizon-th origin. */
static double
held_out_error(Opponent *opponent, NnClassicKind kind, const NnSeries *series, uint32 s, uint32 k,
			   uint32 from, uint32 rows, uint32 horizon, double *forecast)
{
	double		parameter[NN_CLASSIC_PARAMETERS],
				sum = 0;
	uint64		n = 0;
	const double *value = series->value + (size_t) series->first[s] * series->C + k;

	opponent_fit(opponent, kind, series, s, k, from, parameter);
	for (uint32 origin = from; origin < rows; origin += horizon)
	{
		uint32		steps = Min(horizon, rows - origin);

		CHECK_FOR_INTERRUPTS();
		opponent_forecast(opponent, kind, parameter, series, s, k, origin, steps, forecast);
		for (uint32 h = 0; h < steps; h++)
		{
			double		actual = value[(size_t) (origin + h) * series->C];

			if (isnan(actual) || isnan(forecast[h]))
				continue;
			sum += fabs(actual - forecast[h]);
			n++;
		}
	}
	return n > 0 ? sum / (double) n : NAN;
}

NnClassicKind
opponent_holt_winters(Opponent *opponent, const NnSeries *series, uint32 s, uint32 k, uint32 rows,
					  uint32 horizon)
{
	uint64		held = Min((uint64) rows / 4, 10 * (uint64) horizon);
	double		best = NAN,
			   *forecast;
	NnClassicKind chosen = NN_CLASSIC_HOLT_WINTERS;

	held -= held % horizon;
	if (held == 0)
		return chosen;
	forecast = palloc(sizeof(double) * horizon);
	for (int kind = NN_CLASSIC_HOLT_WINTERS; kind <= NN_CLASSIC_HOLT_WINTERS_MULTIPLICATIVE_DAMPED;
		 kind++)
	{
		double		error = held_out_error(opponent, (NnClassicKind) kind, series, s, k,
										   rows - (uint32) held, rows, horizon, forecast);

		if (!isnan(error) && !(error >= best))
		{
			best = error;
			chosen = (NnClassicKind) kind;
		}
	}
	pfree(forecast);
	return chosen;
}
