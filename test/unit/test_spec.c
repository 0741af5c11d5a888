/*
 * test_spec.c
 *		Settings: reading, defaults, refusals, and the way into a model and back.
 */
#include "network.h"

static NnSpec *
spec_reread(const char *text)
{
	NnSpec	   *spec = NN_NEW(unit_env(), NnSpec);

	nn_spec_read(unit_env(), json_of(text), spec);
	return spec;
}

/* One key with a value that is not its default, and what must be set beside it. */
typedef struct KeyCase
{
	const char *key, *value, *beside;
} KeyCase;

static const KeyCase key_cases[] = {
	{"layers", "[{\"type\":\"gru\",\"name\":\"x-1\",\"units\":7,\"activation\":\"relu\","
		"\"recurrent_activation\":\"gelu\",\"bidirectional\":true,\"return_sequences\":true,"
		"\"dropout\":0.25,\"recurrent_dropout\":0.125},"
		"{\"type\":\"lstm\",\"name\":\"lstm\",\"inputs\":[\"x-1\"],\"units\":2,"
		"\"activation\":\"tanh\",\"recurrent_activation\":\"sigmoid\",\"peephole\":true,"
		"\"bidirectional\":false,\"return_sequences\":false,\"dropout\":0,\"recurrent_dropout\":0},"
		"{\"type\":\"dropout\",\"name\":\"dropout\",\"rate\":0.5},"
		"{\"type\":\"dense\",\"name\":\"dense\",\"activation\":\"softplus\","
	"\"kernel_initializer\":\"zeros\"}]", ""},
	{"loss", "\"student_t\"", ""},
	{"huber_delta", "2.5", ",\"loss\":\"huber\""},
	{"quantiles", "[0.05,0.25,0.5,0.99]", ",\"loss\":\"quantile\""},
	{"optimizer", "\"adamw\"", ""},
	{"learning_rate", "0.1", ""},
	{"momentum", "0.9", ",\"optimizer\":\"sgd\""},
	{"nesterov", "true", ",\"optimizer\":\"sgd\",\"momentum\":0.5"},
	{"rho", "0.3", ",\"optimizer\":\"rmsprop\""},
	{"beta_1", "0.3", ""},
	{"beta_2", "0.3", ""},
	{"epsilon", "1e-9", ""},
	{"weight_decay", "0.3", ",\"optimizer\":\"adamw\""},
	{"schedule", "\"plateau\"", ""},
	{"schedule_factor", "0.1", ",\"schedule\":\"step\""},
	{"schedule_patience", "1000000", ",\"schedule\":\"plateau\""},
	{"minimum_learning_rate", "0.000001", ",\"schedule\":\"cosine\""},
	{"warmup_steps", "30", ""},
	{"epochs", "1000000", ""},
	{"batch_size", "65536", ""},
	{"shuffle", "false", ""},
	{"validation_split", "0.9", ""},
	{"patience", "0", ""},
	{"min_delta", "0.3333333333333333", ""},
	{"clip_norm", "1", ""},
	{"clip_value", "0.7", ""},
	{"l1", "0.1", ""},
	{"l2", "1e-12", ""},
	{"seed", "9007199254740991", ""},
	{"steps_per_epoch", "100", ""},
	{"adversarial", "{\"epsilon\":0.1}", ""},
	{"ensemble_size", "3", ""},
	{"members", "[\"network\",\"naive\",\"ar\"]", ""},
	{"folds", "3", ""},
	{"refit", "true", ""},
	{"calibration", "\"adaptive\"", ""},
	{"scaling", "\"log1p\"", ""},
	{"scale_by_series", "true", ""},
	{"pad", "true", ""},
	{"missing", "\"mask\"", ""},
	{"outliers", "\"winsorise\"", ""},
	{"outlier_threshold", "0.49", ",\"outliers\":\"winsorise\""},
	{"difference", "65536", ""},
	{"season", "365", ""},
	{"bounds", "[-0.5,null]", ""},
	{"stateful", "true", ""},
	{"frequency", "\"3 months\"", ""},
	{"calendar", "[\"hour\",\"month\"]", ""},
	{"holidays", "\"SELECT day FROM holidays\"", ""},
	{"on_error", "\"skip\"", ""},
	{"space", "\"graph\"", ""},
	{"graph", "\"SELECT a, b FROM roads\"", ""},
	{"neighbors", "4", ""},
	{"distance", "2500.5", ""},
	{"kernel", "\"inverse\"", ""},
	{"sigma", "0.25", ""},
	{"threshold", "0.5", ""},
	{"directed", "true", ""},
	{"grid", "\"y, x\"", ""},
	{"cells", "\"hexagonal\"", ",\"grid\":\"y, x\""}
};

