/*
 * model_file.h
 *		Valid model files, taken apart, and the tools to change them.
 *
 * A file is its header as text and its data as bytes; what is changed in one is
 * made to agree in the other only where a function says so.
 *
 * For fuzz_model.c, which includes it once.
 */
#ifndef MODEL_FILE_H
#define MODEL_FILE_H

#include "core/nn_array.h"
#include "core/nn_graph.h"
#include "core/nn_model.h"
#include "core/nn_safetensors.h"

#include "unit.h"

#define MAX_HEADER 131072
#define MAX_DATA 65536
#define NBASES 6

typedef struct File
{
	size_t		nheader,
				ndata;
	char		header[MAX_HEADER]; /* NUL-terminated */
	uint8_t		data[MAX_DATA];
} File;

static File bases[NBASES];

/* ------------------------------------------------------------------------
 * Valid models
 */

static char **
names_make(const char *prefix, uint32_t n)
{
	char	  **names = NN_NEW_ARRAY(unit_env(), char *, n);

	for (uint32_t i = 0; i < n; i++)
		names[i] = nn_format(unit_env(), "%s%u", prefix, i);
	return names;
}

static double *
numbers_make(size_t n, double first)
{
	double	   *x = NN_NEW_ARRAY(unit_env(), double, n);

	for (size_t i = 0; i < n; i++)
		x[i] = first + (double) i / 8;
	return x;
}

static void
prep_make(NnModel *model)
{
	const NnSpec *spec = &model->spec;
	NnPrep	   *prep = model->prep = NN_NEW(unit_env(), NnPrep);
	size_t		n;

	prep->ngroups = spec->scale_by_series ? model->nseries : 1;
	prep->C = spec->ntargets + spec->npast + spec->nfuture;
	prep->Cs = spec->nstatic;
	n = (size_t) prep->ngroups * prep->C;
	prep->center = numbers_make(n, -1);
	prep->scale = numbers_make(n, 0.5);
	prep->mean = numbers_make(n, 0);
	prep->low = numbers_make(n, -10);
	prep->high = numbers_make(n, 10);
	prep->low[0] = -INFINITY;
	prep->high[0] = INFINITY;
	if (prep->Cs > 0)
	{
		prep->static_center = numbers_make(prep->Cs, 3);
		prep->static_scale = numbers_make(prep->Cs, 4);
	}
	if (spec->narrays > 0)
	{
		prep->array_center = numbers_make(nn_array_channels(spec), -2);
		prep->array_scale = numbers_make(nn_array_channels(spec), 1);
	}
}

static void
report_make(NnReport *report)
{
	report->nepochs = 2;
	report->epoch = NN_NEW_ARRAY(unit_env(), NnEpoch, 2);
	report->epoch[0] = (NnEpoch) {1.5, NAN, 0.001, 2};
	report->epoch[1] = (NnEpoch) {0.75, 0.875, 0.001, 1};
	report->train_loss = 0.75;
	report->validation_loss = 0.875;
	report->mae = report->skill = NAN;
	report->rows = 100;
	report->train_windows = 60;
}

/* Weights, parameters and widths that training could have left. */
static void
joint_make(NnModel *model)
{
	static const double weights[] = {0.5, 0.25, 0.25};
	size_t		cells = (size_t) model->nseries * model->spec.ntargets;

	model->weight = NN_NEW_ARRAY(unit_env(), double, 3);
	memcpy(model->weight, weights, sizeof(weights));
	model->classic[NN_CLASSIC_THETA] = NN_NEW_ARRAY(unit_env(), double, cells * 2);
	model->classic[NN_CLASSIC_AR] = NN_NEW_ARRAY(unit_env(), double, cells * 35);
	for (size_t i = 0; i < cells; i++)
	{
		model->classic[NN_CLASSIC_THETA][2 * i] = 0.5;
		model->classic[NN_CLASSIC_THETA][2 * i + 1] = i % 3;
		model->classic[NN_CLASSIC_AR][35 * i] = 2;
		model->classic[NN_CLASSIC_AR][35 * i + 3] = -0.5;
	}
	model->interval.steps = model->spec.forecast_horizon;
	model->interval.unit = NN_MEASURE_CHANGE;
	model->interval.width = numbers_make((size_t) model->interval.steps * model->spec.ntargets *
										 NN_INTERVAL_POINTS, 0.25);
}

