/*
 * nn_model.c
 *		What a model consists of, and which numbers it may hold.
 *
 * The list of parts is the only place that knows which tensors a file has; the
 * checks are the only place that knows what may be in them.  The writer runs the
 * same checks as the reader, so that no file is written that cannot be read.
 * Cost: one pass over all numbers.
 */
#include "core/nn_model_file.h"

#include <math.h>

#include "core/nn_array.h"
#include "core/nn_graph.h"
#include "core/nn_loss.h"
#include "core/nn_member.h"

const char *const nn_time_kind_words[] = {"timestamptz", "timestamp", "date", "integer", NULL};

/* How many numbers an array of NnPrep has. */
typedef enum PrepShape
{
	PREP_COLUMNS,				/* [ngroups][C] */
	PREP_STATICS,				/* [Cs] */
	PREP_ARRAYS					/* [nn_array_channels] */
} PrepShape;

/* Arrays of NnPrep by name of their tensor, ascending. */
static const struct
{
	const char *name;
	size_t		offset;
	PrepShape	shape;
}			prep_arrays[] = {
	{"prep.array_center", offsetof(NnPrep, array_center), PREP_ARRAYS},
	{"prep.array_scale", offsetof(NnPrep, array_scale), PREP_ARRAYS},
	{"prep.center", offsetof(NnPrep, center), PREP_COLUMNS},
	{"prep.high", offsetof(NnPrep, high), PREP_COLUMNS},
	{"prep.low", offsetof(NnPrep, low), PREP_COLUMNS},
	{"prep.mean", offsetof(NnPrep, mean), PREP_COLUMNS},
	{"prep.scale", offsetof(NnPrep, scale), PREP_COLUMNS},
	{"prep.static_center", offsetof(NnPrep, static_center), PREP_STATICS},
	{"prep.static_scale", offsetof(NnPrep, static_scale), PREP_STATICS},
};

#define NPREP_ARRAYS (sizeof(prep_arrays) / sizeof(prep_arrays[0]))

/* ------------------------------------------------------------------------
 * Parts
 */

/* Shape of one or two dimensions; dim1 0: one. */
static void
part_shape(const NnEnv *env, NnModelPart *part, uint32_t dim0, uint32_t dim1)
{
	part->tensor.dim[0] = dim0;
	part->tensor.dim[1] = dim1;
	part->tensor.ndim = dim1 == 0 ? 1 : 2;
	part->count = nn_size_mul(env, dim0, dim1 == 0 ? 1 : dim1);
}

static void
part_of_params(NnModelPart *part, const NnTensor *tensor)
{
	part->kind = NN_PART_PARAMS;
	part->tensor.name = tensor->name;
	part->tensor.dtype = NN_DTYPE_F32;
	part->tensor.ndim = tensor->ndim;
	for (uint32_t d = 0; d < tensor->ndim; d++)
		part->tensor.dim[d] = tensor->dim[d];
	part->offset = tensor->span.offset;
	part->count = tensor->span.count;
}

/* Adds the arrays of members and intervals, by name. */
static uint32_t
parts_of_joint(const NnEnv *env, const NnModel *model, NnModelPart *part, uint32_t n)
{
	const NnSpec *spec = &model->spec;
	uint32_t	members = nn_member_count(spec);

	if (model->interval.steps > 0)
	{
		part[n] = (NnModelPart) {NN_PART_JOINT, {.name = "interval.width",.dtype = NN_DTYPE_F64},
			0, offsetof(NnModel, interval.width)};
		part_shape(env, &part[n], model->interval.steps, spec->ntargets);
		part[n].tensor.ndim = 3;
		part[n].tensor.dim[2] = NN_INTERVAL_POINTS;
		part[n].count = nn_size_mul(env, part[n].count, NN_INTERVAL_POINTS);
		n++;
	}
	for (uint32_t m = 1; m < members; m++)
	{
		NnClassicKind kind = (NnClassicKind) nn_member_kind(spec, m);

		if (nn_classic_parameters(kind) == 0)
			continue;
		part[n] = (NnModelPart) {NN_PART_JOINT,
			{.name = nn_format(env, "joint.%s", nn_classic_name(kind)),.dtype = NN_DTYPE_F64},
			0, offsetof(NnModel, classic) + (size_t) kind * sizeof(double *)};
		part_shape(env, &part[n], model->nseries, spec->ntargets);
		part[n].tensor.ndim = 3;
		part[n].tensor.dim[2] = nn_classic_parameters(kind);
		part[n].count = nn_size_mul(env, part[n].count, nn_classic_parameters(kind));
		n++;
	}
	if (members > 1)
	{
		part[n] = (NnModelPart) {NN_PART_JOINT, {.name = "joint.weights",.dtype = NN_DTYPE_F64},
			0, offsetof(NnModel, weight)};
		part_shape(env, &part[n++], members, 0);
	}
	return n;
}

