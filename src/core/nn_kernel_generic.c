/*
 * nn_kernel_generic.c
 *		The kernels for the instruction set the build itself asks for.
 *
 * 16-byte vectors: SSE2 on x86-64, NEON on AArch64, whatever the compiler makes
 * of them elsewhere.  The only kernels of the double build.
 */
#include "core/nn_kernel.inc"
