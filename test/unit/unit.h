/*
 * unit.h
 *		The harness of the unit tests: one header, one program per test file.
 *
 * A test is a function without arguments; main runs each with UNIT_RUN and
 * returns unit_finish().  A failed check prints its place and the test goes on,
 * so one run shows all that is wrong.  A nn_fail that no UNIT_FAILS expects ends
 * its test as failed, with the message.
 *
 *		static void
 *		stack_is_empty(void)
 *		{
 *			NnEnv	   *env = unit_env();
 *
 *			UNIT_CHECK(nn_stack_depth(env) == 0);
 *			UNIT_FAILS(env, NN_BAD_VALUE, nn_stack_pop(env));
 *			UNIT_STRING(unit_host.message, "stack is empty");
 *		}
 *
 *		int
 *		main(void)
 *		{
 *			UNIT_RUN(stack_is_empty);
 *			return unit_finish();
 *		}
 *
 * The environment's memory is one malloc per allocation, so a sanitizer sees
 * every overrun; UNIT_RUN frees it after each test.  State is file-scope: this
 * header belongs into one file of a program.
 */
#ifndef UNIT_H
#define UNIT_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/nn_env.h"

/* A jump back into UNIT_FAILS is meant to leave the test's variables alone. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wclobbered"
#endif

#define UNIT_UNUSED __attribute__((unused))

/* Precedes each allocation; 64 bytes, so that what follows is aligned. */
typedef union UnitChunk
{
	union UnitChunk *next;
	char		pad[64];
} UnitChunk;

typedef struct UnitHost
{
	UnitChunk  *chunks;
	size_t		nallocs;		/* allocations since unit_env_reset */
	size_t		nbytes;			/* their bytes */
	size_t		npolls;			/* calls of poll since unit_env_reset */
	size_t		poll_limit;		/* 0, or the poll that fails ("canceled by the test") */

	/* The last failure. */
	NnCode		code;
	char		message[1024];
	char		hint[1024];		/* "" when there was none */

	jmp_buf    *jump;			/* where fail goes; NULL outside of a test */
	size_t		nchecks_failed; /* in the running test */
	size_t		npassed,
				nfailed;		/* tests */
} UnitHost;

static UnitHost unit_host;
static NnEnv unit_env_value;

static void *
unit_alloc(void *host, size_t size)
{
	void	   *memory = NULL;
	UnitChunk  *chunk;

	(void) host;
	if (size > SIZE_MAX - sizeof(UnitChunk) ||
		posix_memalign(&memory, 64, sizeof(UnitChunk) + size) != 0)
	{
		fprintf(stderr, "# out of memory: %zu bytes\n", size);
		exit(2);
	}
	memset(memory, 0, sizeof(UnitChunk) + size);
	chunk = (UnitChunk *) memory;
	chunk->next = unit_host.chunks;
	unit_host.chunks = chunk;
	unit_host.nallocs++;
	unit_host.nbytes += size;
	return chunk + 1;
}

static void
unit_fail(void *host, NnCode code, const char *message, const char *hint)
{
	(void) host;
	unit_host.code = code;
	snprintf(unit_host.message, sizeof(unit_host.message), "%s", message);
	snprintf(unit_host.hint, sizeof(unit_host.hint), "%s", hint ? hint : "");
	if (unit_host.jump == NULL)
	{
		fprintf(stderr, "# failure outside of a test: %s\n", message);
		exit(2);
	}
	longjmp(*unit_host.jump, 1);
}

static void
unit_poll(void *host)
{
	unit_host.npolls++;
	if (unit_host.poll_limit != 0 && unit_host.npolls >= unit_host.poll_limit)
		unit_fail(host, NN_BAD_VALUE, "canceled by the test", NULL);
}

/* The environment of the running test. */
UNIT_UNUSED static NnEnv *
unit_env(void)
{
	return &unit_env_value;
}

/* Frees all memory of the environment and sets its counters and limits back. */
UNIT_UNUSED static void
unit_env_reset(void)
{
	while (unit_host.chunks != NULL)
	{
		UnitChunk  *next = unit_host.chunks->next;

		free(unit_host.chunks);
		unit_host.chunks = next;
	}
	unit_host.nallocs = unit_host.nbytes = 0;
	unit_host.npolls = unit_host.poll_limit = 0;
	unit_env_value = (NnEnv) {
		.host = &unit_host,
		.alloc = unit_alloc,
		.poll = unit_poll,
		.fail = unit_fail,
		.max_memory = (size_t) 1 << 30,
	};
}

