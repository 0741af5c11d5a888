/*
 * nn_spec_short.c
 *		Networks in short: from an architecture's name to its layers.
 *
 * Everything that "architecture" can name is made of layers that a user could
 * have written himself; lstm.describe shows them.  Called once per training.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "core/nn_spec_table.h"

/* Where the expansion stands. */
typedef struct Maker
{
	const NnEnv *env;
	NnSpec	   *spec;
	const NnShortForm *form;
	const char *normalized;		/* name of the layer to look at, NULL: the past itself */
	const char *statistics;		/* name of the layer that says what was taken off */
} Maker;

/* ------------------------------------------------------------------------
 * Checks
 */

/* Which architectures read a key of the short form: bits by NnArchitecture. */
#define BIT(architecture) (1u << NN_ARCHITECTURE_##architecture)
#define CELLS (BIT(LSTM) | BIT(GRU) | BIT(RNN))
#define CHOSEN (BIT(AUTO) | BIT(ENSEMBLE))
#define ALL (~0u & ~CHOSEN)
#define GRAPHS (BIT(GRAPH) | BIT(GRAPH_LSTM) | BIT(GRAPH_GRU))
#define GRIDS (BIT(CONV_LSTM) | BIT(CONV_GRU))
#define SPATIAL (GRAPHS | GRIDS)
/* What can look at several sites at once, with or without their neighbours. */
#define OVER_SITES (CELLS | BIT(LINEAR) | SPATIAL)
/* What looks at array columns. */
#define OVER_ARRAYS (CELLS | SPATIAL)

static const struct
{
	const char *key;
	unsigned	readers;
}			form_readers[] = {
	{"units", ALL & ~BIT(LINEAR)},
	{"num_layers", CELLS | BIT(ATTENTION) | BIT(HYBRID) | SPATIAL},
	{"activation", CELLS | SPATIAL},
	{"recurrent_activation", CELLS | SPATIAL},
	{"peephole", BIT(LSTM)},
	{"bidirectional", CELLS},
	{"residual", CELLS | BIT(ENCODER_DECODER) | BIT(ATTENTION) | SPATIAL},
	{"dropout", ALL & ~BIT(LINEAR)},
	{"recurrent_dropout", CELLS},
	{"normalization", ALL & ~BIT(HYBRID) & ~SPATIAL},
	{"segment_length", BIT(SEGMENT) | BIT(SEASONAL)},
	{"skip", BIT(SEGMENT)},
	{"residual_season", CELLS | BIT(ENCODER_DECODER) | BIT(ATTENTION) | BIT(HYBRID) | SPATIAL},
	{"series_embedding", ALL & ~BIT(LINEAR)},
	{"head", ALL}
};

void
nn_short_form_check(const NnReader *reader, const NnSpec *spec)
{
	const NnShortForm *form = &spec->form;
	const NnEnv *env = reader->env;
	const char *name = nn_architecture_name(form->architecture);

	for (size_t i = 0; i < sizeof(form_readers) / sizeof(form_readers[0]); i++)
		if (nn_spec_given(spec, form_readers[i].key) &&
			!(form_readers[i].readers >> form->architecture & 1))
			nn_reader_fail(reader, NN_BAD_VALUE,
						   nn_format(env, "option \"%s\" has no meaning for architecture \"%s\"",
									 form_readers[i].key, name),
						   strcmp(form_readers[i].key, "peephole") == 0 ?
						   "Peepholes belong to \"lstm\"." :
						   CHOSEN >> form->architecture & 1 ?
						   "Name the architecture it is meant for, such as \"lstm\"." : NULL);
	if (nn_spec_given(spec, "recurrent_activation") && form->architecture == NN_ARCHITECTURE_RNN)
		nn_reader_fail(reader, NN_BAD_VALUE,
					   "option \"recurrent_activation\" has no meaning for architecture \"rnn\"",
					   "A plain RNN has no gates; set \"activation\".");
}

