/*
 * report_parts.c
 *		What each part of lstm.report says.
 *
 * Pictures are those of plot.h, tables those of the functions that a user would call;
 * statements that run a source leave the search_path as the caller has it, so they name
 * all in full and use no operator.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "core/nn_json.h"
#include "core/nn_predict.h"
#include "pg/env.h"
#include "pg/model_run.h"
#include "pg/plot.h"
#include "pg/plot_svg.h"
#include "pg/report.h"

/* Names in lists. */
#define NAMES 30


/* ------------------------------------------------------------------------
 * Heading
 */

static void
number_card(NnText *html, const char *name, const char *value)
{
	nn_text_print(html, "<div><b>%s</b><span>%s</span></div>", value, name);
}

static void
number_card_float(NnText *html, const char *name, double value)
{
	if (isfinite(value))
		number_card(html, name, nn_format(html->env, "%.3g", value));
}

static void
cards_of_model(const Report *report, NnText *html)
{
	const NnModel *model = report->row->model;

	number_card_float(html, "skill on validation", model->report.skill);
	number_card_float(html, "MAE on validation", model->report.mae);
	number_card(html, model->spec.forecast_horizon == 1 ? "step ahead" : "steps ahead",
				nn_format(html->env, "%u", model->spec.forecast_horizon));
	number_card(html, "series", nn_format(html->env, "%u", model->nseries));
	number_card(html, "rows", nn_format(html->env, UINT64_FORMAT, (uint64) model->report.rows));
	number_card(html, "parameters", nn_format(html->env, "%zu", model->nparams));
}

/* SPI_getvalue of that row, "" for NULL. */
static const char *
value_text(uint64 row, int column)
{
	char	   *text = SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);

	return text != NULL ? text : "";
}

static void
heading_row(const Report *report, NnText *html)
{
	Oid			types[2] = {TEXTOID, INT4OID};
	Datum		values[2] = {
		CStringGetTextDatum(report->row->name), Int32GetDatum(report->row->version)
	};
	int			nest_level = registry_begin();

	(void) SPI_execute_with_args("SELECT CASE WHEN deployed THEN 'deployed' ELSE 'not deployed' END,"
								 " trained_at::timestamptz(0), owner FROM lstm.models"
								 " WHERE name = $1 AND version = $2", 2, types, values, NULL, true, 1);
	if (SPI_processed > 0)
	{
		nn_text_print(html, "<p>version %d, %s, trained ", report->row->version, value_text(0, 1));
		plot_escape(html, value_text(0, 2));
		nn_text_print(html, " by ");
		plot_escape(html, value_text(0, 3));
		nn_text_print(html, "</p>\n");
	}
	registry_end(nest_level);
}

void
report_heading(Report *report, NnText *html)
{
	MemoryContext context = CurrentMemoryContext;

	nn_text_print(html, "<h1>");
	plot_escape(html, report->row->name);
	nn_text_print(html, "</h1>");
	heading_row(report, html);
	MemoryContextSwitchTo(context);
	if (report->row->joint != NULL)
		nn_text_print(html, "<p>A joint model: its forecasts are mixed from those of its members.</p>\n");
	else
	{
		nn_text_print(html, "<div class=\"numbers\">");
		cards_of_model(report, html);
		nn_text_print(html, "</div>\n");
	}
}

/* ------------------------------------------------------------------------
 * Pictures
 */

void
report_forecasts(Report *report, NnText *html)
{
	uint32		drawn = 0,
				horizon = 0;
	JointModel *joint;
	ModelRun   *run = joint_or_model_open(report->row->name, report->row->version, report->source,
										  report->future, NULL, &horizon, &joint);
	uint32		nseries = run->data->series.nseries,
				ntargets = (uint32) run->roles.ntargets,
				all = nseries * ntargets;

	report->run = run;
	report->joint = joint;
	report->horizon = horizon;
	if (report->plots > 0 && report->plots < all)
		nn_text_print(html, "<p>The first %u of %u series%s.</p>", report->plots, all,
					  ntargets > 1 ? " and targets" : "");
	for (uint32 s = 0; s < nseries && drawn < report->plots; s++)
		for (uint32 k = 0; k < ntargets && drawn < report->plots; k++, drawn++)
		{
			PlotCall	call = {report->row->name, s, k, horizon, 0, REPORT_LEVEL};
			char	   *svg;

			CHECK_FOR_INTERRUPTS();
			svg = plot_model_svg(run, joint, &call);
			nn_text_append(html, svg, strlen(svg));
		}
}

