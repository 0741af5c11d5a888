/*
 * search.c
 *		Which options lstm.tune tries: a grid, or draws from lists and ranges.
 *
 * What an option may be is asked of nn_spec_parse, by an environment of its own whose
 * failures come back here; there is no second list of options.
 */
#include "postgres.h"

#include <math.h>
#include <setjmp.h>

#include "core/nn_rng.h"
#include "core/nn_spec.h"
#include "pg/search.h"

/* Stream of the draws, apart from those of nn_rng.h. */
#define STREAM_SEARCH 0x7e000u

/* Draws of combinations that were drawn before, until the search counts as exhausted. */
#define SEARCH_REPEATS 100

typedef struct SearchKey
{
	const char *key;
	const NnJson *values;		/* array; NULL: a range */
	double		min, max;
	bool		log, integer;
} SearchKey;

typedef struct Search
{
	const NnEnv *env;
	const NnJson *options;
	uint32		n;
	SearchKey  *key;			/* [n] */
} Search;

SearchMethod
search_method_parse(const char *word)
{
	if (strcmp(word, "grid") == 0)
		return SEARCH_GRID;
	if (strcmp(word, "random") == 0)
		return SEARCH_RANDOM;
	if (strcmp(word, "halving") == 0)
		return SEARCH_HALVING;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown method \"%s\"", word),
			 errhint("Methods are grid, random and halving.")));
}

bool
search_has(const NnJson *search, const char *key)
{
	return nn_json_member(search, key) != NULL;
}

/* ------------------------------------------------------------------------
 * What an option may be
 */

typedef struct Probe
{
	const NnEnv *env;
	sigjmp_buf	jump;
	NnCode		code;
	const char *message,
			   *hint;
} Probe;

static void *
probe_alloc(void *host, size_t size)
{
	Probe	   *probe = host;

	return probe->env->alloc(probe->env->host, size);
}

static void
probe_poll(void *host)
{
	Probe	   *probe = host;

	probe->env->poll(probe->env->host);
}

static void
probe_fail(void *host, NnCode code, const char *message, const char *hint)
{
	Probe	   *probe = host;

	probe->code = code;
	probe->message = message;
	probe->hint = hint;
	siglongjmp(probe->jump, 1);
}

/* Are the options fit for a spec?  If not, probe says why. */
static bool
probe_options(Probe *probe, const NnEnv *env, const NnJson *options)
{
	NnEnv		own = {probe, probe_alloc, probe_poll, probe_fail, env->max_memory};

	probe->env = env;
	if (sigsetjmp(probe->jump, 0) != 0)
		return false;
	nn_spec_parse(&own, options, NN_NEW(&own, NnSpec));
	return true;
}

/* {"key": value} */
static NnJson *
option_alone(const NnEnv *env, const char *key, const NnJson *value)
{
	NnJson	   *object = NN_NEW(env, NnJson);
	NnJson	   *member = NN_NEW(env, NnJson);

	*member = *value;
	member->key = key;
	member->next = NULL;
	object->type = NN_JSON_OBJECT;
	object->count = 1;
	object->child = member;
	return object;
}

static NnJson
number_json(double number)
{
	return (NnJson) {.type = NN_JSON_NUMBER, .number = number};
}

/*
 * Whether the option takes whole numbers only: its type is checked before its range,
 * and both before it is held against others.
 */
static bool
option_is_integer(const Search *search, const char *key)
{
	NnJson		value = number_json(0.5);
	Probe		probe;

	if (strcmp(key, "context") == 0)
		return true;
	return !probe_options(&probe, search->env, option_alone(search->env, key, &value)) &&
		probe.code == NN_BAD_TYPE;
}

/* ------------------------------------------------------------------------
 * The search as given
 */

static void __attribute__((noreturn))
search_fail(const NnEnv *env, const char *message, const char *hint)
{
	nn_fail(env, NN_BAD_VALUE, message, hint);
}

/* Refuses a key that is no option, or one that has no place in a search. */
static void
key_check(const Search *search, const char *key, const NnJson *example)
{
	static const char *const apart[] = {"deploy", "progress", "from_model", "freeze"};
	const NnEnv *env = search->env;
	Probe		probe;

	if (strcmp(key, "context") == 0)
		return;
	for (size_t i = 0; i < lengthof(apart); i++)
		if (strcmp(key, apart[i]) == 0)
			search_fail(env, nn_format(env, "option \"%s\" cannot be searched", key),
						"Give it among the options.");
	if (!probe_options(&probe, env, option_alone(env, key, example)) &&
		(probe.code == NN_BAD_KEY || probe.code == NN_BAD_TYPE))
		nn_fail(env, probe.code, probe.message, probe.hint);
}

static void
context_check(const NnEnv *env, const NnJson *value)
{
	if (value->type != NN_JSON_NUMBER || value->number != floor(value->number) ||
		value->number < 1 || value->number > NN_MAX_STEPS)
		search_fail(env, "a context to be searched is outside of its range",
					nn_format(env, "Give numbers of steps between 1 and %d.", NN_MAX_STEPS));
}

