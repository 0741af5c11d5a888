/*
 * nn_ops.c
 *		The table of operations, one row each, and the shorthands they share.
 */
#include <string.h>

#include "core/nn_op.h"

#define NN_ROW(op) nn_##op##_plan, nn_##op##_forward, nn_##op##_backward

#define CELL_EXAMPLES(type) \
	"[{\"type\":\"" type "\",\"units\":3}," \
	"{\"type\":\"" type "\",\"units\":3,\"activation\":\"softplus\",\"recurrent_activation\":\"tanh\"}," \
	"{\"type\":\"" type "\",\"units\":2,\"activation\":\"gelu\",\"recurrent_activation\":\"gelu\"}," \
	"{\"type\":\"" type "\",\"units\":2,\"activation\":\"relu\",\"return_sequences\":true}," \
	"{\"type\":\"" type "\",\"units\":2,\"dropout\":0.4,\"recurrent_dropout\":0.3}," \
	"{\"type\":\"" type "\",\"units\":2,\"bidirectional\":true}"

#define CONVOLUTION_EXAMPLES(type) \
	"[{\"type\":\"" type "\",\"units\":2}," \
	"{\"type\":\"" type "\",\"filters\":2,\"strides\":2,\"activation\":\"softplus\"}," \
	"{\"type\":\"" type "\",\"units\":1,\"padding\":\"valid\",\"dropout\":0.4," \
	"\"return_sequences\":true}," \
	"{\"type\":\"" type "\",\"units\":2,\"kernel_size\":1,\"dropout\":0.4}"

#define GRAPH_EXAMPLES(type) \
	"[{\"type\":\"" type "\",\"units\":3,\"hops\":1}," \
	"{\"type\":\"" type "\",\"units\":2,\"support\":\"both\",\"return_sequences\":true}," \
	"{\"type\":\"" type "\",\"units\":2,\"support\":\"chebyshev\",\"dropout\":0.3}," \
	"{\"type\":\"" type "\",\"units\":2,\"support\":\"adaptive\"}," \
	"{\"type\":\"" type "\",\"units\":1,\"hops\":1,\"support\":\"all\"}"

