/*
 * test_rng.c
 *		Philox against its published vectors; the distributions drawn from it.
 */
#include "unit.h"

#include "core/nn_rng.h"

/* Known answers of Random123's kat_vectors, philox4x32 with 10 rounds. */
static void
philox_known_answers(void)
{
	static const struct
	{
		uint64_t	seed;
		uint32_t	stream,
					step;
		uint64_t	block;
		uint32_t	out[4];
	}			cases[] = {
		{0, 0, 0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{UINT64_MAX, UINT32_MAX, UINT32_MAX, UINT64_MAX,
		{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{0x299f31d0a4093822, 0x03707344, 0x13198a2e, 0x85a308d3243f6a88,
		{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		uint32_t	out[4];

		nn_rng_block(cases[i].seed, cases[i].stream, cases[i].step, cases[i].block, out);
		for (int j = 0; j < 4; j++)
			UNIT_INTEGER(out[j], cases[i].out[j]);
	}
}

static void
unit_is_uniform(void)
{
	enum {N = 200000};
	double		sum = 0,
				squares = 0;

	for (uint64_t i = 0; i < N; i++)
	{
		double		u = (double) nn_rng_unit(7, 1, 2, i);

		UNIT_CHECK(u >= 0 && u < 1);
		sum += u;
		squares += u * u;
	}
	UNIT_NEAR(sum / N, 0.5, 0.004);
	UNIT_NEAR(squares / N, 1.0 / 3, 0.004);
}

static void
unit_follows_the_blocks(void)
{
	uint32_t	words[4];

	nn_rng_block(11, 3, 4, 25, words);
	for (uint64_t i = 0; i < 4; i++)
		UNIT_CHECK(nn_rng_unit(11, 3, 4, 100 + i) == (nn_real) (words[i] >> 8) * NN_R(0x1p-24));
	UNIT_CHECK(nn_rng_unit(11, 3, 4, 100) != nn_rng_unit(11, 3, 5, 100));
	UNIT_CHECK(nn_rng_unit(11, 3, 4, 100) != nn_rng_unit(11, 2, 4, 100));
	UNIT_CHECK(nn_rng_unit(11, 3, 4, 100) != nn_rng_unit(12, 3, 4, 100));
}

static void
normal_has_its_moments(void)
{
	enum {N = 200000};
	double		moment[5] = {0};

	for (uint64_t i = 0; i < N; i++)
	{
		double		x = nn_rng_normal(3, NN_STREAM_INIT, 0, i);

		UNIT_CHECK(isfinite(x));
		for (int k = 1; k <= 4; k++)
			moment[k] += pow(x, k) / N;
	}
	UNIT_NEAR(moment[1], 0, 0.01);
	UNIT_NEAR(moment[2], 1, 0.015);
	UNIT_NEAR(moment[3], 0, 0.04);
	UNIT_NEAR(moment[4], 3, 0.1);
}

/* Every element is what nn_rng_unit says, wherever the mask starts and ends. */
static void
mask_follows_the_units(void)
{
	static const nn_real rates[] = {0, NN_R(0.1), NN_R(0.2), NN_R(0.5), NN_R(0.9)};
	static const uint64_t firsts[] = {0, 4, 1000, 0x3fffffff0, 0x400000004};
	static const uint64_t lengths[] = {0, 4, 12, 16, 20, 48, 100};
	nn_real		mask[101];

	for (size_t r = 0; r < 5; r++)
		for (size_t f = 0; f < 5; f++)
			for (size_t l = 0; l < 7; l++)
			{
				mask[lengths[l]] = 7;
				nn_rng_mask(5, NN_STREAM_DROPOUT, 9, firsts[f], rates[r], mask, lengths[l]);
				UNIT_CHECK(mask[lengths[l]] == 7);
				for (uint64_t i = 0; i < lengths[l]; i++)
				{
					nn_real		u = nn_rng_unit(5, NN_STREAM_DROPOUT, 9, firsts[f] + i);

					UNIT_CHECK(mask[i] == (u >= rates[r] ? 1 / (1 - rates[r]) : 0));
				}
			}
}

static void
mask_keeps_its_share(void)
{
	enum {N = 40000};
	NnEnv	   *env = unit_env();
	nn_real    *mask = env->alloc(env->host, N * sizeof(nn_real));
	double		sum = 0;

	nn_rng_mask(1, NN_STREAM_DROPOUT, 0, 0, NN_R(0.3), mask, N);
	for (int i = 0; i < N; i++)
		sum += (double) mask[i];
	UNIT_NEAR(sum / N, 1, 0.02);
}

static void
shuffle_is_a_permutation(void)
{
	uint32_t	order[1000],
				again[1000];

	for (uint32_t n = 0; n <= 1000; n = n < 10 ? n + 1 : n * 10)
	{
		bool		seen[1000] = {false};

		nn_rng_shuffle(42, NN_STREAM_ORDER, 3, order, n);
		nn_rng_shuffle(42, NN_STREAM_ORDER, 3, again, n);
		for (uint32_t i = 0; i < n; i++)
		{
			UNIT_CHECK(order[i] < n && !seen[order[i]]);
			seen[order[i] < n ? order[i] : 0] = true;
			UNIT_INTEGER(order[i], again[i]);
		}
	}
	nn_rng_shuffle(42, NN_STREAM_ORDER, 4, again, 1000);
	UNIT_CHECK(memcmp(order, again, sizeof(order)) != 0);
}

/* All 24 orders of four, equally often. */
static void
shuffle_is_fair(void)
{
	int			count[256] = {0};
	int			orders = 0;

	for (uint32_t step = 0; step < 24000; step++)
	{
		uint32_t	order[4];

		nn_rng_shuffle(1, NN_STREAM_ORDER, step, order, 4);
		count[order[0] | order[1] << 2 | order[2] << 4 | order[3] << 6]++;
	}
	for (int i = 0; i < 256; i++)
		if (count[i] > 0)
		{
			orders++;
			UNIT_NEAR(count[i], 1000, 0.15);
		}
	UNIT_INTEGER(orders, 24);
}

int
main(void)
{
	UNIT_RUN(philox_known_answers);
	UNIT_RUN(unit_is_uniform);
	UNIT_RUN(unit_follows_the_blocks);
	UNIT_RUN(normal_has_its_moments);
	UNIT_RUN(mask_follows_the_units);
	UNIT_RUN(mask_keeps_its_share);
	UNIT_RUN(shuffle_is_a_permutation);
	UNIT_RUN(shuffle_is_fair);
	return unit_finish();
}
