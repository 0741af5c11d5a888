/*
 * test_smoothing.c
 *		Exponential smoothing: values of R, planted weights, passes and their bounds.
 *
 * Values said to be R's are of R 4 with package forecast 8.20; the call stands beside
 * each.
 */
#include "core/nn_smoothing.h"
#include "test_data.h"

/* Six years of quarters with a growing season. */
static const double quarters[24] = {
	30, 21, 29, 31, 33, 24, 32, 36, 38, 28, 36, 40,
	43, 31, 41, 46, 48, 34, 47, 52, 55, 39, 52, 58
};

/* A column with room for a season of up to 64 rows. */
static NnSmoothing
smoothing_of(const double *y, uint32_t n, uint32_t season, bool multiplicative, bool damped)
{
	return (NnSmoothing) {
		.y = y,
		.n = n,
		.season = season,
		.multiplicative = multiplicative,
		.damped = damped,
		.pattern = NN_NEW_ARRAY(unit_env(), double, 64),
		.state = NN_NEW_ARRAY(unit_env(), double, 64),
	};
}

static void
smoothing_begin(NnSmoothing *s)
{
	uint32_t	count[64];
	double		adjusted[128];

	nn_smoothing_begin(s, s->y, count, adjusted);
}

static void
check_values(const double *actual, const double *expected, int n, double tolerance)
{
	for (int i = 0; i < n; i++)
		UNIT_NEAR(actual[i], expected[i], tolerance);
}

/* decompose(ts(quarters, frequency = 4))$figure; the same with type = "mult". */
static void
decomposition_is_that_of_r(void)
{
	static const double additive[] = {4.78125, -8.66875, 0.48125, 3.40625};
	static const double factors[] = {
		1.12045415215, 0.78190154219, 1.01094247685, 1.08670182881
	};
	double		pattern[4];
	uint32_t	count[4];

	nn_pattern_estimate(quarters, quarters, 24, 4, false, pattern, count);
	check_values(pattern, additive, 4, 1e-12);
	nn_pattern_estimate(quarters, quarters, 24, 4, true, pattern, count);
	check_values(pattern, factors, 4, 1e-11);
}

/* An odd season, an unknown row, and a phase without a known value. */
static void
decomposition_finds_what_was_planted(void)
{
	static const double season[] = {3, -1, -2};
	double		y[10],
				filled[10],
				pattern[3];
	uint32_t	count[3];

	for (int t = 0; t < 10; t++)
		filled[t] = y[t] = 5 + 2 * t + season[t % 3];
	y[4] = NAN;
	nn_pattern_estimate(y, filled, 10, 3, false, pattern, count);
	check_values(pattern, season, 3, 1e-13);
	UNIT_INTEGER(count[1], 2);
	y[1] = NAN;
	nn_pattern_estimate(y, filled, 6, 3, false, pattern, count);
	UNIT_INTEGER(count[1], 0);
	UNIT_NEAR(pattern[0] - pattern[2], 5, 1e-13);
	nn_pattern_remove(y, 10, 3, false, season, y);
	UNIT_NEAR(y[8], 21, 1e-14);
	UNIT_CHECK(isnan(y[4]));
}

static void
line_skips_unknown_rows(void)
{
	static const double y[] = {NAN, 5, NAN, 9, 11};
	double		before,
				slope;

	nn_line_fit(y, 5, &before, &slope);
	UNIT_NEAR(before, 1, 1e-14);
	UNIT_NEAR(slope, 2, 1e-14);
	nn_line_fit(y, 2, &before, &slope);
	UNIT_NEAR(before, 5, 1e-14);
	UNIT_NEAR(slope, 0, 0);
}

/*
 * HoltWinters(ts(quarters, frequency = 4), alpha = .3, beta = .2, gamma = .4, l.start =
 * 28, b.start = .5, s.start = c(2, -7, 1, 4)): R begins with the second season, its
 * slope weight is beta / alpha and its gamma / (1 - alpha) here.
 */
static void
additive_recursion_is_that_of_r(void)
{
	static const double forecast[] = {
		58.7306550123, 46.0447396977, 57.6958015002, 62.7262905046, 64.1393135676, 51.4533982531
	};
	static const double begin[] = {2, -7, 1, 4};
	const NnSmoothingWeights w = {.alpha = 0.3,.beta = 0.06,.gamma = 0.28,.phi = 1.0};
	NnSmoothing s = smoothing_of(quarters + 4, 20, 4, false, false);
	double		out[6];

	s.level = 28;
	s.slope = 0.5;
	memcpy(s.pattern, begin, sizeof(begin));
	nn_smoothing_run(&s, &w);
	UNIT_NEAR(s.end_level, 51.92476800295, 1e-12);
	UNIT_NEAR(s.end_slope, 1.35216463884, 1e-11);
	nn_smoothing_forecast(&s, &w, 0, 6, out);
	check_values(out, forecast, 6, 1e-11);
	nn_smoothing_forecast(&s, &w, 4, 2, out);
	check_values(out, forecast + 4, 2, 1e-11);
}

