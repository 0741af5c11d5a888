/*
 * nn_kernel_avx2.c
 *		The kernels for x86-64 with AVX2 and FMA (Haswell, Zen, and later).
 */
#include "core/nn_kernel.h"

#ifdef NN_KERNELS_X86
#define NN_SIMD_AVX2
#include "core/nn_kernel.inc"
#endif
