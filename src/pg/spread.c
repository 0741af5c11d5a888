/*
 * spread.c
 *		Where a value lies in the distribution around a forecast.
 */
#include "postgres.h"

#include <math.h>

#include "core/nn_loss.h"
#include "core/nn_stats.h"
#include "pg/spread.h"

Spread
spread_levels(double extra, uint32 *at)
{
	static const double levels[] = {0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999};
	Spread		spread = {0};

	*at = 0;
	for (size_t i = 0; i <= lengthof(levels); i++)
	{
		double		next = i < lengthof(levels) ? levels[i] : 1;

		if (extra > 0 && extra <= next)
		{
			*at = spread.nlevels;
			spread.level[spread.nlevels++] = extra;
			if (extra == next)
				next = 1;
			extra = 0;
		}
		if (next < 1)
			spread.level[spread.nlevels++] = next;
	}
	return spread;
}

/* z such that a Gaussian lies within +-z with probability p. */
static double
gaussian_width(double p)
{
	return nn_normal_quantile((1 + p) / 2);
}

double
spread_level(const Spread *spread, double point, const double *low, const double *high,
			 size_t stride, double value)
{
	double		off = fabs(value - point),
				below = 0,		/* half-width and z of the level before */
				z = 0;

	if (isnan(low[0]) || isnan(value))
		return NAN;
	for (uint32 i = 0; i < spread->nlevels; i++)
	{
		double		width = value > point ? high[i * stride] - point : point - low[i * stride],
					next = gaussian_width(spread->level[i]);

		if (off <= width)
		{
			if (width > below)
				next = z + (next - z) * Max(off - below, 0) / (width - below);
			else
				next = z;
			return 2 * nn_normal_cdf(next) - 1;
		}
		below = width;
		z = next;
	}
	return below > 0 ? 2 * nn_normal_cdf(z * off / below) - 1 : 1;
}

void
spread_check(const ModelRun *run)
{
	if (run->model->interval.steps > 0 || nn_loss_has_interval(&run->model->spec))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("model \"%s\" gives no intervals", run->row->name),
			 errhint("Train it with \"calibration\": \"conformal\" on enough rows for a validation "
					 "part, or with a loss that has them: quantile, gaussian, student_t.")));
}
