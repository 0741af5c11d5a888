/*
 * nn_spec.c
 *		Settings from JSON and back, by one table.
 *
 * The table below is the only place that knows a setting's key, type, limits
 * and where it is stored (layers have their own, in nn_spec_layer.c).
 */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "core/nn_spec_table.h"

static const char *const loss_words[] = {
	"mse", "mae", "huber", "quantile", "gaussian", "student_t", NULL
};
static const char *const optimizer_words[] = {"sgd", "rmsprop", "adagrad", "adam", "adamw", NULL};
static const char *const schedule_words[] = {"constant", "step", "cosine", "plateau", NULL};
static const char *const scaling_words[] = {"standard", "minmax", "robust", "log1p", "none", NULL};
static const char *const missing_words[] = {
	"linear", "previous", "mean", "seasonal", "mask", "error", NULL
};
static const char *const outlier_words[] = {"none", "iqr", "zscore", "winsorise", NULL};
static const char *const architecture_words[] = {
	"auto", "lstm", "gru", "rnn", "segment", "encoder_decoder", "attention", "hybrid", "linear",
	"seasonal", "ensemble", "graph", "graph_lstm", "graph_gru", "conv_lstm", "conv_gru", NULL
};
static const char *const normalization_words[] = {
	"auto", "none", "last", "mean", "standard", "reversible", NULL
};
static const char *const head_words[] = {"direct", "recursive", NULL};
static const char *const calibration_words[] = {"conformal", "adaptive", "none", NULL};
static const char *const on_error_words[] = {"fail", "skip", NULL};
static const char *const space_words[] = {"auto", "graph", "grid", "none", NULL};
static const char *const weighing_words[] = {"gaussian", "inverse", "none", NULL};
static const char *const cells_words[] = {"square", "hexagonal", NULL};
static const char *const member_words[] = {
	"network", "naive", "seasonal_naive", "mean", "drift", "holt_winters",
	"holt_winters_multiplicative", "holt_winters_damped", "holt_winters_multiplicative_damped",
	"theta", "ar", NULL
};
static const char *const calendar_words[] = {
	"minute", "hour", "weekday", "month_day", "year_day", "month", NULL
};

#define SPEC(member) offsetof(NnSpec, member)
#define SHORT(member) offsetof(NnShortForm, member)

