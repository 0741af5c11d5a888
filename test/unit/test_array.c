/*
 * test_array.c
 *		Array columns from rows to lanes, and fusions of branches that may lack them.
 */
#include "core/nn_array.h"
#include "core/nn_model.h"
#include "core/nn_op.h"

#include "network.h"

/* Numbers of an image: 2 x 3 pixels of 2 channels. */
#define WIDTH 12

/* Vector i of a column: channel 0 of pixel p is 10 i + p, channel 1 is 5. */
static float
number_of(uint32_t i, uint32_t x)
{
	return x % 2 == 0 ? (float) (10 * i + x / 2) : 5;
}

/* An array column; known[row]: the row has vector number row. */
static void
array_add(NnSeries *series, const char *name, uint32_t width, const bool *known)
{
	NnEnv	   *env = unit_env();
	uint32_t	rows = series->first[series->nseries];
	NnArray    *array;
	float	   *value = NN_NEW_ARRAY(env, float, (size_t) rows * width);

	if (series->array == NULL)
		series->array = NN_NEW_ARRAY(env, NnArray, NN_MAX_ARRAYS);
	array = &series->array[series->narrays++];
	*array = (NnArray) {name, width, NN_NEW_ARRAY(env, uint32_t, rows), value};
	for (uint32_t row = 0; row < rows; row++)
	{
		array->at[row] = known[row] ? row : NN_ARRAY_UNKNOWN;
		for (uint32_t x = 0; x < width; x++)
			value[(size_t) row * width + x] = number_of(row, x);
	}
}

/* Two series of six and four rows with an image each, but in rows 0, 1, 4 of the first. */
static NnSeries *
series_with_image(void)
{
	static const bool known[] = {false, false, true, true, false, true, true, true, true, true};
	uint32_t	rows[] = {6, 4};
	NnSeries   *series = series_create(2, rows, 1, 0);

	for (uint32_t row = 0; row < 10; row++)
		series->value[row] = row;
	array_add(series, "image", WIDTH, known);
	return series;
}

static NnSpec *
spec_with_image(NnScaling scaling)
{
	NnSpec	   *spec = spec_plain(1, 0, 0, 3, 1);

	spec->nsites = 1;
	spec->scaling = scaling;
	spec->narrays = 1;
	spec->array[0] = (NnArraySpec) {"image", 2, 3, 2};
	return spec;
}

static void
gathered_rows_go_on_from_the_last_known(void)
{
	NnSpec	   *spec = spec_with_image(NN_SCALING_NONE);
	NnSeries   *series = series_with_image();
	NnData	   *data = data_of(spec, prep_of(spec, series), series);
	NnWindow	windows[] = {{0, 3}, {0, 5}, {1, 8}, {0, 1}};
	/* Which row's image each step shows; -1: zeros. */
	const int	expected[4][3] = {{-1, 2, 3}, {3, 3, 5}, {6, 7, 8}, {-1, -1, -1}};
	nn_real		out[3 * WIDTH * NN_LANES];

	nn_array_gather(unit_env(), data, windows, 4, NN_LANES, 0, out);
	for (uint32_t l = 0; l < 4; l++)
		for (uint32_t t = 0; t < 3; t++)
			for (uint32_t x = 0; x < WIDTH; x++)
				UNIT_CHECK(out[(t * WIDTH + x) * NN_LANES + l] ==
						   (expected[l][t] < 0 ? 0 : (nn_real) number_of((uint32_t) expected[l][t], x)));
	for (uint32_t i = 0; i < 3 * WIDTH; i++)
		for (uint32_t l = 4; l < NN_LANES; l++)
			UNIT_CHECK(out[i * NN_LANES + l] == 0);
	UNIT_INTEGER(nn_array_missing(data, &windows[0]), 0);
	UNIT_INTEGER(nn_array_missing(data, &windows[3]), 1);
}

