/*
 * nn_model_write.c
 *		The bytes of a model.
 *
 * Knows which texts and tensors a model file has; nn_safetensors.c knows how a
 * file of them looks.  Everything is written in a fixed order and in canonical
 * JSON, so equal models give equal bytes.  Parameters are F32 whatever nn_real
 * is.  Cost: one pass over the numbers, and the file's length of memory.
 */
#include "core/nn_model_file.h"

#include <math.h>

#include "core/nn_member.h"

/* Elements written between two polls. */
#define POLL_ELEMENTS 65536

/* ------------------------------------------------------------------------
 * Texts
 */

static void
text_member(NnText *text, const char *key, const char *value)
{
	nn_json_key(text, key);
	nn_json_string(text, value);
}

static void
names_member(NnText *text, const char *key, char *const *names, uint32_t n)
{
	nn_json_key(text, key);
	nn_json_begin(text, '[');
	for (uint32_t i = 0; i < n; i++)
		nn_json_string(text, names[i]);
	nn_json_end(text, ']');
}

static void
number_member(NnText *text, const char *key, double value)
{
	nn_json_key(text, key);
	nn_json_number(text, value);
}

static void
integer_member(NnText *text, const char *key, uint64_t value)
{
	nn_json_key(text, key);
	nn_json_integer(text, (int64_t) value);
}

static void
report_write(NnText *text, const NnReport *report, uint32_t members)
{
	nn_json_begin(text, '{');
	integer_member(text, "epochs", report->nepochs);
	integer_member(text, "best_epoch", report->best_epoch);
	number_member(text, "train_loss", report->train_loss);
	number_member(text, "validation_loss", report->validation_loss);
	number_member(text, "baseline_loss", report->baseline_loss);
	number_member(text, "mae", report->mae);
	number_member(text, "baseline_mae", report->baseline_mae);
	number_member(text, "skill", report->skill);
	integer_member(text, "train_windows", report->train_windows);
	integer_member(text, "validation_windows", report->validation_windows);
	integer_member(text, "rows", report->rows);
	integer_member(text, "skipped_series", report->nskipped);
	names_member(text, "skipped", report->skipped,
				 report->nskipped < NN_MAX_SKIPPED ? report->nskipped : NN_MAX_SKIPPED);
	nn_json_key(text, "member_mae");
	nn_json_begin(text, '[');
	for (uint32_t m = 0; m < members; m++)
		nn_json_number(text, report->member_mae[m]);
	nn_json_end(text, ']');
	nn_json_key(text, "out_of_time");
	nn_json_bool(text, report->out_of_time);
	nn_json_end(text, '}');
}

/* One element for each static covariate: its words, or null. */
static void
categories_write(NnText *text, const NnModel *model)
{
	nn_json_key(text, "categories");
	nn_json_begin(text, '[');
	for (uint32_t k = 0; k < model->nstatic_columns; k++)
	{
		if (model->categories == NULL || model->categories[k].n == 0)
		{
			nn_json_null(text);
			continue;
		}
		nn_json_begin(text, '[');
		for (uint32_t i = 0; i < model->categories[k].n; i++)
			nn_json_string(text, model->categories[k].word[i]);
		nn_json_end(text, ']');
	}
	nn_json_end(text, ']');
}

static char *
data_text(const NnEnv *env, const NnModel *model)
{
	const NnSpec *spec = &model->spec;
	NnText		text;

	nn_text_init(&text, env);
	nn_json_begin(&text, '{');
	text_member(&text, "time_kind", nn_time_kind_words[model->time_kind]);
	text_member(&text, "frequency", nn_frequency_print(env, &model->frequency));
	text_member(&text, "zone", model->zone);
	text_member(&text, "time_column", model->time_column);
	text_member(&text, "trained_to", nn_format(env, "%lld", (long long) model->trained_to));
	names_member(&text, "target", model->target, spec->ntargets);
	names_member(&text, "past_covariates", model->past, spec->npast);
	names_member(&text, "future_covariates", model->future, spec->nfuture - nn_future_made(spec));
	names_member(&text, "static_covariates", model->statics, model->nstatic_columns);
	categories_write(&text, model);
	names_member(&text, "series_column", model->series_column, model->nseries_columns);
	names_member(&text, "series", model->series, model->nseries);
	nn_json_key(&text, "prep");
	nn_json_begin(&text, '{');
	integer_member(&text, "groups", model->prep->ngroups);
	integer_member(&text, "columns", model->prep->C);
	integer_member(&text, "statics", model->prep->Cs);
	nn_json_end(&text, '}');
	nn_json_key(&text, "interval");
	nn_json_begin(&text, '{');
	integer_member(&text, "steps", model->interval.steps);
	text_member(&text, "measure", nn_measure_name(model->interval.unit));
	nn_json_end(&text, '}');
	nn_json_key(&text, "report");
	report_write(&text, &model->report, nn_member_count(spec));
	nn_json_end(&text, '}');
	return text.data;
}

