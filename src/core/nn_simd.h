/*
 * nn_simd.h
 *		The vector of one instruction set: its type, its width, its primitives.
 *
 * Private to the kernel files.  Each defines NN_SIMD_AVX512, NN_SIMD_AVX2 or
 * neither (the baseline of the build) and then includes nn_kernel.inc, which is
 * written once in terms of what stands here.  A new instruction set is one branch
 * below and one file of ten lines.
 *
 * The file switches the compiler to the instruction set by pragma, after the
 * system's headers, so no source needs flags of its own; nn_kernel.inc switches
 * back at its end.
 *
 * AVX2, AVX-512 and AArch64 perform the same operations in each lane and so give
 * the same bits.  Baseline x86 has no fused multiply-add and differs in the last
 * places.  Loads and stores do not ask for alignment: on aligned data they cost
 * the same, and a misplaced array costs time instead of a crash.
 */
#ifndef NN_SIMD_H
#define NN_SIMD_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(NN_SIMD_AVX512) || defined(NN_SIMD_AVX2)
#include <immintrin.h>
#elif defined(__aarch64__) && !defined(NN_DOUBLE)
#include <arm_neon.h>
#endif

#include "core/nn_kernel.h"

#if defined(NN_SIMD_AVX512)
#ifdef __clang__
#pragma clang attribute push (__attribute__((target("avx2,fma,avx512f,avx512vl,avx512dq"))), \
							  apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,avx512f,avx512vl,avx512dq")
#endif
#elif defined(NN_SIMD_AVX2)
#ifdef __clang__
#pragma clang attribute push (__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
#endif

#define NN_INLINE static inline __attribute__((always_inline, unused))

/*
 * Per instruction set: name, bytes of a vector, and the register blocks.
 * NN_ROWS x NN_COLUMNS vectors of sums, NN_COLUMNS operands and one broadcast
 * must fit in the registers (32, 16, 16), and the sums must be at least 8 to 12
 * to hide the latency of the multiply-add.  NN_SUMS vectors of sums, a broadcast
 * and where need be a load must fit for a matrix times one vector.
 */
#if defined(NN_SIMD_AVX512)
#define NN_NAME(function) nn_avx512_##function
#define NN_TABLE nn_kernels_avx512
#define NN_TABLE_NAME "avx512"
#define NN_VECTOR_BYTES 64
#define NN_ROWS 8
#define NN_COLUMNS 3
#define NN_SUMS 16
#elif defined(NN_SIMD_AVX2)
#define NN_NAME(function) nn_avx2_##function
#define NN_TABLE nn_kernels_avx2
#define NN_TABLE_NAME "avx2"
#define NN_VECTOR_BYTES 32
#define NN_ROWS 6
#define NN_COLUMNS 2
#define NN_SUMS 12
#else
#define NN_NAME(function) nn_generic_##function
#define NN_TABLE nn_kernels_generic
#define NN_TABLE_NAME "generic"
#define NN_VECTOR_BYTES 16
#define NN_ROWS 4
#define NN_COLUMNS 2
#define NN_SUMS 12
#endif

/* Reals of a vector, and vectors of a lane group. */
#define NN_WIDTH ((int) (NN_VECTOR_BYTES / sizeof(nn_real)))
#define NN_GROUP (NN_LANES / NN_WIDTH)

typedef nn_real nn_vec __attribute__((vector_size(NN_VECTOR_BYTES)));
typedef nn_real nn_vec_any __attribute__((vector_size(NN_VECTOR_BYTES), may_alias,
										  aligned(sizeof(nn_real))));
#ifdef NN_DOUBLE
typedef int64_t nn_ivec __attribute__((vector_size(NN_VECTOR_BYTES)));
#else
typedef int32_t nn_ivec __attribute__((vector_size(NN_VECTOR_BYTES)));
#endif

NN_INLINE nn_vec
v_load(const nn_real *p)
{
	return *(const nn_vec_any *) p;
}

NN_INLINE void
v_store(nn_real *p, nn_vec x)
{
	*(nn_vec_any *) p = x;
}

NN_INLINE nn_vec
v_zero(void)
{
	return (nn_vec) {0};
}

#if defined(NN_SIMD_AVX512)

NN_INLINE nn_vec
v_set1(nn_real x)
{
	return _mm512_set1_ps(x);
}

/* a * b + c, rounded once */
NN_INLINE nn_vec
v_fma(nn_vec a, nn_vec b, nn_vec c)
{
	return _mm512_fmadd_ps(a, b, c);
}

/* c - a * b, rounded once */
NN_INLINE nn_vec
v_fnma(nn_vec a, nn_vec b, nn_vec c)
{
	return _mm512_fnmadd_ps(a, b, c);
}

/* a < b ? yes : no; NaN compares false */
NN_INLINE nn_vec
v_select_less(nn_vec a, nn_vec b, nn_vec yes, nn_vec no)
{
	return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), no, yes);
}

/* The greater of limit and x; NaN in x stays. */
NN_INLINE nn_vec
v_at_least(nn_vec limit, nn_vec x)
{
	return _mm512_max_ps(limit, x);
}

NN_INLINE nn_vec
v_at_most(nn_vec limit, nn_vec x)
{
	return _mm512_min_ps(limit, x);
}

#elif defined(NN_SIMD_AVX2)

NN_INLINE nn_vec
v_set1(nn_real x)
{
	return _mm256_set1_ps(x);
}

