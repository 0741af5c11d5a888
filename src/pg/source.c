/*
 * source.c
 *		Which column of a source is what.
 *
 * Knows names and types of columns and no rows.  A column has one role at the
 * most: the caller's names claim theirs first, then the time column, target and
 * series that were not named are found by type where only one column can be
 * meant, and whatever is left is announced or refused, never ignored.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "pg/env.h"
#include "pg/source_parts.h"
#include "utils/builtins.h"

static const char *const ROLE_TIME = "time_column";
static const char *const ROLE_TARGET = "target";
static const char *const ROLE_SERIES = "series";
static const char *const ROLE_PAST = "past_covariates";
static const char *const ROLE_FUTURE = "future_covariates";
static const char *const ROLE_STATIC = "static_covariates";
static const char *const ROLE_GEOM = "geom";
static const char *const ROLE_GRID = "\"grid\"";

static bool
class_is_numeric(ColumnClass class)
{
	return class == COLUMN_INTEGER || class == COLUMN_NUMBER;
}

static bool
class_is_time_candidate(ColumnClass class)
{
	return class == COLUMN_TIME;
}

static bool
class_is_integer(ColumnClass class)
{
	return class == COLUMN_INTEGER;
}

static bool
class_is_id(ColumnClass class)
{
	return class == COLUMN_ID;
}

static bool
class_is_array(ColumnClass class)
{
	return class == COLUMN_ARRAY;
}

static bool
class_is_no_number(ColumnClass class)
{
	return !class_is_numeric(class);
}

/* Names of the columns without a role whose class passes; returns their number. */
static int
shape_unused(const SourceShape *shape, bool (*wanted) (ColumnClass), const char ***names)
{
	int			count = 0;

	*names = palloc(sizeof(char *) * Max(shape->ncolumns, 1));
	for (int i = 0; i < shape->ncolumns; i++)
	{
		if (shape->column[i].role == NULL && wanted(shape->column[i].class))
			(*names)[count++] = shape->column[i].name;
	}
	return count;
}

/* A name that differs in case only, else the nearest, else NULL. */
static const char *
shape_nearest(const SourceShape *shape, const char *name)
{
	const char **names = palloc(sizeof(char *) * Max(shape->ncolumns, 1));

	for (int i = 0; i < shape->ncolumns; i++)
	{
		names[i] = shape->column[i].name;
		if (pg_strcasecmp(names[i], name) == 0)
			return names[i];
	}
	return nn_nearest(name, names, shape->ncolumns);
}

static __attribute__((noreturn)) void
column_refuse_unknown(const SourceShape *shape, const char *name, const char *role)
{
	const char *nearest = shape_nearest(shape, name);

	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("source has no column \"%s\", named as %s", name, role),
			 nearest == NULL ? 0 :
			 strcmp(nearest, quote_identifier(nearest)) == 0 ?
			 errhint("Perhaps you meant %s.", nearest) :
			 errhint("Perhaps you meant %s, with the double quotes.", quote_identifier(nearest))));
}

/* Gives the column of that name the role; error when it is none, two, or taken. */
static ShapeColumn *
column_claim(SourceShape *shape, const char *name, const char *role)
{
	ShapeColumn *found = NULL;

	for (int i = 0; i < shape->ncolumns; i++)
	{
		if (strcmp(shape->column[i].name, name) != 0)
			continue;
		if (found != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_AMBIGUOUS_COLUMN),
					 errmsg("source has more than one column \"%s\", used as %s", name, role),
					 errhint("Give the columns different names with AS.")));
		found = &shape->column[i];
	}
	if (found == NULL)
		column_refuse_unknown(shape, name, role);
	if (found->role != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_COLUMN),
				 found->role == role ?
				 errmsg("column \"%s\" is named twice in %s", name, role) :
				 errmsg("column \"%s\" is named both as %s and as %s", name, found->role, role),
				 errhint("A column has one role; SELECT it twice under different names if it "
						 "should have two.")));
	found->role = role;
	return found;
}

