/*
 * nn_member.c
 *		Who speaks in a joint model: bits of the spec as a list.
 */
#include "core/nn_member.h"

uint32_t
nn_member_count(const NnSpec *spec)
{
	uint32_t	n = 1;

	for (uint32_t bits = spec->members >> 1; bits; bits >>= 1)
		n += bits & 1;
	return n;
}

int
nn_member_kind(const NnSpec *spec, uint32_t k)
{
	for (int kind = 0; kind < NN_CLASSIC_KINDS; kind++)
		if (spec->members & NN_MEMBER(kind) && --k == 0)
			return kind;
	return -1;
}

const char *
nn_member_name(const NnSpec *spec, uint32_t k)
{
	return k == 0 ? "network" : nn_classic_name((NnClassicKind) nn_member_kind(spec, k));
}
