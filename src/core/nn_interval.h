/*
 * nn_interval.h
 *		How far off forecasts are: widths of intervals from errors that were seen.
 *
 * Split conformal prediction (Vovk et al. 2005; Lei et al. 2018): errors on rows
 * that the network was not trained on, each divided by a unit that says how hard its
 * window is (Papadopoulos et al. 2008), are ranked; the interval of a probability
 * reaches as far as that share of them did.  Each step and target has its own
 * widths, smoothed over neighbouring steps where there are few windows.
 *
 * Units are chosen by which makes the errors most alike.  Where the loss gives an
 * interval of its own, its half-widths are the unit, each side by itself, as in
 * Romano et al. 2019.
 */
#ifndef NN_INTERVAL_H
#define NN_INTERVAL_H

#include "core/nn_data.h"

typedef enum NnMeasure
{
	NN_MEASURE_SCALE,				/* the scale of the target (of its series) in training */
	NN_MEASURE_STANDARD,			/* standard deviation within the window */
	NN_MEASURE_CHANGE,				/* mean |change| from row to row within the window */
	NN_MEASURE_SEASONAL_CHANGE,	/* mean |change| from season to season within the window */
	NN_MEASURE_LEVEL,				/* mean absolute value within the window */
	NN_MEASURE_HEAD				/* half-width of the interval that the loss gives at NN_MEASURE_HEAD_LEVEL */
} NnMeasure;

#define NN_MEASURES			5	/* those of the window */
#define NN_MEASURE_HEAD_LEVEL	0.8

/* Probabilities whose widths are kept; between them one interpolates. */
#define NN_INTERVAL_POINTS 17
extern const double nn_interval_probability[NN_INTERVAL_POINTS];

typedef struct NnInterval
{
	uint32_t	steps;			/* 0: none */
	NnMeasure		unit;
	double	   *width;			/* [steps][ntargets][NN_INTERVAL_POINTS] in units, ascending */
} NnInterval;

/* Errors of n windows.  Unknown ones are NaN. */
typedef struct NnErrors
{
	uint32_t	n, steps, ntargets;
	double	   *error;			/* [n][steps][ntargets] actual - forecast, original units */
	double	   *unit;			/* [n][ntargets][NN_MEASURES] */
	double	   *head;			/* [n][steps][ntargets][2] half-widths below and above, NULL: none */
} NnErrors;

/*
 * unit[ntargets][NN_MEASURES] of a window, in original units, always above 0.  Looks at
 * known values of the context only; a padded window's units
 * grow as its own rows are few.  O(context).
 */
extern void nn_window_units(const NnData *data, const NnWindow *window, double *unit);

/* Widths from errors; steps stays 0 when no error is known. */
extern void nn_interval_fit(const NnEnv *env, const NnErrors *errors, NnInterval *interval);

/* Where a probability lies among those whose widths are kept. */
typedef struct NnIntervalPlace
{
	int			q;				/* between points q - 1 and q; 0: below the first, POINTS: above the last */
	double		share;			/* of the way from the one to the other; above the last: the factor */
} NnIntervalPlace;

/* level: 0 to 1, both excluded. */
extern NnIntervalPlace nn_interval_place(double level);

/*
 * Half-width in units that a share of errors at step h (from 0) of target k stays within.
 * Steps beyond the calibrated ones go on from the last one as errors of independent
 * steps would; beyond the outermost probability as those of a Gaussian.
 */
extern double nn_interval_width(const NnInterval *interval, uint32_t ntargets, uint32_t h,
								uint32_t k, NnIntervalPlace place);

/* "scale", "standard", ... and back; -1 when there is none of that name. */
extern const char *nn_measure_name(NnMeasure unit);
extern int	nn_measure_find(const char *name);

#endif							/* NN_INTERVAL_H */
