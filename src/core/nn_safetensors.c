/*
 * nn_safetensors.c
 *		Reading and laying out safetensors files.
 *
 * Knows the container and not what is in it.  The reader trusts no number: each
 * is checked before it is used, and nothing is allocated for a size that the
 * bytes merely claim.  Cost: one pass over the header; the data are not touched.
 *
 * As strict as the format's reference implementation, and stricter in one
 * point: at most NN_FILE_TENSORS tensors of at most NN_FILE_DIMS dimensions.
 */
#include "core/nn_safetensors.h"

#include <math.h>

#define LARGEST_WHOLE 9007199254740992.0	/* 2^53: above, doubles skip integers */

/* Bytes of the length in front of the header. */
#define PREFIX 8

static const struct
{
	const char *name;
	uint32_t	size;
}			dtypes[NN_NDTYPES] = {
	[NN_DTYPE_F32] = {"F32", 4},
	[NN_DTYPE_F64] = {"F64", 8},
	[NN_DTYPE_BOOL] = {"BOOL", 1},
	[NN_DTYPE_U8] = {"U8", 1},
	[NN_DTYPE_I8] = {"I8", 1},
	[NN_DTYPE_I16] = {"I16", 2},
	[NN_DTYPE_U16] = {"U16", 2},
	[NN_DTYPE_F16] = {"F16", 2},
	[NN_DTYPE_BF16] = {"BF16", 2},
	[NN_DTYPE_I32] = {"I32", 4},
	[NN_DTYPE_U32] = {"U32", 4},
	[NN_DTYPE_I64] = {"I64", 8},
	[NN_DTYPE_U64] = {"U64", 8},
};

const char *
nn_dtype_name(NnDtype dtype)
{
	return dtypes[dtype].name;
}

/* The arguments of a failure are those of printf; nothing is formatted without one. */
#define file_fail(env, ...) \
	nn_fail(env, NN_BAD_MODEL, nn_format(env, __VA_ARGS__), NULL)

/* ------------------------------------------------------------------------
 * JSON of the header
 */

/*
 * A tree takes up to 30 times the memory of its text, so a long header is
 * measured first.  A value needs a bracket, a comma or a colon before it.
 */
NnJson *
nn_header_parse(const NnEnv *env, const char *text, size_t length, const char *what)
{
	size_t		nvalues = 1;
	size_t		bytes;

	for (size_t i = 0; i < length; i++)
	{
		nvalues += text[i] == ',' || text[i] == ':' || text[i] == '[' || text[i] == '{';
		if (i % 1048576 == 0)
			env->poll(env->host);
	}
	bytes = nn_size_add(env, length, nn_size_mul(env, nvalues, sizeof(NnJson)));
	if (bytes > env->max_memory)
		nn_fail(env, NN_NO_MEMORY,
				nn_format(env, "reading the %s takes up to %.1f MB of memory, above the limit of %.1f MB",
						  what, (double) bytes / 1048576, (double) env->max_memory / 1048576), NULL);
	return nn_json_parse(env, text, length, what, NN_BAD_MODEL);
}

void
nn_header_object(const NnEnv *env, const NnJson *value, const char *what,
				 const char *const *keys, uint32_t nkeys)
{
	if (value->type != NN_JSON_OBJECT)
		file_fail(env, "invalid model: %s is not a JSON object", what);
	for (uint32_t i = 0; i < nkeys; i++)
		if (!NN_CHECK(1, nn_json_member(value, keys[i]) != NULL))
			file_fail(env, "invalid model: %s lacks \"%s\"", what, keys[i]);

	/* Keys are distinct, so one too many is none of those. */
	if (!NN_CHECK(2, value->count == nkeys))
		file_fail(env, "invalid model: %s has %u members instead of %u", what, value->count,
				  nkeys);
}

