/*
 * space.c
 *		Series as sites: which kind of space they have, and one axis of time for all.
 *
 * At training the kind follows from options, columns and places; later the model
 * says it.  Then all series get the same rows, from the first time of any to the last;
 * what a series lacks is unknown.  Costs a copy of the rows, and of those that are
 * filled up.
 */
#include "postgres.h"

#include <math.h>

#include "core/nn_array.h"
#include "miscadmin.h"
#include "pg/env.h"
#include "pg/skip.h"
#include "pg/source_parts.h"
#include "pg/space.h"
#include "utils/builtins.h"

/* Series that a message names. */
#define NAMES_SHOWN 5

/* Places taken for a grid unless said: so many at least, half of the cells or more. */
#define GRID_LEAST 4
#define GRID_SPARSITY 2

/* Where places are said to be cells, one of so many must have a series. */
#define GRID_SPARSITY_ASKED 10

/* ------------------------------------------------------------------------
 * One axis
 */

/* Row, on the axis that begins at origin, of row i of series s. */
static int64
axis_place(const SourceData *data, int64 origin, uint32 s, int64 i)
{
	int64		place;

	if (!nn_grid_index(&data->frequency, origin, source_time(data, s, i), &place))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("the rows of series \"%s\" are not at the times of the other series",
						data->series.name[s]),
				 errdetail("Its row at %s is off their step of %s.",
						   source_time_text(data->kind, data->kind == NN_TIME_TIMESTAMPTZ ?
											source_instant(data, s, i) : source_time(data, s, i)),
						   nn_frequency_print(env_create(CurrentMemoryContext), &data->frequency)),
				 errhint("Bring the rows on common times in the source, for example with date_bin(), or set "
						 "\"space\" to \"none\".")));
	return place;
}

static int64
rows_of(const SourceData *data, uint32 s)
{
	return (int64) data->series.first[s + 1] - data->series.first[s];
}

/* Series s, moved to offset within rows of its own. */
static void
series_lay(const SourceData *data, uint32 s, uint32 offset, uint32 rows, double *value)
{
	uint32		C = data->series.C,
				own = (uint32) rows_of(data, s);
	double	   *to = value + (size_t) s * rows * C;

	CHECK_FOR_INTERRUPTS();
	for (size_t i = 0; i < (size_t) offset * C; i++)
		to[i] = NAN;
	memcpy(to + (size_t) offset * C, data->series.value + (size_t) data->series.first[s] * C,
		   (size_t) own * C * sizeof(double));
	for (size_t i = (size_t) (offset + own) * C; i < (size_t) rows * C; i++)
		to[i] = NAN;
}

/* Rows of all series together, or an error that names one far away from the others. */
static uint32
axis_rows(const SourceData *data, const int64 *offset)
{
	uint32		n = data->series.nseries,
				latest = 0,
				last = 0;
	int64		rows = 0;

	for (uint32 s = 0; s < n; s++)
	{
		if (offset[s] > offset[latest])
			latest = s;
		if (offset[s] + rows_of(data, s) > rows)
			last = s;
		rows = Max(rows, offset[s] + rows_of(data, s));
	}
	if (rows > SOURCE_MAX_ROWS / n)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("%u series on one axis of " INT64_FORMAT " steps have more than %d rows", n, rows,
						SOURCE_MAX_ROWS),
				 errdetail("Series \"%s\" begins " INT64_FORMAT " steps after the first one, series \"%s\" "
						   "ends last.",
						   data->series.name[latest], offset[latest], data->series.name[last]),
				 errhint("Leave series far from the others out, or set \"space\" to \"none\".")));
	return (uint32) rows;
}

/* Moves all series to their offsets within so many rows each; first [nseries + 1] of the result. */
static void
rows_lay(const NnEnv *env, SourceData *data, const int64 *offset, const uint32_t *first)
{
	NnSeries   *series = &data->series;
	uint32		n = series->nseries,
				rows = first[1];
	size_t		used = 0,
				values = nn_size_mul(env, first[n], series->C);
	double	   *value;
	NnArray    *array;

	source_account(&used, env->max_memory, nn_size_mul(env, values, sizeof(double)), data->rows);
	value = NN_NEW_ARRAY(env, double, Max(values, 1));
	array = nn_arrays_create(env, series, first[n]);
	for (uint32 s = 0; s < n; s++)
	{
		series_lay(data, s, (uint32) offset[s], rows, value);
		nn_arrays_copy(array, first[s] + (size_t) offset[s], series, series->first[s], rows_of(data, s));
	}
	series->value = value;
	series->array = array;
}