const NnSiteRecipe *
nn_site_recipe(NnArchitecture architecture)
{
	static const NnSiteRecipe recipes[] = {
		/* architecture, units, mixed, hops, kernel; context, batch, rate, steps */
		{NN_ARCHITECTURE_GRAPH, 32, 16, 2, 0, 24, 32, 3e-3, 400},
		{NN_ARCHITECTURE_GRAPH_LSTM, 32, 0, 2, 0, 24, 32, 3e-3, 400},
		{NN_ARCHITECTURE_GRAPH_GRU, 32, 0, 2, 0, 24, 32, 3e-3, 400},
		{NN_ARCHITECTURE_CONV_LSTM, 16, 0, 0, 3, 16, 16, 3e-3, 400},
		{NN_ARCHITECTURE_CONV_GRU, 16, 0, 0, 3, 16, 16, 3e-3, 400}
	};

	for (size_t i = 0; i < sizeof(recipes) / sizeof(recipes[0]); i++)
		if (recipes[i].architecture == architecture)
			return &recipes[i];
	return NULL;
}

/* Does the architecture fit how many sites there are, and what joins them? */
static void
sites_check(const NnEnv *env, const NnSpec *spec, const NnShortForm *form)
{
	NnArchitecture architecture = form->architecture;
	const char *name = nn_architecture_name(architecture);
	unsigned	bit = 1u << architecture;

	if (spec->nsites > 1 && !(bit & OVER_SITES))
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "architecture \"%s\" looks at one series at a time, not at %u sites at once",
						  name, spec->nsites),
				"Use \"lstm\", \"gru\", \"rnn\", \"linear\" or one that looks at neighbours, or set "
				"\"space\" to \"none\".");
	if (spec->nsites > 1 && form->normalization != NN_NORMALIZATION_AUTO &&
		form->normalization != NN_NORMALIZATION_NONE)
		nn_fail(env, NN_BAD_VALUE, "option \"normalization\" has no meaning for several sites at once",
				"Leave it out; \"residual\" forecasts the change from the last value.");
	if (spec->narrays > 0 && !(bit & OVER_ARRAYS))
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "architecture \"%s\" does not look at array column \"%s\"", name,
						  spec->array[0].name),
				"Use \"lstm\", \"gru\" or \"rnn\", or write \"layers\" of which one names the column among "
				"its \"inputs\".");
	if ((bit & GRAPHS) && spec->nedges == 0)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "architecture \"%s\" needs edges between the series", name),
				"Give the places of the series as geom => ..., or their edges as option \"graph\".");
	if ((bit & GRIDS) && spec->grid_rows == 0)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "architecture \"%s\" needs series that are cells of a grid", name),
				"Give regular places as geom => ..., or columns of row and column as option \"grid\".");
}

/* ------------------------------------------------------------------------
 * Layers
 */

/* Adds a layer of that type with all attributes at their defaults. */
static NnLayerSpec *
layer_add(Maker *maker, const char *type)
{
	NnSpec	   *spec = maker->spec;
	NnLayerSpec *layer = &spec->layer[spec->nlayers];

	if (spec->nlayers == NN_MAX_LAYERS / 2)
		nn_fail(maker->env, NN_TOO_LARGE,
				nn_format(maker->env, "the network has more than %d layers", NN_MAX_LAYERS / 2),
				"Use a smaller \"num_layers\".");
	nn_layer_spec_default(layer, type);
	nn_layer_spec_name(spec, spec->nlayers++);
	return layer;
}

static void
input_add(NnLayerSpec *layer, const char *name)
{
	snprintf(layer->input[layer->ninputs++], NN_MAX_NAME, "%s", name);
}

static void
dropout_add(Maker *maker)
{
	if (maker->form->dropout > 0)
		layer_add(maker, "dropout")->rate = maker->form->dropout;
}

/* Takes off what is local to the window, from the layer "from" (NULL: the past). */
static void
normalization_add(Maker *maker, const char *from)
{
	NnNormalization kind = maker->form->normalization;
	NnLayerSpec *layer;

	maker->normalized = from;
	if (kind == NN_NORMALIZATION_NONE)
		return;
	layer = layer_add(maker, "statistics");
	layer->center = kind == NN_NORMALIZATION_LAST ? NN_CENTER_LAST : NN_CENTER_MEAN;
	layer->spread = kind == NN_NORMALIZATION_LAST ? NN_SPREAD_NONE :
		kind == NN_NORMALIZATION_MEAN ? NN_SPREAD_MEAN : NN_SPREAD_STANDARD;
	input_add(layer, from ? from : "past");
	maker->statistics = layer->name;
	layer = layer_add(maker, "normalize");
	input_add(layer, from ? from : "past");
	input_add(layer, maker->statistics);
	layer->affine = kind == NN_NORMALIZATION_REVERSIBLE;
	maker->normalized = layer->name;
}

