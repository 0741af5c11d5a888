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
#define NN_MAX_SETTINGS	128		/* keys that options know */
#define NN_MAX_FREEZE	16		/* names that "freeze" takes */
#define NN_MAX_QUERY	1024	/* bytes of a setting that is a query, with the NUL */
#define NN_MAX_LAGS		64		/* rows that a layer of type lags may pick */
#define NN_MAX_ARRAYS	4		/* array columns */
#define NN_MAX_ARRAY	1048576	/* numbers in one array */
#define NN_MAX_SITES	262144	/* sites of a graph, cells of a grid, pixels of an array */
#define NN_MAX_EDGES	4194304
#define NN_MAX_KERNEL	15		/* cells along each side of a convolution's kernel */

/* In place of the number of a trained series: */
#define NN_IDENTITY_UNSEEN	UINT32_MAX	/* one that was not trained */
#define NN_IDENTITY_NONE	(UINT32_MAX - 1)	/* none: the lane is padding */

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

/* What a window is measured against before a network sees it. */
typedef enum NnCenter
{
	NN_CENTER_NONE,
	NN_CENTER_LAST,				/* the window's last value */
	NN_CENTER_MEAN				/* its mean */
} NnCenter;

typedef enum NnSpread
{
	NN_SPREAD_NONE,
	NN_SPREAD_STANDARD,			/* standard deviation within the window */
	NN_SPREAD_MEAN				/* mean of the absolute values within the window */
} NnSpread;

/* The network in short; what each makes is said in docs/training.md. */
typedef enum NnArchitecture
{
	NN_ARCHITECTURE_AUTO,		/* chosen from the rows, with simple members where they help */
	NN_ARCHITECTURE_LSTM, NN_ARCHITECTURE_GRU, NN_ARCHITECTURE_RNN,
	NN_ARCHITECTURE_SEGMENT,	/* Lin et al. 2023 */
	NN_ARCHITECTURE_ENCODER_DECODER,
	NN_ARCHITECTURE_ATTENTION,
	NN_ARCHITECTURE_HYBRID,		/* exponential smoothing and LSTM */
	NN_ARCHITECTURE_LINEAR,
	NN_ARCHITECTURE_SEASONAL,	/* a mixture of the window's seasons, and what a GRU adds */
	NN_ARCHITECTURE_ENSEMBLE,	/* auto, always beside all simple members */
	/* Over several sites: */
	NN_ARCHITECTURE_GRAPH,		/* neighbours mixed in every row, then a GRU */
	NN_ARCHITECTURE_GRAPH_LSTM, NN_ARCHITECTURE_GRAPH_GRU,	/* neighbours within the cell */
	NN_ARCHITECTURE_CONV_LSTM, NN_ARCHITECTURE_CONV_GRU
} NnArchitecture;

typedef enum NnNormalization
{
	NN_NORMALIZATION_AUTO,		/* by architecture */
	NN_NORMALIZATION_NONE,
	NN_NORMALIZATION_LAST,		/* window minus its last value */
	NN_NORMALIZATION_MEAN,		/* (window - mean) / mean absolute value */
	NN_NORMALIZATION_STANDARD,	/* (window - mean) / standard deviation */
	NN_NORMALIZATION_REVERSIBLE /* the same with learned gain and shift, Kim et al. 2022 */
} NnNormalization;

typedef enum NnHead
{
	NN_HEAD_DIRECT,				/* all steps of the horizon at once */
	NN_HEAD_RECURSIVE			/* one step (or segment) at a time, fed back */
} NnHead;

typedef enum NnOnError
{
	NN_ON_ERROR_FAIL,
	NN_ON_ERROR_SKIP			/* leave bad series out, and say so */
} NnOnError;

/* What the series are to each other. */
typedef enum NnSpace
{
	NN_SPACE_AUTO,				/* what is known of places decides */
	NN_SPACE_GRAPH,				/* sites with edges between them */
	NN_SPACE_GRID,				/* cells, row by row */
	NN_SPACE_NONE				/* nothing: every series by itself */
} NnSpace;

/* From distances to weights of edges. */
typedef enum NnWeighing
{
	NN_WEIGHING_GAUSSIAN,		/* exp(-(distance / sigma)^2) */
	NN_WEIGHING_INVERSE,		/* least distance / distance */
	NN_WEIGHING_NONE			/* 1 */
} NnWeighing;

typedef enum NnCells
{
	NN_CELLS_SQUARE, NN_CELLS_HEXAGONAL
} NnCells;

typedef enum NnCalibration
{
	NN_CALIBRATION_CONFORMAL,	/* widths from the errors on the validation part */
	NN_CALIBRATION_ADAPTIVE,	/* and from those before the origin of a forecast */
	NN_CALIBRATION_NONE			/* what the loss gives, if it does */
} NnCalibration;

/* Members of a joint model: bit 0 the network, then those of nn_classic.h in order. */
#define NN_MEMBER_NETWORK	1u