const NnOp	nn_ops[] = {
	{"input", "", "[]", NN_ROW(input)},
	{"rnn", "units activation bidirectional return_sequences dropout recurrent_dropout",
		"[{\"type\":\"rnn\",\"units\":3},"
		"{\"type\":\"rnn\",\"units\":3,\"activation\":\"softplus\"},"
		"{\"type\":\"rnn\",\"units\":2,\"activation\":\"gelu\"},"
		"{\"type\":\"rnn\",\"units\":2,\"activation\":\"relu\",\"return_sequences\":true},"
		"{\"type\":\"rnn\",\"units\":2,\"dropout\":0.4,\"recurrent_dropout\":0.3},"
	"{\"type\":\"rnn\",\"units\":2,\"bidirectional\":true}]", NN_ROW(rnn)},
	{"gru", "units activation recurrent_activation bidirectional return_sequences dropout "
		"recurrent_dropout", CELL_EXAMPLES("gru") "]", NN_ROW(gru)},
	{"lstm", "units activation recurrent_activation peephole bidirectional return_sequences "
		"dropout recurrent_dropout",
		CELL_EXAMPLES("lstm") ","
		"{\"type\":\"lstm\",\"units\":3,\"peephole\":true},"
		"{\"type\":\"lstm\",\"units\":3,\"peephole\":true,\"activation\":\"gelu\","
		"\"recurrent_activation\":\"softplus\",\"bidirectional\":true}]", NN_ROW(lstm)},
	{"dense", "units activation kernel_initializer",
		"[{\"type\":\"dense\",\"units\":3},"
		"{\"type\":\"dense\",\"units\":3,\"activation\":\"tanh\"}]", NN_ROW(dense)},
	{"activation", "activation",
		"[{\"type\":\"activation\",\"activation\":\"linear\"},"
		"{\"type\":\"activation\",\"activation\":\"tanh\"},"
		"{\"type\":\"activation\",\"activation\":\"sigmoid\"},"
		"{\"type\":\"activation\",\"activation\":\"relu\"},"
		"{\"type\":\"activation\",\"activation\":\"softplus\"},"
		"{\"type\":\"activation\",\"activation\":\"gelu\"}]", NN_ROW(activation)},
	{"dropout", "rate", "[{\"type\":\"dropout\",\"rate\":0.4}]", NN_ROW(dropout)},
	{"add", "", "[{\"type\":\"add\",\"inputs\":[\"past\",\"past\"]}]", NN_ROW(add)},
	{"concat", "", "[{\"type\":\"concat\",\"inputs\":[\"past\",\"past\"]}]", NN_ROW(concat)},
	{"last", "", "[{\"type\":\"last\"}]", NN_ROW(last)},
	{"flatten", "", "[{\"type\":\"flatten\"}]", NN_ROW(flatten)},
	{"residual", "season",
		"[{\"type\":\"residual\"},"
	"{\"type\":\"residual\",\"season\":2}]", NN_ROW(residual)},
	{"statistics", "center scale",
		"[{\"type\":\"statistics\"},"
		"{\"type\":\"statistics\",\"center\":\"mean\",\"scale\":\"standard\"},"
		"{\"type\":\"statistics\",\"center\":\"last\",\"scale\":\"standard\"},"
	"{\"type\":\"statistics\",\"center\":\"none\",\"scale\":\"mean\"}]", NN_ROW(statistics)},
	/* An example that is an array is a network by itself. */
	{"normalize", "affine",
		"[[{\"type\":\"statistics\",\"center\":\"mean\",\"scale\":\"standard\"},"
		"{\"type\":\"normalize\",\"inputs\":[\"past\",\"statistics\"]},{\"type\":\"flatten\"}],"
		"[{\"type\":\"dense\",\"units\":2,\"name\":\"low\"},{\"type\":\"statistics\",\"scale\":\"mean\"},"
		"{\"type\":\"normalize\",\"affine\":true,\"inputs\":[\"low\",\"statistics\"]},"
	"{\"type\":\"flatten\"}]]", NN_ROW(normalize)},
	{"denormalize", "",
		"[[{\"type\":\"statistics\",\"center\":\"mean\",\"scale\":\"mean\"},"
		"{\"type\":\"dense\",\"inputs\":[\"static\"]},"
		"{\"type\":\"denormalize\",\"inputs\":[\"dense\",\"statistics\"]}],"
		"[{\"type\":\"statistics\",\"center\":\"mean\",\"scale\":\"standard\"},"
		"{\"type\":\"normalize\",\"affine\":true,\"inputs\":[\"past\",\"statistics\"]},"
		"{\"type\":\"gru\",\"units\":2},{\"type\":\"dense\"},"
		"{\"type\":\"denormalize\",\"inputs\":[\"dense\",\"statistics\",\"normalize\"]}]]",
	NN_ROW(denormalize)},
	{"sites", "", "[{\"type\":\"sites\"}]", NN_ROW(sites)},
	{"segment", "length",
		"[{\"type\":\"segment\",\"length\":2},"
		"{\"type\":\"segment\",\"length\":3},"
		"{\"type\":\"segment\",\"length\":9},"
	"{\"type\":\"segment\",\"length\":2,\"inputs\":[\"future\"]}]", NN_ROW(segment)},
	{"join", "length",
		"[[{\"type\":\"dense\",\"inputs\":[\"future\"]},{\"type\":\"join\"}],"
		"[{\"type\":\"segment\",\"length\":2},{\"type\":\"dense\"},"
		"{\"type\":\"join\",\"length\":2},{\"type\":\"residual\"}],"
		"[{\"type\":\"last\"},{\"type\":\"join\",\"length\":5}]]", NN_ROW(join)},
	{"repeat", "steps",
		"[[{\"type\":\"last\"},{\"type\":\"repeat\"},{\"type\":\"flatten\"}],"
		"[{\"type\":\"lstm\",\"units\":2},{\"type\":\"repeat\",\"steps\":2},"
	"{\"type\":\"gru\",\"units\":2}]]", NN_ROW(repeat)},
	{"decoder", "length",
		"[[{\"type\":\"last\"},{\"type\":\"decoder\"},{\"type\":\"flatten\"}],"
		"[{\"type\":\"gru\",\"units\":3},{\"type\":\"decoder\",\"length\":2},"
		"{\"type\":\"dense\"},{\"type\":\"join\",\"length\":2}]]", NN_ROW(decoder)},
	{"embedding", "units", "[{\"type\":\"embedding\",\"units\":2}]", NN_ROW(embedding)},
	{"attention", "units heads",
		"[{\"type\":\"attention\"},"
		"{\"type\":\"attention\",\"units\":4,\"heads\":2},"
	"{\"type\":\"attention\",\"units\":4,\"heads\":4,\"inputs\":[\"future\",\"past\"]}]",
	NN_ROW(attention)},
	{"graph", "units hops support activation",
		"[{\"type\":\"graph\",\"units\":2},"
		"{\"type\":\"graph\",\"units\":3,\"hops\":1,\"support\":\"both\",\"activation\":\"tanh\"},"
		"{\"type\":\"graph\",\"units\":2,\"hops\":3,\"support\":\"both\"},"
		"{\"type\":\"graph\",\"units\":2,\"hops\":4,\"support\":\"chebyshev\"},"
		"{\"type\":\"graph\",\"units\":2,\"support\":\"adaptive\"},"
		"{\"type\":\"graph\",\"units\":2,\"hops\":1,\"support\":\"all\"}]", NN_ROW(graph)},
	{"graph_rnn", "units hops support activation return_sequences dropout",
		GRAPH_EXAMPLES("graph_rnn") "]", NN_ROW(graph_rnn)},
	{"graph_gru", "units hops support activation recurrent_activation return_sequences dropout",
		GRAPH_EXAMPLES("graph_gru") ","
		"[{\"type\":\"graph_gru\",\"units\":2},{\"type\":\"repeat\"},"
		"{\"type\":\"graph_gru\",\"units\":2,\"hops\":1,\"return_sequences\":true},"
		"{\"type\":\"dense\"},{\"type\":\"join\"},{\"type\":\"residual\"}]]", NN_ROW(graph_gru)},
	{"graph_lstm", "units hops support activation recurrent_activation peephole return_sequences "
		"dropout", GRAPH_EXAMPLES("graph_lstm") ","
		"{\"type\":\"graph_lstm\",\"units\":2,\"hops\":1,\"peephole\":true}]", NN_ROW(graph_lstm)},
	{"graph_attention", "units heads activation",
		"[{\"type\":\"graph_attention\"},"
		"{\"type\":\"graph_attention\",\"units\":4,\"heads\":2,\"activation\":\"tanh\"},"
		"[{\"type\":\"graph_attention\",\"units\":2},"
		"{\"type\":\"graph_attention\",\"units\":3,\"heads\":3,\"name\":\"second\"},"
		"{\"type\":\"gru\",\"units\":2}]]", NN_ROW(graph_attention)},
	{"conv2d", "units filters kernel_size strides padding activation",
		"[{\"type\":\"conv2d\",\"units\":2},"
		"{\"type\":\"conv2d\",\"units\":1,\"kernel_size\":5,\"activation\":\"tanh\"},"
		"{\"type\":\"conv2d\",\"filters\":2,\"kernel_size\":3,\"strides\":2},"
		"{\"type\":\"conv2d\",\"units\":2,\"kernel_size\":3,\"strides\":3},"
		"{\"type\":\"conv2d\",\"units\":2,\"kernel_size\":2,\"padding\":\"valid\"},"
		"{\"type\":\"conv2d\",\"units\":1,\"kernel_size\":2,\"padding\":\"valid\",\"strides\":2},"
	"{\"type\":\"conv2d\",\"units\":2,\"kernel_size\":1}]", NN_ROW(conv2d)},
	{"conv_rnn", "units filters kernel_size strides padding activation return_sequences dropout",
		CONVOLUTION_EXAMPLES("conv_rnn") "]", NN_ROW(conv_rnn)},
	{"conv_gru", "units filters kernel_size strides padding activation recurrent_activation "
		"return_sequences dropout", CONVOLUTION_EXAMPLES("conv_gru") "]", NN_ROW(conv_gru)},
	{"conv_lstm", "units filters kernel_size strides padding activation recurrent_activation "
		"peephole return_sequences dropout", CONVOLUTION_EXAMPLES("conv_lstm") ","
		"{\"type\":\"conv_lstm\",\"units\":2,\"peephole\":true}]", NN_ROW(conv_lstm)},
	{"max_pool", "pool_size strides",
		"[{\"type\":\"max_pool\"},"
	"{\"type\":\"max_pool\",\"pool_size\":2,\"strides\":1}]", NN_ROW(max_pool)},
	{"mean_pool", "pool_size strides",
		"[{\"type\":\"mean_pool\"},"
	"{\"type\":\"mean_pool\",\"pool_size\":3,\"strides\":1}]", NN_ROW(mean_pool)},
	{"global_pool", "pool",
		"[{\"type\":\"global_pool\"},"
	"{\"type\":\"global_pool\",\"pool\":\"max\"}]", NN_ROW(global_pool)},
	{"flatten_grid", "", "[{\"type\":\"flatten_grid\"}]", NN_ROW(flatten_grid)},
	{"lags", "lags",
		"[[{\"type\":\"lags\",\"lags\":[1,3]},{\"type\":\"flatten\"}],"
		"[{\"type\":\"dense\",\"units\":2},{\"type\":\"lags\",\"lags\":[4,2,4]},"
	"{\"type\":\"gru\",\"units\":2}]]", NN_ROW(lags)},
	/* An array column called "image" or "vector" is there where an example names one. */
	{"fuse", "fusion",
		"[[{\"type\":\"dense\",\"units\":2,\"name\":\"a\"},"
		"{\"type\":\"dense\",\"units\":2,\"inputs\":[\"past\"],\"name\":\"b\"},"
		"{\"type\":\"fuse\",\"inputs\":[\"a\",\"b\"]},{\"type\":\"flatten\"}],"
		"[{\"type\":\"gru\",\"units\":2,\"return_sequences\":true},"
		"{\"type\":\"dense\",\"units\":2,\"inputs\":[\"static\"],\"name\":\"b\"},"
		"{\"type\":\"gru\",\"units\":2,\"inputs\":[\"vector\"],\"name\":\"c\",\"return_sequences\":true},"
		"{\"type\":\"fuse\",\"inputs\":[\"gru\",\"b\",\"c\"]},{\"type\":\"flatten\"}],"
		"[{\"type\":\"gru\",\"units\":2,\"return_sequences\":false},"
		"{\"type\":\"flatten\",\"inputs\":[\"vector\"],\"name\":\"v\"},"
		"{\"type\":\"dense\",\"units\":2,\"name\":\"b\"},"
		"{\"type\":\"dense\",\"units\":2,\"inputs\":[\"static\"],\"name\":\"c\"},"
		"{\"type\":\"fuse\",\"fusion\":\"weighted\",\"inputs\":[\"gru\",\"b\",\"c\"]}],"
		"[{\"type\":\"dense\",\"units\":2,\"inputs\":[\"vector\"],\"name\":\"a\"},"
		"{\"type\":\"last\",\"inputs\":[\"past\"]},{\"type\":\"dense\",\"units\":2,\"name\":\"b\"},"
		"{\"type\":\"fuse\",\"fusion\":\"weighted\",\"inputs\":[\"a\",\"b\"],\"name\":\"one\"},"
		"{\"type\":\"fuse\",\"inputs\":[\"one\",\"a\"]},{\"type\":\"flatten\"}]]", NN_ROW(fuse)},
	{"smoothing", "season",
		"[{\"type\":\"smoothing\"},"
	"{\"type\":\"smoothing\",\"season\":2}]", NN_ROW(smoothing)},
	{"remainder", "",
		"[[{\"type\":\"smoothing\"},{\"type\":\"remainder\",\"inputs\":[\"past\",\"smoothing\"]},"
		"{\"type\":\"flatten\"}],"
		"[{\"type\":\"smoothing\",\"season\":3},"
		"{\"type\":\"remainder\",\"inputs\":[\"past\",\"smoothing\"]},"
	"{\"type\":\"flatten\"}]]", NN_ROW(remainder)},
	{"recompose", "",
		"[[{\"type\":\"smoothing\",\"season\":2},"
		"{\"type\":\"dense\",\"inputs\":[\"static\"]},"
	"{\"type\":\"recompose\",\"inputs\":[\"dense\",\"smoothing\"]}]]", NN_ROW(recompose)},
	/* Seasons beyond the last, a season that does not divide the window, a single one. */
	{"recall", "season",
		"[[{\"type\":\"dense\",\"units\":4,\"inputs\":[\"static\"]},"
		"{\"type\":\"dense\",\"inputs\":[\"static\"]},"
		"{\"type\":\"recall\",\"season\":1,\"inputs\":[\"dense_2\",\"dense\",\"past\"]}],"
		"[{\"type\":\"gru\",\"units\":3,\"return_sequences\":false},"
		"{\"type\":\"dense\",\"units\":2},"
		"{\"type\":\"dense\",\"inputs\":[\"gru\"]},"
		"{\"type\":\"recall\",\"season\":2,\"inputs\":[\"dense_2\",\"dense\",\"past\"]}],"
		"[{\"type\":\"dense\",\"units\":1,\"inputs\":[\"static\"]},"
		"{\"type\":\"dense\",\"inputs\":[\"static\"]},"
		"{\"type\":\"recall\",\"season\":3,\"inputs\":[\"dense_2\",\"dense\",\"past\"]}]]",
	NN_ROW(recall)}
};