/* Lays all series on the axis from the first time of any to the last. */
static void
space_align(const NnEnv *env, SourceData *data)
{
	NnSeries   *series = &data->series;
	uint32		n = series->nseries,
				rows,
				history = 0;
	int64		origin = data->origin[0];
	int64	   *offset = NN_NEW_ARRAY(env, int64, n);
	uint32_t   *first = NN_NEW_ARRAY(env, uint32_t, (size_t) n + 1),
			   *histories = NN_NEW_ARRAY(env, uint32_t, n);

	for (uint32 s = 1; s < n; s++)
		origin = Min(origin, data->origin[s]);
	for (uint32 s = 0; s < n; s++)
	{
		CHECK_FOR_INTERRUPTS();
		offset[s] = axis_place(data, origin, s, 0);
		/* Months of different lengths may part again. */
		if (axis_place(data, origin, s, rows_of(data, s) - 1) != offset[s] + rows_of(data, s) - 1)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("the rows of series \"%s\" are not at the times of the other series",
							series->name[s]),
					 errhint("Begin all series at the same time, or set \"space\" to \"none\".")));
	}
	rows = axis_rows(data, offset);
	for (uint32 s = 0; s < n; s++)
	{
		if (series->history[s] > 0)
			history = Max(history, (uint32) offset[s] + series->history[s]);
		first[s + 1] = first[s] + rows;
	}
	/* As many rows as there are: nothing is missing at either end of any. */
	if (first[n] > series->first[n])
		rows_lay(env, data, offset, first);
	for (uint32 s = 0; s < n; s++)
	{
		histories[s] = history;
		data->origin[s] = origin;
	}
	series->first = first;
	series->history = histories;
}

/* The series at each site, from the site of each series. */
static void
sites_set(const NnEnv *env, const NnSpec *spec, SourceData *data, const uint32_t *site)
{
	uint32_t   *at_site = NN_NEW_ARRAY(env, uint32_t, spec->nsites);

	for (uint32 i = 0; i < spec->nsites; i++)
		at_site[i] = PG_UINT32_MAX;
	for (uint32 s = 0; s < data->series.nseries; s++)
		at_site[site[s]] = s;
	data->series.site = site;
	data->series.at_site = at_site;
}

/* ------------------------------------------------------------------------
 * Training: which kind of space
 */

/* An option about edges made of distances that was given, or NULL. */
static const char *
distance_option(const NnSpec *spec)
{
	static const char *const keys[] = {"neighbors", "distance", "kernel", "sigma", "threshold"};

	for (size_t i = 0; i < lengthof(keys); i++)
		if (nn_spec_given(spec, keys[i]))
			return keys[i];
	return NULL;
}

/* Options that nothing would read. */
static void
distances_refuse(const NnSpec *spec)
{
	const char *key = distance_option(spec) ? distance_option(spec) :
		nn_spec_given(spec, "directed") ? "directed" : NULL;

	if (key != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"%s\" has no meaning where series have no edges", key),
				 errhint("Name the column of their places as geom, or give their edges as option "
						 "\"graph\".")));
}

void
space_refuse(const NnSpec *spec, const char *where)
{
	const char *key = spec->graph[0] != '\0' ? "graph" : spec->grid[0] != '\0' ? "grid" : "space";

	if (spec->graph[0] != '\0' || spec->grid[0] != '\0' || spec->space == NN_SPACE_GRAPH ||
		spec->space == NN_SPACE_GRID)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"%s\" needs several series, but %s one", key, where),
				 errhint("Name the column that tells series apart as series.")));
	distances_refuse(spec);
}

