/*
 * nn_classic.h
 *		The classical forecasting methods behind one interface.
 *
 * A method is fitted to one column of numbers, which gives it a few parameters, and
 * forecasts from any history of that column with them.  Histories are in original
 * units, NaN where nothing is known; nothing after their last row is ever looked at.
 *
 * Forecasts are finite whenever one value of the history is known, else NaN.  Those of
 * the fitted methods (from Holt-Winters on) stay within the range of the history's
 * values, widened on both sides by that range times 1 + 2 h / rows, h being the steps
 * ahead: twice what a straight line would need, and a stop for what explodes.
 *
 * Where a history is too short or has the wrong sign for a method, the next simpler
 * one takes its place, by the history that is given:
 *
 *	- fewer than 5 known values: Holt-Winters, theta and ar are naive;
 *	- a season of 0 or 1, less than two seasons of rows, or less than a season of known
 *	  values: Holt-Winters is Holt's linear trend, theta and ar have no season;
 *	- any value of 0 or below: a multiplicative season is additive.
 *
 * Fitted methods read the last max(10 seasons, 2,000) rows up to the last known one;
 * ar is fitted to the last 2,000 of them and their lags.
 * Unknown rows within count as forecast without error by smoothing; the others read
 * them as the mean of the season before and after, else as the line between their
 * neighbours.
 */
#ifndef NN_CLASSIC_H
#define NN_CLASSIC_H

#include "core/nn_env.h"

typedef enum NnClassicKind
{
	NN_CLASSIC_NAIVE,			/* the last known value */
	NN_CLASSIC_SEASONAL_NAIVE,	/* the value of the same step of the last season */
	NN_CLASSIC_MEAN,			/* mean of all known values */
	NN_CLASSIC_DRIFT,			/* the line through the first and the last known value */
	NN_CLASSIC_HOLT_WINTERS,	/* additive season, linear trend (Winters 1960) */
	NN_CLASSIC_HOLT_WINTERS_MULTIPLICATIVE,
	NN_CLASSIC_HOLT_WINTERS_DAMPED, /* damped trend (Gardner and McKenzie 1985) */
	NN_CLASSIC_HOLT_WINTERS_MULTIPLICATIVE_DAMPED,
	NN_CLASSIC_THETA,			/* Assimakopoulos and Nikolopoulos 2000 */
	NN_CLASSIC_AR				/* autoregression by least squares, lags by AICc */
} NnClassicKind;

#define NN_CLASSIC_KINDS 10

/* Most lags of "ar". */
#define NN_CLASSIC_LAGS 32

/* Room for the parameters of any method. */
#define NN_CLASSIC_PARAMETERS (3 + NN_CLASSIC_LAGS)

/* Scratch of the methods: one for any number of histories, used by one caller at a time. */
typedef struct NnClassic NnClassic;

/* "naive", "seasonal_naive", ..., "holt_winters_multiplicative_damped", "theta", "ar". */
extern const char *nn_classic_name(NnClassicKind kind);

/* False when word names no method. */
extern bool nn_classic_parse(const char *word, NnClassicKind *kind);

/*
 * How many parameters a method has, at most NN_CLASSIC_PARAMETERS (weights as in
 * nn_smoothing.h):
 *
 *	naive, seasonal_naive, mean, drift	0
 *	holt_winters...						4: alpha, beta, gamma, phi
 *	theta								2: alpha; season: 0 none, 1 additive,
 *										2 multiplicative
 *	ar									35: lags in use; seasonal lag or 0;
 *										intercept, original units; 32 coefficients
 */
extern uint32_t nn_classic_parameters(NnClassicKind kind);

/* parameter[nn_classic_parameters(kind)] could come from a fit: finite and in range. */
extern bool nn_classic_valid(NnClassicKind kind, const double *parameter);

/*
 * Scratch for histories of up to rows rows (longer ones may be given; only as many of
 * their last rows are read by fitted methods) and a season in rows, 0 or 1: none.
 * About 40 bytes per row read.
 */
extern NnClassic *nn_classic_create(const NnEnv *env, uint32_t rows, uint32_t season);

/*
 * parameter[nn_classic_parameters(kind)] from value[n]: least squared one-step errors
 * on the rows that the method reads.  At most about 220 passes over them; polls between
 * passes.  Never fails for what is in value, which is finite or NaN.
 */
extern void nn_classic_fit(NnClassic *classic, NnClassicKind kind, const double *value,
						   uint32_t n, double *parameter);

/*
 * out[horizon]: forecasts of the rows after value[n], with parameters of a fit (or that
 * nn_classic_valid accepts) on this or another history and the same season.  O(n +
 * horizon), ar times its lags.
 */
extern void nn_classic_forecast(NnClassic *classic, NnClassicKind kind,
								const double *parameter, const double *value, uint32_t n,
								uint32_t horizon, double *out);

#endif							/* NN_CLASSIC_H */
