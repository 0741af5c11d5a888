/*
 * test_train.c
 *		Training: that it learns, repeats itself, stops, can be cancelled, and takes
 *		no memory while it runs; and the cut of batches into tiles.
 */
#include "core/nn_loss.h"

#include "network.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A learning rate that leaves parameters of the usual size as they are. */
#define NO_CHANGE "\"optimizer\":\"sgd\",\"learning_rate\":1e-30"

/* One sine of rows values, context 12, horizon 2. */
static Job *
job_sine(const char *options, uint32_t rows)
{
	NnSpec	   *spec = spec_of(options);

	spec->context = 12;
	spec->horizon = spec->forecast_horizon = 2;
	return job_create(spec, series_sine(rows));
}

/* A trainer that has run. */
static NnTrainer *
job_run(const Job *job)
{
	NnTrainer  *trainer = job_trainer(job);

	nn_trainer_run(trainer);
	return trainer;
}

static bool
trainers_equal(const NnTrainer *a, const NnTrainer *b)
{
	return a->plan->nparams == b->plan->nparams &&
		reals_equal(a->params, b->params, a->plan->nparams);
}

static void
tiles_cover_batches(void)
{
	for (uint32_t n = 1; n <= 300; n++)
	{
		uint32_t	next = 0,
					widest = 0;

		for (uint32_t i = 0; i < nn_tile_count(n); i++)
		{
			NnTile		tile = nn_tile_get(n, i);

			UNIT_INTEGER(tile.first, next);
			UNIT_CHECK(tile.count > 0 && tile.count <= tile.L);
			UNIT_CHECK(tile.L - tile.count < NN_LANES);
			UNIT_INTEGER(tile.L % NN_LANES, 0);
			UNIT_CHECK(tile.L <= NN_TILE_LANES && NN_TILE_LANES <= 48);
			next += tile.count;
			widest = tile.L > widest ? tile.L : widest;
		}
		UNIT_INTEGER(next, n);
		/* A ragged last batch is not wider than what was planned for whole ones. */
		UNIT_CHECK(widest <= nn_tile_lanes(n));
		UNIT_CHECK(n == 1 || nn_tile_lanes(n - 1) <= nn_tile_lanes(n));
	}
	UNIT_INTEGER(nn_tile_get(72, 0).L, 48);
	UNIT_INTEGER(nn_tile_get(72, 1).L, 32);
	UNIT_INTEGER(nn_tile_get(64, 0).L, 32);
}

static void
cells_learn_a_sine(void)
{
	static const char *const types[] = {"lstm", "gru", "rnn"};

	for (size_t i = 0; i < COUNT(types); i++)
		for (uint32_t residual = 0; residual < 2; residual++)
		{
			Job		   *job = job_sine(nn_format(unit_env(), "\"architecture\":\"%s\",\"units\":8,"
												 "\"residual\":%s,\"learning_rate\":0.01,\"epochs\":25,"
												 "\"batch_size\":16", types[i],
												 residual ? "true" : "false"), 150);
			NnReport   *report = &job_run(job)->report;

			UNIT_CHECK(report->epoch[0].loss > 0.1);
			UNIT_CHECK(report->train_loss < 0.02);
			UNIT_CHECK(report->validation_loss < 0.02);
			UNIT_CHECK(report->epoch[0].gradient_norm > 0);
		}
}

/* Each loss falls, by its own measure. */
static void
losses_fall(void)
{
	static const char *const losses[] = {
		"mse", "mae", "huber", "quantile", "gaussian", "student_t"
	};

	for (size_t i = 0; i < COUNT(losses); i++)
	{
		Job		   *job = job_sine(nn_format(unit_env(), "\"units\":6,\"epochs\":12,\"learning_rate\":0.01,"
											 "\"loss\":\"%s\",\"residual\":false", losses[i]), 120);
		NnReport   *report = &job_run(job)->report;
		double		first = report->epoch[0].loss,
					last = report->epoch[report->nepochs - 1].loss;

		UNIT_CHECK(isfinite(first) && isfinite(last));
		UNIT_CHECK(last < first - 0.2 * fabs(first));
	}
}

#define NOISY "\"units\":5,\"num_layers\":2,\"dropout\":0.2,\"recurrent_dropout\":0.1,\"epochs\":3," \
	"\"clip_norm\":1,\"l1\":1e-4,\"batch_size\":40"

