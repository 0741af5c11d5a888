/*
 * test_model.c
 *		Models to bytes and back, and what a user is told about bad ones.
 *
 * test/fuzz/fuzz_model.c breaks files in every way; here are the layout, the
 * messages and the limits.
 */
#include "core/nn_model.h"
#include "core/nn_safetensors.h"

#include "unit.h"

/* A model with every kind of part: two targets, covariates, two groups. */
static NnModel *
model_make(void)
{
	static char *target[] = {"pm25", "Ozon \"O₃\""},
			   *past[] = {"dewp"},
			   *future[] = {"holiday"},
			   *statics[] = {"altitude"},
			   *series_column[] = {"station"},
			   *series[] = {"Graz", "Wien"};
	static const char options[] =
		"{\"units\": 3, \"bidirectional\": true, \"epochs\": 7, \"scale_by_series\": true,"
		" \"loss\": \"gaussian\", \"bounds\": [0, null], \"seed\": 9007199254740991}";
	NnEnv	   *env = unit_env();
	NnModel    *model = NN_NEW(env, NnModel);
	NnPrep	   *prep = model->prep = NN_NEW(env, NnPrep);
	double	  **arrays[] = {&prep->center, &prep->scale, &prep->low, &prep->high, &prep->mean};
	const NnPlan *plan;

	nn_spec_parse(env, nn_json_parse(env, options, strlen(options), "options", NN_BAD_VALUE),
				  &model->spec);
	model->spec.context = 6;
	model->spec.horizon = model->spec.forecast_horizon = 2;
	model->spec.ntargets = 2;
	model->spec.npast = model->spec.nfuture = model->spec.nstatic = 1;
	model->time_kind = NN_TIME_TIMESTAMPTZ;
	model->frequency = (NnFrequency) {NN_UNIT_MONTH, 3, true};
	model->zone = "Europe/Vienna";
	model->time_column = "ts";
	model->target = target;
	model->past = past;
	model->future = future;
	model->statics = statics;
	model->nstatic_columns = 1;
	model->nseries_columns = 1;
	model->series_column = series_column;
	model->nseries = 2;
	model->series = series;
	prep->ngroups = 2;
	prep->C = 4;
	prep->Cs = 1;
	for (int a = 0; a < 5; a++)
	{
		*arrays[a] = NN_NEW_ARRAY(env, double, 8);
		for (int i = 0; i < 8; i++)
			(*arrays[a])[i] = a + i / 3.0 + 0.1;
	}
	prep->low[0] = -INFINITY;
	prep->high[0] = INFINITY;
	prep->static_center = NN_NEW_ARRAY(env, double, 1);
	prep->static_scale = NN_NEW_ARRAY(env, double, 1);
	prep->static_scale[0] = 0.1;
	model->report = (NnReport) {.nepochs = 2, .best_epoch = 1, .train_loss = 1.0 / 3,
		.validation_loss = NAN, .baseline_loss = NAN, .mae = 2, .baseline_mae = 3, .skill = 1.0 / 3,
		.train_windows = 10, .validation_windows = 2, .rows = 1234567};
	model->report.epoch = NN_NEW_ARRAY(env, NnEpoch, 2);
	model->report.epoch[0] = (NnEpoch) {1, NAN, 0.001, 0.5};
	model->report.epoch[1] = (NnEpoch) {0.5, 0.25, 0.001, 0.1};
	nn_spec_expand(env, &model->spec);
	plan = nn_plan_build(env, &model->spec, nn_kernels_get("generic"), NN_LANES);
	model->nparams = plan->nparams;
	model->params = NN_NEW_ARRAY(env, nn_real, plan->nparams);
	nn_params_init(env, plan, 1, model->params);
	return model;
}

