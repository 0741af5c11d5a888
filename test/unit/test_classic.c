/*
 * test_classic.c
 *		Classical methods: planted truth, short and odd histories, values of R.
 */
#include "core/nn_baseline.h"
#include "core/nn_classic.h"
#include "core/nn_linalg.h"
#include "test_data.h"

static const double quarters[24] = {
	30, 21, 29, 31, 33, 24, 32, 36, 38, 28, 36, 40,
	43, 31, 41, 46, 48, 34, 47, 52, 55, 39, 52, 58
};

static void
classic_run(NnClassicKind kind, const double *value, uint32_t n, uint32_t season,
			uint32_t horizon, double *out)
{
	NnClassic  *classic = nn_classic_create(unit_env(), n, season);
	double		parameter[NN_CLASSIC_PARAMETERS];

	nn_classic_fit(classic, kind, value, n, parameter);
	UNIT_CHECK(nn_classic_valid(kind, parameter));
	nn_classic_forecast(classic, kind, parameter, value, n, horizon, out);
}

static void
names_are_parsed(void)
{
	NnClassicKind kind;

	for (int i = 0; i < NN_CLASSIC_KINDS; i++)
	{
		UNIT_CHECK(nn_classic_parse(nn_classic_name((NnClassicKind) i), &kind));
		UNIT_INTEGER(kind, i);
		UNIT_CHECK(nn_classic_parameters(kind) <= NN_CLASSIC_PARAMETERS);
	}
	UNIT_STRING(nn_classic_name(NN_CLASSIC_AR), "ar");
	UNIT_STRING(nn_classic_name(NN_CLASSIC_HOLT_WINTERS_MULTIPLICATIVE_DAMPED),
				"holt_winters_multiplicative_damped");
	UNIT_CHECK(!nn_classic_parse("arima", &kind));
	UNIT_CHECK(!nn_classic_parse("", &kind));
}

/* The methods without parameters are those of nn_baseline.h. */
static void
simple_methods_are_the_baselines(void)
{
	static const double value[] = {NAN, 1, 2, 3, NAN, 5, NAN};
	static const double naive[] = {5, 5},
				seasonal[] = {3, 5},
				drift[] = {7, 8};
	double		out[2];

	classic_run(NN_CLASSIC_NAIVE, value, 7, 4, 2, out);
	UNIT_CHECK(memcmp(out, naive, sizeof(out)) == 0);
	classic_run(NN_CLASSIC_SEASONAL_NAIVE, value, 7, 4, 2, out);
	UNIT_CHECK(memcmp(out, seasonal, sizeof(out)) == 0);
	classic_run(NN_CLASSIC_DRIFT, value, 7, 4, 2, out);
	UNIT_CHECK(memcmp(out, drift, sizeof(out)) == 0);
	classic_run(NN_CLASSIC_MEAN, value, 7, 4, 2, out);
	UNIT_NEAR(out[1], 11.0 / 4, 1e-14);
}

/* Season and line without noise go on, whatever the units. */
static void
season_and_trend_go_on(void)
{
	static const double season[] = {5, -2, 1, -6, 0, 2};
	static const double units[] = {1.0, 1e-200, 1e300};
	static const NnClassicKind kinds[] = {
		NN_CLASSIC_HOLT_WINTERS, NN_CLASSIC_HOLT_WINTERS_MULTIPLICATIVE, NN_CLASSIC_AR
	};
	double		value[60],
				out[12];

	for (int k = 0; k < 3; k++)
	{
		for (int u = 0; u < 3; u++)
		{
			bool		multiplicative = kinds[k] == NN_CLASSIC_HOLT_WINTERS_MULTIPLICATIVE;

			for (int t = 0; t < 72; t++)
			{
				double		base = 40 + 0.5 * t;
				double		truth = multiplicative ? base * (1 + season[t % 6] / 20) :
					base + season[t % 6];

				if (t < 60)
					value[t] = truth * units[u];
				if (t == 60)
					classic_run(kinds[k], value, 60, 6, 12, out);
				/* A moving average of a product is only nearly its trend. */
				if (t >= 60)
					UNIT_NEAR(out[t - 60] / units[u], truth, multiplicative ? 5e-3 : 1e-6);
			}
		}
	}
}

