/*
 * probe.h
 *		Windows of a source cut out, changed, and forecast.
 *
 * What explain, robustness and detect_anomalies share.  Each piece is a copy of the
 * rows that a forecast reads of its series, in original units, as a series of its
 * own: what is changed in one is changed in no other, and is treated, filled and
 * scaled by the model as if it had come so.
 *
 * Where several sites are forecast together, a piece is a stretch of time of all series:
 * a series for each piece of each site's, the pieces of one after the other.  They are
 * prepared as such, and forecast as one long series of each site.
 *
 * Pieces reach back as far as the network (context, difference) and the simple
 * members of the model look, and as much again as the context, for gaps.
 */
#ifndef LSTM_PROBE_H
#define LSTM_PROBE_H

#include "postgres.h"

#include "pg/model_run.h"

/* Windows looked at unless the caller says otherwise. */
#define PROBE_WINDOWS	256

/* Of several sites: windows of all at that many times, between these bounds. */
#define PROBE_SITE_WINDOWS	4096
#define PROBE_TIMES_LEAST	32

/* Streams of random numbers, see nn_rng.h. */
#define PROBE_STREAM	0x50000u

/*
 * Rows begin to end - 1 (of all rows) of a series (the first of several sites); targets are
 * known before history.
 */
typedef struct ProbePiece
{
	uint32		series;
	uint32		begin, history, end;
} ProbePiece;

/* n pieces as series: a copy of rows that may be changed. */
extern NnSeries *probe_series(const NnEnv *env, const ModelRun *run, const ProbePiece *piece,
							  uint32 n);

/* Prepares it as the model does; piece tells the series' groups and identities. */
extern NnData *probe_prepare(const NnEnv *env, const ModelRun *run, const NnSeries *series,
							 const ProbePiece *piece, uint32 n);

/*
 * First row, in that series, of piece i of n of the run's series s; and the window of it whose
 * origin is that many rows later, in what probe_prepare has made.
 */
extern uint32 probe_first(const ModelRun *run, const NnSeries *series, uint32 n, uint32 i, uint32 s);
extern NnWindow probe_window(const ModelRun *run, const NnSeries *series, uint32 n, uint32 i,
							 uint32 s, uint32 row);

/* First row of a piece whose oldest origin is origin (row of all rows). */
extern uint32 probe_begin(const ModelRun *run, uint32 series, uint32 origin);

/* Many windows of a source, one piece each; of several sites, one for each time. */
typedef struct Probe
{
	ModelRun   *run;
	uint32		horizon;
	uint32		npieces;
	uint32		per;			/* windows of a piece: 1, or one of each series */
	uint32		n;				/* npieces * per windows, piece by piece */
	NnWindow   *origin;			/* [n] in the run's rows */
	ProbePiece *piece;			/* [npieces] */
	NnSeries   *series;			/* as they are */
	NnWindow   *window;			/* [n] in what is prepared of them */
	uint32	   *begin, *end;	/* [n] rows of the window's piece in its series: first, after the last */
	double	   *actual;			/* [n][horizon][ntargets], NaN: unknown */
	double	   *scale;			/* [n][ntargets] of the target, original units */
	double	   *point;			/* [n][horizon][ntargets] of the last probe_forecast */
	NnPredictor *predictor;
	MemoryContext scratch;		/* of one probe_forecast */
} Probe;

/*
 * Every stride-th window with horizon rows after it (one at least, where no window has
 * as many) of series only (PG_UINT32_MAX: of all); stride 0: at most PROBE_WINDOWS,
 * evenly spaced, and as memory allows.  Error 22000 when there is none.
 */
extern Probe *probe_create(ModelRun *run, uint32 horizon, uint32 stride, uint32 only);

/*
 * Forecasts all windows into probe->point after change (NULL: as they are), which may
 * write the values, statics and rows' arrays (NnArray.at) of series; their shape stays.
 */
typedef void (*ProbeChange) (void *host, const Probe *probe, NnSeries *series);

extern void probe_forecast(Probe *probe, ProbeChange change, void *host);

/*
 * value moved by a share of its column's scale on the axis that the model scales on
 * (logarithms under log1p); NaN stays.  group, c: of the model's preparation.
 */
extern double probe_move(const ModelRun *run, uint32 group, uint32 c, double value, double share);

/* First row of window i's context, within its piece. */
extern uint32 probe_context_begin(const Probe *probe, uint32 i);

/* A seed; NULL is an error. */
extern uint64 probe_seed(FunctionCallInfo fcinfo, int i);

/* The horizon of the call, or the model's; checked. */
extern uint32 probe_horizon(const ModelRun *run, uint32 horizon);

#endif							/* LSTM_PROBE_H */
