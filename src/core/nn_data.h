/*
 * nn_data.h
 *		From the numbers of a query to the windows of a batch.
 *
 * NnSeries are the rows as they came, on a regular grid, in original units, NaN
 * where nothing is known.  NnPrep is what was learned from their training part
 * (fences, centre, scale, means) and is kept in the model.  NnData are the
 * prepared numbers: outliers treated, gaps filled, differenced, scaled.  A
 * window is a view into NnData: a row number; nothing is copied until a tile of
 * lanes is gathered.
 *
 * No value ever comes from a row after a window's origin: where the last rows
 * before an origin are unknown, gathering fills them from earlier rows only,
 * also when "linear" filled the same rows from both sides for later windows.
 *
 * Under "pad" a window may begin before its series.  The rows that are missing then
 * repeat the season at the beginning of its own rows, all channels alike: own row i
 * mod season stands i rows after it began, counted backwards too.  Without a season
 * that is its first row; of a series that has not seen a season yet, the newest row
 * stands for what is not known of it.  Own rows begin where differences do.
 */
#ifndef NN_DATA_H
#define NN_DATA_H

#include "core/nn_spec.h"

/*
 * An array column: an image or a vector for each row, see nn_array.h.  Vectors lie in a
 * pool, in any order.
 */
typedef struct NnArray
{
	const char *name;
	uint32_t	width;			/* numbers of a vector: rows x columns x channels, last fastest */
	uint32_t   *at;				/* [rows] number of the row's vector, or NN_ARRAY_UNKNOWN */
	const float *value;			/* [vectors][width], original units, finite */
} NnArray;

#define NN_ARRAY_UNKNOWN	UINT32_MAX

typedef struct NnSeries
{
	uint32_t	nseries;
	uint32_t	C;				/* channels: targets, past covariates, future covariates */
	uint32_t	Cs;				/* static covariates */
	const uint32_t *first;		/* [nseries + 1] first row of each series; last: rows in all */
	const uint32_t *history;	/* [nseries] rows up to the last known target: later rows only
								 * carry known future covariates */
	double	   *value;			/* [rows][C], original units, NaN: unknown; never infinite */
	const double *statics;		/* [nseries][Cs] */
	const char *const *name;	/* [nseries], for messages; a lone series may be "" */
	/* Prints position (row of the whole) for messages, e.g. a timestamp; NULL: the number. */
	const char *(*row_name) (void *host, uint32_t row);
	void	   *row_name_host;
	const char *const *column;	/* [C] column names, for messages */
	const char *const *static_column;	/* [Cs] the same of statics; NULL: their numbers */

	/*
	 * Space, where spec->nsites > 1: all series have the same number of rows, row i at
	 * the same time in each, and the same history.  NULL: series s is site s.
	 */
	const uint32_t *site;		/* [nseries] site of each series */
	const uint32_t *at_site;	/* [nsites] the series there, UINT32_MAX: none (its inputs are
								 * the mean, its outputs nobody's) */
	const struct NnGraph *graph;	/* over the sites; NULL: none */

	uint32_t	narrays;
	NnArray    *array;			/* [narrays] in the order of spec->array */
} NnSeries;

/* Place of name among n sorted names, by halving.  UINT32_MAX: it is not there. */
extern uint32_t nn_name_find(const char *const *names, uint32_t n, const char *name);

/* The same for the names of series, which are sorted. */
extern uint32_t nn_series_find(const NnSeries *series, const char *name);

/*
 * What a static covariate of the rows can be: a number (n 0, one channel of
 * NnSeries.statics), or one of n words (as many channels, 1 for the word and 0 for
 * the others; all 0 where it is none of them).
 */
typedef struct NnCategories
{
	uint32_t	n;
	char	  **word;			/* [n] ascending by memcmp */
} NnCategories;

/* Words of one static covariate at the most. */
#define NN_MAX_CATEGORIES 256

typedef struct NnPrep
{
	uint32_t	ngroups;		/* 1, or one for each series of the training data */
	uint32_t	C, Cs;
	double	   *center, *scale; /* [ngroups][C] of the (log, differenced) values; scale > 0 */
	double	   *low, *high;		/* [ngroups][C] fences of outliers in original units; +-inf: none */
	double	   *mean;			/* [ngroups][C] of the training part, original units */
	double	   *static_center, *static_scale;	/* [Cs] */
	double	   *array_center, *array_scale;	/* [channels of the array columns, one after the other] */
} NnPrep;

