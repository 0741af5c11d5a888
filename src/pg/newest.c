/*
 * newest.c
 *		Which rows of its source a forecast from the newest ones depends on.
 */
#include "postgres.h"

#include <math.h>

#include "core/nn_adapt.h"
#include "core/nn_predict.h"
#include "pg/newest.h"

/* So many rows, or a share of those needed, more: for rows ahead without targets, and gaps. */
#define SPARE_ROWS	16
#define SPARE_SHARE	8

/* What is asked for next, once, when that was not enough. */
#define MORE_TIMES	4

/* More rows than that are not looked for one after the other. */
#define MOST_ROWS	(UINT64CONST(1) << 24)

/* Rows up to the last known target. */
static uint64
rows_needed(const ModelRun *run, uint32 horizon)
{
	const NnSpec *spec = &run->model->spec;
	uint64		rows = nn_predict_rows(run->model);

	if (spec->calibration == NN_CALIBRATION_ADAPTIVE)
		rows += (uint64) (horizon > 0 ? horizon : spec->forecast_horizon) + NN_ADAPT_ORIGINS;
	return rows;
}

/*
 * Rows behind the last known target that the forecast may find in the source: future
 * covariates, and what the zone's clock leaves out a day around as_of.
 */
static uint64
rows_ahead(const ModelRun *run, uint32 horizon, const TimestampTz *as_of)
{
	const NnModel *model = run->model;
	uint64		steps = horizon > 0 ? horizon : model->spec.forecast_horizon,
				rows = 0;

	if (run->roles.nfuture > 0)
		rows += (steps + model->spec.horizon - 1) / model->spec.horizon * model->spec.horizon;
	if (as_of != NULL && model->time_kind != NN_TIME_TIMESTAMPTZ)
		rows += model->frequency.unit == NN_UNIT_MICROSECOND ?
			(uint64) (USECS_PER_DAY / Max(model->frequency.count, 1)) + 1 : 2;
	return rows;
}

uint64
newest_rows(const ModelRun *run, uint32 horizon, const TimestampTz *as_of)
{
	const NnModel *model = run->model;
	uint64		rows = rows_needed(run, horizon);

	if (run->roles.nseries > 0 || model->spec.nsites > 1 || run->roles.narrays > 0 || run->skips ||
		model->frequency.unit == NN_UNIT_MONTH || (as_of != NULL && run->roles.nfuture > 0))
		return 0;
	rows += rows_ahead(run, horizon, as_of) + SPARE_ROWS + rows / SPARE_SHARE;
	return rows > MOST_ROWS ? 0 : rows;
}

uint64
newest_rows_more(const ModelRun *run, uint64 rows)
{
	return rows > MOST_ROWS / MORE_TIMES || rows >= newest_rows(run, 0, NULL) * MORE_TIMES ? 0 :
		rows * MORE_TIMES;
}

/* Two neighbours with something known in both. */
static bool
neighbours_known(const NnSeries *series)
{
	for (uint32 row = 1; row < series->history[0]; row++)
		if (model_run_row_known(series, row - 1) && model_run_row_known(series, row))
			return true;
	return false;
}

bool
newest_rows_suffice(const ModelRun *run, uint32 horizon)
{
	const SourceData *data = run->data;
	const NnSeries *series = &data->series;

	if (data->whole)
		return true;
	/* One more: of two rows at the time of the first, the limit may have cut one off. */
	if (series->nseries != 1 || series->history[0] <= rows_needed(run, horizon))
		return false;
	for (uint32 i = 0; i < series->Cs; i++)
		if (data->is_category[i] ? data->category[i] == NULL : isnan(series->statics[i]))
			return false;
	return neighbours_known(series);
}

/* Is every value of the rows from first on known that a forecast reads? */
static bool
rows_known(const NnData *data, uint32 first)
{
	const NnSpec *spec = data->spec;
	const NnSeries *series = data->series;
	uint32		past = spec->ntargets + spec->npast;

	for (uint32 row = first; row < series->first[1]; row++)
		for (uint32 c = row < series->history[0] ? 0 : past; c < series->C; c++)
			if (!data->known[(size_t) row * series->C + c])
				return false;
	return true;
}

/* Does channel c know a value in rows 1 to last?  What row 0 says nobody has checked. */
static bool
value_known(const NnData *data, uint32 c, uint32 last)
{
	for (uint32 row = last; row > 0; row--)
		if (data->known[(size_t) row * data->series->C + c])
			return true;
	return false;
}

bool
newest_data_suffice(const ModelRun *run, uint32 horizon)
{
	const NnData *data = run->prepared;
	const NnSpec *spec = data->spec;
	uint32		first;

	if (run->data->whole)
		return true;
	first = data->series->history[0] - (uint32) rows_needed(run, horizon);
	if (spec->missing == NN_MISSING_SEASONAL)
		return rows_known(data, first);
	for (uint32 c = 0; c < data->series->C; c++)
	{
		bool		looks_back = (spec->missing != NN_MISSING_MEAN && spec->missing != NN_MISSING_MASK) ||
			(c < spec->ntargets && spec->difference > 0);

		if (looks_back && !value_known(data, c, first))
			return false;
	}
	return true;
}
