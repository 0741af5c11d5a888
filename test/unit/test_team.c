/*
 * test_team.c
 *		A team of threads trains the same bits as one participant alone.
 *
 * Threads stand in for the server's parallel workers: each works on the shared
 * block and nothing else.  Workers attach before the threads start, since the
 * harness' memory belongs to one thread.
 */
#include <pthread.h>

#include "unit.h"

#include "network.h"

#define MOST 5

static pthread_barrier_t barrier;

static void
meet(void *host)
{
	(void) host;
	pthread_barrier_wait(&barrier);
}

static void *
worker_main(void *member)
{
	nn_member_loop(member);
	return NULL;
}

/* A host that never fails and counts nothing: polls come from many threads. */
static void
quiet_poll(void *host)
{
	(void) host;
}

static NnTrainer *
team_train(const Job *job, uint32_t count)
{
	NnTrainer  *trainer = job_trainer(job);
	NnEnv		quiet = *unit_env();
	pthread_t	thread[MOST];
	NnMember   *worker[MOST];
	void	   *block = nn_alloc(unit_env(), nn_share_size(trainer->leader), 1);

	quiet.poll = quiet_poll;
	nn_share_write(trainer->leader, block);
	pthread_barrier_init(&barrier, NULL, count);
	for (uint32_t i = 1; i < count; i++)
	{
		worker[i] = nn_share_attach(&quiet, block, job->kernels);
		worker[i]->number = i;
		worker[i]->count = count;
		worker[i]->meet = meet;
		pthread_create(&thread[i], NULL, worker_main, worker[i]);
	}
	trainer->leader->env = trainer->leader->state->env = &quiet;
	nn_trainer_join(trainer, block, count, meet, NULL);
	nn_trainer_run(trainer);
	nn_trainer_leave(trainer);
	for (uint32_t i = 1; i < count; i++)
		pthread_join(thread[i], NULL);
	pthread_barrier_destroy(&barrier);
	return trainer;
}

static void
job_compare(const Job *job)
{
	NnTrainer  *alone = job_trainer(job);

	nn_trainer_run(alone);
	for (uint32_t count = 2; count <= MOST; count++)
	{
		NnTrainer  *team = team_train(job, count);

		UNIT_CHECK(reals_equal(team->params, alone->params, job->plan->nparams));
		UNIT_INTEGER(team->report.nepochs, alone->report.nepochs);
		UNIT_INTEGER(team->report.best_epoch, alone->report.best_epoch);
		UNIT_CHECK(memcmp(team->report.epoch, alone->report.epoch,
						  alone->report.nepochs * sizeof(NnEpoch)) == 0);
	}
}

static void
team_compare(NnSpec *spec, NnSeries *series)
{
	job_compare(job_create(spec, series));
}

static void
a_team_trains_the_same_bits(void)
{
	NnSpec	   *spec = spec_of("\"units\": 7, \"batch_size\": 100, \"epochs\": 3, \"clip_norm\": 0.5");

	spec->context = 6;
	team_compare(spec, series_sine(400));
}

static void
dropout_and_early_stopping_do_too(void)
{
	NnSpec	   *spec = spec_of("\"batch_size\": 72, \"epochs\": 6, \"patience\": 2, \"layers\": ["
							   "{\"type\": \"lstm\", \"units\": 5, \"dropout\": 0.3, "
							   "\"recurrent_dropout\": 0.2},"
							   "{\"type\": \"dropout\", \"rate\": 0.4}, {\"type\": \"dense\"}]");

	spec->context = 4;
	spec->horizon = spec->forecast_horizon = 2;
	team_compare(spec, series_sine(300));
}

static void
gaps_and_differences_reach_the_workers(void)
{
	NnSpec	   *spec = spec_of("\"units\": 4, \"batch_size\": 64, \"epochs\": 2, \"difference\": 3, "
							   "\"l2\": 0.001");
	NnSeries   *series = series_sine(250);

	for (uint32_t t = 20; t < 250; t += 7)
		series->value[t] = NAN;
	spec->context = 5;
	team_compare(spec, series);
}

