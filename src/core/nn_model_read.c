/*
 * nn_model_read.c
 *		A model from bytes that anyone may have written.
 *
 * In this order: the container (nn_safetensors.c), the texts of its metadata,
 * the plan that the settings give, the tensors that this plan must have, and
 * only then memory for their numbers, of which the file is now known to have as
 * many.  Last, every number is looked at (nn_model.c).  Nothing that this file
 * does not know is passed over: unknown members and tensors are errors.
 *
 * Settings and frequency are read by the functions that read a user's; what
 * these call a bad value is a bad model here, see StrictHost.  Cost: one pass
 * over the bytes, and their length of memory.
 */
#include "core/nn_model_file.h"

#include <math.h>
#include <stdlib.h>

#include "core/nn_member.h"

/* Elements read between two polls. */
#define POLL_ELEMENTS 65536

#define model_fail(env, ...) \
	nn_fail(env, NN_BAD_MODEL, nn_format(env, __VA_ARGS__), NULL)

/*
 * An environment that passes everything on to another one, but turns complaints
 * about values into complaints about the model (and drops their hints: nobody
 * typed these values).
 */
typedef struct StrictHost
{
	const NnEnv *outer;
} StrictHost;

static void *
strict_alloc(void *host, size_t size)
{
	const NnEnv *outer = ((StrictHost *) host)->outer;

	return outer->alloc(outer->host, size);
}

static void
strict_poll(void *host)
{
	const NnEnv *outer = ((StrictHost *) host)->outer;

	outer->poll(outer->host);
}

static void
strict_fail(void *host, NnCode code, const char *message, const char *hint)
{
	const NnEnv *outer = ((StrictHost *) host)->outer;

	if (code == NN_BAD_VALUE || code == NN_BAD_KEY || code == NN_BAD_TYPE)
		model_fail(outer, "invalid model: %s", message);
	nn_fail(outer, code, message, hint);
}

/* ------------------------------------------------------------------------
 * Texts
 */

/* The member of that name, which nn_header_object has proven to be there. */
static const char *
text_read(const NnEnv *env, const NnJson *object, const char *key)
{
	const NnJson *value = nn_json_member(object, key);

	if (!NN_CHECK(50, value->type == NN_JSON_STRING))
		model_fail(env, "invalid model: \"%s\" is not a string", key);
	return value->string;
}

/* An array of n names, copied into one piece of memory. */
static char **
names_read(const NnEnv *env, const NnJson *object, const char *key, uint32_t n)
{
	const NnJson *value = nn_json_member(object, key);
	char	  **names;
	char	   *memory;
	size_t		bytes = 0;
	uint32_t	i = 0;

	if (!NN_CHECK(51, value->type == NN_JSON_ARRAY))
		model_fail(env, "invalid model: \"%s\" is not an array", key);
	if (!NN_CHECK(52, value->count == n))
		model_fail(env, "invalid model: \"%s\" has %u names instead of %u", key, value->count, n);
	for (const NnJson *e = value->child; e != NULL; e = e->next)
	{
		if (!NN_CHECK(53, e->type == NN_JSON_STRING))
			model_fail(env, "invalid model: a name of \"%s\" is not a string", key);
		bytes += strlen(e->string) + 1;
	}
	names = NN_NEW_ARRAY(env, char *, n);
	memory = nn_alloc(env, bytes, 1);
	for (const NnJson *e = value->child; e != NULL; e = e->next)
	{
		size_t		length = strlen(e->string) + 1;

		names[i++] = memcpy(memory, e->string, length);
		memory += length;
	}
	return names;
}

/* An array of as many names as there are. */
static char **
names_read_all(const NnEnv *env, const NnJson *object, const char *key, uint32_t *n)
{
	*n = nn_json_member(object, key)->count;
	return names_read(env, object, key, *n);
}

static uint64_t
whole_read(const NnEnv *env, const NnJson *object, const char *key, uint64_t max)
{
	uint64_t	number;

	if (!nn_header_whole(nn_json_member(object, key), &number))
		model_fail(env, "invalid model: \"%s\" is not a whole number", key);
	if (!NN_CHECK(54, number <= max))
		model_fail(env, "invalid model: \"%s\" is %llu, above %llu", key,
				   (unsigned long long) number, (unsigned long long) max);
	return number;
}

