/*
 * nn_safetensors.h
 *		The container of a model file: named arrays of numbers behind a JSON header.
 *
 * A safetensors file is
 *		8 bytes		length of the header, little-endian
 *		header		a JSON object, beginning with '{', blanks at its end allowed:
 *					"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}
 *					"__metadata__": an object of strings (optional)
 *		data		the arrays in C order, little-endian, without gaps or overlaps
 * as the format's reference implementation (huggingface/safetensors) reads and
 * writes it.  What the arrays mean is the business of nn_model*.c.
 */
#ifndef NN_SAFETENSORS_H
#define NN_SAFETENSORS_H

#include <string.h>

#include "core/nn_env.h"
#include "core/nn_json.h"

#define NN_FILE_DIMS	8
#define NN_FILE_TENSORS	1024
#define NN_MAX_HEADER_BYTES ((size_t) 100 * 1000 * 1000)	/* the reference's limit */

/*
 * A condition that bytes from outside must meet.  The number is for the test of
 * the mutator (test/fuzz): built with NN_PLANT it takes the reader's checks away,
 * one by one, and sees whether that is noticed.
 */
#ifdef NN_PLANT
extern int	nn_plant;
#define NN_CHECK(number, condition) ((number) == nn_plant || (condition))
#else
#define NN_CHECK(number, condition) (condition)
#endif

/* Rows of the table of types; the first two are those that models use. */
typedef enum NnDtype
{
	NN_DTYPE_F32, NN_DTYPE_F64, NN_DTYPE_BOOL, NN_DTYPE_U8, NN_DTYPE_I8, NN_DTYPE_I16,
	NN_DTYPE_U16, NN_DTYPE_F16, NN_DTYPE_BF16, NN_DTYPE_I32, NN_DTYPE_U32, NN_DTYPE_I64,
	NN_DTYPE_U64, NN_NDTYPES
} NnDtype;

typedef struct NnFileTensor
{
	const char *name;
	NnDtype		dtype;
	uint32_t	ndim;
	uint64_t	dim[NN_FILE_DIMS];
	size_t		begin, end;		/* bytes within the data */
} NnFileTensor;

typedef struct NnTensorFile
{
	const NnJson *metadata;		/* an object of strings, or NULL */
	uint32_t	ntensors;
	NnFileTensor *tensor;		/* [ntensors] in order of their place */
	const uint8_t *data;
} NnTensorFile;

/*
 * Takes a file apart.  Every length, offset and shape is checked: afterwards each
 * tensor lies within the bytes and has as many as its shape says.  Allocates in
 * proportion to the header only; tensors stay where they are.  Fails with
 * NN_BAD_MODEL, or NN_NO_MEMORY when the header alone would go beyond
 * env->max_memory.
 */
extern NnTensorFile *nn_tensor_file_read(const NnEnv *env, const uint8_t *bytes, size_t length);

/*
 * Lays out a file of these tensors, one behind the other in the order given, and
 * sets their begin and end.  metadata [nmetadata][2] are keys and texts.  Returns
 * the bytes, header written, data (at *data) zero.  Tensors begin at multiples of
 * 8 bytes when those of 8-byte numbers come first.  Fails with NN_TOO_LARGE when
 * the file would be longer than limit bytes.
 */
extern uint8_t *nn_tensor_file_layout(const NnEnv *env, const char *const (*metadata)[2],
									  uint32_t nmetadata, NnFileTensor *tensor,
									  uint32_t ntensors, size_t limit, size_t *length,
									  uint8_t **data);

/* "F32", "F64", ... */
extern const char *nn_dtype_name(NnDtype dtype);

/* Parses a text of the header; fails with NN_BAD_MODEL, or NN_NO_MEMORY as above. */
extern NnJson *nn_header_parse(const NnEnv *env, const char *text, size_t length,
							   const char *what);

/*
 * Checks that value is an object with just these keys; what names it in the
 * message.  Fails with NN_BAD_MODEL.
 */
extern void nn_header_object(const NnEnv *env, const NnJson *value, const char *what,
							 const char *const *keys, uint32_t nkeys);

/* True when value is a whole number from 0 to 2^53, which *number gets. */
extern bool nn_header_whole(const NnJson *value, uint64_t *number);

/* Numbers of the file, whatever the byte order of this machine. */
static inline uint64_t
nn_u64_get(const uint8_t *bytes)
{
	uint64_t	value = 0;

	for (int i = 7; i >= 0; i--)
		value = value << 8 | bytes[i];
	return value;
}

static inline uint32_t
nn_u32_get(const uint8_t *bytes)
{
	return (uint32_t) bytes[0] | (uint32_t) bytes[1] << 8 | (uint32_t) bytes[2] << 16 |
		(uint32_t) bytes[3] << 24;
}

static inline void
nn_u64_put(uint8_t *bytes, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t) (value >> 8 * i);
}

static inline void
nn_u32_put(uint8_t *bytes, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		bytes[i] = (uint8_t) (value >> 8 * i);
}

static inline double
nn_f64_get(const uint8_t *bytes)
{
	uint64_t	bits = nn_u64_get(bytes);
	double		value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

static inline float
nn_f32_get(const uint8_t *bytes)
{
	uint32_t	bits = nn_u32_get(bytes);
	float		value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

static inline void
nn_f64_put(uint8_t *bytes, double value)
{
	uint64_t	bits;

	memcpy(&bits, &value, sizeof(bits));
	nn_u64_put(bytes, bits);
}

static inline void
nn_f32_put(uint8_t *bytes, float value)
{
	uint32_t	bits;

	memcpy(&bits, &value, sizeof(bits));
	nn_u32_put(bytes, bits);
}

#endif							/* NN_SAFETENSORS_H */
