/*
 * model_oracle.h
 *		What the readers of model files must say, said a second time.
 *
 * The oracle of containers knows the format from its definition and works in
 * another way than the reader: it counts how often each byte of the data is
 * claimed.  The oracle of models takes what was read: every invariant is looked
 * at once more, the model is written again and compared with the bytes it came
 * from, tensor by tensor and word by word, and what was written must read and
 * write to the same bytes.
 *
 * For fuzz_model.c, which includes it once.
 */
#ifndef MODEL_ORACLE_H
#define MODEL_ORACLE_H

#include "core/nn_model.h"
#include "core/nn_safetensors.h"

#include "unit.h"

/* Runs the statements; ok says whether they came to their end without a failure. */
#define GUARDED(ok, ...) \
	do { \
		jmp_buf		guard; \
		jmp_buf    *outer = unit_host.jump; \
		if (setjmp(guard) == 0) \
		{ \
			unit_host.jump = &guard; \
			__VA_ARGS__; \
			unit_host.jump = outer; \
			(ok) = true; \
		} \
		else \
		{ \
			unit_host.jump = outer; \
			(ok) = false; \
		} \
	} while (0)

/* ------------------------------------------------------------------------
 * The oracle of containers
 */

static bool
oracle_whole(const NnJson *value)
{
	return value->type == NN_JSON_NUMBER && !(value->number < 0) &&
		value->number <= 9007199254740992.0 && fmod(value->number, 1) == 0;
}

/* Bytes of an element, 0 for an unknown type. */
static unsigned
oracle_dtype_size(const char *dtype)
{
	static const char known[] =
		" BOOL1 U81 I81 I162 U162 F162 BF162 I324 U324 F324 I648 U648 F648 ";
	char		wanted[16];
	const char *found;

	if (strlen(dtype) > 8 || dtype[0] == '\0' || strchr(dtype, ' ') != NULL)
		return 0;
	for (int size = 1; size <= 8; size *= 2)
	{
		snprintf(wanted, sizeof(wanted), " %s%d ", dtype, size);
		found = strstr(known, wanted);
		if (found != NULL)
			return (unsigned) size;
	}
	return 0;
}

/* Counts the tensor's bytes in seen [ndata]; false when it is none. */
static bool
oracle_tensor(const NnJson *tensor, uint8_t *seen, size_t ndata)
{
	const NnJson *dtype,
			   *shape,
			   *offsets;
	unsigned __int128 size;
	uint64_t	begin,
				end;

	if (tensor->type != NN_JSON_OBJECT || tensor->count != 3)
		return false;
	dtype = nn_json_member(tensor, "dtype");
	shape = nn_json_member(tensor, "shape");
	offsets = nn_json_member(tensor, "data_offsets");
	if (!dtype || !shape || !offsets || dtype->type != NN_JSON_STRING ||
		shape->type != NN_JSON_ARRAY || shape->count > 8 ||
		offsets->type != NN_JSON_ARRAY || offsets->count != 2 ||
		!oracle_whole(offsets->child) || !oracle_whole(offsets->child->next))
		return false;
	size = oracle_dtype_size(dtype->string);
	if (size == 0)
		return false;
	for (const NnJson *e = shape->child; e; e = e->next)
	{
		if (!oracle_whole(e))
			return false;
		size *= (uint64_t) e->number;
		if (size > UINT64_MAX)
			return false;
	}
	begin = (uint64_t) offsets->child->number;
	end = (uint64_t) offsets->child->next->number;
	if (begin > end || end > ndata || end - begin != size)
		return false;
	for (uint64_t i = begin; i < end; i++)
		seen[i]++;
	return true;
}

/* An empty tensor lies between others, not within one. */
static bool
oracle_empty_places(const NnJson *root)
{
	for (const NnJson *a = root->child; a; a = a->next)
		for (const NnJson *b = root->child; b; b = b->next)
		{
			const NnJson *of_a = nn_json_member(a, "data_offsets"),
					   *of_b = nn_json_member(b, "data_offsets");
			double		at;

			if (!of_a || !of_b || strcmp(a->key, "__metadata__") == 0 ||
				strcmp(b->key, "__metadata__") == 0)
				continue;
			at = of_a->child->number;
			if (at == of_a->child->next->number && at > of_b->child->number &&
				at < of_b->child->next->number)
				return false;
		}
	return true;
}

