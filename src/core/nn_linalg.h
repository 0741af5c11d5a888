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

/*
 * out[horizon]: the values that follow history[nhistory], each forecast serving
 * as a lag of the later ones.  False when one of the last p values is missing
 * (NaN) or there are fewer, or when the forecast leaves the finite numbers; out
 * is then undefined.
 */
extern bool nn_ar_predict(const double *coef, uint32_t p, const double *history,
						  size_t nhistory, uint32_t horizon, double *out);

#endif							/* NN_LINALG_H */