/* The array column, step by step made into channels, is summed up by a GRU; its name. */
static const char *
array_add(Maker *maker, const NnArraySpec *array)
{
	uint32_t	least = array->rows < array->cols ? array->rows : array->cols;
	NnLayerSpec *layer = layer_add(maker, array->rows * array->cols > 1 ? "conv2d" : "dense");

	input_add(layer, array->name);
	layer->units = array->rows * array->cols > 1 ? 8 : 16;
	layer->activation = NN_RELU;
	if (array->rows * array->cols > 1)
	{
		if (least >= 4)
			layer_add(maker, "max_pool");
		layer = layer_add(maker, "conv2d");
		layer->units = 16;
		layer->activation = NN_RELU;
		layer_add(maker, "global_pool");
	}
	layer = layer_add(maker, "gru");
	layer->units = 16;
	layer->return_sequences = 0;
	return layer->name;
}

/* Joins the array columns to the newest layer. */
static void
arrays_add(Maker *maker)
{
	const NnSpec *spec = maker->spec;
	const char *name[1 + NN_MAX_ARRAYS] = {spec->layer[spec->nlayers - 1].name};
	NnLayerSpec *layer;

	if (spec->narrays == 0)
		return;
	for (uint32_t i = 0; i < spec->narrays; i++)
		name[1 + i] = array_add(maker, &spec->array[i]);
	layer = layer_add(maker, "concat");
	for (uint32_t i = 0; i <= spec->narrays; i++)
		input_add(layer, name[i]);
}

/* Joins what is known of the series and of the days ahead to the newest layer. */
static void
series_add(Maker *maker)
{
	const char *newest = maker->spec->layer[maker->spec->nlayers - 1].name;
	NnLayerSpec *layer;

	if (maker->form->series_embedding == 0)
		return;
	layer = layer_add(maker, "embedding");
	layer->units = maker->form->series_embedding;
	layer = layer_add(maker, "concat");
	input_add(layer, newest);
	input_add(layer, maker->spec->layer[maker->spec->nlayers - 2].name);
}

/* Brings the outputs back to where the window was. */
static void
output_finish(Maker *maker)
{
	const char *newest = maker->spec->layer[maker->spec->nlayers - 1].name;
	NnLayerSpec *layer;

	if (maker->statistics != NULL)
	{
		layer = layer_add(maker, "denormalize");
		input_add(layer, newest);
		input_add(layer, maker->statistics);
		if (maker->form->normalization == NN_NORMALIZATION_REVERSIBLE)
			input_add(layer, maker->normalized);
	}
	else if (maker->form->residual)
		layer_add(maker, "residual")->season = maker->form->residual_season;
}

/* LSTM (or GRU, RNN) layers. */
static void
cells_add(Maker *maker, const char *type, uint32_t units)
{
	const NnShortForm *form = maker->form;

	for (uint32_t i = 0; i < form->num_layers; i++)
	{
		NnLayerSpec *layer = layer_add(maker, type);

		if (i == 0 && maker->normalized)
			input_add(layer, maker->normalized);
		layer->units = units;
		layer->activation = form->activation;
		layer->recurrent_activation = form->recurrent_activation;
		layer->peephole = form->peephole;
		layer->bidirectional = form->bidirectional;
		layer->recurrent_dropout = form->recurrent_dropout;
		dropout_add(maker);
	}
}

static void
recurrent_make(Maker *maker)
{
	normalization_add(maker, NULL);
	cells_add(maker, nn_architecture_name(maker->form->architecture), maker->form->units);
	arrays_add(maker);
	series_add(maker);
	layer_add(maker, "dense");
	output_finish(maker);
}

/* Graph layers look along the edges, and against those that have no way back. */
static void
hops_set(Maker *maker, NnLayerSpec *layer, const NnSiteRecipe *recipe)
{
	layer->hops = recipe->hops;
	layer->support = maker->spec->directed ? NN_SUPPORT_BOTH : NN_SUPPORT_FORWARD;
}