/* A damped trend is followed to where it ends. */
static void
damped_trend_levels_off(void)
{
	double		value[60],
				out[200],
				linear[200];

	for (int t = 0; t < 60; t++)
		value[t] = 100 - 80 * pow(0.93, t);
	classic_run(NN_CLASSIC_HOLT_WINTERS_DAMPED, value, 60, 1, 200, out);
	classic_run(NN_CLASSIC_HOLT_WINTERS, value, 60, 1, 200, linear);
	UNIT_NEAR(out[0], 100 - 80 * pow(0.93, 60), 2e-3);
	UNIT_NEAR(out[199], 100, 0.01);
	UNIT_CHECK(out[199] - out[198] < 1e-3 && linear[199] - linear[198] > 0.02);
}

/* Constants stay what they are, to the bit. */
static void
constants_stay(void)
{
	static const double constants[] = {0.0, 0.1, -7.3, 1e-310, 1.7e308, -1.7e308};
	double		value[30],
				out[8];

	for (int k = 0; k < NN_CLASSIC_KINDS; k++)
	{
		for (int i = 0; i < 6; i++)
		{
			for (int t = 0; t < 30; t++)
				value[t] = constants[i];
			classic_run((NnClassicKind) k, value, 30, 7, 8, out);
			for (int h = 0; h < 8; h++)
				UNIT_NEAR(out[h] / (constants[i] != 0.0 ? constants[i] : 1.0),
						  constants[i] != 0.0, k == NN_CLASSIC_MEAN ? 1e-14 : 0.0);
		}
	}
}

/* forecast::thetaf(ts(quarters, frequency = 4), h = 6), R 4, forecast 8.20. */
static void
theta_is_that_of_r(void)
{
	static const double expected[] = {
		60.4529346930, 42.6414248761, 55.7202465412, 60.5278950811, 63.0594965791, 44.4603969016
	};
	double		out[6];

	classic_run(NN_CLASSIC_THETA, quarters, 24, 4, 6, out);
	for (int h = 0; h < 6; h++)
		UNIT_NEAR(out[h], expected[h], 1e-4);
}

/*
 * Near the means of forecast::hw(ts(quarters, frequency = 4), ...), which seeks initial
 * states too and errors relative to the forecast where the season multiplies.
 */
static void
holt_winters_is_near_r(void)
{
	static const NnClassicKind kinds[] = {
		NN_CLASSIC_HOLT_WINTERS, NN_CLASSIC_HOLT_WINTERS_MULTIPLICATIVE,
		NN_CLASSIC_HOLT_WINTERS_MULTIPLICATIVE_DAMPED
	};
	static const double expected[3][4] = {
		{60.67, 44.63, 57.65, 63.65},
		{61.24, 43.30, 58.34, 64.52},
		{61.19, 43.38, 57.92, 63.94},
	};
	double		out[4];

	for (int k = 0; k < 3; k++)
	{
		classic_run(kinds[k], quarters, 24, 4, 4, out);
		for (int h = 0; h < 4; h++)
			UNIT_NEAR(out[h], expected[k][h], 0.06);
	}
}

/* An autoregression is found: order, coefficients, and those of least squares. */
static void
ar_finds_planted_lags(void)
{
	double	   *value = NN_NEW_ARRAY(unit_env(), double, 1500);
	double		parameter[NN_CLASSIC_PARAMETERS],
				coef[3];
	uint64_t	random = 3;
	NnClassic  *classic = nn_classic_create(unit_env(), 1500, 1);

	for (int t = 2; t < 1500; t++)
		value[t] = 3 + 1.2 * value[t - 1] - 0.5 * value[t - 2] + random_unit(&random) - 0.5;
	nn_classic_fit(classic, NN_CLASSIC_AR, value, 1500, parameter);
	UNIT_INTEGER(parameter[0], 2);
	UNIT_INTEGER(parameter[1], 0);
	nn_ar_fit(unit_env(), value + 29, 1471, 2, coef);
	for (int k = 0; k < 3; k++)
		UNIT_NEAR(parameter[2 + k], coef[k], 1e-9);
}

