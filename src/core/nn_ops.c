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
	{"dense", "units activation",
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
	{"residual", "", "[{\"type\":\"residual\"}]", NN_ROW(residual)}
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

const nn_real *
nn_op_pack(const NnState *state, const NnLayer *layer, uint32_t i)
{
	return state->packed + state->plan->pack[layer->first_pack + i].offset;
}