typedef struct NnData
{
	const NnEnv *env;			/* whose poll those who copy windows call */
	const NnSpec *spec;
	const NnPrep *prep;
	const NnSeries *series;
	const uint32_t *group;		/* [nseries] group of each series in prep */
	/* [nseries] number among the trained series, UINT32_MAX: unseen; NULL: as they come */
	const uint32_t *identity;
	uint32_t	C;				/* channels of x: nn_spec_channels(spec) */
	nn_real    *x;				/* [rows][C] filled and scaled */
	nn_real    *y;				/* [rows][ntargets] scaled targets of the loss, NaN: unknown */
	double	   *level;			/* [rows][ntargets] filled targets before differencing and scaling
								 * (after log1p): what differences are added to */
	uint8_t    *known;			/* [rows][series->C] 1: the value itself, 0: filled */
	nn_real    *statics;		/* [nseries][Cs] scaled */
	uint32_t   *start;			/* [nseries][series->C] row (of the whole) of the first known
								 * value, the series' end when there is none */
	/*
	 * Under "linear" only, else NULL: the rows at which a run of unknown values
	 * follows a known one, ascending; those of column c are gap[gap_first[c]] up to
	 * gap[gap_first[c + 1] - 1].  gap_first [series->C + 1].
	 */
	size_t	   *gap_first;
	uint32_t   *gap;
} NnData;

/* A window: context ends at row origin (included), targets follow it. */
typedef struct NnWindow
{
	uint32_t	series;
	uint32_t	origin;			/* row number within all rows */
} NnWindow;

/*
 * Future covariates that "calendar" and "holidays" make: the last of spec->nfuture.
 * They lie between -1 and 1 and are never treated, scaled or taken logarithms of.
 */
extern uint32_t nn_future_made(const NnSpec *spec);

/*
 * Learns the preparation from the first train_rows[s] rows of each series.
 * Fails with NN_BAD_DATA: a missing value under "missing": "error", log1p of a
 * value <= -1 (naming series, column and row); a column without any known value.
 * A constant column gets scale 1.  One group per series when spec->scale_by_series,
 * else one for all; a series without any known value in a column gets that
 * column's numbers from all series together.  Static covariates are standardised
 * over the series whatever the scaling.
 */
extern NnPrep *nn_prep_fit(const NnEnv *env, const NnSpec *spec, const NnSeries *series,
						   const uint32_t *train_rows);

/*
 * The value of column c at row t (within series s) after outlier treatment and
 * log1p; NaN when unknown.  Targets and past covariates are unknown from
 * history[s] on.  Fails with NN_BAD_DATA as nn_prep_fit does.
 */
extern double nn_prep_value(const NnEnv *env, const NnSpec *spec, const NnPrep *prep,
							uint32_t group, const NnSeries *series, uint32_t s, uint32_t t,
							uint32_t c);

/* 'column "x" of series "a" at <row_name>', for messages; t is a row within series s. */
extern char *nn_series_place(const NnEnv *env, const NnSeries *series, uint32_t s, uint32_t t,
							 uint32_t c);

/*
 * Prepares series with a fitted prep.  group[s] is the series' group in prep
 * (all 0 when ngroups = 1).  Fails with NN_BAD_DATA as nn_prep_fit does, when the
 * columns are not those of prep, and when a scaled value leaves the range of
 * nn_real.
 *
 * Rows before the first known value are filled with the mean, whatever the
 * method: anything else would be known later only.  Differenced targets are
 * filled as levels first and differenced then; "mean" and "mask" fill those
 * with the previous level, since a mean has no place among levels that wander.
 * The first rows that have nothing to be differenced against hold a difference
 * of 0.
 */
extern NnData *nn_data_prepare(const NnEnv *env, const NnSpec *spec, const NnPrep *prep,
							   const NnSeries *series, const uint32_t *group);

/*
 * Rows of its series that a window to train or judge on needs up to its origin: the
 * context; under "pad" one season of it; and "difference" rows more.
 */
extern uint32_t nn_rows_needed(const NnSpec *spec);

/* Rows up to its origin without which there is no forecast: fewer only under "pad". */
extern uint32_t nn_rows_least(const NnSpec *spec);

/* Rows at the beginning of the window's context that are filled by padding. */
extern uint32_t nn_window_pad(const NnSpec *spec, const NnSeries *series, const NnWindow *window);

