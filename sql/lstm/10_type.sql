/* ------------------------------------------------------------------------
 * The type of a trained model
 */

CREATE TYPE lstm.model;

CREATE FUNCTION lstm.model_in(cstring) RETURNS lstm.model
	AS 'MODULE_PATHNAME', 'lstm_model_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lstm.model_in(cstring) IS
'input of lstm.model: text as of bytea (hex), checked whole; 22P03 when it is no model';

CREATE FUNCTION lstm.model_out(lstm.model) RETURNS cstring
	AS 'MODULE_PATHNAME', 'lstm_model_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lstm.model_out(lstm.model) IS
'output of lstm.model: the bytes in hex, whatever bytea_output says';

CREATE FUNCTION lstm.model_recv(internal) RETURNS lstm.model
	AS 'MODULE_PATHNAME', 'lstm_model_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lstm.model_recv(internal) IS
'binary input of lstm.model: the bytes, checked whole; 22P03 when they are no model';

CREATE FUNCTION lstm.model_send(lstm.model) RETURNS bytea
	AS 'MODULE_PATHNAME', 'lstm_model_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lstm.model_send(lstm.model) IS
'binary output of lstm.model: the bytes';

-- Weights do not compress; external storage leaves out the attempt.
CREATE TYPE lstm.model (
	INPUT = lstm.model_in,
	OUTPUT = lstm.model_out,
	RECEIVE = lstm.model_recv,
	SEND = lstm.model_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = int4,
	STORAGE = external
);
COMMENT ON TYPE lstm.model IS
'a trained model as a value: the bytes of one safetensors file (at most 256 MiB) with settings, preparation, weights and training log; equal data, options and seed give equal bytes';

CREATE FUNCTION lstm.model(bytes bytea) RETURNS lstm.model
	AS 'MODULE_PATHNAME', 'lstm_model_from_bytea' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lstm.model(bytea) IS
'the model whose safetensors file these bytes are, checked whole; 22P03 when they are no model, 54000 above 256 MiB';

CREATE CAST (bytea AS lstm.model) WITH FUNCTION lstm.model(bytea);
COMMENT ON CAST (bytea AS lstm.model) IS 'checks the bytes whole';

CREATE CAST (lstm.model AS bytea) WITHOUT FUNCTION;
COMMENT ON CAST (lstm.model AS bytea) IS
'the bytes as they are stored: a safetensors file; md5(model::bytea) tells whether two models are equal';