static const NnField spec_fields[] = {
	{"context", NN_FIELD_INT, NN_USE_SHAPE, SPEC(context), 1, NN_MAX_STEPS, false, NULL},
	{"horizon", NN_FIELD_INT, NN_USE_SHAPE, SPEC(horizon), 1, NN_MAX_STEPS, false, NULL},
	{"forecast_horizon", NN_FIELD_INT, NN_USE_SHAPE, SPEC(forecast_horizon), 1, NN_MAX_STEPS, false,
	NULL},
	{"targets", NN_FIELD_INT, NN_USE_SHAPE, SPEC(ntargets), 1, NN_MAX_COLUMNS, false, NULL},
	{"past_covariates", NN_FIELD_INT, NN_USE_SHAPE, SPEC(npast), 0, NN_MAX_COLUMNS, false, NULL},
	{"future_covariates", NN_FIELD_INT, NN_USE_SHAPE, SPEC(nfuture), 0, NN_MAX_COLUMNS, false, NULL},
	{"static_covariates", NN_FIELD_INT, NN_USE_SHAPE, SPEC(nstatic), 0, NN_MAX_COLUMNS, false, NULL},
	{"embedded_series", NN_FIELD_INT, NN_USE_SHAPE, SPEC(nseries), 0, 10000000, false, NULL},
	{"sites", NN_FIELD_INT, NN_USE_SHAPE, SPEC(nsites), 1, NN_MAX_SITES, false, NULL},
	{"grid_rows", NN_FIELD_INT, NN_USE_SHAPE, SPEC(grid_rows), 0, NN_MAX_SITES, false, NULL},
	{"hexagonal", NN_FIELD_BOOL, NN_USE_SHAPE, SPEC(hexagonal), 0, 0, false, NULL},
	{"edges", NN_FIELD_INT, NN_USE_SHAPE, SPEC(nedges), 0, NN_MAX_EDGES, false, NULL},
	{"arrays", NN_FIELD_ARRAYS, NN_USE_SHAPE, 0, 0, 0, false, NULL},
	{"layers", NN_FIELD_LAYERS, NN_USE_SPEC, 0, 0, 0, false, NULL},
	{"loss", NN_FIELD_WORD, NN_USE_SPEC, SPEC(loss), 0, 0, false, loss_words},
	{"huber_delta", NN_FIELD_REAL, NN_USE_SPEC, SPEC(huber_delta), 0, NN_BIG, true, NULL},
	{"quantiles", NN_FIELD_QUANTILES, NN_USE_SPEC, 0, 0, 0, false, NULL},
	{"optimizer", NN_FIELD_WORD, NN_USE_SPEC, SPEC(optimizer), 0, 0, false, optimizer_words},
	{"learning_rate", NN_FIELD_REAL, NN_USE_SPEC, SPEC(learning_rate), 0, 1000, true, NULL},
	{"momentum", NN_FIELD_REAL, NN_USE_SPEC, SPEC(momentum), 0, 1, false, NULL},
	{"nesterov", NN_FIELD_BOOL, NN_USE_SPEC, SPEC(nesterov), 0, 0, false, NULL},
	{"rho", NN_FIELD_REAL, NN_USE_SPEC, SPEC(rho), 0, 1, false, NULL},
	{"beta_1", NN_FIELD_REAL, NN_USE_SPEC, SPEC(beta_1), 0, 0.999999, false, NULL},
	{"beta_2", NN_FIELD_REAL, NN_USE_SPEC, SPEC(beta_2), 0, 0.9999999, false, NULL},
	{"epsilon", NN_FIELD_REAL, NN_USE_SPEC, SPEC(epsilon), 0, 1, true, NULL},
	{"weight_decay", NN_FIELD_REAL, NN_USE_SPEC, SPEC(weight_decay), 0, 1000, false, NULL},
	{"schedule", NN_FIELD_WORD, NN_USE_SPEC, SPEC(schedule), 0, 0, false, schedule_words},
	{"schedule_factor", NN_FIELD_REAL, NN_USE_SPEC, SPEC(schedule_factor), 0, 1, true, NULL},
	{"schedule_patience", NN_FIELD_INT, NN_USE_SPEC, SPEC(schedule_patience), 1, 1000000, false, NULL},
	{"minimum_learning_rate", NN_FIELD_REAL, NN_USE_SPEC, SPEC(minimum_learning_rate), 0, 1000, false,
	NULL},
	{"warmup_steps", NN_FIELD_INT, NN_USE_SPEC, SPEC(warmup_steps), 0, 10000000, false, NULL},
	{"epochs", NN_FIELD_INT, NN_USE_SPEC, SPEC(epochs), 1, 1000000, false, NULL},
	{"batch_size", NN_FIELD_INT, NN_USE_SPEC, SPEC(batch_size), 1, 65536, false, NULL},
	{"shuffle", NN_FIELD_BOOL, NN_USE_SPEC, SPEC(shuffle), 0, 0, false, NULL},
	{"validation_split", NN_FIELD_REAL, NN_USE_SPEC, SPEC(validation_split), 0, 0.9, false, NULL},
	{"patience", NN_FIELD_INT, NN_USE_SPEC, SPEC(patience), 0, 1000000, false, NULL},
	{"min_delta", NN_FIELD_REAL, NN_USE_SPEC, SPEC(min_delta), 0, NN_BIG, false, NULL},
	{"clip_norm", NN_FIELD_REAL, NN_USE_SPEC, SPEC(clip_norm), 0, NN_BIG, false, NULL},
	{"clip_value", NN_FIELD_REAL, NN_USE_SPEC, SPEC(clip_value), 0, NN_BIG, false, NULL},
	{"l1", NN_FIELD_REAL, NN_USE_SPEC, SPEC(l1), 0, 1000, false, NULL},
	{"l2", NN_FIELD_REAL, NN_USE_SPEC, SPEC(l2), 0, 1000, false, NULL},
	{"seed", NN_FIELD_SEED, NN_USE_SPEC, SPEC(seed), 0, 9007199254740991.0, false, NULL},
	{"steps_per_epoch", NN_FIELD_INT, NN_USE_SPEC, SPEC(steps_per_epoch), 0, 10000000, false, NULL},
	{"adversarial", NN_FIELD_EPSILON, NN_USE_SPEC, SPEC(adversarial_epsilon), 0, 1000, false, NULL},
	{"ensemble_size", NN_FIELD_INT, NN_USE_SPEC, SPEC(ensemble_size), 1, 32, false, NULL},
	{"members", NN_FIELD_SET, NN_USE_SPEC, SPEC(members), 0, 0, false, member_words},
	{"folds", NN_FIELD_INT, NN_USE_SPEC, SPEC(folds), 1, 20, false, NULL},
	{"refit", NN_FIELD_BOOL, NN_USE_SPEC, SPEC(refit), 0, 0, false, NULL},
	{"calibration", NN_FIELD_WORD, NN_USE_SPEC, SPEC(calibration), 0, 0, false, calibration_words},
	{"scaling", NN_FIELD_WORD, NN_USE_SPEC, SPEC(scaling), 0, 0, false, scaling_words},
	{"scale_by_series", NN_FIELD_BOOL, NN_USE_SPEC, SPEC(scale_by_series), 0, 0, false, NULL},
	{"pad", NN_FIELD_BOOL, NN_USE_SPEC, SPEC(pad), 0, 0, false, NULL},
	{"missing", NN_FIELD_WORD, NN_USE_SPEC, SPEC(missing), 0, 0, false, missing_words},
	{"outliers", NN_FIELD_WORD, NN_USE_SPEC, SPEC(outliers), 0, 0, false, outlier_words},
	{"outlier_threshold", NN_FIELD_REAL, NN_USE_SPEC, SPEC(outlier_threshold), 0, 1000, false, NULL},
	{"difference", NN_FIELD_INT, NN_USE_SPEC, SPEC(difference), 0, NN_MAX_STEPS, false, NULL},
	{"season", NN_FIELD_INT, NN_USE_SPEC, SPEC(season), 0, NN_MAX_STEPS, false, NULL},
	{"bounds", NN_FIELD_BOUNDS, NN_USE_SPEC, 0, 0, 0, false, NULL},
	{"stateful", NN_FIELD_BOOL, NN_USE_SPEC, SPEC(stateful), 0, 0, false, NULL},
	{"frequency", NN_FIELD_TEXT, NN_USE_SPEC, SPEC(frequency), 0, 0, false, NULL},
	{"calendar", NN_FIELD_SET, NN_USE_SPEC, SPEC(calendar), 0, 31, false, calendar_words},
	{"holidays", NN_FIELD_QUERY, NN_USE_SPEC, SPEC(holidays), 0, 0, false, NULL},
	{"on_error", NN_FIELD_WORD, NN_USE_SPEC, SPEC(on_error), 0, 0, false, on_error_words},
	{"space", NN_FIELD_WORD, NN_USE_SPEC, SPEC(space), 0, 0, false, space_words},
	{"graph", NN_FIELD_QUERY, NN_USE_SPEC, SPEC(graph), 0, 0, false, NULL},
	{"neighbors", NN_FIELD_INT, NN_USE_SPEC, SPEC(neighbors), 0, NN_MAX_SITES, false, NULL},
	{"distance", NN_FIELD_REAL, NN_USE_SPEC, SPEC(distance), 0, NN_BIG, false, NULL},
	{"kernel", NN_FIELD_WORD, NN_USE_SPEC, SPEC(kernel), 0, 0, false, weighing_words},
	{"sigma", NN_FIELD_REAL, NN_USE_SPEC, SPEC(sigma), 0, NN_BIG, false, NULL},
	{"threshold", NN_FIELD_REAL, NN_USE_SPEC, SPEC(threshold), 0, 1, false, NULL},
	{"directed", NN_FIELD_BOOL, NN_USE_SPEC, SPEC(directed), 0, 0, false, NULL},
	{"grid", NN_FIELD_QUERY, NN_USE_SPEC, SPEC(grid), 0, 0, false, NULL},
	{"cells", NN_FIELD_WORD, NN_USE_SPEC, SPEC(cells), 0, 0, false, cells_words},
	{"from_model", NN_FIELD_TEXT, NN_USE_HOST, SPEC(from_model), 0, 0, false, NULL},
	{"freeze", NN_FIELD_NAMES, NN_USE_HOST, SPEC(nfreeze), 0, 0, false, NULL},
	{"deploy", NN_FIELD_BOOL, NN_USE_HOST, SPEC(deploy), 0, 0, false, NULL},
	{"progress", NN_FIELD_INT, NN_USE_HOST, SPEC(progress), 0, 1000000, false, NULL},
	{"architecture", NN_FIELD_WORD, NN_USE_SHORT, SHORT(architecture), 0, 0, false,
	architecture_words},
	{"units", NN_FIELD_INT, NN_USE_SHORT, SHORT(units), 1, NN_MAX_UNITS, false, NULL},
	{"num_layers", NN_FIELD_INT, NN_USE_SHORT, SHORT(num_layers), 1, 8, false, NULL},
	{"activation", NN_FIELD_WORD, NN_USE_SHORT, SHORT(activation), 0, 0, false, nn_activation_words},
	{"recurrent_activation", NN_FIELD_WORD, NN_USE_SHORT, SHORT(recurrent_activation), 0, 0, false,
	nn_activation_words},
	{"peephole", NN_FIELD_BOOL, NN_USE_SHORT, SHORT(peephole), 0, 0, false, NULL},
	{"bidirectional", NN_FIELD_BOOL, NN_USE_SHORT, SHORT(bidirectional), 0, 0, false, NULL},
	{"residual", NN_FIELD_BOOL, NN_USE_SHORT, SHORT(residual), 0, 0, false, NULL},
	{"dropout", NN_FIELD_REAL, NN_USE_SHORT, SHORT(dropout), 0, 0.95, false, NULL},
	{"recurrent_dropout", NN_FIELD_REAL, NN_USE_SHORT, SHORT(recurrent_dropout), 0, 0.95, false, NULL},
	{"normalization", NN_FIELD_WORD, NN_USE_SHORT, SHORT(normalization), 0, 0, false,
	normalization_words},
	{"segment_length", NN_FIELD_INT, NN_USE_SHORT, SHORT(segment_length), 1, NN_MAX_STEPS, false,
	NULL},
	{"skip", NN_FIELD_BOOL, NN_USE_SHORT, SHORT(skip), 0, 0, false, NULL},
	{"residual_season", NN_FIELD_INT, NN_USE_SHORT, SHORT(residual_season), 0, NN_MAX_STEPS, false,
	NULL},
	{"series_embedding", NN_FIELD_INT, NN_USE_SHORT, SHORT(series_embedding), 0, 512, false, NULL},
	{"head", NN_FIELD_WORD, NN_USE_SHORT, SHORT(head), 0, 0, false, head_words}
};