static void
seed_decides_all(void)
{
	NnTrainer  *a = job_run(job_sine(NOISY ",\"seed\":3", 120)),
			   *b = job_run(job_sine(NOISY ",\"seed\":3", 120)),
			   *other = job_run(job_sine(NOISY ",\"seed\":4", 120));

	UNIT_CHECK(trainers_equal(a, b));
	UNIT_CHECK(!trainers_equal(a, other));
	UNIT_INTEGER(a->report.nepochs, b->report.nepochs);
	UNIT_CHECK(memcmp(a->report.epoch, b->report.epoch, 3 * sizeof(NnEpoch)) == 0);
}

/* Windows are the same whatever their series' place in memory. */
static void
memory_order_is_nothing(void)
{
	const uint32_t rows[] = {40, 55, 47},
				moved_rows[] = {47, 40, 55},
				place[] = {1, 2, 0};	/* of series 0, 1, 2 in the second job */
	NnSeries   *series = series_create(3, rows, 1, 0),
			   *moved = series_create(3, moved_rows, 1, 0);
	NnSpec	   *spec = spec_of("\"units\":5,\"scaling\":\"none\",\"epochs\":3,\"dropout\":0.1,"
							   "\"clip_norm\":1");
	uint64_t	state = 11;
	Job		   *a,
			   *b;

	series_randomise(series, &state, 0.1);
	for (uint32_t s = 0; s < 3; s++)
		memcpy(moved->value + moved->first[place[s]], series->value + series->first[s],
			   rows[s] * sizeof(double));
	spec->context = 6;
	spec->horizon = spec->forecast_horizon = 2;
	a = job_create(spec, series);
	b = job_create(spec, moved);
	UNIT_INTEGER(a->ntrain, b->ntrain);
	for (uint32_t i = 0; i < a->ntrain + a->nvalidation; i++)
	{
		const NnWindow *from = i < a->ntrain ? &a->train[i] : &a->validation[i - a->ntrain];
		NnWindow   *to = i < a->ntrain ? &b->train[i] : &b->validation[i - a->ntrain];

		*to = (NnWindow) {place[from->series],
		from->origin - series->first[from->series] + moved->first[place[from->series]]};
	}
	UNIT_CHECK(trainers_equal(job_run(a), job_run(b)));
}

/* ---- epochs */

/* What the callback sees of a run. */
typedef struct Watch
{
	uint32_t	calls;
	size_t		first_nallocs, last_nallocs;
	nn_real    *params[64];		/* copies by epoch, made outside of the environment */
} Watch;

static void
watch_epoch(void *host, const NnTrainer *trainer, uint32_t epoch)
{
	Watch	   *watch = host;
	size_t		size = trainer->plan->nparams * sizeof(nn_real);

	UNIT_INTEGER(epoch, watch->calls);
	UNIT_INTEGER(trainer->report.nepochs, epoch + 1);
	if (watch->calls++ == 0)
		watch->first_nallocs = unit_host.nallocs;
	watch->last_nallocs = unit_host.nallocs;
	if (epoch < 64 && (watch->params[epoch] = malloc(size)) != NULL)
		memcpy(watch->params[epoch], trainer->params, size);
}

static void
watch_end(Watch *watch)
{
	for (uint32_t i = 0; i < 64; i++)
		free(watch->params[i]);
}

static void
epochs_allocate_nothing(void)
{
	Job		   *job = job_sine("\"units\":6,\"bidirectional\":true,\"dropout\":0.1,\"l2\":0.001,"
							   "\"recurrent_dropout\":0.1,\"clip_norm\":1,\"loss\":\"student_t\","
							"\"epochs\":4,"
							   "\"batch_size\":70,\"optimizer\":\"adamw\",\"schedule\":\"cosine\"", 160);
	NnTrainer  *trainer = job_trainer(job);
	Watch		watch = {0};
	size_t		before = unit_host.nallocs;

	trainer->on_epoch = watch_epoch;
	trainer->host = &watch;
	nn_trainer_run(trainer);
	UNIT_INTEGER(watch.calls, 4);
	UNIT_INTEGER(watch.first_nallocs, before);
	UNIT_INTEGER(watch.last_nallocs, before);
	UNIT_INTEGER(unit_host.nallocs, before);
	nn_trainer_loss(trainer, job->train, job->ntrain);
	UNIT_INTEGER(unit_host.nallocs, before);
	watch_end(&watch);
}