/* Where the series are, or NULL. */
static char *
sites_text(const NnEnv *env, const NnModel *model)
{
	const NnSites *sites = model->sites;
	NnText		text;

	if (sites == NULL)
		return NULL;
	nn_text_init(&text, env);
	nn_json_begin(&text, '{');
	nn_json_key(&text, "site");
	nn_json_begin(&text, '[');
	for (uint32_t s = 0; s < model->nseries; s++)
		nn_json_integer(&text, sites->site[s]);
	nn_json_end(&text, ']');
	text_member(&text, "column", sites->geom != NULL ? model->geom_column : "");
	nn_json_key(&text, "geography");
	nn_json_bool(&text, sites->geography);
	if (sites->geom != NULL)
		names_member(&text, "geom", sites->geom, model->nseries);
	else
	{
		nn_json_key(&text, "geom");
		nn_json_null(&text);
	}
	nn_json_end(&text, '}');
	return text.data;
}

static char *
spec_text(const NnEnv *env, const NnSpec *spec)
{
	NnText		text;

	nn_text_init(&text, env);
	nn_spec_write(&text, spec);
	return text.data;
}

/* ------------------------------------------------------------------------
 * Tensors
 */

static void
part_write(const NnEnv *env, const NnModel *model, const NnModelPart *part, uint8_t *bytes)
{
	const NnEpoch *epoch = model->report.epoch;
	const double *array = part->kind == NN_PART_PREP || part->kind == NN_PART_JOINT ?
		*nn_part_array(model, part) : NULL;
	const nn_real *params = model->params + part->offset;

	for (size_t i = 0; i < part->count; i++)
	{
		if (i % POLL_ELEMENTS == 0)
			env->poll(env->host);
		if (part->kind == NN_PART_PARAMS)
			nn_f32_put(bytes + i * 4, (float) params[i]);
		else if (array != NULL)
			nn_f64_put(bytes + i * 8, array[i]);
		else
		{
			const NnEpoch *e = &epoch[i / NN_EPOCH_COLUMNS];
			const double column[NN_EPOCH_COLUMNS] = {
				e->loss, e->validation_loss, e->learning_rate, e->gradient_norm
			};
			double		value = column[i % NN_EPOCH_COLUMNS];

			/* One NaN of the many, for equal bytes. */
			nn_f64_put(bytes + i * 8, isnan(value) ? (double) NAN : value);
		}
	}
}

/* What training could leave behind, in words about training. */
static void
params_reject_overflow(const NnEnv *env, const nn_real *params, const NnPlan *plan)
{
	for (uint32_t t = 0; t < plan->ntensors; t++)
	{
		const NnTensor *tensor = &plan->tensor[t];

		for (size_t i = 0; i < tensor->span.count; i++)
			if (!isfinite((float) params[tensor->span.offset + i]))
				nn_fail(env, NN_DIVERGED,
						nn_format(env, "training diverged: a parameter of \"%s\" is not a finite number",
								  tensor->name),
						"Use a smaller \"learning_rate\", or limit gradients with \"clip_norm\".");
	}
}

uint8_t *
nn_model_write(const NnEnv *env, const NnModel *model, size_t *length)
{
	const NnPlan *plan = nn_plan_build(env, &model->spec, nn_kernels_get("generic"), NN_LANES);
	const char *const metadata[][2] = {
		{"format", "lstm"},
		{"format_version", nn_format(env, "%d", NN_FORMAT_VERSION)},
		{"spec", spec_text(env, &model->spec)},
		{"data", data_text(env, model)},
		{"sites", sites_text(env, model)}
	};
	uint32_t	nmetadata = model->sites != NULL ? 5 : 4;
	NnModelPart *part;
	NnFileTensor *tensor;
	uint32_t	nparts;
	uint8_t    *bytes,
			   *data;

	if (model->nparams != plan->nparams)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "model has %zu parameters, but its network %zu", model->nparams,
						  plan->nparams), NULL);
	for (uint32_t i = 0; i < model->spec.ensemble_size; i++)
		params_reject_overflow(env, model->params + i * plan->nparams, plan);
	nn_model_check_sizes(env, model);
	nn_model_check_values(env, model, plan);

	part = nn_model_parts(env, model, plan, &nparts);
	tensor = NN_NEW_ARRAY(env, NnFileTensor, nparts);
	for (uint32_t i = 0; i < nparts; i++)
	{
		if (i > 0 && strcmp(part[i - 1].tensor.name, part[i].tensor.name) == 0)
			nn_fail(env, NN_BAD_VALUE,
					nn_format(env, "two layers of the network have a tensor \"%s\"",
							  part[i].tensor.name),
					"Give each layer a name of its own; \"output\" is taken.");
		tensor[i] = part[i].tensor;
	}
	bytes = nn_tensor_file_layout(env, metadata, nmetadata, tensor, nparts, NN_MAX_MODEL_BYTES, length,
								  &data);
	for (uint32_t i = 0; i < nparts; i++)
		part_write(env, model, &part[i], data + tensor[i].begin);
	return bytes;
}