static void
arrays_reach_the_workers(void)
{
	NnSpec	   *spec = spec_of("\"batch_size\": 64, \"epochs\": 2, \"layers\": ["
							   "{\"type\": \"gru\", \"units\": 4, \"return_sequences\": false},"
							   "{\"type\": \"conv2d\", \"units\": 2, \"inputs\": [\"image\"]},"
							   "{\"type\": \"flatten_grid\"}, {\"type\": \"last\"},"
							   "{\"type\": \"dense\", \"units\": 4},"
							   "{\"type\": \"fuse\", \"inputs\": [\"gru\", \"dense\"]}]");
	NnSeries   *series = series_sine(250);
	float	   *value = NN_NEW_ARRAY(unit_env(), float, 250 * 12);
	uint32_t   *at = NN_NEW_ARRAY(unit_env(), uint32_t, 250);
	NnArray		array = {"image", 12, at, value};

	for (uint32_t t = 0; t < 250; t++)
		at[t] = t % 40 < 20 ? 249 - t : NN_ARRAY_UNKNOWN;
	for (uint32_t i = 0; i < 250 * 12; i++)
		value[i] = (float) (i * 7 % 31);
	spec->context = 5;
	spec->narrays = series->narrays = 1;
	spec->array[0] = (NnArraySpec) {"image", 3, 2, 2};
	series->array = &array;
	team_compare(spec, series);
}

static void
more_participants_than_shards_do_no_harm(void)
{
	NnSpec	   *spec = spec_of("\"units\": 3, \"batch_size\": 8, \"epochs\": 2");

	spec->context = 1;
	team_compare(spec, series_sine(60));
}

static void
training_against_attacks_does_too(void)
{
	NnSpec	   *spec = spec_of("\"units\": 5, \"batch_size\": 100, \"epochs\": 2, "
							   "\"dropout\": 0.2, \"adversarial\": {\"epsilon\": 0.1}");

	spec->context = 6;
	team_compare(spec, series_sine(300));
}

/* Sites, segments and a vector for each series, which workers must know by number. */
static void
sites_and_series_reach_the_workers(void)
{
	NnSpec	   *spec = spec_parse("\"architecture\": \"segment\", \"units\": 5, \"segment_length\": 2, "
								  "\"series_embedding\": 3, \"dropout\": 0.2, \"epochs\": 2, "
								  "\"normalization\": \"none\", \"batch_size\": 100");
	const uint32_t rows[] = {60, 70, 80},
				numbers[] = {2, 3, 0};
	NnSeries   *series = series_create(3, rows, 2, 0);
	uint64_t	state = 3;
	Job		   *job;
	nn_real    *params;

	series_randomise(series, &state, 0);
	spec->context = 7;
	spec->horizon = spec->forecast_horizon = 3;
	spec->ntargets = 2;
	spec->nseries = 4;
	nn_spec_expand(unit_env(), spec);
	job = job_create(spec, series);
	job->data->identity = numbers;
	job_compare(job);
	/* The vector of the series that is not there stays as it began, the others move. */
	params = team_train(job, 2)->params;
	for (uint32_t i = 0; i < 4; i++)
	{
		const NnTensor *tensor = &job->plan->tensor[nn_plan_tensor(job->plan, "embedding.weight")];
		nn_real    *begun = NN_NEW_ARRAY(unit_env(), nn_real, job->plan->nparams);

		nn_params_init(unit_env(), job->plan, spec->seed, begun);
		UNIT_CHECK(reals_equal(params + tensor->span.offset + 3 * i,
							   begun + tensor->span.offset + 3 * i, 3) == (i == 1));
	}
}

int
main(void)
{
	UNIT_RUN(a_team_trains_the_same_bits);
	UNIT_RUN(dropout_and_early_stopping_do_too);
	UNIT_RUN(gaps_and_differences_reach_the_workers);
	UNIT_RUN(arrays_reach_the_workers);
	UNIT_RUN(more_participants_than_shards_do_no_harm);
	UNIT_RUN(training_against_attacks_does_too);
	UNIT_RUN(sites_and_series_reach_the_workers);
	return unit_finish();
}
