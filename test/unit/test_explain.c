/*
 * test_explain.c
 *		Attributions of forecasts, attacks, and training against attacks.
 *
 * Truth is planted: a linear network whose attributions are its weights times its
 * inputs; a target that many weak columns tell a little about and one strong column
 * tells enough.
 */
#include "core/nn_explain.h"
#include "core/nn_forecast.h"
#include "core/nn_rng.h"

#include "network.h"

/* A model of the job's network with these parameters (of several, one after the other). */
static NnModel *
model_of(const Job *job, nn_real *params)
{
	NnModel    *model = NN_NEW(unit_env(), NnModel);

	model->spec = *job->spec;
	model->prep = job->prep;
	model->nparams = job->plan->nparams;
	model->params = params;
	return model;
}

static nn_real *
params_random(const Job *job, uint32_t networks)
{
	nn_real    *params = NN_NEW_ARRAY(unit_env(), nn_real, networks * job->plan->nparams);

	for (uint32_t i = 0; i < networks; i++)
		nn_params_init(unit_env(), job->plan, i + 1, params + i * job->plan->nparams);
	return params;
}

static size_t
past_count(const Job *job)
{
	return (size_t) job->spec->context * job->spec->nsites * job->data->C;
}

static size_t
arrays_count(const Job *job)
{
	return (size_t) job->spec->narrays * job->spec->context * job->spec->nsites;
}

static NnAttribution
attribution_of(const Job *job)
{
	NnAttribution out = {
		.past = NN_NEW_ARRAY(unit_env(), double, past_count(job)),
		.future = NN_NEW_ARRAY(unit_env(), double, (size_t) job->spec->horizon *
							   job->spec->nsites * job->spec->nfuture + 1),
		.statics = NN_NEW_ARRAY(unit_env(), double, job->spec->nsites * job->spec->nstatic + 1),
		.arrays = NN_NEW_ARRAY(unit_env(), double, arrays_count(job) + 1)
	};

	return out;
}

static double
attribution_sum(const Job *job, const NnAttribution *a)
{
	double		sum = 0;

	for (size_t i = 0; i < past_count(job); i++)
		sum += a->past[i];
	for (size_t i = 0; i < arrays_count(job); i++)
		sum += a->arrays[i];
	for (size_t i = 0; i < (size_t) job->spec->horizon * job->spec->nfuture; i++)
		sum += a->future[i];
	for (size_t i = 0; i < job->spec->nstatic; i++)
		sum += a->statics[i];
	return sum;
}

static void
linear_networks_give_their_weights(void)
{
	NnSpec	   *spec = spec_of("\"layers\": [{\"type\": \"flatten\"}, {\"type\": \"dense\"}]");
	Job		   *job;
	NnExplainer *explainer;
	NnAttribution a;
	const nn_real *weight;

	spec->context = 5;
	spec->horizon = spec->forecast_horizon = 3;
	job = job_create(spec, series_sine(90));
	explainer = nn_explainer_create(unit_env(), model_of(job, params_random(job, 1)),
									job->kernels, 16);
	a = attribution_of(job);
	weight = explainer->model->params +
		job->plan->tensor[nn_plan_tensor(job->plan, "dense.weight")].span.offset;
	for (uint32_t h = 0; h < 3; h++)
	{
		const NnWindow *window = &job->train[20];

		nn_explain_forecast(explainer, job->data, window, h, 0, &a);
		UNIT_CHECK(a.exact && a.points == NN_EXPLAIN_FIRST_POINTS);
		for (uint32_t t = 0; t < 5; t++)
		{
			double		x = (double) job->data->x[window->origin - 4 + t];

			UNIT_NEAR(a.past[t], job->prep->scale[0] * (double) weight[h * 5 + t] * x, 1e-5);
		}
	}
}