/* The tensors of the i-th network (from 0); those of the second begin with "ensemble/2/". */
static void
parts_of_network(const NnEnv *env, const NnPlan *plan, uint32_t i, NnModelPart *part)
{
	for (uint32_t t = 0; t < plan->ntensors; t++)
	{
		part_of_params(&part[t], &plan->tensor[t]);
		if (i == 0)
			continue;
		part[t].tensor.name = nn_format(env, "ensemble/%u/%s", i + 1, plan->tensor[t].name);
		part[t].offset += i * plan->nparams;
	}
}

/* Insertion sort by name: at most NN_MAX_TENSORS. */
static void
parts_sort(NnModelPart *part, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++)
	{
		NnModelPart moved = part[i];
		uint32_t	j = i;

		for (; j > 0 && strcmp(part[j - 1].tensor.name, moved.tensor.name) > 0; j--)
			part[j] = part[j - 1];
		part[j] = moved;
	}
}

NnModelPart *
nn_model_parts(const NnEnv *env, const NnModel *model, const NnPlan *plan, uint32_t *nparts)
{
	const NnPrep *prep = model->prep;
	uint32_t	networks = model->spec.ensemble_size;
	NnModelPart *part = NN_NEW_ARRAY(env, NnModelPart, 3 + NN_CLASSIC_KINDS + NPREP_ARRAYS +
									 (size_t) networks * plan->ntensors);
	uint32_t	n = parts_of_joint(env, model, part, 0);

	part[n] = (NnModelPart) {NN_PART_LOG, {.name = "log.epochs", .dtype = NN_DTYPE_F64}, 0, 0};
	part_shape(env, &part[n++], model->report.nepochs, NN_EPOCH_COLUMNS);
	for (size_t i = 0; i < NPREP_ARRAYS; i++)
	{
		uint32_t	line = prep_arrays[i].shape == PREP_STATICS ? prep->Cs :
			nn_array_channels(&model->spec);

		if (prep_arrays[i].shape != PREP_COLUMNS && line == 0)
			continue;
		part[n].kind = NN_PART_PREP;
		part[n].tensor.name = prep_arrays[i].name;
		part[n].tensor.dtype = NN_DTYPE_F64;
		part[n].offset = prep_arrays[i].offset;
		if (prep_arrays[i].shape != PREP_COLUMNS)
			part_shape(env, &part[n++], line, 0);
		else
			part_shape(env, &part[n++], prep->ngroups, prep->C);
	}
	for (uint32_t i = 0; i < networks; i++, n += plan->ntensors)
	{
		parts_of_network(env, plan, i, part + n);
		parts_sort(part + n, plan->ntensors);
	}
	*nparts = n;
	return part;
}

double **
nn_part_array(const NnModel *model, const NnModelPart *part)
{
	const void *base = part->kind == NN_PART_PREP ? (const void *) model->prep : model;

	return (double **) (void *) ((char *) (uintptr_t) base + part->offset);
}

/* ------------------------------------------------------------------------
 * Checks
 */

#define model_fail(env, ...) \
	nn_fail(env, NN_BAD_MODEL, nn_format(env, __VA_ARGS__), NULL)

static void
series_check(const NnEnv *env, const NnModel *model)
{
	if (!NN_CHECK(30, model->nseries >= 1))
		model_fail(env, "invalid model: it has no series");
	for (uint32_t s = 1; s < model->nseries; s++)
	{
		int			order = strcmp(model->series[s - 1], model->series[s]);

		if (!NN_CHECK(31, order <= 0))
			model_fail(env, "invalid model: series \"%.64s\" is out of order", model->series[s]);
		if (!NN_CHECK(32, order != 0))
			model_fail(env, "invalid model: series \"%.64s\" is there twice", model->series[s]);
	}
}

