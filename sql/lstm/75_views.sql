/* ------------------------------------------------------------------------
 * Views for dashboards
 */

CREATE FUNCTION lstm.create_views(
	model				text,
	schema				text DEFAULT NULL,
	name				text DEFAULT NULL,
	confidence_level	float8 DEFAULT NULL,
	horizon				int DEFAULT NULL,
	history				int DEFAULT NULL,
	stored				boolean DEFAULT NULL)
	RETURNS TABLE (
		"view"				text,
		columns				text)
	AS 'MODULE_PATHNAME', 'lstm_create_views' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 3;
COMMENT ON FUNCTION lstm.create_views(text, text, text, float8, int, int, boolean) IS
'makes (or renews) views of a model for dashboards, and returns their names and columns.
name (the model''s, as it is): time, metric, value, lower, upper, kind (history or forecast), series, target; metric names the line: series, target or both.  name_prophet: ds, y, yhat, yhat_lower, yhat_upper, metric, series, target.  name_superset: __timestamp, series, and for each target its name and that with __yhat, __yhat_lower and __yhat_upper, one row per series and time.  Longer names are cut and marked with a hash.
An argument that is NULL stays as the view that is there was made with (its comment says how), else it is the default.
schema: the first of search_path; confidence_level: of the interval (0.95); horizon: steps of the forecast, 0: the model''s own (the default); history: steps before the newest row that has a target (1000), 0: all; the source is read in the view, so filters on time reach its indexes where its time column is timestamptz.
stored: the newest forecast that lstm.refresh_forecasts stored, and its confidence level, instead of one that each reading computes (false).
A computed forecast of a model with future covariates needs their rows to come in the source; a WARNING tells where it has none.
With an integer time column there is only the first view, and its time is the column index.
The views belong to the caller and are never taken from another: an existing view is replaced when this function made it for that model, or for one that is gone (renamed, dropped), and the caller owns it; its options and grants stay.  History is read with the rights of the view''s owner, forecasts are computed with those of the reader.
Source and columns are bound when the views are made: call it again after a version with others is deployed, or the model is renamed (name: the old one, where views are to keep it).
Errors: 22004 NULL, 22023 confidence_level, horizon or history, 42602 no name of a view, 3F000 no schema, 25006 read-only transaction, 42P07 another relation has the name, 42501 a view of another role, a source that the caller may not run, or no right to create in the schema, 42P16 the columns of the model have changed, 55000 a model without a source of its own, 42704 no such model.';
