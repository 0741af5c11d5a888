/*
 * report.h
 *		lstm.report: what its files share.
 *
 *	report.c		the page: which parts there are, and what becomes of their errors
 *	report_parts.c	what each part says
 *	report_judge.c	errors on the rows there are now, beside classical methods
 *	report_html.c	tables, numbers and the style sheet
 */
#ifndef LSTM_REPORT_H
#define LSTM_REPORT_H

#include "postgres.h"

#include "core/nn_json.h"
#include "pg/joint_model.h"

/* Of the intervals that are drawn and judged. */
#define REPORT_LEVEL 0.95

typedef struct Report
{
	NnEnv	   *env;			/* of the call: all that the page is made from */
	const RegistryRow *row;		/* row->model is NULL of a joint model */
	const char *source, *future;	/* NULL: the stored one, none */
	uint32		plots;			/* forecasts to draw at most */
	uint32		horizon;
	ModelRun   *run;			/* NULL until report_forecasts has opened it, and when it cannot be */
	JointModel *joint;			/* NULL: a model that was trained */
} Report;

/*
 * A part writes its text, without heading; nothing at all when the model has no such
 * thing.  What it raises is shown in its place.
 */
typedef void (*ReportPart) (Report *report, NnText *html);

extern void report_forecasts(Report *report, NnText *html);
extern void report_validation(Report *report, NnText *html);
extern void report_evaluation(Report *report, NnText *html);
extern void report_training(Report *report, NnText *html);
extern void report_importance(Report *report, NnText *html);
extern void report_map(Report *report, NnText *html);
extern void report_data(Report *report, NnText *html);
extern void report_layers(Report *report, NnText *html);
extern void report_settings(Report *report, NnText *html);
extern void report_versions(Report *report, NnText *html);

/* Model, version, owner, and its numbers in brief; reads no source. */
extern void report_heading(Report *report, NnText *html);

/* ------------------------------------------------------------------------
 * HTML, in report_html.c
 */

/* Opens and closes the page. */
extern void html_begin(NnText *html, const char *title);
extern void html_end(NnText *html);

/* Opens a table with columns "name" (text) or "#name" (numbers, to the right). */
extern void html_table(NnText *html, uint32 n, const char *const *columns);
extern void html_table_end(NnText *html);

/* A row's cells: text (NULL: none), a number with four digits (NaN: none), a whole one. */
extern void html_text(NnText *html, const char *text);
extern void html_number(NnText *html, double number);
extern void html_integer(NnText *html, int64 number);

/* A line of a list of properties; text NULL or empty: none at all. */
extern void html_property(NnText *html, const char *name, const char *text);

/* names[0..n), at most most of them, with commas. */
extern const char *html_names(const NnEnv *env, char *const *names, uint32 n, uint32 most);

#endif							/* LSTM_REPORT_H */
