/*
 * nn_kernel.h
 *		The loops that take the time, once per instruction set.
 *
 * A kernel sees dense arrays of lanes and nothing else: no layer, no plan.  All
 * arrays are aligned to 64 bytes, L (lanes) is a multiple of NN_LANES and at
 * most NN_MAX_LANES.  The same source (nn_kernel.inc) is compiled for the
 * baseline CPU, for AVX2+FMA and for AVX-512; nn_kernels_get picks at run time.
 * Nothing here allocates, fails or polls: a call lasts well below 10 ms.
 *
 * Every sum runs in an order that depends on shapes only, with fused
 * multiply-add: matmul k = 0, 1, 2, ... in every lane, outer and lane_sum over
 * steps and lanes in a fixed order.  So AVX2 and AVX-512 give the same bits in
 * every kernel.  "generic" has no fused multiply-add on x86 and differs in the
 * last places.
 */
#ifndef NN_KERNEL_H
#define NN_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/nn_real.h"

typedef enum NnActivation
{
	NN_LINEAR,
	NN_TANH,
	NN_SIGMOID,
	NN_RELU,
	NN_SOFTPLUS,
	NN_GELU						/* exact: x * Phi(x), as PyTorch's default */
} NnActivation;

#define NN_NACTIVATIONS 6

/* One product of matmul_taps: W [M][K] packed, and x [K][L] of each site. */
typedef struct NnTap
{
	const nn_real *w;
	const nn_real *x;			/* of the first site; the next one's lies stride reals on */
	size_t		stride;
	uint32_t	K;
} NnTap;

