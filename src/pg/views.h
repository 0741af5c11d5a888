/*
 * views.h
 *		What the views of a model for dashboards are made of.  Only for views.c and
 *		views_select.c.
 */
#ifndef LSTM_VIEWS_H
#define LSTM_VIEWS_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "pg/model_run.h"

/* Whatever the search_path: an operator of the server. */
#define VIEWS_EQ			" OPERATOR(pg_catalog.=) "

typedef struct Views
{
	NnEnv	   *env;
	const char *model;
	const RegistryRow *lender;	/* whose stored source is read */
	const NnModel *trained;		/* the model; of a joint one its first member */
	bool		joint,
				future;			/* has it, or a member, future covariates? */
	Source	   *source;
	const char *schema,
			   *name;
	Oid			schema_oid;
	double		level;
	uint32		horizon;		/* 0: the model's own */
	uint32		history;		/* steps; 0: all */
	bool		stored;
	ReturnSetInfo *result;
} Views;

/* What the column of times is called: time, or index where it is an integer. */
extern const char *views_time_name(const Views *views);

/*
 * Appends the SELECT of the history and that of the forecast, with the same columns: time (or
 * index), metric, value, lower, upper, kind, series, target.
 */
extern void views_history_select(StringInfo text, const Views *views);
extern void views_forecast_select(StringInfo text, const Views *views);

#endif							/* LSTM_VIEWS_H */