/* Neighbours mixed in every row of the window, then a GRU at each site. */
static void
graph_make(Maker *maker, const NnSiteRecipe *recipe)
{
	NnLayerSpec *layer = layer_add(maker, "graph");

	layer->units = recipe->mixed;
	layer->activation = NN_RELU;
	hops_set(maker, layer, recipe);
	dropout_add(maker);
	cells_add(maker, "gru", maker->form->units);
	arrays_add(maker);
	series_add(maker);
	layer_add(maker, "dense");
	output_finish(maker);
}

/* Cells whose gates look at the neighbours, of a graph or under a kernel. */
static void
spatial_make(Maker *maker, const NnSiteRecipe *recipe)
{
	const NnShortForm *form = maker->form;

	for (uint32_t i = 0; i < form->num_layers; i++)
	{
		NnLayerSpec *layer = layer_add(maker, nn_architecture_name(form->architecture));

		layer->units = form->units;
		layer->activation = form->activation;
		layer->recurrent_activation = form->recurrent_activation;
		if (recipe->kernel_size > 0)
			layer->kernel_size = recipe->kernel_size;
		else
			hops_set(maker, layer, recipe);
		dropout_add(maker);
	}
	arrays_add(maker);
	series_add(maker);
	layer_add(maker, "dense");
	output_finish(maker);
}

/* A weighted sum of the window's rows for each step ahead; the name of what joins them. */
static const char *
skip_make(Maker *maker, const char *sites)
{
	const NnSpec *spec = maker->spec;
	NnLayerSpec *layer = layer_add(maker, "segment");

	layer->length = spec->context;
	input_add(layer, maker->normalized ? maker->normalized : sites);
	layer = layer_add(maker, "dense");
	layer->units = spec->horizon * nn_spec_outputs(spec);
	layer->initializer = NN_INITIALIZER_ZEROS;
	layer = layer_add(maker, "join");
	layer->length = spec->horizon;
	return layer->name;
}

/*
 * Each target a site of its own with shared weights; segments of rows are the
 * steps; one step of a cell from the last state decodes each segment to come
 * (Lin et al. 2023, arXiv 2308.11200).
 */
static void
segment_make(Maker *maker)
{
	const NnShortForm *form = maker->form;
	NnSpec	   *spec = maker->spec;
	NnLayerSpec *layer = layer_add(maker, "sites");
	char		decoded[NN_MAX_NAME],
				ahead[NN_MAX_NAME],
				joined[NN_MAX_NAME];
	const char *skip;

	normalization_add(maker, layer->name);
	skip = form->skip ? skip_make(maker, layer->name) : NULL;
	layer = layer_add(maker, "segment");
	layer->length = form->segment_length;
	if (maker->normalized || skip)
		input_add(layer, maker->normalized ? maker->normalized : "sites");
	layer = layer_add(maker, "dense");
	layer->units = form->units;
	layer->activation = NN_RELU;
	layer_add(maker, "gru")->units = form->units;
	layer_add(maker, "last");
	layer_add(maker, "decoder")->length = form->segment_length;
	series_add(maker);
	if (spec->nfuture > 0)
	{
		strcpy(decoded, spec->layer[spec->nlayers - 1].name);
		layer = layer_add(maker, "segment");
		layer->length = form->segment_length;
		input_add(layer, "future");
		strcpy(ahead, layer->name);
		layer = layer_add(maker, "concat");
		input_add(layer, decoded);
		input_add(layer, ahead);
		layer = layer_add(maker, "dense");
		layer->units = form->units;
		layer->activation = NN_RELU;
	}
	dropout_add(maker);
	layer_add(maker, "dense");
	layer = layer_add(maker, "join");
	layer->length = form->segment_length;
	strcpy(joined, layer->name);
	if (skip)
	{
		layer = layer_add(maker, "add");
		input_add(layer, joined);
		input_add(layer, skip);
	}
	output_finish(maker);
}

