/*
 * nn_rng.h
 *		Random numbers that are a function of position, not of history.
 *
 * Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as
 * 1, 2, 3").  A value depends on seed, stream, step and index only, so it is
 * the same whoever computes it and in whatever order.  No state, no cost to
 * start; about 10 ns for four values.
 */
#ifndef NN_RNG_H
#define NN_RNG_H

#include <stdint.h>

#include "core/nn_real.h"

/* Streams: what a random number is for.  Layers add their number. */
#define NN_STREAM_INIT		0x10000u	/* + tensor number */
#define NN_STREAM_ORDER		0x20000u	/* shuffling of windows */
#define NN_STREAM_DROPOUT	0x30000u	/* + layer number * 2 (+1: recurrent) */

/* out[4]: the block at (stream, step, block) under seed. */
extern void nn_rng_block(uint64_t seed, uint32_t stream, uint32_t step, uint64_t block,
						 uint32_t out[4]);

/* Uniform in [0, 1), 24 bits; value number index of the stream. */
extern nn_real nn_rng_unit(uint64_t seed, uint32_t stream, uint32_t step, uint64_t index);

/* Standard normal (Box-Muller, in double). */
extern double nn_rng_normal(uint64_t seed, uint32_t stream, uint32_t step, uint64_t index);

/*
 * Dropout mask: out[n] = 0 with probability rate, else 1 / (1 - rate); element i
 * is value number first + i.  n is a multiple of 4, first too.
 */
extern void nn_rng_mask(uint64_t seed, uint32_t stream, uint32_t step, uint64_t first,
						nn_real rate, nn_real *out, uint64_t n);

/* order[n] becomes the permutation of 0..n-1 of that step (Fisher-Yates). */
extern void nn_rng_shuffle(uint64_t seed, uint32_t stream, uint32_t step,
						   uint32_t *order, uint32_t n);

#endif							/* NN_RNG_H */