#define NFIELDS(table) (sizeof(table) / sizeof((table)[0]))

_Static_assert(NFIELDS(spec_fields) <= NN_MAX_SETTINGS, "NnSpec.given has a place for each");

const char *
nn_loss_name(NnLossKind kind)
{
	return loss_words[kind];
}

const char *
nn_activation_name(NnActivation kind)
{
	return nn_activation_words[kind];
}

uint32_t
nn_spec_outputs(const NnSpec *spec)
{
	switch (spec->loss)
	{
		case NN_LOSS_QUANTILE:
			return spec->nquantiles;
		case NN_LOSS_GAUSSIAN:
			return 2;
		case NN_LOSS_STUDENT_T:
			return 3;
		default:
			return 1;
	}
}

uint32_t
nn_spec_channels(const NnSpec *spec)
{
	uint32_t	columns = spec->ntargets + spec->npast + spec->nfuture;

	return spec->missing == NN_MISSING_MASK ? 2 * columns : columns;
}

void
nn_spec_default(NnSpec *spec)
{
	memset(spec, 0, sizeof(*spec));
	spec->context = spec->horizon = spec->forecast_horizon = spec->ntargets = 1;
	spec->nsites = 1;
	spec->loss = NN_LOSS_MSE;
	spec->huber_delta = 1.0;
	spec->nquantiles = 3;
	spec->quantile[0] = 0.1;
	spec->quantile[1] = 0.5;
	spec->quantile[2] = 0.9;
	spec->optimizer = NN_ADAM;
	spec->learning_rate = 0.001;
	spec->rho = 0.9;
	spec->beta_1 = 0.9;
	spec->beta_2 = 0.999;
	spec->epsilon = 1e-7;
	spec->schedule = NN_SCHEDULE_CONSTANT;
	spec->schedule_factor = 0.5;
	spec->schedule_patience = 5;
	spec->epochs = 50;
	spec->batch_size = 32;
	spec->patience = 10;
	spec->validation_split = 0.2;
	spec->shuffle = true;
	spec->scaling = NN_SCALING_STANDARD;
	spec->missing = NN_MISSING_LINEAR;
	spec->outliers = NN_OUTLIERS_NONE;
	spec->lower_bound = spec->upper_bound = NAN;
	strcpy(spec->frequency, "auto");
	spec->ensemble_size = spec->folds = 1;
	spec->members = NN_MEMBER_NETWORK;
	spec->calibration = NN_CALIBRATION_CONFORMAL;
	spec->neighbors = 8;
	spec->threshold = 0.1;
	spec->deploy = true;
	spec->form.activation = NN_TANH;
	spec->form.recurrent_activation = NN_SIGMOID;
	spec->form.residual = true;
}

