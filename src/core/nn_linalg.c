/*
 * nn_linalg.c
 *		Autoregression by least squares.
 *
 * Knows one dense matrix, stored by columns: column j of m starts at
 * m->values + j * m->rows.  Its first columns are the intercept and the lags, the
 * last the value they explain.  Rows come in blocks below the triangle of all
 * rows before, and each block is reduced to a new triangle, so memory does not
 * grow with the series.  The series is centred and scaled to 1 first: what is
 * dependent is then seen whatever its units.
 */
#include "core/nn_linalg.h"

#include <math.h>
#include <string.h>

#include "core/nn_stats.h"

/* Columns shorter than this part of the longest depend on the others. */
#define RANK_TOLERANCE 1e-10

/* Sums of squares below this part of the values' own are rounding. */
#define ROUNDING_SQUARED 1e-26

/* Rows of a block per column of the matrix, and at least. */
#define BLOCK_PER_COLUMN 4
#define SMALLEST_BLOCK 64

typedef struct Matrix
{
	size_t		rows;			/* capacity: length of a column */
	size_t		columns;
	double	   *values;			/* [columns][rows] */
} Matrix;

static double *
matrix_column(const Matrix *m, size_t j)
{
	return m->values + j * m->rows;
}

static double
column_norm(const double *column, size_t from, size_t to)
{
	double		squares = 0.0;

	for (size_t i = from; i < to; i++)
		squares += column[i] * column[i];
	return sqrt(squares);
}

/*
 * Reflects the rows row .. nrows - 1 of all columns from column on so that
 * column's entries below row become 0 (Householder).  Entries are about 1.
 */
static void
matrix_reflect(Matrix *m, size_t row, size_t column, size_t nrows)
{
	double	   *v = matrix_column(m, column);
	double		norm = column_norm(v, row, nrows);
	double		diagonal,
				head;

	if (norm == 0.0)
		return;
	diagonal = v[row] > 0.0 ? -norm : norm;

	/* v - diagonal * e, its square / 2 is -diagonal * head */
	head = v[row] - diagonal;
	v[row] = head;
	for (size_t j = column + 1; j < m->columns; j++)
	{
		double	   *x = matrix_column(m, j);
		double		dot = 0.0;

		for (size_t i = row; i < nrows; i++)
			dot += v[i] * x[i];
		dot /= diagonal * head;
		for (size_t i = row; i < nrows; i++)
			x[i] += dot * v[i];
	}
	v[row] = diagonal;
	for (size_t i = row + 1; i < nrows; i++)
		v[i] = 0.0;
}

/* nrows rows to a triangle; returns the rows that it has. */
static size_t
matrix_triangulate(const NnEnv *env, Matrix *m, size_t nrows)
{
	for (size_t j = 0; j < m->columns && j < nrows; j++)
	{
		env->poll(env->host);
		matrix_reflect(m, j, j, nrows);
	}
	return nrows < m->columns ? nrows : m->columns;
}

/* Brings the longest of the columns from .. k - 1 (below row from) to place from. */
static double
matrix_pivot(Matrix *m, size_t from, size_t k, size_t nrows, uint32_t *order)
{
	size_t		best = from;
	double		longest = -1.0;
	uint32_t	number;

	for (size_t j = from; j < k; j++)
	{
		double		norm = column_norm(matrix_column(m, j), from, nrows);

		if (norm > longest)
		{
			longest = norm;
			best = j;
		}
	}
	for (size_t i = 0; best != from && i < nrows; i++)
	{
		double	   *a = matrix_column(m, from) + i;
		double	   *b = matrix_column(m, best) + i;
		double		value = *a;

		*a = *b;
		*b = value;
	}
	number = order[from];
	order[from] = order[best];
	order[best] = number;
	return longest;
}

/*
 * Least squares of the last column on the k others, given their triangle of nrows
 * rows: solution[k], 0 for columns that depend on others.
 */