static void
models_come_back(void)
{
	NnEnv	   *env = unit_env();
	NnModel    *model = model_make();
	size_t		length,
				again_length;
	uint8_t    *bytes = nn_model_write(env, model, &length);
	NnModel    *read = nn_model_read(env, bytes, length);
	uint8_t    *again = nn_model_write(env, read, &again_length);

	UNIT_INTEGER(again_length, length);
	UNIT_CHECK(memcmp(bytes, again, length) == 0);
	UNIT_INTEGER(read->spec.seed, 9007199254740991);
	UNIT_INTEGER(read->spec.context, 6);
	UNIT_CHECK(read->spec.lower_bound == 0 && isnan(read->spec.upper_bound));
	UNIT_INTEGER(read->time_kind, NN_TIME_TIMESTAMPTZ);
	UNIT_INTEGER(read->frequency.unit, NN_UNIT_MONTH);
	UNIT_INTEGER(read->frequency.count, 3);
	UNIT_CHECK(read->frequency.month_end);
	UNIT_STRING(read->zone, "Europe/Vienna");
	UNIT_STRING(read->time_column, "ts");
	UNIT_STRING(read->target[1], "Ozon \"O₃\"");
	UNIT_STRING(read->past[0], "dewp");
	UNIT_STRING(read->future[0], "holiday");
	UNIT_STRING(read->statics[0], "altitude");
	UNIT_STRING(read->series_column[0], "station");
	UNIT_INTEGER(read->nseries, 2);
	UNIT_STRING(read->series[1], "Wien");
	UNIT_INTEGER(read->report.rows, 1234567);
	UNIT_INTEGER(read->report.best_epoch, 1);
	UNIT_CHECK(read->report.train_loss == 1.0 / 3 && isnan(read->report.validation_loss));
	UNIT_CHECK(isnan(read->report.epoch[0].validation_loss));
	UNIT_CHECK(read->report.epoch[1].gradient_norm == 0.1);
	for (int i = 0; i < 8; i++)
	{
		UNIT_CHECK(read->prep->center[i] == model->prep->center[i]);
		UNIT_CHECK(read->prep->scale[i] == model->prep->scale[i]);
		UNIT_CHECK(read->prep->low[i] == model->prep->low[i]);
		UNIT_CHECK(read->prep->high[i] == model->prep->high[i]);
		UNIT_CHECK(read->prep->mean[i] == model->prep->mean[i]);
	}
	UNIT_CHECK(read->prep->static_scale[0] == 0.1);
	UNIT_INTEGER(read->nparams, model->nparams);
	for (size_t i = 0; i < model->nparams; i++)
		UNIT_CHECK(read->params[i] == (nn_real) (float) model->params[i]);
}

/* The same with two networks, simple members, weights and intervals. */
static NnModel *
joint_make(void)
{
	static const double weights[] = {0.625, 0.125, 0.25};
	NnEnv	   *env = unit_env();
	NnModel    *model = model_make();
	size_t		cells = 4,
				widths = (size_t) 2 * 2 * NN_INTERVAL_POINTS;
	nn_real    *params = NN_NEW_ARRAY(env, nn_real, 2 * model->nparams);

	model->spec.ensemble_size = 2;
	model->spec.members = NN_MEMBER_NETWORK | 2u << NN_CLASSIC_NAIVE | 2u << NN_CLASSIC_HOLT_WINTERS;
	for (size_t i = 0; i < 2 * model->nparams; i++)
		params[i] = (nn_real) (i % 1000) / 512;
	model->params = params;
	model->weight = NN_NEW_ARRAY(env, double, 3);
	memcpy(model->weight, weights, sizeof(weights));
	model->classic[NN_CLASSIC_HOLT_WINTERS] = NN_NEW_ARRAY(env, double, cells * 4);
	for (size_t i = 0; i < cells * 4; i++)
		model->classic[NN_CLASSIC_HOLT_WINTERS][i] = 0.9 - 0.1 * (double) (i % 4) - 0.01 * (double) i;
	model->interval.steps = 2;
	model->interval.unit = NN_MEASURE_HEAD;
	model->interval.width = NN_NEW_ARRAY(env, double, widths);
	for (size_t i = 0; i < widths; i++)
		model->interval.width[i] = (double) (i % NN_INTERVAL_POINTS) / 3;
	model->report.member_mae[0] = 1.0 / 3;
	model->report.member_mae[1] = NAN;
	model->report.member_mae[2] = 2;
	model->report.out_of_time = true;
	model->trained_to = INT64_MIN;
	return model;
}