/* A number; NaN for null. */
static double
number_read(const NnEnv *env, const NnJson *object, const char *key)
{
	const NnJson *value = nn_json_member(object, key);

	if (value->type == NN_JSON_NULL)
		return NAN;
	if (!NN_CHECK(55, value->type == NN_JSON_NUMBER))
		model_fail(env, "invalid model: \"%s\" is not a number", key);
	return value->number;
}

/* A time is written as text: not every number of 64 bits is one of JSON. */
static int64_t
time_read(const NnEnv *env, const NnJson *data, const char *key)
{
	const char *text = text_read(env, data, key);
	long long	time = strtoll(text, NULL, 10);

	if (!NN_CHECK(68, strcmp(nn_format(env, "%lld", time), text) == 0))
		model_fail(env, "invalid model: \"%s\" cannot be \"%.64s\"", key, text);
	return time;
}

static NnTimeKind
time_kind_read(const NnEnv *env, const NnJson *data)
{
	const char *word = text_read(env, data, "time_kind");
	int			kind = 0;

	while (nn_time_kind_words[kind] != NULL && strcmp(nn_time_kind_words[kind], word) != 0)
		kind++;
	if (!NN_CHECK(56, nn_time_kind_words[kind] != NULL))
		model_fail(env, "invalid model: \"time_kind\" cannot be \"%.64s\"", word);
	return (NnTimeKind) kind;
}

static void
prep_read(const NnEnv *env, const NnJson *value, NnPrep *prep)
{
	static const char *const keys[] = {"groups", "columns", "statics"};

	nn_header_object(env, value, "\"prep\"", keys, 3);
	prep->ngroups = (uint32_t) whole_read(env, value, "groups", UINT32_MAX);
	prep->C = (uint32_t) whole_read(env, value, "columns", UINT32_MAX);
	prep->Cs = (uint32_t) whole_read(env, value, "statics", UINT32_MAX);
}

static void
report_read(const NnEnv *env, const NnJson *value, uint32_t members, NnReport *report)
{
	static const char *const keys[] = {
		"epochs", "best_epoch", "train_loss", "validation_loss", "baseline_loss", "mae",
		"baseline_mae", "skill", "train_windows", "validation_windows", "rows", "skipped_series",
		"skipped", "member_mae", "out_of_time"
	};
	const NnJson *maes,
			   *late;
	uint32_t	m = 0;

	nn_header_object(env, value, "\"report\"", keys, sizeof(keys) / sizeof(keys[0]));
	report->nepochs = (uint32_t) whole_read(env, value, "epochs", UINT32_MAX);
	report->best_epoch = (uint32_t) whole_read(env, value, "best_epoch", UINT32_MAX);
	report->train_loss = number_read(env, value, "train_loss");
	report->validation_loss = number_read(env, value, "validation_loss");
	report->baseline_loss = number_read(env, value, "baseline_loss");
	report->mae = number_read(env, value, "mae");
	report->baseline_mae = number_read(env, value, "baseline_mae");
	report->skill = number_read(env, value, "skill");
	report->train_windows = whole_read(env, value, "train_windows", UINT64_MAX);
	report->validation_windows = whole_read(env, value, "validation_windows", UINT64_MAX);
	report->rows = whole_read(env, value, "rows", UINT64_MAX);
	maes = nn_json_member(value, "member_mae");
	if (!NN_CHECK(65, maes->type == NN_JSON_ARRAY && maes->count == members))
		model_fail(env, "invalid model: \"member_mae\" is not an array of %u numbers", members);
	for (const NnJson *e = maes->child; e; e = e->next)
	{
		if (!NN_CHECK(66, e->type == NN_JSON_NUMBER || e->type == NN_JSON_NULL))
			model_fail(env, "invalid model: an element of \"member_mae\" is no number");
		report->member_mae[m++] = e->type == NN_JSON_NULL ? NAN : e->number;
	}
	late = nn_json_member(value, "out_of_time");
	if (!NN_CHECK(67, late->type == NN_JSON_TRUE || late->type == NN_JSON_FALSE))
		model_fail(env, "invalid model: \"out_of_time\" is neither true nor false");
	report->out_of_time = late->type == NN_JSON_TRUE;
	report->nskipped = (uint32_t) whole_read(env, value, "skipped_series", UINT32_MAX);
	report->skipped = names_read(env, value, "skipped",
								 report->nskipped < NN_MAX_SKIPPED ? report->nskipped : NN_MAX_SKIPPED);
}

