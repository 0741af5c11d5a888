/*
 * nn_kriging.h
 *		Between the sites: weights that make a value at a place from those around it.
 *
 * Values are taken apart into levels, the means of each site's past, and anomalies, what
 * comes on top.  The anomalies at a place are made by ordinary kriging (Matheron 1963;
 * Cressie, Statistics for Spatial Data, 3.2) with the correlation (1 - nugget) exp(-distance
 * / range) between sites, fitted to the correlations of their past.  Its level is made by
 * kriging too, of the logarithms where no value of the past is below 0 (wind, rain, traffic),
 * with a linear trend in the distance from the centre (of an island, a city) that is expected
 * to be weak.  A forecast at the place is offset + sum weight[i] forecast[i]; what it misses
 * is scaled by what leaving each site out would have missed in the past.
 *
 * Logarithms, and range, nugget and trend of the levels, were chosen on Irish wind, twelve
 * stations left out one after the other, one-day forecasts of 1976 and 1977: most stations
 * better than a copy of the nearest (10), then the smallest mean error of those (6 % below
 * inverse squared distance; without levels 2 %).  A trend of 1 is better in the mean (8 %),
 * for the sake of the windiest stations, but loses one more.
 *
 * Distances come as numbers: nothing here knows coordinates.  Matrices are [S][S], row by
 * row; always in double.  A site's past is a column of x [T][S], NaN where it is unknown.
 */
#ifndef NN_KRIGING_H
#define NN_KRIGING_H

#include "core/nn_env.h"

/* Sites that one estimate takes. */
#define NN_KRIGING_SITES 64

/* Rows that two sites must have in common for their correlation to be known. */
#define NN_KRIGING_ROWS 8

/* A field over the sites: how it correlates, and what its errors are shares of. */
typedef struct NnField
{
	double		range;			/* > 0, in units of distance; 0: nothing is known, weights are
								 * those of inverse squared distance */
	double		nugget;			/* 0 to 0.95: share of a site that no other site has */
	double		sill;			/* variance that errors are shares of; NaN: unknown */
	double		trend;			/* linear in the distance from the centre: variance of what a mean
								 * distance adds, in sills; 0: no trend */
} NnField;

typedef struct NnKriging
{
	NnField		anomaly, level;
	const double *mean;			/* [S] levels of the sites; NULL: the level is not made apart */
	const double *logarithm;	/* [S] of the levels; NULL where a past value is below 0: the level
								 * is made of the levels themselves */
} NnKriging;

/* The sites, and the centre that a trend is about. */
typedef struct NnPlaces
{
	uint32_t	S;				/* 1 to NN_KRIGING_SITES */
	const double *distance;		/* [S][S] between the sites */
	const double *centre;		/* [S] of each site from the centre */
} NnPlaces;

/*
 * Learns from the past x [T][S].  The range is searched over 17 values from 1/8 to 32 median
 * distances, the nugget is the least squares' for each.  S^2 T + 17 S^2 + 3 S^3 operations.
 * Nothing is known with one site, with none that varies, or where all are at one place.
 */
extern NnKriging nn_kriging_fit(const NnEnv *env, const NnPlaces *places, const double *x,
								uint32_t T);

/*
 * The place at distances to_site [S], and to_centre from the centre: weight [S], of sum 1,
 * and *offset, in units of the values.  *deviation is the standard deviation of what the
 * place has to itself, NaN when unknown.  Weights may be negative, where a site hides behind
 * another.  A place at a site (or, to a billionth of the largest distance, beside it) gives
 * that site, several the mean of them, with offset and deviation 0.  Where the equations
 * are singular the weights are those of inverse squared distance.
 */
extern void nn_kriging_weights(const NnEnv *env, const NnKriging *kriging, const NnPlaces *places,
							   const double *to_site, double to_centre, double *weight,
							   double *offset, double *deviation);

#endif							/* NN_KRIGING_H */