/* All kinds of inputs and everything that is undone after the network. */
static void
attributions_add_up_on(const char *options, uint32_t networks)
{
	NnSpec	   *spec = spec_parse(options);
	const uint32_t rows[] = {70, 80};
	NnSeries   *series = series_create(2, rows, 4, 2);
	uint64_t	random = 5;
	Job		   *job;
	NnModel    *model;
	NnExplainer *explainer;
	NnForecaster *forecaster;
	NnAttribution a;
	double		point[6];

	series_randomise(series, &random, 0);
	for (uint32_t i = 0; i < 4; i++)
		((double *) series->statics)[i] = i;
	spec->context = 8;
	spec->horizon = spec->forecast_horizon = 3;
	spec->ntargets = 2;
	spec->npast = spec->nfuture = 1;
	spec->nstatic = 2;
	spec->ensemble_size = networks;
	nn_spec_expand(unit_env(), spec);
	job = job_create(spec, series);
	model = model_of(job, params_random(job, networks));
	explainer = nn_explainer_create(unit_env(), model, job->kernels, 32);
	forecaster = nn_forecaster_create(unit_env(), spec, job->kernels, model->params, 1, 3, 0);
	a = attribution_of(job);
	for (uint32_t h = 0; h < 3; h++)
		for (uint32_t k = 0; k < 2; k++)
		{
			nn_explain_forecast(explainer, job->data, &job->train[30], h, k, &a);
			UNIT_CHECK(a.exact);
			UNIT_CHECK(fabs(attribution_sum(job, &a) - (a.forecast - a.baseline)) <=
					   0.01 * fabs(a.forecast - a.baseline) + 1e-4 * job->prep->scale[k]);
			if (networks > 1)
				continue;
			nn_forecast(forecaster, job->data, &job->train[30], 1, 3, NULL, 0, point, NULL, NULL);
			UNIT_NEAR(a.forecast, point[h * 2 + k], 1e-4 * job->prep->scale[k]);
		}
}

static void
attributions_add_up(void)
{
	attributions_add_up_on("\"architecture\": \"lstm\", \"units\": 6", 1);
	attributions_add_up_on("\"architecture\": \"lstm\", \"units\": 6", 3);
	attributions_add_up_on("\"architecture\": \"gru\", \"units\": 6, \"scaling\": \"log1p\"", 1);
	attributions_add_up_on("\"architecture\": \"rnn\", \"units\": 6, \"difference\": 2", 1);
	attributions_add_up_on("\"architecture\": \"lstm\", \"units\": 4, \"loss\": \"quantile\", "
						   "\"dropout\": 0.4, \"recurrent_dropout\": 0.3", 1);
	attributions_add_up_on("\"architecture\": \"segment\", \"units\": 4, \"segment_length\": 2", 1);
	attributions_add_up_on("\"architecture\": \"encoder_decoder\", \"units\": 4", 1);
	attributions_add_up_on("\"architecture\": \"attention\", \"units\": 4", 1);
	attributions_add_up_on("\"architecture\": \"lstm\", \"units\": 4, \"missing\": \"mask\"", 1);
}

static void
attention_adds_up_to_one(void)
{
	NnSpec	   *spec = spec_parse("\"architecture\": \"attention\", \"units\": 4");
	Job		   *job;
	NnExplainer *explainer;
	uint32_t	found = 0;

	spec->context = 8;
	spec->horizon = spec->forecast_horizon = 3;
	spec->ensemble_size = 2;
	nn_spec_expand(unit_env(), spec);
	job = job_create(spec, series_sine(60));
	explainer = nn_explainer_create(unit_env(), model_of(job, params_random(job, 2)),
									job->kernels, 1);
	for (uint32_t i = 0; i < explainer->plan->nlayers; i++)
	{
		NnLook		look;
		double	   *weight;

		if (!nn_explain_look(explainer, i, 0, &look))
			continue;
		UNIT_CHECK(look.kind == NN_LOOK_STEPS);
		found++;
		weight = NN_NEW_ARRAY(unit_env(), double, (size_t) look.rows * look.columns);
		nn_explain_looks(explainer, job->data, &job->train[3], &look, 1, weight);
		for (uint32_t q = 0; q < look.rows; q++)
		{
			double		sum = 0;

			for (uint32_t k = 0; k < look.columns; k++)
				sum += weight[q * look.columns + k];
			UNIT_NEAR(sum, 1, 1e-5);
		}
	}
	UNIT_CHECK(found > 0);
}

/* ------------------------------------------------------------------------
 * Several sites
 */

#define SITES	3
#define SITE_ROWS 40

