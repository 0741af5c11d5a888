/*
 * explain.h
 *		What the methods of lstm.explain share.
 */
#ifndef LSTM_EXPLAIN_H
#define LSTM_EXPLAIN_H

#include "postgres.h"

#include "pg/probe.h"

typedef enum ExplainKind
{
	EXPLAIN_COLUMN, EXPLAIN_STATIC, EXPLAIN_ARRAY
} ExplainKind;

/* Channels that a user knows under one name. */
typedef struct ExplainInput
{
	const char *name;
	uint32		first, n;		/* of the rows' channels, of the static ones, or of the arrays */
	ExplainKind kind;
} ExplainInput;

struct ExplainRow;

typedef struct Explain
{
	ReturnSetInfo *rsinfo;		/* where rows go, unless put is given */
	void		(*put) (void *host, const struct ExplainRow *row);
	void	   *host;
	bool		whole;			/* permutation: inputs whole, no blocks of lags */
	ModelRun   *run;
	const char *method;
	uint64		seed;
	uint32		horizon;
	uint32		series, target; /* PG_UINT32_MAX: all */
	ExplainInput *input;		/* [ninputs] */
	uint32		ninputs;
} Explain;

/* A row of the result; NaN becomes NULL. */
typedef struct ExplainRow
{
	uint32		series;			/* PG_UINT32_MAX: all */
	uint32		target;
	uint32		step;			/* 0: none */
	const char *input;
	int64		lag;
	uint32		lags;			/* rows that it stands for; 0: it has no lag */
	double		importance, share, value;
	bool		timed;			/* it has a time: */
	int64		row;			/* that of this row of the series */
	const char *source;			/* series of the input, where several are forecast together, or NULL */
} ExplainRow;

/*
 * The whole inputs of method permutation, each row given to e->put: run, horizon, series,
 * target, seed, put and host are the caller's.  Costs three shuffles of an input, where
 * lstm.explain takes one more for each block of lags.
 */
extern void explain_importance(Explain *e);

/* One without anything but a target. */
extern ExplainRow explain_row(uint32 target);

extern void explain_put(const Explain *e, const ExplainRow *row);

/* Was target k asked for? */
extern bool explain_wants(const Explain *e, uint32 k);

/*
 * Shuffles every input among windows, whole and lag by lag: rows with the increase of
 * the mean absolute error (in scales of the target) and the error then.
 */
extern void permutation_run(const Explain *e);

/* Integrated gradients of the newest forecast of a series, its neighbours' share among them. */
extern void gradients_run(const Explain *e);

/* Weights of attention layers, and shares of the branches of fuse layers. */
extern void attention_run(const Explain *e);
extern void fusion_run(const Explain *e);

/* Classical additive decomposition of the newest rows and the forecast. */
extern void decomposition_run(const Explain *e);

#endif							/* LSTM_EXPLAIN_H */
