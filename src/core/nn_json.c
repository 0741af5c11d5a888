/*
 * nn_json.c
 *		A strict reader and a canonical writer of JSON.
 *
 * The reader trusts nothing: the text may come from a file that someone else
 * wrote.  It knows the grammar of RFC 8259 and no key of ours; what members
 * mean is the business of whoever walks the tree.  Stricter than the RFC in
 * three points: no duplicate keys, no \u0000 (strings end with a NUL here), and
 * no number that overflows a double.
 *
 * Cost: one pass over the text.  Decoded strings share one buffer as long as the
 * text (decoding never lengthens), nodes come in growing blocks, so the arena
 * takes the text's length plus about 64 bytes per value.  Duplicate keys are
 * found by sorting pointers, n log n comparisons per object.  Recursion is
 * bounded by NN_JSON_MAX_DEPTH.
 *
 * Numbers go through strtod and printf: the host keeps LC_NUMERIC at "C".
 */
#include "core/nn_json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Nodes of the first block; each next block is twice as long. */
#define FIRST_BLOCK 16
#define LARGEST_BLOCK 4096

/* Values, or bytes of a string, between two polls. */
#define POLL_VALUES 1024
#define POLL_BYTES 65536

/* Objects up to this many members are compared pairwise, larger ones sorted. */
#define PAIRWISE_MEMBERS 8

typedef struct Reader
{
	const NnEnv *env;
	const char *what;
	NnCode		code;
	const unsigned char *text;
	size_t		length;
	size_t		at;				/* next byte */
	char	   *strings;		/* [length + 1]: all decoded strings */
	size_t		strings_used;	/* never more than at */
	NnJson	   *block;			/* nodes left over: block[0..block_left) */
	size_t		block_left;
	size_t		block_size;
	size_t		nvalues;
} Reader;

static void read_value(Reader *reader, NnJson *node, int depth);

static void __attribute__((noreturn))
reader_fail(Reader *reader, size_t at, const char *problem)
{
	nn_fail(reader->env, reader->code,
			nn_format(reader->env, "invalid %s: %s at byte %zu", reader->what, problem, at + 1),
			NULL);
}

/* The next byte, or -1 at the end. */
static int
reader_peek(const Reader *reader)
{
	return reader->at < reader->length ? reader->text[reader->at] : -1;
}

static void
reader_skip_space(Reader *reader)
{
	while (reader->at < reader->length)
	{
		unsigned char c = reader->text[reader->at];

		if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
			break;
		reader->at++;
		if (reader->at % POLL_BYTES == 0)
			reader->env->poll(reader->env->host);
	}
}

static NnJson *
reader_new_node(Reader *reader)
{
	if (reader->block_left == 0)
	{
		if (reader->block_size < LARGEST_BLOCK)
			reader->block_size = reader->block_size == 0 ? FIRST_BLOCK : reader->block_size * 2;
		reader->block = NN_NEW_ARRAY(reader->env, NnJson, reader->block_size);
		reader->block_left = reader->block_size;
	}
	if (++reader->nvalues % POLL_VALUES == 0)
		reader->env->poll(reader->env->host);
	reader->block_left--;
	return reader->block++;
}

