/*
 * joint_model.h
 *		Joint models: one forecast from those of models that were trained apart.
 *
 * A joint model is a row of lstm.models with its members' names, versions and weights in
 * column "joint", and no value of its own.  Its members are opened as anyone opens them:
 * with the caller's rights on them and on their rows.  So it grants nothing.
 *
 * Members are joined by series (its name as text), target (its name) and time.  The first
 * member, the sequence model, says which targets there are; its windows are those that
 * hindcast and evaluate walk over.
 */
#ifndef LSTM_JOINT_MODEL_H
#define LSTM_JOINT_MODEL_H

#include "postgres.h"

#include "core/nn_blend.h"
#include "pg/origins.h"

typedef struct JointMember
{
	char	   *name;
	int			version;		/* 0: the deployed one, until it is open */
	double		weight;
	double		mae;			/* alone, on the judged rows */
	ModelRun   *run;			/* NULL: not open */
	uint32	   *target;			/* [ntargets] place of each of the joint model's among its own */
	uint64		lacking;		/* values that it had no forecast for */
} JointMember;

typedef struct JointModel
{
	NnEnv	   *env;
	const char *name;
	uint32		nmembers;		/* the sequence model, the space model, then others */
	JointMember member[NN_BLEND_MAX];
	uint32		horizon;		/* steps that it was judged on; 0: not known yet */
	uint32		ntargets;
	double		mae, skill;		/* on the judged rows; skill against the better of its first two members */
	uint64		rows;			/* values judged */
	NnInterval	interval;		/* in units of the first member's windows */
} JointModel;

/*
 * What the functions that forecast begin with: model_run_open for a model that was
 * trained, *joint then being NULL; else the first member's run, with *joint open.
 * *horizon 0 becomes the model's own; it is checked.  Errors as of model_run_open, for
 * a joint model with its member in the context; 22023 a future without use.
 */
extern ModelRun *joint_or_model_open(const char *name, int version, const char *source,
									 const char *future, const TimestampTz *as_of,
									 uint32 *horizon, JointModel **joint);

/*
 * The same for forecasts from the newest rows and no other origin: as model_run_open_newest.
 * A joint model's members read all rows.
 */
extern ModelRun *joint_or_model_open_newest(const char *name, int version, const char *source,
											const char *future, const TimestampTz *as_of,
											uint32 *horizon, JointModel **joint);

/*
 * Opens the members.  lender: row whose stored source all read; NULL: each its own.  Sets
 * versions, targets, and the horizon where it is 0: the shortest of theirs.  Error 22023
 * for members that do not fit together: kind of time, frequency, targets.
 */
extern void joint_members_open(JointModel *joint, const RegistryRow *lender, const char *source,
							   const char *future, const TimestampTz *as_of, uint32 horizon);

/* Column "joint" of a joint model, and back; error 22P02 for text that is none. */
extern char *joint_write(const JointModel *joint);
extern JointModel *joint_read(NnEnv *env, const RegistryRow *row);

/* What lstm.describe says of one, beside the registry. */
extern char *joint_describe(NnEnv *env, const RegistryRow *row);

/* ------------------------------------------------------------------------
 * Forecasts, in joint_forecast.c
 */

/*
 * Of each series from its newest rows on: put gets a run that has the window and the joint
 * model's targets, point [horizon][ntargets] (NaN: neither of the first two members
 * reaches there), low and high [nlevels][horizon][ntargets].  Ends with a NOTICE for each
 * member that lacked forecasts.
 */
typedef void (*JointPut) (void *host, const ModelRun *run, const NnWindow *window,
						  const double *point, const double *low, const double *high);
extern void joint_forecast(JointModel *joint, uint32 horizon, const double *level,
						   uint32 nlevels, JointPut put, void *host);

/* As origins_forecast, from the origins that all members have; origins->run is the first's. */
extern void joint_origins(JointModel *joint, Origins *origins);

/* Forecasts of all members from the first one's origins. */
typedef struct JointOrigins
{
	uint32		n, room;
	NnWindow   *window;			/* [n] of the first member */
	int64	   *time;			/* [n] of the origin */
	uint32	   *members;		/* [n] how many forecast from there */
	uint32	   *fresh;			/* [n] first step (from 0) that no member was trained on */
	double	   *value[NN_BLEND_MAX];	/* [n][horizon][ntargets] of each member */
	uint32	   *first;			/* [nseries + 1] where those of each series begin in */
	uint32	   *sorted;			/* [n] their numbers, ascending in time within each series */
} JointOrigins;

/* unseen: only those with a step that the first member was not trained on. */
extern JointOrigins *joint_collect(const JointModel *joint, uint32 stride, uint32 horizon,
								   bool unseen);

/* Instant of a row of series s, or the integer: what members are joined by. */
extern int64 joint_time(const ModelRun *run, uint32 s, int64 row);

#endif							/* LSTM_JOINT_MODEL_H */