static void
values_read(Search *search, SearchKey *key, const NnJson *member)
{
	const NnEnv *env = search->env;

	key->values = member;
	if (member->count == 0)
		search_fail(env, nn_format(env, "search of \"%.64s\" has no values", key->key),
					"List the values to try.");
	for (const NnJson *value = member->child; value; value = value->next)
	{
		key_check(search, key->key, value);
		if (strcmp(key->key, "context") == 0)
			context_check(env, value);
	}
}

/* {"min": number, "max": number, "log": bool} */
static void
range_read(Search *search, SearchKey *key, const NnJson *member)
{
	const NnEnv *env = search->env;
	const NnJson *min = nn_json_member(member, "min"),
			   *max = nn_json_member(member, "max"),
			   *log = nn_json_member(member, "log");
	NnJson		whole = number_json(1);

	for (const NnJson *e = member->child; e; e = e->next)
		if (e != min && e != max && e != log)
			search_fail(env, nn_format(env, "range of \"%.64s\" has an unknown key \"%.64s\"",
									   key->key, e->key), "Its keys are min, max and log.");
	key_check(search, key->key, &whole);
	if (min == NULL || max == NULL || min->type != NN_JSON_NUMBER || max->type != NN_JSON_NUMBER ||
		(log != NULL && log->type != NN_JSON_TRUE && log->type != NN_JSON_FALSE))
		search_fail(env, nn_format(env, "range of \"%.64s\" is incomplete", key->key),
					"Write it as {\"min\": 0.001, \"max\": 0.1, \"log\": true}.");
	key->min = min->number;
	key->max = max->number;
	key->log = log != NULL && log->type == NN_JSON_TRUE;
	key->integer = option_is_integer(search, key->key);
	if (!(key->min <= key->max))
		search_fail(env, nn_format(env, "range of \"%.64s\" ends at %g, below its beginning %g",
								   key->key, key->max, key->min), NULL);
	if (key->log && !(key->min > 0))
		search_fail(env, nn_format(env, "logarithmic range of \"%.64s\" begins at %g", key->key,
								   key->min), "Let it begin above 0.");
	if (key->integer && (key->min != floor(key->min) || key->max != floor(key->max)))
		search_fail(env, nn_format(env, "range of \"%.64s\" must begin and end with an integer",
								   key->key), NULL);
	if (strcmp(key->key, "context") == 0)
	{
		context_check(env, min);
		context_check(env, max);
	}
}

static void
search_read(Search *search, const NnJson *object)
{
	const NnEnv *env = search->env;

	if (object->type != NN_JSON_OBJECT)
		nn_fail(env, NN_BAD_TYPE, "search must be a JSON object",
				"Write it as {\"units\": [16, 32], \"learning_rate\": {\"min\": 0.001, \"max\": 0.1, "
				"\"log\": true}}.");
	if (object->count == 0)
		search_fail(env, "search is empty", "Name the options to try values of.");
	search->key = NN_NEW_ARRAY(env, SearchKey, object->count);
	for (const NnJson *member = object->child; member; member = member->next)
	{
		SearchKey  *key = &search->key[search->n++];
		NnJson		whole = number_json(1);

		key->key = member->key;
		if (member->type == NN_JSON_ARRAY)
			values_read(search, key, member);
		else if (member->type == NN_JSON_OBJECT)
			range_read(search, key, member);
		else
		{
			key_check(search, member->key, &whole);
			search_fail(env, nn_format(env, "search of \"%.64s\" is neither an array nor a range",
									   member->key),
						"List the values to try, or write {\"min\": ..., \"max\": ...}; what is not "
						"searched belongs to the options.");
		}
	}
}

/* ------------------------------------------------------------------------
 * Candidates
 */

/* The caller's options, with chosen [n] in place of those that are searched. */
static void
candidate_make(const Search *search, const NnJson *chosen, Candidate *candidate)
{
	const NnEnv *env = search->env;
	NnText		text,
				all;

	nn_text_init(&text, env);
	nn_text_init(&all, env);
	nn_json_begin(&text, '{');
	nn_json_begin(&all, '{');
	for (const NnJson *e = search->options ? search->options->child : NULL; e; e = e->next)
	{
		bool		searched = false;

		for (uint32 i = 0; i < search->n; i++)
			searched = searched || strcmp(search->key[i].key, e->key) == 0;
		if (searched)
			continue;
		nn_json_key(&text, e->key);
		nn_json_tree(&text, e);
		nn_json_key(&all, e->key);
		nn_json_tree(&all, e);
	}
	for (uint32 i = 0; i < search->n; i++)
	{
		nn_json_key(&all, search->key[i].key);
		nn_json_tree(&all, &chosen[i]);
		if (strcmp(search->key[i].key, "context") == 0)
		{
			candidate->context = (uint32) chosen[i].number;
			continue;
		}
		nn_json_key(&text, search->key[i].key);
		nn_json_tree(&text, &chosen[i]);
	}
	nn_json_end(&text, '}');
	nn_json_end(&all, '}');
	candidate->text = all.data;
	candidate->options = nn_json_parse(env, text.data, text.length, "options", NN_BAD_VALUE);
}