/* The window's summary, repeated for each step ahead, beside what is known of that step. */
static void
encoder_decoder_make(Maker *maker)
{
	NnSpec	   *spec = maker->spec;
	NnLayerSpec *layer;
	char		encoded[NN_MAX_NAME];

	normalization_add(maker, NULL);
	layer = layer_add(maker, "lstm");
	if (maker->normalized)
		input_add(layer, maker->normalized);
	layer->units = maker->form->units;
	layer->return_sequences = 0;
	dropout_add(maker);
	series_add(maker);
	layer_add(maker, "repeat");
	if (spec->nfuture > 0)
	{
		strcpy(encoded, spec->layer[spec->nlayers - 1].name);
		layer = layer_add(maker, "concat");
		input_add(layer, encoded);
		input_add(layer, "future");
	}
	layer = layer_add(maker, "lstm");
	layer->units = maker->form->units;
	layer->return_sequences = 1;
	dropout_add(maker);
	layer_add(maker, "dense");
	layer_add(maker, "join");
	output_finish(maker);
}

/* The last state of an LSTM looks back on all of its states. */
static void
attention_make(Maker *maker)
{
	NnSpec	   *spec = maker->spec;
	NnLayerSpec *layer;
	char		states[NN_MAX_NAME],
				last[NN_MAX_NAME],
				seen[NN_MAX_NAME];

	normalization_add(maker, NULL);
	cells_add(maker, "lstm", maker->form->units);
	strcpy(states, spec->layer[spec->nlayers - 1].name);
	for (uint32_t i = 0; i < spec->nlayers; i++)
		if (strcmp(spec->layer[i].type, "lstm") == 0)
			spec->layer[i].return_sequences = 1;
	strcpy(last, layer_add(maker, "last")->name);
	layer = layer_add(maker, "attention");
	layer->units = maker->form->units;
	input_add(layer, last);
	input_add(layer, states);
	strcpy(seen, layer->name);
	layer = layer_add(maker, "concat");
	input_add(layer, last);
	input_add(layer, seen);
	series_add(maker);
	layer_add(maker, "dense");
	output_finish(maker);
}

/*
 * Level and season by exponential smoothing with learned rates, the rest by an
 * LSTM (in the spirit of Smyl 2020, International Journal of Forecasting 36).
 */
static void
hybrid_make(Maker *maker)
{
	NnLayerSpec *layer = layer_add(maker, "smoothing");
	char		smooth[NN_MAX_NAME],
				remainder[NN_MAX_NAME],
				output[NN_MAX_NAME];

	layer->season = maker->form->residual_season;
	strcpy(smooth, layer->name);
	layer = layer_add(maker, "remainder");
	input_add(layer, "past");
	input_add(layer, smooth);
	strcpy(remainder, layer->name);
	maker->normalized = remainder;
	cells_add(maker, "lstm", maker->form->units);
	series_add(maker);
	strcpy(output, layer_add(maker, "dense")->name);
	layer = layer_add(maker, "recompose");
	input_add(layer, output);
	input_add(layer, smooth);
}

/* Every step ahead a weighted sum of the window's rows (Zeng et al. 2023). */
static void
linear_make(Maker *maker)
{
	NnLayerSpec *layer;

	/* Of several sites each is one already. */
	if (maker->spec->nsites > 1)
	{
		layer_add(maker, "segment")->length = maker->spec->context;
		layer_add(maker, "dense");
		layer_add(maker, "residual");
		return;
	}
	layer = layer_add(maker, "sites");

	normalization_add(maker, layer->name);
	layer = layer_add(maker, "segment");
	layer->length = maker->spec->context;
	if (maker->normalized)
		input_add(layer, maker->normalized);
	layer_add(maker, "dense");
	layer_add(maker, "join")->length = maker->spec->horizon;
	output_finish(maker);
}

/* Has the window of a seasonal network two seasons, to choose among? */
static bool
form_recalls(const NnShortForm *form, const NnSpec *spec)
{
	return form->segment_length > 1 && spec->context / 2 >= form->segment_length;
}

/* What depends on whether there are seasons to recall. */
static void
seasonal_default(NnShortForm *form, const NnSpec *spec)
{
	bool		given = form->segment_length > 0;

	if (!given)
		form->segment_length = spec->season;
	if (!form_recalls(form, spec) && !given)
		form->segment_length = 1;
	if (form->normalization == NN_NORMALIZATION_AUTO)
		form->normalization = form_recalls(form, spec) ? NN_NORMALIZATION_STANDARD :
			NN_NORMALIZATION_LAST;
	/* One of them is enough to begin from. */
	form->residual = form->residual && !form_recalls(form, spec);
}