static void
best_epoch_is_restored(void)
{
	/* A rate so large that validation soon gets worse. */
	Job		   *job = job_sine("\"units\":8,\"learning_rate\":0.1,\"epochs\":40,\"patience\":3,"
							   "\"batch_size\":16", 150);
	NnTrainer  *trainer = job_trainer(job);
	NnReport   *report = &trainer->report;
	Watch		watch = {0};

	trainer->on_epoch = watch_epoch;
	trainer->host = &watch;
	nn_trainer_run(trainer);
	UNIT_INTEGER(report->nepochs, report->best_epoch + 1 + 3);
	UNIT_INTEGER(watch.calls, report->nepochs);
	UNIT_CHECK(report->nepochs < 40);
	for (uint32_t i = 0; i < report->nepochs; i++)
		UNIT_CHECK(report->epoch[i].validation_loss >= report->validation_loss);
	UNIT_NEAR(report->validation_loss, report->epoch[report->best_epoch].validation_loss, 0);
	UNIT_NEAR(report->train_loss, report->epoch[report->best_epoch].loss, 0);
	UNIT_CHECK(reals_equal(trainer->params, watch.params[report->best_epoch], job->plan->nparams));
	UNIT_CHECK(!reals_equal(trainer->params, watch.params[report->nepochs - 1], job->plan->nparams));
	/* Packed weights are those of the best epoch too. */
	UNIT_NEAR(nn_trainer_loss(trainer, job->validation, job->nvalidation), report->validation_loss, 0);
	watch_end(&watch);
}

/* Without a validation part the training loss is watched; without patience all epochs run. */
static void
patience_without_validation(void)
{
	Job		   *job = job_sine("\"units\":4,\"epochs\":12,\"validation_split\":0," NO_CHANGE, 80);
	NnReport   *report;

	job->spec->patience = 2;
	report = &job_run(job)->report;
	UNIT_INTEGER(job->nvalidation, 0);
	UNIT_CHECK(isnan(report->validation_loss) && isnan(report->epoch[0].validation_loss));
	UNIT_CHECK(report->nepochs < 12);
	job = job_sine("\"units\":4,\"epochs\":6,\"patience\":0," NO_CHANGE, 80);
	report = &job_run(job)->report;
	UNIT_INTEGER(report->nepochs, 6);
	UNIT_INTEGER(report->best_epoch, 5);
	UNIT_NEAR(report->train_loss, report->epoch[5].loss, 0);
	/* min_delta: gains below it are none. */
	job = job_sine("\"units\":4,\"epochs\":9,\"patience\":2,\"min_delta\":1e6", 80);
	UNIT_INTEGER(job_run(job)->report.nepochs, 3);
}

static void
learning_rates_follow_schedule(void)
{
	Job		   *job = job_sine("\"units\":3,\"epochs\":8,\"patience\":0,\"learning_rate\":0.01,"
							   "\"schedule\":\"step\",\"schedule_patience\":3,\"schedule_factor\":0.1", 60);
	NnEpoch    *epoch = job_run(job)->report.epoch;
	uint32_t	steps;

	for (uint32_t i = 0; i < 8; i++)
		UNIT_NEAR(epoch[i].learning_rate / (0.01 * pow(0.1, i / 3)), 1, 1e-12);
	job = job_sine("\"units\":3,\"epochs\":8,\"patience\":0,\"learning_rate\":0.01,"
				   "\"batch_size\":8,\"schedule\":\"cosine\",\"minimum_learning_rate\":0.002", 60);
	epoch = job_run(job)->report.epoch;
	/* It falls with every step; the log has the rate of an epoch's last one. */
	steps = (job->ntrain + 7) / 8;
	UNIT_CHECK(steps > 3);
	for (uint32_t i = 0; i < 8; i++)
		UNIT_NEAR(epoch[i].learning_rate,
				  0.002 + 0.004 * (1 + cos(3.14159265358979 * ((i + 1) * steps - 1) / (8 * steps))),
				  1e-12);
	job = job_sine("\"units\":3,\"epochs\":8,\"patience\":0,\"learning_rate\":0.01,"
				   "\"batch_size\":8,\"warmup_steps\":12", 60);
	epoch = job_run(job)->report.epoch;
	for (uint32_t i = 0; i < 8; i++)
		UNIT_NEAR(epoch[i].learning_rate, 0.01 * fmin(1, (i + 1) * steps / 12.0), 1e-12);
	/* Nothing is ever gained: the rate is cut every other epoch from the third on, down to the least. */
	job = job_sine("\"units\":3,\"epochs\":8,\"patience\":0,\"learning_rate\":0.01,\"min_delta\":1e6,"
				   "\"schedule\":\"plateau\",\"schedule_patience\":2,\"schedule_factor\":0.5,"
				   "\"minimum_learning_rate\":0.002", 60);
	epoch = job_run(job)->report.epoch;
	{
		const double expected[] = {0.01, 0.01, 0.01, 0.005, 0.005, 0.0025, 0.0025, 0.002};

		for (uint32_t i = 0; i < 8; i++)
			UNIT_NEAR(epoch[i].learning_rate, expected[i], 1e-12);
	}
}