static SourceColumn
column_place(const SourceShape *shape, const ShapeColumn *column)
{
	SourceColumn place;

	place.name = column->name;
	place.number = (int) (column - shape->column) + 1;
	place.type = column->base;
	place.category = false;
	return place;
}

static SourceColumn
claim_time(SourceShape *shape, const char *name)
{
	ShapeColumn *column = column_claim(shape, name, ROLE_TIME);

	if (column->class != COLUMN_TIME && column->class != COLUMN_INTEGER)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of type %s cannot be the time column",
						name, format_type_be(column->type)),
				 errhint("A time column is a timestamp with or without time zone, a date or an "
						 "integer; cast it in the source.")));
	return column_place(shape, column);
}

static SourceColumn
claim_number(SourceShape *shape, const char *name, const char *role)
{
	ShapeColumn *column = column_claim(shape, name, role);

	if (!class_is_numeric(column->class))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of type %s cannot be one of %s",
						name, format_type_be(column->type), role),
				 errhint("Numbers and booleans can; cast the column in the source.")));
	return column_place(shape, column);
}

static void
claim_numbers(SourceShape *shape, char *const *names, int count, const char *role,
			  SourceColumn *places)
{
	for (int i = 0; i < count; i++)
		places[i] = claim_number(shape, names[i], role);
}

/* A static covariate is a number, or a category: what no number is, and booleans. */
static SourceColumn
claim_static(SourceShape *shape, const char *name, const NnCategories *known)
{
	ShapeColumn *column = column_claim(shape, name, ROLE_STATIC);
	bool		numeric = class_is_numeric(column->class);
	SourceColumn place = column_place(shape, column);

	place.category = known != NULL ? known->n > 0 : !numeric || column->base == BOOLOID;
	if (!numeric && !place.category)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of type %s cannot be one of %s",
						name, format_type_be(column->type), ROLE_STATIC),
				 errhint("The model was trained on numbers; cast the column in the source.")));
	return place;
}

/* An array column: named among the past covariates, an input of its own. */
static SourceColumn
claim_array(SourceShape *shape, const char *name)
{
	ShapeColumn *column = column_claim(shape, name, ROLE_PAST);

	if (column->class != COLUMN_ARRAY)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of type %s is no array of numbers", name,
						format_type_be(column->type)),
				 errhint("The model was trained on arrays; cast the column in the source.")));
	return column_place(shape, column);
}

/* A row or column of a grid: an integer, which may name the series as well. */
static SourceColumn
claim_cell(SourceShape *shape, const char *name)
{
	ShapeColumn *column = NULL;

	for (int i = 0; i < shape->ncolumns && column == NULL; i++)
		if (shape->column[i].role == ROLE_SERIES && strcmp(shape->column[i].name, name) == 0)
			column = &shape->column[i];
	if (column == NULL)
		column = column_claim(shape, name, ROLE_GRID);
	if (column->class != COLUMN_INTEGER)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of type %s cannot be the row or column of a cell", name,
						format_type_be(column->type)),
				 errhint("Integers can; cast the column in the source.")));
	return column_place(shape, column);
}

static void
places_claim_cells(Source *source, SourceShape *shape)
{
	const SourceRoles *roles = &source->roles;

	if (roles->geom != NULL)
	{
		source->geom = column_place(shape, column_claim(shape, roles->geom, ROLE_GEOM));
		place_check_type(roles->geom, source->geom.type, &source->geography);
	}
	for (int i = 0; i < roles->nplaces; i++)
		source->place[i] = claim_cell(shape, roles->place[i]);
	if (roles->nplaces == 2 && source->place[0].number == source->place[1].number)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_COLUMN),
				 errmsg("column \"%s\" is named twice in %s", roles->place[0], ROLE_GRID)));
}

