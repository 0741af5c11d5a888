/*
 * nn_member.h
 *		Who speaks in a joint model: bits of the spec as a list.
 *
 * Member 0 is the network (or the mean of several), the others are simple methods
 * in the order of nn_classic.h.
 */
#ifndef NN_MEMBER_H
#define NN_MEMBER_H

#include "core/nn_classic.h"
#include "core/nn_spec.h"

/* Bit in NnSpec.members of a simple method. */
#define NN_MEMBER(kind) (NN_MEMBER_NETWORK << (1 + (kind)))

/* Number of members of a spec, the network included, and the kind of the k-th (k >= 1). */
extern uint32_t nn_member_count(const NnSpec *spec);
extern int	nn_member_kind(const NnSpec *spec, uint32_t k);

/* "network", "theta", ... */
extern const char *nn_member_name(const NnSpec *spec, uint32_t k);

#endif							/* NN_MEMBER_H */