bool
nn_header_whole(const NnJson *value, uint64_t *number)
{
	double		x = value->number;

	if (!NN_CHECK(3, value->type == NN_JSON_NUMBER))
		return false;
	if (!NN_CHECK(4, x >= 0 && x <= LARGEST_WHOLE))
		return false;
	if (!NN_CHECK(5, x == floor(x)))
		return false;
	*number = (uint64_t) x;
	return true;
}

/* ------------------------------------------------------------------------
 * Reading
 */

static NnDtype
dtype_read(const NnEnv *env, const char *name, const NnJson *value)
{
	if (!NN_CHECK(6, value->type == NN_JSON_STRING))
		file_fail(env, "invalid model: dtype of tensor \"%.64s\" is not a string", name);
	for (int i = 0; i < NN_NDTYPES; i++)
		if (strcmp(value->string, dtypes[i].name) == 0)
			return (NnDtype) i;
	if (!NN_CHECK(7, false))
		file_fail(env, "invalid model: dtype \"%.16s\" of tensor \"%.64s\" is unknown",
				  value->string, name);
	return NN_DTYPE_F32;
}

/* Sets shape, returns its bytes. */
static uint64_t
shape_read(const NnEnv *env, NnFileTensor *tensor, const NnJson *value)
{
	uint64_t	size = dtypes[tensor->dtype].size;

	if (!NN_CHECK(8, value->type == NN_JSON_ARRAY))
		file_fail(env, "invalid model: shape of tensor \"%.64s\" is not an array", tensor->name);
	if (!NN_CHECK(9, value->count <= NN_FILE_DIMS))
		file_fail(env, "invalid model: tensor \"%.64s\" has %u dimensions, more than %d",
				  tensor->name, value->count, NN_FILE_DIMS);
	for (const NnJson *e = value->child; e != NULL; e = e->next)
	{
		uint64_t   *dim = &tensor->dim[tensor->ndim];

		if (!nn_header_whole(e, dim))
			file_fail(env, "invalid model: shape of tensor \"%.64s\" is not of whole numbers",
					  tensor->name);
		if (!NN_CHECK(10, !__builtin_mul_overflow(size, *dim, &size)))
			file_fail(env, "invalid model: shape of tensor \"%.64s\" is out of range",
					  tensor->name);
		tensor->ndim++;
	}
	return size;
}

/* Sets begin and end. */
static void
offsets_read(const NnEnv *env, NnFileTensor *tensor, const NnJson *value, size_t ndata)
{
	uint64_t	begin,
				end;

	if (!NN_CHECK(11, value->type == NN_JSON_ARRAY && value->count == 2))
		file_fail(env, "invalid model: offsets of tensor \"%.64s\" are not an array of two",
				  tensor->name);
	if (!nn_header_whole(value->child, &begin) || !nn_header_whole(value->child->next, &end))
		file_fail(env, "invalid model: offsets of tensor \"%.64s\" are not whole numbers",
				  tensor->name);
	if (begin > end)
		file_fail(env, "invalid model: tensor \"%.64s\" ends at byte %llu, before its beginning %llu",
				  tensor->name, (unsigned long long) end, (unsigned long long) begin);
	if (end > ndata)
		file_fail(env, "invalid model: tensor \"%.64s\" ends at byte %llu of %zu",
				  tensor->name, (unsigned long long) end, ndata);
	tensor->begin = (size_t) begin;
	tensor->end = (size_t) end;
}

static void
tensor_read(const NnEnv *env, const NnJson *member, size_t ndata, NnFileTensor *tensor)
{
	static const char *const keys[] = {"dtype", "shape", "data_offsets"};
	uint64_t	size;

	tensor->name = member->key;
	nn_header_object(env, member, nn_format(env, "tensor \"%.64s\"", member->key), keys, 3);
	tensor->dtype = dtype_read(env, member->key, nn_json_member(member, "dtype"));
	size = shape_read(env, tensor, nn_json_member(member, "shape"));
	offsets_read(env, tensor, nn_json_member(member, "data_offsets"), ndata);
	if (!NN_CHECK(12, tensor->end - tensor->begin == size))
		file_fail(env, "invalid model: tensor \"%.64s\" has %zu bytes, but its shape needs %llu",
				  tensor->name, tensor->end - tensor->begin, (unsigned long long) size);
}