/* The words of one static covariate; null: it is a number. */
static NnCategories
words_read(const NnEnv *env, const NnJson *value)
{
	NnCategories categories = {0};
	uint32_t	i = 0;

	if (value->type == NN_JSON_NULL)
		return categories;
	if (!NN_CHECK(90, value->type == NN_JSON_ARRAY))
		model_fail(env, "invalid model: an element of \"categories\" is no array");
	if (!NN_CHECK(91, value->count >= 1 && value->count <= NN_MAX_CATEGORIES))
		model_fail(env, "invalid model: %u categories of one static covariate", value->count);
	categories.n = value->count;
	categories.word = NN_NEW_ARRAY(env, char *, categories.n);
	for (const NnJson *e = value->child; e != NULL; e = e->next)
	{
		if (!NN_CHECK(92, e->type == NN_JSON_STRING))
			model_fail(env, "invalid model: a category is not a string");
		categories.word[i++] = nn_strdup(env, e->string);
	}
	return categories;
}

static NnCategories *
categories_read(const NnEnv *env, const NnJson *data, uint32_t n)
{
	const NnJson *value = nn_json_member(data, "categories");
	NnCategories *categories = NN_NEW_ARRAY(env, NnCategories, n);
	uint32_t	k = 0;

	if (!NN_CHECK(93, value->type == NN_JSON_ARRAY))
		model_fail(env, "invalid model: \"categories\" is not an array");
	if (!NN_CHECK(94, value->count == n))
		model_fail(env, "invalid model: \"categories\" has %u elements instead of %u", value->count, n);
	for (const NnJson *e = value->child; e != NULL; e = e->next)
		categories[k++] = words_read(env, e);
	return categories;
}

/* Columns that the source has: all future covariates but those made from the time. */
static uint32_t
future_given(const NnEnv *env, const NnSpec *spec)
{
	uint32_t	made = nn_future_made(spec);

	if (!NN_CHECK(95, spec->calendar != NN_CALENDAR_AUTO))
		model_fail(env, "invalid model: \"calendar\" is not chosen");
	return made <= spec->nfuture ? spec->nfuture - made : 0;
}

static void
interval_read(const NnEnv *env, const NnJson *value, NnInterval *interval)
{
	static const char *const keys[] = {"steps", "measure"};
	const char *word;
	int			measure;

	nn_header_object(env, value, "\"interval\"", keys, 2);
	interval->steps = (uint32_t) whole_read(env, value, "steps", UINT32_MAX);
	word = text_read(env, value, "measure");
	measure = nn_measure_find(word);
	if (!NN_CHECK(64, measure >= 0))
		model_fail(env, "invalid model: \"measure\" cannot be \"%.64s\"", word);
	interval->unit = (NnMeasure) measure;
}

static void
data_read(const NnEnv *env, const char *text, NnModel *model)
{
	static const char *const keys[] = {
		"time_kind", "frequency", "zone", "time_column", "trained_to", "target", "past_covariates",
		"future_covariates", "static_covariates", "categories", "series_column", "series", "prep",
		"interval", "report"
	};
	const NnSpec *spec = &model->spec;
	const NnJson *data = nn_header_parse(env, text, strlen(text), "model data");

	nn_header_object(env, data, "\"data\"", keys, sizeof(keys) / sizeof(keys[0]));
	model->time_kind = time_kind_read(env, data);
	nn_frequency_parse(env, text_read(env, data, "frequency"), &model->frequency);
	nn_frequency_check(env, &model->frequency, model->time_kind);
	model->zone = nn_strdup(env, text_read(env, data, "zone"));
	model->time_column = nn_strdup(env, text_read(env, data, "time_column"));
	model->trained_to = time_read(env, data, "trained_to");
	model->target = names_read(env, data, "target", spec->ntargets);
	model->past = names_read(env, data, "past_covariates", spec->npast);
	model->future = names_read(env, data, "future_covariates", future_given(env, spec));
	model->statics = names_read_all(env, data, "static_covariates", &model->nstatic_columns);
	model->categories = categories_read(env, data, model->nstatic_columns);
	model->series_column = names_read_all(env, data, "series_column", &model->nseries_columns);
	model->series = names_read_all(env, data, "series", &model->nseries);
	prep_read(env, nn_json_member(data, "prep"), model->prep);
	interval_read(env, nn_json_member(data, "interval"), &model->interval);
	report_read(env, nn_json_member(data, "report"), nn_member_count(spec), &model->report);
}