/* The same rows for a network of each series by itself, and of all together. */
static Job *
sites_job(uint32_t nsites)
{
	const uint32_t rows[SITES] = {SITE_ROWS, SITE_ROWS, SITE_ROWS};
	NnSpec	   *spec = spec_parse("\"architecture\": \"gru\", \"units\": 4, \"difference\": 1");
	NnSeries   *series = series_create(SITES, rows, 3, 1);
	uint64_t	random = 5;

	series_randomise(series, &random, 0);
	for (uint32_t s = 0; s < SITES; s++)
		((double *) series->statics)[s] = s;
	spec->context = 6;
	spec->horizon = spec->forecast_horizon = 2;
	spec->ntargets = 2;
	spec->nfuture = 1;
	spec->nstatic = 1;
	spec->nsites = nsites;
	nn_spec_expand(unit_env(), spec);
	return job_create(spec, series);
}

/* A network that does not look at neighbours owes them nothing, and the rest to the same rows. */
static void
sites_apart_owe_each_other_nothing(void)
{
	Job		   *one = sites_job(1),
			   *all = sites_job(SITES);
	NnExplainer *alone = nn_explainer_create(unit_env(), model_of(one, params_random(one, 1)),
											 one->kernels, 16),
			   *joint = nn_explainer_create(unit_env(), model_of(all, params_random(all, 1)),
											all->kernels, 16);
	NnAttribution a = attribution_of(one),
				b = attribution_of(all);
	uint32_t	C = one->data->C;

	for (uint32_t s = 0; s < SITES; s++)
	{
		NnWindow	window = {s, one->series->first[s] + 20};

		nn_explain_forecast(alone, one->data, &window, 1, 1, &a);
		nn_explain_forecast(joint, all->data, &window, 1, 1, &b);
		UNIT_NEAR(b.forecast, a.forecast, 1e-5);
		UNIT_NEAR(b.baseline, a.baseline, 1e-5);
		for (uint32_t t = 0; t < 6; t++)
			for (uint32_t q = 0; q < SITES; q++)
				for (uint32_t c = 0; c < C; c++)
					UNIT_NEAR(b.past[(t * SITES + q) * C + c], q == s ? a.past[t * C + c] : 0, 1e-5);
		for (uint32_t h = 0; h < 2; h++)
			for (uint32_t q = 0; q < SITES; q++)
				UNIT_NEAR(b.future[h * SITES + q], q == s ? a.future[h] : 0, 1e-5);
		for (uint32_t q = 0; q < SITES; q++)
			UNIT_NEAR(b.statics[q], q == s ? a.statics[0] : 0, 1e-5);
	}
}

/* Gradients of all windows of a time, more times than lanes. */
static void
gradients_of_sites_are_those_of_series(void)
{
	enum
	{
		TIMES = 20, N = TIMES * SITES, INPUTS = 6 * 3, VALUES = 2 * 2
	};
	Job		   *one = sites_job(1),
			   *all = sites_job(SITES);
	NnExplainer *alone = nn_explainer_create(unit_env(), model_of(one, params_random(one, 1)),
											 one->kernels, 48),
			   *joint = nn_explainer_create(unit_env(), model_of(all, params_random(all, 1)),
											all->kernels, 48);
	NnWindow	window[N];
	double		weight[N * VALUES],
				a[N * INPUTS],
				b[N * INPUTS];

	for (uint32_t i = 0; i < N; i++)
		window[i] = (NnWindow) {i % SITES, one->series->first[i % SITES] + 10 + i / SITES};
	for (uint32_t i = 0; i < N * VALUES; i++)
		weight[i] = i % 7 - 3.0;
	nn_explain_past(alone, one->data, window, N, weight, a);
	nn_explain_past(joint, all->data, window, N, weight, b);
	for (uint32_t i = 0; i < N * INPUTS; i++)
		UNIT_NEAR(b[i], a[i], 1e-4 * fmax(1, fabs(a[i])));
}

/* ------------------------------------------------------------------------
 * Attacks
 */

#define WEAK 100

