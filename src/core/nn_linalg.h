/*
 * nn_linalg.h
 *		Least squares, as far as the autoregressive baseline needs it.
 *
 * Always in double, whatever nn_real is.
 */
#ifndef NN_LINALG_H
#define NN_LINALG_H

#include "core/nn_env.h"

/* Lags allowed. */
#define NN_AR_MAX_LAGS 1024

/*
 * Fits y[t] = coef[0] + sum_k coef[k] * y[t - k], k = 1 .. p, to y[n] by ordinary
 * least squares over all t whose p + 1 values are known (NaN: missing).  coef is
 * [p + 1].  By Householder QR in blocks of rows (Golub and Van Loan, Matrix
 * Computations, 5.2 and 12.5), then QR with column pivoting of the small factor:
 * lags that depend on others, as in a constant or purely periodic series, get 0.
 * A constant series gives its mean and zeros.
 *
 * NN_TOO_FEW with fewer than p + 1 equations, NN_BAD_DATA for infinite values,
 * NN_BAD_VALUE for p above NN_AR_MAX_LAGS.  Takes 2 n p^2 operations and memory
 * for 5 p^2 doubles.
 */
extern void nn_ar_fit(const NnEnv *env, const double *y, size_t n, uint32_t p, double *coef);

/* Doubles of work that nn_ar_select needs for nlags lags. */
#define NN_AR_WORK(nlags) \
	(((size_t) (nlags) + 2) * (5 * ((size_t) (nlags) + 2) + 64))

/*
 * Chooses how many of the lags lag[nlags] an autoregression takes, the first of them
 * first, and fits it by least squares: y[t] = coef[0] + sum_k coef[k] * filled[t -
 * lag[k - 1]], k = 1 .. order, over the rows t = from .. n - 1 whose y is known (NaN:
 * missing).  filled[n] is y without gaps; both of order 1; no lag is above from.
 * Returns the order; coef is [nlags + 1], the rest of it 0.
 *
 * The order has the least AICc (Hurvich and Tsai 1989), put into *criterion to compare
 * lists of lags over the same rows; infinite when no order has enough rows, coef then
 * being all 0.  One factorisation serves all orders: what the later columns explain of
 * the last is in its triangle.  2 n nlags^2 operations; work is [NN_AR_WORK(nlags)].
 */
extern uint32_t nn_ar_select(const NnEnv *env, const double *y, const double *filled, size_t n,
							 size_t from, const uint32_t *lag, uint32_t nlags, double *work,
							 double *coef, double *criterion);

/*
 * out[horizon]: the values that follow history[nhistory], each forecast serving
 * as a lag of the later ones.  False when one of the last p values is missing
 * (NaN) or there are fewer, or when the forecast leaves the finite numbers; out
 * is then undefined.
 */
extern bool nn_ar_predict(const double *coef, uint32_t p, const double *history,
						  size_t nhistory, uint32_t horizon, double *out);

#endif							/* NN_LINALG_H */