/* ------------------------------------------------------------------------
 * Sites
 */

/* The site of each series: below nsites, each taken once. */
static uint32_t *
site_numbers_read(const NnEnv *env, const NnJson *value, const NnModel *model)
{
	uint32_t	nsites = model->spec.nsites,
				s = 0;
	uint32_t   *site = NN_NEW_ARRAY(env, uint32_t, model->nseries);
	bool	   *taken = NN_NEW_ARRAY(env, bool, nsites);

	if (!NN_CHECK(121, value->type == NN_JSON_ARRAY && value->count == model->nseries))
		model_fail(env, "invalid model: \"site\" is not an array of %u numbers", model->nseries);
	for (const NnJson *e = value->child; e != NULL; e = e->next)
	{
		uint64_t	number;

		if (!nn_header_whole(e, &number) || !NN_CHECK(122, number < nsites))
			model_fail(env, "invalid model: an element of \"site\" is not one of %u sites", nsites);
		/* With a single site, where the series are is only told. */
		if (!NN_CHECK(123, nsites == 1 || !taken[number]))
			model_fail(env, "invalid model: two series are at site %u", (unsigned) number + 1);
		taken[number] = true;
		site[s++] = (uint32_t) number;
	}
	return site;
}

/* Geometries as upper-case hexadecimal digits, two a byte, or NULL. */
static char **
geom_read(const NnEnv *env, const NnJson *object, const NnModel *model)
{
	const NnJson *value = nn_json_member(object, "geom");

	if (value->type == NN_JSON_NULL)
		return NULL;
	for (const NnJson *e = value->type == NN_JSON_ARRAY ? value->child : NULL; e != NULL; e = e->next)
	{
		size_t		length = e->type == NN_JSON_STRING ? strlen(e->string) : 0;

		/* A type and the order of bytes are five of them. */
		if (!NN_CHECK(124, length >= 10 && length % 2 == 0 &&
					  strspn(e->string, "0123456789ABCDEF") == length))
			model_fail(env, "invalid model: an element of \"geom\" is no geometry");
	}
	return names_read(env, object, "geom", model->nseries);
}

static void
sites_read(const NnEnv *env, const NnJson *metadata, NnModel *model)
{
	static const char *const keys[] = {"site", "column", "geography", "geom"};
	const NnJson *object,
			   *geography;
	const char *text;

	model->geom_column = "";
	if (nn_json_member(metadata, "sites") == NULL)
	{
		if (!NN_CHECK(120, model->spec.nsites == 1))
			model_fail(env, "invalid model: metadata lacks \"sites\" of %u", model->spec.nsites);
		return;
	}
	text = text_read(env, metadata, "sites");
	object = nn_header_parse(env, text, strlen(text), "model sites");
	nn_header_object(env, object, "\"sites\"", keys, 4);
	model->sites = NN_NEW(env, NnSites);
	model->sites->site = site_numbers_read(env, nn_json_member(object, "site"), model);
	model->sites->geom = geom_read(env, object, model);
	model->geom_column = nn_strdup(env, text_read(env, object, "column"));
	geography = nn_json_member(object, "geography");
	if (!NN_CHECK(125, geography->type == NN_JSON_TRUE || geography->type == NN_JSON_FALSE))
		model_fail(env, "invalid model: \"geography\" is neither true nor false");
	model->sites->geography = geography->type == NN_JSON_TRUE;
	if (!NN_CHECK(126, (model->sites->geom == NULL) == (model->geom_column[0] == '\0')))
		model_fail(env, "invalid model: \"column\" of geometries cannot be \"%.64s\"",
				   model->geom_column);
	if (!NN_CHECK(127, model->sites->geom != NULL || model->spec.nsites > 1))
		model_fail(env, "invalid model: \"sites\" of series that are nowhere");
}