/* Bits of "calendar": future covariates made from the time. */
#define NN_CALENDAR_MINUTE		1u	/* minute of the hour */
#define NN_CALENDAR_HOUR		2u	/* hour of the day */
#define NN_CALENDAR_WEEKDAY		4u
#define NN_CALENDAR_MONTH_DAY	8u
#define NN_CALENDAR_YEAR_DAY	16u
#define NN_CALENDAR_MONTH		32u
#define NN_CALENDAR_AUTO		0x80000000u /* only before training has looked at the rows */

typedef enum NnInitializer
{
	NN_INITIALIZER_GLOROT, NN_INITIALIZER_ZEROS
} NnInitializer;

/* What a convolution sees beyond the edge of the grid. */
typedef enum NnPadding
{
	NN_PADDING_SAME,			/* zeros; as many cells come out as go in (by the stride) */
	NN_PADDING_VALID			/* nothing: only places where the whole kernel fits */
} NnPadding;

/* What global_pool makes of all sites. */
typedef enum NnPool
{
	NN_POOL_MEAN, NN_POOL_MAX
} NnPool;

/* Which neighbours a graph layer mixes; every one sees its own site too. */
typedef enum NnSupport
{
	NN_SUPPORT_FORWARD,			/* random walk along the edges */
	NN_SUPPORT_BOTH,			/* ... and against them: diffusion, Li et al. 2018 */
	NN_SUPPORT_CHEBYSHEV,		/* polynomials of the Laplacian, Defferrard et al. 2016 */
	NN_SUPPORT_ADAPTIVE,		/* learned from embeddings of the sites, Wu et al. 2019 */
	NN_SUPPORT_ALL				/* both, and adaptive */
} NnSupport;

typedef enum NnFusion
{
	NN_FUSION_GATED,			/* a share for each branch, channel by channel, from the branches */
	NN_FUSION_WEIGHTED			/* a x_1 + (1 - a) x_2 + sum_k w_k x_k, a in (0, 1) and w_k learned */
} NnFusion;

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
	NnInitializer initializer;	/* type dense: of its weight */
	NnCenter	center;			/* type statistics */
	NnSpread	spread;
	bool		affine;			/* type normalize: learned gain and shift */
	uint32_t	length;			/* type segment: rows of a segment; join: steps of one */
	uint32_t	steps;			/* type repeat, decoder: 0: as many as the horizon needs */
	uint32_t	heads;			/* type attention */
	uint32_t	season;			/* type residual, smoothing, recall: rows; 0: none */
	uint32_t	kernel_size;	/* convolutions: cells along each side; odd unless valid */
	uint32_t	strides;		/* convolutions, pools: cells between two places; 0: pool_size */
	NnPadding	padding;
	uint32_t	pool_size;		/* pools: cells along each side */
	NnPool		pool;			/* type global_pool */
	uint32_t	hops;			/* graph layers: steps along the edges */
	NnSupport	support;		/* graph layers */
	NnFusion	fusion;			/* type fuse */
	uint32_t	nlags;			/* type lags: rows picked, counted back from the newest, which is 1 */
	uint32_t	lag[NN_MAX_LAGS];
} NnLayerSpec;

/* An array column: pixels of an image by row and time, or one vector (1 x 1). */
typedef struct NnArraySpec
{
	char		name[NN_MAX_NAME];	/* of the column and of the input layer */
	uint32_t	rows, cols, C;
} NnArraySpec;

/* The short form as given; expanded into layers once the rows are known. */
typedef struct NnShortForm
{
	NnArchitecture architecture;
	uint32_t	units, num_layers;	/* 0: by architecture */
	NnActivation activation, recurrent_activation;
	bool		peephole, bidirectional, residual;
	double		dropout, recurrent_dropout;
	NnNormalization normalization;
	uint32_t	segment_length; /* 0: by architecture */
	bool		skip;			/* segment: a linear path around the cells */
	uint32_t	residual_season;	/* residual: add the value one season before; 0: the last */
	uint32_t	series_embedding;	/* numbers learned for each series, 0: none */
	NnHead		head;
} NnShortForm;