static void
rows_before_a_series_are_not_those_of_another(void)
{
	NnSpec	   *spec = spec_with_image(NN_SCALING_NONE);
	NnSeries   *series = series_with_image();
	NnData	   *data;
	NnWindow	window = {1, 6};
	nn_real		out[3 * WIDTH * NN_LANES];

	spec->pad = true;
	data = data_of(spec, prep_of(spec, series), series);
	nn_array_gather(unit_env(), data, &window, 1, NN_LANES, 0, out);
	for (uint32_t x = 0; x < 2 * WIDTH; x++)
		UNIT_CHECK(out[x * NN_LANES] == 0);
	UNIT_CHECK(out[2 * WIDTH * NN_LANES] == 60);
}

static void
scale_is_learned_by_channel_from_training_rows(void)
{
	NnSpec	   *spec = spec_with_image(NN_SCALING_STANDARD);
	NnSeries   *series = series_with_image();
	uint32_t	train_rows[] = {4, 0};
	NnPrep	   *prep = nn_prep_fit(unit_env(), spec, series, train_rows);

	/* Rows 2 and 3: 20..25 and 30..35, channel 1 constant. */
	UNIT_NEAR(prep->array_center[0], 27.5, 1e-12);
	UNIT_NEAR(prep->array_scale[0], sqrt(25 + 35.0 / 12), 1e-12);
	UNIT_NEAR(prep->array_center[1], 5, 1e-12);
	UNIT_NEAR(prep->array_scale[1], 1, 1e-12);
	train_rows[0] = 2;
	UNIT_FAILS(unit_env(), NN_BAD_DATA, nn_prep_fit(unit_env(), spec, series, train_rows));
}

static void
moved_rows_keep_their_vectors(void)
{
	NnSeries   *series = series_with_image();
	NnArray    *array = nn_arrays_create(unit_env(), series, 20);

	nn_arrays_copy(array, 12, series, 4, 6);
	UNIT_INTEGER(array[0].at[11], NN_ARRAY_UNKNOWN);
	UNIT_INTEGER(array[0].at[12], NN_ARRAY_UNKNOWN);
	UNIT_INTEGER(array[0].at[13], 5);
	UNIT_INTEGER(array[0].at[17], 9);
	UNIT_CHECK(array[0].value == series->array[0].value);
}

static void
vectors_are_gathered_at_their_sites(void)
{
	static const bool known[] = {true, true, true, true, false, false, false, true};
	uint32_t	rows[] = {4, 4};
	NnSeries   *series = series_create(2, rows, 1, 0);
	NnSpec	   *spec = spec_plain(1, 0, 0, 2, 1);
	NnWindow	window = {0, 3};
	NnData	   *data;
	nn_real		out[2 * 3 * 2 * NN_LANES];

	array_add(series, "vector", 2, known);
	for (uint32_t row = 0; row < 8; row++)
		series->value[row] = row;
	spec->nsites = 3;			/* the last without a series */
	spec->narrays = 1;
	spec->array[0] = (NnArraySpec) {"vector", 1, 1, 2};
	data = data_of(spec, prep_of(spec, series), series);
	nn_array_gather(unit_env(), data, &window, 1, NN_LANES, 0, out);
	/* [t][site][channel] */
	for (uint32_t t = 0; t < 2; t++)
	{
		UNIT_CHECK(out[((t * 3 + 0) * 2 + 0) * NN_LANES] == 10 * (2 + (nn_real) t));
		UNIT_CHECK(out[((t * 3 + 1) * 2 + 0) * NN_LANES] == (t == 0 ? 0 : 70));
		UNIT_CHECK(out[((t * 3 + 1) * 2 + 1) * NN_LANES] == (t == 0 ? 0 : 5));
		UNIT_CHECK(out[((t * 3 + 2) * 2 + 0) * NN_LANES] == 0);
	}
	UNIT_INTEGER(nn_array_missing(data, &window), 0);
	window.origin = 2;
	UNIT_INTEGER(nn_array_missing(data, &window), 0);
}

/* ------------------------------------------------------------------------
 * Networks
 */

