/*
 * space_grid.c
 *		Rows and columns of series, from places or from columns of the source.
 *
 * Places are regular when their x are first + i * step for whole i, and their y
 * likewise, each within 1 % of the step.  Steps are found among the gaps between
 * sorted coordinates; cells may be missing.  Hexagons (flat side up, as
 * ST_HexagonGrid makes them) show as a checkerboard of steps whose sides are as those of
 * a hexagon.  Costs sorting; knows no series but by number.
 */
#include "postgres.h"

#include <math.h>

#include "common/int.h"
#include "miscadmin.h"
#include "pg/space.h"

/* A place may be off by that share of a step. */
#define TOLERANCE		0.01

/* Gaps below this share of the extent are rounding. */
#define ROUNDING		1e-9

/* Steps tried for one axis. */
#define MAX_TRIES		32

/* Twice the step of y over that of x in hexagons of side 1: sqrt(3) / 1.5. */
#define HEXAGON_SHAPE	1.1547005383792515

/* At least one cell in so many has a series. */
#define MAX_SPARSITY	10

#define ST_SORT doubles_sort
#define ST_ELEMENT_TYPE double
#define ST_COMPARE(a, b) (*(a) < *(b) ? -1 : *(a) > *(b))
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DECLARE
#define ST_DEFINE
#include "lib/sort_template.h"

/* ------------------------------------------------------------------------
 * Places
 */

/* Coordinates first + step * i, i from 0 to count - 1; step 0: there is one only. */
typedef struct Axis
{
	double		first,
				step;
	uint32		count;
} Axis;

static uint32
axis_index(const Axis *axis, double x)
{
	return axis->step > 0 ? (uint32) Max(0, round((x - axis->first) / axis->step)) : 0;
}

/* How far x is from its place, in steps. */
static double
axis_error(const Axis *axis, double x)
{
	return axis->step > 0 ? fabs((x - axis->first) / axis->step - axis_index(axis, x)) : 0;
}

/* A step near the given one to which all n sorted coordinates fit; false when none does. */
static bool
axis_try(const double *sorted, uint32 n, double step, Axis *axis)
{
	double		near = 0,
				sum = 0,
				mean_k = 0,
				mean_x = 0,
				up = 0,
				down = 0,
				k = 0;

	/* The mean of all gaps of about that length is nearer to the step than one of them. */
	for (uint32 i = 1; i < n; i++)
		if (fabs(sorted[i] - sorted[i - 1] - step) <= 0.1 * step)
		{
			sum += sorted[i] - sorted[i - 1];
			near += 1;
		}
	step = sum / near;
	if (!((sorted[n - 1] - sorted[0]) / step < NN_MAX_SITES))
		return false;
	/* Least squares over i = 0 .. n - 1: x = first + step k(i). */
	for (uint32 i = 0; i < n; i++)
	{
		mean_k += round((sorted[i] - sorted[0]) / step) / n;
		mean_x += (sorted[i] - sorted[0]) / n;
	}
	for (uint32 i = 0; i < n; i++)
	{
		k = round((sorted[i] - sorted[0]) / step);
		up += (k - mean_k) * (sorted[i] - sorted[0] - mean_x);
		down += (k - mean_k) * (k - mean_k);
	}
	axis->step = up / down;
	axis->first = sorted[0] + mean_x - axis->step * mean_k;
	axis->count = (uint32) k + 1;
	for (uint32 i = 0; i < n; i++)
		if (axis_error(axis, sorted[i]) > TOLERANCE + ROUNDING)
			return false;
	return true;
}

/* The phase that most coordinates have, for the step that is in the middle of the gaps. */
static Axis
axis_guess(const double *x, uint32 n, const double *gap, uint32 ngaps)
{
	const double turn = 6.283185307179586476925;
	uint32		from = 0;
	double		cosine = 0,
				sine = 0;
	Axis		axis;

	while (from + 1 < ngaps && gap[from] < 1e-3 * gap[ngaps - 1])
		from++;
	axis.step = gap[from + (ngaps - from) / 2];
	for (uint32 i = 0; i < n; i++)
	{
		cosine += cos(turn * fmod((x[i] - x[0]) / axis.step, 1));
		sine += sin(turn * fmod((x[i] - x[0]) / axis.step, 1));
	}
	axis.first = x[0] + atan2(sine, cosine) / turn * axis.step;
	axis.count = 0;
	return axis;
}

/* Sets *off to the place that is farthest from where the others would have it. */
static void
axis_blame(const Axis *axis, const double *x, uint32 n, uint32 *off, double *worst)
{
	for (uint32 i = 0; i < n; i++)
	{
		double		steps = (x[i] - axis->first) / axis->step,
					error = fabs(steps - round(steps));

		if (error > *worst)
		{
			*worst = error;
			*off = i;
		}
	}
}

