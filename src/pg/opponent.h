/*
 * opponent.h
 *		Classical methods beside a model, on the rows of its source.
 *
 * naive, seasonal_naive, mean and drift need no fit and see all rows up to an
 * origin; the others read its last max(10 seasons, 2,000) rows (nn_classic.h).
 */
#ifndef LSTM_OPPONENT_H
#define LSTM_OPPONENT_H

#include "postgres.h"

#include "core/nn_classic.h"
#include "core/nn_data.h"

typedef struct Opponent
{
	const NnEnv *env;
	uint32		season;
	NnClassic  *classic;
	uint32		most;			/* rows read of a history */
	double	   *history;		/* [most] */
} Opponent;

/* season in rows, 0 and 1: none. */
extern Opponent *opponent_create(const NnEnv *env, uint32 season);

/* "auto" or a method's name; error 22023.  auto: seasonal naive with a season, else naive. */
extern NnClassicKind opponent_parse(const char *word, uint32 season);

/* Whether a method has parameters to fit. */
extern bool opponent_is_fitted(NnClassicKind kind);

/*
 * parameter[NN_CLASSIC_PARAMETERS] from the first rows rows of target k of series s.
 * At most about 220 passes over the rows read, some 5 ms for 2,000 rows; polls.
 */
extern void opponent_fit(Opponent *opponent, NnClassicKind kind, const NnSeries *series, uint32 s,
						 uint32 k, uint32 rows, double *parameter);

/*
 * out[horizon] after the first rows rows.  One pass over the rows read; mean reads all
 * of them.
 */
extern void opponent_forecast(Opponent *opponent, NnClassicKind kind, const double *parameter,
							  const NnSeries *series, uint32 s, uint32 k, uint32 rows,
							  uint32 horizon, double *out);

/*
 * The variant of Holt-Winters that forecast the end of the first rows rows best, fitted
 * to the rows before it: origins every horizon steps in their last quarter, ten at the
 * most.  The additive one without damping where there is nothing to compare.
 */
extern NnClassicKind opponent_holt_winters(Opponent *opponent, const NnSeries *series, uint32 s,
										   uint32 k, uint32 rows, uint32 horizon);

#endif							/* LSTM_OPPONENT_H */
