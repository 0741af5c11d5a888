/*
 * nn_kernel.c
 *		Which kernels run here, and the processor's treatment of denormals.
 *
 * The choice is made at run time from what the processor and the operating system
 * offer; the build needs no flags for it.
 */
#include <string.h>

#include "core/nn_kernel.h"

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

#ifdef NN_KERNELS_X86

/* __builtin_cpu_supports also asks whether the system saves the registers. */
static bool
avx2_usable(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool
avx512_usable(void)
{
	return avx2_usable() && __builtin_cpu_supports("avx512f") &&
		__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

#endif

const NnKernels *
nn_kernels_get(const char *name)
{
	bool		any = (name == NULL || strcmp(name, "auto") == 0);

#ifdef NN_KERNELS_X86
	if ((any || strcmp(name, "avx512") == 0) && avx512_usable())
		return &nn_kernels_avx512;
	if ((any || strcmp(name, "avx2") == 0) && avx2_usable())
		return &nn_kernels_avx2;
#endif
	if (any || strcmp(name, "generic") == 0)
		return &nn_kernels_generic;
	return NULL;
}

/* x86: flush to zero (bit 15) and denormals are zero (bit 6).  AArch64: FZ. */
#define MXCSR_FLUSH 0x8040u
#define FPCR_FLUSH (1u << 24)

uint32_t
nn_denormals_flush(void)
{
#if defined(__SSE2__)
	uint32_t	control = _mm_getcsr();

	_mm_setcsr(control | MXCSR_FLUSH);
	return control;
#elif defined(__aarch64__)
	uint64_t	control;

	__asm__ volatile ("mrs %0, fpcr" : "=r"(control));
	__asm__ volatile ("msr fpcr, %0" : : "r"(control | FPCR_FLUSH));
	return (uint32_t) control;
#else
	return 0;
#endif
}

/*
 * Puts back the flush bits only: exception flags raised in between stay, as they
 * would without us.
 */
void
nn_denormals_restore(uint32_t control)
{
#if defined(__SSE2__)
	_mm_setcsr((_mm_getcsr() & ~MXCSR_FLUSH) | (control & MXCSR_FLUSH));
#elif defined(__aarch64__)
	uint64_t	now;

	__asm__ volatile ("mrs %0, fpcr" : "=r"(now));
	now = (now & ~(uint64_t) FPCR_FLUSH) | (control & FPCR_FLUSH);
	__asm__ volatile ("msr fpcr, %0" : : "r"(now));
#else
	(void) control;
#endif
}