static bool
oracle_header(const NnJson *root, uint8_t *seen, size_t ndata)
{
	if (root->count > 1024)
		return false;
	for (const NnJson *e = root->child; e; e = e->next)
	{
		if (strcmp(e->key, "__metadata__") != 0)
		{
			if (!oracle_tensor(e, seen, ndata))
				return false;
			continue;
		}
		if (e->type != NN_JSON_OBJECT)
			return false;
		for (const NnJson *m = e->child; m; m = m->next)
			if (m->type != NN_JSON_STRING)
				return false;
	}
	for (size_t i = 0; i < ndata; i++)
		if (seen[i] != 1)
			return false;
	return oracle_empty_places(root);
}

static bool
oracle_container(const uint8_t *bytes, size_t length)
{
	uint64_t	nheader = 0;
	uint8_t    *seen;
	NnJson	   *root = NULL;
	bool		parsed,
				valid;

	if (length < 9)
		return false;
	for (int i = 0; i < 8; i++)
		nheader += (uint64_t) bytes[i] << (8 * i);
	if (nheader == 0 || nheader > length - 8 || bytes[8] != '{')
		return false;
	GUARDED(parsed, root = nn_json_parse(unit_env(), (const char *) bytes + 8, nheader, "header",
										 NN_BAD_MODEL));
	if (!parsed || root->type != NN_JSON_OBJECT)
		return false;
	seen = calloc(length, 1);
	valid = oracle_header(root, seen, length - 8 - nheader);
	free(seen);
	return valid;
}

/* ------------------------------------------------------------------------
 * The oracle of models that were read
 */

/* Equal values; members of objects may stand in another order.  skip: a key not compared. */
static bool
json_equal(const NnJson *a, const NnJson *b, const char *skip)
{
	if (a->type != b->type || a->count != b->count)
		return false;
	if (a->type == NN_JSON_NUMBER)
		return a->number == b->number;
	if (a->type == NN_JSON_STRING)
		return strcmp(a->string, b->string) == 0;
	if (a->type == NN_JSON_OBJECT)
	{
		for (const NnJson *e = a->child; e; e = e->next)
		{
			const NnJson *other = nn_json_member(b, e->key);

			if (other == NULL || (strcmp(e->key, skip) != 0 && !json_equal(e, other, skip)))
				return false;
		}
		return true;
	}
	for (const NnJson *x = a->child, *y = b->child; x; x = x->next, y = y->next)
		if (!json_equal(x, y, skip))
			return false;
	return true;
}

static const char *
metadata_text(const NnTensorFile *file, const char *key)
{
	const NnJson *value = file->metadata ? nn_json_member(file->metadata, key) : NULL;

	return value && value->string ? value->string : "";
}

static NnJson *
text_parse(const char *text)
{
	return nn_json_parse(unit_env(), text, strlen(text), "text", NN_BAD_MODEL);
}

/* The texts of the mutant against those of what was read from it. */
static const char *
texts_differ(const NnTensorFile *a, const NnTensorFile *b)
{
	static const char *const whole[] = {
		"epochs", "best_epoch", "train_windows", "validation_windows", "rows"
	};
	const NnJson *data = text_parse(metadata_text(a, "data"));
	const NnJson *report = nn_json_member(data, "report");

	if (a->metadata->count != b->metadata->count)
		return "metadata is kept";
	if (nn_json_member(a->metadata, "sites") &&
		!json_equal(text_parse(metadata_text(a, "sites")), text_parse(metadata_text(b, "sites")), ""))
		return "sites are kept";
	if (strcmp(metadata_text(a, "format"), "lstm") != 0 ||
		strcmp(metadata_text(a, "format_version"), "1") != 0)
		return "the format is ours";
	if (!json_equal(data, text_parse(metadata_text(b, "data")), "frequency"))
		return "data are kept";
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
		if (!oracle_whole(nn_json_member(report, whole[i])))
			return "counts are whole numbers";
	return NULL;
}

/* F64 numbers may be different NaNs. */
static bool
bytes_equal(const uint8_t *a, const uint8_t *b, size_t n, bool doubles)
{
	if (!doubles)
		return memcmp(a, b, n) == 0;
	for (size_t i = 0; i < n; i += 8)
		if (memcmp(a + i, b + i, 8) != 0 &&
			!(isnan(nn_f64_get(a + i)) && isnan(nn_f64_get(b + i))))
			return false;
	return true;
}

static const char *
tensors_differ(const NnTensorFile *a, const NnTensorFile *b)
{
	if (a->ntensors != b->ntensors)
		return "no tensor is lost";
	for (uint32_t i = 0; i < a->ntensors; i++)
	{
		const NnFileTensor *x = &a->tensor[i],
				   *y = NULL;

		for (uint32_t j = 0; j < b->ntensors; j++)
			if (strcmp(x->name, b->tensor[j].name) == 0)
				y = &b->tensor[j];
		if (y == NULL || x->dtype != y->dtype || x->ndim != y->ndim ||
			memcmp(x->dim, y->dim, x->ndim * sizeof(x->dim[0])) != 0)
			return "tensors keep type and shape";
		if (!bytes_equal(a->data + x->begin, b->data + y->begin, x->end - x->begin,
						 x->dtype == NN_DTYPE_F64))
			return "tensors keep their numbers";
	}
	return NULL;
}