#define LAYERS(fusion) "\"layers\":[" \
	"{\"type\":\"gru\",\"units\":3,\"return_sequences\":false}," \
	"{\"type\":\"gru\",\"units\":3,\"inputs\":[\"image\"],\"name\":\"seen\",\"return_sequences\":false}," \
	"{\"type\":\"fuse\",\"inputs\":[\"gru\",\"seen\"]" fusion "}]"

static NnSpec *
spec_fused(const char *layers)
{
	NnSpec	   *spec = spec_of(layers);

	spec->narrays = 1;
	spec->array[0] = (NnArraySpec) {"image", 1, 1, 2};
	spec->context = 3;
	return spec;
}

/* Output of the fuse layer with the image missing in lane 1, for two images. */
static void
missing_branch_check(const char *layers)
{
	const NnEnv *env = unit_env();
	NnPlan	   *plan = nn_plan_build(env, spec_fused(layers), nn_kernels_get(NULL), NN_LANES);
	nn_real    *params = NN_NEW_ARRAY(env, nn_real, plan->nparams);
	NnState    *state;
	uint32_t	fuse = (uint32_t) nn_plan_layer(plan, "fuse"),
				gru = (uint32_t) nn_plan_layer(plan, "gru_last");
	nn_real		before[2];

	UNIT_INTEGER(plan->layer[fuse].arrays, 0);	/* one branch does without */
	UNIT_INTEGER(plan->layer[nn_plan_layer(plan, "seen_last")].arrays, 1);
	nn_params_init(env, plan, 3, params);
	state = nn_state_create(env, plan, nn_kernels_get(NULL), params, false);
	nn_state_pack(state);
	state->missing[1] = 1;
	for (uint32_t round = 0; round < 2; round++)
	{
		for (uint32_t i = 0; i < 3 * NN_LANES; i++)
			nn_state_output(state, NN_LAYER_PAST)[i] = NN_R(0.5);
		for (uint32_t i = 0; i < 6 * NN_LANES; i++)
			nn_state_output(state, NN_LAYER_ARRAY)[i] = round == 0 ? 1 : -2;
		nn_state_forward(state);
		if (round == 0)
			memcpy(before, nn_state_output(state, fuse), sizeof(before));
	}
	UNIT_CHECK(nn_state_output(state, fuse)[0] != before[0]);
	UNIT_CHECK(nn_state_output(state, fuse)[1] == before[1]);
	for (uint32_t c = 0; c < 3; c++)	/* all of it is the branch that is there */
		UNIT_CHECK(nn_state_output(state, fuse)[c * NN_LANES + 1] ==
				   nn_state_output(state, gru)[c * NN_LANES + 1]);
	if (plan->layer[fuse].fusion == NN_FUSION_GATED)
	{
		const nn_real *shares = nn_fuse_shares(state, &plan->layer[fuse]);

		UNIT_NEAR(shares[0] + shares[NN_LANES], 1, 1e-6);
		UNIT_CHECK(shares[0] > 0 && shares[0] < 1);
		UNIT_CHECK(shares[1] == 1 && shares[NN_LANES + 1] == 0);
	}
	else
		UNIT_CHECK(nn_fuse_shares(state, &plan->layer[fuse]) == NULL);
}

static void
missing_branches_take_no_part(void)
{
	missing_branch_check(LAYERS(""));
	missing_branch_check(LAYERS(",\"fusion\":\"weighted\""));
}