/* Whether this is a model, and of a version that this build knows. */
static void
format_check(const NnEnv *env, const NnJson *metadata)
{
	const NnJson *format = metadata ? nn_json_member(metadata, "format") : NULL;
	const NnJson *version;

	if (!NN_CHECK(57, format != NULL && strcmp(format->string, "lstm") == 0))
		nn_fail(env, NN_BAD_MODEL, "the file is not a model of this extension",
				"A model is what training made; other safetensors files have no settings and no scales.");
	version = nn_json_member(metadata, "format_version");
	if (!NN_CHECK(58, version != NULL))
		model_fail(env, "invalid model: metadata lacks \"format_version\"");
	if (!NN_CHECK(59, strcmp(version->string, nn_format(env, "%d", NN_FORMAT_VERSION)) == 0))
		nn_fail(env, NN_BAD_MODEL,
				nn_format(env, "model has format version %.32s, this build reads 1 to %d",
						  version->string, NN_FORMAT_VERSION),
				"Update the extension to read models of later versions.");
}

/* ------------------------------------------------------------------------
 * Tensors
 */

static const NnFileTensor *
tensor_find(const NnTensorFile *file, const char *name)
{
	for (uint32_t i = 0; i < file->ntensors; i++)
		if (strcmp(file->tensor[i].name, name) == 0)
			return &file->tensor[i];
	return NULL;
}

static char *
shape_text(const NnEnv *env, const NnFileTensor *tensor)
{
	NnText		text;

	nn_text_init(&text, env);
	for (uint32_t d = 0; d < tensor->ndim; d++)
		nn_text_print(&text, "%s%llu", d ? " x " : "", (unsigned long long) tensor->dim[d]);
	return text.data;
}

/* The file's tensor is what the model needs; takes over its place. */
static void
part_match(const NnEnv *env, const NnTensorFile *file, NnModelPart *part)
{
	NnFileTensor *wanted = &part->tensor;
	const NnFileTensor *found = tensor_find(file, wanted->name);
	bool		same;

	if (!NN_CHECK(60, found != NULL))
		model_fail(env, "invalid model: tensor \"%s\" is missing", wanted->name);
	if (!NN_CHECK(61, found->dtype == wanted->dtype))
		model_fail(env, "invalid model: tensor \"%s\" is of type %s instead of %s", wanted->name,
				   nn_dtype_name(found->dtype), nn_dtype_name(wanted->dtype));
	same = found->ndim == wanted->ndim;
	for (uint32_t d = 0; same && d < wanted->ndim; d++)
		same = found->dim[d] == wanted->dim[d];
	if (!NN_CHECK(62, same))
		model_fail(env, "invalid model: tensor \"%s\" is of shape %s instead of %s", wanted->name,
				   shape_text(env, found), shape_text(env, wanted));
	wanted->begin = found->begin;
	wanted->end = found->end;
}

/* A tensor of the file that is no part. */
static const char *
surplus_find(const NnTensorFile *file, const NnModelPart *part, uint32_t nparts)
{
	for (uint32_t i = 0; i < file->ntensors; i++)
	{
		uint32_t	p = 0;

		while (p < nparts && strcmp(part[p].tensor.name, file->tensor[i].name) != 0)
			p++;
		if (p == nparts)
			return file->tensor[i].name;
	}
	return NULL;
}

static void
parts_match(const NnEnv *env, const NnTensorFile *file, NnModelPart *part, uint32_t nparts)
{
	const char *surplus;

	for (uint32_t i = 0; i < nparts; i++)
		part_match(env, file, &part[i]);
	surplus = surplus_find(file, part, nparts);
	/* The count tells when one tensor was found for two parts: two layers of one name. */
	if (!NN_CHECK(63, surplus == NULL && file->ntensors == nparts))
		model_fail(env, "invalid model: the network has no tensor \"%.64s\", or two of one name",
				   surplus ? surplus : "");
}

