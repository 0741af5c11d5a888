/*
 * nn_rng.c
 *		Philox4x32-10: random numbers as a function of their position.
 *
 * The counter is (block, step, stream) and the key the seed, so streams, steps
 * and seeds cannot meet.  Pure functions; no state, no allocation.  Masks, which
 * a recurrent dropout draws at every step, go sixteen values at a time where the
 * processor has AVX2 (1 ns a value rather than 2); the values are the same.
 */
#include <math.h>

#include "core/nn_rng.h"

#if defined(__x86_64__) && !defined(NN_DOUBLE)
#include <immintrin.h>
#define MASK_AVX2
#endif

/* Multipliers and Weyl constants of Salmon et al. 2011, section 3.3. */
#define PHILOX_M0 0xD2511F53u
#define PHILOX_M1 0xCD9E8D57u
#define PHILOX_W0 0x9E3779B9u
#define PHILOX_W1 0xBB67AE85u
#define PHILOX_ROUNDS 10

static inline void
philox_block(uint64_t seed, uint32_t stream, uint32_t step, uint64_t block, uint32_t out[4])
{
	uint32_t	c0 = (uint32_t) block,
				c1 = (uint32_t) (block >> 32),
				c2 = step,
				c3 = stream;
	uint32_t	k0 = (uint32_t) seed,
				k1 = (uint32_t) (seed >> 32);

	for (int round = 0; round < PHILOX_ROUNDS; round++)
	{
		uint64_t	p0 = (uint64_t) PHILOX_M0 * c0,
					p1 = (uint64_t) PHILOX_M1 * c2;

		c0 = (uint32_t) (p1 >> 32) ^ c1 ^ k0;
		c1 = (uint32_t) p1;
		c2 = (uint32_t) (p0 >> 32) ^ c3 ^ k1;
		c3 = (uint32_t) p0;
		k0 += PHILOX_W0;
		k1 += PHILOX_W1;
	}
	out[0] = c0;
	out[1] = c1;
	out[2] = c2;
	out[3] = c3;
}

void
nn_rng_block(uint64_t seed, uint32_t stream, uint32_t step, uint64_t block, uint32_t out[4])
{
	philox_block(seed, stream, step, block, out);
}

/* 24 bits fill a float's significand; the double build draws the same values. */
nn_real
nn_rng_unit(uint64_t seed, uint32_t stream, uint32_t step, uint64_t index)
{
	uint32_t	words[4];

	philox_block(seed, stream, step, index / 4, words);
	return (nn_real) (words[index % 4] >> 8) * NN_R(0x1p-24);
}

/* (0, 1], 53 bits, from two words */
static double
unit_open(uint32_t high, uint32_t low)
{
	uint64_t	bits = ((uint64_t) high << 32 | low) >> 11;

	return (double) (bits + 1) * 0x1p-53;
}

/* A block gives two normals: sqrt(-2 ln u) cos and sin of 2 pi v (Box, Muller 1958). */
double
nn_rng_normal(uint64_t seed, uint32_t stream, uint32_t step, uint64_t index)
{
	const double two_pi = 6.28318530717958647693;
	uint32_t	words[4];
	double		radius,
				angle;

	philox_block(seed, stream, step, index / 2, words);
	radius = sqrt(-2 * log(unit_open(words[0], words[1])));
	angle = two_pi * unit_open(words[2], words[3]);
	return radius * (index % 2 == 0 ? cos(angle) : sin(angle));
}

#ifdef MASK_AVX2

/* One word of four blocks: the low halves count, the high ones are leftovers. */
#define WORDS(x) _mm256_set1_epi64x((int64_t) (uint32_t) (x))

/*
 * nn_rng_mask for four blocks a turn; returns how many values it did, a multiple
 * of 16.
 */