static void
arrays_that_do_not_fit_are_refused(void)
{
	const NnEnv *env = unit_env();
	const NnKernels *kernels = nn_kernels_get(NULL);
	NnSpec	   *spec = spec_fused("\"layers\":[{\"type\":\"gru\",\"units\":3}]");

	UNIT_FAILS(unit_env(), NN_BAD_VALUE, nn_plan_build(env, spec, kernels, NN_LANES));	/* nobody takes it */
	spec = spec_fused(LAYERS(""));
	strcpy(spec->array[0].name, "gru");
	UNIT_FAILS(unit_env(), NN_BAD_VALUE, nn_plan_build(env, spec, kernels, NN_LANES));
	spec = spec_fused(LAYERS(""));
	strcpy(spec->array[0].name, "static");
	UNIT_FAILS(unit_env(), NN_BAD_VALUE, nn_plan_build(env, spec, kernels, NN_LANES));
	spec = spec_fused("\"layers\":[{\"type\":\"flatten\"},{\"type\":\"flatten\",\"inputs\":[\"image\"],"
					  "\"name\":\"b\"},{\"type\":\"fuse\",\"inputs\":[\"flatten\",\"b\"]}]");
	UNIT_FAILS(unit_env(), NN_BAD_VALUE, nn_plan_build(env, spec, kernels, NN_LANES));	/* 3 and 6 channels */
	spec = spec_fused(LAYERS(""));
	spec->array[0] = (NnArraySpec) {"image", 2, 2, 1};
	spec->nsites = 3;
	UNIT_FAILS(unit_env(), NN_BAD_VALUE, nn_plan_build(env, spec, kernels, NN_LANES));
	spec = spec_of("\"layers\":[{\"type\":\"lags\",\"lags\":[1,4]},{\"type\":\"gru\",\"units\":2}]");
	spec->context = 3;
	UNIT_FAILS(unit_env(), NN_BAD_VALUE, nn_plan_build(env, spec, kernels, NN_LANES));
	/* A row of the past for each pixel: there is one for each site. */
	spec = spec_fused("\"layers\":[{\"type\":\"last\",\"inputs\":[\"image\"]},{\"type\":\"residual\"},"
					  "{\"type\":\"global_pool\"},{\"type\":\"dense\"}]");
	spec->array[0] = (NnArraySpec) {"image", 2, 2, 1};
	spec->horizon = spec->ntargets = 1;
	UNIT_FAILS(unit_env(), NN_BAD_VALUE, nn_plan_build(env, spec, kernels, NN_LANES));
	UNIT_FAILS(unit_env(), NN_BAD_VALUE, spec_of("\"layers\":[{\"type\":\"lags\",\"lags\":[0]}]"));
	UNIT_FAILS(unit_env(), NN_BAD_VALUE, spec_of("\"layers\":[{\"type\":\"lags\",\"lags\":[]}]"));
	UNIT_FAILS(unit_env(), NN_BAD_TYPE, spec_of("\"layers\":[{\"type\":\"lags\",\"lags\":2}]"));
}

static void
spec_of_arrays_survives_writing(void)
{
	NnSpec	   *spec = spec_fused("\"layers\":[{\"type\":\"lags\",\"lags\":[3,1],\"inputs\":[\"image\"]},"
								  "{\"type\":\"gru\",\"units\":2},"
								  "{\"type\":\"gru\",\"units\":2,\"inputs\":[\"past\"],\"name\":\"own\"},"
								  "{\"type\":\"fuse\",\"fusion\":\"weighted\","
								  "\"inputs\":[\"own\",\"gru\"]}]");
	const char *text = spec_text(spec);
	NnSpec	   *again = NN_NEW(unit_env(), NnSpec);

	UNIT_CHECK(strstr(text, "\"arrays\":[{\"name\":\"image\",\"rows\":1,\"cols\":1,"
					  "\"channels\":2}]") != NULL);
	UNIT_CHECK(strstr(text, "\"lags\":[3,1]") != NULL);
	nn_spec_read(unit_env(), json_of(text), again);
	UNIT_INTEGER(again->narrays, 1);
	UNIT_INTEGER(again->layer[0].nlags, 2);
	UNIT_CHECK(strcmp(spec_text(again), text) == 0);
}

int
main(void)
{
	UNIT_RUN(gathered_rows_go_on_from_the_last_known);
	UNIT_RUN(rows_before_a_series_are_not_those_of_another);
	UNIT_RUN(scale_is_learned_by_channel_from_training_rows);
	UNIT_RUN(moved_rows_keep_their_vectors);
	UNIT_RUN(vectors_are_gathered_at_their_sites);
	UNIT_RUN(missing_branches_take_no_part);
	UNIT_RUN(arrays_that_do_not_fit_are_refused);
	UNIT_RUN(spec_of_arrays_survives_writing);
	return unit_finish();
}
