/*
 * report.c
 *		lstm.report: all about a model as one HTML page.
 *
 * Knows the order of the parts and what becomes of their errors.  Each part runs in a
 * subtransaction of its own: a source whose table is gone spoils what needs its rows,
 * not the rest, which the model's bytes and the registry tell.  A part that fails says so
 * on the page, in the words of the error.  What is not the part's own matter ends the
 * whole: cancelling, shutdown, privileges, a full disk, internal errors.
 *
 * Nothing is written, so it works in read-only transactions and on a standby.  The source
 * is read once for forecasts, errors and importance, and once by lstm.plot_map.
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "pg/env.h"
#include "pg/model_run.h"
#include "pg/plot_svg.h"
#include "pg/report.h"

PG_FUNCTION_INFO_V1(lstm_report);

enum
{
	ARG_MODEL, ARG_VERSION, ARG_SOURCE, ARG_FUTURE, ARG_SERIES
};

#define MOST_PLOTS 50

/* Is the error one that a part of the page may show? */
static bool
error_is_shown(const ErrorData *error)
{
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case ERRCODE_OPERATOR_INTERVENTION:
		case ERRCODE_INTERNAL_ERROR:
			return false;
		default:
			return error->sqlerrcode != ERRCODE_INSUFFICIENT_PRIVILEGE &&
				error->sqlerrcode != ERRCODE_DISK_FULL;
	}
}

typedef struct PartCall
{
	ReportPart	part;
	Report	   *report;
	NnText	   *html;
} PartCall;

static void
part_call(void *arg)
{
	PartCall   *call = arg;

	call->part(call->report, call->html);
}

/* Runs a part in a subtransaction; what it raised that is to be shown, or NULL. */
static ErrorData *
part_try(ReportPart part, Report *report, NnText *html)
{
	PartCall	call = {part, report, html};
	ErrorData  *error = subtransaction_try(part_call, &call);

	if (error != NULL && !error_is_shown(error))
		ReThrowError(error);
	return error;
}

static void
part_failed(NnText *html, const ErrorData *error)
{
	nn_text_print(html, "<p class=\"failed\">This part could not be made: ");
	plot_escape(html, error->message);
	if (error->hint != NULL)
	{
		nn_text_print(html, "<br/>");
		plot_escape(html, error->hint);
	}
	nn_text_print(html, "</p>");
}

typedef struct PartRow
{
	const char *id, *title;
	ReportPart	part;
	bool		is_long;		/* may be broken between pages of paper */
} PartRow;

/* Forecasts come first: the others look at the run that they open. */
static const PartRow parts[] = {
	{"forecasts", "Forecasts", report_forecasts, true},
	{"map", "Map", report_map, false},
	{"validation", "Validation", report_validation, false},
	{"evaluation", "On the rows there are now", report_evaluation, true},
	{"training", "Training", report_training, false},
	{"importance", "Importance of inputs", report_importance, false},
	{"data", "Data", report_data, true},
	{"layers", "Layers", report_layers, true},
	{"settings", "Settings", report_settings, true},
	{"versions", "Versions", report_versions, true}
};

static void
part_write(const PartRow *row, Report *report, NnText *html)
{
	NnText		body;
	ErrorData  *error;

	CHECK_FOR_INTERRUPTS();
	nn_text_init(&body, report->env);
	error = part_try(row->part, report, &body);
	if (error == NULL && body.length == 0)
		return;
	nn_text_print(html, "<section id=\"%s\"%s><h2>%s</h2>\n", row->id,
				  row->is_long ? " class=\"long\"" : "", row->title);
	if (error == NULL)
		nn_text_append(html, body.data, body.length);
	else
		part_failed(html, error);
	nn_text_print(html, "</section>\n");
}

static char *
report_write(Report *report)
{
	NnText		html;

	nn_text_init(&html, report->env);
	html_begin(&html, nn_format(report->env, "%s, version %d", report->row->name,
								report->row->version));
	report_heading(report, &html);
	for (size_t i = 0; i < lengthof(parts); i++)
		part_write(&parts[i], report, &html);
	nn_text_print(&html, "<footer>Made by lstm.report at %s</footer>\n",
				  timestamptz_to_str(GetCurrentTransactionStartTimestamp()));
	html_end(&html);
	return html.data;
}

static uint32
argument_plots(FunctionCallInfo fcinfo)
{
	int32		plots;

	if (PG_ARGISNULL(ARG_SERIES))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"series\" must not be null")));
	plots = PG_GETARG_INT32(ARG_SERIES);
	if (plots < 0 || plots > MOST_PLOTS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"series\" is %d, outside of its range", plots),
				 errhint("Give a number of forecasts to draw between 0 and %d.", MOST_PLOTS)));
	return (uint32) plots;
}

Datum
lstm_report(PG_FUNCTION_ARGS)
{
	CallMemory	memory = call_memory_begin();
	char	   *name = argument_text_required(fcinfo, ARG_MODEL, "model");
	Report		report = {
		.env = env_create(memory.own),
		.source = argument_text(fcinfo, ARG_SOURCE),
		.future = argument_text(fcinfo, ARG_FUTURE),
		.plots = argument_plots(fcinfo)
	};
	char	   *page;
	text	   *result;

	report.row = registry_find(name, argument_version(fcinfo, ARG_VERSION));
	page = report_write(&report);
	MemoryContextSwitchTo(memory.caller);
	result = cstring_to_text(page);
	call_memory_end(memory);
	PG_RETURN_TEXT_P(result);
}
