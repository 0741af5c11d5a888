/*
 * fuzz_plant.c
 *		Would the mutants notice a reader that forgets a check?
 *
 * The reader's files are compiled into this program once more, with each of
 * their numbered checks (NN_CHECK in nn_safetensors.h) open to being dropped at
 * run time.  For each number a child process reads all mutants of fuzz_model.c
 * with a reader that lacks this one check.  It must end badly: by a wrong
 * verdict, a broken invariant, a sanitizer's complaint or a crash.  The reader
 * with all checks must end well.
 */
#define NN_PLANT 1

#include "core/nn_safetensors.c"
#include "core/nn_model.c"
#include "core/nn_model_read.c"

#include <sys/wait.h>
#include <unistd.h>

#include "fuzz_model.c"

/* Number of the check that is dropped; 0: none. */
int			nn_plant;

/* First and last numbers of the checks, file by file. */
static const int ranges[][2] = {{1, 21}, {30, 49}, {50, 68}, {80, 88}, {90, 100}, {120, 130}};

/* The status of a child that reads all mutants without that check. */
static int
plant_run(int plant)
{
	int			status = 0;
	pid_t		child;

	fflush(stdout);
	child = fork();
	if (child < 0)
	{
		printf("# a child process cannot be started\n");
		exit(2);
	}
	if (child == 0)
	{
		if (freopen("/dev/null", "w", stdout) == NULL || freopen("/dev/null", "w", stderr) == NULL)
			_exit(2);
		alarm(60);
		nn_plant = plant;
		mutants_run();
		_exit(unit_host.nfailed == 0 ? 0 : 1);
	}
	waitpid(child, &status, 0);
	return status;
}

static int	plant;

static void
plant_is_caught(void)
{
	UNIT_CHECK(plant_run(plant) != 0);
}

static void
nothing_is_caught_without_plant(void)
{
	UNIT_INTEGER(plant_run(0), 0);
}

int
main(void)
{
	UNIT_RUN(nothing_is_caught_without_plant);
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		for (plant = ranges[i][0]; plant <= ranges[i][1]; plant++)
		{
			char		name[64];

			snprintf(name, sizeof(name), "a reader without check %d is caught", plant);
			unit_run(name, plant_is_caught);
		}
	return unit_finish();
}
