/*
 * nn_cell.c
 *		Recurrent cells: rnn, gru, lstm, lstm with peepholes.
 *
 * Gate order is PyTorch's: i, f, g, o (lstm) and r, z, n (gru).  The common
 * pair of activations (sigmoid gates, tanh) runs in one fused kernel; any other
 * goes through the activation kernels, a few passes over 10 * H rows.
 * Peepholes (Gers, Schraudolph and Schmidhuber 2002) are diagonal: i and f see
 * c(t-1), o sees c(t).  Nothing here allocates.
 */
#include <string.h>

#include "core/nn_cell.h"

/* The derivatives of these two are taken from x, the others' from y. */
static bool
needs_pre(NnActivation kind)
{
	return kind == NN_GELU || kind == NN_SOFTPLUS;
}

bool
nn_cell_keeps_pre(const NnCell *cell, const NnLayer *layer)
{
	return needs_pre(layer->activation) ||
		(cell->gates > 1 && needs_pre(layer->recurrent_activation));
}

bool
nn_cell_is_fused(const NnLayer *layer)
{
	return layer->activation == NN_TANH && layer->recurrent_activation == NN_SIGMOID &&
		!layer->peephole;
}

/* y[H][L] += w[H] x[H][L], row by row. */
static void
rows_scale_add(const NnStep *s, nn_real *y, const nn_real *w, const nn_real *x)
{
	for (uint32_t j = 0; j < s->H; j++)
		s->kernels->axpy(y + (size_t) j * s->L, w[j], x + (size_t) j * s->L, s->L);
}

/* dw[H] += sum over lanes of dz[H][L] x[H][L]. */
static void
rows_dot_add(const NnStep *s, nn_real *dw, const nn_real *dz, const nn_real *x)
{
	for (uint32_t j = 0; j < s->H; j++)
	{
		double		sum = 0;

		for (uint32_t l = 0; l < s->L; l++)
			sum += (double) dz[(size_t) j * s->L + l] * (double) x[(size_t) j * s->L + l];
		dw[j] += (nn_real) sum;
	}
}

/* Activates block of z, keeping the pre-activation where backward needs it. */
static void
gate_activate(const NnStep *s, NnActivation kind, uint32_t block)
{
	nn_real    *z = s->z + block * s->n;

	if (s->pre != NULL)
		memcpy(s->pre + block * s->n, z, s->n * sizeof(nn_real));
	s->kernels->activate(kind, z, z, s->n);
}

/* dz = dy * act'(block), into place; dy [H][L]. */
static void
gate_backward(const NnStep *s, NnActivation kind, uint32_t block, nn_real *dz, const nn_real *dy)
{
	const nn_real *y = s->z + block * s->n;

	s->kernels->activate_grad(kind, dz, dy, s->pre ? s->pre + block * s->n : y, y, s->n, false);
}

/* ------------------------------------------------------------------------
 * rnn: h = act(z)
 */

static void
rnn_forward(const NnStep *s)
{
	gate_activate(s, s->layer->activation, 0);
	memcpy(s->h, s->z, s->n * sizeof(nn_real));
}

static void
rnn_backward(const NnStep *s)
{
	gate_backward(s, s->layer->activation, 0, s->tmp, s->dh);	/* h = act(z) */
	memcpy(s->z, s->tmp, s->n * sizeof(nn_real));
}

/* ------------------------------------------------------------------------
 * gru, linear before reset: n = act(zx_n + r * zh_n), h = (1 - z) * n + z * h_prev
 */

static void
gru_general_forward(const NnStep *s)
{
	const NnLayer *layer = s->layer;
	const nn_real *z = s->z + s->n,
			   *n = s->z + 2 * s->n;

	s->kernels->axpy(s->z, 1, s->zh, 2 * s->n);
	gate_activate(s, layer->recurrent_activation, 0);
	gate_activate(s, layer->recurrent_activation, 1);
	s->kernels->muladd(s->z + 2 * s->n, s->z, s->zh + 2 * s->n, s->n);
	gate_activate(s, layer->activation, 2);
	for (size_t i = 0; i < s->n; i++)
		s->h[i] = (1 - z[i]) * n[i] + (s->h_prev ? z[i] * s->h_prev[i] : 0);
}

static void
gru_general_backward(const NnStep *s)
{
	const NnLayer *layer = s->layer;
	const nn_real *r = s->z,
			   *z = s->z + s->n,
			   *n = s->z + 2 * s->n;
	nn_real    *dz = s->tmp,	/* [3H][L] */
			   *dy = s->tmp + 3 * s->n;

	for (size_t i = 0; i < s->n; i++)
		dy[i] = s->dh[i] * (1 - z[i]);	/* h = (1 - z) * n + z * h_prev */
	gate_backward(s, layer->activation, 2, dz + 2 * s->n, dy);
	s->kernels->mul(dy, dz + 2 * s->n, s->zh + 2 * s->n, s->n);	/* n = act(zx_n + r * zh_n) */
	gate_backward(s, layer->recurrent_activation, 0, dz, dy);
	for (size_t i = 0; i < s->n; i++)
		dy[i] = s->dh[i] * ((s->h_prev ? s->h_prev[i] : 0) - n[i]); /* h = n + z * (h_prev - n) */
	gate_backward(s, layer->recurrent_activation, 1, dz + s->n, dy);
	s->kernels->mul(s->dh, s->dh, z, s->n);	/* h = ... + z * h_prev */
	s->kernels->mul(s->zh + 2 * s->n, dz + 2 * s->n, r, s->n);	/* zx_n + r * zh_n */
	memcpy(s->zh, dz, 2 * s->n * sizeof(nn_real));	/* zx_r + zh_r, zx_z + zh_z */
	memcpy(s->z, dz, 3 * s->n * sizeof(nn_real));
}