/* ---- batches */

/*
 * However the windows are cut into batches, tiles and padded lanes, an epoch that
 * changes nothing has the loss of its windows.
 */
static void
batches_have_one_loss(void)
{
	const uint32_t sizes[] = {1, 7, 15, 16, 17, 48, 49, 64, 86, 87, 100, 1000};
	double		expected = 0;

	for (size_t i = 0; i < COUNT(sizes); i++)
	{
		Job		   *job = job_sine(nn_format(unit_env(), "\"units\":4,\"epochs\":1,\"batch_size\":%u,"
											 NO_CHANGE, sizes[i]), 125);
		NnTrainer  *trainer = job_trainer(job);
		double		loss = nn_trainer_loss(trainer, job->train, job->ntrain);

		UNIT_INTEGER(job->ntrain, 87);
		nn_trainer_run(trainer);
		UNIT_NEAR(trainer->report.epoch[0].loss / loss, 1, 1e-9);
		if (i == 0)
			expected = loss;
		UNIT_NEAR(loss / expected, 1, 1e-9);
	}
}

/* A batch of all windows is the same, given its size or a larger one. */
static void
large_batch_is_all_windows(void)
{
	NnTrainer  *a = job_run(job_sine("\"units\":4,\"epochs\":3,\"batch_size\":87", 125)),
			   *b = job_run(job_sine("\"units\":4,\"epochs\":3,\"batch_size\":65536", 125)),
			   *c = job_run(job_sine("\"units\":4,\"epochs\":3,\"batch_size\":86", 125));

	UNIT_CHECK(trainers_equal(a, b));
	UNIT_CHECK(!trainers_equal(a, c));
	UNIT_INTEGER(a->optim->step, 3);
	UNIT_INTEGER(c->optim->step, 6);
}

static void
single_windows_learn(void)
{
	NnReport   *report = &job_run(job_sine("\"units\":4,\"epochs\":6,\"batch_size\":1,"
										   "\"learning_rate\":0.005,\"residual\":false", 60))->report;

	UNIT_CHECK(report->epoch[5].loss < 0.7 * report->epoch[0].loss);
}

/* The gradient of a batch of two tiles is the mean of its windows' gradients. */
static void
gradient_is_a_mean(void)
{
	Job		   *job = job_sine("\"units\":3,\"batch_size\":72,\"epochs\":1," NO_CHANGE, 125);
	NnTrainer  *trainer = job_trainer(job);
	size_t		nparams = job->plan->nparams;
	double	   *sum = NN_NEW_ARRAY(unit_env(), double, nparams);
	uint64_t	known = 0;
	double		norm,
				square = 0;

	for (uint32_t i = 0; i < 72; i++)
	{
		trainer->leader->batch[0] = job->train[i];
		nn_trainer_step(trainer, 1, 1e-30, &known, &norm);
		for (size_t k = 0; k < nparams; k++)
			sum[k] += (double) trainer->gradient[k] / 72;
	}
	UNIT_INTEGER(known, 144);
	memcpy(trainer->leader->batch, job->train, 72 * sizeof(NnWindow));
	nn_trainer_step(trainer, 72, 1e-30, &known, &norm);
	for (size_t k = 0; k < nparams; k++)
	{
		UNIT_NEAR(trainer->gradient[k], sum[k], 1e-6);
		square += sum[k] * sum[k];
	}
	UNIT_CHECK(norm > 0.01);
	UNIT_NEAR(norm, sqrt(square), 1e-6);
}