bool
nn_spec_given(const NnSpec *spec, const char *key)
{
	return spec->given[nn_field_find(spec_fields, NFIELDS(spec_fields), key) - spec_fields];
}

bool
nn_spec_form_given(const NnSpec *spec)
{
	for (size_t i = 0; i < NFIELDS(spec_fields); i++)
		if (spec->given[i] && spec_fields[i].use == NN_USE_SHORT)
			return true;
	return false;
}

const char *
nn_architecture_name(NnArchitecture kind)
{
	return architecture_words[kind];
}

static void __attribute__((noreturn))
unknown_key(const NnReader *reader, const char *key)
{
	const char *names[NFIELDS(spec_fields)];
	const char *near;
	size_t		n = 0;

	for (size_t i = 0; i < NFIELDS(spec_fields); i++)
		if (spec_fields[i].use != NN_USE_SHAPE)
			names[n++] = spec_fields[i].key;
	near = nn_nearest(key, names, n);
	if (nn_layer_attribute(key))
		nn_reader_fail(reader, NN_BAD_KEY,
					nn_format(reader->env, "unknown option \"%.64s\"", key),
					"It is an attribute of layers: write it in an element of \"layers\".");
	nn_reader_fail(reader, NN_BAD_KEY, nn_format(reader->env, "unknown option \"%.64s\"", key),
				near ? nn_format(reader->env, "Perhaps you meant \"%s\".", near) :
				"The options are listed in the documentation of training.");
}