/* The edges of every network, from sites 2, 3, 1, 2 to 1, 1, 2, 3. */
static void
graph_make(NnModel *model, const NnPlan *plan)
{
	static const uint32_t source[] = {1, 0, 2, 1},
				target[] = {2, 1, 0, 0};
	static const double weight[] = {0.5, 1, 2, 0.25};

	for (uint32_t i = 0; plan->nedges > 0 && i < model->spec.ensemble_size; i++)
		nn_graph_fill(unit_env(), plan, nn_graph_make(unit_env(), 3, 4, source, target, weight),
					  model->params + i * plan->nparams);
}

static NnModel *
model_make(int number)
{
	static const char *const options[NBASES] = {
		"{\"units\": 2, \"epochs\": 5}",
		"{\"architecture\": \"gru\", \"units\": 1, \"epochs\": 3, \"loss\": \"quantile\","
		" \"scale_by_series\": true, \"residual\": false}",
		"{\"layers\": [{\"type\": \"lstm\", \"units\": 1, \"peephole\": true, \"bidirectional\": true,"
		" \"name\": \"up\"}, {\"type\": \"dense\"}], \"epochs\": 9, \"missing\": \"mask\","
		" \"loss\": \"student_t\", \"optimizer\": \"sgd\", \"momentum\": 0.5, \"bounds\": [0, null],"
		" \"calendar\": [\"month\"], \"holidays\": \"days\", \"on_error\": \"skip\"}",
		"{\"units\": 1, \"epochs\": 4, \"ensemble_size\": 2, \"members\": [\"network\", \"theta\", \"ar\"]}",
		"{\"layers\": [{\"type\": \"graph\", \"units\": 1, \"hops\": 1}, {\"type\": \"last\"}],"
		" \"epochs\": 2, \"ensemble_size\": 2}",
		"{\"layers\": [{\"type\": \"gru\", \"units\": 1},"
		" {\"type\": \"lags\", \"lags\": [2, 1], \"inputs\": [\"v\"]},"
		" {\"type\": \"gru\", \"units\": 1, \"name\": \"w\"},"
		" {\"type\": \"conv2d\", \"units\": 1, \"inputs\": [\"image\"]}, {\"type\": \"flatten_grid\"},"
		" {\"type\": \"dense\", \"units\": 1}, {\"type\": \"last\"},"
		" {\"type\": \"fuse\", \"inputs\": [\"gru\", \"w\", \"last\"]}], \"epochs\": 2}"
	};
	NnEnv	   *env = unit_env();
	NnModel    *model = NN_NEW(env, NnModel);
	NnPlan	   *plan;

	nn_spec_parse(env, nn_json_parse(env, options[number], strlen(options[number]), "options",
									 NN_BAD_VALUE), &model->spec);
	model->spec.context = 4;
	model->spec.horizon = model->spec.forecast_horizon = 2;
	model->spec.npast = 1;
	model->nseries = 1;
	model->frequency = (NnFrequency) {NN_UNIT_MICROSECOND, NN_HOUR, false};
	model->zone = "Europe/Vienna";
	model->time_column = "ts";
	model->series = names_make("", 1);
	model->series[0] = "";
	if (number == 1)
	{
		model->spec.ntargets = 2;
		model->spec.nfuture = 1;
		model->spec.nstatic = 2;
		model->time_kind = NN_TIME_INTEGER;
		model->frequency = (NnFrequency) {NN_UNIT_INTEGER, 5, false};
		model->zone = "";
		model->nseries_columns = 1;
		model->series_column = names_make("id", 1);
		model->nseries = 3;
		model->series = names_make("s", 3);
		model->series[2] = "\xc3\xa9\"\\\n";
	}
	if (number == 2)
	{
		model->time_kind = NN_TIME_DATE;
		model->frequency = (NnFrequency) {NN_UNIT_MONTH, 1, true};
		/* One given future covariate and three made ones; a number and two words. */
		model->spec.nfuture = 4;
		model->spec.nstatic = 3;
		model->categories = NN_NEW_ARRAY(env, NnCategories, 2);
		model->categories[1] = (NnCategories) {2, names_make("w", 2)};
	}
	if (number == 3)
	{
		model->nseries_columns = 1;
		model->series_column = names_make("id", 1);
		model->nseries = 2;
		model->series = names_make("s", 2);
		model->report.out_of_time = true;
		model->report.member_mae[0] = NAN;
		model->report.member_mae[2] = 1.5;
		joint_make(model);
	}
	if (number == 4)
	{
		model->nseries_columns = 1;
		model->series_column = names_make("id", 1);
		model->nseries = model->spec.nsites = 3;
		model->series = names_make("s", 3);
		model->spec.nedges = 4;
		model->sites = NN_NEW(env, NnSites);
		model->sites->site = NN_NEW_ARRAY(env, uint32_t, 3);
		model->sites->site[1] = 1;
		model->sites->site[2] = 2;
		model->sites->geom = NN_NEW_ARRAY(env, char *, 3);
		for (uint32_t i = 0; i < 3; i++)
			model->sites->geom[i] = nn_format(env, "01010000000000%uA", i);
		model->geom_column = "place";
	}
	if (number == 5)
	{
		model->spec.narrays = 2;
		model->spec.array[0] = (NnArraySpec) {"v", 1, 1, 2};
		model->spec.array[1] = (NnArraySpec) {"image", 2, 3, 1};
	}
	model->nstatic_columns = model->spec.nstatic > 0 ? 2 : 0;
	model->target = names_make("y", model->spec.ntargets);
	model->past = names_make("x", model->spec.npast);
	model->future = names_make("f", model->spec.nfuture - nn_future_made(&model->spec));
	model->statics = names_make("c", model->nstatic_columns);
	prep_make(model);
	report_make(&model->report);
	if (number == 2)
	{
		model->report.nskipped = 2;
		model->report.skipped = names_make("bad", 2);
	}
	nn_spec_expand(env, &model->spec);
	plan = nn_plan_build(env, &model->spec, nn_kernels_get("generic"), NN_LANES);
	model->nparams = plan->nparams;
	model->params = NN_NEW_ARRAY(env, nn_real, plan->nparams * model->spec.ensemble_size);
	for (size_t i = 0; i < plan->nparams * model->spec.ensemble_size; i++)
		model->params[i] = (nn_real) i / 16 - 1;
	graph_make(model, plan);
	return model;
}

