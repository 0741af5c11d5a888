/*
 * registry.h
 *		Models as rows: lstm.models and lstm.model_values.
 *
 * All access goes through SPI with the caller's rights, so privileges and
 * row-level security of the two tables decide, but for what a grant allows
 * (grants.h); statements run under a fixed search_path (pg_catalog, pg_temp) and
 * name everything in full.  A version's row never changes but for its deployment
 * and its name.
 */
#ifndef LSTM_REGISTRY_H
#define LSTM_REGISTRY_H

#include "postgres.h"

#include "core/nn_model.h"
#include "pg/grants.h"
#include "pg/model_cache.h"

typedef struct RegistryRow
{
	char	   *name;
	int			version;
	Oid			owner;			/* role; InvalidOid when it is gone or cannot be believed: a
								 * superuser's name in tables that belong to no superuser */
	char	   *source;			/* as trained, may be NULL (none stored) */
	char	   *search_path;
	const NnModel *model;		/* checked and parsed; stays until the transaction ends */
	size_t		length;			/* bytes of the model value */
	ModelKey	key;			/* of the model in the cache */
	char	   *joint;			/* what a joint model is made of, as JSON, unchecked; model is NULL then.
								 * NULL: a model that was trained */
} RegistryRow;

/*
 * The deployed version (version 0) or the given one.  Errors: 22004 name NULL is
 * the caller's matter; 42704 no such model visible to the caller (hint: nearest
 * visible name), no such version (detail: versions there are); 55000 no version is
 * deployed.  Reads with the snapshot of the running statement, writes nothing, so it
 * works in read-only transactions and on a standby.  The row lives in the current
 * memory context, the model in the session's cache (model_cache.h).
 */
extern RegistryRow *registry_find(const char *name, int version);

/* The same, but a joint model is error 0A000: model is there. */
extern RegistryRow *registry_get(const char *name, int version);

/* Everything but the version number, which is the next one; returns it. */
typedef struct RegistryEntry
{
	const char *name;
	const char *source, *search_path;
	bool		deploy;
	uint64		rows;
	const char *spec;			/* JSON text of the settings, for looking at */
	const char *metrics;		/* JSON text */
	const uint8_t *bytes;		/* NULL: a joint model, which has no value */
	size_t		length;
	const char *joint;			/* JSON text, see RegistryRow */
	const char *arguments;		/* the call that trained it, as JSON text; NULL: none */
	const char *data;			/* lineage_data_text of its rows; NULL: none */
	double		seconds;		/* that it took; 0: unknown */
	int			warm_from;		/* version whose parameters it began with; 0: none */
	int			retrain_of;		/* the version that was trained again; 0: a training of its own */
} RegistryEntry;

/*
 * Inserts a version and deploys it if asked (the one before is un-deployed).
 * Errors: 42710 the name belongs to another role; 42602 a name that is empty,
 * longer than 63 bytes or has control characters; 42501.  Concurrent calls for one
 * name wait for each other (advisory lock of the transaction).
 *
 * With retrain_of the version belongs to the model's owner, whoever adds it: a member, or
 * who was granted MODEL_RETRAIN.  If that is not the owner, nothing of the entry may be SQL
 * that others run later: source, search_path, holidays and arguments must be those of
 * version retrain_of, otherwise error 42501.
 */
extern int	registry_insert(const RegistryEntry *entry);

/* Checks the name as above, before work begins; also that it is not another role's. */
extern void registry_check_name(const char *name);

/* ------------------------------------------------------------------------
 * For the functions that keep house and look at models.
 */

/* Connects to SPI and sets the fixed search_path; what it returns goes to registry_end. */
extern int	registry_begin(void);
extern void registry_end(int nest_level);

/*
 * One statement between registry_begin and registry_end; returns the number of its rows.
 * nulls may be NULL, read_only is as SPI takes it.
 */
extern uint64 registry_run(const char *statement, int nargs, Oid *types, Datum *values,
						   const char *nulls, bool read_only);

/* Role that owns a table of schema lstm; error 42P01 when there is no such table. */
extern Oid	registry_table_owner(const char *table);

/* Raises 42704: there is no model of that name; the hint is the nearest that the caller sees. */
extern void registry_fail_unknown(const char *name, bool read_only) __attribute__((noreturn));

/*
 * The versions of a name that the caller sees, ascending; read_only as SPI takes it.
 * Between registry_begin and registry_end.  Error 42704 when there is none.
 */
typedef struct RegistryVersions
{
	const char *name;
	int			count;
	int		   *version;		/* [count] */
	bool	   *promoted;		/* [count] was it ever deployed? */
	int			deployed;		/* its number, 0: none */
} RegistryVersions;

extern RegistryVersions *registry_versions(const char *name, bool read_only);

/* Raises 42704 unless version is among them; 55000 that none is deployed. */
extern void registry_require_version(const RegistryVersions *versions, int version);
extern void registry_fail_undeployed(const RegistryVersions *versions) __attribute__((noreturn));

/* Until the end of the transaction only we insert, deploy, rename or drop that name. */
extern void registry_lock(const char *name);

/*
 * A role that owns versions of that name, whether the caller sees them or not, but
 * not the role other_than (NULL: any); NULL: there is none.  Between registry_begin
 * and registry_end.
 */
extern char *registry_name_owner(const char *name, const char *other_than);

/*
 * A joint model with that version for a member, which therefore cannot be dropped; NULL: none.
 * Between registry_begin and registry_end.
 */
extern char *registry_member_of(const char *name, int version);

/* Raises 42602 as registry_insert says. */
extern void registry_check_spelling(const char *name);

/* Makes version (0: none) the only deployed one, and notes when. */
extern void registry_set_deployed(const char *name, int version);

#endif							/* LSTM_REGISTRY_H */
