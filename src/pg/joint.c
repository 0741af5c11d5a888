/*
 * joint.c
 *		What is put around the networks: simple members, weights, intervals.
 *
 * In each fold the simple members are fitted on the rows before the cut, as the
 * network was, and forecast the same windows; so weights and widths come from rows
 * that none of them has seen.  Costs the members' fits once per fold and once more
 * on all rows, and their forecasts of the judged windows.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"

#include "core/nn_predict.h"
#include "core/nn_stats.h"
#include "pg/env.h"
#include "pg/joint.h"

/* Members below that weight cost more time than they are worth. */
#define LEAST_WEIGHT 0.05

/*
 * Pull of weights towards inverse errors.  Tried on the training parts of twelve
 * classic series, three origins each: 0.3 did better than 0.001 to 1, than the best
 * member alone and than equal weights (docs/accuracy.md).
 */
#define WEIGHT_PULL 0.3

typedef struct Joint
{
	const NnEnv *env;			/* for what only lasts for this call */
	const TrainingInput *input;
	const Trial *trial;
	NnModel    *model;
	uint32_t	M;				/* members */
	size_t		values;			/* n * steps * G */
	double	   *forecast;		/* [M][values], the networks' first */
	double	   *combined;		/* [values] */
	double	   *scale;			/* [values] of each value's error */
} Joint;

/* ------------------------------------------------------------------------
 * Members
 */

/* Forecasts of the simple members for the windows of one fold. */
static void
fold_members(const Joint *joint, const TrialFold *fold)
{
	const Trial *trial = joint->trial;
	size_t		per = (size_t) trial->steps * trial->G;
	CallMemory	memory = call_memory_begin();
	const NnEnv *env = env_create(memory.own);
	NnModel    *model = NN_NEW(env, NnModel);
	NnData	   *data = NN_NEW(env, NnData);
	NnPredictor *predictor;

	model->spec = *trial->spec;
	model->spec.ensemble_size = 1;
	model->nseries = joint->model->nseries;
	model->prep = trial->prep;
	model->nparams = trial->nparams;
	model->params = trial->params;
	nn_members_fit(env, &joint->input->data->series, fold->cut, model);
	data->spec = &model->spec;
	data->series = &joint->input->data->series;
	predictor = nn_predictor_create(env, model, env_kernels(), 64, trial->steps);
	for (uint32_t m = 1; m < joint->M && fold->n > 0; m++)
		nn_predict_member(predictor, data, trial->window + fold->first, fold->n, trial->steps, m,
						  joint->forecast + m * joint->values + fold->first * per, NULL);
	call_memory_end(memory);
}

/* Scale [values] of each value's error. */
static double *
scales_spread(const Joint *joint)
{
	const Trial *trial = joint->trial;
	size_t		per = (size_t) trial->steps * trial->G;
	double	   *scale = NN_NEW_ARRAY(joint->env, double, joint->values);

	for (size_t v = 0; v < joint->values; v++)
		scale[v] = trial->scale[v / per * trial->G + v % trial->G];
	return scale;
}

/* Takes members of next to no weight out of the model, unless the caller named them. */
static void
members_prune(Joint *joint)
{
	NnModel    *model = joint->model;
	uint32_t	kept = 1;
	double		sum = model->weight[0];

	if (nn_spec_given(joint->input->spec, "members"))
		return;
	for (uint32_t m = 1; m < joint->M; m++)
	{
		int			kind = nn_member_kind(joint->trial->spec, m);

		if (model->weight[m] < LEAST_WEIGHT)
		{
			model->spec.members &= ~NN_MEMBER(kind);
			continue;
		}
		memmove(joint->forecast + kept * joint->values, joint->forecast + m * joint->values,
				joint->values * sizeof(double));
		sum += model->weight[m];
		model->weight[kept++] = model->weight[m];
	}
	joint->M = kept;
	for (uint32_t m = 0; m < kept; m++)
		model->weight[m] /= sum;
}