/* Options that several sites at once leave no meaning. */
static void
options_check(const NnEnv *env, const NnSpec *spec)
{
	const char *option = spec->pad ? "pad" : spec->stateful ? "stateful" : NULL;

	if (option != NULL)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "option \"%s\" has no meaning for %u sites forecast together", option,
						  spec->nsites),
				"Leave it out, or set \"space\" to \"none\".");
	/* Intervals learn series by series, in order of time; these come time by time. */
	if (spec->calibration == NN_CALIBRATION_ADAPTIVE)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "option \"calibration\" cannot be \"adaptive\" for %u sites forecast together",
						  spec->nsites),
				"Leave it out, or set \"space\" to \"none\".");
	if (spec->members != NN_MEMBER_NETWORK ||
		(spec->nlayers == 0 && spec->form.architecture == NN_ARCHITECTURE_ENSEMBLE))
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "simple methods cannot be members of a model of %u sites forecast together",
						  spec->nsites),
				"Leave \"members\" or the architecture \"ensemble\" out, or set \"space\" to \"none\".");
}

/* Every series has a geometry, or is left out where that is asked for. */
static void
geoms_check(const NnEnv *env, const NnSpec *spec, SourceData *data, const SourceRoles *roles)
{
	uint32		n = data->series.nseries;
	const char **reason = palloc0(sizeof(char *) * n);
	bool		any = false;

	for (uint32 s = 0; s < n; s++)
	{
		if (data->place[s].geom != NULL)
			continue;
		if (spec->on_error != NN_ON_ERROR_SKIP || roles->nseries == 0)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 roles->nseries == 0 ? errmsg("column \"%s\" is always null", roles->geom) :
					 errmsg("column \"%s\" of series \"%s\" is always null", roles->geom,
							data->series.name[s]),
					 errhint("Give it a place in one row at least, or leave the series out of the source.")));
		reason[s] = psprintf("has no value of column \"%s\"", roles->geom);
		any = true;
	}
	if (any)
		series_drop(env, data, reason);
	pfree(reason);
}

/* Two series of one cell; sets site [nseries]. */
static uint32_t *
cells_sites(const NnEnv *env, const SourceData *data, const SpaceGrid *grid, uint32 nsites)
{
	uint32		n = data->series.nseries;
	uint32_t   *site = NN_NEW_ARRAY(env, uint32_t, n),
			   *taken = NN_NEW_ARRAY(env, uint32_t, nsites);	/* by series + 1 */

	for (uint32 s = 0; s < n; s++)
	{
		site[s] = grid->row[s] * grid->cols + grid->col[s];
		if (taken[site[s]] > 0)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("series \"%s\" and series \"%s\" are in one cell of the grid",
							data->series.name[taken[site[s]] - 1], data->series.name[s]),
					 errhint("A cell has one series; set \"space\" to \"graph\" for several at one place.")));
		taken[site[s]] = s + 1;
	}
	return site;
}

static void
grid_apply(const NnEnv *env, NnSpec *spec, SourceData *data, const SpaceGrid *grid)
{
	uint64		cells = (uint64) grid->rows * grid->cols;
	uint32		n = data->series.nseries;

	if (cells > NN_MAX_SITES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a grid of %u rows x %u columns has more than %d cells", grid->rows, grid->cols,
						NN_MAX_SITES),
				 errhint("Use coarser cells, a part of them, or a graph.")));
	if (cells / GRID_SPARSITY_ASKED > n)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("only %u of the " UINT64_FORMAT " cells of a grid of %u rows x %u columns have a "
						"series",
						n, cells, grid->rows, grid->cols),
				 errhint("Set \"space\" to \"graph\": it knows the series and their neighbours only.")));
	if (cells / GRID_SPARSITY > n)
		ereport(NOTICE,
				(errmsg("%u of the " UINT64_FORMAT " cells of a grid of %u rows x %u columns have a series",
						n, cells, grid->rows, grid->cols),
				 errdetail("The others are learned as cells at the mean."),
				 errhint("\"space\": \"graph\" knows the series and their neighbours only.")));
	spec->nsites = (uint32_t) cells;
	spec->grid_rows = grid->rows;
	spec->hexagonal = grid->hexagonal;
	distances_refuse(spec);
	options_check(env, spec);
	sites_set(env, spec, data, cells_sites(env, data, grid, spec->nsites));
}