void
report_training(Report *report, NnText *html)
{
	const NnModel *model = report->row->model;
	char	   *svg;

	if (model == NULL || model->report.nepochs == 0)
		return;
	svg = plot_training_svg(report->env, "Losses by epoch", &model->report);
	nn_text_append(html, svg, strlen(svg));
}

void
report_importance(Report *report, NnText *html)
{
	PlotImportance call = {
		report->row->name, report->run, PG_UINT32_MAX, PG_UINT32_MAX, report->horizon, 0
	};
	char	   *svg;

	if (report->run == NULL || report->joint != NULL)
		return;
	svg = plot_importance_svg(&call);
	nn_text_append(html, svg, strlen(svg));
}

void
report_map(Report *report, NnText *html)
{
	const NnModel *model = report->row->model;
	Oid			types[5] = {TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT4OID};
	Datum		values[5] = {0};
	char		nulls[6] = "  nn ";

	if (model == NULL || model->sites == NULL || model->sites->geom == NULL ||
		!OidIsValid(get_extension_oid("lstm_postgis", true)))
		return;
	SPI_connect();
	values[0] = CStringGetTextDatum(report->row->name);
	values[1] = CStringGetTextDatum(model->target[0]);
	if (report->source != NULL)
	{
		values[2] = CStringGetTextDatum(report->source);
		nulls[2] = ' ';
	}
	if (report->future != NULL)
	{
		values[3] = CStringGetTextDatum(report->future);
		nulls[3] = ' ';
	}
	values[4] = Int32GetDatum(report->row->version);
	(void) SPI_execute_with_args("SELECT lstm.plot_map($1, 1, $2, $3, $4, NULL, $5)", 5, types, values,
								 nulls, true, 1);
	if (SPI_processed > 0)
	{
		const char *svg = value_text(0, 1);

		nn_text_append(html, svg, strlen(svg));
	}
	SPI_finish();
}

/* ------------------------------------------------------------------------
 * Errors
 */

static void
validation_of_joint(const Report *report, NnText *html)
{
	static const char *const columns[] = {"member", "#version", "#weight", "#MAE alone"};
	JointModel *joint = joint_read(report->env, report->row);

	nn_text_print(html, "<p>The members of the joint model, and their mean absolute errors on the rows "
				  "that it was judged on; the joint model's is %.4g, its skill against the better of the "
				  "first two %.3g.</p>", joint->mae, joint->skill);
	html_table(html, lengthof(columns), columns);
	for (uint32 m = 0; m < joint->nmembers; m++)
	{
		nn_text_print(html, "<tr>");
		html_text(html, joint->member[m].name);
		html_integer(html, joint->member[m].version);
		html_number(html, joint->member[m].weight);
		html_number(html, joint->member[m].mae);
		nn_text_print(html, "</tr>\n");
	}
	html_table_end(html);
}

static void
validation_row(NnText *html, const char *name, double weight, double mae, double baseline)
{
	nn_text_print(html, "<tr>");
	html_text(html, name);
	html_number(html, weight);
	html_number(html, mae);
	html_number(html, baseline > 0 ? 1 - mae / baseline : NAN);
	nn_text_print(html, "</tr>\n");
}