/*
 * ets(ts(quarters, frequency = 4), "MAM", damped = TRUE, alpha = .4, beta = .1, gamma =
 * .2, phi = .9): initial states from $initstate, the last row of $states, and the mean
 * square of y - fitted().  Errors that are relative change R's likelihood only.
 */
static void
multiplicative_recursion_is_that_of_r(void)
{
	static const double begin[] = {
		1.120640699589, 0.779130381166, 1.014221134705, 1.086007784540
	};
	static const double end[] = {1.14339960242, 0.795422024855, 1.03660462412, 1.11755838138};
	const NnSmoothingWeights w = {.alpha = 0.4,.beta = 0.1,.gamma = 0.2,.phi = 0.9};
	NnSmoothing s = smoothing_of(quarters, 24, 4, true, true);
	double		out[1];

	s.level = 25.175598882078;
	s.slope = 1.276160951025;
	memcpy(s.pattern, begin, sizeof(begin));
	UNIT_NEAR(nn_smoothing_run(&s, &w), 1.24963211149, 1e-9);
	UNIT_NEAR(s.end_level, 51.3546104847, 1e-10);
	UNIT_NEAR(s.end_slope, 1.01745278255, 1e-10);
	check_values(s.state, end, 4, 1e-10);
	nn_smoothing_forecast(&s, &w, 0, 1, out);
	UNIT_NEAR(out[0], (51.3546104847 + 0.9 * 1.01745278255) * 1.14339960242, 1e-10);
}

/* ses(quarters): $model$par, $model$mse and the last of $model$states. */
static void
simple_smoothing_is_that_of_r(void)
{
	double		level;
	double		alpha = nn_ses_fit(unit_env(), quarters, 24);

	UNIT_NEAR(nn_ses_run(quarters, 24, 0.374148927041, &level), 48.3468601418, 1e-6);
	UNIT_NEAR(level, 51.7107101972, 1e-5);
	UNIT_NEAR(alpha, 0.374148927041, 1e-3);
	UNIT_CHECK(nn_ses_run(quarters, 24, alpha, &level) < 48.34687);
}

/* The initial level of simple smoothing is the best: no other does better. */
static void
simple_smoothing_begins_best(void)
{
	double		level,
				best = nn_ses_run(quarters, 24, 0.2, &level);

	for (int i = -3; i <= 3; i++)
	{
		double		current = 25.0 + i,
					squares = 0.0;

		for (int t = 0; t < 24; t++)
		{
			squares += (quarters[t] - current) * (quarters[t] - current);
			current += 0.2 * (quarters[t] - current);
		}
		UNIT_CHECK(squares / 24 >= best);
	}
	UNIT_NEAR(nn_ses_run(quarters, 1, 0.3, &level), 0, 0);
	UNIT_NEAR(level, 30, 1e-14);
}

/* So do Holt's level and slope: better than any beside them, exact where one recursion is. */
static void
trend_begins_best(void)
{
	const NnSmoothingWeights w = {.alpha = 0.3,.beta = 0.1,.gamma = 0.0,.phi = 0.9};
	NnSmoothing s = smoothing_of(quarters, 24, 1, false, true);
	double		line[24],
				best;

	smoothing_begin(&s);
	best = nn_smoothing_run(&s, &w);
	for (int i = 0; i < 25 * 25; i++)
	{
		double		level = 20 + i % 25,
					slope = -3 + i / 25 * 0.25,
					squares = 0.0;

		for (int t = 0; t < 24; t++)
		{
			double		base = level + w.phi * slope;
			double		error = quarters[t] - base;

			squares += error * error;
			level = base + w.alpha * error;
			slope = w.phi * slope + w.beta * error;
		}
		UNIT_CHECK(squares / 24 >= best);
	}
	for (int t = 0; t < 24; t++)
		line[t] = 10 * pow(0.9, t);
	s.y = line;
	UNIT_NEAR(nn_smoothing_run(&s, &w), 0, 1e-20);
}