static void
graph_apply(const NnEnv *env, NnSpec *spec, SourceData *data)
{
	uint32		n = data->series.nseries;
	uint32_t   *site;

	if (n > NN_MAX_SITES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a graph of %u series has more than %d sites", n, NN_MAX_SITES),
				 errhint("Train on a part of the series, or set \"space\" to \"none\".")));
	spec->nsites = n;
	options_check(env, spec);
	data->series.graph = space_graph(env, spec, data);
	spec->nedges = data->series.graph->nedges;
	site = NN_NEW_ARRAY(env, uint32_t, n);
	for (uint32 s = 0; s < n; s++)
		site[s] = s;
	sites_set(env, spec, data, site);
}

/* Would one take the places for a grid without being told?  Not where a cell has two series. */
static bool
grid_is_plain(const SpaceGrid *grid, uint32 n)
{
	uint64		cells = (uint64) grid->rows * grid->cols;
	bool	   *taken;

	if (grid->rows <= 1 || grid->cols <= 1 || n < GRID_LEAST || cells / GRID_SPARSITY > n ||
		cells > NN_MAX_SITES)
		return false;
	taken = palloc0(sizeof(bool) * cells);
	for (uint32 s = 0; s < n; s++)
	{
		size_t		cell = (size_t) grid->row[s] * grid->cols + grid->col[s];

		if (taken[cell])
			return false;
		taken[cell] = true;
	}
	return true;
}

static void
places_apply(const NnEnv *env, NnSpec *spec, SourceData *data)
{
	SpacePlaces *places = space_places(env, data);
	uint32		n = data->series.nseries,
				off = 0;
	SpaceGrid  *grid = NULL;

	/* Who says which neighbours means a graph. */
	if (spec->space == NN_SPACE_GRID || (spec->space == NN_SPACE_AUTO && distance_option(spec) == NULL))
		grid = space_grid_of_places(env, places, n, &off);

	if (grid == NULL && spec->space == NN_SPACE_GRID)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("the places of the series are no regular grid"),
				 errdetail("Series \"%s\" at %g, %g fits least; a place may be off by 1 %% of the distance "
						   "between rows or columns.", data->series.name[off], places->x[off],
						   places->y[off]),
				 errhint("Set \"space\" to \"graph\", or name columns of row and column as option "
						 "\"grid\".")));
	if (grid != NULL && (spec->space == NN_SPACE_GRID || grid_is_plain(grid, n)))
		grid_apply(env, spec, data, grid);
	else
		graph_apply(env, spec, data);
}

/* Is anything known that makes sites of the series? */
static bool
space_is_known(const NnSpec *spec, const SourceRoles *roles)
{
	if (spec->space == NN_SPACE_NONE)
		return false;
	if (roles->geom != NULL || spec->graph[0] != '\0' || roles->nplaces > 0)
		return true;
	if (spec->space == NN_SPACE_GRAPH || spec->space == NN_SPACE_GRID)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"space\" is \"%s\", but nothing says where the series are",
						spec->space == NN_SPACE_GRAPH ? "graph" : "grid"),
				 spec->space == NN_SPACE_GRAPH ?
				 errhint("Name the column of their places as geom, or give their edges as option "
						 "\"graph\".") :
				 errhint("Name the column of their places as geom, or columns of row and column as option "
						 "\"grid\".")));
	return false;
}

/* Upper-case hexadecimal digits of the geometries. */
static char **
geoms_hex(const NnEnv *env, const SourceData *data)
{
	static const char digits[] = "0123456789ABCDEF";
	char	  **hex = NN_NEW_ARRAY(env, char *, data->series.nseries);

	for (uint32 s = 0; s < data->series.nseries; s++)
	{
		const bytea *geom = data->place[s].geom;
		const unsigned char *byte = (const unsigned char *) VARDATA_ANY(geom);
		size_t		n = VARSIZE_ANY_EXHDR(geom);

		hex[s] = nn_alloc(env, 2 * n + 1, 1);
		for (size_t i = 0; i < n; i++)
		{
			hex[s][2 * i] = digits[byte[i] >> 4];
			hex[s][2 * i + 1] = digits[byte[i] & 15];
		}
		hex[s][2 * n] = '\0';
	}
	return hex;
}