static bool
finite_all(const double *x, size_t n, bool positive)
{
	for (size_t i = 0; i < n; i++)
		if (!(fabs(x[i]) <= 1.7976931348623157e308) || (positive && !(x[i] > 0)))
			return false;
	return true;
}

static const char *
prep_breaks(const NnModel *model)
{
	const NnPrep *prep = model->prep;
	size_t		n = (size_t) prep->ngroups * prep->C;

	if (prep->C != model->spec.ntargets + model->spec.npast + model->spec.nfuture ||
		prep->Cs != model->spec.nstatic)
		return "columns are those of the spec";
	if (prep->ngroups != (model->spec.scale_by_series ? model->nseries : 1))
		return "groups are those of the spec";
	if (!finite_all(prep->center, n, false) || !finite_all(prep->mean, n, false) ||
		!finite_all(prep->static_center, prep->Cs, false) ||
		!finite_all(prep->array_center, nn_array_channels(&model->spec), false))
		return "centres are finite";
	if (!finite_all(prep->scale, n, true) || !finite_all(prep->static_scale, prep->Cs, true) ||
		!finite_all(prep->array_scale, nn_array_channels(&model->spec), true))
		return "scales are positive";
	for (size_t i = 0; i < n; i++)
		if (!(prep->low[i] <= prep->high[i]))
			return "fences are in order";
	return NULL;
}

/* Parameters of a simple method, as its definition has them. */
static bool
oracle_parameters(int kind, const double *p)
{
	switch (kind)
	{
		case NN_CLASSIC_NAIVE:
		case NN_CLASSIC_SEASONAL_NAIVE:
		case NN_CLASSIC_MEAN:
		case NN_CLASSIC_DRIFT:
			return true;
		case NN_CLASSIC_THETA:
			return finite_all(p, 2, false) && p[0] > 0 && p[0] <= 1 && (p[1] == 0 || p[1] == 1 || p[1] == 2);
		case NN_CLASSIC_AR:
			return finite_all(p, 35, false) && fmod(p[0], 1) == 0 && p[0] >= 0 && p[0] <= 32 &&
				fmod(p[1], 1) == 0 && p[1] >= 0;
		default:
			return finite_all(p, 4, false) && p[0] >= 0 && p[0] <= 1 && p[2] >= 0 && p[2] <= 1;
	}
}

/* Weights share a whole; widths ascend with the probability. */
static const char *
joint_breaks(const NnModel *model)
{
	size_t		cells = (size_t) model->nseries * model->spec.ntargets,
				widths = (size_t) model->interval.steps * model->spec.ntargets;
	double		sum = 0;
	uint32_t	m = 0;

	if ((model->spec.members & 1) == 0)
		return "the network is a member";
	for (int kind = -1; kind < NN_CLASSIC_KINDS; kind++)
	{
		uint32_t	n = kind < 0 ? 0 : nn_classic_parameters((NnClassicKind) kind);

		if ((model->spec.members >> (kind + 1) & 1) == 0)
			continue;
		for (size_t i = 0; n > 0 && i < cells; i++)
			if (!oracle_parameters(kind, model->classic[kind] + i * n))
				return "simple members have possible parameters";
		if (model->weight != NULL && !(model->weight[m] >= 0))
			return "weights are not negative";
		sum += model->weight != NULL ? model->weight[m++] : 1;
	}
	if (!(fabs(sum - 1) < 1e-5))
		return "weights add up to 1";
	if (model->interval.steps != 0 && model->interval.steps != model->spec.forecast_horizon)
		return "intervals have the steps of the spec";
	for (size_t i = 0; i < widths * NN_INTERVAL_POINTS; i++)
		if (!(model->interval.width[i] >= 0 && model->interval.width[i] < INFINITY) ||
			(i % NN_INTERVAL_POINTS > 0 && model->interval.width[i] < model->interval.width[i - 1]))
			return "widths ascend";
	return NULL;
}