/* Weights within their ranges, and no worse than those of a fine grid. */
static void
search_beats_a_grid(void)
{
	for (int kind = 0; kind < 4; kind++)
	{
		NnSmoothing s = smoothing_of(quarters, 24, 4, kind / 2 == 1, kind % 2 == 1);
		NnSmoothingWeights w;
		double		found;

		smoothing_begin(&s);
		w = nn_smoothing_fit(unit_env(), &s);
		found = nn_smoothing_run(&s, &w);
		UNIT_CHECK(w.alpha > 0 && w.alpha < 1 && w.beta > 0 && w.beta < w.alpha / 4);
		UNIT_CHECK(w.gamma > 0 && w.gamma < 1 - w.alpha);
		UNIT_CHECK(s.damped ? w.phi >= 0.8 && w.phi <= 0.98 : w.phi == 1.0);
		for (int i = 0; i < 11 * 11 * 11; i++)
		{
			double		a = 0.05 + 0.09 * (i % 11),
						g = 0.05 + 0.09 * (i / 121);
			NnSmoothingWeights at = {
				.alpha = a,.beta = a / 4 * (0.01 + 0.09 * (i / 11 % 11)),
				.gamma = (1 - a) * g,.phi = s.damped ? 0.95 : 1.0
			};

			UNIT_CHECK(found <= nn_smoothing_run(&s, &at) * 1.0001);
		}
	}
}

/* What a recursion made is found again: its weights, from 2,000 rows of noise. */
static void
search_finds_planted_weights(void)
{
	const double season[] = {2, -1, 3, -4};
	double	   *y = NN_NEW_ARRAY(unit_env(), double, 2000);
	double		state[4],
				level = 100,
				slope = 0.05;
	uint64_t	random = 7;
	NnSmoothing s = smoothing_of(y, 2000, 4, false, false);
	NnSmoothingWeights w;

	memcpy(state, season, sizeof(season));
	for (int t = 0; t < 2000; t++)
	{
		double		error = random_unit(&random) - 0.5;

		y[t] = level + slope + state[t % 4] + error;
		level += slope + 0.5 * error;
		slope += 0.01 * error;
		state[t % 4] += 0.2 * error;
	}
	smoothing_begin(&s);
	w = nn_smoothing_fit(unit_env(), &s);
	UNIT_NEAR(w.alpha, 0.5, 0.06);
	UNIT_NEAR(w.beta, 0.01, 0.01);
	UNIT_NEAR(w.gamma, 0.2, 0.05);
}

/* An unknown row is as if the forecast had come true. */
static void
unknown_rows_count_as_forecast(void)
{
	const NnSmoothingWeights w = {.alpha = 0.3,.beta = 0.05,.gamma = 0.2,.phi = 0.9};

	for (int kind = 0; kind < 2; kind++)
	{
		double		y[24],
					out[4],
					gap[4];
		NnSmoothing s = smoothing_of(y, 24, 4, kind == 1, true);

		memcpy(y, quarters, sizeof(y));
		smoothing_begin(&s);
		s.n = 12;
		nn_smoothing_run(&s, &w);
		nn_smoothing_forecast(&s, &w, 0, 3, y + 12);
		s.n = 24;
		nn_smoothing_run(&s, &w);
		nn_smoothing_forecast(&s, &w, 0, 4, out);
		y[12] = y[13] = y[14] = NAN;
		nn_smoothing_run(&s, &w);
		nn_smoothing_forecast(&s, &w, 0, 4, gap);
		check_values(gap, out, 4, 1e-12);
	}
}

static void
search_can_be_cancelled(void)
{
	NnSmoothing s = smoothing_of(quarters, 24, 4, true, true);

	smoothing_begin(&s);
	unit_host.poll_limit = 10;
	UNIT_FAILS(unit_env(), NN_BAD_VALUE, nn_smoothing_fit(unit_env(), &s));
	unit_host.poll_limit = 0;
	unit_host.npolls = 0;
	nn_smoothing_fit(unit_env(), &s);
	UNIT_CHECK(unit_host.npolls > 50 && unit_host.npolls < 240);
}

int
main(void)
{
	UNIT_RUN(decomposition_is_that_of_r);
	UNIT_RUN(decomposition_finds_what_was_planted);
	UNIT_RUN(line_skips_unknown_rows);
	UNIT_RUN(additive_recursion_is_that_of_r);
	UNIT_RUN(multiplicative_recursion_is_that_of_r);
	UNIT_RUN(simple_smoothing_is_that_of_r);
	UNIT_RUN(simple_smoothing_begins_best);
	UNIT_RUN(trend_begins_best);
	UNIT_RUN(search_beats_a_grid);
	UNIT_RUN(search_finds_planted_weights);
	UNIT_RUN(unknown_rows_count_as_forecast);
	UNIT_RUN(search_can_be_cancelled);
	return unit_finish();
}
