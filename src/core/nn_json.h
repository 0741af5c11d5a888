/*
 * nn_json.h
 *		Reading and writing JSON (RFC 8259): model headers and options.
 *
 * The reader takes hostile input: it checks depth, UTF-8, escapes, numbers and
 * trailing bytes, and rejects duplicate keys; a failure names the byte.  Its
 * tree lives in the arena; cost is linear in the text.  The writer produces one
 * canonical text (no spaces, keys in the order given, shortest round-trip
 * numbers), so equal values give equal bytes.
 */
#ifndef NN_JSON_H
#define NN_JSON_H

#include "core/nn_env.h"

typedef enum NnJsonType
{
	NN_JSON_NULL, NN_JSON_FALSE, NN_JSON_TRUE, NN_JSON_NUMBER,
	NN_JSON_STRING, NN_JSON_ARRAY, NN_JSON_OBJECT
} NnJsonType;

typedef struct NnJson
{
	NnJsonType	type;
	const char *key;			/* member of an object: its key (unescaped), else NULL */
	const char *string;			/* NN_JSON_STRING: text, NUL-terminated, no NUL inside */
	double		number;			/* NN_JSON_NUMBER */
	uint32_t	count;			/* members or elements */
	struct NnJson *child;		/* first of them */
	struct NnJson *next;		/* next sibling */
} NnJson;

/* Nesting allowed. */
#define NN_JSON_MAX_DEPTH 32

/*
 * Parses text[0..length).  what names the text in messages ("model header",
 * "options").  Fails with code.
 */
extern NnJson *nn_json_parse(const NnEnv *env, const char *text, size_t length,
							 const char *what, NnCode code);

/* The member of that name, or NULL; object must be an NN_JSON_OBJECT. */
extern NnJson *nn_json_member(const NnJson *object, const char *key);

/* A growing text in the arena, also used for other text (SVG). */
typedef struct NnText
{
	const NnEnv *env;
	char	   *data;			/* NUL-terminated */
	size_t		length, capacity;
} NnText;

extern void nn_text_init(NnText *text, const NnEnv *env);
extern void nn_text_append(NnText *text, const char *bytes, size_t n);
extern void nn_text_print(NnText *text, const char *format, ...)
			__attribute__((format(printf, 2, 3)));

/*
 * Writers append one value.  Inside objects and arrays the comma is put by
 * itself: a value that follows anything but '{', '[' or ':' gets one.
 */
extern void nn_json_key(NnText *text, const char *key);
extern void nn_json_string(NnText *text, const char *string);
extern void nn_json_number(NnText *text, double number);	/* non-finite: null */
extern void nn_json_integer(NnText *text, int64_t number);
extern void nn_json_bool(NnText *text, bool value);
extern void nn_json_null(NnText *text);
extern void nn_json_begin(NnText *text, char bracket);		/* '{' or '[' */
extern void nn_json_end(NnText *text, char bracket);		/* '}' or ']' */
/* A parsed tree, written canonically (without its own key). */
extern void nn_json_tree(NnText *text, const NnJson *tree);

#endif							/* NN_JSON_H */