/* A lag of a season of 50 rows, out of reach of the plain lags. */
static void
ar_finds_a_seasonal_lag(void)
{
	double	   *value = NN_NEW_ARRAY(unit_env(), double, 1500);
	double		parameter[NN_CLASSIC_PARAMETERS];
	uint64_t	random = 5;
	NnClassic  *classic = nn_classic_create(unit_env(), 1500, 50);

	for (int t = 0; t < 1500; t++)
		value[t] = 1000 + (t < 50 ? 0 : 0.8 * (value[t - 50] - 1000)) + random_unit(&random);
	nn_classic_fit(classic, NN_CLASSIC_AR, value, 1500, parameter);
	UNIT_INTEGER(parameter[1], 50);
	UNIT_NEAR(parameter[3], 0.8, 0.05);
}

/* Nothing runs away: values stay within the documented band. */
static void
forecasts_stay_in_their_band(void)
{
	double		value[40],
				out[1000];

	for (int t = 0; t < 40; t++)
		value[t] = pow(1.5, t) - 3;
	for (int k = NN_CLASSIC_HOLT_WINTERS; k < NN_CLASSIC_KINDS; k++)
	{
		classic_run((NnClassicKind) k, value, 40, 4, 1000, out);
		for (int h = 0; h < 1000; h++)
		{
			double		range = value[39] - value[0],
						room = range * (1 + 2 * (h + 1) / 39.0);

			UNIT_CHECK(out[h] >= value[0] - room * 1.0001);
			UNIT_CHECK(out[h] <= value[39] + room * 1.0001);
		}
	}
}

/* Short histories mean the next simpler method. */
static void
short_histories_fall_back(void)
{
	double		value[24],
				out[4],
				other[4];

	for (int k = NN_CLASSIC_HOLT_WINTERS; k < NN_CLASSIC_KINDS; k++)
	{
		NnClassicKind kind = (NnClassicKind) k;

		classic_run(kind, quarters, 4, 4, 4, out);
		for (int h = 0; h < 4; h++)
			UNIT_NEAR(out[h], quarters[3], 0);
		classic_run(kind, quarters, 7, 4, 4, out);
		classic_run(kind, quarters, 7, 1, 4, other);
		UNIT_CHECK(memcmp(out, other, sizeof(out)) == 0);
	}
	memcpy(value, quarters, sizeof(value));
	value[9] = 0;
	for (int damped = 0; damped < 2; damped++)
	{
		classic_run((NnClassicKind) (NN_CLASSIC_HOLT_WINTERS + 2 * damped), value, 24, 4, 4, out);
		classic_run((NnClassicKind) (NN_CLASSIC_HOLT_WINTERS_MULTIPLICATIVE + 2 * damped), value,
					24, 4, 4, other);
		UNIT_CHECK(memcmp(out, other, sizeof(out)) == 0);
	}
}

/* One known value is enough for numbers, none gives NaN. */
static void
one_known_value_is_enough(void)
{
	double		value[40],
				out[5];

	for (int k = 0; k < NN_CLASSIC_KINDS; k++)
	{
		for (int t = 0; t < 40; t++)
			value[t] = NAN;
		classic_run((NnClassicKind) k, value, 40, 7, 5, out);
		UNIT_CHECK(isnan(out[0]) && isnan(out[4]));
		classic_run((NnClassicKind) k, value, 0, 7, 5, out);
		UNIT_CHECK(isnan(out[0]) && isnan(out[4]));
		value[k] = -3;
		classic_run((NnClassicKind) k, value, 40, 7, 5, out);
		UNIT_NEAR(out[0], -3, 0);
		UNIT_NEAR(out[4], -3, 0);
	}
}

/* Unknown rows at the end only move the horizon, in phase with the season. */
static void
unknown_end_moves_the_horizon(void)
{
	double		value[64],
				out[40],
				later[8];

	for (int k = NN_CLASSIC_HOLT_WINTERS; k < NN_CLASSIC_KINDS; k++)
	{
		for (int t = 0; t < 64; t++)
			value[t] = t < 24 ? quarters[t] : NAN;
		classic_run((NnClassicKind) k, value, 24, 4, 40, out);
		for (uint32_t age = 0; age < 33; age++)
		{
			NnClassic  *classic = nn_classic_create(unit_env(), 64, 4);
			double		parameter[NN_CLASSIC_PARAMETERS];

			nn_classic_fit(classic, (NnClassicKind) k, value, 24 + age, parameter);
			nn_classic_forecast(classic, (NnClassicKind) k, parameter, value, 24 + age, 7, later);
			for (int h = 0; h < 7; h++)
				UNIT_NEAR(later[h], out[age + h], 1e-9);
		}
	}
}