/* Insertion sort: files are in order already, and NN_FILE_TENSORS limits the others. */
static void
tensors_sort(NnTensorFile *file)
{
	for (uint32_t i = 1; i < file->ntensors; i++)
	{
		NnFileTensor tensor = file->tensor[i];
		uint32_t	j = i;

		for (; j > 0 && (file->tensor[j - 1].begin > tensor.begin ||
						 (file->tensor[j - 1].begin == tensor.begin &&
						  file->tensor[j - 1].end > tensor.end)); j--)
			file->tensor[j] = file->tensor[j - 1];
		file->tensor[j] = tensor;
	}
}

/* The tensors fill the data: each begins where the one before ends. */
static void
tensors_check_places(const NnEnv *env, const NnTensorFile *file, size_t ndata)
{
	size_t		at = 0;

	for (uint32_t i = 0; i < file->ntensors; i++)
	{
		const NnFileTensor *tensor = &file->tensor[i];

		if (!NN_CHECK(13, tensor->begin >= at))
			file_fail(env, "invalid model: tensor \"%.64s\" begins at byte %zu, within another",
					  tensor->name, tensor->begin);
		if (!NN_CHECK(14, tensor->begin <= at))
			file_fail(env, "invalid model: bytes %zu to %zu before tensor \"%.64s\" belong to none",
					  at, tensor->begin, tensor->name);
		at = tensor->end;
	}
	if (!NN_CHECK(15, at == ndata))
		file_fail(env, "invalid model: the last %zu bytes belong to no tensor", ndata - at);
}

static void
metadata_check(const NnEnv *env, const NnJson *metadata)
{
	if (!NN_CHECK(16, metadata->type == NN_JSON_OBJECT))
		file_fail(env, "invalid model: metadata is not a JSON object");
	for (const NnJson *e = metadata->child; e != NULL; e = e->next)
		if (!NN_CHECK(17, e->type == NN_JSON_STRING))
			file_fail(env, "invalid model: metadata \"%.64s\" is not a string", e->key);
}

/* The header's length, proven to lie within the file. */
static size_t
header_length(const NnEnv *env, const uint8_t *bytes, size_t length)
{
	uint64_t	header;

	if (!NN_CHECK(18, length >= PREFIX))
		file_fail(env, "invalid model: %zu bytes are too few", length);
	header = nn_u64_get(bytes);
	if (!NN_CHECK(19, header <= length - PREFIX))
		file_fail(env, "invalid model: header of %llu bytes in a file of %zu",
				  (unsigned long long) header, length);
	if (header > NN_MAX_HEADER_BYTES)
		file_fail(env, "invalid model: header of %llu bytes, above the limit of %zu",
				  (unsigned long long) header, NN_MAX_HEADER_BYTES);
	if (!NN_CHECK(20, header > 0 && bytes[PREFIX] == '{'))
		file_fail(env, "invalid model: the header is not a JSON object");
	return (size_t) header;
}

NnTensorFile *
nn_tensor_file_read(const NnEnv *env, const uint8_t *bytes, size_t length)
{
	size_t		header = header_length(env, bytes, length);
	size_t		ndata = length - PREFIX - header;
	NnTensorFile *file = NN_NEW(env, NnTensorFile);
	const NnJson *root = nn_header_parse(env, (const char *) bytes + PREFIX, header,
										 "model header");

	if (!NN_CHECK(21, root->count <= NN_FILE_TENSORS))
		file_fail(env, "invalid model: header of %u tensors, more than %d", root->count,
				  NN_FILE_TENSORS);
	file->data = bytes + PREFIX + header;
	file->tensor = NN_NEW_ARRAY(env, NnFileTensor, root->count);
	for (const NnJson *e = root->child; e != NULL; e = e->next)
	{
		if (strcmp(e->key, "__metadata__") == 0)
		{
			metadata_check(env, e);
			file->metadata = e;
		}
		else
			tensor_read(env, e, ndata, &file->tensor[file->ntensors++]);
	}
	tensors_sort(file);
	tensors_check_places(env, file, ndata);
	return file;
}

