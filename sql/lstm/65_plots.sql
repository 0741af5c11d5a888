/* ------------------------------------------------------------------------
 * Pictures
 */

CREATE FUNCTION lstm.plot_forecast(
	model				text,
	series				text DEFAULT NULL,
	target				text DEFAULT NULL,
	horizon				int DEFAULT NULL,
	history				int DEFAULT NULL,
	confidence_level	float8 DEFAULT 0.95,
	source				text DEFAULT NULL,
	future				text DEFAULT NULL,
	version				int DEFAULT NULL)
	RETURNS xml
	AS 'MODULE_PATHNAME', 'lstm_plot_forecast' LANGUAGE C STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION lstm.plot_forecast(text, text, text, int, int, float8, text, text, int) IS
'a picture (SVG, light and dark, no script) of the forecast of one series and target with its interval, after the last history rows.
series and target: the first when left out, with a NOTICE where there are others; history: rows shown (the context, but four to eight horizons, and 24 rows at least); values that are not known are gaps.
An interval many times wider than all values is cut at the axis, and the legend says so.  The text is below 100 kB, however many rows are shown.
Errors as of lstm.forecast; 22023 no such series or target, history below 1.';

CREATE FUNCTION lstm.plot_training(model text, version int DEFAULT NULL)
	RETURNS xml
	AS 'MODULE_PATHNAME', 'lstm_plot_training' LANGUAGE C STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION lstm.plot_training(text, int) IS
'a picture (SVG, as of lstm.plot_forecast) of lstm.training_log: training and validation loss by epoch, on a logarithmic axis where they span more than a factor of 20 above 0, and the epoch whose weights were kept.  Reads no source.
Errors as of lstm.describe; 0A000 a joint model.';

CREATE FUNCTION lstm.plot_importance(
	model				text,
	series				text DEFAULT NULL,
	target				text DEFAULT NULL,
	source				text DEFAULT NULL,
	horizon				int DEFAULT NULL,
	version				int DEFAULT NULL,
	seed				bigint DEFAULT 0)
	RETURNS xml
	AS 'MODULE_PATHNAME', 'lstm_plot_importance' LANGUAGE C STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION lstm.plot_importance(text, text, text, text, int, int, bigint) IS
'a picture (SVG, as of lstm.plot_forecast) of lstm.explain(method => ''permutation''): for each input how much the error grows when it is shuffled, the 20 largest; means over the targets unless one is named.  Costs less than lstm.explain, as lags are not shuffled one by one.
Errors as of lstm.explain.';

CREATE FUNCTION lstm.sparkline("values" float8[]) RETURNS text
	AS 'MODULE_PATHNAME', 'lstm_sparkline' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lstm.sparkline(float8[]) IS
'numbers as a line of text, a character each, from the lowest to the highest: the blocks U+2581 to U+2588 in a database of encoding UTF8, in others _.-:=+*#.
NULL and NaN are blanks; infinities are at the ends and do not count for the range; equal numbers are in the middle; an empty array is an empty text.';

CREATE FUNCTION lstm.report(
	model				text,
	version				int DEFAULT NULL,
	source				text DEFAULT NULL,
	future				text DEFAULT NULL,
	series				int DEFAULT 3)
	RETURNS text
	AS 'MODULE_PATHNAME', 'lstm_report' LANGUAGE C STABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION lstm.report(text, int, text, text, int) IS
'all about a model as one HTML page for a browser or an e-mail (well-formed XML too; no script, no reference to the outside, light and dark, fit for printing): its forecasts of the first so many series (0 to 50), errors beside the baseline on validation rows, errors beside classical methods on the rows there are now (on those newer than the training alone, where a series has 20 of them and three horizons), losses, importance of inputs, map (where lstm_postgis and places are there), data, layers, settings, versions.
Costs about what lstm.evaluate at some 300 origins (one of each series, where there are more), lstm.plot_importance and a lstm.forecast cost together, and at most about a second for holt_winters, theta and ar, which are left out where they would take longer; the source is read once or, with a map, twice.
A part that cannot be made, as when the source''s table is gone, says why and the others are there; a warning or notice of a part stays a warning or notice.  Parallel unsafe, as it catches errors.
Errors as of lstm.describe; 22004 NULL series, 22023 series out of range; 42501 no right on the source, and cancelling, end it.';