/* A few gaps change little. */
static void
gaps_change_little(void)
{
	double		value[96],
				out[12],
				gaps[12];

	for (int t = 0; t < 96; t++)
		value[t] = 50 + 0.3 * t + 10 * sin(t * 0.5235987755982988) + 0.5 * sin(t * t);
	for (int k = NN_CLASSIC_HOLT_WINTERS; k < NN_CLASSIC_KINDS; k++)
	{
		classic_run((NnClassicKind) k, value, 96, 12, 12, out);
		value[5] = value[40] = value[41] = value[42] = value[77] = NAN;
		classic_run((NnClassicKind) k, value, 96, 12, 12, gaps);
		for (int h = 0; h < 12; h++)
			UNIT_NEAR(gaps[h], out[h], 0.1);
		for (int t = 0; t < 96; t++)
			value[t] = 50 + 0.3 * t + 10 * sin(t * 0.5235987755982988) + 0.5 * sin(t * t);
	}
}

/*
 * Random histories of every length, with gaps, zeros, spikes and numbers of any size,
 * forecast with parameters of another: finite always, the same bits twice, and no byte
 * after the history matters.
 */
static void
any_history_gives_finite_numbers(void)
{
	uint64_t	random = 11;
	double		value[130],
				parameter[NN_CLASSIC_PARAMETERS],
				out[30],
				again[30];

	for (uint32_t run = 0; run < 6000; run++)
	{
		NnClassicKind kind = (NnClassicKind) (run % NN_CLASSIC_KINDS);
		uint32_t	n = 1 + random_below(&random, 120),
					season = random_below(&random, 20),
					shorter = 1 + random_below(&random, n);
		double		unit = run % 7 == 0 ? 1.7e308 : pow(10.0, (double) (run % 600) - 300);
		double		gap = random_unit(&random);
		NnClassic  *classic = nn_classic_create(unit_env(), n, season);

		for (uint32_t t = 0; t < n; t++)
		{
			value[t] = random_unit(&random) < 0.2 ? 0.0 : unit * (random_unit(&random) - run % 2 * 0.5);
			if (random_unit(&random) < gap * gap)
				value[t] = NAN;
		}
		value[random_below(&random, shorter)] = unit;
		nn_classic_fit(classic, kind, value, n, parameter);
		UNIT_CHECK(nn_classic_valid(kind, parameter));
		nn_classic_forecast(classic, kind, parameter, value, shorter, 30, out);
		for (int h = 0; h < 30; h++)
			UNIT_CHECK(isfinite(out[h]));
		for (uint32_t t = shorter; t < 130; t++)
			value[t] = 1e9;
		nn_classic_fit(classic, NN_CLASSIC_HOLT_WINTERS, value, 130, again);
		nn_classic_forecast(classic, kind, parameter, value, shorter, 30, again);
		UNIT_CHECK(memcmp(out, again, sizeof(out)) == 0);
	}
}

/* Only so many of the last rows are read, and the scratch is not asked for more. */
static void
long_histories_are_cut(void)
{
	double	   *value = NN_NEW_ARRAY(unit_env(), double, 9000);
	NnClassic  *classic = nn_classic_create(unit_env(), 9000, 12);
	double		parameter[2][NN_CLASSIC_PARAMETERS],
				out[2][12];
	uint64_t	random = 2;

	for (int t = 0; t < 9000; t++)
		value[t] = 100 + t % 12 + random_unit(&random);
	for (int k = NN_CLASSIC_HOLT_WINTERS; k < NN_CLASSIC_KINDS; k++)
	{
		for (int i = 0; i < 2; i++)
		{
			uint32_t	from = i == 0 ? 0 : 7000;

			nn_classic_fit(classic, (NnClassicKind) k, value + from, 9000 - from, parameter[i]);
			nn_classic_forecast(classic, (NnClassicKind) k, parameter[i], value + from,
								9000 - from, 12, out[i]);
		}
		UNIT_CHECK(memcmp(parameter[0], parameter[1],
						  nn_classic_parameters((NnClassicKind) k) * sizeof(double)) == 0);
		UNIT_CHECK(memcmp(out[0], out[1], sizeof(out[0])) == 0);
		UNIT_NEAR(out[0][3], 100 + 9003 % 12 + 0.5, 0.01);
	}
}