static const char *const shape_keys[] = {
	"context", "horizon", "forecast_horizon", "targets", "past_covariates", "future_covariates",
	"static_covariates", "embedded_series", "sites", "grid_rows", "hexagonal", "edges", "arrays"
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
keys_round_trip(void)
{
	for (size_t i = 0; i < COUNT(key_cases); i++)
	{
		const KeyCase *k = &key_cases[i];
		const char *given = nn_format(unit_env(), "\"%s\":%s", k->key, k->value);
		NnSpec	   *spec = spec_of(nn_format(unit_env(), "%s%s", given, k->beside)),
				   *defaults = spec_of(k->beside[0] ? k->beside + 1 : "");
		const char *text = spec_text(spec);
		NnText		value;

		nn_text_init(&value, unit_env());
		nn_json_tree(&value, nn_json_member(json_of(text), k->key));
		UNIT_NEAR(json_of(value.data)->number, json_of(k->value)->number, 0);
		if (json_of(k->value)->type != NN_JSON_NUMBER)
			UNIT_STRING(value.data, k->value);
		UNIT_STRING(spec_text(spec_reread(text)), text);
		if (strcmp(text, spec_text(defaults)) == 0)
			UNIT_FAILED("\"%s\": %s changes nothing", k->key, k->value);
	}
}

/* A key that is new in the table must have its case above. */
static void
written_keys_have_cases(void)
{
	NnJson	   *written = json_of(spec_text(spec_of("")));

	UNIT_INTEGER(written->count, COUNT(key_cases) + COUNT(shape_keys));
	for (size_t i = 0; i < COUNT(key_cases); i++)
		UNIT_CHECK(nn_json_member(written, key_cases[i].key) != NULL);
	for (size_t i = 0; i < COUNT(shape_keys); i++)
		UNIT_CHECK(nn_json_member(written, shape_keys[i]) != NULL);
}

static void
shape_round_trips(void)
{
	NnSpec	   *spec = spec_of("\"units\":3"),
			   *again;

	spec->context = 65536;
	spec->horizon = spec->forecast_horizon = 7;
	spec->ntargets = 2;
	spec->npast = 3;
	spec->nfuture = 4;
	spec->nstatic = 4096;
	again = spec_reread(spec_text(spec));
	UNIT_INTEGER(again->context, 65536);
	UNIT_INTEGER(again->horizon, 7);
	UNIT_INTEGER(again->ntargets, 2);
	UNIT_INTEGER(again->npast, 3);
	UNIT_INTEGER(again->nfuture, 4);
	UNIT_INTEGER(again->nstatic, 4096);
	/* Of the host, not of the model. */
	UNIT_CHECK(strstr(spec_text(spec_of("\"progress\":3,\"deploy\":false")), "progress") == NULL);
	UNIT_STRING(spec_text(spec_of("\"progress\":3,\"deploy\":false")), spec_text(spec_of("")));
}

static void
seeds_are_exact(void)
{
	const uint64_t seeds[] = {0, 1, 4294967296, 9007199254740990, 9007199254740991};

	for (size_t i = 0; i < COUNT(seeds); i++)
	{
		NnSpec	   *spec = spec_of(nn_format(unit_env(), "\"seed\":%llu",
											 (unsigned long long) seeds[i]));

		UNIT_CHECK(spec->seed == seeds[i]);
		UNIT_CHECK(spec_reread(spec_text(spec))->seed == seeds[i]);
	}
}

/* No options, an empty object and null lead to the same, and it is what is documented. */
static void
defaults_are_kept(void)
{
	NnSpec		spec;

	nn_spec_parse(unit_env(), NULL, &spec);
	UNIT_INTEGER(spec.nlayers, 0);
	nn_spec_expand(unit_env(), &spec);
	UNIT_STRING(spec_text(&spec), spec_text(spec_of("")));
	UNIT_INTEGER(spec.nlayers, 3);
	UNIT_STRING(spec.layer[0].type, "lstm");
	UNIT_INTEGER(spec.layer[0].units, 50);
	UNIT_INTEGER(spec.layer[0].activation, NN_TANH);
	UNIT_STRING(spec.layer[1].type, "dense");
	UNIT_STRING(spec.layer[2].type, "residual");
	UNIT_INTEGER(spec_of("\"difference\":1")->nlayers, 2);
	UNIT_INTEGER(spec_of("\"difference\":1,\"residual\":true")->nlayers, 3);
	UNIT_INTEGER(spec_of("\"residual\":false")->nlayers, 2);
	UNIT_NEAR(spec_of("\"optimizer\":\"adamw\"")->weight_decay, 0.01, 0);
	UNIT_NEAR(spec_of("\"optimizer\":\"adamw\",\"weight_decay\":0")->weight_decay, 0, 0);
	UNIT_CHECK(isnan(spec.lower_bound) && isnan(spec.upper_bound));
}

static void
short_form_becomes_layers(void)
{
	NnSpec	   *spec = spec_of("\"architecture\":\"gru\",\"units\":9,\"num_layers\":2,\"dropout\":0.2,"
							   "\"recurrent_dropout\":0.1,\"activation\":\"relu\","
							   "\"recurrent_activation\":\"tanh\",\"bidirectional\":true");
	static const char *const names[] = {
		"gru", "dropout", "gru_2", "dropout_2", "dense", "residual"
	};

	UNIT_INTEGER(spec->nlayers, COUNT(names));
	for (uint32_t i = 0; i < COUNT(names); i++)
		UNIT_STRING(spec->layer[i].name, names[i]);
	for (uint32_t i = 0; i < 4; i += 2)
	{
		UNIT_INTEGER(spec->layer[i].units, 9);
		UNIT_INTEGER(spec->layer[i].activation, NN_RELU);
		UNIT_INTEGER(spec->layer[i].recurrent_activation, NN_TANH);
		UNIT_CHECK(spec->layer[i].bidirectional);
		UNIT_NEAR(spec->layer[i].recurrent_dropout, 0.1, 0);
		UNIT_NEAR(spec->layer[i].dropout, 0, 0);
		UNIT_NEAR(spec->layer[i + 1].rate, 0.2, 0);
	}
	UNIT_STRING(spec_text(spec_reread(spec_text(spec))), spec_text(spec));
	UNIT_CHECK(spec_of("\"peephole\":true")->layer[0].peephole);
	UNIT_INTEGER(spec_of("\"num_layers\":8,\"dropout\":0.1")->nlayers, 18);
}

/* A made name steps aside for a given one. */
static void
made_names_are_unique(void)
{
	NnSpec	   *spec = spec_of("\"layers\":[{\"type\":\"lstm\",\"name\":\"lstm_2\",\"units\":1},"
							   "{\"type\":\"lstm\",\"units\":1},{\"type\":\"lstm\",\"units\":1},"
							   "{\"type\":\"gru\",\"name\":\"dense\",\"units\":1},{\"type\":\"dense\"}]");

	UNIT_STRING(spec->layer[1].name, "lstm_3");
	UNIT_STRING(spec->layer[2].name, "lstm_4");
	UNIT_STRING(spec->layer[4].name, "dense_2");
}

/* ---- refusals */

typedef struct Refusal
{
	const char *options;
	NnCode		code;
	const char *message, *hint; /* parts that must be there; NULL: whatever */
} Refusal;

static void
refusals_check(const Refusal *refusal, size_t n)
{
	for (size_t i = 0; i < n; i++)
	{
		const Refusal *r = &refusal[i];

		UNIT_FAILS(unit_env(), r->code, spec_of(r->options));
		if (strstr(unit_host.message, r->message) == NULL)
			UNIT_FAILED("%s: message is \"%s\", without \"%s\"", r->options, unit_host.message,
						r->message);
		if (r->hint && strstr(unit_host.hint, r->hint) == NULL)
			UNIT_FAILED("%s: hint is \"%s\", without \"%s\"", r->options, unit_host.hint, r->hint);
	}
}

static void
unknown_keys_are_named(void)
{
	static const Refusal refusals[] = {
		{"\"hops\":3", NN_BAD_KEY, "unknown option \"hops\"",
		"It is an attribute of layers: write it in an element of \"layers\"."},
		{"\"unit\":3", NN_BAD_KEY, "unknown option \"unit\"", "Perhaps you meant \"units\"."},
		{"\"learningrate\":3", NN_BAD_KEY, "\"learningrate\"", "\"learning_rate\""},
		{"\"epoch\":3", NN_BAD_KEY, "\"epoch\"", "\"epochs\""},
		{"\"Units\":3", NN_BAD_KEY, "\"Units\"", "\"units\""},
		{"\"beta1\":0.9", NN_BAD_KEY, "\"beta1\"", "\"beta_1\""},
		{"\"quite_another_thing\":3", NN_BAD_KEY, "\"quite_another_thing\"", "documentation"},
		{"\"\":3", NN_BAD_KEY, "\"\"", "documentation"},
		/* Arguments of the caller, not options. */
		{"\"context\":3", NN_BAD_KEY, "\"context\"", NULL},
		{"\"targets\":3", NN_BAD_KEY, "\"targets\"", NULL}
	};

	refusals_check(refusals, COUNT(refusals));
	UNIT_CHECK(strstr(unit_host.hint, "targets") == NULL);
}

static void
wrong_types_are_named(void)
{
	static const Refusal refusals[] = {
		{"\"units\":\"64\"", NN_BAD_TYPE, "option \"units\" must be an integer, not a string", NULL},
		{"\"units\":1.5", NN_BAD_TYPE, "must be an integer, not 1.5", NULL},
		{"\"units\":null", NN_BAD_TYPE, "not null", NULL},
		{"\"units\":[64]", NN_BAD_TYPE, "not an array", NULL},
		{"\"seed\":0.5", NN_BAD_TYPE, "must be an integer", NULL},
		{"\"learning_rate\":true", NN_BAD_TYPE, "must be a number, not a boolean", NULL},
		{"\"shuffle\":1", NN_BAD_TYPE, "must be true or false, not a number", NULL},
		{"\"loss\":1", NN_BAD_TYPE, "must be a string", NULL},
		{"\"frequency\":1", NN_BAD_TYPE, "must be a string", NULL},
		{"\"bounds\":0", NN_BAD_TYPE, "\"bounds\" must be an array", NULL},
		{"\"bounds\":[\"0\",1]", NN_BAD_TYPE, "\"bounds\" must be an array", NULL},
		{"\"loss\":\"quantile\",\"quantiles\":0.5", NN_BAD_TYPE, "must be an array", NULL},
		{"\"loss\":\"quantile\",\"quantiles\":[null]", NN_BAD_TYPE, "must be an array", NULL},
		{"\"layers\":{\"type\":\"lstm\"}", NN_BAD_TYPE, "must be an array", NULL},
		{"\"layers\":[\"lstm\"]", NN_BAD_TYPE, "must be an array of objects", NULL}
	};
	NnSpec		spec;

	refusals_check(refusals, COUNT(refusals));
	UNIT_FAILS(unit_env(), NN_BAD_TYPE, nn_spec_parse(unit_env(), json_of("[1]"), &spec));
	UNIT_FAILS(unit_env(), NN_BAD_TYPE, nn_spec_parse(unit_env(), json_of("3"), &spec));
	UNIT_FAILS(unit_env(), NN_BAD_TYPE, nn_spec_parse(unit_env(), json_of("null"), &spec));
}

static void
ranges_are_kept(void)
{
	static const char *const outside[] = {
		"\"units\":0", "\"units\":-1", "\"units\":1000000000", "\"units\":65537", "\"units\":1e300",
		"\"num_layers\":0", "\"num_layers\":9", "\"epochs\":0", "\"epochs\":1000001",
		"\"batch_size\":0", "\"batch_size\":65537", "\"learning_rate\":0", "\"learning_rate\":-0.0",
		"\"learning_rate\":1000", "\"learning_rate\":-1e-300", "\"learning_rate\":1e308",
		"\"dropout\":1", "\"dropout\":-0.1", "\"dropout\":0.951", "\"recurrent_dropout\":1",
		"\"momentum\":1.01", "\"beta_1\":1", "\"beta_2\":1", "\"rho\":-1", "\"epsilon\":0",
		"\"huber_delta\":0", "\"huber_delta\":-1", "\"validation_split\":0.91",
		"\"validation_split\":-0.1", "\"patience\":-1", "\"clip_norm\":-1", "\"clip_value\":-1",
		"\"l1\":-1e-9", "\"l2\":1001", "\"seed\":-1", "\"seed\":9007199254740992",
		"\"schedule_factor\":0", "\"schedule_factor\":1", "\"schedule_patience\":0",
		"\"difference\":65537", "\"season\":-1", "\"outlier_threshold\":-1", "\"progress\":-1",
		"\"min_delta\":-1", "\"weight_decay\":1001", "\"minimum_learning_rate\":-1"
	};

	for (size_t i = 0; i < COUNT(outside); i++)
	{
		UNIT_FAILS(unit_env(), NN_BAD_VALUE, spec_of(outside[i]));
		UNIT_CHECK(strstr(unit_host.message, "outside of its range") != NULL);
		UNIT_CHECK(strncmp(unit_host.hint, "Give a number ", 14) == 0);
		UNIT_CHECK(strstr(unit_host.message, "nan") == NULL && strstr(unit_host.message, "inf") == NULL);
	}
	UNIT_FAILS(unit_env(), NN_BAD_VALUE, spec_of("\"units\":0"));
	UNIT_STRING(unit_host.message, "option \"units\" is 0, outside of its range");
	UNIT_STRING(unit_host.hint, "Give a number between 1 and 65536.");
	UNIT_FAILS(unit_env(), NN_BAD_VALUE, spec_of("\"learning_rate\":0"));
	UNIT_STRING(unit_host.hint, "Give a number between 0 and 1000, both excluded.");
	/* What JSON has no word for does not get in either. */
	UNIT_FAILS(unit_env(), NN_BAD_VALUE, spec_of("\"learning_rate\":NaN"));
	UNIT_FAILS(unit_env(), NN_BAD_VALUE, spec_of("\"clip_norm\":1e999"));
	UNIT_FAILS(unit_env(), NN_BAD_VALUE, spec_of("\"clip_norm\":Infinity"));
}

static void
words_are_listed(void)
{
	static const Refusal refusals[] = {
		{"\"loss\":\"rmse\"", NN_BAD_VALUE, "option \"loss\" cannot be \"rmse\"",
		"Give \"mse\", \"mae\", \"huber\", \"quantile\", \"gaussian\" or \"student_t\"."},
		{"\"architecture\":\"transformer\"", NN_BAD_VALUE, "\"transformer\"",
			"\"lstm\", \"gru\", \"rnn\""},
		{"\"activation\":\"\"", NN_BAD_VALUE, "cannot be \"\"", "\"gelu\""},
		{"\"frequency\":\"0123456789012345678901234567890123456789012345678901234567890123\"",
		NN_BAD_VALUE, "longer than 63 bytes", NULL}
	};

	refusals_check(refusals, COUNT(refusals));
	UNIT_INTEGER(strlen(spec_of("\"frequency\":"
								"\"012345678901234567890123456789012345678901234567890123456789012\"")
						->frequency), 63);
}

static void
bounds_are_checked(void)
{
	static const Refusal refusals[] = {
		{"\"bounds\":[]", NN_BAD_VALUE, "has 0 elements instead of 2", "[0, null]"},
		{"\"bounds\":[0]", NN_BAD_VALUE, "has 1 elements", NULL},
		{"\"bounds\":[0,1,2]", NN_BAD_VALUE, "has 3 elements", NULL},
		{"\"bounds\":[1,0]", NN_BAD_VALUE, "lower bound 1 is not below upper bound 0", NULL},
		{"\"bounds\":[1,1]", NN_BAD_VALUE, "is not below", NULL}
	};
	NnSpec	   *spec;

	refusals_check(refusals, COUNT(refusals));
	spec = spec_of("\"bounds\":[0,null]");
	UNIT_CHECK(spec->lower_bound == 0 && isnan(spec->upper_bound));
	spec = spec_reread(spec_text(spec_of("\"bounds\":[null,-3.5]")));
	UNIT_CHECK(isnan(spec->lower_bound) && spec->upper_bound == -3.5);
	spec = spec_of("\"bounds\":[null,null]");
	UNIT_CHECK(isnan(spec->lower_bound) && isnan(spec->upper_bound));
}

static void
quantiles_are_checked(void)
{
	static const Refusal refusals[] = {
		{"\"loss\":\"quantile\",\"quantiles\":[]", NN_BAD_VALUE, "has 0 elements", "Give 1 to 32"},
		{"\"loss\":\"quantile\",\"quantiles\":[0.1,0.9]", NN_BAD_VALUE, "lacks 0.5", "median"},
		{"\"loss\":\"quantile\",\"quantiles\":[0.5,0.1]", NN_BAD_VALUE, "0.1 is out of order", NULL},
		{"\"loss\":\"quantile\",\"quantiles\":[0.5,0.5]", NN_BAD_VALUE, "0.5 is out of order", NULL},
		{"\"loss\":\"quantile\",\"quantiles\":[0,0.5]", NN_BAD_VALUE, "0 is out of order or not", NULL},
		{"\"loss\":\"quantile\",\"quantiles\":[0.5,1]", NN_BAD_VALUE, "1 is out of order or not", NULL},
		{"\"loss\":\"quantile\",\"quantiles\":[-1,0.5]", NN_BAD_VALUE, "-1 is out of order", NULL}
	};
	NnText		many;

	refusals_check(refusals, COUNT(refusals));
	nn_text_init(&many, unit_env());
	nn_text_print(&many, "\"loss\":\"quantile\",\"quantiles\":[0.5");
	for (uint32_t i = 0; i < 31; i++)
		nn_text_print(&many, ",%g", 0.51 + i * 0.01);
	UNIT_INTEGER(spec_of(nn_format(unit_env(), "%s]", many.data))->nquantiles, 32);
	UNIT_FAILS(unit_env(), NN_BAD_VALUE, spec_of(nn_format(unit_env(), "%s,0.99]", many.data)));
	UNIT_INTEGER(nn_spec_outputs(spec_of("\"loss\":\"quantile\"")), 3);
}

#define LAYERS(list) "\"layers\":[" list "]"

static void
layers_are_checked(void)
{
	static const Refusal refusals[] = {
		{"\"layers\":[]", NN_BAD_VALUE, "has 0 layers", "Give 1 to 32"},
		{LAYERS("{}"), NN_BAD_VALUE, "layer 1 has no \"type\"", "Types are: rnn, gru, lstm, dense"},
		{LAYERS("{\"type\":3}"), NN_BAD_VALUE, "layer 1 has no \"type\"", NULL},
		{LAYERS("{\"type\":\"dense\"},{\"units\":3}"), NN_BAD_VALUE, "layer 2", NULL},
		{LAYERS("{\"type\":\"LSTM\"}"), NN_BAD_VALUE, "unknown layer type \"LSTM\"", "lstm"},
		{LAYERS("{\"type\":\"input\"}"), NN_BAD_VALUE, "unknown layer type \"input\"", NULL},
		{LAYERS("{\"type\":\"\"}"), NN_BAD_VALUE, "unknown layer type \"\"", NULL},
		{LAYERS("{\"type\":\"lstm\",\"size\":3}"), NN_BAD_KEY,
		"layer \"lstm\" of type \"lstm\" has no attribute \"size\"", "units"},
		{LAYERS("{\"type\":\"gru\",\"units\":1,\"peephole\":true}"), NN_BAD_KEY, "\"peephole\"", NULL},
		{LAYERS("{\"type\":\"rnn\",\"units\":1,\"recurrent_activation\":\"tanh\"}"), NN_BAD_KEY,
		"\"recurrent_activation\"", NULL},
		{LAYERS("{\"type\":\"dense\",\"rate\":0.1}"), NN_BAD_KEY, "\"rate\"", "activation"},
		{LAYERS("{\"type\":\"last\",\"units\":1}"), NN_BAD_KEY, "\"units\"",
		"Its attributes are: type, name, inputs."},
		{LAYERS("{\"type\":\"lstm\",\"units\":0}"), NN_BAD_VALUE,
		"layer \"lstm\": attribute \"units\" is 0", "1 and 65536"},
		{LAYERS("{\"type\":\"lstm\",\"units\":1000000000}"), NN_BAD_VALUE, "1000000000", NULL},
		{LAYERS("{\"type\":\"lstm\",\"units\":\"x\"}"), NN_BAD_TYPE, "\"units\" must be an integer", NULL},
		{LAYERS("{\"type\":\"dropout\",\"rate\":1}"), NN_BAD_VALUE, "\"rate\" is 1", NULL},
		{LAYERS("{\"type\":\"lstm\",\"name\":\"a\"},{\"type\":\"gru\",\"name\":\"a\"}"), NN_BAD_VALUE,
		"two layers are named \"a\"", "name of its own"},
		{LAYERS("{\"type\":\"dense\"},{\"type\":\"gru\",\"name\":\"dense\"}"), NN_BAD_VALUE,
		"two layers are named \"dense\"", NULL},
		{LAYERS("{\"type\":\"lstm\",\"name\":\"past\"}"), NN_BAD_VALUE, "cannot be named \"past\"",
			"taken"},
		{LAYERS("{\"type\":\"lstm\",\"name\":\"future\"}"), NN_BAD_VALUE, "\"future\"", NULL},
		{LAYERS("{\"type\":\"lstm\",\"name\":\"static\"}"), NN_BAD_VALUE, "\"static\"", NULL},
		{LAYERS("{\"type\":\"lstm\",\"name\":\"prep\"}"), NN_BAD_VALUE, "\"prep\"", NULL},
		{LAYERS("{\"type\":\"lstm\",\"name\":\"log\"}"), NN_BAD_VALUE, "\"log\"", NULL},
		{LAYERS("{\"type\":\"lstm\",\"name\":\"a.b\"}"), NN_BAD_VALUE, "not allowed", "letters"},
		{LAYERS("{\"type\":\"lstm\",\"name\":\"\xc3\xa9\"}"), NN_BAD_VALUE, "not allowed", NULL},
		{LAYERS("{\"type\":\"lstm\",\"name\":\"\"}"), NN_BAD_VALUE, "is empty or longer than", NULL},
		{LAYERS("{\"type\":\"lstm\",\"name\":\"123456789012345678901234567890123\"}"), NN_BAD_VALUE,
		"is empty or longer than 32 bytes", NULL},
		{LAYERS("{\"type\":\"lstm\",\"name\":7}"), NN_BAD_TYPE, "\"name\" must be a string", NULL},
		{LAYERS("{\"type\":\"lstm\",\"inputs\":[]}"), NN_BAD_VALUE, "\"inputs\" has 0 elements",
		"Name 1 to 8"},
		{LAYERS("{\"type\":\"lstm\",\"inputs\":\"past\"}"), NN_BAD_TYPE, "\"inputs\" must be", NULL},
		{LAYERS("{\"type\":\"add\",\"inputs\":[1]}"), NN_BAD_TYPE, "\"inputs\" must be", NULL},
		{LAYERS("{\"type\":\"add\",\"inputs\":[\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\"]}"),
		NN_BAD_VALUE, "has 9 elements", NULL},
		{LAYERS("{\"type\":\"dense\"}") ",\"units\":3", NN_BAD_VALUE,
		"option \"units\" cannot be combined with \"layers\"", "leave \"layers\" out"},
		{"\"residual\":false," LAYERS("{\"type\":\"dense\"}"), NN_BAD_VALUE, "\"residual\" cannot", NULL}
	};

	refusals_check(refusals, COUNT(refusals));
	UNIT_INTEGER(strlen(spec_of(LAYERS("{\"type\":\"lstm\",\"name\":\"12345678901234567890123456789012\"}"))
						->layer[0].name), 32);
}

/* Lists of up to 32 layers; longer and deeper ones end in a message, whatever their size. */
static void
long_lists_are_refused(void)
{
	const uint32_t counts[] = {32, 33, 1000, 50000};

	for (size_t i = 0; i < COUNT(counts); i++)
	{
		NnText		text;

		nn_text_init(&text, unit_env());
		nn_text_print(&text, "\"layers\":[");
		for (uint32_t k = 0; k < counts[i]; k++)
			nn_text_print(&text, "%s{\"type\":\"activation\"}", k ? "," : "");
		nn_text_print(&text, "]");
		if (counts[i] == 32)
		{
			UNIT_STRING(spec_of(text.data)->layer[31].name, "activation_32");
			continue;
		}
		UNIT_FAILS(unit_env(), NN_BAD_VALUE, spec_of(text.data));
		UNIT_STRING(unit_host.message, nn_format(unit_env(), "option \"layers\" has %u layers", counts[i]));
	}
	{
		NnText		text;

		nn_text_init(&text, unit_env());
		nn_text_print(&text, "\"layers\":");
		for (uint32_t k = 0; k < 100000; k++)
			nn_text_print(&text, "[");
		UNIT_FAILS(unit_env(), NN_BAD_VALUE, spec_of(text.data));
	}
	/* Below the parser's depth: a layer within a layer. */
	UNIT_FAILS(unit_env(), NN_BAD_TYPE, spec_of("\"layers\":[[{\"type\":\"lstm\"}]]"));
}

static void
contradictions_are_refused(void)
{
	static const Refusal refusals[] = {
		{"\"nesterov\":true", NN_BAD_VALUE, "\"nesterov\" needs", NULL},
		{"\"nesterov\":true,\"optimizer\":\"sgd\"", NN_BAD_VALUE, "\"nesterov\" needs", NULL},
		{"\"nesterov\":true,\"optimizer\":\"rmsprop\",\"momentum\":0.5", NN_BAD_VALUE,
			"\"nesterov\"", NULL},
		{"\"momentum\":0.5", NN_BAD_VALUE, "optimizer \"adam\" has no momentum", "sgd"},
		{"\"momentum\":0.5,\"optimizer\":\"adagrad\"", NN_BAD_VALUE, "\"adagrad\" has no momentum", NULL},
		{"\"weight_decay\":0.5", NN_BAD_VALUE, "\"adam\" has no weight decay", "adamw"},
		{"\"quantiles\":[0.1,0.5]", NN_BAD_VALUE,
		"option \"quantiles\" has no meaning for loss \"mse\"", "\"quantile\""},
		{"\"huber_delta\":2", NN_BAD_VALUE, "no meaning for loss \"mse\"", "\"huber\""},
		{"\"rho\":0.5", NN_BAD_VALUE, "no meaning for optimizer \"adam\"", "rmsprop"},
		{"\"optimizer\":\"sgd\",\"beta_1\":0.5", NN_BAD_VALUE, "\"beta_1\" has no meaning", "adamw"},
		{"\"optimizer\":\"rmsprop\",\"beta_2\":0.5", NN_BAD_VALUE, "\"beta_2\" has no meaning", NULL},
		{"\"epsilon\":0.5,\"optimizer\":\"sgd\"", NN_BAD_VALUE, "no meaning for optimizer \"sgd\"", NULL},
		{"\"schedule_factor\":0.5", NN_BAD_VALUE, "no meaning for schedule \"constant\"", "plateau"},
		{"\"schedule_patience\":5,\"schedule\":\"cosine\"", NN_BAD_VALUE, "schedule \"cosine\"", NULL},
		{"\"minimum_learning_rate\":0.0001", NN_BAD_VALUE, "schedule \"constant\"", NULL},
		{"\"minimum_learning_rate\":0.1,\"schedule\":\"cosine\"", NN_BAD_VALUE,
		"\"minimum_learning_rate\" is 0.1, above the learning rate 0.001", NULL},
		{"\"outlier_threshold\":3", NN_BAD_VALUE, "no meaning for outliers \"none\"", "iqr"},
		{"\"outliers\":\"winsorise\",\"outlier_threshold\":0.5", NN_BAD_VALUE, "below 0.5", NULL},
		{"\"architecture\":\"gru\",\"peephole\":true", NN_BAD_VALUE, "\"peephole\" has no meaning", "lstm"},
		{"\"architecture\":\"rnn\",\"recurrent_activation\":\"tanh\"", NN_BAD_VALUE,
		"\"recurrent_activation\" has no meaning", "activation"}
	};

	refusals_check(refusals, COUNT(refusals));
	spec_of("\"optimizer\":\"rmsprop\",\"momentum\":0.5");
	spec_of("\"optimizer\":\"sgd\",\"momentum\":0.5,\"nesterov\":true");
}

/* ---- specs of model files */

/* object without member number i, or with another value in its place. */
static NnJson *
object_change(const char *text, uint32_t i, const char *value)
{
	NnJson	   *object = json_of(text),
			  **place = &object->child;

	for (; i > 0; i--)
		place = &(*place)->next;
	if (value == NULL)
		*place = (*place)->next;
	else
	{
		NnJson	   *other = json_of(value);

		other->key = (*place)->key;
		other->next = (*place)->next;
		*place = other;
	}
	return object;
}

static void
model_spec_is_checked(void)
{
	const char *text = spec_text(spec_of("\"loss\":\"quantile\""));
	uint32_t	n = json_of(text)->count;
	NnSpec		spec;

	for (uint32_t i = 0; i < n; i++)
	{
		UNIT_FAILS(unit_env(), NN_BAD_MODEL,
				   nn_spec_read(unit_env(), object_change(text, i, NULL), &spec));
		UNIT_CHECK(strstr(unit_host.message, "lacks the setting") != NULL);
		UNIT_FAILS(unit_env(), NN_BAD_MODEL,
				   nn_spec_read(unit_env(), object_change(text, i, "{}"), &spec));
		UNIT_FAILS(unit_env(), NN_BAD_MODEL,
				   nn_spec_read(unit_env(), object_change(text, i, "-1e9"), &spec));
		UNIT_FAILS(unit_env(), NN_BAD_MODEL,
				   nn_spec_read(unit_env(), object_change(text, i, "[{}]"), &spec));
		UNIT_FAILS(unit_env(), NN_BAD_MODEL,
				   nn_spec_read(unit_env(), object_change(text, i, "null"), &spec));
	}
	UNIT_FAILS(unit_env(), NN_BAD_MODEL, nn_spec_read(unit_env(), json_of("[]"), &spec));
	UNIT_FAILS(unit_env(), NN_BAD_MODEL, nn_spec_read(unit_env(), json_of("{\"deploy\":true}"), &spec));
	UNIT_FAILS(unit_env(), NN_BAD_MODEL, nn_spec_read(unit_env(), json_of("{\"units\":3}"), &spec));
	UNIT_FAILS(unit_env(), NN_BAD_MODEL, nn_spec_read(unit_env(), json_of("{\"x\":3}"), &spec));
}

static void
channels_are_counted(void)
{
	NnSpec	   *spec = spec_of("\"missing\":\"mask\"");

	spec->ntargets = 2;
	spec->npast = 3;
	spec->nfuture = 4;
	UNIT_INTEGER(nn_spec_channels(spec), 18);
	spec->missing = NN_MISSING_LINEAR;
	UNIT_INTEGER(nn_spec_channels(spec), 9);
	UNIT_INTEGER(nn_spec_outputs(spec), 1);
	spec->loss = NN_LOSS_GAUSSIAN;
	UNIT_INTEGER(nn_spec_outputs(spec), 2);
	spec->loss = NN_LOSS_STUDENT_T;
	UNIT_INTEGER(nn_spec_outputs(spec), 3);
	UNIT_STRING(nn_loss_name(NN_LOSS_STUDENT_T), "student_t");
	UNIT_STRING(nn_activation_name(NN_GELU), "gelu");
	UNIT_STRING(nn_activation_name(NN_LINEAR), "linear");
}

int
main(void)
{
	UNIT_RUN(keys_round_trip);
	UNIT_RUN(written_keys_have_cases);
	UNIT_RUN(shape_round_trips);
	UNIT_RUN(seeds_are_exact);
	UNIT_RUN(defaults_are_kept);
	UNIT_RUN(short_form_becomes_layers);
	UNIT_RUN(made_names_are_unique);
	UNIT_RUN(unknown_keys_are_named);
	UNIT_RUN(wrong_types_are_named);
	UNIT_RUN(ranges_are_kept);
	UNIT_RUN(words_are_listed);
	UNIT_RUN(bounds_are_checked);
	UNIT_RUN(quantiles_are_checked);
	UNIT_RUN(layers_are_checked);
	UNIT_RUN(long_lists_are_refused);
	UNIT_RUN(contradictions_are_refused);
	UNIT_RUN(model_spec_is_checked);
	UNIT_RUN(channels_are_counted);
	return unit_finish();
}