/* ------------------------------------------------------------------------
 * Writing
 */

/* Sets the tensors' places; returns the bytes of all data. */
static size_t
tensors_place(const NnEnv *env, NnFileTensor *tensor, uint32_t ntensors)
{
	size_t		at = 0;

	for (uint32_t i = 0; i < ntensors; i++)
	{
		size_t		size = dtypes[tensor[i].dtype].size;

		for (uint32_t d = 0; d < tensor[i].ndim; d++)
			size = nn_size_mul(env, size, (size_t) tensor[i].dim[d]);
		tensor[i].begin = at;
		tensor[i].end = at = nn_size_add(env, at, size);
	}
	return at;
}

static void
tensor_write(NnText *text, const NnFileTensor *tensor)
{
	nn_json_key(text, tensor->name);
	nn_json_begin(text, '{');
	nn_json_key(text, "dtype");
	nn_json_string(text, dtypes[tensor->dtype].name);
	nn_json_key(text, "shape");
	nn_json_begin(text, '[');
	for (uint32_t d = 0; d < tensor->ndim; d++)
		nn_json_integer(text, (int64_t) tensor->dim[d]);
	nn_json_end(text, ']');
	nn_json_key(text, "data_offsets");
	nn_json_begin(text, '[');
	nn_json_integer(text, (int64_t) tensor->begin);
	nn_json_integer(text, (int64_t) tensor->end);
	nn_json_end(text, ']');
	nn_json_end(text, '}');
}

/* The header, filled up with blanks so that the data begin at a multiple of 8. */
static void
header_write(NnText *text, const char *const (*metadata)[2], uint32_t nmetadata,
			 const NnFileTensor *tensor, uint32_t ntensors)
{
	nn_json_begin(text, '{');
	nn_json_key(text, "__metadata__");
	nn_json_begin(text, '{');
	for (uint32_t i = 0; i < nmetadata; i++)
	{
		nn_json_key(text, metadata[i][0]);
		nn_json_string(text, metadata[i][1]);
	}
	nn_json_end(text, '}');
	for (uint32_t i = 0; i < ntensors; i++)
		tensor_write(text, &tensor[i]);
	nn_json_end(text, '}');
	while (text->length % 8 != 0)
		nn_text_append(text, " ", 1);
}

uint8_t *
nn_tensor_file_layout(const NnEnv *env, const char *const (*metadata)[2], uint32_t nmetadata,
					  NnFileTensor *tensor, uint32_t ntensors, size_t limit, size_t *length,
					  uint8_t **data)
{
	size_t		ndata = tensors_place(env, tensor, ntensors);
	NnText		header;
	uint8_t    *bytes;

	nn_text_init(&header, env);
	header_write(&header, metadata, nmetadata, tensor, ntensors);
	*length = nn_size_add(env, nn_size_add(env, PREFIX, header.length), ndata);
	if (*length > limit || header.length > NN_MAX_HEADER_BYTES)
		nn_fail(env, NN_TOO_LARGE,
				nn_format(env, "the model takes %.1f MB, above the limit of %.1f MB",
						  (double) *length / 1048576,
						  (double) (*length > limit ? limit : NN_MAX_HEADER_BYTES) / 1048576),
				"Use fewer units or layers, or train on fewer series at once.");
	bytes = NN_NEW_ARRAY(env, uint8_t, *length);
	nn_u64_put(bytes, header.length);
	memcpy(bytes + PREFIX, header.data, header.length);
	*data = bytes + PREFIX + header.length;
	return bytes;
}