static void
weights_choose(Joint *joint)
{
	const Trial *trial = joint->trial;
	NnModel    *model = joint->model;

	model->weight = NN_NEW_ARRAY(joint->env, double, joint->M);
	for (uint32_t f = 0; f < trial->nfolds; f++)
		fold_members(joint, &trial->fold[f]);
	nn_weights_fit(joint->env, joint->M, joint->values, joint->forecast, trial->actual, joint->scale,
				   WEIGHT_PULL, model->weight);
	members_prune(joint);
}

static void
members_combine(Joint *joint)
{
	for (size_t v = 0; v < joint->values; v++)
	{
		double		network = joint->forecast[v],
					sum = network;

		for (uint32_t m = 1; m < joint->M; m++)
		{
			double		member = joint->forecast[m * joint->values + v];

			if (!isnan(member))
				sum += joint->model->weight[m] * (member - network);
		}
		joint->combined[v] = sum;
	}
}

/* ------------------------------------------------------------------------
 * Figures
 */

/*
 * Mean absolute error of forecasts over values that are known to all; NaN when none is.
 * scale [values], or NULL, divides each error.
 */
static double
mean_error(const Joint *joint, const double *forecast, const double *scale)
{
	const Trial *trial = joint->trial;
	double		sum = 0;
	uint64		n = 0;

	for (size_t v = 0; v < joint->values; v++)
	{
		double		error = nn_stats_difference(trial->actual[v], forecast[v]);

		if (isnan(error) || isnan(trial->baseline[v]))
			continue;
		sum += scale ? error / scale[v] : error;
		n++;
	}
	return n > 0 ? sum / n : NAN;
}

static void
report_fill(const Joint *joint)
{
	NnReport   *report = &joint->model->report;

	report->mae = mean_error(joint, joint->combined, NULL);
	report->baseline_mae = mean_error(joint, joint->trial->baseline, NULL);
	report->scaled_skill = 1 - mean_error(joint, joint->combined, joint->scale) /
		mean_error(joint, joint->trial->baseline, joint->scale);
	report->skill = report->baseline_mae > 0 ? 1 - report->mae / report->baseline_mae : NAN;
	report->baseline_loss = joint->trial->n > 0 ? joint->trial->baseline_loss : NAN;
	for (uint32_t m = 0; m < joint->M; m++)
		report->member_mae[m] = mean_error(joint, joint->forecast + m * joint->values, NULL);
}

static void
intervals_fit(const NnEnv *env, const Joint *joint)
{
	const Trial *trial = joint->trial;
	NnErrors	errors = {trial->n, trial->steps, trial->G, NULL, trial->unit, trial->head};

	if (joint->model->spec.calibration == NN_CALIBRATION_NONE || trial->n == 0)
		return;
	errors.error = NN_NEW_ARRAY(joint->env, double, joint->values);
	for (size_t v = 0; v < joint->values; v++)
		errors.error[v] = trial->actual[v] - joint->combined[v];
	nn_interval_fit(env, &errors, &joint->model->interval);
}

void
joint_fit(const NnEnv *env, const TrainingInput *input, const Trial *trial, NnModel *model)
{
	CallMemory	memory = call_memory_begin();
	Joint		joint = {.env = env_create(memory.own), .input = input, .trial = trial,
	.model = model, .M = nn_member_count(&model->spec)};
	double	   *weight;

	joint.values = (size_t) trial->n * trial->steps * trial->G;
	joint.forecast = NN_NEW_ARRAY(joint.env, double, nn_size_mul(joint.env, joint.values, joint.M));
	joint.combined = NN_NEW_ARRAY(joint.env, double, joint.values);
	joint.scale = scales_spread(&joint);
	if (joint.values > 0)
		memcpy(joint.forecast, trial->network, joint.values * sizeof(double));
	if (joint.M > 1)
		weights_choose(&joint);
	members_combine(&joint);
	report_fill(&joint);
	intervals_fit(env, &joint);
	weight = model->weight;
	model->weight = NULL;
	if (joint.M > 1)
	{
		model->weight = NN_NEW_ARRAY(env, double, joint.M);
		memcpy(model->weight, weight, joint.M * sizeof(double));
		nn_members_fit(env, &input->data->series, input->data->series.history, model);
	}
	call_memory_end(memory);
}