/* Windows without any known target cost nothing, and unknown targets do not count. */
static void
unknown_targets_cost_nothing(void)
{
	for (uint32_t batch = 1; batch <= 20; batch += 19)
	{
		NnSpec	   *spec = spec_of(nn_format(unit_env(), "\"units\":4,\"epochs\":1,\"batch_size\":%u,"
											 "\"validation_split\":0,\"shuffle\":false,\"loss\":\"%s\","
											 NO_CHANGE, batch, batch == 1 ? "mse" : "gaussian"));
		NnSeries   *series = series_sine(90);
		NnWindow   *all;
		NnTrainer  *trainer;
		Job		   *job;
		double		loss;

		for (uint32_t t = 30; t < 60; t++)
			series->value[t] = NAN;
		spec->context = 6;
		spec->horizon = spec->forecast_horizon = 2;
		job = job_create(spec, series);
		trainer = job_trainer(job);
		loss = nn_trainer_loss(trainer, job->train, job->ntrain);
		UNIT_CHECK(isfinite(loss));

		all = NN_NEW_ARRAY(unit_env(), NnWindow, 83);
		for (uint32_t i = 0; i < 83; i++)
			all[i] = (NnWindow) {0, 5 + i};
		UNIT_INTEGER(job->ntrain, 83 - 29);
		job->train = all;
		job->ntrain = 83;
		trainer = job_trainer(job);
		UNIT_NEAR(nn_trainer_loss(trainer, all, 83) / loss, 1, 1e-9);
		nn_trainer_run(trainer);
		UNIT_NEAR(trainer->report.train_loss / loss, 1, 1e-9);
		UNIT_CHECK(isfinite(trainer->report.epoch[0].gradient_norm));
		UNIT_CHECK(isnan(nn_trainer_loss(trainer, all + 30, 2)));
	}
}

static void
clip_limits_steps(void)
{
	Job		   *job = job_sine("\"units\":4,\"optimizer\":\"sgd\",\"learning_rate\":0.5,\"clip_norm\":0.01,"
							   "\"epochs\":1,\"residual\":false", 125);
	NnTrainer  *trainer = job_trainer(job);
	size_t		nparams = job->plan->nparams;
	nn_real    *before = NN_NEW_ARRAY(unit_env(), nn_real, nparams);
	uint64_t	known = 0;
	double		norm,
				moved = 0;

	memcpy(before, trainer->params, nparams * sizeof(nn_real));
	memcpy(trainer->leader->batch, job->train, 32 * sizeof(NnWindow));
	nn_trainer_step(trainer, 32, 0.5, &known, &norm);
	for (size_t k = 0; k < nparams; k++)
		moved += pow((double) trainer->params[k] - (double) before[k], 2);
	UNIT_CHECK(norm > 0.1);
	UNIT_NEAR(sqrt(moved) / (0.5 * 0.01), 1, 1e-3);
	nn_trainer_run(trainer);
	UNIT_CHECK(trainer->report.epoch[0].gradient_norm > 0.1);
}

/* ---- failures */

static void
divergence_is_told(void)
{
	static const char *const options[] = {
		"\"architecture\":\"rnn\",\"activation\":\"relu\",\"optimizer\":\"sgd\",\"learning_rate\":999",
		"\"units\":4,\"optimizer\":\"sgd\",\"learning_rate\":999,\"validation_split\":0,\"epochs\":400",
		"\"units\":4,\"optimizer\":\"sgd\",\"learning_rate\":999,\"loss\":\"mae\",\"l2\":999"
	};

	for (size_t i = 0; i < COUNT(options); i++)
	{
		Job		   *job = job_sine(options[i], 120);
		NnTrainer  *trainer;

		job->spec->patience = 0;
		trainer = job_trainer(job);
		UNIT_FAILS(unit_env(), NN_DIVERGED, nn_trainer_run(trainer));
		UNIT_CHECK(strncmp(unit_host.message, "training diverged in epoch ", 27) == 0);
		UNIT_CHECK(strstr(unit_host.message, "is not a finite number") != NULL);
		UNIT_CHECK(strstr(unit_host.message, "nan") == NULL && strstr(unit_host.message, "inf") == NULL);
		UNIT_CHECK(strstr(unit_host.hint, "\"learning_rate\"") != NULL);
	}
	/* Clipping cures it. */
	job_run(job_sine("\"units\":4,\"optimizer\":\"sgd\",\"learning_rate\":0.1,\"clip_norm\":1,"
		"\"epochs\":3", 120));
}

/*
 * A last step out of the numbers has no loss after it to show that.  (In double
 * the loss overflows before a parameter does.)
 */
static void
last_step_is_checked(void)
{
	NnSpec	   *spec = spec_of("\"layers\":[{\"type\":\"last\"},{\"type\":\"dense\"}],\"scaling\":\"none\","
							   "\"optimizer\":\"sgd\",\"learning_rate\":999,\"epochs\":1,"
							   "\"validation_split\":0");
	NnSeries   *series = series_sine(20);
	NnTrainer  *trainer;

	for (uint32_t t = 0; t < 20; t++)
		series->value[t] = t < 10 ? 0 : 1e37;
	spec->context = 10;
	spec->horizon = spec->forecast_horizon = 10;
	trainer = job_trainer(job_create(spec, series));
	if (sizeof(nn_real) == sizeof(double))
		return;
	UNIT_FAILS(unit_env(), NN_DIVERGED, nn_trainer_run(trainer));
	UNIT_STRING(unit_host.message, "training diverged in epoch 1: a parameter is not a finite number");
}

