/*
 * test_json.c
 *		Tests of nn_json.h: what is read, what is refused, what is written.
 */
#include "unit.h"

#include "core/nn_json.h"

static NnJson *
parse(const char *text)
{
	size_t		length = strlen(text);

	/* A copy of exactly that length: a sanitizer sees any byte read too far. */
	char	   *bytes = NN_NEW_ARRAY(unit_env(), char, length);

	memcpy(bytes, text, length);
	return nn_json_parse(unit_env(), bytes, length, "options", NN_BAD_VALUE);
}

/* The canonical text of text. */
static const char *
rewrite(const char *text)
{
	NnText		out;

	nn_text_init(&out, unit_env());
	nn_json_tree(&out, parse(text));
	return out.data;
}

static const char *
number_text(double number)
{
	NnText		out;

	nn_text_init(&out, unit_env());
	nn_json_number(&out, number);
	return out.data;
}

static void
values_are_read(void)
{
	NnJson	   *root = parse(" {\"a\" : [1, -2.5e3, true, false, null, \"x\"], \"b\":{} }\n");
	NnJson	   *a = nn_json_member(root, "a");

	UNIT_INTEGER(root->type, NN_JSON_OBJECT);
	UNIT_INTEGER(root->count, 2);
	UNIT_INTEGER(a->count, 6);
	UNIT_CHECK(a->child->number == 1.0 && a->child->next->number == -2500.0);
	UNIT_INTEGER(a->child->next->next->type, NN_JSON_TRUE);
	UNIT_INTEGER(nn_json_member(root, "b")->count, 0);
	UNIT_CHECK(nn_json_member(root, "c") == NULL);
	UNIT_INTEGER(parse("7")->type, NN_JSON_NUMBER);
}

