/*
 * nn_model_file.h
 *		What reader and writer of model files share.
 *
 * For nn_model*.c only; callers take nn_model.h.
 */
#ifndef NN_MODEL_FILE_H
#define NN_MODEL_FILE_H

#include "core/nn_model.h"
#include "core/nn_safetensors.h"

/* Columns of the tensor log.epochs: the members of NnEpoch in their order. */
#define NN_EPOCH_COLUMNS 4

typedef enum NnPartKind
{
	NN_PART_LOG,				/* report.epoch: F64 [nepochs][NN_EPOCH_COLUMNS] */
	NN_PART_PREP,				/* an array of NnPrep: F64 [ngroups][C] or [Cs] */
	NN_PART_JOINT,				/* an array of NnModel: F64, of members or intervals */
	NN_PART_PARAMS				/* a tensor of the plan: F32 */
} NnPartKind;

/* One tensor of the file, and what it is in the model. */
typedef struct NnModelPart
{
	NnPartKind	kind;
	NnFileTensor tensor;		/* name, dtype and shape; its place only when laid out */
	size_t		count;			/* elements */
	size_t		offset;			/* NN_PART_PARAMS: in params; else the array's in NnPrep or NnModel */
} NnModelPart;

/*
 * All tensors of a model in the file's order: F64 first, each kind by name.  Needs
 * spec, the sizes in prep and report.nepochs; no array.  Sets *nparts.
 */
extern NnModelPart *nn_model_parts(const NnEnv *env, const NnModel *model, const NnPlan *plan,
								   uint32_t *nparts);

/* The array of the model that a part of kind NN_PART_PREP or NN_PART_JOINT is. */
extern double **nn_part_array(const NnModel *model, const NnModelPart *part);

/* Words of the kinds of time in the file, NULL at the end. */
extern const char *const nn_time_kind_words[];

/*
 * The numbers of columns, groups and epochs agree with the spec; series are in
 * order.  NN_BAD_MODEL.
 */
extern void nn_model_check_sizes(const NnEnv *env, const NnModel *model);

/* Every number of every array is one that training can have left.  NN_BAD_MODEL. */
extern void nn_model_check_values(const NnEnv *env, const NnModel *model, const NnPlan *plan);

#endif							/* NN_MODEL_FILE_H */