/* The target tells nothing about itself; column 1 shows the next one with noise, others a trace of it. */
static NnSeries *
series_weak(uint32_t rows)
{
	NnSeries   *series = series_create(1, &rows, 2 + WEAK, 0);

	for (uint32_t t = 0; t < rows; t++)
	{
		double	   *row = series->value + (size_t) t * series->C,
					next = nn_rng_normal(7, 1, 0, t + 1);

		row[0] = nn_rng_normal(7, 1, 0, t);
		row[1] = next + 0.6 * nn_rng_normal(7, 2, 0, t);
		for (uint32_t c = 0; c < WEAK; c++)
			row[2 + c] = 0.1 * next + nn_rng_normal(7, 3 + c, 0, t);
	}
	return series;
}

/* Mean |error| of the validation windows with every past value moved by epsilon against it. */
static double
attacked_error(const Job *job, NnTrainer *trainer, double epsilon)
{
	NnModel    *model = model_of(job, trainer->params);
	NnExplainer *explainer = nn_explainer_create(unit_env(), model, job->kernels, 48);
	NnForecaster *forecaster = nn_forecaster_create(unit_env(), job->spec, job->kernels,
													 trainer->params, 48, 1, 0);
	uint32_t	n = job->nvalidation,
				C = job->data->C;
	double	   *point = NN_NEW_ARRAY(unit_env(), double, n),
			   *weight = NN_NEW_ARRAY(unit_env(), double, n),
			   *gradient = NN_NEW_ARRAY(unit_env(), double, (size_t) n * C),
				sum = 0;

	nn_forecast(forecaster, job->data, job->validation, n, 1, NULL, 0, point, NULL, NULL);
	for (uint32_t i = 0; i < n; i++)
		weight[i] = point[i] < job->series->value[(job->validation[i].origin + 1) * C] ? -1 : 1;
	nn_explain_past(explainer, job->data, job->validation, n, weight, gradient);
	/* The context is one row, so that each window has rows of its own. */
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t c = 0; c < C; c++)
		{
			double		slope = gradient[(size_t) i * C + c];

			job->data->x[(size_t) job->validation[i].origin * C + c] +=
				(nn_real) (epsilon * ((slope > 0) - (slope < 0)));
		}
	nn_forecast(forecaster, job->data, job->validation, n, 1, NULL, 0, point, NULL, NULL);
	for (uint32_t i = 0; i < n; i++)
	{
		sum += fabs(point[i] - job->series->value[(job->validation[i].origin + 1) * C]) / n;
		for (uint32_t c = 0; c < C; c++)
		{
			double		slope = gradient[(size_t) i * C + c];

			job->data->x[(size_t) job->validation[i].origin * C + c] -=
				(nn_real) (epsilon * ((slope > 0) - (slope < 0)));
		}
	}
	return sum;
}

/* Error under an attack less the error without. */
static double
attack_costs(const char *adversarial, double *clean)
{
	NnSpec	   *spec = spec_of(nn_format(unit_env(), "\"layers\": [{\"type\": \"flatten\"}, {\"type\": "
										 "\"dense\"}], \"epochs\": 30, "
										 "\"learning_rate\": 0.01, \"loss\": \"mae\"%s", adversarial));
	Job		   *job;
	NnTrainer  *trainer;

	spec->context = 1;
	spec->npast = 1 + WEAK;
	job = job_create(spec, series_weak(1000));
	trainer = job_trainer(job);
	nn_trainer_run(trainer);
	*clean = attacked_error(job, trainer, 0);
	return attacked_error(job, trainer, 0.3) - *clean;
}

static void
training_against_attacks_halves_what_they_cost(void)
{
	double		plain_clean,
				hardened_clean,
				plain = attack_costs("", &plain_clean),
				hardened = attack_costs(", \"adversarial\": {\"epsilon\": 0.3}", &hardened_clean);

	UNIT_CHECK(plain > 0.2);	/* the attack works */
	UNIT_CHECK(hardened < 0.5 * plain);
	UNIT_CHECK(hardened_clean < 1.3 * plain_clean);
}

int
main(void)
{
	UNIT_RUN(linear_networks_give_their_weights);
	UNIT_RUN(attributions_add_up);
	UNIT_RUN(attention_adds_up_to_one);
	UNIT_RUN(sites_apart_owe_each_other_nothing);
	UNIT_RUN(gradients_of_sites_are_those_of_series);
	UNIT_RUN(training_against_attacks_halves_what_they_cost);
	return unit_finish();
}