static void
escapes_are_read(void)
{
	UNIT_STRING(parse("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"")->string, "\"\\/\b\f\n\r\t");
	UNIT_STRING(parse("\"\\u0041\\u00e9\\u20AC\"")->string, "A\xC3\xA9\xE2\x82\xAC");
	UNIT_STRING(parse("\"\\ud83d\\ude00\"")->string, "\xF0\x9F\x98\x80");
	UNIT_STRING(parse("\"\xF4\x8F\xBF\xBF\"")->string, "\xF4\x8F\xBF\xBF");
	UNIT_STRING(parse("{\"\\u0061\":1}")->child->key, "a");
}

static void
bad_text_is_refused(void)
{
	static const char *const texts[] = {
		"", " ", "{", "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "{\"a\"",
		"{\"a\":", "{\"a\":1",
		"{\"a\":1,", "{\"a\":1,}", "{a:1}", "{1:1}", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "]", "}", "[}",
		"01", "-01", "00", "-", "+1", ".5", "1.", "1.e5", "1e", "1e+", "--1", "0x10",
		"1e999", "-1e999",
		"NaN", "Infinity", "-Infinity", "nan", "inf", "tru", "True", "nulll", "truefalse", "1 2",
		"\"", "\"a", "\"\\", "\"\\\"", "\"\\x\"", "\"\\u\"", "\"\\u12\"", "\"\\u12g4\"",
		"\"\\u0000\"",
		"\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\ud800\"", "\"\\ud800x\"", "\"\\ud800\\n\"",
		"\"\t\"", "\"\n\"", "\"\x01\"", "\"\x80\"", "\"\xC0\xAF\"", "\"\xC3\"", "\"\xE0\x80\x80\"",
		"\"\xED\xA0\x80\"", "\"\xF4\x90\x80\x80\"", "\"\xF8\x88\x80\x80\x80\"", "\"\xE2\x82", "'a'",
		"{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}", "// c\n1", "[1]]", "\v1", "\xEF\xBB\xBF[]",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
	{
		UNIT_FAILS(unit_env(), NN_BAD_VALUE, parse(texts[i]));
		if (strncmp(unit_host.message, "invalid options: ", 17) != 0)
			UNIT_FAILED("text %zu: %s", i, unit_host.message);
	}
}

/* A NUL inside the length is a byte like any other: refused. */
static void
embedded_nul_is_refused(void)
{
	NnEnv	   *env = unit_env();

	UNIT_FAILS(env, NN_BAD_MODEL, nn_json_parse(env, "\"a\0b\"", 5, "model header", NN_BAD_MODEL));
	UNIT_STRING(unit_host.message, "invalid model header: control character in a string at byte 3");
	UNIT_FAILS(env, NN_BAD_MODEL, nn_json_parse(env, "1\0", 2, "model header", NN_BAD_MODEL));
	UNIT_FAILS(env, NN_BAD_MODEL, nn_json_parse(env, "\"\\\0\"", 4, "model header", NN_BAD_MODEL));
}

static void
messages_name_the_byte(void)
{
	UNIT_FAILS(unit_env(), NN_BAD_VALUE, parse("{\"a\": 1, \"a\": 2}"));
	UNIT_STRING(unit_host.message, "invalid options: duplicate key \"a\" in the object at byte 1");
	UNIT_FAILS(unit_env(), NN_BAD_VALUE, parse("[1, 02]"));
	UNIT_STRING(unit_host.message, "invalid options: number with a leading zero at byte 5");
	UNIT_FAILS(unit_env(), NN_BAD_VALUE, parse("1 x"));
	UNIT_STRING(unit_host.message, "invalid options: trailing bytes after the value at byte 3");
}

/* A key of 2-byte characters is cut between two of them. */
static void
long_keys_are_cut(void)
{
	char		key[102] = "x";
	const char *text;

	for (int i = 0; i < 50; i++)
		strcat(key, "\xC3\xA9");
	text = nn_format(unit_env(), "{\"%s\":1,\"%s\":2}", key, key);
	UNIT_FAILS(unit_env(), NN_BAD_VALUE, parse(text));
	UNIT_CHECK(strstr(unit_host.message, "\xC3\xA9\" in the object") != NULL);
}

static void
depth_is_limited(void)
{
	char		text[2 * NN_JSON_MAX_DEPTH + 3];
	char		deep[100001];

	memset(text, '[', NN_JSON_MAX_DEPTH);
	memset(text + NN_JSON_MAX_DEPTH, ']', NN_JSON_MAX_DEPTH);
	text[2 * NN_JSON_MAX_DEPTH] = '\0';
	UNIT_INTEGER(parse(text)->count, 1);
	memset(text, '[', NN_JSON_MAX_DEPTH + 1);
	memset(text + NN_JSON_MAX_DEPTH + 1, ']', NN_JSON_MAX_DEPTH + 1);
	text[2 * NN_JSON_MAX_DEPTH + 2] = '\0';
	UNIT_FAILS(unit_env(), NN_BAD_VALUE, parse(text));
	memset(deep, '[', 100000);
	deep[100000] = '\0';
	UNIT_FAILS(unit_env(), NN_BAD_VALUE, parse(deep));
}

/* Many keys: sorted, not compared pairwise; the duplicate is found wherever it is. */
static void
many_keys_are_checked(void)
{
	for (int duplicate = 0; duplicate < 2; duplicate++)
	{
		NnText		text;

		nn_text_init(&text, unit_env());
		nn_json_begin(&text, '{');
		for (int i = 0; i < 50000; i++)
		{
			nn_json_key(&text, nn_format(unit_env(), "key%d", (i * 7919) % 50000));
			nn_json_integer(&text, i);
		}
		if (duplicate)
		{
			nn_json_key(&text, "key31415");
			nn_json_null(&text);
		}
		nn_json_end(&text, '}');
		if (duplicate)
			UNIT_FAILS(unit_env(), NN_BAD_VALUE, parse(text.data));
		else
			UNIT_INTEGER(parse(text.data)->count, 50000);
	}
	UNIT_CHECK(strstr(unit_host.message, "\"key31415\"") != NULL);
	UNIT_CHECK(unit_host.npolls > 0);
}

static void
numbers_round_trip(void)
{
	static const double numbers[] = {
		0.1, 1.0 / 3.0, 1e22, 1.7976931348623157e308, 5e-324, 2.2250738585072014e-308,
		9007199254740993.0, -123456.789, 1e-7, 3.4028234663852886e38, 0.1f, -0.0,
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
	{
		double		back = parse(number_text(numbers[i]))->number;

		UNIT_CHECK(memcmp(&back, &numbers[i], sizeof(back)) == 0);
	}
	UNIT_STRING(number_text(0.1), "0.1");
	UNIT_STRING(number_text(100000000000000000.0), "1e+17");
	UNIT_STRING(number_text(9007199254740991.0), "9007199254740991");
	UNIT_STRING(number_text(-1000000.0), "-1000000");
	UNIT_STRING(number_text(0.30000000000000004), "0.30000000000000004");
	UNIT_STRING(number_text(NAN), "null");
	UNIT_STRING(number_text(-INFINITY), "null");
}

static void
writer_puts_commas(void)
{
	NnText		text;

	nn_text_init(&text, unit_env());
	nn_json_begin(&text, '{');
	nn_json_key(&text, "a{");
	nn_json_string(&text, "x[");
	nn_json_key(&text, "b");
	nn_json_begin(&text, '[');
	nn_json_integer(&text, INT64_MIN);
	nn_json_bool(&text, true);
	nn_json_null(&text);
	nn_json_begin(&text, '[');
	nn_json_end(&text, ']');
	nn_json_number(&text, 0.5);
	nn_json_end(&text, ']');
	nn_json_key(&text, "c\"\n\x1f\\");
	nn_json_string(&text, "\xC3\xA9\t");
	nn_json_end(&text, '}');
	UNIT_STRING(text.data, "{\"a{\":\"x[\",\"b\":[-9223372036854775808,true,null,[],0.5],"
				"\"c\\\"\\n\\u001f\\\\\":\"\xC3\xA9\\t\"}");
	UNIT_INTEGER(text.length, strlen(text.data));
	UNIT_CHECK(strncmp(rewrite("[1e2,-9223372036854775808]"), "[100,-9.22", 10) == 0);
}

static void
tree_is_written_canonically(void)
{
	UNIT_STRING(rewrite(" { \"b\" : [ 1.0 , 2.50 , 1e3 ] , \"a\" : \"\\u00e9\\/\" } "),
				"{\"b\":[1,2.5,1000],\"a\":\"\xC3\xA9/\"}");
}

static void
text_grows(void)
{
	NnText		text;

	nn_text_init(&text, unit_env());
	for (int i = 0; i < 10000; i++)
		nn_text_print(&text, "%d,", i % 10);
	nn_text_append(&text, "end", 3);
	nn_text_append(&text, NULL, 0);
	nn_text_print(&text, "%0*d", 100000, 1);
	UNIT_INTEGER(text.length, 20003 + 100000);
	UNIT_INTEGER(text.data[text.length], 0);
	UNIT_CHECK(strncmp(text.data + 20000, "end000", 6) == 0);
}

int
main(void)
{
	UNIT_RUN(values_are_read);
	UNIT_RUN(escapes_are_read);
	UNIT_RUN(bad_text_is_refused);
	UNIT_RUN(embedded_nul_is_refused);
	UNIT_RUN(messages_name_the_byte);
	UNIT_RUN(long_keys_are_cut);
	UNIT_RUN(depth_is_limited);
	UNIT_RUN(many_keys_are_checked);
	UNIT_RUN(numbers_round_trip);
	UNIT_RUN(writer_puts_commas);
	UNIT_RUN(tree_is_written_canonically);
	UNIT_RUN(text_grows);
	return unit_finish();
}