/* Words ascend, and channels are as many as numbers and words. */
static void
categories_check(const NnEnv *env, const NnModel *model)
{
	uint64_t	channels = 0;

	for (uint32_t k = 0; k < model->nstatic_columns; k++)
	{
		const NnCategories *categories = model->categories ? &model->categories[k] : NULL;
		uint32_t	n = categories ? categories->n : 0;

		for (uint32_t i = 1; i < n; i++)
			if (!NN_CHECK(48, strcmp(categories->word[i - 1], categories->word[i]) < 0))
				model_fail(env, "invalid model: category \"%.64s\" is out of order or there twice",
						   categories->word[i]);
		channels += n > 0 ? n : 1;
	}
	if (!NN_CHECK(49, channels == model->spec.nstatic))
		model_fail(env, "invalid model: static covariates have %llu channels, where the settings say %u",
				   (unsigned long long) channels, model->spec.nstatic);
}

void
nn_model_check_sizes(const NnEnv *env, const NnModel *model)
{
	const NnSpec *spec = &model->spec;
	const NnPrep *prep = model->prep;
	const NnReport *report = &model->report;
	uint32_t	C = spec->ntargets + spec->npast + spec->nfuture;
	uint32_t	ngroups = spec->scale_by_series ? model->nseries : 1;

	series_check(env, model);
	categories_check(env, model);
	if (!NN_CHECK(128, spec->grid_rows == 0 || spec->nsites % spec->grid_rows == 0))
		model_fail(env, "invalid model: %u sites in a grid of %u rows", spec->nsites, spec->grid_rows);
	if (!NN_CHECK(129, !spec->hexagonal || spec->grid_rows > 0))
		model_fail(env, "invalid model: hexagonal cells without a grid");
	/* Windows of all sites are rows that are there, and each has the whole context. */
	if (!NN_CHECK(130, spec->nsites == 1 || (!spec->pad && !spec->stateful)))
		model_fail(env, "invalid model: \"%s\" of %u sites", spec->pad ? "pad" : "stateful",
				   spec->nsites);
	if (!NN_CHECK(87, nn_future_made(spec) <= spec->nfuture))
		model_fail(env, "invalid model: %u future covariates, where calendar and holidays make %u",
				   spec->nfuture, nn_future_made(spec));
	if (!NN_CHECK(86, nn_future_made(spec) == 0 || model->time_kind != NN_TIME_INTEGER))
		model_fail(env, "invalid model: calendar or holidays of integers");
	if (!NN_CHECK(84, spec->members & NN_MEMBER_NETWORK))
		model_fail(env, "invalid model: its network is not among its members");
	if (!NN_CHECK(85, model->interval.steps == 0 || model->interval.steps == spec->forecast_horizon))
		model_fail(env, "invalid model: intervals of %u steps, where the settings say %u",
				   model->interval.steps, spec->forecast_horizon);
	if (!NN_CHECK(88, model->interval.unit != NN_MEASURE_HEAD || nn_loss_has_interval(spec)))
		model_fail(env, "invalid model: intervals in units of its loss, which gives none");
	if (!NN_CHECK(33, prep->ngroups == ngroups))
		model_fail(env, "invalid model: preparation of %u groups, where the settings say %u",
				   prep->ngroups, ngroups);
	if (!NN_CHECK(34, prep->C == C))
		model_fail(env, "invalid model: preparation of %u columns, where the settings say %u",
				   prep->C, C);
	if (!NN_CHECK(35, prep->Cs == spec->nstatic))
		model_fail(env, "invalid model: preparation of %u static covariates, where the settings say %u",
				   prep->Cs, spec->nstatic);
	if (!NN_CHECK(36, report->nepochs <= spec->epochs))
		model_fail(env, "invalid model: a log of %u epochs, where the settings say %u at most",
				   report->nepochs, spec->epochs);
	if (!NN_CHECK(37, report->best_epoch < report->nepochs || report->best_epoch == 0))
		model_fail(env, "invalid model: best epoch %u of %u", report->best_epoch,
				   report->nepochs);
}