static bool
axis_find(const NnEnv *env, const double *x, uint32 n, Axis *axis, uint32 *off, double *worst)
{
	double	   *sorted = NN_NEW_ARRAY(env, double, n),
			   *gap = NN_NEW_ARRAY(env, double, n),
				extent,
				tried = INFINITY;
	int			tries = 0;

	memcpy(sorted, x, sizeof(double) * n);
	doubles_sort(sorted, n);
	extent = sorted[n - 1] - sorted[0];
	*axis = (Axis) {sorted[0], 0, 1};
	if (extent <= ROUNDING * fabs(sorted[0]) * 1e-3)
		return true;
	for (uint32 i = 1; i < n; i++)
		gap[i - 1] = sorted[i] - sorted[i - 1];
	doubles_sort(gap, n - 1);
	/* The widest step that fits: the narrower ones that do are its parts. */
	for (uint32 i = n - 1; i-- > 0 && tries < MAX_TRIES && gap[i] > ROUNDING * extent;)
	{
		CHECK_FOR_INTERRUPTS();
		if (gap[i] > 0.95 * tried)
			continue;
		tried = gap[i];
		tries++;
		if (axis_try(sorted, n, tried, axis))
			return true;
	}
	*axis = axis_guess(x, n, gap, n - 1);
	axis_blame(axis, x, n, off, worst);
	return false;
}

/*
 * Is it a checkerboard whose steps are as those of hexagons?  Then rows of half steps become
 * rows of cells, odd columns half a cell lower.
 */
static bool
hexagons_find(SpaceGrid *grid, uint32 n, double shape)
{
	uint32		parity = (grid->row[0] + grid->col[0]) % 2,
				last = 0;

	if (grid->rows < 2 || grid->cols < 2 || fabs(shape / HEXAGON_SHAPE - 1) > 0.05)
		return false;
	for (uint32 i = 0; i < n; i++)
		if ((grid->row[i] + grid->col[i]) % 2 != parity)
			return false;
	for (uint32 i = 0; i < n; i++)
	{
		grid->row[i] = (grid->row[i] + parity) / 2;
		last = Max(last, grid->row[i]);
	}
	grid->rows = last + 1;
	return true;
}

SpaceGrid *
space_grid_of_places(const NnEnv *env, const SpacePlaces *places, uint32 n, uint32 *off)
{
	SpaceGrid  *grid = NN_NEW(env, SpaceGrid);
	double		worst = -1;
	Axis		x,
				y;
	bool		regular = axis_find(env, places->x, n, &x, off, &worst);

	if (!axis_find(env, places->y, n, &y, off, &worst) || !regular)
		return NULL;
	grid->rows = y.count;
	grid->cols = x.count;
	grid->row = NN_NEW_ARRAY(env, uint32, n);
	grid->col = NN_NEW_ARRAY(env, uint32, n);
	for (uint32 i = 0; i < n; i++)
	{
		grid->col[i] = axis_index(&x, places->x[i]);
		/* The first row is the northernmost. */
		grid->row[i] = y.count - 1 - axis_index(&y, places->y[i]);
	}
	grid->hexagonal = hexagons_find(grid, n, x.step > 0 ? 2 * y.step / x.step : 0);
	return grid;
}

/* ------------------------------------------------------------------------
 * Columns of the source
 */

/* Least and greatest number of column i of the cells. */
static void
cells_range(const SourceData *data, const SourceRoles *roles, int i, int64 *least, int64 *most)
{
	for (uint32 s = 0; s < data->series.nseries; s++)
	{
		const SourcePlace *place = &data->place[s];

		if (!place->known[i])
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("column \"%s\" of series \"%s\" is always null", roles->place[i],
							data->series.name[s]),
					 errhint("Every series of a grid has a row and a column; leave it out of the source.")));
		*least = s == 0 ? place->cell[i] : Min(*least, place->cell[i]);
		*most = s == 0 ? place->cell[i] : Max(*most, place->cell[i]);
	}
}

SpaceGrid *
space_grid_of_cells(const NnEnv *env, const NnSpec *spec, const SourceData *data,
					const SourceRoles *roles)
{
	SpaceGrid  *grid = NN_NEW(env, SpaceGrid);
	uint32		n = data->series.nseries;
	uint32	   *to[2];
	int64		size[2];

	grid->hexagonal = spec->cells == NN_CELLS_HEXAGONAL;
	to[0] = grid->row = NN_NEW_ARRAY(env, uint32, n);
	to[1] = grid->col = NN_NEW_ARRAY(env, uint32, n);
	for (int i = 0; i < 2; i++)
	{
		int64		least = 0,
					most = 0;

		cells_range(data, roles, i, &least, &most);
		/* Odd columns stay odd: they are those that lie lower. */
		if (i == 1 && grid->hexagonal && least % 2 != 0 && least > PG_INT64_MIN)
			least--;
		if (pg_sub_s64_overflow(most, least, &size[i]) || size[i] >= NN_MAX_SITES)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("column \"%s\" goes from " INT64_FORMAT " to " INT64_FORMAT, roles->place[i],
							least, most),
					 errdetail("A grid has at most %d cells.", NN_MAX_SITES),
					 errhint("Number rows and columns by 1, 2, 3 in the source, or use a graph.")));
		for (uint32 s = 0; s < n; s++)
			to[i][s] = (uint32) (data->place[s].cell[i] - least);
	}
	grid->rows = (uint32) size[0] + 1;
	grid->cols = (uint32) size[1] + 1;
	return grid;
}