static void
memory_limit_is_told(void)
{
	Job		   *job = job_sine("\"units\":64,\"batch_size\":4096,\"epochs\":1000", 120);
	size_t		needed = nn_trainer_memory(unit_env(), job->spec, job->plan, job->ntrain),
				before = unit_host.nbytes;

	unit_env()->max_memory = needed - 1;
	UNIT_FAILS(unit_env(), NN_NO_MEMORY, job_trainer(job));
	UNIT_CHECK(unit_host.nbytes - before < 4096);
	UNIT_CHECK(strstr(unit_host.message, nn_format(unit_env(), "training needs %.1f MB",
		needed / 1048576.0)) != NULL);
	UNIT_CHECK(strstr(unit_host.hint, "\"lstm.max_memory\"") != NULL);

	/* With that much it can, and it takes what was announced but for small change. */
	unit_env()->max_memory = needed;
	before = unit_host.nbytes;
	job_trainer(job);
	UNIT_CHECK(unit_host.nbytes - before < needed + 4096);
	UNIT_CHECK(unit_host.nbytes - before > 0.95 * needed);
}

/* ---- dropout */

static void
dropout_is_for_training(void)
{
	static const char *const with = "\"layers\":[{\"type\":\"lstm\",\"units\":6,\"dropout\":0.5,"
		"\"recurrent_dropout\":0.5},{\"type\":\"dropout\",\"rate\":0.5},{\"type\":\"dense\"}],"
		"\"batch_size\":87,\"epochs\":2," NO_CHANGE;
	static const char *const without = "\"layers\":[{\"type\":\"lstm\",\"units\":6},{\"type\":\"dense\"}],"
		"\"batch_size\":87,\"epochs\":2," NO_CHANGE;
	Job		   *job = job_sine(with, 125);
	NnTrainer  *dropping = job_trainer(job),
			   *plain = job_trainer(job_sine(without, 125));
	double		loss = nn_trainer_loss(plain, job->train, job->ntrain);

	UNIT_CHECK(reals_equal(dropping->params, plain->params, job->plan->nparams));
	UNIT_NEAR(nn_trainer_loss(dropping, job->train, job->ntrain), loss, 0);
	nn_trainer_run(dropping);
	nn_trainer_run(plain);
	UNIT_NEAR(plain->report.epoch[0].loss / loss, 1, 1e-9);
	UNIT_CHECK(fabs(dropping->report.epoch[0].loss / loss - 1) > 1e-4);
	/* Other masks in the next step, none in validation. */
	UNIT_CHECK(fabs(dropping->report.epoch[0].loss / dropping->report.epoch[1].loss - 1) > 1e-6);
	UNIT_NEAR(dropping->report.validation_loss / plain->report.validation_loss, 1, 1e-9);
	UNIT_NEAR(nn_trainer_loss(dropping, job->train, job->ntrain), loss, 1e-9);
}

/* Tiles of a batch have masks of their own: the same window costs another loss in each. */
static void
masks_differ_by_tile(void)
{
	static const char *const layers[] = {
		"{\"type\":\"lstm\",\"units\":4,\"dropout\":0.5}",
		"{\"type\":\"lstm\",\"units\":4,\"recurrent_dropout\":0.5}",
		"{\"type\":\"lstm\",\"units\":4},{\"type\":\"dropout\",\"rate\":0.5}"
	};

	for (size_t i = 0; i < COUNT(layers); i++)
	{
		NnTrainer  *trainer = job_trainer(job_sine(nn_format(unit_env(),
			"\"layers\":[%s,{\"type\":\"dense\"}],"
															 "\"batch_size\":96," NO_CHANGE,
															layers[i]), 125));
		double		loss[2],
					norm;
		uint64_t	known = 0;

		for (uint32_t w = 0; w < 96; w++)
			trainer->leader->batch[w] = trainer->train[3];
		for (uint32_t tiles = 1; tiles <= 2; tiles++)
		{
			trainer->optim->step = 0;
			loss[tiles - 1] = nn_trainer_step(trainer, 48 * tiles, 1e-30, &known, &norm) / tiles;
		}
		UNIT_CHECK(fabs(loss[1] / loss[0] - 1) > 1e-6);
	}
}

/* ---- cancelling */