static void
gru_forward(const NnStep *s)
{
	if (nn_cell_is_fused(s->layer))
		s->kernels->gru_forward(s->z, s->zh, s->h_prev, s->h, s->H, s->L);
	else
		gru_general_forward(s);
}

static void
gru_backward(const NnStep *s)
{
	if (nn_cell_is_fused(s->layer))
		s->kernels->gru_backward(s->z, s->zh, s->dh, s->z, s->zh, s->h_prev, s->H, s->L);
	else
		gru_general_backward(s);
}

/* ------------------------------------------------------------------------
 * lstm: c = f * c_prev + i * g, h = o * act(c)
 */

static void
lstm_general_forward(const NnStep *s)
{
	const NnLayer *layer = s->layer;
	nn_real    *zi = s->z,
			   *zf = s->z + s->n,
			   *zg = s->z + 2 * s->n,
			   *zo = s->z + 3 * s->n,
			   *ac = s->ac ? s->ac : s->h;

	if (s->weight_ci && s->c_prev)
	{
		rows_scale_add(s, zi, s->weight_ci, s->c_prev);
		rows_scale_add(s, zf, s->weight_cf, s->c_prev);
	}
	gate_activate(s, layer->recurrent_activation, 0);
	gate_activate(s, layer->recurrent_activation, 1);
	gate_activate(s, layer->activation, 2);
	s->kernels->mul(s->c, zi, zg, s->n);
	if (s->c_prev)
		s->kernels->muladd(s->c, zf, s->c_prev, s->n);
	if (s->weight_co)
		rows_scale_add(s, zo, s->weight_co, s->c);
	gate_activate(s, layer->recurrent_activation, 3);
	s->kernels->activate(layer->activation, ac, s->c, s->n);
	s->kernels->mul(s->h, zo, ac, s->n);
}

static void
lstm_general_backward(const NnStep *s)
{
	const NnLayer *layer = s->layer;
	const nn_real *i = s->z,
			   *f = s->z + s->n,
			   *g = s->z + 2 * s->n,
			   *o = s->z + 3 * s->n;
	nn_real    *dz = s->tmp,	/* [4H][L] */
			   *dy = s->tmp + 4 * s->n;

	s->kernels->mul(dy, s->dh, s->ac, s->n);	/* h = o * act(c) */
	gate_backward(s, layer->recurrent_activation, 3, dz + 3 * s->n, dy);
	s->kernels->mul(dy, s->dh, o, s->n);		/* h = o * act(c) */
	s->kernels->activate_grad(layer->activation, s->dc, dy, s->c, s->ac, s->n, true);
	if (s->weight_co)
	{
		rows_scale_add(s, s->dc, s->weight_co, dz + 3 * s->n);	/* zo += weight_co * c */
		rows_dot_add(s, s->dweight_co, dz + 3 * s->n, s->c);
	}
	s->kernels->mul(dy, s->dc, g, s->n);		/* c = f * c_prev + i * g */
	gate_backward(s, layer->recurrent_activation, 0, dz, dy);
	s->kernels->mul(dy, s->dc, i, s->n);
	gate_backward(s, layer->activation, 2, dz + 2 * s->n, dy);
	memset(dz + s->n, 0, s->n * sizeof(nn_real));
	if (s->c_prev)
	{
		s->kernels->mul(dy, s->dc, s->c_prev, s->n);
		gate_backward(s, layer->recurrent_activation, 1, dz + s->n, dy);
	}
	s->kernels->mul(s->dc, s->dc, f, s->n);		/* c = f * c_prev + ... */
	if (s->weight_ci && s->c_prev)
	{
		rows_scale_add(s, s->dc, s->weight_ci, dz);	/* zi += weight_ci * c_prev */
		rows_scale_add(s, s->dc, s->weight_cf, dz + s->n);	/* zf += weight_cf * c_prev */
		rows_dot_add(s, s->dweight_ci, dz, s->c_prev);
		rows_dot_add(s, s->dweight_cf, dz + s->n, s->c_prev);
	}
	memcpy(s->z, dz, 4 * s->n * sizeof(nn_real));
}

static void
lstm_forward(const NnStep *s)
{
	if (nn_cell_is_fused(s->layer) && s->ac == NULL)
		s->kernels->lstm_step(s->z, s->c_prev, s->c, s->h, s->H, s->L);
	else if (nn_cell_is_fused(s->layer))
		s->kernels->lstm_forward(s->z, s->c_prev, s->c, s->ac, s->h, s->H, s->L);
	else
		lstm_general_forward(s);
}

static void
lstm_backward(const NnStep *s)
{
	if (nn_cell_is_fused(s->layer))
		s->kernels->lstm_backward(s->z, s->dc, s->dh, s->z, s->c_prev, s->ac, s->H, s->L);
	else
		lstm_general_backward(s);
}

const NnCell nn_rnn_cell = {1, false, false, false, rnn_forward, rnn_backward};
const NnCell nn_gru_cell = {3, true, false, true, gru_forward, gru_backward};
const NnCell nn_lstm_cell = {4, false, true, false, lstm_forward, lstm_backward};
