/*
 * grants.h
 *		Who may do what with a model: its owner's members everything, others what
 *		lstm.model_grants says.
 *
 * Everything here runs between registry_begin and registry_end, unless it says
 * otherwise.
 */
#ifndef LSTM_GRANTS_H
#define LSTM_GRANTS_H

#include "postgres.h"

/* What is asked for.  Any grant implies MODEL_USE; MODEL_OWN is never granted. */
typedef enum ModelAction
{
	MODEL_USE, MODEL_ACTUALS, MODEL_RETRAIN, MODEL_DROP, MODEL_OWN
} ModelAction;

/* Whose rights statements had before; an error restores them with the (sub)transaction. */
typedef struct RegistryRole
{
	Oid			user;
	int			security;
} RegistryRole;

/*
 * From here to registry_write_end statements on the tables of schema lstm may change the
 * model of that name: they run as the caller where he is a member of its owner, and as the
 * tables' owner where he has a grant for the action.  To be called after registry_lock.
 * Nothing in between may run SQL, or call functions, that a user has written.
 * Errors: 42704 no model of that name that the caller sees; 42501 the caller may not.
 */
extern RegistryRole registry_write_begin(const char *name, ModelAction action);
extern void registry_write_end(RegistryRole before);

/*
 * The same check by itself, before work that takes long; not between registry_begin and
 * registry_end.
 */
extern void registry_check_action(const char *name, ModelAction action);

/* The same check, for the owner's name; between them. */
extern char *grants_require(const char *name, ModelAction action);

/*
 * From here statements on lstm.models and lstm.model_values run as their owner, on a model
 * of that role; error 55000 when some version belongs to another.
 */
extern RegistryRole registry_act_begin(const char *name, const char *owner);

/* Statements run as the owner of that table of schema lstm until registry_write_end. */
extern RegistryRole registry_role_begin(const char *table);

/*
 * Whether the caller is a member of role owner, or has a grant for the action from it on
 * that model.  owner: as in lstm.models; a name that is no role's owns nothing.
 */
extern bool grants_allow(const char *model, const char *owner, ModelAction action);

/*
 * Whether the caller, no superuser, may run SQL stored with a model of role owner
 * (InvalidOid: nobody's).  Members may; a grant lets others, but it is error 42501 where
 * they can reach the server's files and programs.  Not between registry_begin and registry_end.
 */
extern bool grants_lend(const char *model, Oid owner);

/*
 * Around SQL that a role stored with a model: where the caller is no member of it, it can
 * change neither his role, nor his settings (what it sets is undone at the end), nor leave
 * temporary objects.  What it reads, it reads with the caller's rights.  owner as in
 * grants_lend; an error undoes all with the (sub)transaction.
 */
typedef struct StoredFence
{
	int			nest_level;		/* of settings; 0: there is no fence */
	RegistryRole before;
} StoredFence;

extern StoredFence stored_fence_begin(Oid owner);
extern void stored_fence_end(StoredFence fence);

/*
 * After the rows of a model were renamed (new_name NULL: dropped): once no version has
 * the old name, its grants follow.  Statements run as the owner of lstm.models.
 */
extern void grants_cascade(const char *name, const char *owner, const char *new_name);

#endif							/* LSTM_GRANTS_H */