/* Recurrent layers poll at each step, upwards and downwards. */
static void
steps_poll(void)
{
	static const char *const types[] = {"lstm", "gru", "rnn"};

	for (size_t i = 0; i < COUNT(types); i++)
	{
		size_t		polls[2];

		for (uint32_t k = 0; k < 2; k++)
		{
			NnSpec	   *spec = spec_of(nn_format(unit_env(), "\"architecture\":\"%s\"", types[i]));
			NnTrainer  *trainer;
			uint64_t	known = 0;
			double		norm;

			spec->context = 10 + 10 * k;
			trainer = job_trainer(job_create(spec, series_sine(80)));
			memcpy(trainer->leader->batch, trainer->train, 16 * sizeof(NnWindow));
			polls[k] = unit_host.npolls;
			nn_trainer_step(trainer, 16, 0.01, &known, &norm);
			polls[k] = unit_host.npolls - polls[k];
		}
		UNIT_INTEGER(polls[1] - polls[0], 2 * 10);
	}
}

static void
training_can_be_cancelled(void)
{
	static const char *const options = "\"units\":4,\"num_layers\":2,\"dropout\":0.1,\"epochs\":3";
	Job		   *job = job_sine(options, 100);
	size_t		before = unit_host.npolls,
				polls;
	NnTrainer  *expected = job_run(job);

	polls = unit_host.npolls - before;
	/* 3 epochs, 3 batches, 2 layers, 12 steps up and down. */
	UNIT_CHECK(polls > 3 * 3 * 2 * 12 * 2);
	for (size_t limit = 1; limit <= polls; limit += 1 + polls / 97)
	{
		bool		stopped = true;

		before = unit_host.npolls;
		unit_host.poll_limit = before + limit;
		UNIT_FAILS(unit_env(), NN_BAD_VALUE,
				   {
					   job_run(job);
					   stopped = false;
				   });
		UNIT_CHECK(stopped);
		UNIT_STRING(unit_host.message, "canceled by the test");
		UNIT_INTEGER(unit_host.npolls - before, limit);
		unit_host.poll_limit = 0;
	}
	UNIT_CHECK(trainers_equal(job_run(job), expected));
}

/* ---- parts of a training */

/* Tensors of the layer keep their values bit for bit; the others learn, as far as they can. */
static void
frozen_tensors_stay(void)
{
	static const char *const optimizers[] = {"adam", "adamw", "sgd", "rmsprop", "adagrad"};

	for (size_t i = 0; i < COUNT(optimizers); i++)
	{
		static const char options[] =
			"\"units\":6,\"epochs\":4,\"learning_rate\":0.01,\"l2\":0.01,"
			"\"weight_decay\":%s,\"patience\":2,\"optimizer\":\"%s\"";
		Job		   *job = job_sine(nn_format(unit_env(), options, i == 1 ? "0.1" : "0", optimizers[i]), 120);
		NnTrainer  *trainer = job_trainer(job);
		const NnPlan *plan = job->plan;
		bool		frozen[NN_MAX_TENSORS] = {false};
		nn_real    *before = NN_NEW_ARRAY(unit_env(), nn_real, plan->nparams);

		memcpy(before, trainer->params, plan->nparams * sizeof(nn_real));
		for (uint32_t t = 0; t < plan->ntensors; t++)
			frozen[t] = strncmp(plan->tensor[t].name, "lstm.", 5) == 0;
		nn_trainer_freeze(trainer, frozen);
		nn_trainer_run(trainer);
		for (uint32_t t = 0; t < plan->ntensors; t++)
		{
			NnSpan		span = plan->tensor[t].span;

			UNIT_CHECK(reals_equal(before + span.offset, trainer->params + span.offset,
								   span.count) == frozen[t]);
		}
		UNIT_CHECK(trainer->report.epoch[3].loss < trainer->report.epoch[0].loss);
	}
}

/* An epoch of so many batches; more than there are is all there are. */
static void
epochs_have_given_steps(void)
{
	static const uint32_t wanted[] = {0, 1, 3, 1000};

	for (size_t i = 0; i < COUNT(wanted); i++)
	{
		static const char options[] =
			"\"units\":3,\"batch_size\":16,\"epochs\":3,\"steps_per_epoch\":%u,"
			"\"optimizer\":\"sgd\",\"learning_rate\":1,\"clip_value\":1e-4";
		Job		   *job = job_sine(nn_format(unit_env(), options, wanted[i]), 150);
		NnTrainer  *trainer = job_trainer(job);
		nn_real    *before = NN_NEW_ARRAY(unit_env(), nn_real, job->plan->nparams);
		uint32_t	all = (job->ntrain + 15) / 16,
					steps = wanted[i] > 0 && wanted[i] < all ? wanted[i] : all;
		double		most = 0;

		/* A gradient of 1e-4 at the most moves a parameter by as much: the farthest counts steps. */
		memcpy(before, trainer->params, job->plan->nparams * sizeof(nn_real));
		nn_trainer_run(trainer);
		UNIT_INTEGER(trainer->report.nepochs, 3);
		for (size_t k = 0; k < job->plan->nparams; k++)
			most = fmax(most, fabs((double) trainer->params[k] - (double) before[k]));
		UNIT_NEAR(most, 3e-4 * steps, 2e-6 * steps);
	}
}