void
report_validation(Report *report, NnText *html)
{
	static const char *const columns[] = {"method", "#weight", "#MAE", "#skill"};
	const NnModel *model = report->row->model;
	uint32		members;

	if (report->row->joint != NULL)
	{
		validation_of_joint(report, html);
		return;
	}
	if (isnan(model->report.mae))
		return;
	members = nn_member_count(&model->spec);
	nn_text_print(html, "<p>Mean absolute errors on the newest rows of the training data, from which no "
				  "weight was learned; skill is 1 - MAE / MAE of the baseline.</p>");
	html_table(html, lengthof(columns), columns);
	validation_row(html, "this model", NAN, model->report.mae, model->report.baseline_mae);
	for (uint32 m = 0; m < members && members > 1; m++)
		validation_row(html, nn_format(report->env, "its member %s, alone",
									   nn_member_name(&model->spec, m)),
					   model->weight ? model->weight[m] : NAN, model->report.member_mae[m],
					   model->report.baseline_mae);
	validation_row(html, model->spec.season > 1 ? "seasonal naive (baseline)" : "naive (baseline)", NAN,
				   model->report.baseline_mae, model->report.baseline_mae);
	html_table_end(html);
}

/* ------------------------------------------------------------------------
 * Data and settings
 */

/* Times are on the grid of each series, so the outer ones are found among all. */
static const char *
data_range(const Report *report)
{
	const ModelRun *run = report->run;
	const NnSeries *series = &run->data->series;
	int64		from = PG_INT64_MAX,
				to = PG_INT64_MIN;

	for (uint32 s = 0; s < series->nseries; s++)
	{
		if (series->history[s] == 0)
			continue;
		from = Min(from, source_time(run->data, s, 0));
		to = Max(to, source_time(run->data, s, (int64) series->history[s] - 1));
	}
	if (from > to)
		return NULL;
	return nn_format(report->env, "%s to %s", nn_time_print(report->env, run->data->kind, from),
					 nn_time_print(report->env, run->data->kind, to));
}

static void
data_of_model(const Report *report, NnText *html)
{
	const NnEnv *env = report->env;
	const NnModel *model = report->row->model;
	const NnSpec *spec = &model->spec;

	html_property(html, "Time", model->time_column);
	html_property(html, "Frequency", nn_frequency_print(env, &model->frequency));
	html_property(html, "Time zone", model->zone);
	html_property(html, "Targets", html_names(env, model->target, spec->ntargets, NAMES));
	html_property(html, "Past covariates", html_names(env, model->past, spec->npast, NAMES));
	html_property(html, "Future covariates",
				  html_names(env, model->future, spec->nfuture - nn_future_made(spec), NAMES));
	html_property(html, "Static covariates",
				  html_names(env, model->statics, model->nstatic_columns, NAMES));
	html_property(html, "Series by", html_names(env, model->series_column, model->nseries_columns, NAMES));
	if (model->nseries_columns > 0)
		html_property(html, "Series", html_names(env, model->series, model->nseries, NAMES));
	html_property(html, "Rows trained on", nn_format(env, UINT64_FORMAT, (uint64) model->report.rows));
}

/* What the registry keeps beside a version (lineage.h); NULL of joint models but for the last three. */
static void
data_of_version(const Report *report, NnText *html)
{
	static const char *const names[] = {
		"Range trained on", "SHA-256 of these rows", "Seconds of training", "Version of lstm", "Trained by"
	};
	Oid			types[2] = {TEXTOID, INT4OID};
	Datum		values[2] = {
		CStringGetTextDatum(report->row->name), Int32GetDatum(report->row->version)
	};
	int			nest_level = registry_begin();

	(void) SPI_execute_with_args("SELECT (data->>'from') || ' to ' || (data->>'to'), data->>'sha256',"
								 " round(seconds::numeric, 2), extension_version, trained_by"
								 " FROM lstm.models WHERE name = $1 AND version = $2",
								 2, types, values, NULL, true, 1);
	for (int i = 0; SPI_processed > 0 && i < (int) lengthof(names); i++)
		html_property(html, names[i], value_text(0, i + 1));
	registry_end(nest_level);
}

void
report_data(Report *report, NnText *html)
{
	MemoryContext context = CurrentMemoryContext;

	nn_text_print(html, "<dl>\n");
	if (report->row->model != NULL)
		data_of_model(report, html);
	data_of_version(report, html);
	MemoryContextSwitchTo(context);
	if (report->run != NULL)
	{
		html_property(html, "Rows now", nn_format(report->env, UINT64_FORMAT,
												  (uint64) report->run->data->rows));
		html_property(html, "Range now", data_range(report));
	}
	if (report->row->source != NULL)
	{
		nn_text_print(html, "<dt>Source</dt><dd><pre>");
		plot_escape_lines(html, report->row->source);
		nn_text_print(html, "</pre></dd>");
	}
	html_property(html, "Search path", report->row->search_path);
	nn_text_print(html, "</dl>\n");
}

