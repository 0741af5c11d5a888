/*
 * source_parts.h
 *		What the files of the source reader share, and nobody else needs.
 *
 *	source_text.c	a text becomes one SELECT and the list of its columns
 *	source.c		columns get roles
 *	source_rows.c	the SELECT runs, rows become columns of numbers
 *	source_read.c	rows are sorted and laid on the grid
 *	source_place.c	where series are
 *	source_raster.c	rasters become rows of pixels
 *	source_array.c	images and vectors
 *	source_skip.c	bad series are left out
 *	source_zone.c	time zones, and times as text
 */
#ifndef LSTM_SOURCE_PARTS_H
#define LSTM_SOURCE_PARTS_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "pg/source.h"
#include "pgtime.h"
#include "tcop/dest.h"

/* Series of one source at the most. */
#define SOURCE_MAX_SERIES	1000000

/* Rows nearer than this cannot be days, whatever the clocks do. */
#define SOURCE_DAY_AT_LEAST	(20 * USECS_PER_HOUR)

/* Rows of one source, and places on its grid, at the most. */
#define SOURCE_MAX_ROWS		INT32_MAX

typedef enum ColumnClass
{
	COLUMN_TIME,				/* timestamptz, timestamp, date */
	COLUMN_INTEGER,				/* a number that can be a time too */
	COLUMN_NUMBER,
	COLUMN_ARRAY,				/* of numbers */
	COLUMN_ID,					/* text, enum, uuid, ...: names a series */
	COLUMN_OTHER
} ColumnClass;

typedef struct ShapeColumn
{
	const char *name;
	Oid			type;			/* as declared, may be a domain */
	Oid			base;			/* below all domains */
	ColumnClass class;
	const char *role;			/* NULL: not used so far */
} ShapeColumn;

/* The columns of a query's result. */
typedef struct SourceShape
{
	int			ncolumns;
	ShapeColumn *column;		/* [ncolumns] */
} SourceShape;

/* source_text.c */
extern char *source_query(const char *text);
extern SourceShape *source_shape(const char *query);
/* source_raster.c: true where the source's places are rasters and it now gives their pixels. */
extern bool source_pixels(Source *source, SourceShape **shape);
extern void source_pixels_name(SourceRoles *roles); /* pixels are series by row and column */
extern bool place_is_raster(Oid type);

extern char *names_join(const char *const *names, int count);

/* Where the rows of a RowSeries were so far. */
typedef struct RowPlace
{
	int64		time;			/* of the row that said it first */
	char	   *image;			/* [nimage] the geometry as stored */
	uint32		nimage;
	bytea	   *geom;			/* as its type sends it; NULL: unknown */
	bool		known[2];
	int64		cell[2];
} RowPlace;

/* One set of values that the series columns had, in order of appearance. */
typedef struct RowSeries
{
	const char *image;			/* bytes of the values, see source_rows.c */
	uint32		length;
	double	   *statics;		/* [nstatic], NaN: not known so far */
	char	  **category;		/* [nstatic] image of a category, NULL: not known so far */
	const char *bad;			/* why the series is to be left out; NULL: it is not */
	RowPlace   *place;			/* NULL: unknown */
} RowSeries;

/* Rows are kept in chunks, so that growing moves nothing. */
typedef struct RowChunk
{
	int64	   *time;			/* [chunk_rows] microseconds of UTC or wall clock, or integers */
	uint32	   *series;			/* [chunk_rows] number of the RowSeries */
	double	   *value;			/* [chunk_rows][C] */
} RowChunk;

typedef struct SourceRows
{
	const Source *source;
	MemoryContext context;		/* all below; the caller drops it */
	uint32		C;				/* values of a row */
	uint64		count;			/* rows kept */
	uint64		seen;			/* rows read, those dropped for as_of included */
	uint32		chunk_rows;
	uint32		nchunks;
	RowChunk   *chunk;			/* [nchunks] */
	uint32		nseries;
	RowSeries  *series;			/* [nseries] */
	struct RowArrays *arrays;	/* NULL: there are no array columns */
	size_t		limit;			/* bytes */
	size_t	   *used;			/* bytes, shared by the sources of one reading */
} SourceRows;

/* What happens to rows after a moment. */
typedef struct RowCut
{
	bool		active;
	bool		drop;			/* else their targets and past covariates become unknown */
	TimestampTz instant;
	int64		local;			/* the same on the zone's clock */
	pg_tz	   *zone;
} RowCut;

extern SourceRows *source_rows_read(const Source *source, const RowCut *cut, bool future_only,
									size_t limit, size_t *used);

/* values[nseries columns] as text, in the current memory context. */
extern void row_series_key(const SourceRows *rows, uint32 series, char **values);

