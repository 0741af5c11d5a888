/*
 * nn_tile.c
 *		Cutting a batch into tiles of lanes.
 */
#include "core/nn_tile.h"

static uint32_t
groups_of(uint32_t n)
{
	return (n + NN_LANES - 1) / NN_LANES;
}

uint32_t
nn_tile_count(uint32_t n)
{
	uint32_t	most = NN_TILE_LANES / NN_LANES,
				groups = groups_of(n),
				tiles = (groups + most - 1) / most;

	/* Two, where that is possible, so that two can share the work. */
	return tiles == 1 && groups > 1 ? 2 : tiles;
}

NnTile
nn_tile_get(uint32_t n, uint32_t i)
{
	uint32_t	tiles = nn_tile_count(n),
				groups = groups_of(n),
				share = groups / tiles,
				extra = groups % tiles; /* the first tiles get one group more */
	uint32_t	first = i * share + (i < extra ? i : extra);
	NnTile		tile;

	tile.L = (share + (i < extra)) * NN_LANES;
	tile.first = first * NN_LANES;
	tile.count = n - tile.first < tile.L ? n - tile.first : tile.L;
	return tile;
}

uint32_t
nn_tile_lanes(uint32_t n)
{
	uint32_t	L = groups_of(n) * NN_LANES;

	/* The widest tiles come from 65 windows on; 33 to 64 make two tiles of 32 at most. */
	if (n > 4 * NN_LANES)
		return NN_TILE_LANES;
	return n > 0 ? nn_tile_get(n, 0).L : L;
}
