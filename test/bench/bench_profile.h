/*
 * bench_profile.h
 *		Where the time of a training goes, by a table of kernels that look at the clock.
 *
 * Needs no help from system or compiler.  Costs two looks at the clock (some 50
 * ns) for each kernel called, a few per cent of the smallest jobs.
 */
#ifndef BENCH_PROFILE_H
#define BENCH_PROFILE_H

#include "core/nn_train.h"

typedef enum ProfilePart
{
	PROFILE_FORWARD,			/* products of forward */
	PROFILE_BACKWARD,			/* products of backward, the weights' left out */
	PROFILE_WEIGHTS,			/* gradients of weights and biases */
	PROFILE_GATES,				/* gates of the cells, activations */
	PROFILE_PACK,				/* weights laid out for the products */
	PROFILE_OPTIMISER,			/* clipping and step */
	PROFILE_GATHER,				/* windows into lanes */
	PROFILE_REST,				/* losses, sums of tiles, clearing, everything else */
	PROFILE_PARTS
} ProfilePart;

typedef struct Profile
{
	double		seconds[PROFILE_PARTS];
	double		flops[PROFILE_PARTS];	/* of the products, padded lanes included */
} Profile;

/*
 * The table of kernels, each with a clock around it, for plan and trainer.  One
 * at a time: what it finds goes to one profile.  A kernel that this file does not
 * wrap counts as the rest.
 */
extern const NnKernels *profile_kernels(const NnKernels *kernels);

/* Runs the trainer, built with those kernels, a few times; the fastest counts. */
extern Profile profile_run(NnTrainer *trainer);

#endif							/* BENCH_PROFILE_H */