static void
matrix_solve(const NnEnv *env, Matrix *m, size_t nrows, double *solution)
{
	size_t		k = m->columns - 1;
	size_t		rank = 0;
	uint32_t   *order = NN_NEW_ARRAY(env, uint32_t, k);
	double	   *b = matrix_column(m, k);
	double		limit = 0.0;

	for (uint32_t j = 0; j < k; j++)
		order[j] = j;
	for (; rank < k && rank < nrows; rank++)
	{
		double		norm = matrix_pivot(m, rank, k, nrows, order);

		env->poll(env->host);
		if (rank == 0)
			limit = norm * RANK_TOLERANCE;
		if (norm <= limit)
			break;
		matrix_reflect(m, rank, rank, nrows);
	}

	memset(solution, 0, k * sizeof(double));
	for (size_t i = rank; i-- > 0;)
	{
		double		value = b[i];

		for (size_t j = i + 1; j < rank; j++)
			value -= matrix_column(m, j)[i] * solution[order[j]];
		solution[order[i]] = value / matrix_column(m, i)[i];
	}
}

static void __attribute__((noreturn))
value_too_large(const NnEnv *env, double value)
{
	nn_fail(env, NN_BAD_DATA,
			nn_format(env, "value %g is too large for a least-squares fit", value),
			"Remove infinite values, or divide the column by a constant.");
}

/* The largest distance from mean, or 1. */
static double
series_scale(const NnEnv *env, const double *y, size_t n, double mean)
{
	double		scale = 0.0;

	for (size_t i = 0; i < n; i++)
	{
		double		distance = fabs(y[i] - mean);

		if (isnan(y[i]))
			continue;
		if (!isfinite(distance))
			value_too_large(env, y[i]);
		if (distance > scale)
			scale = distance;
	}
	return scale > 0.0 ? scale : 1.0;
}

/* Fills m with the equations of the series block by block; returns the triangle's rows. */
static size_t
series_reduce(const NnEnv *env, Matrix *m, const double *y, size_t n, uint32_t p, double mean,
			  double scale)
{
	size_t		nrows = 0;
	size_t		nequations = 0;
	size_t		known = 0;		/* values without a gap up to t */

	for (size_t t = 0; t < n; t++)
	{
		known = isnan(y[t]) ? 0 : known + 1;
		if (known <= p)
			continue;
		if (nrows == m->rows)
			nrows = matrix_triangulate(env, m, nrows);
		matrix_column(m, 0)[nrows] = 1.0;
		for (uint32_t k = 1; k <= p; k++)
			matrix_column(m, k)[nrows] = (y[t - k] - mean) / scale;
		matrix_column(m, (size_t) p + 1)[nrows] = (y[t] - mean) / scale;
		nrows++;
		nequations++;
	}
	if (nequations < (size_t) p + 1)
		nn_fail(env, NN_TOO_FEW,
				nn_format(env, "autoregression with %u lags needs %u stretches of %u known values, "
						  "but there are %zu", p, p + 1, p + 1, nequations),
				"Provide more rows, or use fewer lags.");
	return matrix_triangulate(env, m, nrows);
}

void
nn_ar_fit(const NnEnv *env, const double *y, size_t n, uint32_t p, double *coef)
{
	Matrix		m = {.columns = (size_t) p + 2};
	double		mean,
				scale,
				sum = 0.0;
	size_t		block = BLOCK_PER_COLUMN * m.columns;
	size_t		nrows;

	if (p > NN_AR_MAX_LAGS)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "autoregression cannot have %u lags", p),
				nn_format(env, "Use at most %d lags.", NN_AR_MAX_LAGS));
	for (size_t i = 0; i < n; i++)
	{
		if (isinf(y[i]))
			value_too_large(env, y[i]);
	}
	mean = nn_stats_count(y, n) > 0 ? nn_stats_mean(y, n) : 0.0;
	scale = series_scale(env, y, n, mean);

	m.rows = m.columns + (block > SMALLEST_BLOCK ? block : SMALLEST_BLOCK);
	m.values = NN_NEW_ARRAY(env, double, nn_size_mul(env, m.rows, m.columns));
	nrows = series_reduce(env, &m, y, n, p, mean, scale);
	matrix_solve(env, &m, nrows, coef);

	/* (y - mean) / scale = c0 + sum_k ck (y[t - k] - mean) / scale */
	for (uint32_t k = 1; k <= p; k++)
		sum += coef[k];
	coef[0] = coef[0] * scale + mean * (1.0 - sum);
}

