/*
 * network.h
 *		Specs from text and networks on made-up series, for the tests of plans,
 *		training and forecasting.
 */
#ifndef NETWORK_H
#define NETWORK_H

#include "core/nn_tile.h"
#include "core/nn_train.h"

#include "test_data.h"

/* Everything that training needs, on one set of series. */
typedef struct Job
{
	NnSpec	   *spec;
	const NnKernels *kernels;
	NnSeries   *series;
	NnPrep	   *prep;
	NnData	   *data;
	NnPlan	   *plan;
	NnWindow   *train, *validation;
	uint32_t	ntrain, nvalidation;
} Job;

UNIT_UNUSED static NnJson *
json_of(const char *text)
{
	return nn_json_parse(unit_env(), text, strlen(text), "options", NN_BAD_VALUE);
}

/* The spec of options, an object without its braces; a short form is not expanded. */
UNIT_UNUSED static NnSpec *
spec_parse(const char *options)
{
	NnSpec	   *spec = NN_NEW(unit_env(), NnSpec);

	nn_spec_parse(unit_env(), json_of(nn_format(unit_env(), "{%s}", options)), spec);
	return spec;
}

/* The same with its layers: for networks that do not depend on the numbers of columns and steps. */
UNIT_UNUSED static NnSpec *
spec_of(const char *options)
{
	NnSpec	   *spec = spec_parse(options);

	nn_spec_expand(unit_env(), spec);
	return spec;
}

UNIT_UNUSED static const char *
spec_text(const NnSpec *spec)
{
	NnText		text;

	nn_text_init(&text, unit_env());
	nn_spec_write(&text, spec);
	return text.data;
}

/*
 * Prepares series for spec, whose counts of columns and steps are set; the last
 * validation_split of each series' rows are the validation part.
 */
UNIT_UNUSED static Job *
job_create(NnSpec *spec, NnSeries *series)
{
	NnEnv	   *env = unit_env();
	Job		   *job = NN_NEW(env, Job);
	uint32_t   *zero = NN_NEW_ARRAY(env, uint32_t, series->nseries),
			   *cut = NN_NEW_ARRAY(env, uint32_t, series->nseries);

	for (uint32_t s = 0; s < series->nseries; s++)
		cut[s] = (uint32_t) (series->history[s] * (1 - spec->validation_split));
	job->spec = spec;
	job->kernels = nn_kernels_get(NULL);
	job->series = series;
	job->prep = nn_prep_fit(env, spec, series, cut);
	job->data = data_of(spec, job->prep, series);
	job->plan = nn_plan_build(env, spec, job->kernels, nn_tile_lanes(spec->batch_size));
	job->ntrain = nn_windows_list(env, job->data, zero, cut, 1, true, &job->train);
	job->nvalidation = nn_windows_list(env, job->data, cut, series->history, 1, true,
									   &job->validation);
	return job;
}

UNIT_UNUSED static NnTrainer *
job_trainer(const Job *job)
{
	return nn_trainer_create(unit_env(), job->spec, job->plan, job->kernels, job->data, job->train,
							 job->ntrain, job->validation, job->nvalidation);
}

/* One series of rows values around 10: a sine of period 12 in column 0. */
UNIT_UNUSED static NnSeries *
series_sine(uint32_t rows)
{
	NnSeries   *series = series_create(1, &rows, 1, 0);

	for (uint32_t t = 0; t < rows; t++)
		series->value[t] = 10 + 3 * sin(t * 6.28318530717958647693 / 12);
	return series;
}

/* Parameters bitwise equal? */
UNIT_UNUSED static bool
reals_equal(const nn_real *a, const nn_real *b, size_t n)
{
	return memcmp(a, b, n * sizeof(nn_real)) == 0;
}

#endif							/* NETWORK_H */
