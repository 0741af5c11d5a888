/*
 * fuzz_model.c
 *		Breaks model files in every way that their structure offers.
 *
 * Valid models are written, taken apart into header and data, changed, put
 * together and read.  Every mutant goes to the container's reader, whose verdict
 * must be that of an oracle written for the purpose, and to the model's
 * reader.  A refusal must come as a failure of the right code, within an amount
 * of memory in proportion to the mutant.  A mutant that is read must hold what
 * its bytes say (model_oracle.h).
 *
 * First come mutants made by hand, of which the verdict is known (one for each
 * check of the reader at least), then some thousands made by dice.  The dice
 * have a fixed seed, so a failure comes again.
 *
 * fuzz_plant.c runs the same on readers that lack a check, and fails unless each
 * is caught.
 */
#include "core/nn_model.h"
#include "core/nn_safetensors.h"

#include "model_file.h"
#include "model_oracle.h"
#include "unit.h"

#define NRANDOM 10000

/* A quotation mark in the metadata's texts, which are JSON within JSON. */
#define Q "\\\""

typedef enum Verdict
{
	REJECT, ACCEPT, EITHER
} Verdict;

static File mutant;				/* the one being made */
static size_t ntrials,
			naccepted;

/* Name of a mutant, which outlives the environment's memory. */
static const char *
label(const char *format, ...)
{
	static char text[256];
	va_list		args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return text;
}

/* ------------------------------------------------------------------------
 * One mutant
 */

static void
memory_check(const char *what, const char *reader, size_t length)
{
	/* A tree of n commas takes 64 n bytes, blocks of nodes and plans some more. */
	if (unit_host.nbytes > 200 * length + ((size_t) 4 << 20))
		UNIT_FAILED("%s: %s takes %zu bytes for %zu", what, reader, unit_host.nbytes, length);
}

/* Bytes have their own allocation, so that a sanitizer sees a read beyond them. */
static void
trial_bytes(const char *what, const uint8_t *bytes, size_t length, Verdict verdict)
{
	NnModel    *model = NULL;
	const char *broken;
	bool		ok,
				valid;

	ntrials++;
	unit_env_reset();
	valid = oracle_container(bytes, length);
	unit_env_reset();
	GUARDED(ok, nn_tensor_file_read(unit_env(), bytes, length));
	memory_check(what, "the container", length);
	if (ok != valid)
		UNIT_FAILED("%s: the container is read as %s: %s", what, ok ? "valid" : "invalid",
					ok ? "" : unit_host.message);

	unit_env_reset();
	GUARDED(ok, model = nn_model_read(unit_env(), bytes, length));
	memory_check(what, "the model", length);
	if (!ok && unit_host.code != NN_BAD_MODEL && unit_host.code != NN_TOO_LARGE)
		UNIT_FAILED("%s: code %d, \"%s\"", what, (int) unit_host.code, unit_host.message);
	if (!ok && (unit_host.message[0] == '\0' || strlen(unit_host.message) > 600))
		UNIT_FAILED("%s: message \"%s\"", what, unit_host.message);
	if (verdict != EITHER && ok != (verdict == ACCEPT))
		UNIT_FAILED("%s: %s%s", what, ok ? "is accepted" : "is rejected: ",
					ok ? "" : unit_host.message);
	if (ok)
	{
		naccepted++;
		broken = valid ? reading_breaks(bytes, length, model) : "the container is valid";
		if (broken)
			UNIT_FAILED("%s: not true that %s", what, broken);
	}
	unit_env_reset();
#ifdef NN_PLANT
	/* One trace is enough. */
	if (unit_host.nchecks_failed > 0)
		_exit(1);
#endif
}

/* The mutant, its header's length given or its own. */
static void
trial_length(const char *what, const File *file, uint64_t nheader, Verdict verdict)
{
	size_t		length = 8 + file->nheader + file->ndata;
	uint8_t    *bytes = malloc(length);

	nn_u64_put(bytes, nheader);
	memcpy(bytes + 8, file->header, file->nheader);
	memcpy(bytes + 8 + file->nheader, file->data, file->ndata);
	trial_bytes(what, bytes, length, verdict);
	free(bytes);
}

static void
trial(const char *what, const File *file, Verdict verdict)
{
	trial_length(what, file, file->nheader, verdict);
}

/* ------------------------------------------------------------------------
 * Mutants made by hand
 */

static void
bases_are_read(void)
{
	bases_make();
	for (int i = 0; i < NBASES; i++)
		trial(label("base %d", i), &bases[i], ACCEPT);
}