/*
 * A mixture of the seasons in the window, and what a GRU over the seasons adds to
 * it; the latter starts as nothing.
 */
static void
seasonal_make(Maker *maker)
{
	const NnShortForm *form = maker->form;
	NnSpec	   *spec = maker->spec;
	NnLayerSpec *layer = layer_add(maker, "sites");
	bool		recalls = form_recalls(form, spec);
	char		state[NN_MAX_NAME],
				shares[NN_MAX_NAME],
				joined[NN_MAX_NAME];

	normalization_add(maker, layer->name);
	layer = layer_add(maker, "segment");
	layer->length = form->segment_length;
	input_add(layer, maker->normalized);
	layer_add(maker, "gru")->units = form->units;
	layer_add(maker, "last");
	series_add(maker);
	dropout_add(maker);
	strcpy(state, spec->layer[spec->nlayers - 1].name);
	if (recalls)
	{
		layer = layer_add(maker, "dense");
		layer->units = spec->context / form->segment_length;
		strcpy(shares, layer->name);
	}
	layer = layer_add(maker, "dense");
	layer->initializer = NN_INITIALIZER_ZEROS;
	input_add(layer, state);
	layer = layer_add(maker, "join");
	layer->length = spec->horizon;
	strcpy(joined, layer->name);
	if (recalls)
	{
		layer = layer_add(maker, "recall");
		layer->season = form->segment_length;
		input_add(layer, joined);
		input_add(layer, shares);
		input_add(layer, maker->normalized);
	}
	output_finish(maker);
}

void
nn_spec_expand(const NnEnv *env, NnSpec *spec)
{
	NnShortForm form = spec->form;
	Maker		maker = {env, spec, &form, NULL, NULL};
	const NnSiteRecipe *recipe;

	if (spec->nlayers > 0)
		return;
	if (CHOSEN >> form.architecture & 1)
		form.architecture = NN_ARCHITECTURE_LSTM;
	sites_check(env, spec, &form);
	recipe = nn_site_recipe(form.architecture);
	if (form.units == 0)
		form.units = recipe ? recipe->units : form.architecture == NN_ARCHITECTURE_SEGMENT ? 128 :
			form.architecture == NN_ARCHITECTURE_SEASONAL ? 64 : 50;
	if (form.num_layers == 0)
		form.num_layers = 1;
	if (form.architecture == NN_ARCHITECTURE_SEASONAL)
		seasonal_default(&form, spec);
	if (form.segment_length == 0)
		form.segment_length = 1;
	if (form.normalization == NN_NORMALIZATION_AUTO)
		form.normalization = form.architecture == NN_ARCHITECTURE_SEGMENT ||
			(form.architecture == NN_ARCHITECTURE_LINEAR && spec->nsites == 1) ? NN_NORMALIZATION_LAST :
			NN_NORMALIZATION_NONE;
	switch (form.architecture)
	{
		case NN_ARCHITECTURE_SEGMENT:
			segment_make(&maker);
			break;
		case NN_ARCHITECTURE_ENCODER_DECODER:
			encoder_decoder_make(&maker);
			break;
		case NN_ARCHITECTURE_ATTENTION:
			attention_make(&maker);
			break;
		case NN_ARCHITECTURE_HYBRID:
			hybrid_make(&maker);
			break;
		case NN_ARCHITECTURE_LINEAR:
			linear_make(&maker);
			break;
		case NN_ARCHITECTURE_SEASONAL:
			seasonal_make(&maker);
			break;
		case NN_ARCHITECTURE_GRAPH:
			graph_make(&maker, recipe);
			break;
		case NN_ARCHITECTURE_GRAPH_LSTM:
		case NN_ARCHITECTURE_GRAPH_GRU:
		case NN_ARCHITECTURE_CONV_LSTM:
		case NN_ARCHITECTURE_CONV_GRU:
			spatial_make(&maker, recipe);
			break;
		default:
			recurrent_make(&maker);
	}
}
