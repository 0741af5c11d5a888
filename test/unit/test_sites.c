/*
 * test_sites.c
 *		Windows of all sites at once: a network that does not look at its neighbours
 *		must learn and forecast as it does with one series at a time.
 */
#include "core/nn_forecast.h"

#include "network.h"

#define SERIES 3
#define ROWS 60
#define AHEAD 8

/* Series on one axis, with gaps; the last AHEAD rows hold future covariates only. */
static Job *
sites_job(const char *options, uint32_t nsites, double gaps)
{
	NnEnv	   *env = unit_env();
	Job		   *job = NN_NEW(env, Job);
	uint32_t	rows[SERIES] = {ROWS, ROWS, ROWS},
				train[SERIES] = {ROWS - AHEAD, ROWS - AHEAD, ROWS - AHEAD};
	uint64_t	random = 11;

	job->spec = spec_parse(options);
	job->spec->ntargets = 2;
	job->spec->npast = 0;
	job->spec->nfuture = 1;
	job->spec->nstatic = 1;
	job->spec->context = 7;
	job->spec->horizon = job->spec->forecast_horizon = 3;
	job->spec->nsites = nsites;
	job->spec->grid_rows = nsites > SERIES ? 2 : 0;
	nn_spec_expand(env, job->spec);
	job->series = series_create(SERIES, rows, 3, 1);
	series_randomise(job->series, &random, gaps);
	for (uint32_t s = 0; s < SERIES; s++)
	{
		((uint32_t *) job->series->history)[s] = ROWS - AHEAD;
		for (uint32_t t = 0; t < ROWS; t++)
		{
			double	   *value = &job->series->value[(size_t) (job->series->first[s] + t) * 3];

			value[2] = isnan(value[2]) ? 1 : value[2];
			if (t >= ROWS - AHEAD)
				value[0] = value[1] = NAN;
		}
	}
	job->prep = nn_prep_fit(env, job->spec, job->series, train);
	job->data = data_of(job->spec, job->prep, job->series);
	job->kernels = nn_kernels_get(NULL);
	job->plan = nn_plan_build(env, job->spec, job->kernels, 16);
	return job;
}

/* Series 2, 0, 1 at sites 0, 3, 1 of a grid of 2 x 2; nobody at site 2. */
static void
sites_scatter(NnSeries *series)
{
	static const uint32_t site[SERIES] = {3, 1, 0},
				at_site[4] = {2, 1, UINT32_MAX, 0};

	series->site = site;
	series->at_site = at_site;
}

static nn_real *
params_of(const Job *job)
{
	nn_real    *params = NN_NEW_ARRAY(unit_env(), nn_real, job->plan->nparams);

	nn_params_init(unit_env(), job->plan, 3, params);
	return params;
}

/* All windows, series after series: not the order in which sites are forecast. */
static uint32_t
windows_of(const Job *job, NnWindow *windows)
{
	uint32_t	n = 0;

	for (uint32_t s = 0; s < SERIES; s++)
		for (uint32_t row = 10; row < ROWS - AHEAD; row += 1 + (row + s) % 3)
			windows[n++] = (NnWindow) {s, job->series->first[s] + row};
	return n;
}

static double *
forecasts_of(const Job *job, uint32_t horizon, uint32_t n, const NnWindow *windows)
{
	static const double level[] = {0.8};
	NnEnv	   *env = unit_env();
	size_t		values = (size_t) n * horizon * 2;
	double	   *out = NN_NEW_ARRAY(env, double, 3 * values);
	NnForecaster *forecaster = nn_forecaster_create(env, job->spec, job->kernels, params_of(job), 48,
													horizon, 1);

	nn_forecast(forecaster, job->data, windows, n, horizon, level, 1, out, out + values,
				out + 2 * values);
	return out;
}

static void
compare_forecasts(const char *options, uint32_t horizon, bool scattered)
{
	Job		   *one = sites_job(options, 1, 0.15),
			   *all = sites_job(options, scattered ? 4 : SERIES, 0.15);
	NnWindow   *windows = NN_NEW_ARRAY(unit_env(), NnWindow, SERIES * ROWS);
	uint32_t	n = windows_of(one, windows);
	double	   *expected,
			   *found;

	if (scattered)
		sites_scatter(all->series);
	UNIT_INTEGER(all->plan->nparams, one->plan->nparams);
	expected = forecasts_of(one, horizon, n, windows);
	found = forecasts_of(all, horizon, n, windows);
	for (size_t v = 0; v < (size_t) 3 * n * horizon * 2; v++)
		UNIT_NEAR(found[v], expected[v], 1e-5 * (1 + fabs(expected[v])));
}

static const char *const plain = "\"layers\": ["
	"{\"type\": \"lstm\", \"units\": 5}, {\"type\": \"dense\"}]";