/* AICc of an autoregression of that order with that sum of squares over nequations rows. */
static double
order_criterion(double squares, double nequations, double order)
{
	double		k = order + 2.0;	/* intercept and variance */

	if (nequations - k - 1.0 <= 0.0)
		return INFINITY;
	return nequations * log(squares / nequations) + 2.0 * k +
		2.0 * k * (k + 1.0) / (nequations - k - 1.0);
}

/* Sum of squares that the first columns of the triangle leave of its last. */
static double
triangle_residual(const Matrix *m, size_t nrows, size_t columns)
{
	const double *b = matrix_column(m, m->columns - 1);
	double		squares = 0.0;

	for (size_t i = columns; i < nrows; i++)
		squares += b[i] * b[i];
	return squares;
}

/*
 * The order of least AICc, from the triangle of nrows rows.  Sums of squares that are
 * rounding beside the values' own count as equal, so an exact recursion keeps its order.
 */
static uint32_t
order_choose(const Matrix *m, size_t nrows, double nequations, double *criterion)
{
	double		least = fmax(triangle_residual(m, nrows, 0), nequations) * ROUNDING_SQUARED;
	uint32_t	best = 0;

	*criterion = INFINITY;
	for (uint32_t order = 0; (size_t) order + 2 <= m->columns; order++)
	{
		double		squares = fmax(triangle_residual(m, nrows, (size_t) order + 1), least);
		double		value = order_criterion(squares, nequations, order);

		if (value < *criterion)
		{
			*criterion = value;
			best = order;
		}
	}
	return best;
}

uint32_t
nn_ar_select(const NnEnv *env, const double *y, const double *filled, size_t n, size_t from,
			 const uint32_t *lag, uint32_t nlags, double *work, double *coef, double *criterion)
{
	Matrix		m = {.columns = (size_t) nlags + 2,.values = work};
	size_t		nrows = 0,
				nequations = 0;
	uint32_t	order;

	m.rows = NN_AR_WORK(nlags) / m.columns;
	for (size_t t = from; t < n; t++)
	{
		if (isnan(y[t]))
			continue;
		if (nrows == m.rows)
			nrows = matrix_triangulate(env, &m, nrows);
		matrix_column(&m, 0)[nrows] = 1.0;
		for (uint32_t k = 1; k <= nlags; k++)
			matrix_column(&m, k)[nrows] = filled[t - lag[k - 1]];
		matrix_column(&m, (size_t) nlags + 1)[nrows] = y[t];
		nrows++;
		nequations++;
	}
	nrows = matrix_triangulate(env, &m, nrows);
	memset(coef, 0, ((size_t) nlags + 1) * sizeof(double));
	order = order_choose(&m, nrows, (double) nequations, criterion);
	if (isinf(*criterion))
		return 0;

	/* The triangle of the first columns is a least-squares problem of its own. */
	memmove(matrix_column(&m, (size_t) order + 1), matrix_column(&m, (size_t) nlags + 1),
			nrows * sizeof(double));
	m.columns = (size_t) order + 2;
	matrix_solve(env, &m, nrows < (size_t) order + 1 ? nrows : (size_t) order + 1, coef);
	return order;
}

bool
nn_ar_predict(const double *coef, uint32_t p, const double *history, size_t nhistory,
			  uint32_t horizon, double *out)
{
	if (nhistory < p)
		return false;
	for (uint32_t h = 0; h < horizon; h++)
	{
		double		value = coef[0];

		for (uint32_t k = 1; k <= p; k++)
			value += coef[k] * (h >= k ? out[h - k] : history[nhistory + h - k]);
		if (!isfinite(value))
			return false;
		out[h] = value;
	}
	return true;
}