static void
joint_models_come_back(void)
{
	NnEnv	   *env = unit_env();
	NnModel    *model = joint_make();
	size_t		length,
				again_length;
	uint8_t    *bytes = nn_model_write(env, model, &length);
	NnModel    *read = nn_model_read(env, bytes, length);
	uint8_t    *again = nn_model_write(env, read, &again_length);
	NnTensorFile *file = nn_tensor_file_read(env, bytes, length);
	uint32_t	second = 0;

	UNIT_INTEGER(again_length, length);
	UNIT_CHECK(memcmp(bytes, again, length) == 0);
	UNIT_INTEGER(read->spec.ensemble_size, 2);
	UNIT_INTEGER(read->spec.members, model->spec.members);
	UNIT_CHECK(memcmp(read->weight, model->weight, 3 * sizeof(double)) == 0);
	UNIT_CHECK(memcmp(read->classic[NN_CLASSIC_HOLT_WINTERS], model->classic[NN_CLASSIC_HOLT_WINTERS],
					  16 * sizeof(double)) == 0);
	UNIT_CHECK(read->classic[NN_CLASSIC_NAIVE] == NULL && read->classic[NN_CLASSIC_AR] == NULL);
	UNIT_INTEGER(read->interval.steps, 2);
	UNIT_INTEGER(read->interval.unit, NN_MEASURE_HEAD);
	UNIT_CHECK(memcmp(read->interval.width, model->interval.width,
					  sizeof(double) * 4 * NN_INTERVAL_POINTS) == 0);
	UNIT_CHECK(read->report.member_mae[0] == 1.0 / 3 && isnan(read->report.member_mae[1]) &&
			   read->report.member_mae[2] == 2);
	UNIT_CHECK(read->report.out_of_time);
	UNIT_CHECK(read->trained_to == INT64_MIN);
	UNIT_INTEGER(read->nparams, model->nparams);
	for (size_t i = 0; i < 2 * model->nparams; i++)
		UNIT_CHECK(read->params[i] == model->params[i]);
	for (uint32_t i = 0; i < file->ntensors; i++)
		second += strncmp(file->tensor[i].name, "ensemble/2/", 11) == 0;
	UNIT_CHECK(second > 0);
}

/* The layout as other programs rely on it. */
static void
bytes_are_safetensors(void)
{
	NnEnv	   *env = unit_env();
	NnModel    *model = model_make();
	size_t		length;
	uint8_t    *bytes = nn_model_write(env, model, &length);
	uint64_t	nheader = nn_u64_get(bytes);
	NnTensorFile *file = nn_tensor_file_read(env, bytes, length);
	uint64_t	at = 0;

	UNIT_INTEGER(nheader % 8, 0);
	UNIT_CHECK(bytes[8] == '{');
	UNIT_STRING(nn_json_member(file->metadata, "format")->string, "lstm");
	UNIT_STRING(nn_json_member(file->metadata, "format_version")->string, "1");
	UNIT_STRING(file->tensor[0].name, "log.epochs");
	for (uint32_t i = 0; i < file->ntensors; i++)
	{
		const NnFileTensor *tensor = &file->tensor[i];
		bool		is_number = strncmp(tensor->name, "prep.", 5) == 0 ||
			strncmp(tensor->name, "log.", 4) == 0;

		UNIT_INTEGER(tensor->begin, at);
		UNIT_INTEGER(tensor->dtype, is_number ? NN_DTYPE_F64 : NN_DTYPE_F32);
		if (i > 0 && tensor->dtype == file->tensor[i - 1].dtype)
			UNIT_CHECK(strcmp(file->tensor[i - 1].name, tensor->name) < 0);
		if (strcmp(tensor->name, "prep.static_scale") == 0)
		{
			/* 0.1 in little-endian bytes */
			static const uint8_t tenth[] = {0x9a, 0x99, 0x99, 0x99, 0x99, 0x99, 0xb9, 0x3f};

			UNIT_CHECK(memcmp(file->data + tensor->begin, tenth, 8) == 0);
		}
		at = tensor->end;
	}
	UNIT_INTEGER(8 + nheader + at, length);
}

