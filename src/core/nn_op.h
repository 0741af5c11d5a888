/*
 * nn_op.h
 *		The table of operations: what a layer of a given type does.
 *
 * Each operation is one row.  To add one: one file, one row in nn_ops.c, one
 * golden value; the gradient check runs over the examples of every row.
 *
 * forward reads the outputs of its inputs and writes its own; what backward
 * wants, it leaves in saved.  backward reads the gradient of its output, ADDS to
 * the gradients of its inputs (NULL from nn_op_input_gradient: not wanted) and
 * to dparams.
 */
#ifndef NN_OP_H
#define NN_OP_H

#include "core/nn_state.h"

typedef struct NnOp
{
	const char *name;			/* the layer's "type" */
	const char *attributes;		/* keys it takes besides type, name, inputs; space-separated */
	const char *examples;		/* JSON array of layers that the gradient check tries */
	/* Sets out, tensors, packs and spans; in and inputs are set. Fails when they do not fit. */
	void		(*plan) (NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec);
	void		(*forward) (NnState *state, const NnLayer *layer);
	void		(*backward) (NnState *state, const NnLayer *layer);
} NnOp;

extern const NnOp nn_ops[];
extern const uint32_t nn_nops;

/* Row of the op of that type, or -1. */
extern int nn_op_find(const char *name);

/* True when the op knows the attribute. */
extern bool nn_op_takes(const NnOp *op, const char *attribute);

/* Shorthands for operations. */
extern const nn_real *nn_op_input(const NnState *state, const NnLayer *layer, uint32_t i);
extern nn_real *nn_op_input_gradient(const NnState *state, const NnLayer *layer, uint32_t i);
extern const nn_real *nn_op_param(const NnState *state, const NnLayer *layer, uint32_t i);
extern nn_real *nn_op_dparam(const NnState *state, const NnLayer *layer, uint32_t i);
extern const nn_real *nn_op_pack(const NnState *state, const NnLayer *layer, uint32_t i);

/* Units of an attention layer (those of its input unless given), which its heads must share evenly. */
extern uint32_t nn_op_head_units(const NnPlanner *planner, const NnLayer *layer,
								 const NnLayerSpec *spec);

/*
 * nn_kernel.h's outer, cut into calls of a few milliseconds with a poll before
 * each.  The cut depends on the sizes only, so sums keep their order.
 */
extern void nn_op_outer(NnState *state, nn_real *dw, size_t ldw,
						const nn_real *dz, ptrdiff_t dz_stride,
						const nn_real *x, ptrdiff_t x_stride,
						uint32_t T, uint32_t M, uint32_t K);

/*
 * x[n] = 0, y[n] = x[n] and y[n] += x[n], with a poll before each million reals: for slabs
 * that may be those of a whole grid.
 */
extern void nn_op_clear(const NnState *state, nn_real *x, size_t n);
extern void nn_op_copy(const NnState *state, nn_real *y, const nn_real *x, size_t n);
extern void nn_op_add(const NnState *state, nn_real *y, const nn_real *x, size_t n);

/* Row of the window that raw output i of a residual layer is shifted by. */
extern uint32_t nn_residual_step(const NnPlan *plan, const NnLayer *layer, uint32_t i);

/* The operations' own functions, by file. */
extern void nn_input_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec);
extern void nn_input_forward(NnState *state, const NnLayer *layer);
extern void nn_input_backward(NnState *state, const NnLayer *layer);

#define NN_DECLARE_OP(op) \
	extern void nn_##op##_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec); \
	extern void nn_##op##_forward(NnState *state, const NnLayer *layer); \
	extern void nn_##op##_backward(NnState *state, const NnLayer *layer)

NN_DECLARE_OP(rnn);				/* nn_recurrent.c */
NN_DECLARE_OP(gru);
NN_DECLARE_OP(lstm);
NN_DECLARE_OP(dense);			/* nn_dense.c */
NN_DECLARE_OP(activation);		/* nn_pointwise.c */
NN_DECLARE_OP(dropout);
NN_DECLARE_OP(add);
NN_DECLARE_OP(last);			/* nn_shape.c */
NN_DECLARE_OP(flatten);
NN_DECLARE_OP(concat);
NN_DECLARE_OP(residual);
NN_DECLARE_OP(statistics);		/* nn_normalize.c */
NN_DECLARE_OP(normalize);
NN_DECLARE_OP(denormalize);
NN_DECLARE_OP(sites);			/* nn_segment.c */
NN_DECLARE_OP(segment);
NN_DECLARE_OP(join);
NN_DECLARE_OP(repeat);
NN_DECLARE_OP(decoder);			/* nn_decoder.c */
NN_DECLARE_OP(embedding);		/* nn_embedding.c */
NN_DECLARE_OP(attention);		/* nn_attention.c */
NN_DECLARE_OP(graph);			/* nn_graph_map.c */
NN_DECLARE_OP(graph_rnn);
NN_DECLARE_OP(graph_gru);
NN_DECLARE_OP(graph_lstm);
NN_DECLARE_OP(graph_attention); /* nn_graph_attention.c */
NN_DECLARE_OP(conv2d);			/* nn_conv.c */
NN_DECLARE_OP(conv_rnn);
NN_DECLARE_OP(conv_gru);
NN_DECLARE_OP(conv_lstm);
NN_DECLARE_OP(max_pool);		/* nn_pool.c */
NN_DECLARE_OP(mean_pool);
NN_DECLARE_OP(global_pool);
NN_DECLARE_OP(flatten_grid);
NN_DECLARE_OP(lags);				/* nn_fuse.c */
NN_DECLARE_OP(fuse);
NN_DECLARE_OP(recall);			/* nn_recall.c */
NN_DECLARE_OP(smoothing);		/* nn_hybrid.c */
NN_DECLARE_OP(remainder);
NN_DECLARE_OP(recompose);

/*
 * What the newest forward's attention looked at: [Tq][S][heads][Tk][L], at each step of
 * the query, site, head and lane a share for every state, that add up to 1.  Tq is
 * layer->in.T, Tk the steps of the layer's last input.  In states of training and
 * of forecasting alike; NULL when the layer is no attention.
 */
extern const nn_real *nn_attention_weights(const NnState *state, const NnLayer *layer);

/*
 * What the sites looked at in the newest forward: [T][heads][E + S][L], shares that add
 * up to 1 for every site.  Site t whose edges begin with number e (the graph's edges
 * ascend by target) has its rows from e + t on: first itself, then its sources.  NULL
 * when the layer is no graph_attention.
 */
extern const nn_real *nn_graph_attention_weights(const NnState *state, const NnLayer *layer);

/*
 * Shares of the inputs of a gated fusion in the newest forward: [T][S][k][L], at each step
 * and site one for each of the k inputs, that add up to 1; 0 of an input that takes no
 * part in the lane.  In states of training and of forecasting alike; NULL when the layer
 * is no such fusion.
 */
extern const nn_real *nn_fuse_shares(const NnState *state, const NnLayer *layer);

/*
 * Learned weights [k] of the inputs of a weighted fusion, a, 1 - a, w_3, ..., as they count
 * where array columns (bits missing) are unknown; weight may be NULL.  False when the layer
 * is no such fusion.
 */
extern bool nn_fuse_weights(const NnPlan *plan, const NnLayer *layer, const nn_real *params,
							uint32_t missing, double *weight);

#endif							/* NN_OP_H */
