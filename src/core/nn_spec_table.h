/*
 * nn_spec_table.h
 *		What the files that read settings share: one row of a table per key.
 *
 * For nn_spec*.c only.
 */
#ifndef NN_SPEC_TABLE_H
#define NN_SPEC_TABLE_H

#include "core/nn_spec.h"

typedef enum NnFieldKind
{
	NN_FIELD_INT, NN_FIELD_SEED, NN_FIELD_REAL, NN_FIELD_BOOL, NN_FIELD_WORD, NN_FIELD_TEXT,
	NN_FIELD_TRISTATE,			/* an int: -1 not given, 0, 1 */
	NN_FIELD_QUERY,				/* text of NN_MAX_QUERY bytes */
	NN_FIELD_SET,				/* array of words, a bit each; max 31: "auto" (bit 31) or "none"
								 * may stand alone */
	NN_FIELD_NAMES,				/* array of layer names */
	NN_FIELD_LAGS,				/* array of integers: NnLayerSpec's nlags and lag */
	NN_FIELD_ARRAYS,			/* array columns: NnSpec's narrays and array */
	NN_FIELD_EPSILON,			/* {"epsilon": number} */
	NN_FIELD_BOUNDS, NN_FIELD_QUANTILES, NN_FIELD_LAYERS
} NnFieldKind;

/* Where a field lives and when it is written. */
typedef enum NnFieldUse
{
	NN_USE_SPEC,				/* in NnSpec, written to the model */
	NN_USE_SHAPE,				/* in NnSpec, set by the caller, written to the model */
	NN_USE_HOST,				/* in NnSpec, never written */
	NN_USE_SHORT,				/* in NnShortForm, never written: layers are */
	NN_USE_LAYER				/* in NnLayerSpec */
} NnFieldUse;

typedef struct NnField
{
	const char *key;
	NnFieldKind kind;
	NnFieldUse	use;
	size_t		offset;
	double		min, max;		/* inclusive, see open */
	bool		open;			/* min and max themselves are not allowed */
	const char *const *words;	/* WORD, SET: NULL-terminated */
} NnField;

#define NN_BIG 1e300

/* What a parse knows beside the field: whom to blame, and with which code. */
typedef struct NnReader
{
	const NnEnv *env;
	bool		model;			/* reading a model file: every failure is NN_BAD_MODEL */
	const char *where;			/* "option" or "layer \"x\": attribute" */
} NnReader;

/* Words of enums that several tables use. */
extern const char *const nn_activation_words[];

extern void nn_reader_fail(const NnReader *reader, NnCode code, const char *message,
						   const char *hint) __attribute__((noreturn));
extern const char *nn_json_type_name(NnJsonType type);
extern void nn_expect_type(const NnReader *reader, const char *key, const NnJson *value,
						   NnJsonType type, const char *wanted);

/* Row of the table with that key, or NULL. */
extern const NnField *nn_field_find(const NnField *fields, size_t n, const char *key);

/* Reads a value into base + the field's offset; fails with the reader's codes. */
extern void nn_field_read(const NnReader *reader, const NnField *field, const NnJson *value,
						  void *base);

/* Writes "key": value of a field that lies in base. */
extern void nn_field_write(NnText *text, const NnField *field, const void *base);

/* ------------------------------------------------------------------------
 * Layers (nn_spec_layer.c)
 */

/* All attributes at their defaults for the type. */
/* Is it an attribute of layers?  For the hint of an option that is none. */
extern bool nn_layer_attribute(const char *key);

extern void nn_layer_spec_default(NnLayerSpec *layer, const char *type);

/* A name nobody gave: the type, with a number from the second of the type on. */
extern void nn_layer_spec_name(NnSpec *spec, uint32_t position);

extern void nn_layers_read(const NnReader *reader, const NnJson *value, NnSpec *spec);
extern void nn_layers_write(NnText *text, const NnSpec *spec);

/* ------------------------------------------------------------------------
 * The short form (nn_spec_short.c)
 */

/* Fails where keys of the short form contradict the architecture. */
extern void nn_short_form_check(const NnReader *reader, const NnSpec *spec);

#endif							/* NN_SPEC_TABLE_H */