/*
 * Settings given for a choice that was not made: nothing would read them.  (A
 * model holds them all.)
 */
static void
meaning_check(const NnReader *reader, const NnJson *options, const NnSpec *spec)
{
	const NnEnv *env = reader->env;
	NnOptimizerKind optimizer = spec->optimizer;
	bool		adam = optimizer == NN_ADAM || optimizer == NN_ADAMW,
				cut = spec->schedule == NN_SCHEDULE_STEP || spec->schedule == NN_SCHEDULE_PLATEAU;
	const char *loss = loss_words[spec->loss],
			   *schedule = schedule_words[spec->schedule];
	const struct
	{
		const char *key;
		bool		is_read;
		const char *choice,
				   *chosen,
				   *hint;
	}			rules[] = {
		{"quantiles", spec->loss == NN_LOSS_QUANTILE, "loss", loss,
		"Set \"loss\" to \"quantile\"."},
		{"huber_delta", spec->loss == NN_LOSS_HUBER, "loss", loss,
		"Set \"loss\" to \"huber\"."},
		{"rho", optimizer == NN_RMSPROP, "optimizer", optimizer_words[optimizer],
		"It belongs to \"rmsprop\"."},
		{"beta_1", adam, "optimizer", optimizer_words[optimizer],
		"It belongs to \"adam\" and \"adamw\"."},
		{"beta_2", adam, "optimizer", optimizer_words[optimizer],
		"It belongs to \"adam\" and \"adamw\"."},
		{"epsilon", optimizer != NN_SGD, "optimizer", optimizer_words[optimizer],
		"Leave it out, or use another optimizer."},
		{"schedule_factor", cut, "schedule", schedule,
		"Set \"schedule\" to \"step\" or \"plateau\"."},
		{"schedule_patience", cut, "schedule", schedule,
		"Set \"schedule\" to \"step\" or \"plateau\"."},
		{"minimum_learning_rate", spec->schedule != NN_SCHEDULE_CONSTANT, "schedule", schedule,
		"Set \"schedule\" to \"step\", \"cosine\" or \"plateau\"."},
		{"outlier_threshold", spec->outliers != NN_OUTLIERS_NONE, "outliers", "none",
		"Set \"outliers\" to \"iqr\", \"zscore\" or \"winsorise\"."},
		{"cells", spec->grid[0] != '\0', "grid", "",
		"Cells of a grid of places are found by the places; \"grid\" names columns that count them."},
		{"sigma", spec->kernel == NN_WEIGHING_GAUSSIAN, "kernel", weighing_words[spec->kernel],
		"It belongs to \"gaussian\"."},
		{"freeze", spec->from_model[0] != '\0', "from_model", "",
		"It keeps layers of the model that \"from_model\" names."}
	};

	for (size_t i = 0; i < NFIELDS(rules); i++)
		if (!rules[i].is_read && nn_json_member(options, rules[i].key))
			nn_reader_fail(reader, NN_BAD_VALUE,
						rules[i].chosen[0] == '\0' ?
						nn_format(env, "option \"%s\" has no meaning without \"%s\"", rules[i].key,
								  rules[i].choice) :
						nn_format(env, "option \"%s\" has no meaning for %s \"%s\"", rules[i].key,
								  rules[i].choice, rules[i].chosen), rules[i].hint);
}