typedef struct NnKernels
{
	const char *name;			/* "generic", "avx2", "avx512" */

	/* Reals that a packed W [M][K] takes (rows padded to the kernel's block). */
	size_t		(*packed_size) (uint32_t M, uint32_t K);

	/*
	 * Packs W [M][K], element (m, k) at w[m * rs + k * cs], for matmul.  With
	 * rs = K, cs = 1 it packs W; with rs = 1, cs = ld its transpose.
	 */
	void		(*pack) (nn_real *packed, const nn_real *w, size_t rs, size_t cs,
						 uint32_t M, uint32_t K);

	/*
	 * out[M][L] = start + sum_k W[M][k] x[k][L], where start is out itself when
	 * accumulate, else bias[M] (NULL: 0).  out must not overlap x.
	 */
	void		(*matmul) (nn_real *out, const nn_real *packed, const nn_real *bias,
						   const nn_real *x, uint32_t M, uint32_t K, uint32_t L,
						   bool accumulate);

	/*
	 * out[M][L] = bias[M] + sum_k A[M][k] a[k][L] + sum_k B[M][k] b[k][L]: the bits
	 * of one matmul and a second one that accumulates, in one pass over out.
	 */
	void		(*matmul_pair) (nn_real *out, const nn_real *bias,
								const nn_real *packed_a, const nn_real *a, uint32_t Ka,
								const nn_real *packed_b, const nn_real *b, uint32_t Kb,
								uint32_t M, uint32_t L);

	/*
	 * For n sites, whose out [M][L] lie stride reals apart: out = start + sum over taps
	 * of tap.w tap.x, start as in matmul: the bits of one matmul after the other, in one
	 * pass over out.  Sites share the weights that are loaded.
	 */
	void		(*matmul_taps) (nn_real *out, size_t stride, uint32_t n, const nn_real *bias,
								const NnTap *tap, uint32_t ntaps, uint32_t M, uint32_t L,
								bool accumulate);

	/*
	 * matmul for one lane, with rows in the vectors: out[M] = start + sum_k W[M][k]
	 * x[k].  Everything of M rows (out, bias, packed) is padded to a multiple of
	 * NN_LANES; packed rows beyond M are zero.  Sums in the order of matmul: the
	 * bits are those of a lane.  vector_pack takes W [M][K] as it lies.
	 */
	void		(*vector_pack) (nn_real *packed, const nn_real *w, uint32_t M, uint32_t K);
	void		(*matvec) (nn_real *out, const nn_real *packed, const nn_real *bias,
						   const nn_real *x, uint32_t M, uint32_t K, bool accumulate);

	/*
	 * Weight gradient over T steps:
	 * dw[M][K] += sum_t sum_l dz[t][M][l] x[t][K][l], where step t of dz starts at
	 * dz + t * dz_stride, of x at x + t * x_stride (reals; strides may be negative).
	 * Row m of dw starts at dw + m * ldw.  Costs 2 * T * M * K * L flops at about the
	 * speed of matmul, T = 1 included: the caller cuts T where that exceeds 10 ms.
	 */
	void		(*outer) (nn_real *dw, size_t ldw,
						  const nn_real *dz, ptrdiff_t dz_stride,
						  const nn_real *x, ptrdiff_t x_stride,
						  uint32_t T, uint32_t M, uint32_t K, uint32_t L);

	/* Bias gradient: db[M] += sum_t sum_l dz[t][M][l]. */
	void		(*lane_sum) (nn_real *db, const nn_real *dz, ptrdiff_t dz_stride,
							 uint32_t T, uint32_t M, uint32_t L);

	/*
	 * For attention, where every lane has weights of its own; d = 0, 1, 2, ... in
	 * every lane.
	 *   lane_dot:  out[L] = sum_d x[D][L] * w[D][L]
	 *   lane_axpy: y[D][L] += a[L] * x[D][L]
	 */
	void		(*lane_dot) (nn_real *out, const nn_real *x, const nn_real *w, uint32_t D,
							 uint32_t L);
	void		(*lane_axpy) (nn_real *y, const nn_real *a, const nn_real *x, uint32_t D,
							  uint32_t L);

	/*
	 * Over T rows, T > 0, in place: y[T][L] = softmax(scale * y), scale > 0, and its
	 * answer dy[T][L] = scale * y * (dy - sum_t y dy), given y = softmax(scale * x).
	 */
	void		(*lane_softmax) (nn_real *y, nn_real scale, uint32_t T, uint32_t L);
	void		(*lane_softmax_grad) (nn_real *dy, const nn_real *y, nn_real scale, uint32_t T,
									  uint32_t L);

	/* y[n] = act(x[n]); n is a multiple of NN_LANES; y may be x. */
	void		(*activate) (NnActivation kind, nn_real *y, const nn_real *x, size_t n);

	/* dx[n] (+)= dy[n] * act'(x[n]), given y = act(x).  Adds when accumulate. */
	void		(*activate_grad) (NnActivation kind, nn_real *dx, const nn_real *dy,
								  const nn_real *x, const nn_real *y, size_t n,
								  bool accumulate);

	/*
	 * LSTM gates with sigmoid gates and tanh candidate (the common pair; other
	 * activations go through activate).  z[4H][L] holds the pre-activations of
	 * i, f, g, o and is overwritten with the activations.  c_prev[H][L] may be
	 * NULL (zeros).  Writes c, tanh_c and h, each [H][L].
	 *   c = f * c_prev + i * g;  h = o * tanh(c)
	 */
	void		(*lstm_forward) (nn_real *z, const nn_real *c_prev, nn_real *c,
								 nn_real *tanh_c, nn_real *h, uint32_t H, uint32_t L);

	/*
	 * The same where no backward follows: z [4H][L] stays, neither the activations
	 * nor tanh(c) are written, and three divisions do for five.  Differs from
	 * lstm_forward in the last places.  L may also be 1: then vectors reach beyond
	 * the last unit, so that c and h, padded to a multiple of NN_LANES, get
	 * numbers without meaning there, and z is padded likewise after its 4H.
	 */
	void		(*lstm_step) (const nn_real *z, const nn_real *c_prev, nn_real *c, nn_real *h,
							  uint32_t H, uint32_t L);

	/*
	 * The answer to lstm_forward.  gates[4H][L] are its activations.  dh[H][L] in;
	 * dc[H][L] in: gradient reaching c from the next step, out: for the previous
	 * step.  Writes dz[4H][L], gradients of the pre-activations.
	 */
	void		(*lstm_backward) (nn_real *dz, nn_real *dc, const nn_real *dh,
								  const nn_real *gates, const nn_real *c_prev,
								  const nn_real *tanh_c, uint32_t H, uint32_t L);

	/*
	 * GRU gates, linear before reset (PyTorch; Keras reset_after).  zx[3H][L] and
	 * zh[3H][L] are the products with the input and the state, biases included,
	 * gates r, z, n.  zx is overwritten with the activations r, z, n; zh's n part
	 * stays (backward needs it).  h_prev may be NULL (zeros).  L may be 1, as in
	 * lstm_step; then zx holds nothing of meaning afterwards.
	 *   n = tanh(zx_n + r * zh_n);  h = (1 - z) * n + z * h_prev
	 */
	void		(*gru_forward) (nn_real *zx, const nn_real *zh, const nn_real *h_prev,
								nn_real *h, uint32_t H, uint32_t L);

	/*
	 * The answer to gru_forward.  dh[H][L] in: gradient of h; out: its part that
	 * goes straight to h_prev (dh * z).  Writes dzx[3H][L] and dzh[3H][L].
	 */
	void		(*gru_backward) (nn_real *dzx, nn_real *dzh, nn_real *dh,
								 const nn_real *gates, const nn_real *zh,
								 const nn_real *h_prev, uint32_t H, uint32_t L);

	/* y[n] += a * x[n], y[n] += x[n] * w[n]; n a multiple of NN_LANES. */
	void		(*axpy) (nn_real *y, nn_real a, const nn_real *x, size_t n);
	void		(*muladd) (nn_real *y, const nn_real *x, const nn_real *w, size_t n);
	/* y[n] = x[n] * w[n] */
	void		(*mul) (nn_real *y, const nn_real *x, const nn_real *w, size_t n);
} NnKernels;

/*
 * The best kernels this CPU runs, or those named ("generic", "avx2",
 * "avx512"); NULL when the CPU or the build lacks the named ones.  name NULL or
 * "auto": the best.  In the double build only "generic" exists.
 */
extern const NnKernels *nn_kernels_get(const char *name);

/* The tables that nn_kernels_get chooses from; for nn_kernel*.c only. */
#if defined(__x86_64__) && !defined(NN_DOUBLE)
#define NN_KERNELS_X86
extern const NnKernels nn_kernels_avx2;
extern const NnKernels nn_kernels_avx512;
#endif
extern const NnKernels nn_kernels_generic;

/*
 * Flush denormals to zero while computing (they cost 20 times a normal number
 * in Adam's second moment).  Returns the old control word for nn_denormals_restore,
 * which the host must call also when a failure jumps out.
 */
extern uint32_t nn_denormals_flush(void);
extern void nn_denormals_restore(uint32_t control);

#endif							/* NN_KERNEL_H */
