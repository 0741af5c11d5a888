/*
 * nn_array.h
 *		Array columns: an image or a vector for each row of a series.
 *
 * An array column (NnSeries.array) is a past covariate of many numbers.  It is kept as it
 * came, in single precision, and scaled on the way into a tile: a copy for each window of a
 * batch would be larger than everything else together.  Where a row has none, the one before
 * it within the context stands for it; before any, zeros, which are the mean.
 */
#ifndef NN_ARRAY_H
#define NN_ARRAY_H

#include "core/nn_data.h"
#include "core/nn_state.h"

/* Numbers of one array: rows x columns x channels. */
extern uint32_t nn_array_width(const NnArraySpec *array);

/* Channels of all array columns: what NnPrep.array_center and array_scale hold one of each. */
extern uint32_t nn_array_channels(const NnSpec *spec);

/*
 * Room for the array columns of series over so many rows, all unknown; vectors stay where
 * they are.  NULL without any.  And rows to.. of them become the n rows from.. of series.
 */
extern NnArray *nn_arrays_create(const NnEnv *env, const NnSeries *series, size_t rows);
extern void nn_arrays_copy(NnArray *array, size_t to, const NnSeries *series, size_t from,
						   size_t n);

/*
 * Learns centre and scale of every channel, over pixels and the first train_rows[s] rows of
 * each series: mean and standard deviation; 0 and 1 under "scaling": "none"; scale 1 where
 * all are equal.  NN_BAD_DATA when a column has no known row there.
 */
extern void nn_array_fit(const NnEnv *env, const NnSpec *spec, const NnSeries *series,
						 const uint32_t *train_rows, NnPrep *prep);

/* NN_BAD_DATA unless series have the array columns of spec. */
extern void nn_array_check(const NnEnv *env, const NnSpec *spec, const NnSeries *series);

/*
 * Copies array column i of n windows (n <= L) into lanes; lanes n..L-1 are zeros.
 * out [context][pixels][C][L]; of vectors [context][nsites][C][L].
 * Cost: a load, a multiplication and a store per number.
 */
extern void nn_array_gather(const NnEnv *env, const NnData *data, const NnWindow *windows,
							uint32_t n, uint32_t L, uint32_t i, nn_real *out);

/* Bits of the array columns that have no known row within the window's context, at any site. */
extern uint32_t nn_array_missing(const NnData *data, const NnWindow *window);

/* Both, into the array layers and NnState.missing of a state whose L is set. */
extern void nn_window_arrays(NnState *state, const NnData *data, const NnWindow *windows,
							 uint32_t n);

#endif							/* NN_ARRAY_H */
