/*
 * nn_tile.h
 *		Cutting a batch into tiles of lanes.
 *
 * The cut depends on the number of windows only, never on who computes, so that
 * sums over tiles have one order.  A tile has at most NN_TILE_LANES lanes, which
 * keeps the activations of usual networks in cache; 72 windows become 48 + 32
 * lanes (the last 8 padded), 64 become 32 + 32.
 */
#ifndef NN_TILE_H
#define NN_TILE_H

#include <stdint.h>

#include "core/nn_real.h"

#define NN_TILE_LANES 48

typedef struct NnTile
{
	uint32_t	first, count;	/* windows */
	uint32_t	L;				/* lanes, a multiple of NN_LANES, at least count */
} NnTile;

/* Number of tiles of a batch of n windows (n > 0). */
extern uint32_t nn_tile_count(uint32_t n);

/* Tile number i of them. */
extern NnTile nn_tile_get(uint32_t n, uint32_t i);

/* Lanes of the widest tile of batches of up to n windows. */
extern uint32_t nn_tile_lanes(uint32_t n);

#endif							/* NN_TILE_H */
