/*
 * nn_window.h
 *		What gathering one series and gathering all sites share.
 *
 * For nn_window*.c and for those that ask where a window's sites are.
 */
#ifndef NN_WINDOW_H
#define NN_WINDOW_H

#include "core/nn_data.h"

/*
 * Takes back what "linear" could not yet know at the origin of one lane: lane points at
 * [context][...][C][L] plus the lane, with row_stride reals from one row to the next.
 */
extern void nn_lane_look_back(const NnData *data, const NnWindow *window, uint32_t L,
							  size_t row_stride, nn_real *lane);

extern void nn_sites_past(const NnData *data, const NnWindow *windows, uint32_t n, uint32_t L,
						  nn_real *past);
extern void nn_sites_horizon(const NnData *data, const NnWindow *windows, uint32_t n, uint32_t L,
							 const nn_real *from, uint32_t width, uint32_t stride, nn_real pad,
							 bool time_outside, nn_real *out);
extern void nn_sites_statics(const NnData *data, uint32_t n, uint32_t L, nn_real *statics);

#endif							/* NN_WINDOW_H */
