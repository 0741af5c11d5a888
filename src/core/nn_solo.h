/*
 * nn_solo.h
 *		The network for one window: units in the vectors instead of windows.
 *
 * A tile of lanes computes 16 windows at least.  For one it would waste the
 * others; here each product is a matrix times a vector, whose rows fill the
 * vectors.  Sums run in the order of the lanes, so the results have the same
 * bits; only the time differs.  Knows the operations that usual networks are
 * made of; where it lacks one, nn_solo_supports says no and lanes do it.
 *
 * An activation is [T][C], rows nn_solo_width apart.  Weights are held a second
 * time, in the order that the products read them.
 */
#ifndef NN_SOLO_H
#define NN_SOLO_H

#include "core/nn_plan.h"

typedef struct NnSolo NnSolo;

/*
 * Can a solo run this network?  Of one site, lstm and gru with sigmoid gates and
 * tanh and without peepholes.
 */
extern bool nn_solo_supports(const NnPlan *plan);

/* Bytes of a solo, and of one that continues it (next may be NULL), for a limit. */
extern size_t nn_solo_memory(const NnEnv *env, const NnPlan *plan, const NnPlan *next);

/* Takes the memory and lays out the weights; params [nparams] must not change then. */
extern NnSolo *nn_solo_create(const NnEnv *env, const NnPlan *plan, const NnKernels *kernels,
							  const nn_real *params);

/* As nn_state_continue: goes on where the forward of solo ended. */
extern NnSolo *nn_solo_continue(NnSolo *solo, const NnPlan *next);

/* Runs all layers on the window in the outputs of the input layers.  Polls at every step. */
extern void nn_solo_forward(NnSolo *solo);

/* Output of layer i: [T][C], rows nn_solo_width apart. */
extern nn_real *nn_solo_output(const NnSolo *solo, uint32_t i);

/* Reals from row to row: C for the input layers, else padded to a multiple of NN_LANES. */
extern size_t nn_solo_width(const NnPlan *plan, uint32_t i);

#endif							/* NN_SOLO_H */