/* The text of a static covariate that is a category, or NULL. */
extern char *row_category(const SourceRows *rows, uint32 series, int column);

/* Runs text as source says (rights, search_path, snapshot, read only), without its plan. */
extern void source_select_run(const char *text, const Source *source, DestReceiver *receiver);

/* The name that outputs carry. */
extern char *series_name_join(char *const *values, int count);

/* Counts bytes against the limit; error 53200. */
extern void source_account(size_t *used, size_t limit, size_t bytes, uint64 rows);

/* ------------------------------------------------------------------------
 * Places: source_place.c
 */

typedef struct PlaceReader PlaceReader;

/* Error 42804 unless places can be of that type. */
extern void place_check_type(const char *column, Oid type, bool *geography);

/* Columns that places add at the end of the SELECT, their text, and the type of one. */
extern int	place_columns(const Source *source);
extern void place_select(const Source *source, StringInfo text);
extern Oid	place_type(const Source *source, int i);

extern PlaceReader *place_reader_create(const Source *source, SourceRows *rows);

/* Looks at these columns of a row; error 22000 where its series was elsewhere before. */
extern void place_row(PlaceReader *reader, uint32 series, const Datum *values, const bool *nulls,
					  int64 time);

/* Adds what is known of the place of a series' rows (NULL: nothing) to it. */
extern void place_merge(const NnEnv *env, SourcePlace *place, const RowPlace *row, const char *name);

/* ------------------------------------------------------------------------
 * Array columns: source_array.c
 */

typedef struct RowArrays RowArrays;

/* Is it an array of numbers? */
extern bool array_type_fits(Oid type);

/* Text of the array columns at the end of the SELECT, and the type of one there. */
extern void array_select(const Source *source, StringInfo text);
extern Oid	array_type(const Source *source, int i);

extern RowArrays *array_reader_create(const Source *source);

/*
 * Keeps the array columns of the row that was counted last, unless they are unknown; error
 * 22000 where the dimensions are not those of the column, or a number is out of range.
 */
extern void array_row(SourceRows *rows, uint32 series, const Datum *values, const bool *nulls,
					  int64 time, bool unknown);

/* ------------------------------------------------------------------------
 * A reading under way: source_read.c and source_skip.c
 */

/* Rows in order of series and time. */
typedef struct SortedRows
{
	const SourceRows *rows;
	size_t	   *first;			/* [nseries + 1] */
	int64	   *time;			/* [rows] */
	uint32	   *row;			/* [rows] number in SourceRows */
	int64	   *place_time;		/* [rows] what the grid counts: time, or the zone's clock */
} SortedRows;

typedef struct Reading
{
	const NnEnv *env;
	const Source *source,
			   *future;
	pg_tz	   *zone;
	size_t		used;			/* bytes, rows and grid together */
	SourceData *data;
	uint32		nseries;
	char	  **name;			/* [nseries] sorted */
	const char **bad;			/* [nseries] why it is to be left out, or NULL */
	double	   *statics;		/* [nseries][nstatic] */
	uint32	   *first,
			   *history;		/* of data->series */
	SortedRows	main,
				ahead;			/* rows of source, of future */
} Reading;

/* source_read.c */
extern void *reading_alloc(Reading *reading, size_t count, size_t size);
extern void rows_localise(Reading *reading, SortedRows *sorted);

/* Whether rows may be days or longer, which the zone's clock decides. */
extern bool rows_may_be_days(const Reading *reading);

/* Place of row i on the grid of series s; negative: before its first row; false: on none. */
extern bool row_place_find(const Reading *reading, const SortedRows *sorted, uint32 s, size_t i,
						   int64 *place);

/* source_array.c: lays the array columns on the grid of data->series. */
extern void arrays_lay(Reading *reading);

/* source_skip.c */

/*
 * Marks series s as bad, unless it is; false when bad series are errors.  reason
 * continues the series' name.
 */
extern bool reading_skip(Reading *reading, uint32 s, const char *reason);

/* Leaves the marked series out; error 22000 when no other is there. */
extern void reading_compact(Reading *reading);

/* Finds the step of most series, and leaves out those whose rows have none. */
extern void frequency_vote(Reading *reading);

/* Leaves out series with rows off the grid, at one place, or too far apart. */
extern void reading_check_grid(Reading *reading);

/* source_zone.c */
extern pg_tz *zone_find(const char *name);
extern int64 zone_local(pg_tz *zone, TimestampTz instant);
extern TimestampTz zone_instant(pg_tz *zone, int64 local);

/* A row's time (as read) for messages. */
extern const char *source_time_text(NnTimeKind kind, int64 time);

#endif							/* LSTM_SOURCE_PARTS_H */