const uint32_t nn_nops = sizeof(nn_ops) / sizeof(nn_ops[0]);

int
nn_op_find(const char *name)
{
	for (uint32_t i = 0; i < nn_nops; i++)
		if (strcmp(nn_ops[i].name, name) == 0)
			return (int) i;
	return -1;
}

bool
nn_op_takes(const NnOp *op, const char *attribute)
{
	size_t		n = strlen(attribute);

	for (const char *at = op->attributes; (at = strstr(at, attribute)) != NULL; at += n)
		if ((at == op->attributes || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
			return true;
	return false;
}

const nn_real *
nn_op_input(const NnState *state, const NnLayer *layer, uint32_t i)
{
	return nn_state_output(state, layer->input[i]);
}

nn_real *
nn_op_input_gradient(const NnState *state, const NnLayer *layer, uint32_t i)
{
	const NnLayer *input = &state->plan->layer[layer->input[i]];

	if (!state->explain && input->ntensors == 0 && !input->needs_gradient)
		return NULL;
	return nn_state_gradient(state, layer->input[i]);
}

const nn_real *
nn_op_param(const NnState *state, const NnLayer *layer, uint32_t i)
{
	return state->params + state->plan->tensor[layer->first_tensor + i].span.offset;
}

nn_real *
nn_op_dparam(const NnState *state, const NnLayer *layer, uint32_t i)
{
	return state->dparams + state->plan->tensor[layer->first_tensor + i].span.offset;
}

uint32_t
nn_op_head_units(const NnPlanner *planner, const NnLayer *layer, const NnLayerSpec *spec)
{
	const NnEnv *env = planner->env;
	uint32_t	U = spec->units ? spec->units : layer->in.C;

	if (U > NN_MAX_UNITS)
		nn_fail(env, NN_TOO_LARGE,
				nn_format(env, "layer \"%s\" would have %u units", spec->name, U),
				nn_format(env, "Set \"units\" to at most %d.", NN_MAX_UNITS));
	if (U % spec->heads != 0)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "layer \"%s\" cannot share %u units among %u heads", spec->name, U,
						  spec->heads),
				"Set \"units\" to a multiple of \"heads\".");
	return U;
}

