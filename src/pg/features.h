/*
 * features.h
 *		Known-future covariates made from the time: calendar and holidays.
 *
 * A word of "calendar" is the sine and the cosine of where a row's time stands in its
 * hour, day, week, month or year, on the clock of the model's time zone; "holidays"
 * is one channel, 1 on its dates.  They follow the future covariates that the source
 * has, and reach ahead of its rows.
 */
#ifndef LSTM_FEATURES_H
#define LSTM_FEATURES_H

#include "postgres.h"

#include "core/nn_spec.h"
#include "pg/source.h"

/* Dates, ascending: days since 2000-01-01. */
typedef struct Holidays
{
	uint32		n;
	int64	   *day;			/* [n] */
} Holidays;

/*
 * The dates in the first column of text, a table's name or one SELECT; run as how
 * says (search_path, time_zone, read_only, bound).  Instants are dates in zone.
 * Errors: those of source_resolve's texts and of the query itself, 42804 no date,
 * 22004 NULL, 22000 an infinite date, 53200.
 */
extern Holidays *holidays_read(const NnEnv *env, const char *text, const Source *how,
							   const char *zone);

/*
 * Bits NN_CALENDAR_* that rows like these can learn from: a step below the period,
 * and rows enough to see it return.  0 for integers.  Cost: one look at each series.
 *
 *	minute		step below an hour, a day of rows
 *	hour		step below a day, three days
 *	weekday		step up to a day, four weeks
 *	year_day	step below four weeks, two years
 *	month		step in months below a year, two years
 */
extern uint32 features_choose(const SourceData *data);

/*
 * Widens data's rows by the channels of calendar (bits, not auto) and holidays (NULL:
 * none), in place, and lengthens each series to ahead rows after its history at
 * least; there all but what is made is unknown.  Nothing is done without channels.
 * Errors: 54000 too many rows, 53200, 22008 times out of range.
 */
extern void features_add(const NnEnv *env, SourceData *data, uint32 calendar,
						 const Holidays *holidays, uint32 ahead);

/*
 * What training does before anything else looks at the rows: auto becomes words,
 * holidays are read, channels are added, spec->nfuture counts them.  Error 22023: an
 * integer time column, a word that is the same at every step.
 */
extern void features_train(const NnEnv *env, NnSpec *spec, SourceData *data);

/*
 * The same for a model's rows; how: see holidays_read.  ahead is made whole
 * multiples of the steps that the network forecasts at once.
 */
extern void features_forecast(const NnEnv *env, const NnSpec *spec, SourceData *data,
							  const Source *how, uint32 ahead);

#endif							/* LSTM_FEATURES_H */