/* What says where series are: edges, columns and places are three ways of it. */
static void
space_check(const NnReader *reader, const NnSpec *spec)
{
	static const char *const of_distance[] = {
		"neighbors", "distance", "kernel", "sigma", "threshold"
	};
	const NnEnv *env = reader->env;
	bool		edges = spec->graph[0] != '\0',
				columns = spec->grid[0] != '\0';

	if (edges && columns)
		nn_reader_fail(reader, NN_BAD_VALUE, "option \"graph\" cannot be combined with \"grid\"",
					   "Sites have edges of the caller's, or they are cells of a grid.");
	if ((edges && spec->space != NN_SPACE_AUTO && spec->space != NN_SPACE_GRAPH) ||
		(columns && spec->space != NN_SPACE_AUTO && spec->space != NN_SPACE_GRID))
		nn_reader_fail(reader, NN_BAD_VALUE,
					   nn_format(env, "option \"%s\" has no meaning for space \"%s\"",
								 edges ? "graph" : "grid", space_words[spec->space]),
					   "Leave \"space\" out.");
	for (size_t i = 0; i < NFIELDS(of_distance); i++)
		if (nn_spec_given(spec, of_distance[i]) && (edges || columns || spec->space >= NN_SPACE_GRID))
			nn_reader_fail(reader, NN_BAD_VALUE,
						   nn_format(env, "option \"%s\" has no meaning for %s", of_distance[i],
									 edges ? "edges that option \"graph\" gives" :
									 columns ? "cells that option \"grid\" places" :
									 nn_format(env, "space \"%s\"", space_words[spec->space])),
						   "It makes edges of the distances between the places of \"geom\".");
}

/* Settings that contradict each other. */
static void
spec_check(const NnReader *reader, const NnSpec *spec)
{
	const NnEnv *env = reader->env;

	if (spec->nesterov && !(spec->momentum > 0 && spec->optimizer == NN_SGD))
		nn_reader_fail(reader, NN_BAD_VALUE,
					"option \"nesterov\" needs optimizer \"sgd\" and a momentum above 0", NULL);
	if (spec->momentum > 0 && spec->optimizer != NN_SGD && spec->optimizer != NN_RMSPROP)
		nn_reader_fail(reader, NN_BAD_VALUE,
					nn_format(env, "optimizer \"%s\" has no momentum",
							  optimizer_words[spec->optimizer]),
					"Leave \"momentum\" out, or use \"sgd\" or \"rmsprop\".");
	if (spec->weight_decay > 0 && spec->optimizer != NN_ADAMW)
		nn_reader_fail(reader, NN_BAD_VALUE,
					nn_format(env, "optimizer \"%s\" has no weight decay",
							  optimizer_words[spec->optimizer]),
					"Use \"adamw\", or the penalty \"l2\".");
	if (spec->refit && spec->validation_split <= 0 && spec->folds == 1)
		nn_reader_fail(reader, NN_BAD_VALUE,
					   "option \"refit\" needs a validation part to choose the number of epochs on",
					   "Leave \"validation_split\" at a share above 0.");
	if (spec->minimum_learning_rate > spec->learning_rate)
		nn_reader_fail(reader, NN_BAD_VALUE,
					nn_format(env, "option \"minimum_learning_rate\" is %g, above the learning rate %g",
							  spec->minimum_learning_rate, spec->learning_rate), NULL);
	if (spec->outliers == NN_OUTLIERS_WINSORISE && spec->outlier_threshold >= 0.5)
		nn_reader_fail(reader, NN_BAD_VALUE,
					nn_format(env, "option \"outlier_threshold\" is %g, but winsorise wants a share "
							  "below 0.5",
							  spec->outlier_threshold), NULL);
}