static NnTimeKind
time_kind(Oid type)
{
	switch (type)
	{
		case TIMESTAMPTZOID:
			return NN_TIME_TIMESTAMPTZ;
		case TIMESTAMPOID:
			return NN_TIME_TIMESTAMP;
		case DATEOID:
			return NN_TIME_DATE;
		default:
			return NN_TIME_INTEGER;
	}
}

static const char *
kind_name(NnTimeKind kind)
{
	switch (kind)
	{
		case NN_TIME_TIMESTAMPTZ:
			return "timestamp with time zone";
		case NN_TIME_TIMESTAMP:
			return "timestamp without time zone";
		case NN_TIME_DATE:
			return "date";
		case NN_TIME_INTEGER:
			break;
	}
	return "integer";
}

/* The one name of an argument that is a single column, or NULL when it is NULL. */
static char *
name_single(const char *text, const char *role)
{
	char	  **names;
	int			count = identifier_list_split(text, role, &names);

	if (text == NULL)
		return NULL;
	if (count != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must name one column, not %d", role, count)));
	return names[0];
}

static char *
time_find(const SourceShape *shape)
{
	const char **names;
	int			count = shape_unused(shape, class_is_time_candidate, &names);

	if (count > 1)
		ereport(ERROR,
				(errcode(ERRCODE_AMBIGUOUS_COLUMN),
				 errmsg("several columns could be the time column: %s", names_join(names, count)),
				 errhint("Name it as time_column.")));
	if (count == 0)
	{
		count = shape_unused(shape, class_is_integer, &names);
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("source has no time column: no column is a timestamp or a date"),
				 count == 0 ?
				 errhint("Add one to the source's SELECT.") :
				 errhint("If time is counted in integers, name the column as time_column: %s.",
						 names_join(names, count))));
	}
	return pstrdup(names[0]);
}

static char *
target_find(const SourceShape *shape)
{
	const char **names;
	int			count = shape_unused(shape, class_is_numeric, &names);

	if (count > 1)
		ereport(ERROR,
				(errcode(ERRCODE_AMBIGUOUS_COLUMN),
				 errmsg("several columns could be the target: %s", names_join(names, count)),
				 errhint("Name it as target.")));
	if (count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("source has no numeric column that could be the target"),
				 errhint("A target is a number or a boolean; cast it in the source.")));
	return pstrdup(names[0]);
}

static char *
series_find(const SourceShape *shape)
{
	const char **names;
	int			count = shape_unused(shape, class_is_id, &names);

	if (count > 1)
		ereport(ERROR,
				(errcode(ERRCODE_AMBIGUOUS_COLUMN),
				 errmsg("several columns could name the series: %s", names_join(names, count)),
				 errhint("Name one or more as series, and leave the others out of the source's "
						 "SELECT.")));
	return count == 0 ? NULL : pstrdup(names[0]);
}

/* What is left must be numbers. */
static void
shape_refuse_rest(const SourceShape *shape)
{
	const char **names;
	int			count = shape_unused(shape, class_is_no_number, &names);

	if (count == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_COLUMN_REFERENCE),
			 errmsg_plural("column %s is used for nothing", "columns %s are used for nothing",
						   count, names_join(names, count)),
			 shape_unused(shape, class_is_array, &names) > 0 ?
			 errhint("Name array columns in past_covariates, or leave them out of the source's SELECT.") :
			 errhint("Only numbers can be covariates; leave other columns out of the source's "
					 "SELECT, or name them as series.")));
}

static void
past_announce(const SourceRoles *roles)
{
	if (roles->npast == 0)
		return;
	ereport(NOTICE,
			(errmsg_plural("column %s is used as past covariate",
						   "columns %s are used as past covariates", roles->npast,
						   names_join((const char *const *) roles->past, roles->npast)),
			 errhint("Name the covariates to use in past_covariates; an empty list means none.")));
}

static void
columns_check_names(char *const *names, int count)
{
	env_check_names("column", (const char *const *) names, (uint32) count);
}

