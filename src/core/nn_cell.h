/*
 * nn_cell.h
 *		The pointwise part of recurrent layers: from products to state.
 *
 * A cell sees one step of one site: rows of channels over lanes.  It does not
 * know where its products came from (nn_recurrent.c does), nor what a row is.
 */
#ifndef NN_CELL_H
#define NN_CELL_H

#include "core/nn_state.h"

/* Everything one step of one site touches. */
typedef struct NnStep
{
	const NnKernels *kernels;
	const NnLayer *layer;
	uint32_t	H, L;
	size_t		n;				/* H * L */
	const nn_real *weight_ci, *weight_cf, *weight_co;	/* [H] peephole, or NULL */
	nn_real    *dweight_ci, *dweight_cf, *dweight_co;
	nn_real    *z;				/* [G*H][L] products in, activations out; backward: dz out */
	nn_real    *zh;				/* [G*H][L] products with the state, where kept apart (gru) */
	nn_real    *pre;			/* [G*H][L] pre-activations, where backward wants them */
	nn_real    *c, *ac;			/* [H][L] cell state and its activation (lstm); ac is NULL when
								 * no backward follows: then z need not become the activations */
	nn_real    *h;				/* [H][L] output */
	const nn_real *h_prev, *c_prev;	/* [H][L] of the step before; NULL at the first */
	nn_real    *dh;				/* [H][L] in: gradient of h; out: what goes straight to h_prev */
	nn_real    *dc;				/* [H][L] in: of c from later steps; out: for the step before */
	nn_real    *tmp;			/* [(G+1)*H][L] scratch of backward */
} NnStep;

typedef struct NnCell
{
	uint32_t	gates;			/* G: blocks of H rows in z */
	bool		apart;			/* the state's product and bias are kept apart (gru) */
	bool		has_c;			/* keeps c and ac */
	bool		direct;			/* backward leaves a part of dh for h_prev in dh */
	void		(*forward) (const NnStep *step);
	void		(*backward) (const NnStep *step);
} NnCell;

extern const NnCell nn_rnn_cell, nn_gru_cell, nn_lstm_cell;

/* Must forward keep pre-activations for this layer?  (gelu and softplus want it.) */
extern bool nn_cell_keeps_pre(const NnCell *cell, const NnLayer *layer);

/* Do lstm and gru run this layer's gates in one fused kernel?  (sigmoid, tanh, no peephole) */
extern bool nn_cell_is_fused(const NnLayer *layer);

#endif							/* NN_CELL_H */
