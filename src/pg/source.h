/*
 * source.h
 *		From the text of a source to series on a regular grid.
 *
 * A source is a table, a view or one SELECT.  source_resolve finds out which of
 * its columns is what; source_read runs it (caller's rights, row-level security,
 * caller's search_path), sorts by series and time, and lays the rows on a grid.
 * Nothing here knows networks.  Reading streams rows into columns (no tuple is
 * kept); memory is 8 bytes per value and 8 per time stamp, twice while sorting.
 */
#ifndef LSTM_SOURCE_H
#define LSTM_SOURCE_H

#include "postgres.h"

#include "core/nn_calendar.h"
#include "core/nn_data.h"
#include "utils/timestamp.h"

/* Names given by the caller (each may be NULL: to be found) or kept in a model. */
typedef struct SourceRoles
{
	char	   *time_column;
	int			ntargets, nseries, npast, nfuture, nstatic;
	char	  **target, **series, **past, **future, **statics;
	const NnCategories *categories; /* [nstatic] of a known model; NULL: those of no number */
	int			narrays;		/* array columns, named among the past covariates */
	char	  **arrays;
	const NnArraySpec *array;	/* [narrays] of a known model; NULL: to be seen */
	char	   *geom;			/* column of the places; NULL: none, or a known model */
	const char *raster;			/* of a known model: the column of its places, which may be rasters */
	int			nplaces;		/* 2 or 0: columns of row and column, which may be of series */
	char	  **place;
} SourceRoles;

/* All names that a model holds, against env_check_names; series: [nseries]. */
extern void roles_check_names(const SourceRoles *roles, const char *const *series, uint32 nseries);

/* Where a role's column is in the query. */
typedef struct SourceColumn
{
	const char *name;
	int			number;			/* from 1; 0: the query has no such column */
	Oid			type;			/* below all domains */
	bool		category;		/* a static covariate that is read as text */
} SourceColumn;

typedef struct Source
{
	char	   *query;			/* one SELECT, without semicolon, fit for FROM (...) */
	char	   *text;			/* as the caller gave it */
	SourceRoles roles;			/* complete */
	NnTimeKind	kind;
	const char *search_path;	/* it runs under, set by the caller; NULL: the session's */
	const char *time_zone;		/* likewise */
	bool		read_only;		/* stored sources run read-only: the caller sets it */
	bool		bound;			/* made by source_bind: reads what the statement sees */
	bool		skip;			/* bad series are left out: the caller sets it */
	uint64		newest;			/* rows that are read at the most, the latest ones; 0: all.  The caller
								 * sets it, for one series and source_by_name sources */
	struct SourceKept *kept;	/* where its plan is kept (source_cache.h), NULL: nowhere; likewise */
	int			ncolumns;		/* of the query */
	SourceColumn time;
	SourceColumn *series;		/* [nseries] */
	SourceColumn *value;		/* [ntargets + npast + nfuture] */
	SourceColumn *statics;		/* [nstatic] */
	SourceColumn *array;		/* [narrays] */
	SourceColumn geom;
	SourceColumn *place;		/* [nplaces] */
	bool		geography;		/* geom is of that type */
} Source;

/* A series that was left out, and why ("has ...", "column ... is ..."). */
typedef struct SourceSkip
{
	const char *name,
			   *reason;
} SourceSkip;

/* Where a series is. */
typedef struct SourcePlace
{
	bytea	   *geom;			/* as its type sends it; NULL: unknown */
	bool		known[2];
	int64		cell[2];		/* row, column */
} SourcePlace;

typedef struct SourceData
{
	NnSeries	series;			/* rows on the grid; value order targets, past, future */
	NnTimeKind	kind;
	NnFrequency frequency;
	const char *zone;			/* where days begin, and what timestamps without zone are in */
	int64	   *origin;			/* [nseries] time of the first row: local or utc as
								 * nn_frequency_uses_local says; integers as they are */
	char	 ***key;			/* [nseries][roles.nseries] values of the series columns, as text */
	uint64		rows;			/* rows read */
	bool		whole;			/* they are all that the source has, up to as_of */
	uint32		nstatic;		/* static covariates of the rows */
	const bool *is_category;	/* [nstatic] */
	char	  **category;		/* [nseries][nstatic] text of those that are categories, NULL
								 * where unknown; NULL: none is one (categories.h) */
	const NnCategories *categories; /* [nstatic] once categories_apply was called, else NULL */
	SourcePlace *place;			/* [nseries]; NULL: no column says it */
	bool		geography;		/* of the places */
	struct NnSites *sites;		/* what a model keeps of them, see space.h; NULL: nothing */
	NnArraySpec array[NN_MAX_ARRAYS];	/* shapes of series.array */
	uint32		made;			/* channels that features_add made */
	uint32		nskips;
	SourceSkip *skip;			/* [nskips] */
} SourceData;