/* The form's architecture where none is named, and what follows from it. */
static void
form_complete(const NnReader *reader, NnSpec *spec, const char *short_key)
{
	NnShortForm *form = &spec->form;

	if (spec->nlayers > 0 && short_key != NULL)
		nn_fail(reader->env, NN_BAD_VALUE,
				nn_format(reader->env, "option \"%s\" cannot be combined with \"layers\"", short_key),
				"Say it in the layer it is meant for, or leave \"layers\" out.");
	/* Who sizes the network means a plain one, unless he says otherwise. */
	if (!nn_spec_given(spec, "architecture") && short_key != NULL)
		form->architecture = NN_ARCHITECTURE_LSTM;
	/* Differences need no last value added: that is what differencing does. */
	if (spec->difference > 0 && !nn_spec_given(spec, "residual"))
		form->residual = false;
	if (spec->nlayers == 0)
		nn_short_form_check(reader, spec);
}

void
nn_spec_parse(const NnEnv *env, const NnJson *options, NnSpec *spec)
{
	NnReader	reader = {env, false, "option"};
	const char *short_key = NULL;

	nn_spec_default(spec);
	if (options != NULL && options->type != NN_JSON_OBJECT)
		nn_fail(env, NN_BAD_TYPE, nn_format(env, "options must be a JSON object, not %s",
											nn_json_type_name(options->type)),
				"Write options as in '{\"units\": 64, \"epochs\": 100}'.");
	for (const NnJson *e = options ? options->child : NULL; e; e = e->next)
	{
		const NnField *field = nn_field_find(spec_fields, NFIELDS(spec_fields), e->key);

		if (field == NULL || field->use == NN_USE_SHAPE)
			unknown_key(&reader, e->key);
		if (field->use == NN_USE_SHORT)
			short_key = field->key;
		nn_field_read(&reader, field, e,
					  field->use == NN_USE_SHORT ? (void *) &spec->form : spec);
		spec->given[field - spec_fields] = true;
	}
	form_complete(&reader, spec, short_key);
	/* Decoupled decay is what one takes adamw for; PyTorch's default. */
	if (spec->optimizer == NN_ADAMW && !nn_spec_given(spec, "weight_decay"))
		spec->weight_decay = 0.01;
	spec_check(&reader, spec);
	if (!(spec->members & NN_MEMBER_NETWORK))
		nn_fail(env, NN_BAD_VALUE, "option \"members\" lacks \"network\"",
				"Simple methods stand beside a network; lstm.backtest shows how they do by themselves.");
	space_check(&reader, spec);
	if (options != NULL)
		meaning_check(&reader, options, spec);
}

void
nn_spec_read(const NnEnv *env, const NnJson *object, NnSpec *spec)
{
	NnReader		reader = {env, true, "setting"};
	bool		seen[NFIELDS(spec_fields)] = {false};

	nn_spec_default(spec);
	if (object->type != NN_JSON_OBJECT)
		nn_fail(env, NN_BAD_MODEL, "the spec of the model is not a JSON object", NULL);
	for (const NnJson *e = object->child; e; e = e->next)
	{
		const NnField *field = nn_field_find(spec_fields, NFIELDS(spec_fields), e->key);

		if (field == NULL || (field->use != NN_USE_SPEC && field->use != NN_USE_SHAPE))
			nn_fail(env, NN_BAD_MODEL,
					nn_format(env, "the spec of the model has an unknown setting \"%.64s\"", e->key),
					NULL);
		nn_field_read(&reader, field, e, spec);
		seen[field - spec_fields] = true;
	}
	for (size_t i = 0; i < NFIELDS(spec_fields); i++)
		if (spec_fields[i].use <= NN_USE_SHAPE && !seen[i])
			nn_fail(env, NN_BAD_MODEL,
					nn_format(env, "the spec of the model lacks the setting \"%s\"",
							  spec_fields[i].key), NULL);
	spec_check(&reader, spec);
}

void
nn_spec_write(NnText *text, const NnSpec *spec)
{
	nn_json_begin(text, '{');
	for (size_t i = 0; i < NFIELDS(spec_fields); i++)
		if (spec_fields[i].use <= NN_USE_SHAPE)
			nn_field_write(text, &spec_fields[i], spec);
	nn_json_end(text, '}');
}