void
roles_check_names(const SourceRoles *roles, const char *const *series, uint32 nseries)
{
	columns_check_names(&roles->time_column, roles->time_column != NULL);
	columns_check_names(roles->target, roles->ntargets);
	columns_check_names(roles->past, roles->npast);
	columns_check_names(roles->arrays, roles->narrays);
	columns_check_names(roles->future, roles->nfuture);
	columns_check_names(roles->statics, roles->nstatic);
	columns_check_names(roles->series, roles->nseries);
	env_check_names("series", series, nseries);
}

static Source *
source_begin(const char *text, SourceShape **shape)
{
	Source	   *source = palloc0(sizeof(Source));

	if (text == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("source must not be null")));
	source->text = pstrdup(text);
	source->query = source_query(text);
	*shape = source_shape(source->query);
	source->ncolumns = (*shape)->ncolumns;
	return source;
}

static void
places_alloc(Source *source)
{
	const SourceRoles *roles = &source->roles;
	int			nvalues = roles->ntargets + roles->npast + roles->nfuture;

	source->series = palloc0(sizeof(SourceColumn) * Max(roles->nseries, 1));
	source->value = palloc0(sizeof(SourceColumn) * Max(nvalues, 1));
	source->statics = palloc0(sizeof(SourceColumn) * Max(roles->nstatic, 1));
	source->array = palloc0(sizeof(SourceColumn) * Max(roles->narrays, 1));
	source->place = palloc0(sizeof(SourceColumn) * Max(roles->nplaces, 1));
}

/* All roles but target and past covariates, whose places depend on the case. */
static void
places_claim_common(Source *source, SourceShape *shape)
{
	const SourceRoles *roles = &source->roles;

	if (roles->time_column != NULL)
		source->time = claim_time(shape, roles->time_column);
	for (int i = 0; i < roles->nseries; i++)
		source->series[i] = column_place(shape, column_claim(shape, roles->series[i], ROLE_SERIES));
	claim_numbers(shape, roles->future, roles->nfuture, ROLE_FUTURE,
				  source->value + roles->ntargets + roles->npast);
}

/* Takes the array columns out of the past covariates. */
static void
roles_split_arrays(SourceRoles *roles, const SourceShape *shape)
{
	int			npast = 0;

	roles->arrays = palloc(sizeof(char *) * Max(roles->npast, 1));
	for (int i = 0; i < roles->npast; i++)
	{
		bool		array = false;

		for (int c = 0; c < shape->ncolumns; c++)
			array = array || (shape->column[c].class == COLUMN_ARRAY &&
							  strcmp(shape->column[c].name, roles->past[i]) == 0);
		if (array)
			roles->arrays[roles->narrays++] = roles->past[i];
		else
			roles->past[npast++] = roles->past[i];
	}
	roles->npast = npast;
	if (roles->narrays > NN_MAX_ARRAYS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("past_covariates names %d array columns, above the limit of %d", roles->narrays,
						NN_MAX_ARRAYS),
				 errhint("Stack images of the same size as channels of one array, or leave some out.")));
}

static void
roles_split_places(SourceRoles *roles, const char *geom, const char *grid)
{
	roles->geom = name_single(geom, ROLE_GEOM);
	roles->nplaces = identifier_list_split(grid, ROLE_GRID, &roles->place);
	if (grid != NULL && roles->nplaces != 2)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option %s names %d columns instead of 2", ROLE_GRID, roles->nplaces),
				 errhint("Write the column that counts rows, then that of columns, as in \"y, x\".")));
}

static void
roles_split(SourceRoles *roles, const char *time_column, const char *target, const char *series,
			const char *past, const char *future, const char *statics)
{
	roles->time_column = name_single(time_column, ROLE_TIME);
	roles->ntargets = identifier_list_split(target, ROLE_TARGET, &roles->target);
	roles->nseries = identifier_list_split(series, ROLE_SERIES, &roles->series);
	roles->npast = identifier_list_split(past, ROLE_PAST, &roles->past);
	roles->nfuture = identifier_list_split(future, ROLE_FUTURE, &roles->future);
	roles->nstatic = identifier_list_split(statics, ROLE_STATIC, &roles->statics);
	if (target != NULL && roles->ntargets == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("target names no column")));
}