void
report_layers(Report *report, NnText *html)
{
	static const char *const columns[] = {"#", "name", "type", "inputs", "output shape", "#parameters"};
	Oid			types[2] = {TEXTOID, INT4OID};
	Datum		values[2];

	if (report->row->joint != NULL)
		return;
	SPI_connect();
	values[0] = CStringGetTextDatum(report->row->name);
	values[1] = Int32GetDatum(report->row->version);
	(void) SPI_execute_with_args("SELECT l.position, l.name, l.type,"
								 " pg_catalog.array_to_string(l.inputs, ', '),"
								 " pg_catalog.array_to_string(l.output_shape, ' x '), l.parameters"
								 " FROM lstm.layers($1, $2) AS l", 2, types, values, NULL, true, 0);
	html_table(html, lengthof(columns), columns);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		nn_text_print(html, "<tr>");
		html_integer(html, strtoll(value_text(row, 1), NULL, 10));
		for (int column = 2; column <= 5; column++)
			html_text(html, value_text(row, column));
		html_integer(html, strtoll(value_text(row, 6), NULL, 10));
		nn_text_print(html, "</tr>\n");
	}
	html_table_end(html);
	SPI_finish();
}

/* Settings as they were trained with, but for the layers, which have a table. */
void
report_settings(Report *report, NnText *html)
{
	const NnEnv *env = report->env;
	NnText		text;
	NnJson	   *tree;

	if (report->row->model == NULL)
		return;
	nn_text_init(&text, env);
	nn_spec_write(&text, &report->row->model->spec);
	tree = nn_json_parse(env, text.data, text.length, "settings", NN_BAD_MODEL);
	nn_text_print(html, "<dl class=\"wide\">\n");
	for (const NnJson *e = tree->child; e != NULL; e = e->next)
	{
		NnText		value;

		if (strcmp(e->key, "layers") == 0)
			continue;
		nn_text_init(&value, env);
		nn_json_tree(&value, e);
		nn_text_print(html, "<div><dt>");
		plot_escape(html, e->key);
		nn_text_print(html, "</dt><dd>");
		plot_escape(html, e->type == NN_JSON_STRING ? e->string : value.data);
		nn_text_print(html, "</dd></div>\n");
	}
	nn_text_print(html, "</dl>\n");
}

void
report_versions(Report *report, NnText *html)
{
	static const char *const columns[] = {"#version", "trained", "state", "#rows", "#MAE", "#skill"};
	Oid			types[2] = {TEXTOID, INT4OID};
	Datum		values[2] = {
		CStringGetTextDatum(report->row->name), Int32GetDatum(report->row->version)
	};
	int			nest_level = registry_begin();

	(void) SPI_execute_with_args("SELECT version, trained_at::timestamptz(0),"
								 " concat_ws(', ', CASE WHEN deployed THEN 'deployed' END,"
								 " CASE WHEN version = $2 THEN 'this' END),"
								 " rows, metrics->>'mae', metrics->>'skill' FROM lstm.models WHERE name = $1"
								 " ORDER BY version DESC LIMIT 100", 2, types, values, NULL, true, 0);
	html_table(html, lengthof(columns), columns);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		nn_text_print(html, "<tr>");
		html_integer(html, strtoll(value_text(row, 1), NULL, 10));
		html_text(html, value_text(row, 2));
		html_text(html, value_text(row, 3));
		html_integer(html, strtoll(value_text(row, 4), NULL, 10));
		for (int column = 5; column <= 6; column++)
			html_number(html, value_text(row, column)[0] == '\0' ? NAN :
						strtod(value_text(row, column), NULL));
		nn_text_print(html, "</tr>\n");
	}
	html_table_end(html);
	registry_end(nest_level);
}
