/*
 * transfer.c
 *		Training that begins with what another model has learned.
 *
 * Tensors are matched by name and shape: what fits is copied, what does not begins
 * anew, and a NOTICE says which.  Scales and a graph's edges are those of the new rows.
 */
#include "postgres.h"

#include "core/nn_predict.h"
#include "pg/env.h"
#include "pg/registry.h"
#include "pg/transfer.h"

void
transfer_prepare(const NnEnv *env, TrainingInput *input)
{
	NnSpec	   *spec = input->spec;
	const NnModel *other;
	uint8_t    *bytes;
	size_t		length;

	if (spec->from_model[0] == '\0')
		return;
	/* A copy: the session's cache lets go of its own with the transaction. */
	bytes = nn_model_write(env, registry_get(spec->from_model, 0)->model, &length);
	other = nn_model_read(env, bytes, length);
	input->from = other;
	if (spec->nlayers > 0 || nn_spec_form_given(spec))
		return;
	spec->nlayers = other->spec.nlayers;
	memcpy(spec->layer, other->spec.layer, sizeof(spec->layer));
	/* The last dense layer has as many units as the new outputs need. */
	for (uint32_t i = spec->nlayers; i-- > 0;)
		if (strcmp(spec->layer[i].type, "dense") == 0)
		{
			if (i == nn_plan_output_position(spec))
				spec->layer[i].units = 0;
			break;
		}
	if (!input->context_given)
		spec->context = other->spec.context;
	input->context_given = true;
	spec->nseries = other->spec.nseries;
	if (!nn_spec_given(spec, "loss"))
	{
		spec->loss = other->spec.loss;
		spec->huber_delta = other->spec.huber_delta;
		spec->nquantiles = other->spec.nquantiles;
		memcpy(spec->quantile, other->spec.quantile, sizeof(spec->quantile));
	}
}

/* Copies tensor t of the trainer from the other network; false when nothing fits. */
static bool
tensor_copy(const TrainingInput *input, const NnPlan *plan, NnTrainer *trainer, uint32_t t)
{
	const NnTensor *to = &trainer->plan->tensor[t],
			   *from;
	const nn_real *params;
	int			i = nn_plan_tensor(plan, to->name);

	if (i < 0 || to->init == NN_INIT_GIVEN) /* the edges are those of the new rows */
		return false;
	from = &plan->tensor[i];
	if (from->ndim != to->ndim || memcmp(from->dim, to->dim, to->ndim * sizeof(to->dim[0])) != 0)
		return false;
	params = input->from->params;
	if (input->resumes)
		params += input->network % input->from->spec.ensemble_size * input->from->nparams;
	memcpy(trainer->params + to->span.offset, params + from->span.offset,
		   to->span.count * sizeof(nn_real));
	return true;
}

/* Does the tensor belong to the layer of that name? */
static bool
tensor_of(const NnTensor *tensor, const char *layer)
{
	size_t		n = strlen(layer);

	return strncmp(tensor->name, layer, n) == 0 && tensor->name[n] == '.';
}

static void
tensors_freeze(const TrainingInput *input, NnTrainer *trainer, const bool *copied)
{
	const NnSpec *spec = input->spec;
	bool		frozen[NN_MAX_TENSORS] = {false};

	for (uint32_t f = 0; f < spec->nfreeze; f++)
	{
		bool		any = false;

		for (uint32_t t = 0; t < trainer->plan->ntensors; t++)
		{
			if (!tensor_of(&trainer->plan->tensor[t], spec->freeze[f]))
				continue;
			if (!copied[t])
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("layer \"%s\" cannot be frozen: model \"%s\" has no such tensor \"%s\"",
								spec->freeze[f], spec->from_model, trainer->plan->tensor[t].name),
						 errhint("Freeze layers that both networks have.")));
			any = frozen[t] = true;
		}
		if (!any)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("option \"freeze\" names \"%s\", which is no layer with parameters",
							spec->freeze[f]),
					 errhint("lstm.layers('%s') lists the layers.", spec->from_model)));
	}
	nn_trainer_freeze(trainer, frozen);
}

void
transfer_begin(TrainingInput *input, NnTrainer *trainer)
{
	bool		copied[NN_MAX_TENSORS] = {false};
	uint32		n = 0;
	const NnPlan *plan;

	if (input->from == NULL)
		return;
	plan = nn_plan_build(trainer->env, &input->from->spec, trainer->kernels, NN_LANES);
	for (uint32_t t = 0; t < trainer->plan->ntensors; t++)
		n += copied[t] = tensor_copy(input, plan, trainer, t);
	if (n == 0 && input->resumes)
	{
		if (!input->transfer_told)
			ereport(NOTICE,
					(errmsg("model \"%s\" is trained anew: no tensor of its deployed version fits the"
							" network for the rows there are now", input->label)));
		input->transfer_told = input->cold = true;
		return;
	}
	if (n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no tensor of model \"%s\" has name and shape of one of the new network",
						input->spec->from_model),
				 errhint("Leave the network's options out to take over its layers.")));
	for (uint32_t t = 0; t < trainer->plan->ntensors && !input->transfer_told; t++)
		if (!copied[t] && trainer->plan->tensor[t].init != NN_INIT_GIVEN)
			ereport(NOTICE,
					(errmsg("tensor \"%s\" is not that of model \"%s\" and begins anew",
							trainer->plan->tensor[t].name,
							input->resumes ? input->label : input->spec->from_model)));
	input->transfer_told = true;
	if (input->spec->nfreeze > 0)
		tensors_freeze(input, trainer, copied);
}
