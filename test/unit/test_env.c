/*
 * test_env.c
 *		Tests of nn_env.h: formatting, sizes, hints.
 */
#include "unit.h"

static void
format_has_any_length(void)
{
	NnEnv	   *env = unit_env();
	char	   *text = nn_format(env, "%0*d", 5000, 7);

	UNIT_INTEGER(strlen(text), 5000);
	UNIT_CHECK(text[4999] == '7' && text[0] == '0');
	UNIT_STRING(nn_format(env, "%s", ""), "");
	UNIT_STRING(nn_format(env, "layer \"%s\" has %d units", "a", 3), "layer \"a\" has 3 units");
}

static void
strdup_copies(void)
{
	char		text[] = "abc";
	char	   *copy = nn_strdup(unit_env(), text);

	text[0] = 'x';
	UNIT_STRING(copy, "abc");
	UNIT_STRING(nn_strdup(unit_env(), ""), "");
}

static void
alloc_is_zeroed_and_aligned(void)
{
	double	   *values = NN_NEW_ARRAY(unit_env(), double, 9);

	UNIT_INTEGER((uintptr_t) values % 64, 0);
	for (int i = 0; i < 9; i++)
		UNIT_CHECK(values[i] == 0.0);
}

static void
sizes_are_checked(void)
{
	NnEnv	   *env = unit_env();

	UNIT_INTEGER(nn_size_mul(env, 1u << 20, 1u << 20), INT64_C(1) << 40);
	UNIT_INTEGER(nn_size_mul(env, 0, SIZE_MAX), 0);
	UNIT_INTEGER(nn_size_add(env, 2, 3), 5);
	UNIT_FAILS(env, NN_TOO_LARGE, nn_size_mul(env, SIZE_MAX / 2, 3));
	UNIT_FAILS(env, NN_TOO_LARGE, nn_size_mul(env, (size_t) 1 << 62, 2));
	UNIT_FAILS(env, NN_TOO_LARGE, nn_size_add(env, SIZE_MAX, 1));
	UNIT_FAILS(env, NN_TOO_LARGE, nn_size_add(env, PTRDIFF_MAX, 1));
	UNIT_FAILS(env, NN_TOO_LARGE, nn_alloc(env, SIZE_MAX / 8 + 1, 8));
	UNIT_STRING(unit_host.hint, "Use fewer rows or a smaller network.");
}

static void
nearest_finds_typing_errors(void)
{
	static const char *const names[] = {"units", "epochs", "horizon", "activation", "loss"};
	char		longer[200];

	UNIT_STRING(nn_nearest("unit", names, 5), "units");
	UNIT_STRING(nn_nearest("untis", names, 5), "units");
	UNIT_STRING(nn_nearest("horizons", names, 5), "horizon");
	UNIT_STRING(nn_nearest("actvation", names, 5), "activation");
	UNIT_STRING(nn_nearest("loss", names, 5), "loss");
	UNIT_CHECK(nn_nearest("zzzz", names, 5) == NULL);
	UNIT_CHECK(nn_nearest("", names, 5) == NULL);
	UNIT_CHECK(nn_nearest("units", names, 0) == NULL);
	memset(longer, 'u', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	UNIT_CHECK(nn_nearest(longer, names, 5) == NULL);
}

/* A swap counts as one error; of equals the first wins. */
static void
nearest_prefers_the_first(void)
{
	static const char *const names[] = {"abcd", "abce"};

	UNIT_STRING(nn_nearest("abcf", names, 2), "abcd");
	UNIT_STRING(nn_nearest("abec", names, 2), "abce");
}

int
main(void)
{
	UNIT_RUN(format_has_any_length);
	UNIT_RUN(strdup_copies);
	UNIT_RUN(alloc_is_zeroed_and_aligned);
	UNIT_RUN(sizes_are_checked);
	UNIT_RUN(nearest_finds_typing_errors);
	UNIT_RUN(nearest_prefers_the_first);
	return unit_finish();
}