static void
bases_make(void)
{
	for (int i = 0; i < NBASES; i++)
	{
		File	   *base = &bases[i];
		size_t		length;
		uint8_t    *bytes = nn_model_write(unit_env(), model_make(i), &length);

		base->nheader = (size_t) nn_u64_get(bytes);
		base->ndata = length - 8 - base->nheader;
		memcpy(base->header, bytes + 8, base->nheader);
		base->header[base->nheader] = '\0';
		memcpy(base->data, bytes + 8 + base->nheader, base->ndata);
		UNIT_INTEGER(base->nheader % 8, 0);
	}
}

static void
file_copy(File *to, const File *from)
{
	to->nheader = from->nheader;
	to->ndata = from->ndata;
	memcpy(to->header, from->header, from->nheader + 1);
	memcpy(to->data, from->data, from->ndata);
}

/* ------------------------------------------------------------------------
 * Changing a file
 */

static void
header_splice(File *file, size_t at, size_t removed, const char *text)
{
	size_t		added = strlen(text);

	if (at + removed > file->nheader || file->nheader - removed + added >= MAX_HEADER)
		return;
	memmove(file->header + at + added, file->header + at + removed,
			file->nheader - at - removed + 1);
	memcpy(file->header + at, text, added);
	file->nheader += added - removed;
}