void
nn_op_outer(NnState *state, nn_real *dw, size_t ldw, const nn_real *dz, ptrdiff_t dz_stride,
			const nn_real *x, ptrdiff_t x_stride, uint32_t T, uint32_t M, uint32_t K)
{
	const double most = 5e8;	/* multiply-adds in a call */
	double		step = (double) M * K * state->L;
	uint32_t	slice = step * T <= most ? T : (uint32_t) (most / step);

	if (slice == 0)
		slice = 1;
	for (uint32_t t = 0; t < T; t += slice)
	{
		state->env->poll(state->env->host);
		state->kernels->outer(dw, ldw, dz + t * dz_stride, dz_stride, x + t * x_stride, x_stride,
							  T - t < slice ? T - t : slice, M, K, state->L);
	}
}

/* Reals from i on, of n, up to the next poll: a multiple of NN_LANES but for the last. */
static size_t
slice_polled(const NnState *state, size_t i, size_t n)
{
	const size_t most = 1 << 20;

	state->env->poll(state->env->host);
	return n - i < most ? n - i : most;
}

void
nn_op_clear(const NnState *state, nn_real *x, size_t n)
{
	for (size_t i = 0, count; i < n; i += count)
	{
		count = slice_polled(state, i, n);
		memset(x + i, 0, count * sizeof(nn_real));
	}
}

void
nn_op_copy(const NnState *state, nn_real *y, const nn_real *x, size_t n)
{
	for (size_t i = 0, count; i < n; i += count)
	{
		count = slice_polled(state, i, n);
		memcpy(y + i, x + i, count * sizeof(nn_real));
	}
}

void
nn_op_add(const NnState *state, nn_real *y, const nn_real *x, size_t n)
{
	for (size_t i = 0, count; i < n; i += count)
	{
		count = slice_polled(state, i, n);
		state->kernels->axpy(y + i, 1, x + i, count);
	}
}

const nn_real *
nn_op_pack(const NnState *state, const NnLayer *layer, uint32_t i)
{
	return state->packed + state->plan->pack[layer->first_pack + i].offset;
}
