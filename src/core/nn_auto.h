/*
 * nn_auto.h
 *		Settings from the rows: season, context, network, how long to train.
 *
 * What a user does not say is chosen here from the length, number and frequency of the
 * series and from how they repeat.
 */
#ifndef NN_AUTO_H
#define NN_AUTO_H

#include "core/nn_data.h"
#include "core/nn_calendar.h"

/*
 * Rows of a season: of the lengths that the frequency suggests (an hour's day and week, a
 * day's week and year; any, where time is a number) the one at which the first ntargets
 * columns repeat best, measured by the mean absolute change over it against that over
 * the shorter distances; 1 when none does.  Looks at up to 200 series and 5,000 rows of each.
 */
extern uint32_t nn_auto_season(const NnEnv *env, const NnSeries *series, uint32_t ntargets,
							   const NnFrequency *frequency);

/*
 * Whether windows will be padded where "auto" chooses for so many series: as the caller
 * says, else where there are several, so that the shortest need not set the context.
 */
extern bool nn_auto_pads(const NnSpec *spec, uint32_t nseries);

/*
 * A copy of spec, completed: the context unless it was given; for "auto" and "ensemble" the
 * network, training and members as well, where the caller did not say them.
 */
extern NnSpec *nn_auto_choose(const NnEnv *env, const NnSpec *spec, const NnSeries *series,
							  bool context_given);

#endif							/* NN_AUTO_H */