static const NnJson *
value_at(const SearchKey *key, uint32 i)
{
	const NnJson *value = key->values->child;

	while (i-- > 0)
		value = value->next;
	return value;
}

static uint32
grid_candidates(const Search *search, uint32 trials, Candidate *candidates)
{
	const NnEnv *env = search->env;
	double		size = 1;
	NnJson	   *chosen = NN_NEW_ARRAY(env, NnJson, search->n);

	for (uint32 i = 0; i < search->n; i++)
	{
		if (search->key[i].values == NULL)
			search_fail(env, nn_format(env, "a grid cannot take the range of \"%.64s\"",
									   search->key[i].key),
						"List its values, or use method random.");
		size *= search->key[i].values->count;
	}
	if (size > trials)
		search_fail(env, nn_format(env, "the grid has %.0f combinations, more than %u trials", size,
								   trials), "Raise \"trials\", or use method random.");
	for (uint32 number = 0; number < (uint32) size; number++)
	{
		uint32		rest = number;

		/* The last key changes first. */
		for (uint32 i = search->n; i-- > 0;)
		{
			chosen[i] = *value_at(&search->key[i], rest % search->key[i].values->count);
			rest /= search->key[i].values->count;
		}
		candidate_make(search, chosen, &candidates[number]);
	}
	return (uint32) size;
}

/* Uniform in [0, 1), 53 bits. */
static double
draw_unit(uint64 seed, uint32 draw, uint32 i)
{
	uint32_t	block[4];

	nn_rng_block(seed, STREAM_SEARCH, draw, i, block);
	return ((block[0] >> 5) * 67108864.0 + (block[1] >> 6)) / 9007199254740992.0;
}

static double
range_draw(const SearchKey *key, double unit)
{
	/* Whole numbers are the middles of equal parts. */
	double		half = key->integer ? 0.5 : 0,
				low = key->min - half,
				high = key->max + half,
				x;
	char		text[32];

	if (key->log)
		x = exp(log(low) + unit * (log(high) - log(low)));
	else
		x = low + unit * (high - low);
	if (key->integer)
		x = floor(x + 0.5);
	else
	{
		/* Nobody needs more digits, and these are the same everywhere. */
		snprintf(text, sizeof(text), "%.6g", x);
		x = strtod(text, NULL);
	}
	return Min(Max(x, key->min), key->max);
}

static void
candidate_draw(const Search *search, uint64 seed, uint32 draw, NnJson *chosen)
{
	for (uint32 i = 0; i < search->n; i++)
	{
		const SearchKey *key = &search->key[i];
		double		unit = draw_unit(seed, draw, i);

		if (key->values != NULL)
			chosen[i] = *value_at(key, (uint32) (unit * key->values->count));
		else
			chosen[i] = number_json(range_draw(key, unit));
	}
}

static uint32
random_candidates(const Search *search, uint32 trials, uint64 seed, Candidate *candidates)
{
	NnJson	   *chosen = NN_NEW_ARRAY(search->env, NnJson, search->n);
	uint32		n = 0;

	for (uint32 draw = 0, repeats = 0; n < trials && repeats < SEARCH_REPEATS; draw++)
	{
		bool		known = false;

		search->env->poll(search->env->host);
		candidate_draw(search, seed, draw, chosen);
		candidates[n].context = 0;
		candidate_make(search, chosen, &candidates[n]);
		for (uint32 i = 0; i < n && !known; i++)
			known = strcmp(candidates[i].text, candidates[n].text) == 0;
		repeats = known ? repeats + 1 : 0;
		n += !known;
	}
	return n;
}

uint32
search_candidates(const NnEnv *env, const NnJson *object, const NnJson *options,
				  SearchMethod method, uint32 trials, uint64 seed, Candidate **candidates)
{
	Search		search = {.env = env, .options = options};

	search_read(&search, object);
	*candidates = NN_NEW_ARRAY(env, Candidate, trials);
	if (method == SEARCH_GRID)
		return grid_candidates(&search, trials, *candidates);
	return random_candidates(&search, trials, seed, *candidates);
}

NnJson *
search_epochs(const NnEnv *env, const NnJson *options, uint32 epochs)
{
	NnText		text;

	nn_text_init(&text, env);
	nn_json_begin(&text, '{');
	for (const NnJson *e = options->child; e; e = e->next)
		if (strcmp(e->key, "epochs") != 0)
		{
			nn_json_key(&text, e->key);
			nn_json_tree(&text, e);
		}
	nn_json_key(&text, "epochs");
	nn_json_integer(&text, epochs);
	nn_json_end(&text, '}');
	return nn_json_parse(env, text.data, text.length, "options", NN_BAD_VALUE);
}
