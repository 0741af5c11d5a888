/*
 * bench_jobs.h
 *		The jobs that are measured: networks of usual shapes on made-up series.
 *
 * A job is built for one set of kernels; what runs is the core's own trainer or
 * forecaster.  Everything another program needs to do the same job (numbers,
 * order of the windows, weights at the start) can be written to a file.
 */
#ifndef BENCH_JOBS_H
#define BENCH_JOBS_H

#include <stdio.h>

#include "core/nn_forecast.h"
#include "core/nn_train.h"

typedef struct JobShape
{
	const char *name, *what;
	const char *layers, *loss;
	uint32_t	targets, columns;	/* columns: targets and past covariates */
	uint32_t	context, horizon, batch;
	uint32_t	windows;		/* of one series; forecasts: series of one window each */
	uint32_t	epochs;			/* in one repetition */
	uint32_t	steps;			/* forecast so far, recursively; 0: the job trains */
	bool		stateful;		/* forecasts carry the state on; else the window slides */
	uint32_t	rows, cols;		/* of a grid: a series in each cell, a window is all of them; or 0 */
} JobShape;

typedef struct Job
{
	const JobShape *shape;
	const NnKernels *kernels;
	NnSpec		spec;
	NnPlan	   *plan;
	NnData	   *data;
	NnWindow   *windows;		/* [shape->windows] */
	NnTrainer  *trainer;		/* of training jobs, */
	NnForecaster *forecaster;	/* of the others */
	nn_real    *params;
	double	   *point;			/* [windows][steps] of the last forecast */
} Job;

extern const JobShape job_shapes[];
extern const uint32_t job_count;

/* The job of that name; ends the program when there is none. */
extern const JobShape *job_find(const char *name);

extern Job *job_create(const NnEnv *env, const JobShape *shape, const NnKernels *kernels);

/*
 * One repetition: the shape's epochs, going on from the weights of the last one,
 * or all forecasts.  Returns the loss of the last epoch, 0 for forecasts.
 */
extern double job_run(Job *job);

/* Windows that one repetition works through. */
extern double job_windows(const JobShape *shape);

/*
 * Multiplications and additions for one window.  Training: forward, and the
 * gradients of weights, states and (above the first layer) inputs.  The product
 * with the state before the first step, all zeros, is not counted.
 */
extern double job_flops(const Job *job);

/*
 * Writes the job: lines of "key value", lines of "array name type dimensions",
 * an empty line, then the arrays one after the other, little-endian.
 */
extern void job_write(const NnEnv *env, const Job *job, FILE *file);

#endif							/* BENCH_JOBS_H */
