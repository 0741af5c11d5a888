/*
 * sparkline.c
 *		lstm.sparkline: an array of numbers as one line of text, for terminals.
 *
 * A character for each element, from the lowest to the highest of those that are finite:
 * U+2581 to U+2588 in a database of encoding UTF8, "_.-:=+*#" in any other.  One pass
 * for the range and one for the text; 3 bytes an element.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(lstm_sparkline);

#define LEVELS 8

static const char *const blocks[LEVELS] = {
	"\xe2\x96\x81", "\xe2\x96\x82", "\xe2\x96\x83", "\xe2\x96\x84",
	"\xe2\x96\x85", "\xe2\x96\x86", "\xe2\x96\x87", "\xe2\x96\x88"
};
static const char *const letters[LEVELS] = {"_", ".", "-", ":", "=", "+", "*", "#"};

/* Element i of an array that is walked through in order; NaN for NULL. */
typedef struct Elements
{
	const float8 *at;
	const bits8 *known;			/* NULL: all are */
	int			n;
} Elements;

static Elements
elements_of(ArrayType *array)
{
	return (Elements) {
		(const float8 *) ARR_DATA_PTR(array), ARR_NULLBITMAP(array),
		ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array))
	};
}

static double
element_next(Elements *elements, int i)
{
	if (elements->known != NULL && !(elements->known[i / 8] & (1 << (i % 8))))
		return NAN;
	return *elements->at++;
}

static int
level_of(double value, double low, double high)
{
	double		part;

	if (isinf(value))
		return value < 0 ? 0 : LEVELS - 1;
	if (!(low < high))
		return LEVELS / 2 - 1;
	/* Halves: the difference of two finite numbers need not be finite. */
	part = (value / 2 - low / 2) / (high / 2 - low / 2);
	return Min((int) (part * LEVELS), LEVELS - 1);
}

Datum
lstm_sparkline(PG_FUNCTION_ARGS)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	Elements	first = elements_of(array),
				second = first;
	const char *const *levels = GetDatabaseEncoding() == PG_UTF8 ? blocks : letters;
	double		low = INFINITY,
				high = -INFINITY;
	text	   *result = palloc(VARHDRSZ + 3 * (Size) first.n);
	char	   *to = VARDATA(result);

	for (int i = 0; i < first.n; i++)
	{
		double		value = element_next(&first, i);

		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		if (!isfinite(value))
			continue;
		low = Min(low, value);
		high = Max(high, value);
	}
	for (int i = 0; i < second.n; i++)
	{
		double		value = element_next(&second, i);
		const char *from = isnan(value) ? " " : levels[level_of(value, low, high)];

		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		while (*from != '\0')
			*to++ = *from++;
	}
	SET_VARSIZE(result, to - (char *) result);
	PG_RETURN_TEXT_P(result);
}