/* The host says stop after so many questions. */
static uint32_t questions_left;

static bool
time_is_up(void *host)
{
	(void) host;
	return questions_left-- == 0;
}

/* Asked before each step but the very first, be there many in an epoch or one. */
static void
time_ends_training(void)
{
	static const char *const batches[] = {"16", "1000"};

	for (size_t i = 0; i < COUNT(batches); i++)
		for (uint32_t questions = 0; questions < 12; questions++)
		{
			Job		   *job = job_sine(nn_format(unit_env(),
												 "\"units\":3,\"epochs\":4,\"batch_size\":%s",
													 batches[i]), 80);
			NnTrainer  *trainer = job_trainer(job);
			uint32_t	steps = i ? 1 : (job->ntrain + 15) / 16;

			questions_left = questions;
			trainer->expired = time_is_up;
			nn_trainer_run(trainer);
			UNIT_CHECK(trainer->stopped == (questions < 4 * steps - 1));
			UNIT_INTEGER(trainer->report.nepochs, trainer->stopped ? questions / steps + 1 : 4);
			UNIT_CHECK(isfinite(trainer->report.train_loss) && isfinite(trainer->report.validation_loss));
			for (uint32_t e = 0; e < trainer->report.nepochs; e++)
				UNIT_CHECK(isfinite(trainer->report.epoch[e].loss) &&
						   isfinite(trainer->report.epoch[e].gradient_norm));
		}
}

/* ---- kernels */

static void
kernels_train_alike(void)
{
	const NnKernels *avx2 = nn_kernels_get("avx2"),
			   *avx512 = nn_kernels_get("avx512");
	static const char *const options[] = {
		NOISY, NOISY ",\"architecture\":\"gru\"", NOISY ",\"activation\":\"gelu\",\"peephole\":true"
	};

	for (size_t i = 0; i < COUNT(options) && avx2 && avx512; i++)
	{
		NnSpec	   *spec = spec_of(options[i]);
		NnTrainer  *trainer[2];

		spec->context = 12;
		spec->horizon = spec->forecast_horizon = 2;
		for (int k = 0; k < 2; k++)
		{
			Job		   *job = job_create(spec, series_sine(120));

			job->kernels = k ? avx512 : avx2;
			job->plan = nn_plan_build(unit_env(), spec, job->kernels, nn_tile_lanes(spec->batch_size));
			trainer[k] = job_run(job);
		}
		UNIT_CHECK(trainers_equal(trainer[0], trainer[1]));
	}
}

int
main(void)
{
	UNIT_RUN(tiles_cover_batches);
	UNIT_RUN(cells_learn_a_sine);
	UNIT_RUN(losses_fall);
	UNIT_RUN(seed_decides_all);
	UNIT_RUN(memory_order_is_nothing);
	UNIT_RUN(epochs_allocate_nothing);
	UNIT_RUN(best_epoch_is_restored);
	UNIT_RUN(patience_without_validation);
	UNIT_RUN(learning_rates_follow_schedule);
	UNIT_RUN(batches_have_one_loss);
	UNIT_RUN(large_batch_is_all_windows);
	UNIT_RUN(single_windows_learn);
	UNIT_RUN(gradient_is_a_mean);
	UNIT_RUN(unknown_targets_cost_nothing);
	UNIT_RUN(clip_limits_steps);
	UNIT_RUN(divergence_is_told);
	UNIT_RUN(last_step_is_checked);
	UNIT_RUN(memory_limit_is_told);
	UNIT_RUN(dropout_is_for_training);
	UNIT_RUN(masks_differ_by_tile);
	UNIT_RUN(steps_poll);
	UNIT_RUN(training_can_be_cancelled);
	UNIT_RUN(frozen_tensors_stay);
	UNIT_RUN(epochs_have_given_steps);
	UNIT_RUN(time_ends_training);
	UNIT_RUN(kernels_train_alike);
	return unit_finish();
}