/* The first occurrence from on; it must be there, or the mutant is none. */
static size_t
header_find(const File *file, size_t from, const char *text)
{
	const char *found = strstr(file->header + from, text);

	if (found == NULL)
	{
		UNIT_FAILED("the header has no %s", text);
		return 0;
	}
	return (size_t) (found - file->header);
}

static void
header_replace(File *file, const char *from, const char *to)
{
	header_splice(file, header_find(file, 0, from), strlen(from), to);
}

/* Where the tensor's entry begins. */
static size_t
entry_find(const File *file, const char *name)
{
	char		key[128];

	snprintf(key, sizeof(key), "\"%s\":{\"dtype\"", name);
	return header_find(file, 0, key);
}

static void
entry_replace(File *file, const char *name, const char *from, const char *to)
{
	header_splice(file, header_find(file, entry_find(file, name), from), strlen(from), to);
}

static void
offsets_get(const File *file, const char *name, size_t *begin, size_t *end)
{
	size_t		at = header_find(file, entry_find(file, name), "\"data_offsets\":[");

	sscanf(file->header + at, "\"data_offsets\":[%zu,%zu]", begin, end);
}

/* Moves offsets by so many bytes: begins from there on, ends behind it. */
static void
offsets_shift(File *file, size_t from, long by)
{
	static const char key[] = "\"data_offsets\":[";
	size_t		at = 0;
	const char *found;

	while ((found = strstr(file->header + at, key)) != NULL)
	{
		size_t		begin,
					end;
		int			n = 0;
		char		text[64];

		at = (size_t) (found - file->header) + strlen(key);
		sscanf(file->header + at, "%zu,%zu%n", &begin, &end, &n);
		snprintf(text, sizeof(text), "%zu,%zu", begin >= from ? begin + (size_t) by : begin,
				 end > from ? end + (size_t) by : end);
		header_splice(file, at, (size_t) n, text);
	}
}

static void
data_insert(File *file, size_t at, const uint8_t *bytes, size_t n)
{
	memmove(file->data + at + n, file->data + at, file->ndata - at);
	memmove(file->data + at, bytes, n);
	file->ndata += n;
}

static void
data_remove(File *file, size_t at, size_t n)
{
	memmove(file->data + at, file->data + at + n, file->ndata - at - n);
	file->ndata -= n;
}

/* A tensor grows by its own bytes, as many times as it takes. */
static void
tensor_grow(File *file, const char *name, const char *from_shape, const char *to_shape, size_t n)
{
	uint8_t		more[1024];
	size_t		begin,
				end;

	offsets_get(file, name, &begin, &end);
	for (size_t i = 0; i < n && i < sizeof(more); i++)
		more[i] = file->data[begin + i % (end - begin)];
	data_insert(file, end, more, n);
	offsets_shift(file, end, (long) n);
	/* Its own end was not behind itself. */
	entry_replace(file, name, nn_format(unit_env(), "[%zu,%zu]", begin, end),
				  nn_format(unit_env(), "[%zu,%zu]", begin, end + n));
	entry_replace(file, name, from_shape, to_shape);
}

/* A tensor more, at the end. */
static void
tensor_add(File *file, const char *entry, const uint8_t *bytes, size_t n)
{
	size_t		at = file->nheader;

	while (file->header[at - 1] != '}')
		at--;
	header_splice(file, at - 1, 0, nn_format(unit_env(), ",%s\"data_offsets\":[%zu,%zu]}", entry,
											 file->ndata, file->ndata + n));
	if (n > 0)
		data_insert(file, file->ndata, bytes, n);
}

static void
number_set(File *file, const char *name, size_t i, double value)
{
	size_t		begin,
				end;

	offsets_get(file, name, &begin, &end);
	if (strncmp(name, "prep.", 5) == 0 || strncmp(name, "log.", 4) == 0 ||
		strncmp(name, "joint.", 6) == 0 || strncmp(name, "interval.", 9) == 0)
		nn_f64_put(file->data + begin + 8 * i, value);
	else
		nn_f32_put(file->data + begin + 4 * i, (float) value);
}

#endif							/* MODEL_FILE_H */