static char **
name_list(char *name)
{
	char	  **names = palloc(sizeof(char *));

	names[0] = name;
	return names;
}

/* Named columns are taken out first, so that "the only one left" means what it says. */
static void
roles_find(SourceRoles *roles, SourceShape *shape, bool find_series, bool find_past)
{
	char	   *name;

	if (roles->time_column == NULL)
	{
		roles->time_column = time_find(shape);
		(void) claim_time(shape, roles->time_column);
	}
	if (find_series && (name = series_find(shape)) != NULL)
	{
		roles->series = name_list(name);
		roles->nseries = 1;
		(void) column_claim(shape, name, ROLE_SERIES);
	}
	else if (find_series && roles->nplaces > 0)
	{
		/* A cell has no other name. */
		roles->series = roles->place;
		roles->nseries = roles->nplaces;
	}
	if (roles->ntargets == 0)
	{
		roles->target = name_list(target_find(shape));
		roles->ntargets = 1;
		(void) claim_number(shape, roles->target[0], ROLE_TARGET);
	}
	shape_refuse_rest(shape);
	if (find_past)
		roles->npast = shape_unused(shape, class_is_numeric, (const char ***) &roles->past);
}

static void
shape_reset(SourceShape *shape)
{
	for (int i = 0; i < shape->ncolumns; i++)
		shape->column[i].role = NULL;
}

/* Every role is known: finds all places, with all checks. */
static void
places_claim(Source *source, SourceShape *shape, bool need_target)
{
	const SourceRoles *roles = &source->roles;

	shape_reset(shape);
	places_alloc(source);
	places_claim_common(source, shape);
	if (!need_target)
		return;
	claim_numbers(shape, roles->target, roles->ntargets, ROLE_TARGET, source->value);
	claim_numbers(shape, roles->past, roles->npast, ROLE_PAST, source->value + roles->ntargets);
	for (int i = 0; i < roles->narrays; i++)
		source->array[i] = claim_array(shape, roles->arrays[i]);
	places_claim_cells(source, shape);
	for (int i = 0; i < roles->nstatic; i++)
		source->statics[i] = claim_static(shape, roles->statics[i],
										  roles->categories ? &roles->categories[i] : NULL);
}

Source *
source_resolve(const char *source, const char *time_column, const char *target,
			   const char *series, const char *past_covariates,
			   const char *future_covariates, const char *static_covariates,
			   const char *geom, const char *grid)
{
	SourceShape *shape;
	Source	   *result = source_begin(source, &shape);
	SourceRoles *roles = &result->roles;
	bool		pixels;

	roles_split(roles, time_column, target, series, past_covariates, future_covariates,
				static_covariates);
	roles_split_arrays(roles, shape);
	roles_split_places(roles, geom, grid);
	pixels = source_pixels(result, &shape);
	if (pixels)
		source_pixels_name(roles);
	places_claim(result, shape, true);
	roles_find(roles, shape, series == NULL && !pixels, past_covariates == NULL);
	places_claim(result, shape, true);

	result->kind = time_kind(result->time.type);
	if (past_covariates == NULL)
		past_announce(roles);
	return result;
}

Source *
source_bind(const char *source, const SourceRoles *roles, NnTimeKind kind, bool need_target)
{
	SourceShape *shape;
	Source	   *result = source_begin(source, &shape);

	result->roles = *roles;
	result->bound = true;
	(void) source_pixels(result, &shape);
	places_claim(result, shape, need_target);

	result->kind = time_kind(result->time.type);
	if (result->kind != kind)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("time column \"%s\" is of type %s, but the model was trained on %s",
						result->time.name, format_type_be(result->time.type), kind_name(kind)),
				 errhint("Cast it in the source.")));
	return result;
}