/* Replacements in the header of base 0. */
static void
texts_are_judged(void)
{
	static const struct
	{
		const char *from,
				   *to;
		Verdict		verdict;
	}			texts[] = {
		/* what must not matter */
		{"{\"__metadata__\":", "{ \"__metadata__\" :\n\t", ACCEPT},
		{"\"shape\":[8,2]", "\"shape\":[8.0,2e0]", ACCEPT},
		{Q "context" Q ":4", Q "context" Q ":5", ACCEPT},
		{Q "optimizer" Q ":" Q "adam" Q, Q "optimizer" Q ":" Q "sgd" Q, ACCEPT},
		{Q "mae" Q ":null", Q "mae" Q ":1.5", ACCEPT},
		{Q "1 hour" Q, Q "60 minutes" Q, ACCEPT},
		{Q "timestamptz" Q, Q "timestamp" Q, ACCEPT},
		{Q "series_column" Q ":[]", Q "series_column" Q ":[" Q "a" Q "," Q "b" Q "]", ACCEPT},
		{Q "series" Q ":[" Q Q "]", Q "series" Q ":[" Q "\\\\u00e9" Q "]", ACCEPT},
		{Q "rows" Q ":100", Q "rows" Q ":9007199254740992", ACCEPT},
		/* metadata */
		{"\"format\":\"lstm\"", "\"format\":\"gru\"", REJECT},
		{"\"format\":\"lstm\"", "\"format\":5", REJECT},
		{"\"format\":\"lstm\",", "", REJECT},
		{"\"format\":\"lstm\"", "\"format\":\"lstm\",\"author\":\"x\"", REJECT},
		{"\"format\":\"lstm\"", "\"format\":\"lstm\",\"format\":\"lstm\"", REJECT},
		{"\"format_version\":\"1\"", "\"format_version\":\"2\"", REJECT},
		{"\"format_version\":\"1\"", "\"format_version\":\"01\"", REJECT},
		{"\"format_version\":\"1\"", "\"format_version\":\"\"", REJECT},
		{"\"format_version\":\"1\",", "", REJECT},
		{"\"spec\":", "\"spek\":", REJECT},
		{"\"data\":\"{", "\"data\":\"[", REJECT},
		{"\"__metadata__\"", "\"metadata\"", REJECT},
		/* data */
		{Q "time_kind" Q, Q "kind" Q, REJECT},
		{Q "timestamptz" Q, Q "century" Q, REJECT},
		{Q "timestamptz" Q, Q "date" Q, REJECT},
		{Q "timestamptz" Q, Q "integer" Q, REJECT},
		{Q "timestamptz" Q, "0", REJECT},
		{Q "1 hour" Q, Q "1 blink" Q, REJECT},
		{Q "1 hour" Q, Q "0 hours" Q, REJECT},
		{Q "1 hour" Q, Q "-1 hours" Q, REJECT},
		{Q "1 hour" Q, Q "integer 5" Q, REJECT},
		{Q "1 hour" Q, "3600", REJECT},
		{Q "Europe/Vienna" Q, "null", REJECT},
		{"Europe/Vienna", "Europe/\xff", REJECT},
		{"Europe/Vienna", "Europe/\\\\u0000", REJECT},
		{Q "zone" Q, Q "colour" Q ":1," Q "zone" Q, REJECT},
		{Q "zone" Q, Q "target" Q ":[" Q "y0" Q "]," Q "zone" Q, REJECT},
		{"[" Q "y0" Q "]", "[]", REJECT},
		{"[" Q "y0" Q "]", "[" Q "y0" Q "," Q "y1" Q "]", REJECT},
		{"[" Q "y0" Q "]", "[5]", REJECT},
		{"[" Q "y0" Q "]", "{" Q "a" Q ":" Q "y0" Q "}", REJECT},
		{"[" Q "y0" Q "]", Q "y0" Q, REJECT},
		{Q "static_covariates" Q ":[]", Q "static_covariates" Q ":[" Q "c" Q "]", REJECT},
		{Q "series" Q ":[" Q Q "]", Q "series" Q ":[]", REJECT},
		{Q "series" Q ":[" Q Q "]", Q "series" Q ":[" Q "b" Q "," Q "a" Q "]", REJECT},
		{Q "series" Q ":[" Q Q "]", Q "series" Q ":[" Q "a" Q "," Q "a" Q "]", REJECT},
		{Q "series" Q ":[" Q Q "]", Q "series" Q ":[" Q "a" Q "," Q "b" Q "]", ACCEPT},
		{Q "groups" Q ":1", Q "groups" Q ":2", REJECT},
		{Q "groups" Q ":1", Q "groups" Q ":4294967297", REJECT},
		{Q "groups" Q ":1", Q "groups" Q ":4294967295", REJECT},
		{Q "columns" Q ":2", Q "columns" Q ":3", REJECT},
		{Q "statics" Q ":0", Q "statics" Q ":1", REJECT},
		{Q "prep" Q ":{", Q "prep" Q ":{" Q "x" Q ":0,", REJECT},
		{Q "report" Q ":{" Q "epochs" Q ":2,", Q "report" Q ":{", REJECT},
		{Q "report" Q ":{" Q "epochs" Q ":2", Q "report" Q ":{" Q "epochs" Q ":3", REJECT},
		{Q "report" Q ":{" Q "epochs" Q ":2", Q "report" Q ":{" Q "epochs" Q ":4294967298", REJECT},
		{Q "best_epoch" Q ":0", Q "best_epoch" Q ":1", ACCEPT},
		{Q "best_epoch" Q ":0", Q "best_epoch" Q ":2", REJECT},
		{Q "best_epoch" Q ":0", Q "best_epoch" Q ":4294967296", REJECT},
		{Q "mae" Q ":null", Q "mae" Q ":" Q "x" Q, REJECT},
		{Q "mae" Q ":null", Q "mae" Q ":true", REJECT},
		{Q "mae" Q ":null", Q "mae" Q ":1e999", REJECT},
		{Q "rows" Q ":100", Q "rows" Q ":-5", REJECT},
		{Q "rows" Q ":100", Q "rows" Q ":1.5", REJECT},
		{Q "rows" Q ":100", Q "rows" Q ":1e300", REJECT},
		{Q "rows" Q ":100", Q "rows" Q ":null", REJECT},
		{Q "rows" Q ":100", Q "rows" Q ":" Q "x" Q, REJECT},
		/* spec */
		{"\"spec\":\"{", "\"spec\":\"[", REJECT},
		{"\"spec\":\"{", "\"spec\":\"{" Q "colour" Q ":1,", REJECT},
		{Q "context" Q ":4,", "", REJECT},
		{Q "context" Q ":4", Q "context" Q ":0", REJECT},
		{Q "context" Q ":4", Q "context" Q ":4294967300", REJECT},
		{Q "horizon" Q ":2", Q "horizon" Q ":3", REJECT},
		{Q "horizon" Q ":2", Q "horizon" Q ":65536", REJECT},
		{Q "targets" Q ":1", Q "targets" Q ":2", REJECT},
		{Q "targets" Q ":1", Q "targets" Q ":4097", REJECT},
		{Q "units" Q ":2", Q "units" Q ":3", REJECT},
		{Q "units" Q ":2", Q "units" Q ":0", REJECT},
		{Q "units" Q ":2", Q "units" Q ":65536", REJECT},
		{Q "units" Q ":2", Q "units" Q ":1e18", REJECT},
		{Q "units" Q ":2", Q "units" Q ":" Q "2" Q, REJECT},
		{Q "type" Q ":" Q "lstm" Q, Q "type" Q ":" Q "input" Q, REJECT},
		{Q "name" Q ":" Q "lstm" Q, Q "name" Q ":" Q "prep" Q, REJECT},
		{Q "name" Q ":" Q "lstm" Q, Q "name" Q ":" Q "a.b" Q, REJECT},
		{Q "bidirectional" Q ":false", Q "bidirectional" Q ":true", REJECT},
		{Q "loss" Q ":" Q "mse" Q, Q "loss" Q ":" Q "gaussian" Q, REJECT},
		{Q "loss" Q ":" Q "mse" Q, Q "loss" Q ":" Q "none" Q, REJECT},
		{"[0.1,0.5,0.9]", "[0.9,0.5,0.1]", REJECT},
		{"[0.1,0.5,0.9]", "[]", REJECT},
		{Q "learning_rate" Q ":0.001", Q "learning_rate" Q ":0", REJECT},
		{Q "learning_rate" Q ":0.001", Q "learning_rate" Q ":null", REJECT},
		{Q "epochs" Q ":5", Q "epochs" Q ":1", REJECT},
		{Q "seed" Q ":0", Q "seed" Q ":0.5", REJECT},
		{Q "seed" Q ":0", Q "seed" Q ":-1", REJECT},
		{"[null,null]", "[1,0]", REJECT},
		{"[null,null]", "[null,null,null]", REJECT},
		{Q "scale_by_series" Q ":false", Q "scale_by_series" Q ":true", ACCEPT},
		/* tensors */
		{"\"F64\"", "\"I64\"", REJECT},
		{"\"F32\"", "\"I32\"", REJECT},
		{"\"F32\"", "\"f32\"", REJECT},
		{"\"F32\"", "\"BF16\"", REJECT},
		{"\"F32\"", "4", REJECT},
		{"\"dtype\":\"F32\",", "", REJECT},
		{"\"dtype\":\"F32\",", "\"dtype\":\"F32\",\"dtype\":\"F32\",", REJECT},
		{"\"dtype\":\"F32\",", "\"dtype\":\"F32\",\"order\":\"C\",", REJECT},
		{"\"shape\":[8,2]", "\"shape\":[2,8]", REJECT},
		{"\"shape\":[8,2]", "\"shape\":[16]", REJECT},
		{"\"shape\":[8,2]", "\"shape\":[8,2,1]", REJECT},
		{"\"shape\":[8,2]", "\"shape\":[8,2,1,1,1,1,1,1,1,1,1,1]", REJECT},
		{"\"shape\":[8,2]", "\"shape\":[\"8\",2]", REJECT},
		{"\"shape\":[8,2]", "\"shape\":{\"a\":8,\"b\":2}", REJECT},
		{"\"shape\":[8,2]", "\"shape\":[-8,-2]", REJECT},
		{"\"shape\":[8,2]", "\"shape\":[8,3]", REJECT},
		{"\"shape\":[8,2]", "\"shape\":[4294967296,4294967296]", REJECT},
		{"\"shape\":[8,2]", "\"shape\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[8,2]", REJECT},
		{"[0,64]", "[0,63]", REJECT},
		{"[0,64]", "[8,72]", REJECT},
		{"[0,64]", "[64,0]", REJECT},
		{"[0,64]", "[0]", REJECT},
		{"[0,64]", "[0,64,64]", REJECT},
		{"[0,64]", "[0,1e300]", REJECT},
		{"[0,64]", "[0,9007199254740991]", REJECT},
		{"[0,64]", "[-64,0]", REJECT},
		{"[0,64]", "[0,\"64\"]", REJECT},
		{"[0,64]", "null", REJECT},
		{"\"prep.high\"", "\"prep.low\"", REJECT},
		{"\"prep.high\"", "\"prep.hugh\"", REJECT},
		{"\"dense.bias\"", "\"dense.bias\\u0000\"", REJECT},
		{"{\"__metadata__\"", " {\"__metadata__\"", REJECT},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
	{
		file_copy(&mutant, &bases[0]);
		header_replace(&mutant, texts[i].from, texts[i].to);
		trial(label("%s for %s", texts[i].to, texts[i].from), &mutant, texts[i].verdict);
	}
}

/* Small containers: each is judged by the oracle, and none is a model. */
static void
containers_are_judged(void)
{
	static const char *const headers[] = {
		"", "{", "{}", "{}  ", " {}", "[]", "{\"a\":1}", "{\"__metadata__\":{}}",
		"{\"__metadata__\":[]}", "{\"__metadata__\":5}", "{\"__metadata__\":{\"a\":1}}",
		"{\"__metadata__\":{\"format\":\"pt\"}}",
#define TENSOR(dtype, shape, offsets) \
		"{\"a\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
		TENSOR("\"F32\"", "[0]", "[0,0]"),
		TENSOR("\"F32\"", "[3,0]", "[0,0]"),
		TENSOR("\"F32\"", "[0]", "[0,0,0]"),
		TENSOR("\"F32\"", "[0]", "{\"x\":0,\"y\":0}"),
		TENSOR("\"F32\"", "[\"x\"]", "[0,0]"),
		TENSOR("\"F32\"", "[0.5]", "[0,0]"),
		TENSOR("\"F32\"", "[-1,0]", "[0,0]"),
		TENSOR("\"F32\"", "{\"x\":0}", "[0,0]"),
		TENSOR("\"F32\"", "[1,1,1,1,1,1,1,0]", "[0,0]"),
		TENSOR("\"F32\"", "[1,1,1,1,1,1,1,1,0]", "[0,0]"),
		TENSOR("\"F32\"", "[4294967296,4294967296]", "[0,0]"),
		TENSOR("\"F32\"", "[1]", "[0,0]"),
		TENSOR("\"X\"", "[0]", "[0,0]"),
		TENSOR("\"F3\"", "[0]", "[0,0]"),
		TENSOR("null", "[0]", "[0,0]"),
		TENSOR("\"F32\"", "[0]", "[4,4]"),
		TENSOR("\"F32\"", "[0]", "[0,0]") "}",
		"{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0],\"b\":0}}",
		"{\"a\":{\"dtype\":\"F32\",\"shape\":[0]}}",
	};

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
	{
		mutant.nheader = mutant.ndata = 0;
		mutant.header[0] = '\0';
		header_splice(&mutant, 0, 0, headers[i]);
		trial(headers[i][0] ? headers[i] : "an empty header", &mutant, REJECT);
	}

	/* A tensor too many. */
	for (int n = 1024; n <= 1025; n++)
	{
		mutant.nheader = mutant.ndata = 0;
		mutant.header[0] = '\0';
		for (int i = 0; i < n; i++)
		{
			char		text[128];

			snprintf(text, sizeof(text), "%s\"t%d\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}",
					 i ? "," : "{", i);
			header_splice(&mutant, mutant.nheader, 0, text);
		}
		header_splice(&mutant, mutant.nheader, 0, "}");
		trial("many tensors", &mutant, REJECT);
	}
}

static void
numbers_are_judged(void)
{
	static const struct
	{
		int			base;
		const char *tensor;
		size_t		i;
		double		value;
		Verdict		verdict;
	}			numbers[] = {
		{0, "dense.weight", 1, 2.5, ACCEPT},
		{0, "dense.weight", 1, NAN, REJECT},
		{0, "dense.weight", 3, INFINITY, REJECT},
		{0, "lstm.bias", 7, -INFINITY, REJECT},
		{2, "up.weight_hh", 0, NAN, REJECT},
		{0, "prep.center", 1, -1e300, ACCEPT},
		{0, "prep.center", 1, NAN, REJECT},
		{0, "prep.center", 0, INFINITY, REJECT},
		{0, "prep.mean", 1, INFINITY, REJECT},
		{0, "prep.scale", 0, 5e-324, ACCEPT},
		{0, "prep.scale", 1, 0, REJECT},
		{0, "prep.scale", 1, -1, REJECT},
		{0, "prep.scale", 1, NAN, REJECT},
		{0, "prep.scale", 1, INFINITY, REJECT},
		{0, "prep.low", 1, -INFINITY, ACCEPT},
		{0, "prep.low", 1, NAN, REJECT},
		{0, "prep.low", 1, 100, REJECT},
		{0, "prep.high", 1, INFINITY, ACCEPT},
		{0, "prep.high", 1, NAN, REJECT},
		{0, "prep.high", 1, -100, REJECT},
		{1, "prep.static_center", 1, NAN, REJECT},
		{1, "prep.static_scale", 0, 0, REJECT},
		{1, "prep.scale", 11, -2, REJECT},
		{0, "log.epochs", 0, -3, ACCEPT},
		{0, "log.epochs", 0, NAN, REJECT},
		{0, "log.epochs", 4, INFINITY, REJECT},
		{0, "log.epochs", 5, NAN, ACCEPT},
		{0, "log.epochs", 5, -INFINITY, REJECT},
		{0, "log.epochs", 2, -1, REJECT},
		{0, "log.epochs", 6, NAN, REJECT},
		{0, "log.epochs", 6, INFINITY, REJECT},
		{0, "log.epochs", 7, -1, REJECT},
		{0, "log.epochs", 3, INFINITY, REJECT},
		{3, "ensemble/2/dense.weight", 0, 2.5, ACCEPT},
		{3, "ensemble/2/dense.weight", 0, NAN, REJECT},
		{3, "joint.weights", 0, 0.6, REJECT},
		{3, "joint.weights", 0, 0.5 + 1e-9, ACCEPT},
		{3, "joint.weights", 1, NAN, REJECT},
		{3, "joint.theta", 0, 1, ACCEPT},
		{3, "joint.theta", 0, 0, REJECT},
		{3, "joint.theta", 2, NAN, REJECT},
		{3, "joint.theta", 3, 3, REJECT},
		{3, "joint.ar", 35, 33, REJECT},
		{3, "joint.ar", 36, -1, REJECT},
		{3, "joint.ar", 69, INFINITY, REJECT},
		{3, "joint.ar", 69, 7, ACCEPT},
		{3, "interval.width", 0, 0, ACCEPT},
		{3, "interval.width", 0, -1e-9, REJECT},
		{3, "interval.width", 1, 0.25, ACCEPT},
		{3, "interval.width", 1, 0.2, REJECT},
		{3, "interval.width", 17, 0, ACCEPT},
		{3, "interval.width", 18, NAN, REJECT},
		{3, "interval.width", 33, INFINITY, REJECT},
		{4, "edges.source", 3, 0, ACCEPT},
		{4, "edges.source", 3, 3, REJECT},
		{4, "edges.source", 2, -1, REJECT},
		{4, "edges.source", 0, 1.5, REJECT},
		{4, "edges.source", 1, NAN, REJECT},
		{4, "edges.source", 1, 3e38, REJECT},
		{4, "edges.source", 3, 2, REJECT},
		{4, "edges.source", 0, 2, REJECT},
		{4, "edges.target", 3, 3, REJECT},
		{4, "edges.target", 1, 0.25, REJECT},
		{4, "edges.target", 0, -1, REJECT},
		{4, "edges.target", 0, 2, REJECT},
		{4, "edges.weight", 0, 1e30, ACCEPT},
		{4, "edges.weight", 1, 1e31, REJECT},
		{4, "edges.weight", 1, 0, REJECT},
		{4, "edges.weight", 2, -1, REJECT},
		{4, "ensemble/2/edges.weight", 3, 2, ACCEPT},
		{4, "ensemble/2/edges.weight", 3, 1e-31, REJECT},
		{4, "ensemble/2/edges.source", 3, 4, REJECT},
		{5, "prep.array_center", 2, -1e300, ACCEPT},
		{5, "prep.array_center", 2, NAN, REJECT},
		{5, "prep.array_scale", 2, 5e-324, ACCEPT},
		{5, "prep.array_scale", 0, 0, REJECT},
		{5, "prep.array_scale", 1, INFINITY, REJECT},
		{5, "fuse.weight", 8, 2, ACCEPT},
		{5, "fuse.bias", 2, NAN, REJECT},
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
	{
		file_copy(&mutant, &bases[numbers[i].base]);
		number_set(&mutant, numbers[i].tensor, numbers[i].i, numbers[i].value);
		trial(label("%g as element %zu of %s", numbers[i].value, numbers[i].i, numbers[i].tensor),
			  &mutant, numbers[i].verdict);
	}
}

static void
series_are_judged(void)
{
	static const struct
	{
		const char *to;
		Verdict		verdict;
	}			texts[] = {
		{"[" Q "s0" Q "," Q "s1" Q "," Q "s2" Q "]", ACCEPT},
		{"[" Q "s0" Q "," Q "s1" Q "]", REJECT},
		{"[" Q "s1" Q "," Q "s0" Q "," Q "s2" Q "]", REJECT},
		{"[" Q "s0" Q "," Q "s0" Q "," Q "s2" Q "]", REJECT},
		{"[" Q "s0" Q "," Q "s" Q "," Q "s2" Q "]", REJECT},
		{"[" Q "s0" Q ",null," Q "s2" Q "]", REJECT},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
	{
		size_t		begin,
					end;

		file_copy(&mutant, &bases[1]);
		begin = header_find(&mutant, 0, "[" Q "s0" Q);
		end = header_find(&mutant, begin, "]");
		header_splice(&mutant, begin, end + 1 - begin, texts[i].to);
		trial(texts[i].to, &mutant, texts[i].verdict);
	}
}

/* Replacements in the header of base 2: columns made from the time, words, skipped series. */
static void
columns_are_judged(void)
{
	static const struct
	{
		const char *from,
				   *to;
		Verdict		verdict;
	}			texts[] = {
		{Q "calendar" Q ":[" Q "month" Q "]", Q "calendar" Q ":[" Q "hour" Q "]", ACCEPT},
		{Q "calendar" Q ":[" Q "month" Q "]", Q "calendar" Q ":[]", REJECT},
		{Q "calendar" Q ":[" Q "month" Q "]", Q "calendar" Q ":" Q "auto" Q, REJECT},
		{Q "calendar" Q ":[" Q "month" Q "]", Q "calendar" Q ":[" Q "month" Q "," Q "hour" Q "]", REJECT},
		{Q "calendar" Q ":[" Q "month" Q "]",
			Q "calendar" Q ":[" Q "month" Q "," Q "hour" Q "," Q "minute" Q "]", REJECT},
		{Q "holidays" Q ":" Q "days" Q, Q "holidays" Q ":" Q Q, REJECT},
		{Q "f0" Q, Q "f0" Q "," Q "f1" Q, REJECT},
		{"[null,[" Q "w0" Q "," Q "w1" Q "]]", "[null,[" Q "a" Q "," Q "b" Q "]]", ACCEPT},
		{"[null,[" Q "w0" Q "," Q "w1" Q "]]", "[[" Q "w0" Q "," Q "w1" Q "],null]", ACCEPT},
		{"[null,[" Q "w0" Q "," Q "w1" Q "]]", "[null,[" Q "w1" Q "," Q "w0" Q "]]", REJECT},
		{"[null,[" Q "w0" Q "," Q "w1" Q "]]", "[null,[" Q "w0" Q "," Q "w0" Q "]]", REJECT},
		{"[null,[" Q "w0" Q "," Q "w1" Q "]]", "[null,[" Q "w0" Q "]]", REJECT},
		{"[null,[" Q "w0" Q "," Q "w1" Q "]]", "[null,[]]", REJECT},
		{"[null,[" Q "w0" Q "," Q "w1" Q "]]", "[[],[" Q "w0" Q "," Q "w1" Q "]]", REJECT},
		{"[null,[" Q "w0" Q "," Q "w1" Q "]]", "[null,[" Q "w0" Q ",5]]", REJECT},
		{"[null,[" Q "w0" Q "," Q "w1" Q "]]",
		"[null,{" Q "a" Q ":" Q "w0" Q "," Q "b" Q ":" Q "w1" Q "}]", REJECT},
		{"[null,[" Q "w0" Q "," Q "w1" Q "]]", "[null,null]", REJECT},
		{"[null,[" Q "w0" Q "," Q "w1" Q "]]", "[[" Q "w0" Q "," Q "w1" Q "]]", REJECT},
		{"[null,[" Q "w0" Q "," Q "w1" Q "]]",
		"{" Q "a" Q ":null," Q "b" Q ":[" Q "w0" Q "," Q "w1" Q "]}", REJECT},
		{"[null,[" Q "w0" Q "," Q "w1" Q "]]", "[null,[" Q "w0" Q "," Q "w1" Q "],null]", REJECT},
		{"[" Q "c0" Q "," Q "c1" Q "]", "[" Q "c0" Q "]", REJECT},
		{"[" Q "bad0" Q "," Q "bad1" Q "]", "[" Q "bad0" Q "]", REJECT},
		{"[" Q "bad0" Q "," Q "bad1" Q "]", "[" Q "b" Q "," Q "c" Q "]", ACCEPT},
		{Q "skipped_series" Q ":2", Q "skipped_series" Q ":3", REJECT},
		{Q "skipped_series" Q ":2", Q "skipped_series" Q ":4294967297", REJECT},
		{Q "date" Q, Q "integer" Q, REJECT},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
	{
		file_copy(&mutant, &bases[2]);
		header_replace(&mutant, texts[i].from, texts[i].to);
		trial(label("%s for %s", texts[i].to, texts[i].from), &mutant, texts[i].verdict);
	}

	/* Integers have no calendar. */
	file_copy(&mutant, &bases[2]);
	header_replace(&mutant, Q "date" Q, Q "integer" Q);
	header_replace(&mutant, Q "1 month end" Q, Q "integer 5" Q);
	trial("a calendar of integers", &mutant, REJECT);

	/* As many names as are left to give. */
	file_copy(&mutant, &bases[2]);
	header_replace(&mutant, Q "calendar" Q ":[" Q "month" Q "]", Q "calendar" Q ":" Q "auto" Q);
	header_replace(&mutant, Q "f0" Q, Q "f0" Q "," Q "f1" Q "," Q "f2" Q);
	trial("a calendar to be chosen", &mutant, REJECT);
	file_copy(&mutant, &bases[2]);
	header_replace(&mutant, Q "calendar" Q ":[" Q "month" Q "]",
				   Q "calendar" Q ":[" Q "month" Q "," Q "hour" Q "," Q "minute" Q "]");
	header_replace(&mutant, Q "f0" Q, "");
	trial("more made than there are", &mutant, REJECT);
}

/* Replacements in the header of base 3: members, weights, intervals, two networks. */
static void
members_are_judged(void)
{
	static const struct
	{
		const char *from,
				   *to;
		Verdict		verdict;
	}			texts[] = {
		{Q "measure" Q ":" Q "change" Q, Q "measure" Q ":" Q "level" Q, ACCEPT},
		{Q "measure" Q ":" Q "change" Q, Q "measure" Q ":" Q "hardness" Q, REJECT},
		{Q "measure" Q ":" Q "change" Q, Q "measure" Q ":3", REJECT},
		{Q "measure" Q ":" Q "change" Q, Q "measure" Q ":" Q "head" Q, REJECT},
		{Q "interval" Q ":{" Q "steps" Q ":2", Q "interval" Q ":{" Q "steps" Q ":0", REJECT},
		{Q "interval" Q ":{" Q "steps" Q ":2", Q "interval" Q ":{" Q "steps" Q ":3", REJECT},
		{Q "interval" Q ":{" Q "steps" Q ":2", Q "interval" Q ":{" Q "steps" Q ":4294967298", REJECT},
		{Q "interval" Q ":{", Q "interval" Q ":{" Q "x" Q ":1,", REJECT},
		{"[null,0,1.5]", "[1,2,3]", ACCEPT},
		{"[null,0,1.5]", "[null,0]", REJECT},
		{"[null,0,1.5]", "[null,0,1.5,2]", REJECT},
		{"[null,0,1.5]", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", REJECT},
		{"[null,0,1.5]", "{" Q "a" Q ":null," Q "b" Q ":0," Q "c" Q ":1.5}", REJECT},
		{"[null,0,1.5]", "[null,0," Q "x" Q "]", REJECT},
		{"[null,0,1.5]", "[null,0,true]", REJECT},
		{Q "out_of_time" Q ":true", Q "out_of_time" Q ":false", ACCEPT},
		{Q "out_of_time" Q ":true", Q "out_of_time" Q ":null", REJECT},
		{Q "out_of_time" Q ":true", Q "out_of_time" Q ":1", REJECT},
		{Q "trained_to" Q ":" Q "0" Q, Q "trained_to" Q ":" Q "-9223372036854775808" Q, ACCEPT},
		{Q "trained_to" Q ":" Q "0" Q, Q "trained_to" Q ":" Q "9223372036854775808" Q, REJECT},
		{Q "trained_to" Q ":" Q "0" Q, Q "trained_to" Q ":" Q "0x1" Q, REJECT},
		{Q "trained_to" Q ":" Q "0" Q, Q "trained_to" Q ":0", REJECT},
		{Q "network" Q "," Q "theta" Q, Q "theta" Q, REJECT},
		{Q "network" Q "," Q "theta" Q, Q "network" Q, REJECT},
		{Q "network" Q "," Q "theta" Q, Q "network" Q "," Q "drift" Q "," Q "theta" Q, REJECT},
		{Q "ensemble_size" Q ":2", Q "ensemble_size" Q ":1", REJECT},
		{Q "ensemble_size" Q ":2", Q "ensemble_size" Q ":3", REJECT},
		{Q "ensemble_size" Q ":2", Q "ensemble_size" Q ":0", REJECT},
		{Q "ensemble_size" Q ":2", Q "ensemble_size" Q ":4294967295", REJECT},
		{"\"ensemble/2/dense.weight\"", "\"ensemble/3/dense.weight\"", REJECT},
		{"\"joint.ar\"", "\"joint.drift\"", REJECT},
		{"[" Q "s0" Q "," Q "s1" Q "]", "[" Q "s0" Q "]", REJECT},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
	{
		file_copy(&mutant, &bases[3]);
		header_replace(&mutant, texts[i].from, texts[i].to);
		trial(label("%s for %s", texts[i].to, texts[i].from), &mutant, texts[i].verdict);
	}

	/* A negative weight, the sum being whole. */
	file_copy(&mutant, &bases[3]);
	number_set(&mutant, "joint.weights", 0, 1.25);
	number_set(&mutant, "joint.weights", 1, -0.5);
	trial("a negative weight", &mutant, REJECT);

	/* A step more than the horizon, with all its widths. */
	file_copy(&mutant, &bases[3]);
	header_replace(&mutant, Q "interval" Q ":{" Q "steps" Q ":2", Q "interval" Q ":{" Q "steps" Q ":3");
	tensor_grow(&mutant, "interval.width", "[2,1,17]", "[3,1,17]", 17 * 8);
	trial("intervals of a step more", &mutant, REJECT);
}

#include "model_sites.h"
#include "model_arrays.h"

/* A gap, an overlap, bytes of nobody, tensors nobody wants. */
static void
places_are_judged(void)
{
	static const uint8_t zeros[64];
	size_t		begin,
				end;

	file_copy(&mutant, &bases[0]);
	offsets_get(&mutant, "log.epochs", &begin, &end);
	data_insert(&mutant, end, zeros, 8);
	offsets_shift(&mutant, end, 8);
	trial("a gap", &mutant, REJECT);

	file_copy(&mutant, &bases[0]);
	offsets_get(&mutant, "prep.mean", &begin, &end);
	data_remove(&mutant, begin, end - begin);
	offsets_shift(&mutant, end, -(long) (end - begin));
	entry_replace(&mutant, "prep.mean", nn_format(unit_env(), "[%zu,%zu]", begin, end),
				  nn_format(unit_env(), "[%zu,%zu]", begin - (end - begin), begin));
	trial("two tensors in one place", &mutant, REJECT);

	file_copy(&mutant, &bases[0]);
	data_insert(&mutant, mutant.ndata, zeros, 8);
	trial("bytes at the end", &mutant, REJECT);

	file_copy(&mutant, &bases[0]);
	data_remove(&mutant, mutant.ndata - 4, 4);
	trial("bytes missing at the end", &mutant, REJECT);

	file_copy(&mutant, &bases[0]);
	tensor_add(&mutant, "\"zzz\":{\"dtype\":\"F32\",\"shape\":[0],", NULL, 0);
	trial("an empty tensor more", &mutant, REJECT);

	file_copy(&mutant, &bases[0]);
	tensor_add(&mutant, "\"zzz\":{\"dtype\":\"F32\",\"shape\":[2],", zeros, 8);
	trial("a tensor more", &mutant, REJECT);

	file_copy(&mutant, &bases[0]);
	offsets_get(&mutant, "lstm.weight_ih", &begin, &end);
	data_remove(&mutant, begin, end - begin);
	header_splice(&mutant, entry_find(&mutant, "lstm.weight_ih") - 1,
				  mutant.nheader - entry_find(&mutant, "lstm.weight_ih") + 1, "}");
	trial("a tensor less", &mutant, REJECT);
}

/* Sizes that agree with each other, but not with the settings. */
static void
sizes_are_judged(void)
{
	static const char *const arrays[] = {
		"prep.center", "prep.high", "prep.low", "prep.mean", "prep.scale"
	};
	uint8_t		one[8];

	file_copy(&mutant, &bases[0]);
	header_replace(&mutant, Q "groups" Q ":1", Q "groups" Q ":2");
	for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++)
		tensor_grow(&mutant, arrays[i], "[1,2]", "[2,2]", 16);
	trial("two groups", &mutant, REJECT);
	header_replace(&mutant, Q "series" Q ":[" Q Q "]", Q "series" Q ":[" Q "a" Q "," Q "b" Q "]");
	header_replace(&mutant, Q "scale_by_series" Q ":false", Q "scale_by_series" Q ":true");
	trial("two groups of two series", &mutant, ACCEPT);

	file_copy(&mutant, &bases[0]);
	header_replace(&mutant, Q "columns" Q ":2", Q "columns" Q ":3");
	for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++)
		tensor_grow(&mutant, arrays[i], "[1,2]", "[1,3]", 8);
	trial("a column more", &mutant, REJECT);

	file_copy(&mutant, &bases[0]);
	nn_f64_put(one, 1);
	header_replace(&mutant, Q "statics" Q ":0", Q "statics" Q ":1");
	tensor_add(&mutant, "\"prep.static_center\":{\"dtype\":\"F64\",\"shape\":[1],", one, 8);
	tensor_add(&mutant, "\"prep.static_scale\":{\"dtype\":\"F64\",\"shape\":[1],", one, 8);
	trial("a static covariate more", &mutant, REJECT);

	/* Two layers of one name must not share a tensor. */
	file_copy(&mutant, &bases[0]);
	header_replace(&mutant, "{" Q "type" Q ":" Q "dense" Q "," Q "name" Q ":" Q "dense" Q,
				   "{" Q "type" Q ":" Q "dense" Q "," Q "name" Q ":" Q "d" Q "," Q "units" Q ":2},"
				   "{" Q "type" Q ":" Q "dense" Q "," Q "name" Q ":" Q "d" Q);
	trial("two layers of one name", &mutant, REJECT);

	/* No epoch at all: an empty tensor in front. */
	file_copy(&mutant, &bases[0]);
	header_replace(&mutant, Q "report" Q ":{" Q "epochs" Q ":2", Q "report" Q ":{" Q "epochs" Q ":0");
	data_remove(&mutant, 0, 64);
	offsets_shift(&mutant, 64, -64);
	entry_replace(&mutant, "log.epochs", "[0,64]", "[0,0]");
	entry_replace(&mutant, "log.epochs", "[2,4]", "[0,4]");
	trial("no epoch", &mutant, ACCEPT);
}

static void
lengths_are_judged(void)
{
	const File *base = &bases[0];
	size_t		length = 8 + base->nheader + base->ndata;
	const uint64_t lengths[] = {
		0, 1, base->nheader - 1, base->nheader + 1, base->nheader + 8, length - 8, length - 7, length,
		(uint64_t) 1 << 31, (uint64_t) 1 << 32 | base->nheader, (uint64_t) 1 << 63,
		UINT64_MAX, UINT64_MAX - 7
	};
	uint8_t    *whole = malloc(length);

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		trial_length(label("header length %llu", (unsigned long long) lengths[i]), base, lengths[i],
					 REJECT);

	nn_u64_put(whole, base->nheader);
	memcpy(whole + 8, base->header, base->nheader);
	memcpy(whole + 8 + base->nheader, base->data, base->ndata);
	for (size_t cut = 0; cut < length; cut += cut < 20 ? 1 : 61)
	{
		uint8_t    *bytes = malloc(cut > 0 ? cut : 1);

		memcpy(bytes, whole, cut);
		trial_bytes(label("the first %zu bytes", cut), bytes, cut, REJECT);
		free(bytes);
	}
	free(whole);
}

/* ------------------------------------------------------------------------
 * Mutants made by dice
 */

static uint64_t dice_state;

static size_t
dice(size_t n)
{
	dice_state = dice_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return n == 0 ? 0 : (size_t) ((dice_state >> 33) % n);
}

#define PICK(array) ((array)[dice(sizeof(array) / sizeof((array)[0]))])

/* The text from a place of the header up to where its characters leave the set. */
static bool
header_token(const File *file, const char *set, size_t *at, size_t *length)
{
	size_t		start = dice(file->nheader);

	*at = start + strcspn(file->header + start, set);
	*length = strspn(file->header + *at, set);
	return *length > 0;
}

static void
dice_number(File *file)
{
	static const char *const numbers[] = {
		"0", "1", "2", "3", "4", "7", "8", "16", "-1", "0.5", "64", "65536", "2147483648",
		"4294967296", "4294967297", "9007199254740992", "9007199254740993", "1e19", "1e308", "1e999",
		"null", "true", "[]", "{}", "\"x\"", "-0", "00", "1.", "[[1]]"
	};
	size_t		at,
				length;

	if (header_token(file, "0123456789.", &at, &length))
		header_splice(file, at, length, PICK(numbers));
}

static void
dice_step(File *file)
{
	size_t		at,
				length;
	char		text[32];

	if (!header_token(file, "0123456789", &at, &length) || length > 15)
		return;
	snprintf(text, sizeof(text), "%lld", atoll(file->header + at) + (long long) dice(17) - 8);
	header_splice(file, at, length, text);
}

static void
dice_word(File *file)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz_ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t		at,
				length,
				from,
				n;
	char		word[64];

	if (!header_token(file, letters, &at, &length) || !header_token(file, letters, &from, &n))
		return;
	snprintf(word, sizeof(word), "%.*s", (int) (n < 60 ? n : 60), file->header + from);
	header_splice(file, at, length, word);
}

/* Takes out, doubles or moves what stands between two commas or brackets. */
static void
dice_member(File *file)
{
	static char text[4096];
	size_t		at = dice(file->nheader),
				length;

	at += strcspn(file->header + at, ",{[");
	length = 1 + strcspn(file->header + at + 1, dice(2) ? "," : "}");
	if (at + length >= file->nheader || length >= sizeof(text))
		return;
	memcpy(text, file->header + at, length);
	text[length] = '\0';
	if (dice(3) > 0)
		header_splice(file, at, length, "");
	if (dice(3) > 0)
	{
		at = dice(file->nheader);
		at += strcspn(file->header + at, ",}");
		if (at < file->nheader)
			header_splice(file, at, 0, text);
	}
	else
		header_splice(file, at, 0, text);
}

static void
dice_nesting(File *file)
{
	static const char *const deep[] = {
		"[", "]", "{", "}", "{\"a\":", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
		"\"", "\\", ",", ":", "\\u0000", "\\ud800", "\xf5", "\xc0\x80", " ", "\n", "\x01"
	};

	size_t		at = dice(file->nheader),
				removed = dice(3);

	/* Not as arguments: compilers would throw the dice in different orders. */
	header_splice(file, at, removed, PICK(deep));
}

/* Two tensors get one place, or each other's. */
static void
dice_offsets(File *file)
{
	static const char key[] = "\"data_offsets\":[";
	char		text[2][32];
	size_t		at[2];

	for (int i = 0; i < 2; i++)
	{
		const char *found = strstr(file->header + dice(file->nheader), key);

		if (found == NULL || strcspn(found + strlen(key), "]") >= sizeof(text[i]))
			return;
		at[i] = (size_t) (found - file->header) + strlen(key);
		snprintf(text[i], sizeof(text[i]), "%.*s", (int) strcspn(file->header + at[i], "]"),
				 file->header + at[i]);
	}
	if (at[0] > at[1] && dice(2))
	{
		header_splice(file, at[0], strlen(text[0]), text[1]);
		header_splice(file, at[1], strlen(text[1]), text[0]);
	}
	else
		header_splice(file, at[0], strlen(text[0]), text[1]);
}

static void
dice_value(File *file)
{
	static const double values[] = {
		0, -0.0, 1, -1, NAN, INFINITY, -INFINITY, 5e-324, 1e-45, 3.4e38, 1.7e308, -1.7e308
	};
	double		value = PICK(values);

	if (file->ndata < 8)
		return;
	if (dice(2))
		nn_f64_put(file->data + dice(file->ndata / 8) * 8, value);
	else
		nn_f32_put(file->data + dice(file->ndata / 4) * 4, (float) value);
}

static void
dice_data(File *file)
{
	uint8_t		bytes[16];
	size_t		n = 1 + dice(sizeof(bytes)),
				at = dice(file->ndata);

	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t) dice(256);
	if (dice(2) && file->ndata + n <= MAX_DATA)
		data_insert(file, at, bytes, n);
	else if (n <= file->ndata - at)
		data_remove(file, at, n);
}

static void
dice_byte(File *file)
{
	size_t		at = dice(file->nheader);
	char		byte = (char) dice(256);

	/* A NUL would cut short the text that later changes look at. */
	if (byte != '\0')
		file->header[at] = byte;
}

static void
dice_mutants_are_judged(void)
{
	static void (*const changes[]) (File *file) = {
		dice_number, dice_number, dice_number, dice_step, dice_step, dice_word, dice_word,
		dice_member, dice_nesting, dice_offsets, dice_value, dice_value, dice_data, dice_byte
	};
	size_t		before = naccepted;

	dice_state = 20240229;
	for (int i = 0; i < NRANDOM; i++)
	{
		file_copy(&mutant, &bases[dice(NBASES)]);
		for (size_t n = 1 + dice(3); n > 0; n--)
			PICK(changes) (&mutant);
		trial_length(label("mutant %d", i), &mutant, dice(50) ? mutant.nheader : mutant.nheader + dice(9) - 4,
					 EITHER);
	}
	/* Mutants that are all refused would show nothing of the second half of the reader. */
	UNIT_CHECK(naccepted - before > NRANDOM / 20);
}

static void
mutants_run(void)
{
	UNIT_RUN(bases_are_read);
	UNIT_RUN(texts_are_judged);
	UNIT_RUN(containers_are_judged);
	UNIT_RUN(numbers_are_judged);
	UNIT_RUN(series_are_judged);
	UNIT_RUN(columns_are_judged);
	UNIT_RUN(members_are_judged);
	UNIT_RUN(sites_are_judged);
	UNIT_RUN(arrays_are_judged);
	UNIT_RUN(places_are_judged);
	UNIT_RUN(sizes_are_judged);
	UNIT_RUN(lengths_are_judged);
	UNIT_RUN(dice_mutants_are_judged);
}

#ifndef NN_PLANT
int
main(void)
{
	mutants_run();
	printf("# %zu mutants, %zu of them read\n", ntrials, naccepted);
	return unit_finish();
}
#endif