/* An hourly year: passes over the rows, never over rows times the season. */
static void
long_seasons_cost_no_more(void)
{
	uint32_t	n = 3 * 8766;
	double	   *value = NN_NEW_ARRAY(unit_env(), double, n);
	NnClassic  *classic = nn_classic_create(unit_env(), n, 8766);
	double		parameter[NN_CLASSIC_PARAMETERS],
				out[24];

	for (uint32_t t = 0; t < n; t++)
		value[t] = 20 + 10 * sin(t * (6.283185307179586 / 8766));
	for (int k = NN_CLASSIC_HOLT_WINTERS; k < NN_CLASSIC_KINDS; k++)
	{
		nn_classic_fit(classic, (NnClassicKind) k, value, n, parameter);
		nn_classic_forecast(classic, (NnClassicKind) k, parameter, value, n, 24, out);
		UNIT_NEAR(out[23], 20, 0.03);
	}
}

static void
parameters_are_checked(void)
{
	double		parameter[NN_CLASSIC_PARAMETERS] = {0.3, 0.1, 0.2, 1.0};

	UNIT_CHECK(nn_classic_valid(NN_CLASSIC_HOLT_WINTERS, parameter));
	parameter[1] = 0.4;
	UNIT_CHECK(!nn_classic_valid(NN_CLASSIC_HOLT_WINTERS, parameter));
	UNIT_CHECK(nn_classic_valid(NN_CLASSIC_NAIVE, parameter));
	UNIT_CHECK(!nn_classic_valid(NN_CLASSIC_THETA, parameter));
	UNIT_CHECK(!nn_classic_valid(NN_CLASSIC_AR, parameter));
	parameter[0] = 33;
	parameter[1] = 0;
	UNIT_CHECK(!nn_classic_valid(NN_CLASSIC_AR, parameter));
	parameter[0] = 32;
	UNIT_CHECK(nn_classic_valid(NN_CLASSIC_AR, parameter));
	parameter[34] = NAN;
	UNIT_CHECK(!nn_classic_valid(NN_CLASSIC_AR, parameter));
}

/* After creation nothing is allocated, but for the few bytes of ar's pivots. */
static void
scratch_is_reused(void)
{
	NnClassic  *classic = nn_classic_create(unit_env(), 24, 4);
	double		parameter[NN_CLASSIC_PARAMETERS],
				out[4];
	size_t		before = unit_host.nallocs;

	for (int k = 0; k < NN_CLASSIC_AR; k++)
	{
		nn_classic_fit(classic, (NnClassicKind) k, quarters, 24, parameter);
		nn_classic_forecast(classic, (NnClassicKind) k, parameter, quarters, 24, 4, out);
	}
	UNIT_INTEGER(unit_host.nallocs, before);
}

int
main(void)
{
	UNIT_RUN(names_are_parsed);
	UNIT_RUN(simple_methods_are_the_baselines);
	UNIT_RUN(season_and_trend_go_on);
	UNIT_RUN(damped_trend_levels_off);
	UNIT_RUN(constants_stay);
	UNIT_RUN(theta_is_that_of_r);
	UNIT_RUN(holt_winters_is_near_r);
	UNIT_RUN(ar_finds_planted_lags);
	UNIT_RUN(ar_finds_a_seasonal_lag);
	UNIT_RUN(forecasts_stay_in_their_band);
	UNIT_RUN(short_histories_fall_back);
	UNIT_RUN(one_known_value_is_enough);
	UNIT_RUN(unknown_end_moves_the_horizon);
	UNIT_RUN(gaps_change_little);
	UNIT_RUN(any_history_gives_finite_numbers);
	UNIT_RUN(long_histories_are_cut);
	UNIT_RUN(long_seasons_cost_no_more);
	UNIT_RUN(parameters_are_checked);
	UNIT_RUN(scratch_is_reused);
	return unit_finish();
}
