/* ------------------------------------------------------------------------
 * Look at models
 */

CREATE FUNCTION lstm.describe(model text, version int DEFAULT NULL) RETURNS jsonb
	AS 'MODULE_PATHNAME', 'lstm_describe' LANGUAGE C STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION lstm.describe(text, int) IS
'all that is known about the deployed or the given version of a model: owner, versions, columns, frequency, time zone, settings, layers, learned weights of fusions, training report.
Errors: 22004 NULL model, 42704 no such model or version, 55000 no version is deployed.';

CREATE FUNCTION lstm.layers(model text, version int DEFAULT NULL)
	RETURNS TABLE (
		"position"		int,
		name			text,
		type			text,
		inputs			text[],
		output_shape	int[],
		parameters		bigint)
	AS 'MODULE_PATHNAME', 'lstm_layers' LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION lstm.layers(text, int) IS
'the layers of a model in order of computation; output_shape is {time, channels}.
Errors as of lstm.describe.';

CREATE FUNCTION lstm.sites(model text, version int DEFAULT NULL)
	RETURNS TABLE (
		site			int,
		series			text,
		"row"			int,
		"column"		int,
		geom			bytea,
		geography		boolean)
	AS 'MODULE_PATHNAME', 'lstm_sites' LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100;
COMMENT ON FUNCTION lstm.sites(text, int) IS
'where the series of a model are: its site from 1, row and column from 1 where sites are cells of a grid, the place as extended well-known binary where geom was given, and whether that is geography.  No row for a model that knows nothing of places.
Errors: 22004 NULL model, 42704 no such model or version, 55000 no version is deployed.';

CREATE FUNCTION lstm.graph(model text, version int DEFAULT NULL)
	RETURNS TABLE (
		source			text,
		target			text,
		weight			float8)
	AS 'MODULE_PATHNAME', 'lstm_graph' LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100;
COMMENT ON FUNCTION lstm.graph(text, int) IS
'the edges between the series of a model: series target sees series source with that weight.  No row for a model without a graph.
Errors: 22004 NULL model, 42704 no such model or version, 55000 no version is deployed.';

CREATE FUNCTION lstm.tensors(model text, version int DEFAULT NULL)
	RETURNS TABLE (
		name			text,
		shape			int[],
		"values"		float4[])
	AS 'MODULE_PATHNAME', 'lstm_tensors' LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 20;
COMMENT ON FUNCTION lstm.tensors(text, int) IS
'the weights of a model: names as in PyTorch (weight_ih, weight_hh, bias; gates in the order i, f, g, o), values row by row as in model::bytea.
Errors as of lstm.describe.';

CREATE FUNCTION lstm.training_log(model text DEFAULT NULL, version int DEFAULT NULL, job bigint DEFAULT NULL)
	RETURNS TABLE (
		epoch			int,
		loss			float8,
		validation_loss	float8,
		learning_rate	float8,
		gradient_norm	float8,
		training		int,
		part			text)
	AS 'MODULE_PATHNAME', 'lstm_training_log' LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 50;
COMMENT ON FUNCTION lstm.training_log(text, int, bigint) IS
'one row per epoch of the training: losses on the scaled axis (validation_loss NULL without a validation part), mean norm of the gradient before clipping.
job: of a background job instead of a model, while it runs and after it has ended in whatever way; training counts its trainings from 1, part says what each was of.  Both are NULL for a model.
Errors as of lstm.describe; 22023 a model or a version beside a job; 42704 no such job.';