/* Four hexadecimal digits. */
static uint32_t
read_hex4(Reader *reader)
{
	uint32_t	value = 0;

	for (int i = 0; i < 4; i++)
	{
		int			c = reader_peek(reader);

		if (c >= '0' && c <= '9')
			value = value * 16 + (uint32_t) (c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value * 16 + (uint32_t) (c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			value = value * 16 + (uint32_t) (c - 'A' + 10);
		else
			reader_fail(reader, reader->at, "\\u without four hexadecimal digits");
		reader->at++;
	}
	return value;
}

/* Appends the UTF-8 of a code point: at most as many bytes as its escape had. */
static void
put_code_point(Reader *reader, uint32_t point)
{
	char	   *out = reader->strings + reader->strings_used;
	size_t		n = 0;

	if (point < 0x80)
		out[n++] = (char) point;
	else if (point < 0x800)
	{
		out[n++] = (char) (0xC0 | (point >> 6));
		out[n++] = (char) (0x80 | (point & 0x3F));
	}
	else if (point < 0x10000)
	{
		out[n++] = (char) (0xE0 | (point >> 12));
		out[n++] = (char) (0x80 | ((point >> 6) & 0x3F));
		out[n++] = (char) (0x80 | (point & 0x3F));
	}
	else
	{
		out[n++] = (char) (0xF0 | (point >> 18));
		out[n++] = (char) (0x80 | ((point >> 12) & 0x3F));
		out[n++] = (char) (0x80 | ((point >> 6) & 0x3F));
		out[n++] = (char) (0x80 | (point & 0x3F));
	}
	reader->strings_used += n;
}

/* After "\u": one code point, two escapes when it needs surrogates. */
static void
read_unicode_escape(Reader *reader, size_t start)
{
	uint32_t	point = read_hex4(reader);

	if (point == 0)
		reader_fail(reader, start, "\\u0000 in a string");
	if (point >= 0xDC00 && point <= 0xDFFF)
		reader_fail(reader, start, "unpaired surrogate");
	if (point >= 0xD800 && point <= 0xDBFF)
	{
		uint32_t	low;

		if (reader->length - reader->at < 2 || reader->text[reader->at] != '\\' ||
			reader->text[reader->at + 1] != 'u')
			reader_fail(reader, start, "unpaired surrogate");
		reader->at += 2;
		low = read_hex4(reader);
		if (low < 0xDC00 || low > 0xDFFF)
			reader_fail(reader, start, "unpaired surrogate");
		point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
	}
	put_code_point(reader, point);
}

static void
read_escape(Reader *reader)
{
	/* The letter after the backslash, and what it stands for. */
	static const char letters[] = "\"\\/bfnrt";
	static const char meanings[] = "\"\\/\b\f\n\r\t";
	size_t		start = reader->at++;
	int			c = reader_peek(reader);
	const char *letter;

	if (c < 0)
		reader_fail(reader, reader->at, "unterminated string");
	reader->at++;
	if (c == 'u')
	{
		read_unicode_escape(reader, start);
		return;
	}
	letter = c == 0 ? NULL : strchr(letters, c);
	if (letter == NULL)
		reader_fail(reader, start, "unknown escape");
	reader->strings[reader->strings_used++] = meanings[letter - letters];
}

/*
 * Length of the well-formed UTF-8 sequence at s[0..n) (RFC 3629: no overlong
 * form, no surrogate, nothing above U+10FFFF), or 0.
 */
static size_t
utf8_length(const unsigned char *s, size_t n)
{
	unsigned char low = 0x80,
				high = 0xBF;
	size_t		length;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xC2 && s[0] <= 0xDF)
		length = 2;
	else if (s[0] >= 0xE0 && s[0] <= 0xEF)
		length = 3;
	else if (s[0] >= 0xF0 && s[0] <= 0xF4)
		length = 4;
	else
		return 0;
	if (length > n)
		return 0;

	if (s[0] == 0xE0)
		low = 0xA0;
	else if (s[0] == 0xED)
		high = 0x9F;
	else if (s[0] == 0xF0)
		low = 0x90;
	else if (s[0] == 0xF4)
		high = 0x8F;
	if (s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
	{
		if (s[i] < 0x80 || s[i] > 0xBF)
			return 0;
	}
	return length;
}

/* A string from its opening quote on; returns the decoded text. */
static const char *
read_string(Reader *reader)
{
	size_t		start = reader->strings_used;
	size_t		next_poll = reader->at + POLL_BYTES;

	reader->at++;				/* opening quote */
	for (;;)
	{
		int			c = reader_peek(reader);
		size_t		n;

		if (c < 0)
			reader_fail(reader, reader->at, "unterminated string");
		if (c == '"')
			break;
		if (c < 0x20)
			reader_fail(reader, reader->at, "control character in a string");
		if (reader->at >= next_poll)
		{
			reader->env->poll(reader->env->host);
			next_poll = reader->at + POLL_BYTES;
		}
		if (c == '\\')
		{
			read_escape(reader);
			continue;
		}
		n = utf8_length(reader->text + reader->at, reader->length - reader->at);
		if (n == 0)
			reader_fail(reader, reader->at, "invalid UTF-8");
		memcpy(reader->strings + reader->strings_used, reader->text + reader->at, n);
		reader->strings_used += n;
		reader->at += n;
	}
	reader->at++;				/* closing quote */
	reader->strings[reader->strings_used++] = '\0';
	return reader->strings + start;
}

/* Skips digits; fails when there is none. */
static void
skip_digits(Reader *reader)
{
	size_t		start = reader->at;

	while (reader->at < reader->length && reader->text[reader->at] >= '0' &&
		   reader->text[reader->at] <= '9')
		reader->at++;
	if (reader->at == start)
		reader_fail(reader, start, "digit missing in a number");
}

static double
read_number(Reader *reader)
{
	size_t		start = reader->at;
	char	   *digits = reader->strings + reader->strings_used;
	double		value;
	int			c;

	if (reader_peek(reader) == '-')
		reader->at++;
	if (reader_peek(reader) == '0')
	{
		reader->at++;
		c = reader_peek(reader);
		if (c >= '0' && c <= '9')
			reader_fail(reader, start, "number with a leading zero");
	}
	else
		skip_digits(reader);
	if (reader_peek(reader) == '.')
	{
		reader->at++;
		skip_digits(reader);
	}
	c = reader_peek(reader);
	if (c == 'e' || c == 'E')
	{
		reader->at++;
		c = reader_peek(reader);
		if (c == '+' || c == '-')
			reader->at++;
		skip_digits(reader);
	}

	/* strtod wants a NUL; the unused end of the string buffer has room for it. */
	memcpy(digits, reader->text + start, reader->at - start);
	digits[reader->at - start] = '\0';
	value = strtod(digits, NULL);
	if (!isfinite(value))
		reader_fail(reader, start, "number out of range");
	return value;
}

/* Restores the heap keys[0..n) whose entry at root may be too small. */
static void
keys_sift(const char **keys, size_t root, size_t n)
{
	for (;;)
	{
		size_t		child = 2 * root + 1;
		const char *key;

		if (child >= n)
			return;
		if (child + 1 < n && strcmp(keys[child], keys[child + 1]) < 0)
			child++;
		if (strcmp(keys[root], keys[child]) >= 0)
			return;
		key = keys[root];
		keys[root] = keys[child];
		keys[child] = key;
		root = child;
	}
}

/* Heapsort: in place and n log n whatever the input (qsort may call malloc). */
static void
keys_sort(const NnEnv *env, const char **keys, size_t n)
{
	for (size_t root = n / 2; root-- > 0;)
		keys_sift(keys, root, n);
	for (size_t last = n - 1; last > 0; last--)
	{
		const char *key = keys[0];

		keys[0] = keys[last];
		keys[last] = key;
		keys_sift(keys, 0, last);
		if (last % POLL_VALUES == 0)
			env->poll(env->host);
	}
}

/* Bytes of a text to show in a message: at most 64, whole UTF-8 sequences. */
static int
shown_length(const char *text)
{
	size_t		n = strnlen(text, 65);

	if (n <= 64)
		return (int) n;
	n = 64;
	while (n > 0 && ((unsigned char) text[n] & 0xC0) == 0x80)
		n--;
	return (int) n;
}

/* A key that two members of the object share, or NULL. */
static const char *
object_duplicate(Reader *reader, const NnJson *object)
{
	const char **keys;
	size_t		n = 0;

	if (object->count <= PAIRWISE_MEMBERS)
	{
		for (const NnJson *a = object->child; a != NULL; a = a->next)
			for (const NnJson *b = a->next; b != NULL; b = b->next)
			{
				if (strcmp(a->key, b->key) == 0)
					return a->key;
			}
		return NULL;
	}

	keys = NN_NEW_ARRAY(reader->env, const char *, object->count);
	for (const NnJson *member = object->child; member != NULL; member = member->next)
		keys[n++] = member->key;
	keys_sort(reader->env, keys, n);
	for (size_t i = 1; i < n; i++)
	{
		if (strcmp(keys[i - 1], keys[i]) == 0)
			return keys[i];
	}
	return NULL;
}

/* The key of a member and its colon. */
static const char *
read_key(Reader *reader)
{
	const char *key;

	if (reader_peek(reader) != '"')
		reader_fail(reader, reader->at, "key missing");
	key = read_string(reader);
	reader_skip_space(reader);
	if (reader_peek(reader) != ':')
		reader_fail(reader, reader->at, "colon missing");
	reader->at++;
	reader_skip_space(reader);
	return key;
}

/* An array or an object, from its opening bracket on. */
static void
read_container(Reader *reader, NnJson *node, int depth)
{
	bool		is_object = node->type == NN_JSON_OBJECT;
	char		close = is_object ? '}' : ']';
	size_t		start = reader->at;
	NnJson	  **link = &node->child;
	const char *duplicate;

	if (depth >= NN_JSON_MAX_DEPTH)
		reader_fail(reader, start,
					nn_format(reader->env, "nesting above %d levels", NN_JSON_MAX_DEPTH));
	reader->at++;
	reader_skip_space(reader);
	if (reader_peek(reader) == close)
	{
		reader->at++;
		return;
	}
	for (;;)
	{
		NnJson	   *child = reader_new_node(reader);

		if (is_object)
			child->key = read_key(reader);
		read_value(reader, child, depth + 1);
		*link = child;
		link = &child->next;
		node->count++;

		reader_skip_space(reader);
		if (reader_peek(reader) == close)
			break;
		if (reader_peek(reader) != ',')
			reader_fail(reader, reader->at, is_object ? "comma or \"}\" missing" :
						"comma or \"]\" missing");
		reader->at++;
		reader_skip_space(reader);
	}
	reader->at++;

	duplicate = is_object ? object_duplicate(reader, node) : NULL;
	if (duplicate != NULL)
		reader_fail(reader, start,
					nn_format(reader->env, "duplicate key \"%.*s\" in the object",
							  shown_length(duplicate), duplicate));
}

/* true, false or null. */
static void
read_word(Reader *reader, NnJson *node)
{
	static const struct
	{
		const char *word;
		NnJsonType	type;
	}			words[] = {
		{"true", NN_JSON_TRUE}, {"false", NN_JSON_FALSE}, {"null", NN_JSON_NULL},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
	{
		size_t		n = strlen(words[i].word);

		if (reader->length - reader->at >= n &&
			memcmp(reader->text + reader->at, words[i].word, n) == 0)
		{
			reader->at += n;
			node->type = words[i].type;
			return;
		}
	}
	reader_fail(reader, reader->at, "value expected");
}

/* One value at the reader's place, which is past any space. */
static void
read_value(Reader *reader, NnJson *node, int depth)
{
	int			c = reader_peek(reader);

	if (c < 0)
		reader_fail(reader, reader->at, "unexpected end");
	if (c == '{' || c == '[')
	{
		node->type = c == '{' ? NN_JSON_OBJECT : NN_JSON_ARRAY;
		read_container(reader, node, depth);
	}
	else if (c == '"')
	{
		node->type = NN_JSON_STRING;
		node->string = read_string(reader);
	}
	else if (c == '-' || (c >= '0' && c <= '9'))
	{
		node->type = NN_JSON_NUMBER;
		node->number = read_number(reader);
	}
	else
		read_word(reader, node);
}

NnJson *
nn_json_parse(const NnEnv *env, const char *text, size_t length, const char *what, NnCode code)
{
	Reader		reader = {.env = env, .what = what, .code = code};
	NnJson	   *root;

	/* A value takes at least one byte, so below this no count can overflow. */
	if (length >= UINT32_MAX)
		nn_fail(env, code, nn_format(env, "%s of %zu bytes is too long", what, length), NULL);

	reader.text = (const unsigned char *) text;
	reader.length = length;
	reader.strings = nn_alloc(env, length + 1, 1);
	root = reader_new_node(&reader);
	reader_skip_space(&reader);
	read_value(&reader, root, 0);
	reader_skip_space(&reader);
	if (reader.at != length)
		reader_fail(&reader, reader.at, "trailing bytes after the value");
	return root;
}

NnJson *
nn_json_member(const NnJson *object, const char *key)
{
	for (NnJson *member = object->child; member != NULL; member = member->next)
	{
		if (member->key != NULL && strcmp(member->key, key) == 0)
			return member;
	}
	return NULL;
}

void
nn_text_init(NnText *text, const NnEnv *env)
{
	text->env = env;
	text->length = 0;
	text->capacity = 256;
	text->data = nn_alloc(env, text->capacity, 1);
}

/* Makes room for n bytes and a NUL.  The arena keeps the old copies: one length more. */
static void
text_reserve(NnText *text, size_t n)
{
	size_t		needed = nn_size_add(text->env, nn_size_add(text->env, text->length, n), 1);
	size_t		capacity = text->capacity;
	char	   *data;

	if (needed <= capacity)
		return;
	while (capacity < needed)
		capacity = nn_size_mul(text->env, capacity, 2);
	data = nn_alloc(text->env, capacity, 1);
	memcpy(data, text->data, text->length);
	text->data = data;
	text->capacity = capacity;
}

void
nn_text_append(NnText *text, const char *bytes, size_t n)
{
	text_reserve(text, n);
	if (n > 0)
		memcpy(text->data + text->length, bytes, n);
	text->length += n;
	text->data[text->length] = '\0';
}

void
nn_text_print(NnText *text, const char *format, ...)
{
	va_list		args;
	int			n;

	va_start(args, format);
	n = vsnprintf(text->data + text->length, text->capacity - text->length, format, args);
	va_end(args);
	if (n < 0)
		nn_fail(text->env, NN_BAD_VALUE, "text cannot be formatted", NULL);
	if ((size_t) n >= text->capacity - text->length)
	{
		text_reserve(text, (size_t) n);
		va_start(args, format);
		vsnprintf(text->data + text->length, text->capacity - text->length, format, args);
		va_end(args);
	}
	text->length += (size_t) n;
}

/* The comma before a value or a key, unless it opens a container or follows its key. */
static void
text_separate(NnText *text)
{
	char		last;

	if (text->length == 0)
		return;
	last = text->data[text->length - 1];
	if (last != '{' && last != '[' && last != ':')
		nn_text_append(text, ",", 1);
}

/* A quoted string; runs without escapes are appended in one piece. */
static void
text_quote(NnText *text, const char *string)
{
	const char *run = string;
	const char *c;

	nn_text_append(text, "\"", 1);
	for (c = string; *c != '\0'; c++)
	{
		static const char special[] = "\"\\\b\f\n\r\t";
		static const char letters[] = "\"\\bfnrt";
		const char *found = strchr(special, *c);

		if (found == NULL && (unsigned char) *c >= 0x20)
			continue;
		nn_text_append(text, run, (size_t) (c - run));
		run = c + 1;
		if (found != NULL)
			nn_text_print(text, "\\%c", letters[found - special]);
		else
			nn_text_print(text, "\\u%04x", (unsigned) (unsigned char) *c);
	}
	nn_text_append(text, run, (size_t) (c - run));
	nn_text_append(text, "\"", 1);
}

void
nn_json_key(NnText *text, const char *key)
{
	text_separate(text);
	text_quote(text, key);
	nn_text_append(text, ":", 1);
}

void
nn_json_string(NnText *text, const char *string)
{
	text_separate(text);
	text_quote(text, string);
}

void
nn_json_number(NnText *text, double number)
{
	char		digits[40];
	int			n = 0;

	if (!isfinite(number))
	{
		nn_json_null(text);
		return;
	}
	text_separate(text);
	if (number == trunc(number) && fabs(number) < 9007199254740992.0)	/* 2^53 */
		n = snprintf(digits, sizeof(digits), "%.0f", number);
	else
	{
		/* 17 significant digits always tell two doubles apart. */
		for (int precision = 15; precision <= 17; precision++)
		{
			n = snprintf(digits, sizeof(digits), "%.*g", precision, number);
			if (strtod(digits, NULL) == number)
				break;
		}
	}
	nn_text_append(text, digits, (size_t) n);
}

void
nn_json_integer(NnText *text, int64_t number)
{
	text_separate(text);
	nn_text_print(text, "%lld", (long long) number);
}

void
nn_json_bool(NnText *text, bool value)
{
	text_separate(text);
	nn_text_print(text, "%s", value ? "true" : "false");
}

void
nn_json_null(NnText *text)
{
	text_separate(text);
	nn_text_append(text, "null", 4);
}

void
nn_json_begin(NnText *text, char bracket)
{
	text_separate(text);
	nn_text_append(text, &bracket, 1);
}

void
nn_json_end(NnText *text, char bracket)
{
	nn_text_append(text, &bracket, 1);
}

void
nn_json_tree(NnText *text, const NnJson *tree)
{
	switch (tree->type)
	{
		case NN_JSON_NULL:
			nn_json_null(text);
			break;
		case NN_JSON_FALSE:
		case NN_JSON_TRUE:
			nn_json_bool(text, tree->type == NN_JSON_TRUE);
			break;
		case NN_JSON_NUMBER:
			nn_json_number(text, tree->number);
			break;
		case NN_JSON_STRING:
			nn_json_string(text, tree->string);
			break;
		case NN_JSON_ARRAY:
		case NN_JSON_OBJECT:
			nn_json_begin(text, tree->type == NN_JSON_OBJECT ? '{' : '[');
			for (const NnJson *child = tree->child; child != NULL; child = child->next)
			{
				if (tree->type == NN_JSON_OBJECT)
					nn_json_key(text, child->key);
				nn_json_tree(text, child);
			}
			nn_json_end(text, tree->type == NN_JSON_OBJECT ? '}' : ']');
			break;
	}
}
