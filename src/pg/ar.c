/*
 * ar.c
 *		fit_ar and predict_ar: the autoregressive yardstick in SQL.
 *
 * Turns arrays into numbers and back; the least squares are nn_linalg's.  NULL
 * elements and NaN are missing values.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/float.h"

#include "core/nn_linalg.h"
#include "pg/env.h"

/* Steps that one call forecasts. */
#define AR_MAX_HORIZON 65536

PG_FUNCTION_INFO_V1(lstm_fit_ar);
PG_FUNCTION_INFO_V1(lstm_predict_ar);

/* The elements of a one-dimensional float8[], NaN for NULL; *n their number. */
static double *
array_read(ArrayType *array, const char *name, size_t *n)
{
	Datum	   *elements;
	bool	   *nulls;
	int			count;
	double	   *values;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" has %d dimensions, one is needed", name, ARR_NDIM(array))));
	deconstruct_array(array, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &elements, &nulls, &count);
	values = palloc(((size_t) count + 1) * sizeof(double));
	for (int i = 0; i < count; i++)
		values[i] = nulls[i] ? get_float8_nan() : DatumGetFloat8(elements[i]);
	*n = (size_t) count;
	return values;
}

static ArrayType *
array_write(const double *values, size_t n)
{
	Datum	   *elements = palloc((n + 1) * sizeof(Datum));

	for (size_t i = 0; i < n; i++)
		elements[i] = Float8GetDatum(values[i]);
	return construct_array(elements, (int) n, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL,
						   TYPALIGN_DOUBLE);
}

static void
check_range(const char *name, int value, int limit)
{
	if (value < 1 || value > limit)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" is %d, outside of 1 to %d", name, value, limit)));
}

Datum
lstm_fit_ar(PG_FUNCTION_ARGS)
{
	size_t		n;
	double	   *values = array_read(PG_GETARG_ARRAYTYPE_P(0), "values", &n);
	int			lags = PG_GETARG_INT32(1);
	double	   *coefficients;

	check_range("lags", lags, NN_AR_MAX_LAGS);
	coefficients = palloc0((lags + 1) * sizeof(double));
	nn_ar_fit(env_create(CurrentMemoryContext), values, n, (uint32_t) lags, coefficients);
	PG_RETURN_ARRAYTYPE_P(array_write(coefficients, (size_t) lags + 1));
}

Datum
lstm_predict_ar(PG_FUNCTION_ARGS)
{
	size_t		ncoefficients,
				nhistory;
	double	   *coefficients = array_read(PG_GETARG_ARRAYTYPE_P(0), "coefficients", &ncoefficients);
	double	   *history = array_read(PG_GETARG_ARRAYTYPE_P(1), "history", &nhistory);
	int			horizon = PG_GETARG_INT32(2);
	double	   *out;

	check_range("horizon", horizon, AR_MAX_HORIZON);
	if (ncoefficients < 2 || ncoefficients > NN_AR_MAX_LAGS + 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"coefficients\" has %zu elements, outside of 2 to %d",
						ncoefficients, NN_AR_MAX_LAGS + 1),
				 errhint("Pass what lstm.fit_ar returned.")));
	for (size_t i = 0; i < ncoefficients; i++)
		if (!isfinite(coefficients[i]))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("element %zu of argument \"coefficients\" is not a finite number", i + 1),
					 errhint("Pass what lstm.fit_ar returned.")));
	out = palloc(horizon * sizeof(double));
	if (!nn_ar_predict(coefficients, (uint32_t) (ncoefficients - 1), history, nhistory,
					   (uint32_t) horizon, out))
		PG_RETURN_NULL();
	PG_RETURN_ARRAYTYPE_P(array_write(out, (size_t) horizon));
}