static void
sites_keep(const NnEnv *env, const NnSpec *spec, SourceData *data, const SourceRoles *roles)
{
	NnSites    *sites;

	if (spec->nsites == 1 && roles->geom == NULL)
		return;
	sites = NN_NEW(env, NnSites);
	sites->site = NN_NEW_ARRAY(env, uint32_t, data->series.nseries);
	for (uint32 s = 0; s < data->series.nseries && spec->nsites > 1; s++)
		sites->site[s] = data->series.site[s];
	if (roles->geom != NULL)
		sites->geom = geoms_hex(env, data);
	sites->geography = data->geography;
	data->sites = sites;
}

/* Together they would hide it. */
static void
targets_check(const SourceData *data)
{
	for (uint32 s = 0; s < data->series.nseries; s++)
		if (data->series.history[s] == 0)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("series \"%s\" has no known value of its target", data->series.name[s]),
					 errhint("Leave it out of the source.")));
}

void
space_train(const NnEnv *env, NnSpec *spec, SourceData *data, const SourceRoles *roles)
{
	if (spec->grid[0] != '\0' && roles->nplaces == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"grid\" cannot be searched over"),
				 errhint("It names columns of the source: give it among the options.")));
	if (roles->geom != NULL)
		geoms_check(env, spec, data, roles);
	if (!space_is_known(spec, roles))
		distances_refuse(spec);
	else if (data->series.nseries == 1)
		space_refuse(spec, "the source has");
	else if (roles->nplaces > 0)
		grid_apply(env, spec, data, space_grid_of_cells(env, spec, data, roles));
	else if (spec->graph[0] != '\0')
		graph_apply(env, spec, data);
	else
		places_apply(env, spec, data);
	if (spec->nsites > 1)
	{
		targets_check(data);
		space_align(env, data);
	}
	sites_keep(env, spec, data, roles);
}

/* ------------------------------------------------------------------------
 * Forecasts
 */

void
space_require_single(const NnModel *model, const char *function)
{
	if (model->spec.nsites > 1)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s looks at one series at a time, but the model forecasts %u sites together",
						function, model->spec.nsites),
				 errhint("Train one with \"space\" set to \"none\" for it.")));
}

/* Says which sites nothing is known of. */
static void
absent_tell(const NnModel *model, const char *name, const uint32_t *identity, uint32 nseries)
{
	bool	   *there = palloc0(model->nseries);
	uint32		absent = model->nseries - nseries,
				shown = 0;
	StringInfoData names;

	if (absent == 0)
		return;
	initStringInfo(&names);
	for (uint32 s = 0; s < nseries; s++)
		there[identity[s]] = true;
	for (uint32 i = 0; i < model->nseries && shown < NAMES_SHOWN; i++)
		if (!there[i])
			appendStringInfo(&names, "%s\"%s\"", shown++ > 0 ? ", " : "", model->series[i]);
	ereport(NOTICE,
			(errmsg("the source lacks %u of the %u sites of model \"%s\": their values are unknown", absent,
					model->nseries, name),
			 errdetail("%s%s.", names.data, absent > shown ? " and others" : "")));
	pfree(there);
}

void
space_bind(const NnEnv *env, const NnModel *model, const char *name, const uint32_t *identity,
		   SourceData *data)
{
	uint32		n = data->series.nseries;
	uint32_t   *site;

	if (model->spec.nsites <= 1)
		return;
	site = NN_NEW_ARRAY(env, uint32_t, n);
	for (uint32 s = 0; s < n; s++)
	{
		if (identity[s] == PG_UINT32_MAX)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("series \"%s\" of the source is no site of model \"%s\"", data->series.name[s],
							name),
					 errhint("Leave its rows out, or train the model again with it.")));
		site[s] = model->sites->site[identity[s]];
	}
	absent_tell(model, name, identity, n);
	sites_set(env, &model->spec, data, site);
	space_align(env, data);
}