/* The first of the tensor's parameters that is no finite float, or count. */
static size_t
params_first_bad(const NnEnv *env, const nn_real *x, size_t count)
{
	for (size_t i = 0; i < count; i++)
	{
		if (i % 65536 == 0)
			env->poll(env->host);
		if (!isfinite((float) x[i]))
			return i;
	}
	return count;
}

/* Name of the array's element, for messages. */
static const char *
element_name(const NnEnv *env, const char *array, size_t i)
{
	return nn_format(env, "element %zu of tensor \"%s\"", i + 1, array);
}

static void
params_check(const NnEnv *env, const nn_real *params, const NnPlan *plan)
{
	for (uint32_t t = 0; t < plan->ntensors; t++)
	{
		const NnTensor *tensor = &plan->tensor[t];
		size_t		bad = params_first_bad(env, params + tensor->span.offset, tensor->span.count);

		if (!NN_CHECK(38, bad == tensor->span.count))
			model_fail(env, "invalid model: %s is not a finite number",
					   element_name(env, tensor->name, bad));
	}
}

/* A number of a site. */
static bool
is_site(const NnPlan *plan, nn_real x)
{
	return x >= 0 && x < (nn_real) plan->nsites && x == (nn_real) (uint32_t) x;
}

/* The edges of one network are what nn_graph_make leaves: layers use them unseen. */
static void
graph_check(const NnEnv *env, nn_real *params, const NnPlan *plan)
{
	for (uint32_t e = 0; e < plan->nedges; e++)
	{
		const nn_real *source = nn_graph_source(plan, params) + e,
				   *target = nn_graph_target(plan, params) + e,
				   *weight = nn_graph_weight(plan, params) + e;

		if (e % 65536 == 0)
			env->poll(env->host);
		if (!NN_CHECK(96, is_site(plan, *source)))
			model_fail(env, "invalid model: %s is %g, not one of %u sites",
					   element_name(env, "edges.source", e), (double) *source, plan->nsites);
		if (!NN_CHECK(97, is_site(plan, *target)))
			model_fail(env, "invalid model: %s is %g, not one of %u sites",
					   element_name(env, "edges.target", e), (double) *target, plan->nsites);
		if (!NN_CHECK(98, *source != *target))
			model_fail(env, "invalid model: edge %u leads from a site to itself", e + 1);
		if (!NN_CHECK(99, e == 0 || target[-1] < *target ||
					  (target[-1] == *target && source[-1] < *source)))
			model_fail(env, "invalid model: edge %u is out of order or there twice", e + 1);
		if (!NN_CHECK(100, *weight >= NN_R(0.999) * (nn_real) NN_MIN_WEIGHT &&
					  *weight <= NN_R(1.001) * (nn_real) NN_MAX_WEIGHT))
			model_fail(env, "invalid model: %s is %g, no weight", element_name(env, "edges.weight", e),
					   (double) *weight);
	}
}

static void
finite_check(const NnEnv *env, const char *name, const double *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!NN_CHECK(39, isfinite(x[i])))
			model_fail(env, "invalid model: %s is not a finite number", element_name(env, name, i));
}

static void
scale_check(const NnEnv *env, const char *name, const double *x, size_t n)
{
	finite_check(env, name, x, n);
	for (size_t i = 0; i < n; i++)
		if (!NN_CHECK(40, x[i] > 0))
			model_fail(env, "invalid model: %s is %g, not a scale above 0",
					   element_name(env, name, i), x[i]);
}

/* Infinite fences keep nothing out; NaN would. */
static void
fences_check(const NnEnv *env, const double *low, const double *high, size_t n)
{
	for (size_t i = 0; i < n; i++)
	{
		if (!NN_CHECK(41, !isnan(low[i])))
			model_fail(env, "invalid model: %s is not a number", element_name(env, "prep.low", i));
		if (!NN_CHECK(42, !isnan(high[i])))
			model_fail(env, "invalid model: %s is not a number", element_name(env, "prep.high", i));
		if (!NN_CHECK(43, !(low[i] > high[i])))
			model_fail(env, "invalid model: %s is %g, above %g in \"prep.high\"",
					   element_name(env, "prep.low", i), low[i], high[i]);
	}
}

