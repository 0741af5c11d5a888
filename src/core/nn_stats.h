/*
 * nn_stats.h
 *		Summaries of columns with missing values, and two distributions.
 *
 * Columns are double arrays x[n] in which NaN means missing; every summary skips
 * those and is NaN when nothing is left.  Infinite values are the caller's to
 * reject.
 */
#ifndef NN_STATS_H
#define NN_STATS_H

#include "core/nn_env.h"

/* Values that are not missing. */
extern size_t nn_stats_count(const double *x, size_t n);

/* Arithmetic mean, in two passes. */
extern double nn_stats_mean(const double *x, size_t n);

/* Population standard deviation (divides by the count), in two passes. */
extern double nn_stats_sd(const double *x, size_t n);

/*
 * |a - b|, but 0 where that is no more than the rounding of a few operations on numbers of
 * their size (1e-12 of the larger): a series that repeats exactly has no error of 1e-15.
 * NaN where either is.
 */
extern double nn_stats_difference(double a, double b);

/* Whether low <= x <= high, rounding let pass in the same way; false where one is NaN. */
extern bool nn_stats_within(double x, double low, double high);

/* Smallest and largest value. */
extern double nn_stats_min(const double *x, size_t n);
extern double nn_stats_max(const double *x, size_t n);

/*
 * Quantile p in [0, 1] with linear interpolation between order statistics (type
 * 7 of Hyndman and Fan 1996; the default of R and NumPy).  Linear on average.
 * The first copies x into the arena; the second reorders x instead, for callers
 * that ask for several quantiles or keep their own scratch.
 */
extern double nn_stats_quantile(const NnEnv *env, const double *x, size_t n, double p);
extern double nn_stats_quantile_in_place(const NnEnv *env, double *x, size_t n, double p);
extern double nn_stats_median(const NnEnv *env, const double *x, size_t n);

/* Sorts x [n] upwards, in place; no NaN.  n log n in the worst case too. */
extern void nn_stats_sort(double *x, size_t n);

/* P(Z <= z) of the standard normal distribution, precise in both tails. */
extern double nn_normal_cdf(double z);

/*
 * The z with P(Z <= z) = p, to full double precision; -inf for 0, inf for 1, NaN
 * for p outside [0, 1].  Halley's method on erf and erfc from the starting value
 * of Abramowitz and Stegun 26.2.23.
 */
extern double nn_normal_quantile(double p);

/*
 * The t with P(T <= t) = p for Student's t distribution with nu > 0 degrees of
 * freedom (need not be whole), relative error below 1e-8; ends and errors as of
 * nn_normal_quantile.  Newton's method on the incomplete beta function; above nu
 * = 1e7 the expansion of Abramowitz and Stegun 26.7.5.
 */
extern double nn_student_quantile(double p, double nu);

/* P(T <= t). */
extern double nn_student_cdf(double t, double nu);

#endif							/* NN_STATS_H */
