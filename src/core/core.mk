# core.mk
#		How the core is compiled, whoever asks: the extension, the unit tests, the
#		fuzzers and the benchmarks include this file.
#
# CORE_DIR is the folder src/core as seen from the build.  The include path has
# src/ and nothing of the server, so that a server header in the core is a
# compiler error and not a matter of taste.

CORE_SRCS = $(sort $(wildcard $(CORE_DIR)/*.c))

CORE_WARNINGS = -Wall -Wextra -Wmissing-prototypes -Wpointer-arith -Wvla -Wformat-security \
	-Wstrict-prototypes
CORE_STANDARD = -std=gnu11 -ffp-contract=off -fno-math-errno -fvisibility=hidden

# Flags of single files: CFLAGS_<file without .c>.  The kernels are loops that
# the vectoriser must see through; gcc does that fully from -O3 only.
CFLAGS_nn_kernel_generic = -O3
CFLAGS_nn_kernel_avx2 = -O3
CFLAGS_nn_kernel_avx512 = -O3
CFLAGS_nn_optim = -O3
