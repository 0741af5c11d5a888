/*
 * nn_kernel_avx512.c
 *		The kernels for x86-64 with AVX-512 F, VL and DQ (Skylake-X, Zen 4, and later).
 */
#include "core/nn_kernel.h"

#ifdef NN_KERNELS_X86
#define NN_SIMD_AVX512
#include "core/nn_kernel.inc"
#endif