/*
 * Resolves source for training.  Column lists are text in identifier-list syntax
 * ("dewp, temp, \"Wind Speed\""), NULL: to be found, empty: none (an error for time
 * column and target).  Unique timestamp / numeric /
 * id columns are found by type; several candidates, or none: an error that lists
 * them.  Unnamed numeric columns become past covariates with one NOTICE (unless
 * past_covariates is given: then they are left out); other unnamed columns are an
 * error.  A duplicate or doubly used column is an error.  The series list is NULL
 * when the source has no id column.  Errors: 42703 unknown column or none to be
 * found, 42702 ambiguous, 42701 used twice, 42804 wrong type, 42P10 used for
 * nothing, 42601 no single SELECT, 42P01 no such table, 22004 source NULL, and what
 * the query itself raises.  The result lives in the current memory context.
 *
 * geom names a column of places (PostGIS), grid two of integers, row and column; NULL: none.
 * The latter may be the series columns, and are where no other column names series.
 */
extern Source *source_resolve(const char *source, const char *time_column, const char *target,
							  const char *series, const char *past_covariates,
							  const char *future_covariates, const char *static_covariates,
							  const char *geom, const char *grid);

/*
 * The same for a known model: roles are the model's; every column must be there
 * with a usable type.  When need_target is false (a source of future covariates)
 * only the time column, the series and the future covariates are looked for.
 * Columns of no role are ignored.
 */
extern Source *source_bind(const char *source, const SourceRoles *roles, NnTimeKind kind,
						   bool need_target);

/*
 * Reads and lays on the grid.  frequency NULL: inferred; zone: the model's, or the
 * session's (NULL) when training.  as_of (NULL: none): later rows keep only their
 * future covariates, and are dropped when there are none; a series without any
 * earlier row is then no part of the result.  future (NULL: none): a second source
 * whose rows follow; only its future covariates count, a known one wins over the
 * source's, and rows before a series' first row are ignored.  A frequency given for
 * training (source_resolve) is aligned to month ends.  Sorted by series (memcmp of the name) and time,
 * whatever the order of the rows.  Errors (22000 unless said otherwise) name series
 * and time: duplicate time stamps, infinite or NULL (22004) time stamps, NULL series
 * (22004), rows off the grid, infinite values (NaN and NULL are missing values),
 * differing static values or places within a series (NULL counts as unknown), an empty source
 * (02000), too many series or gaps (54000), memory (53200), as_of with integers
 * (22023), a series of future that source lacks.  With source->skip what is wrong
 * with one series (duplicates, rows off the grid, infinite or differing values, a
 * time far from its others) puts it into data->skip instead; 22000 when none is left.
 * env: memory of the result; everything else is freed before returning.
 */
extern SourceData *source_read(const NnEnv *env, Source *source, Source *future,
							   const NnFrequency *frequency, const char *zone,
							   const TimestampTz *as_of);

/*
 * Can columns be asked for by name: a known model's source without arrays and places?  Then
 * source->newest bounds what source_read reads, which looks at no other rows, wrong as they
 * may be; with as_of only where there are no future covariates.
 */
extern bool source_by_name(const Source *source);

/*
 * The same for rows that are there already: one series without name, one target.
 * time[count] (microseconds or integers, finite) and value[count] (NaN: unknown,
 * never infinite) in any order; neither is changed or kept.  column: its name.
 */
extern SourceData *source_grid(const NnEnv *env, NnTimeKind kind, const int64 *time,
							   const double *value, uint64 count, const NnFrequency *frequency,
							   const char *zone, const char *column);

/*
 * Time of position index (may lie beyond the rows) of series s: wall clock, UTC or
 * integer, as origin.  Error 22008 out of range.
 */
extern int64 source_time(const SourceData *data, uint32 s, int64 index);

/*
 * That time as an instant for output: timestamptz; timestamp and date are taken in
 * data->zone, the session's, as SQL's own casts do.  Not for integers.
 */
extern TimestampTz source_instant(const SourceData *data, uint32 s, int64 index);

/*
 * Local wall-clock microseconds <-> instants in a named zone (DST: earlier of two,
 * gap: shifted).  22023 unknown zone, 22008 out of range.
 */
extern int64 zone_to_local(const char *zone, TimestampTz instant);
extern TimestampTz zone_to_instant(const char *zone, int64 local);

/* Splits an identifier list; NULL or only blanks: none.  Error 42601. */
extern int	identifier_list_split(const char *text, const char *what, char ***names);

/*
 * The search_path of the session as text to be stored: every name quoted, "$user"
 * replaced by the current role's name, so that it means the same to every caller.
 */
extern char *search_path_current(void);

/*
 * Runs body with search_path set to path and TimeZone to zone (NULL, or a zone that
 * the server does not know: unchanged), restored on every way out.
 */
typedef struct SearchPathGuard
{
	int			nest_level;		/* -1: nothing to undo */
} SearchPathGuard;

extern SearchPathGuard search_path_push(const char *path, const char *zone);
extern void search_path_pop(SearchPathGuard guard);

#endif							/* LSTM_SOURCE_H */