UNIT_UNUSED static void unit_check_failed(const char *file, int line, const char *format, ...)
			__attribute__((format(printf, 3, 4)));

static void
unit_check_failed(const char *file, int line, const char *format, ...)
{
	va_list		args;

	unit_host.nchecks_failed++;
	/* A wrong array would otherwise print a line per element. */
	if (unit_host.nchecks_failed > 20)
		return;
	printf("# %s:%d: ", file, line);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

#define UNIT_CHECK(condition) \
	do { \
		if (!(condition)) \
			UNIT_FAILED("not true: %s", #condition); \
	} while (0)

/* Fails the test with a printf message. */
#define UNIT_FAILED(...) unit_check_failed(__FILE__, __LINE__, __VA_ARGS__)

/* Integers of at most 64 bits are equal. */
#define UNIT_INTEGER(actual, expected) \
	do { \
		long long	unit_a = (long long) (actual), unit_e = (long long) (expected); \
		if (unit_a != unit_e) \
			UNIT_FAILED("%s is %lld, not %lld", #actual, unit_a, unit_e); \
	} while (0)

#define UNIT_STRING(actual, expected) \
	do { \
		const char *unit_a = (actual), *unit_e = (expected); \
		if (unit_a == NULL || strcmp(unit_a, unit_e) != 0) \
			UNIT_FAILED("%s is \"%s\", not \"%s\"", #actual, \
						unit_a ? unit_a : "(null)", unit_e); \
	} while (0)

/* |actual - expected| <= tolerance * max(1, |expected|); NaN equals NaN, inf equals inf. */
#define UNIT_NEAR(actual, expected, tolerance) \
	do { \
		double		unit_a = (double) (actual), unit_e = (double) (expected); \
		if (!unit_near(unit_a, unit_e, tolerance)) \
			UNIT_FAILED("%s is %.9g, not %.9g (tolerance %.1e)", #actual, \
						unit_a, unit_e, (double) (tolerance)); \
	} while (0)

UNIT_UNUSED static bool
unit_near(double actual, double expected, double tolerance)
{
	if (isnan(actual) || isnan(expected))
		return isnan(actual) && isnan(expected);
	if (isinf(actual) || isinf(expected))
		return actual == expected;
	return fabs(actual - expected) <= tolerance * fmax(1.0, fabs(expected));
}

/*
 * The statement (the last argument) fails with that code; the test can then look
 * at unit_host.message and unit_host.hint.
 */
#define UNIT_FAILS(env, expected, ...) \
	do { \
		jmp_buf		unit_jump; \
		jmp_buf    *unit_outer = unit_host.jump; \
		(void) (env); \
		unit_host.message[0] = unit_host.hint[0] = '\0'; \
		if (setjmp(unit_jump) == 0) \
		{ \
			unit_host.jump = &unit_jump; \
			__VA_ARGS__; \
			unit_host.jump = unit_outer; \
			UNIT_FAILED("does not fail: %s", #__VA_ARGS__); \
		} \
		else \
		{ \
			unit_host.jump = unit_outer; \
			if (unit_host.code != (expected)) \
				UNIT_FAILED("fails with code %d, not " #expected ": %s", \
							(int) unit_host.code, unit_host.message); \
		} \
	} while (0)

#define UNIT_RUN(test) unit_run(#test, test)

UNIT_UNUSED static void
unit_run(const char *name, void (*test) (void))
{
	jmp_buf		jump;
	bool		passed;

	unit_env_reset();
	unit_host.nchecks_failed = 0;
	if (setjmp(jump) == 0)
	{
		unit_host.jump = &jump;
		test();
	}
	else
		UNIT_FAILED("unexpected failure: %s (hint: %s)", unit_host.message, unit_host.hint);
	unit_host.jump = NULL;
	passed = (unit_host.nchecks_failed == 0);
	if (passed)
		unit_host.npassed++;
	else
		unit_host.nfailed++;
	printf("%s %zu - %s\n", passed ? "ok" : "not ok",
		   unit_host.npassed + unit_host.nfailed, name);
	fflush(stdout);
	unit_env_reset();
}

/* The exit status of the program, after the line that sums up. */
UNIT_UNUSED static int
unit_finish(void)
{
	printf("# %zu passed, %zu failed\n", unit_host.npassed, unit_host.nfailed);
	return unit_host.nfailed == 0 ? 0 : 1;
}

#endif							/* UNIT_H */