typedef struct NnSpec
{
	/* Set by the caller from the rows and the arguments; written to the model too. */
	uint32_t	context;
	uint32_t	horizon;		/* steps that the network forecasts at once */
	uint32_t	forecast_horizon;	/* steps of a forecast unless asked otherwise */
	uint32_t	ntargets, npast, nstatic;
	uint32_t	nfuture;		/* given ones, then those made from calendar and holidays */
	uint32_t	nseries;		/* series embedded in the network; 0: none is */

	/*
	 * Space.  With more than one site all series are forecast together: series s of
	 * the rows is site s, all have the same rows in time, a window is all of them at
	 * one origin.
	 */
	uint32_t	nsites;			/* 1: every series by itself */
	uint32_t	grid_rows;		/* sites are cells, row by row; 0: no grid */
	bool		hexagonal;		/* ... whose odd columns lie half a cell lower */
	uint32_t	nedges;			/* of the graph over the sites; 0: none */
	uint32_t	narrays;
	NnArraySpec array[NN_MAX_ARRAYS];

	/* Network: no layers after nn_spec_parse where a short form is to be expanded. */
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
	uint32_t	warmup_steps;	/* steps over which the rate grows from 0, 0: none */
	uint32_t	epochs, batch_size, patience;	/* patience 0: no early stopping */
	double		min_delta, validation_split;
	bool		shuffle;
	double		clip_norm, clip_value, l1, l2;	/* 0: off */
	uint64_t	seed;
	uint32_t	steps_per_epoch;	/* batches of an epoch at the most, 0: all windows */
	double		adversarial_epsilon;	/* size of the sign attack trained against, 0: none */

	/* What is joined to a forecast, and how sure it is */
	uint32_t	ensemble_size;	/* networks that differ in their seed only */
	uint32_t	members;		/* bits, NN_MEMBER_NETWORK and the simple methods; 0: not chosen */
	uint32_t	folds;			/* time-ordered validation parts to choose and calibrate on */
	bool		refit;			/* train again on all rows once everything is chosen */
	NnCalibration calibration;

	/* Data preparation */
	NnScaling	scaling;
	bool		scale_by_series;
	bool		pad;			/* windows may begin before their series, see nn_data.h */
	NnMissing	missing;
	NnOutliers	outliers;
	double		outlier_threshold;		/* 0: the method's own, as above */
	uint32_t	difference;				/* lag of differencing of the targets, 0: none */
	uint32_t	season;					/* steps in a season, 0: from the frequency */
	double		lower_bound, upper_bound;	/* of forecasts; NaN: none */
	bool		stateful;				/* forecasts beyond the horizon carry the state on instead of
										 * sliding the window */
	char		frequency[NN_MAX_NAME];	/* "auto" or as nn_frequency_parse takes it */
	uint32_t	calendar;		/* bits NN_CALENDAR_* */
	char		holidays[NN_MAX_QUERY]; /* table or query of dates, "": none */
	NnOnError	on_error;

	/* Where the series are; the host makes sites of it (pg/space.h) */
	NnSpace		space;
	char		graph[NN_MAX_QUERY];	/* query of edges, "": none */
	uint32_t	neighbors;		/* edges into a site at the most, 0: no limit */
	double		distance;		/* of neighbours at the most, 0: no limit */
	NnWeighing	kernel;
	double		sigma;			/* 0: from the distances */
	double		threshold;		/* weaker edges are left out */
	bool		directed;		/* an edge is there in the one direction only */
	char		grid[NN_MAX_QUERY]; /* columns that say row and column, "": none */
	NnCells		cells;

	/* Not part of the model (never written): what the host does around it. */
	bool		deploy;
	uint32_t	progress;				/* a line every so many epochs, 0: none */
	char		from_model[NN_MAX_NAME];	/* whose parameters to begin with, "": none */
	uint32_t	nfreeze;
	char		freeze[NN_MAX_FREEZE][NN_MAX_NAME]; /* layers that keep theirs */
	NnShortForm form;
	bool		given[NN_MAX_SETTINGS]; /* by row of the table of settings */
} NnSpec;

/* Defaults of every setting; no layers yet. */
extern void nn_spec_default(NnSpec *spec);

/*
 * Reads options (an object, or NULL for all defaults) over the defaults and checks
 * every value.  A short form (architecture, units, num_layers, ..., residual) is
 * kept in spec->form, see nn_spec_expand; without any key of it, and without
 * layers, the architecture is "auto".  Fails with NN_BAD_KEY (hint: nearest
 * key), NN_BAD_TYPE or NN_BAD_VALUE.
 */
extern void nn_spec_parse(const NnEnv *env, const NnJson *options, NnSpec *spec);

/* Was any key of the short form given? */
extern bool nn_spec_form_given(const NnSpec *spec);

/* Was the option of that key given? */
extern bool nn_spec_given(const NnSpec *spec, const char *key);

/*
 * Makes the layers of spec->form, unless there are layers: context, horizon,
 * season and the counts of columns must be set.  The architectures "auto" and
 * "ensemble" mean "lstm" here; nn_auto.h chooses another for them before.
 */
extern void nn_spec_expand(const NnEnv *env, NnSpec *spec);

/*
 * What networks over several sites are made and, by "auto", trained with.  All that
 * was tried out of their defaults is in one table, in nn_spec_short.c.
 */
typedef struct NnSiteRecipe
{
	NnArchitecture architecture;
	uint32_t	units;
	uint32_t	mixed;			/* graph: units of the layer that mixes neighbours */
	uint32_t	hops;			/* along the edges, in every layer that looks along them */
	uint32_t	kernel_size;	/* cells along each side */
	/* Only where "auto" chooses: */
	uint32_t	context;		/* rows without a season */
	uint32_t	batch_size;
	double		learning_rate;
	uint32_t	steps;			/* of the optimiser */
} NnSiteRecipe;

/* NULL where the architecture does not look at neighbours. */
extern const NnSiteRecipe *nn_site_recipe(NnArchitecture architecture);

/* Is there a layer of that type? */
extern bool nn_spec_has(const NnSpec *spec, const char *type);

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
extern const char *nn_architecture_name(NnArchitecture kind);

#endif							/* NN_SPEC_H */