static const char *const quantiles = "\"loss\": \"quantile\", \"layers\": ["
	"{\"type\": \"gru\", \"units\": 4}, {\"type\": \"dense\", \"units\": 3, \"activation\": \"tanh\"},"
	"{\"type\": \"dense\"}, {\"type\": \"residual\"}]";
static const char *const masked = "\"missing\": \"mask\", \"layers\": ["
	"{\"type\": \"lstm\", \"units\": 5}, {\"type\": \"dense\"}]";

static void
forecasts_as_one_by_one(void)
{
	compare_forecasts(plain, 3, false);
	compare_forecasts(quantiles, 3, false);
	compare_forecasts(masked, 2, false);
}

static void
forecasts_beyond_the_horizon(void)
{
	compare_forecasts(plain, 7, false);
	compare_forecasts(quantiles, 8, true);
	compare_forecasts(masked, 7, true);
}

static void
forecasts_of_scattered_sites(void)
{
	compare_forecasts(plain, 3, true);
	compare_forecasts(quantiles, 1, true);
}

/* Asked one by one, in another order, and twice, the answers are the same bits. */
static void
order_of_windows_does_not_matter(void)
{
	Job		   *job = sites_job(quantiles, SERIES, 0.1);
	NnWindow   *windows = NN_NEW_ARRAY(unit_env(), NnWindow, SERIES * ROWS);
	uint32_t	n = windows_of(job, windows);
	double	   *all = forecasts_of(job, 4, n, windows);

	for (uint32_t i = 0; i < n; i += 5)
	{
		double	   *one = forecasts_of(job, 4, 1, windows + i);

		for (size_t v = 0; v < 8; v++)
			for (size_t part = 0; part < 3; part++)
				UNIT_INTEGER(one[part * 8 + v] == all[(part * n + i) * 8 + v], 1);
	}
}

/* The mean loss of the times is that of the windows, one series at a time. */
static void
loss_is_the_mean_over_sites(void)
{
	double		loss[2];

	for (int sites = 0; sites < 2; sites++)
	{
		NnEnv	   *env = unit_env();
		Job		   *job = sites_job(plain, sites ? SERIES : 1, 0.2);
		uint32_t	from[SERIES] = {0},
					to[SERIES] = {ROWS - AHEAD, ROWS - AHEAD, ROWS - AHEAD};
		uint32_t	n = nn_windows_list(env, job->data, from, to, 1, true, &job->train);
		NnTrainer  *trainer = nn_trainer_create(env, job->spec, job->plan, job->kernels, job->data,
												job->train, n, NULL, 0);

		if (sites)
			UNIT_INTEGER(n, ROWS - AHEAD - 7 - 3 + 1);
		loss[sites] = nn_trainer_loss(trainer, job->train, n);
	}
	UNIT_NEAR(loss[1], loss[0], 1e-5 * loss[0]);
}

/* With sites the first series' windows are all of them: so much memory is taken. */
static void
windows_are_listed_once(void)
{
	uint32_t	from[SERIES] = {0},
				to[SERIES] = {ROWS, ROWS, ROWS};

	for (uint32_t sites = 1; sites <= SERIES; sites += SERIES - 1)
	{
		Job		   *job = sites_job(plain, sites, 0);
		size_t		before = unit_host.nbytes;
		uint32_t	n = nn_windows_list(unit_env(), job->data, from, to, 1, false, &job->train);

		UNIT_INTEGER(n, (SERIES + 1 - sites) * (ROWS - 7 - 3 + 1));
		UNIT_CHECK(unit_host.nbytes - before <= (SERIES + 1 - sites) * (ROWS + 9) * sizeof(NnWindow));
	}
}

/* A forecast beyond the horizon can be cancelled at every site of every step. */
static void
sites_poll(void)
{
	Job		   *job = sites_job(plain, SERIES, 0);
	NnWindow	window = {0, ROWS - AHEAD - 1};
	double		point[7 * 2];
	NnForecaster *forecaster = nn_forecaster_create(unit_env(), job->spec, job->kernels, params_of(job),
													1, 7, 0);
	size_t		polls[2];

	for (uint32_t far = 0; far < 2; far++)
	{
		size_t		before = unit_host.npolls;

		nn_forecast(forecaster, job->data, &window, 1, far ? 7 : 3, NULL, 0, point, NULL, NULL);
		polls[far] = unit_host.npolls - before;
	}
	/* Gathered and read; two blocks more are moved on row by row, too. */
	UNIT_CHECK(polls[0] > 10 * SERIES);
	UNIT_CHECK(polls[1] > 3 * polls[0]);
}

int
main(void)
{
	UNIT_RUN(windows_are_listed_once);
	UNIT_RUN(sites_poll);
	UNIT_RUN(forecasts_as_one_by_one);
	UNIT_RUN(forecasts_beyond_the_horizon);
	UNIT_RUN(forecasts_of_scattered_sites);
	UNIT_RUN(order_of_windows_does_not_matter);
	UNIT_RUN(loss_is_the_mean_over_sites);
	return unit_finish();
}