static void
log_check(const NnEnv *env, const NnReport *report)
{
	for (uint32_t i = 0; i < report->nepochs; i++)
	{
		const NnEpoch *epoch = &report->epoch[i];

		if (!NN_CHECK(44, isfinite(epoch->loss)))
			model_fail(env, "invalid model: the loss of epoch %u is not a finite number", i + 1);
		if (!NN_CHECK(45, !isinf(epoch->validation_loss)))
			model_fail(env, "invalid model: the validation loss of epoch %u is infinite", i + 1);
		if (!NN_CHECK(46, epoch->learning_rate >= 0 && isfinite(epoch->learning_rate)))
			model_fail(env, "invalid model: the learning rate of epoch %u is %g", i + 1,
					   epoch->learning_rate);
		if (!NN_CHECK(47, epoch->gradient_norm >= 0 && isfinite(epoch->gradient_norm)))
			model_fail(env, "invalid model: the gradient norm of epoch %u is %g", i + 1,
					   epoch->gradient_norm);
	}
}

/* Parameters that a fit can have left, and weights that share a whole. */
static void
members_check(const NnEnv *env, const NnModel *model)
{
	const NnSpec *spec = &model->spec;
	uint32_t	members = nn_member_count(spec);
	double		sum = 0;

	for (uint32_t m = 0; m < members && members > 1; m++)
	{
		int			kind = nn_member_kind(spec, m);
		size_t		size = m > 0 ? nn_classic_parameters((NnClassicKind) kind) : 0,
					n = (size_t) model->nseries * spec->ntargets;

		if (!NN_CHECK(80, model->weight[m] >= 0 && model->weight[m] <= 1))
			model_fail(env, "invalid model: %s is %g, not a weight",
					   element_name(env, "joint.weights", m), model->weight[m]);
		sum += model->weight[m];
		for (size_t i = 0; size > 0 && i < n; i++)
			if (!NN_CHECK(81, nn_classic_valid((NnClassicKind) kind, model->classic[kind] + i * size)))
				model_fail(env, "invalid model: row %zu of tensor \"joint.%s\" is out of range", i + 1,
						   nn_classic_name((NnClassicKind) kind));
	}
	if (!NN_CHECK(82, members == 1 || fabs(sum - 1) < 1e-6))
		model_fail(env, "invalid model: the weights of its members add up to %g", sum);
}

static void
interval_check(const NnEnv *env, const NnModel *model)
{
	const NnInterval *interval = &model->interval;
	size_t		n = (size_t) interval->steps * model->spec.ntargets * NN_INTERVAL_POINTS;

	for (size_t i = 0; i < n; i++)
	{
		double		before = i % NN_INTERVAL_POINTS > 0 ? interval->width[i - 1] : 0;

		if (!NN_CHECK(83, interval->width[i] >= before && isfinite(interval->width[i])))
			model_fail(env, "invalid model: %s is %g, not a width above the one before",
					   element_name(env, "interval.width", i), interval->width[i]);
	}
}

void
nn_model_check_values(const NnEnv *env, const NnModel *model, const NnPlan *plan)
{
	const NnPrep *prep = model->prep;
	size_t		n = (size_t) prep->ngroups * prep->C;

	finite_check(env, "prep.center", prep->center, n);
	scale_check(env, "prep.scale", prep->scale, n);
	finite_check(env, "prep.mean", prep->mean, n);
	fences_check(env, prep->low, prep->high, n);
	if (prep->Cs > 0)
	{
		finite_check(env, "prep.static_center", prep->static_center, prep->Cs);
		scale_check(env, "prep.static_scale", prep->static_scale, prep->Cs);
	}
	if (model->spec.narrays > 0)
	{
		uint32_t	channels = nn_array_channels(&model->spec);

		finite_check(env, "prep.array_center", prep->array_center, channels);
		scale_check(env, "prep.array_scale", prep->array_scale, channels);
	}
	log_check(env, &model->report);
	members_check(env, model);
	interval_check(env, model);
	for (uint32_t i = 0; i < model->spec.ensemble_size; i++)
	{
		params_check(env, model->params + i * plan->nparams, plan);
		graph_check(env, model->params + i * plan->nparams, plan);
	}
}