/* Row of the context that its row t repeats, when its first pad rows are padding; t < pad. */
extern uint32_t nn_pad_source(const NnSpec *spec, uint32_t pad, uint32_t t);

/*
 * Windows whose context lies within their series (under "pad": nn_rows_needed rows
 * up to the origin do) and whose horizon rows begin at or after target_from[s] and
 * end before target_to[s] (row numbers within the series), every stride-th, in order
 * of series and time.  Only windows with at least one known target count when
 * need_target.  Returns their number.
 *
 * The horizon may reach beyond the series' end (then target_to does) unless
 * need_target: such windows forecast, there is nothing to compare them with.
 * stride counts origins, so leaving out a window does not move the later ones.
 *
 * With several sites a window is all of them at one time: those of the first series are
 * listed, and a target is known where that of any site is.
 */
extern uint32_t nn_windows_list(const NnEnv *env, const NnData *data,
								const uint32_t *target_from, const uint32_t *target_to,
								uint32_t stride, bool need_target, NnWindow **windows);

/*
 * Copies n windows (n <= L) into lanes; lanes n..L-1 are zeros.
 * past [context][S][C][L], future [horizon][S][nfuture][L], statics [S][nstatic][L],
 * target [S][horizon][ntargets][L] (NaN: unknown; NaN in padding), S = spec->nsites.
 * Any may be NULL.
 * Rows of past before the own rows of a window are padding, see above.
 * Future covariates that are unknown at a needed row are the caller's to reject
 * before (nn_future_missing); beyond the series' end they are zeros, targets NaN.
 * Cost: one load and one store per element.
 */
extern void nn_window_gather(const NnData *data, const NnWindow *windows, uint32_t n,
							 uint32_t L, nn_real *past, nn_real *future, nn_real *statics,
							 nn_real *target);

/* Series at a site, UINT32_MAX: none; site of a series; row of the window within its series. */
extern uint32_t nn_series_at(const NnData *data, uint32_t site);
extern uint32_t nn_series_site(const NnData *data, uint32_t s);
extern uint32_t nn_window_row(const NnData *data, const NnWindow *window);

/* Known targets of a window, of all sites where there are several: what its loss is averaged over. */
extern uint64_t nn_window_known(const NnData *data, const NnWindow *window);

/* Which of the trained series each lane shows, as NnState.identity [L] wants it. */
extern void nn_window_identity(const NnData *data, const NnWindow *windows, uint32_t n,
							   uint32_t L, uint32_t *identity);

/*
 * First row within origin + 1 .. origin + horizon whose future covariates are
 * not all known (or beyond the series' end); 0 when none is missing.  *column
 * gets the column number within the future covariates.  Known means given: a
 * value that outlier treatment removed does not count as missing here.
 */
extern uint32_t nn_future_missing(const NnData *data, const NnWindow *window, uint32_t horizon,
								  uint32_t *column);

/*
 * The row at which the run of unknown values that row (of series s) is in follows
 * a known value: everything from there to row was unknown at that time.  0 when
 * row is known, in no such run, or filled without looking ahead anyway.
 */
extern uint32_t nn_data_gap(const NnData *data, uint32_t s, uint32_t row, uint32_t c);

/* The value, kept within the bounds of the spec. */
extern double nn_bounded(const NnSpec *spec, double value);

/*
 * Turns network outputs back into original units.  raw [horizon][ntargets] are
 * scaled forecasts of one window; out likewise.  Undoes scaling, differencing
 * (adding to level, recursively) and log1p, in this order, and keeps the bounds.
 * Where the level to add to was never known, the last one known takes its place.
 * out may be raw.  Finite whenever raw is.
 */
extern void nn_unscale(const NnData *data, const NnWindow *window, uint32_t horizon,
					   const double *raw, double *out);

/*
 * The same for an interval: low and high [horizon][ntargets] are scaled bounds
 * around raw.  Under differencing the half-widths of the steps that add up are
 * combined as independent errors (root of the sum of squares), each side by
 * itself.  A bound on the wrong side of raw counts as raw: out_low <= forecast <=
 * out_high always.  Outputs may be the inputs.
 */
extern void nn_unscale_interval(const NnData *data, const NnWindow *window, uint32_t horizon,
								const double *raw, const double *low, const double *high,
								double *out_low, double *out_high);

#endif							/* NN_DATA_H */
