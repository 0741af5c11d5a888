/*
 * space_look.c
 *		lstm.sites and lstm.graph: where the series of a model are, and what joins them.
 *
 * Read from the model's bytes alone; a site without a series has no row.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "core/nn_graph.h"
#include "pg/env.h"
#include "pg/model_run.h"
#include "pg/registry.h"

PG_FUNCTION_INFO_V1(lstm_sites);
PG_FUNCTION_INFO_V1(lstm_graph);

/* The model that the arguments (model text, version int) name. */
static const NnModel *
space_get(FunctionCallInfo fcinfo)
{
	char	   *name = argument_text_required(fcinfo, 0, "model");

	return registry_get(name, argument_version(fcinfo, 1))->model;
}

static int
digit_value(char digit)
{
	return digit <= '9' ? digit - '0' : digit - 'A' + 10;
}

/* The bytes of hexadecimal digits, which the reader of models has proven to be some. */
static bytea *
hex_bytes(const char *hex)
{
	size_t		n = strlen(hex) / 2;
	bytea	   *bytes = palloc(VARHDRSZ + n);
	unsigned char *to = (unsigned char *) VARDATA(bytes);

	SET_VARSIZE(bytes, VARHDRSZ + n);
	for (size_t i = 0; i < n; i++)
		to[i] = (unsigned char) (digit_value(hex[2 * i]) << 4 | digit_value(hex[2 * i + 1]));
	return bytes;
}

Datum
lstm_sites(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rows = result_begin(fcinfo);
	CallMemory	memory = call_memory_begin();
	const NnModel *model = space_get(fcinfo);
	const NnSites *sites = model->sites;
	uint32_t	columns = model->spec.grid_rows > 0 ? model->spec.nsites / model->spec.grid_rows : 0;

	for (uint32_t s = 0; sites != NULL && s < model->nseries; s++)
	{
		uint32_t	site = model->spec.nsites > 1 ? sites->site[s] : s;
		Datum		values[6];
		bool		nulls[6] = {false};

		values[0] = Int32GetDatum((int32) site + 1);
		values[1] = CStringGetTextDatum(model->series[s]);
		nulls[2] = nulls[3] = columns == 0;
		values[2] = Int32GetDatum(columns > 0 ? (int32) (site / columns) + 1 : 0);
		values[3] = Int32GetDatum(columns > 0 ? (int32) (site % columns) + 1 : 0);
		nulls[4] = nulls[5] = sites->geom == NULL;
		values[4] = nulls[4] ? (Datum) 0 : PointerGetDatum(hex_bytes(sites->geom[s]));
		values[5] = BoolGetDatum(sites->geography);
		result_put(rows, values, nulls);
	}
	call_memory_end(memory);
	return (Datum) 0;
}

Datum
lstm_graph(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rows = result_begin(fcinfo);
	CallMemory	memory = call_memory_begin();
	NnEnv	   *env = env_create(memory.own);
	const NnModel *model = space_get(fcinfo);
	const NnPlan *plan = nn_plan_build(env, &model->spec, env_kernels(), NN_LANES);
	const char **name = NN_NEW_ARRAY(env, const char *, model->spec.nsites);

	for (uint32_t s = 0; model->sites != NULL && model->spec.nsites > 1 && s < model->nseries; s++)
		name[model->sites->site[s]] = model->series[s];
	for (uint32_t e = 0; e < model->spec.nedges; e++)
	{
		const char *source = name[(uint32_t) nn_graph_source(plan, model->params)[e]],
				   *target = name[(uint32_t) nn_graph_target(plan, model->params)[e]];
		Datum		values[3];
		bool		nulls[3] = {source == NULL, target == NULL, false};

		values[0] = source ? CStringGetTextDatum(source) : (Datum) 0;
		values[1] = target ? CStringGetTextDatum(target) : (Datum) 0;
		values[2] = Float8GetDatum((double) nn_graph_weight(plan, model->params)[e]);
		result_put(rows, values, nulls);
	}
	call_memory_end(memory);
	return (Datum) 0;
}