__attribute__((target("avx2"))) static uint64_t
mask_avx2(uint64_t seed, uint32_t stream, uint32_t step, uint64_t first,
		  float kept, uint32_t limit, float *out, uint64_t n)
{
	const __m256i m0 = WORDS(PHILOX_M0),
				m1 = WORDS(PHILOX_M1),
				low = WORDS(UINT32_MAX);
	/* Both sides are below 2^31, so the signed comparison serves. */
	const __m256i below = _mm256_set1_epi32((int32_t) limit - 1);
	uint64_t	done;

	for (done = 0; done + 16 <= n; done += 16)
	{
		const __m256i blocks = _mm256_add_epi64(_mm256_set1_epi64x((int64_t) ((first + done) / 4)),
												_mm256_setr_epi64x(0, 1, 2, 3));
		__m256i		c0 = blocks,
					c1 = _mm256_srli_epi64(blocks, 32),
					c2 = WORDS(step),
					c3 = WORDS(stream);
		uint32_t	k0 = (uint32_t) seed,
					k1 = (uint32_t) (seed >> 32);
		__m256i		word[2];

		for (int round = 0; round < PHILOX_ROUNDS; round++)
		{
			const __m256i p0 = _mm256_mul_epu32(c0, m0),
						p1 = _mm256_mul_epu32(c2, m1);

			c0 = _mm256_srli_epi64(p1, 32) ^ c1 ^ WORDS(k0);
			c1 = p1;
			c2 = _mm256_srli_epi64(p0, 32) ^ c3 ^ WORDS(k1);
			c3 = p0;
			k0 += PHILOX_W0;
			k1 += PHILOX_W1;
		}
		c0 = (c0 & low) | _mm256_slli_epi64(c1, 32);
		c2 = (c2 & low) | _mm256_slli_epi64(c3, 32);
		/* Now pairs of words by block; interleave to words in order. */
		c1 = _mm256_unpacklo_epi64(c0, c2);
		c3 = _mm256_unpackhi_epi64(c0, c2);
		word[0] = _mm256_permute2x128_si256(c1, c3, 0x20);
		word[1] = _mm256_permute2x128_si256(c1, c3, 0x31);
		for (int half = 0; half < 2; half++)
		{
			const __m256i keep = _mm256_cmpgt_epi32(_mm256_srli_epi32(word[half], 8), below);

			_mm256_storeu_ps(out + done + 8 * half,
							 _mm256_and_ps(_mm256_castsi256_ps(keep), _mm256_set1_ps(kept)));
		}
	}
	return done;
}

#endif

void
nn_rng_mask(uint64_t seed, uint32_t stream, uint32_t step, uint64_t first,
			nn_real rate, nn_real *out, uint64_t n)
{
	const nn_real kept = 1 / (1 - rate);

	/* nn_rng_unit >= rate, in integers: 24 bits against rate * 2^24. */
	const uint32_t limit = (uint32_t) ceil((double) rate * 0x1p24);
	uint64_t	i = 0;

#ifdef MASK_AVX2
	if (__builtin_cpu_supports("avx2"))
		i = mask_avx2(seed, stream, step, first, kept, limit, out, n);
#endif
	for (; i < n; i += 4)
	{
		uint32_t	words[4];

		philox_block(seed, stream, step, (first + i) / 4, words);
		for (int j = 0; j < 4; j++)
			out[i + j] = (words[j] >> 8) >= limit ? kept : 0;
	}
}

/* floor(bits * n / 2^64): the bias is below n / 2^64. */
static uint32_t
bounded(uint32_t high, uint32_t low, uint64_t n)
{
	return (uint32_t) ((high * n + (low * n >> 32)) >> 32);
}

void
nn_rng_shuffle(uint64_t seed, uint32_t stream, uint32_t step, uint32_t *order, uint32_t n)
{
	uint32_t	words[4];

	for (uint32_t i = 0; i < n; i++)
		order[i] = i;
	/* Draw number i, two to a block, places what ends at position i. */
	for (uint32_t i = 1; i < n; i++)
	{
		const uint32_t *draw = words + (i % 2) * 2;
		uint32_t	j,
					moved;

		if (i == 1 || i % 2 == 0)
			philox_block(seed, stream, step, i / 2, words);
		j = bounded(draw[0], draw[1], (uint64_t) i + 1);
		moved = order[i];
		order[i] = order[j];
		order[j] = moved;
	}
}
