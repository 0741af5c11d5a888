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
	uint32_t	most = NN_TILE_LANES / NN_LANES;

	return (groups_of(n) + most - 1) / most;
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

	return L < NN_TILE_LANES ? L : NN_TILE_LANES;
}