static void
equal_models_have_equal_bytes(void)
{
	size_t		length[2];
	uint8_t    *bytes[2];
	NnModel    *model[2] = {model_make(), model_make()};

	/* NaN has many faces. */
	model[1]->report.epoch[0].validation_loss = -(double) NAN;
	for (int i = 0; i < 2; i++)
		bytes[i] = nn_model_write(unit_env(), model[i], &length[i]);
	UNIT_INTEGER(length[0], length[1]);
	UNIT_CHECK(memcmp(bytes[0], bytes[1], length[0]) == 0);
}

/* Replaces text of the header by text of the same length. */
static void
bytes_replace(uint8_t *bytes, const char *from, const char *to)
{
	size_t		nheader = (size_t) nn_u64_get(bytes),
				n = strlen(from);

	UNIT_INTEGER(strlen(to), n);
	for (size_t i = 8; i + n <= 8 + nheader; i++)
		if (memcmp(bytes + i, from, n) == 0)
		{
			memcpy(bytes + i, to, n);
			return;
		}
	UNIT_FAILED("the header has no %s", from);
}

static void
bad_models_are_explained(void)
{
	static const struct
	{
		const char *from,
				   *to,
				   *message;
	}			cases[] = {
		{"\"format_version\":\"1\"", "\"format_version\":\"7\"",
		"model has format version 7, this build reads 1 to 1"},
		{"\"format\":\"lstm\"", "\"format\":\"mlst\"", "the file is not a model of this extension"},
		{"\"prep.mean\"", "\"prep.meat\"", "invalid model: tensor \"prep.mean\" is missing"},
		{"\"F32\"", "\"I32\"",
		"invalid model: tensor \"dense.bias\" is of type I32 instead of F32"},
		{"\\\"context\\\":6", "\\\"context\\\":0",
		"setting \"context\" is 0, outside of its range"},
		{"\\\"units\\\":3", "\\\"units\\\":2",
		"invalid model: tensor \"dense.weight\" is of shape 8 x 9 instead of 8 x 7"},
		{"\\\"Graz\\\"", "\\\"Zell\\\"", "invalid model: series \"Wien\" is out of order"},
		{"\\\"Graz\\\"", "\\\"Wien\\\"", "invalid model: series \"Wien\" is there twice"},
		{"quarter end", "quartet end", NULL},
		{"Vienna", "\"ienna", NULL},
	};
	NnEnv	   *env = unit_env();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		size_t		length;
		uint8_t    *bytes = nn_model_write(env, model_make(), &length);

		bytes_replace(bytes, cases[i].from, cases[i].to);
		UNIT_FAILS(env, NN_BAD_MODEL, nn_model_read(env, bytes, length));
		if (cases[i].message)
			UNIT_STRING(unit_host.message, cases[i].message);
		if (i == 0)
			UNIT_STRING(unit_host.hint, "Update the extension to read models of later versions.");
	}
}

static void
bad_numbers_are_named(void)
{
	NnEnv	   *env = unit_env();
	size_t		length;
	uint8_t    *bytes = nn_model_write(env, model_make(), &length);
	NnTensorFile *file = nn_tensor_file_read(env, bytes, length);
	const NnFileTensor *last = &file->tensor[file->ntensors - 1];

	nn_f32_put(bytes + length - 8, NAN);
	UNIT_FAILS(env, NN_BAD_MODEL, nn_model_read(env, bytes, length));
	UNIT_STRING(unit_host.message,
				nn_format(env, "invalid model: element %llu of tensor \"%s\" is not a finite number",
						  (unsigned long long) (last->end - last->begin) / 4 - 1, last->name));
}