static void
params_copy(const NnEnv *env, const uint8_t *bytes, size_t n, nn_real *params)
{
	for (size_t i = 0; i < n; i++)
	{
		if (i % POLL_ELEMENTS == 0)
			env->poll(env->host);
		params[i] = (nn_real) nn_f32_get(bytes + i * 4);
	}
}

static double *
doubles_copy(const NnEnv *env, const uint8_t *bytes, size_t n)
{
	double	   *values = NN_NEW_ARRAY(env, double, n);

	for (size_t i = 0; i < n; i++)
	{
		if (i % POLL_ELEMENTS == 0)
			env->poll(env->host);
		values[i] = nn_f64_get(bytes + i * 8);
	}
	return values;
}

static NnEpoch *
epochs_copy(const NnEnv *env, const uint8_t *bytes, uint32_t n)
{
	NnEpoch    *epoch = NN_NEW_ARRAY(env, NnEpoch, n);

	for (uint32_t i = 0; i < n; i++, bytes += NN_EPOCH_COLUMNS * 8)
		epoch[i] = (NnEpoch) {nn_f64_get(bytes), nn_f64_get(bytes + 8), nn_f64_get(bytes + 16),
			nn_f64_get(bytes + 24)};
	return epoch;
}

static void
parts_copy(const NnEnv *env, const NnTensorFile *file, const NnModelPart *part, uint32_t nparts,
		   NnModel *model)
{
	model->params = NN_NEW_ARRAY(env, nn_real,
								 nn_size_mul(env, model->nparams, model->spec.ensemble_size));
	for (uint32_t i = 0; i < nparts; i++)
	{
		const uint8_t *bytes = file->data + part[i].tensor.begin;

		if (part[i].kind == NN_PART_PARAMS)
			params_copy(env, bytes, part[i].count, model->params + part[i].offset);
		else if (part[i].kind == NN_PART_PREP || part[i].kind == NN_PART_JOINT)
			*nn_part_array(model, &part[i]) = doubles_copy(env, bytes, part[i].count);
		else
			model->report.epoch = epochs_copy(env, bytes, model->report.nepochs);
	}
}

NnModel *
nn_model_read(const NnEnv *outer, const uint8_t *bytes, size_t length)
{
	static const char *const keys[] = {"format", "format_version", "spec", "data", "sites"};
	StrictHost	host = {outer};
	const NnEnv strict = {&host, strict_alloc, strict_poll, strict_fail, outer->max_memory};
	const NnEnv *env = &strict;
	NnModel    *model = NN_NEW(env, NnModel);
	const NnTensorFile *file;
	const NnPlan *plan;
	const char *spec;
	NnModelPart *part;
	uint32_t	nparts;

	if (length > NN_MAX_MODEL_BYTES)
		nn_fail(env, NN_TOO_LARGE,
				nn_format(env, "model of %zu bytes is above the limit of %zu", length,
						  NN_MAX_MODEL_BYTES), NULL);
	file = nn_tensor_file_read(env, bytes, length);
	format_check(env, file->metadata);
	nn_header_object(env, file->metadata, "metadata", keys,
					 nn_json_member(file->metadata, "sites") != NULL ? 5 : 4);

	spec = text_read(env, file->metadata, "spec");
	nn_spec_read(env, nn_header_parse(env, spec, strlen(spec), "model spec"), &model->spec);
	model->prep = NN_NEW(env, NnPrep);
	data_read(env, text_read(env, file->metadata, "data"), model);
	sites_read(env, file->metadata, model);
	nn_model_check_sizes(env, model);

	plan = nn_plan_build(env, &model->spec, nn_kernels_get("generic"), NN_LANES);
	model->nparams = plan->nparams;
	part = nn_model_parts(env, model, plan, &nparts);
	parts_match(env, file, part, nparts);
	parts_copy(env, file, part, nparts, model);
	nn_model_check_values(env, model, plan);
	return model;
}
