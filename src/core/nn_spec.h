/*
 * nn_spec.h
 *		What to build and how to train it: every setting a user can give.
 *
 * NnSpec is plain data, filled from a JSON object in the words of Keras and
 * written back as canonical JSON into the model.  One constant table (in
 * nn_spec.c) names every key with its type, limits and default; parsing,
 * checking, writing and the hint for a misspelt key all read that table, so a
 * key that is not in it cannot be silently ignored.  What depends on the rows
 * (numbers of columns, context, horizon) is set by the caller.
 */
#ifndef NN_SPEC_H
#define NN_SPEC_H

#include "core/nn_env.h"
#include "core/nn_json.h"
#include "core/nn_kernel.h"

#define NN_MAX_NAME		64		/* bytes of a layer's or tensor's name, with the NUL */
#define NN_MAX_INPUTS	8		/* layers that one layer may name */
#define NN_MAX_LAYERS	64		/* layers of a plan, those put in by themselves included */
#define NN_MAX_QUANTILES 32
#define NN_MAX_UNITS	65536
#define NN_MAX_STEPS	65536	/* context and horizon */
#define NN_MAX_COLUMNS	4096	/* columns of one kind */

typedef enum NnLossKind
{
	NN_LOSS_MSE, NN_LOSS_MAE, NN_LOSS_HUBER, NN_LOSS_QUANTILE, NN_LOSS_GAUSSIAN, NN_LOSS_STUDENT_T
} NnLossKind;

typedef enum NnOptimizerKind
{
	NN_SGD, NN_RMSPROP, NN_ADAGRAD, NN_ADAM, NN_ADAMW
} NnOptimizerKind;

typedef enum NnScheduleKind
{
	NN_SCHEDULE_CONSTANT, NN_SCHEDULE_STEP, NN_SCHEDULE_COSINE, NN_SCHEDULE_PLATEAU
} NnScheduleKind;

typedef enum NnScaling
{
	NN_SCALING_STANDARD,		/* (x - mean) / population standard deviation */
	NN_SCALING_MINMAX,			/* (x - min) / (max - min) */
	NN_SCALING_ROBUST,			/* (x - median) / (interquartile range / 1.349) */
	NN_SCALING_LOG1P,			/* standard after ln(1 + x); every value above -1 */
	NN_SCALING_NONE
} NnScaling;

typedef enum NnMissing
{
	NN_MISSING_LINEAR,			/* straight line between the known neighbours */
	NN_MISSING_PREVIOUS,		/* the last known value */
	NN_MISSING_MEAN,			/* mean of the training part */
	NN_MISSING_SEASONAL,		/* the value one season before, else previous */
	NN_MISSING_MASK,			/* mean, and a 0/1 channel "known" as further input */
	NN_MISSING_ERROR			/* refuse */
} NnMissing;

typedef enum NnOutliers
{
	NN_OUTLIERS_NONE,
	NN_OUTLIERS_IQR,			/* beyond threshold (1.5) x IQR from the quartiles: missing */
	NN_OUTLIERS_ZSCORE,			/* beyond threshold (4) standard deviations: missing */
	NN_OUTLIERS_WINSORISE		/* clamped to the threshold (0.01) and 1 - threshold quantiles */
} NnOutliers;

/* One layer as the user wrote it.  Attributes a type does not have are errors. */
typedef struct NnLayerSpec
{
	char		type[NN_MAX_NAME];
	char		name[NN_MAX_NAME];	/* made from the type when not given */
	uint32_t	ninputs;		/* 0: the layer before, or "past" for the first */
	char		input[NN_MAX_INPUTS][NN_MAX_NAME];
	uint32_t	units;			/* 0: not given (the last dense: as many as needed) */
	NnActivation activation;	/* default by type: tanh in cells, linear in dense */
	NnActivation recurrent_activation;	/* sigmoid */
	bool		peephole, bidirectional;
	int			return_sequences;	/* -1: when the next layer is recurrent */
	double		dropout;		/* recurrent layers: of the input, one mask for all steps */
	double		recurrent_dropout;	/* of the state, one mask for all steps */
	double		rate;			/* type dropout */
} NnLayerSpec;

typedef struct NnSpec
{
	/* Set by the caller from the rows and the arguments; written to the model too. */
	uint32_t	context, horizon;
	uint32_t	ntargets, npast, nfuture, nstatic;

	/* Network: after nn_spec_parse the list is always there. */
	uint32_t	nlayers;
	NnLayerSpec layer[NN_MAX_LAYERS / 2];

	/* Loss */
	NnLossKind	loss;
	double		huber_delta;
	uint32_t	nquantiles;
	double		quantile[NN_MAX_QUANTILES];		/* ascending, in (0, 1), 0.5 among them */

	/* Training */
	NnOptimizerKind optimizer;
	double		learning_rate, momentum, rho, beta_1, beta_2, epsilon, weight_decay;
	bool		nesterov;
	NnScheduleKind schedule;
	double		schedule_factor, minimum_learning_rate;
	uint32_t	schedule_patience;		/* step: epochs between cuts; plateau: epochs without gain */
	uint32_t	epochs, batch_size, patience;	/* patience 0: no early stopping */
	double		min_delta, validation_split;
	bool		shuffle;
	double		clip_norm, clip_value, l1, l2;	/* 0: off */
	uint64_t	seed;

	/* Data preparation */
	NnScaling	scaling;
	bool		scale_by_series;
	NnMissing	missing;
	NnOutliers	outliers;
	double		outlier_threshold;		/* 0: the method's own, as above */
	uint32_t	difference;				/* lag of differencing of the targets, 0: none */
	uint32_t	season;					/* steps in a season, 0: from the frequency */
	double		lower_bound, upper_bound;	/* of forecasts; NaN: none */
	bool		stateful;				/* forecasts beyond the horizon carry the state on instead of
										 * sliding the window */
	char		frequency[NN_MAX_NAME];	/* "auto" or as nn_frequency_parse takes it */

	/* Not part of the model (never written): what the host does around it. */
	bool		deploy;
	uint32_t	progress;				/* a line every so many epochs, 0: none */
} NnSpec;

/* Defaults of every setting; no layers yet. */
extern void nn_spec_default(NnSpec *spec);

/*
 * Reads options (an object, or NULL for all defaults) over the defaults, checks
 * every value, and expands the short form (architecture, units, num_layers,
 * activation, ..., residual) into layers.  Fails with NN_BAD_KEY (hint: nearest
 * key), NN_BAD_TYPE or NN_BAD_VALUE.
 */
extern void nn_spec_parse(const NnEnv *env, const NnJson *options, NnSpec *spec);

/* The canonical JSON object of spec, such that nn_spec_read gives it back. */
extern void nn_spec_write(NnText *text, const NnSpec *spec);

/* The reverse of nn_spec_write, for model files: fails with NN_BAD_MODEL. */
extern void nn_spec_read(const NnEnv *env, const NnJson *object, NnSpec *spec);

/* Raw outputs per forecast value: 1, the number of quantiles, 2 or 3. */
extern uint32_t nn_spec_outputs(const NnSpec *spec);

/* Channels of the input "past": targets, past and future covariates, masks. */
extern uint32_t nn_spec_channels(const NnSpec *spec);

/* Word of an enum value ("mse", "adam", ...), for reports. */
extern const char *nn_loss_name(NnLossKind kind);
extern const char *nn_activation_name(NnActivation kind);

#endif							/* NN_SPEC_H */