/* What cannot be read is not written. */
static void
bad_models_are_not_written(void)
{
	NnEnv	   *env = unit_env();
	NnModel    *model = model_make();
	size_t		length;

	model->params[1] = (nn_real) INFINITY;
	UNIT_FAILS(env, NN_DIVERGED, nn_model_write(env, model, &length));
	UNIT_CHECK(unit_host.hint[0] != '\0');
	model = model_make();
	model->prep->scale[3] = 0;
	UNIT_FAILS(env, NN_BAD_MODEL, nn_model_write(env, model, &length));
	UNIT_STRING(unit_host.message,
				"invalid model: element 4 of tensor \"prep.scale\" is 0, not a scale above 0");
	model = model_make();
	model->nparams--;
	UNIT_FAILS(env, NN_BAD_VALUE, nn_model_write(env, model, &length));
	model = model_make();
	model->series[0] = "Wien";
	UNIT_FAILS(env, NN_BAD_MODEL, nn_model_write(env, model, &length));
	model->series[0] = "Graz";
}

static void
limits_hold(void)
{
	NnEnv	   *env = unit_env();
	size_t		length,
				huge = NN_MAX_HEADER_BYTES + 64;
	uint8_t    *bytes = nn_model_write(env, model_make(), &length);
	uint8_t    *zeros = calloc(huge, 1);
	NnFileTensor tensor = {.name = "t", .dtype = NN_DTYPE_F64, .ndim = 1, .dim = {1000}};
	uint8_t    *data;

	/* A header beyond the limit: refused before it is looked at. */
	nn_u64_put(zeros, NN_MAX_HEADER_BYTES + 1);
	zeros[8] = '{';
	UNIT_FAILS(env, NN_BAD_MODEL, nn_model_read(env, zeros, huge));
	UNIT_CHECK(strstr(unit_host.message, "above the limit of 100000000") != NULL);
	free(zeros);
	UNIT_FAILS(env, NN_TOO_LARGE, nn_model_read(env, bytes, NN_MAX_MODEL_BYTES + 1));

	/* A tree that would not fit into memory. */
	env->max_memory = 4096;
	UNIT_FAILS(env, NN_NO_MEMORY, nn_model_read(env, bytes, length));
	env->max_memory = (size_t) 1 << 30;

	/* 8,000 bytes and a header. */
	UNIT_FAILS(env, NN_TOO_LARGE,
			   nn_tensor_file_layout(env, NULL, 0, &tensor, 1, 8000, &length, &data));
	nn_tensor_file_layout(env, NULL, 0, &tensor, 1, 8200, &length, &data);
	UNIT_CHECK(length > 8000 && length <= 8200 && length % 8 == 0);
	tensor.dim[0] = UINT64_MAX / 8;
	UNIT_FAILS(env, NN_TOO_LARGE,
			   nn_tensor_file_layout(env, NULL, 0, &tensor, 1, 8000, &length, &data));
}

/* Reading and writing can be canceled at any poll. */
static void
polls_cancel(void)
{
	NnEnv	   *env = unit_env();
	NnModel    *model = model_make();
	size_t		length;
	uint8_t    *bytes = nn_model_write(env, model, &length);

	UNIT_CHECK(unit_host.npolls > 0);
	unit_host.npolls = 0;
	nn_model_read(env, bytes, length);
	UNIT_CHECK(unit_host.npolls > 2);
	unit_host.npolls = 0;
	unit_host.poll_limit = 2;
	UNIT_FAILS(env, NN_BAD_VALUE, nn_model_read(env, bytes, length));
	UNIT_STRING(unit_host.message, "canceled by the test");
}

int
main(void)
{
	UNIT_RUN(models_come_back);
	UNIT_RUN(joint_models_come_back);
	UNIT_RUN(bytes_are_safetensors);
	UNIT_RUN(equal_models_have_equal_bytes);
	UNIT_RUN(bad_models_are_explained);
	UNIT_RUN(bad_numbers_are_named);
	UNIT_RUN(bad_models_are_not_written);
	UNIT_RUN(limits_hold);
	UNIT_RUN(polls_cancel);
	return unit_finish();
}
