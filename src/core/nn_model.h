/*
 * nn_model.h
 *		A trained model as a value: what it holds, and its bytes.
 *
 * The bytes are one safetensors file: 8 bytes little-endian length of the
 * header, a JSON header, then the tensors, little-endian, without gaps.
 * "__metadata__" (string to string, as the format wants) holds
 *	format			"lstm"
 *	format_version	"1"
 *	spec			nn_spec_write's object, as text
 *	data			time kind, frequency, zone, column and series names, report: as text
 *	sites			where the series are, as text; only where NnModel.sites is not NULL
 * Tensors: the network's parameters as F32 under their plan names; preparation
 * and the epoch log as F64 under "prep." and "log.".  Nothing in it comes from
 * clock, host, name or owner, so equal data, options and seed give equal bytes.
 *
 * Reading takes hostile bytes: every length, offset, shape and number is checked
 * before anything of its size is allocated; a failure is NN_BAD_MODEL and says
 * what is wrong.
 */
#ifndef NN_MODEL_H
#define NN_MODEL_H

#include "core/nn_calendar.h"
#include "core/nn_classic.h"
#include "core/nn_data.h"
#include "core/nn_interval.h"
#include "core/nn_plan.h"

#define NN_FORMAT_VERSION 1

/* Series left out of training that a report names. */
#define NN_MAX_SKIPPED 100
#define NN_MAX_MODEL_BYTES ((size_t) 256 * 1024 * 1024)

/* One line of the training log. */
typedef struct NnEpoch
{
	double		loss, validation_loss;	/* validation_loss NaN: no validation part */
	double		learning_rate, gradient_norm;
} NnEpoch;

typedef struct NnReport
{
	uint32_t	nepochs;		/* epochs run */
	uint32_t	best_epoch;		/* from 0: whose weights are kept */
	NnEpoch    *epoch;			/* [nepochs] */
	double		train_loss, validation_loss;	/* of the best epoch; NaN: none */
	double		baseline_loss;	/* the same loss of the (seasonal) naive forecast; NaN: none */
	double		mae, baseline_mae, skill;		/* on the validation rows, original units; NaN */
	double		member_mae[NN_CLASSIC_KINDS + 1];	/* of each member alone, the networks first; NaN */
	double		scaled_skill;	/* the same of errors over each series' own scale; not in the file */
	uint64_t	train_windows, validation_windows, rows;
	bool		out_of_time;	/* lstm.train_seconds ended training early */
	uint32_t	nskipped;		/* series left out by "on_error": "skip" */
	char	  **skipped;		/* the first NN_MAX_SKIPPED of their names, ascending */
} NnReport;

/* Where the series of a model with more than one site are. */
typedef struct NnSites
{
	uint32_t   *site;			/* [nseries] site (cell, row by row) of each series */
	char	  **geom;			/* [nseries] EWKB in upper-case hex; NULL: no geometry is known */
	bool		geography;		/* the column was of type geography */
} NnSites;

typedef struct NnModel
{
	NnSpec		spec;
	NnTimeKind	time_kind;
	NnFrequency frequency;
	char	   *zone;			/* time zone at training, "" where none applies */
	char	   *time_column;	/* "" in models of fit */
	int64_t		trained_to;		/* time on the grid of the newest row that was trained on */
	/*
	 * Names of columns: target [spec.ntargets], past [spec.npast], future
	 * [spec.nfuture - nn_future_made(spec)], statics [nstatic_columns].
	 */
	char	  **target, **past, **future, **statics;
	uint32_t	nstatic_columns;
	NnCategories *categories;	/* [nstatic_columns]; NULL: all are numbers.  A channel for each
								 * number and each word: spec.nstatic */
	uint32_t	nseries_columns;
	char	  **series_column;
	uint32_t	nseries;		/* series of the training data */
	char	  **series;			/* [nseries] names, in memcmp order */
	NnSites    *sites;			/* NULL where spec.nsites is 1 and no geometry was given */
	char	   *geom_column;	/* "" without */
	NnPrep	   *prep;
	NnReport	report;
	size_t		nparams;		/* of one network */
	nn_real    *params;			/* [spec.ensemble_size][nparams] in plan order */

	/* Simple members beside the networks (spec.members), see nn_predict.h. */
	double	   *weight;			/* [members] the networks' first; NULL when they are alone */
	double	   *classic[NN_CLASSIC_KINDS];	/* [nseries][ntargets][nn_classic_parameters], or NULL */
	NnInterval	interval;
} NnModel;

/* The bytes of model, in the arena; fails with NN_TOO_LARGE above NN_MAX_MODEL_BYTES. */
extern uint8_t *nn_model_write(const NnEnv *env, const NnModel *model, size_t *length);

/*
 * The reverse.  Checks everything; the plan is rebuilt from the spec and every
 * tensor must match it in name and shape.
 */
extern NnModel *nn_model_read(const NnEnv *env, const uint8_t *bytes, size_t length);

#endif							/* NN_MODEL_H */