NN_INLINE nn_vec
v_fma(nn_vec a, nn_vec b, nn_vec c)
{
	return _mm256_fmadd_ps(a, b, c);
}

NN_INLINE nn_vec
v_fnma(nn_vec a, nn_vec b, nn_vec c)
{
	return _mm256_fnmadd_ps(a, b, c);
}

NN_INLINE nn_vec
v_select_less(nn_vec a, nn_vec b, nn_vec yes, nn_vec no)
{
	return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}

NN_INLINE nn_vec
v_at_least(nn_vec limit, nn_vec x)
{
	return _mm256_max_ps(limit, x);
}

NN_INLINE nn_vec
v_at_most(nn_vec limit, nn_vec x)
{
	return _mm256_min_ps(limit, x);
}

#else

NN_INLINE nn_vec
v_set1(nn_real x)
{
	/* The compiler makes one broadcast of it; x - {0} would turn -0 into 0. */
#ifdef NN_DOUBLE
	return (nn_vec) {x, x};
#else
	return (nn_vec) {x, x, x, x};
#endif
}

#if defined(__aarch64__) && !defined(NN_DOUBLE)

NN_INLINE nn_vec
v_fma(nn_vec a, nn_vec b, nn_vec c)
{
	return (nn_vec) vfmaq_f32((float32x4_t) c, (float32x4_t) a, (float32x4_t) b);
}

NN_INLINE nn_vec
v_fnma(nn_vec a, nn_vec b, nn_vec c)
{
	return (nn_vec) vfmsq_f32((float32x4_t) c, (float32x4_t) a, (float32x4_t) b);
}

#else

NN_INLINE nn_vec
v_fma(nn_vec a, nn_vec b, nn_vec c)
{
	return a * b + c;
}

NN_INLINE nn_vec
v_fnma(nn_vec a, nn_vec b, nn_vec c)
{
	return c - a * b;
}

#endif

NN_INLINE nn_vec
v_select_less(nn_vec a, nn_vec b, nn_vec yes, nn_vec no)
{
	nn_ivec		mask = (nn_ivec) (a < b);

	return (nn_vec) ((mask & (nn_ivec) yes) | (~mask & (nn_ivec) no));
}

NN_INLINE nn_vec
v_at_least(nn_vec limit, nn_vec x)
{
	return v_select_less(x, limit, limit, x);
}

NN_INLINE nn_vec
v_at_most(nn_vec limit, nn_vec x)
{
	return v_select_less(limit, x, limit, x);
}

#endif

/*
 * Sum of the 16 lanes of a group, sum[NN_GROUP] vectors, always as the same tree:
 * lane j + lane j+8, then +4, +2, +1.  So every instruction set gives the same bits.
 */
NN_INLINE nn_real
v_sum_group(const nn_vec *sum)
{
#if defined(NN_SIMD_AVX512) || defined(NN_SIMD_AVX2)
	__m256		half;
	__m128		quarter;

#ifdef NN_SIMD_AVX512
	half = _mm512_castps512_ps256(sum[0]) + _mm512_extractf32x8_ps(sum[0], 1);
#else
	half = sum[0] + sum[1];
#endif
	quarter = _mm256_castps256_ps128(half) + _mm256_extractf128_ps(half, 1);
	quarter = quarter + _mm_movehl_ps(quarter, quarter);
	return _mm_cvtss_f32(quarter) + _mm_cvtss_f32(_mm_movehdup_ps(quarter));
#else
	nn_real		lane[NN_LANES];

	memcpy(lane, sum, sizeof(lane));
	for (int n = NN_LANES / 2; n > 0; n /= 2)
		for (int j = 0; j < n; j++)
			lane[j] += lane[j + n];
	return lane[0];
#endif
}

/*
 * out[8 lanes][8] = transpose of eight rows of eight lanes each.  Rows of out
 * start ld reals apart.
 */
NN_INLINE void
v_transpose8(nn_real *out, size_t ld, const nn_real *const row[8])
{
#if defined(NN_SIMD_AVX512) || defined(NN_SIMD_AVX2)
	__m256		a[8],
				b[8];

#pragma GCC unroll 8
	for (int i = 0; i < 8; i++)
		a[i] = _mm256_loadu_ps(row[i]);
#pragma GCC unroll 4
	for (int i = 0; i < 8; i += 2)
	{
		b[i] = _mm256_unpacklo_ps(a[i], a[i + 1]);
		b[i + 1] = _mm256_unpackhi_ps(a[i], a[i + 1]);
	}
	/* a[i]: lanes i and i + 4 of rows 0..3; a[i + 4]: of rows 4..7 */
#pragma GCC unroll 2
	for (int i = 0; i < 8; i += 4)
	{
		a[i] = _mm256_shuffle_ps(b[i], b[i + 2], 0x44);
		a[i + 1] = _mm256_shuffle_ps(b[i], b[i + 2], 0xee);
		a[i + 2] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0x44);
		a[i + 3] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0xee);
	}
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++)
	{
		_mm256_storeu_ps(out + i * ld, _mm256_permute2f128_ps(a[i], a[i + 4], 0x20));
		_mm256_storeu_ps(out + (i + 4) * ld, _mm256_permute2f128_ps(a[i], a[i + 4], 0x31));
	}
#else
	for (int i = 0; i < 8; i++)
		for (int j = 0; j < 8; j++)
			out[j * ld + i] = row[i][j];
#endif
}

#endif							/* NN_SIMD_H */