/* The first invariant that the model breaks, or NULL. */
static const char *
model_breaks(const NnModel *model)
{
	const NnReport *report = &model->report;
	const char *broken;

	for (size_t i = 0; i < model->nparams * model->spec.ensemble_size; i++)
		if (!(fabs((double) model->params[i]) <= 3.4028234663852886e38))
			return "parameters are finite";
	if (model->nseries == 0)
		return "there is a series";
	for (uint32_t s = 1; s < model->nseries; s++)
		if (strcmp(model->series[s - 1], model->series[s]) >= 0)
			return "series ascend";
	if (model->time_kind > NN_TIME_INTEGER || model->frequency.count < 1)
		return "time is of a known kind";
	if (model->spec.nsites > 1 && model->sites == NULL)
		return "sites have a place";
	if (model->spec.grid_rows > 0 && model->spec.nsites % model->spec.grid_rows != 0)
		return "grids are rectangles";
	if (model->spec.nsites > 1 && (model->spec.pad || model->spec.stateful))
		return "sites have whole windows";
	for (uint32_t s = 0; model->sites && model->spec.nsites > 1 && s < model->nseries; s++)
		for (uint32_t t = 0; t <= s; t++)
			if (model->sites->site[s] >= model->spec.nsites ||
				(t < s && model->sites->site[s] == model->sites->site[t]))
				return "every series has a site of its own";
	if (report->nepochs > model->spec.epochs ||
		(report->best_epoch != 0 && report->best_epoch >= report->nepochs))
		return "epochs are within the spec's";
	for (uint32_t i = 0; i < report->nepochs; i++)
	{
		const NnEpoch *epoch = &report->epoch[i];

		if (!finite_all(&epoch->loss, 1, false) || isinf(epoch->validation_loss) ||
			!finite_all(&epoch->learning_rate, 1, false) || epoch->learning_rate < 0 ||
			!finite_all(&epoch->gradient_norm, 1, false) || epoch->gradient_norm < 0)
			return "the log is of possible numbers";
	}
	broken = joint_breaks(model);
	return broken ? broken : prep_breaks(model);
}

static const NnFileTensor *
tensor_named(const NnTensorFile *file, const char *name)
{
	for (uint32_t i = 0; i < file->ntensors; i++)
		if (strcmp(file->tensor[i].name, name) == 0)
			return &file->tensor[i];
	return NULL;
}

/* Edges lead from site to site in order, each once, for all networks. */
static const char *
graphs_break(const NnTensorFile *file, const NnModel *model)
{
	double		sites = model->spec.nsites;

	for (uint32_t k = 1; k <= model->spec.ensemble_size; k++)
	{
		const char *prefix = k == 1 ? "" : nn_format(unit_env(), "ensemble/%u/", k);
		const NnFileTensor *from = tensor_named(file, nn_format(unit_env(), "%sedges.source", prefix)),
				   *to = tensor_named(file, nn_format(unit_env(), "%sedges.target", prefix)),
				   *by = tensor_named(file, nn_format(unit_env(), "%sedges.weight", prefix));
		double		before = -1;

		for (size_t e = 0; e < model->spec.nedges; e++)
		{
			double		s = (double) nn_f32_get(file->data + from->begin + 4 * e),
						t = (double) nn_f32_get(file->data + to->begin + 4 * e),
						w = (double) nn_f32_get(file->data + by->begin + 4 * e);

			if (!(s >= 0) || !(t >= 0) || !(s < sites) || !(t < sites) || fmod(s, 1) != 0 ||
				fmod(t, 1) != 0 || s == t)
				return "edges lead from one site to another";
			if (!(t * sites + s > before))
				return "edges ascend";
			if (!(w > 0.9e-30) || !(w < 1.1e30))
				return "edges have weights";
			before = t * sites + s;
		}
	}
	return NULL;
}

/* What the model that was read from these bytes breaks, or NULL. */
static const char *
reading_breaks(const uint8_t *bytes, size_t length, const NnModel *model)
{
	NnEnv	   *env = unit_env();
	const char *broken = model_breaks(model);
	uint8_t    *written = NULL,
			   *again = NULL;
	size_t		nwritten = 0,
				nagain = 0;
	bool		ok;

	if (!broken)
		broken = graphs_break(nn_tensor_file_read(env, bytes, length), model);
	if (broken)
		return broken;
	GUARDED(ok, written = nn_model_write(env, model, &nwritten));
	if (!ok)
		return "what is read can be written";
	GUARDED(ok, again = nn_model_write(env, nn_model_read(env, written, nwritten), &nagain));
	if (!ok)
		return "what is written can be read";
	if (nwritten != nagain || memcmp(written, again, nagain) != 0)
		return "reading and writing keep the bytes";
	broken = texts_differ(nn_tensor_file_read(env, bytes, length),
						  nn_tensor_file_read(env, written, nwritten));
	if (!broken)
		broken = tensors_differ(nn_tensor_file_read(env, bytes, length),
								nn_tensor_file_read(env, written, nwritten));
	return broken;
}

#endif							/* MODEL_ORACLE_H */
