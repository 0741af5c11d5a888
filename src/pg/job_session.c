/*
 * job_session.c
 *		The session that a job runs in: whose it is, its settings, what it is told.
 *
 * A job takes along what its caller's session had changed (SET, client options).  Settings
 * of roles and databases come by themselves, as the worker logs in as the session user.
 * Settings that the caller could set as session user or as current role are set again;
 * what neither may any more fails the job.
 *
 * Messages are caught on their way to the server's log, whose level is lowered for that;
 * what it would not have without us it does not get.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/guc_tables.h"
#include "utils/memutils.h"

#include "core/nn_json.h"
#include "pg/env.h"
#include "pg/job.h"
#include "pg/registry.h"

/* Messages kept. */
#define NOTICES 20

/* ------------------------------------------------------------------------
 * Settings
 */

/* What a job has no use for: the client's, time limits of statements, this transaction's. */
static const char *const left_out[] = {
	"application_name", "client_encoding", "client_min_messages", "default_transaction_deferrable",
	"default_transaction_isolation", "default_transaction_read_only",
	"idle_in_transaction_session_timeout", "idle_session_timeout", "lock_timeout", "lstm.max_jobs",
	"lstm.progress", "role", "seed", "session_authorization", "statement_timeout",
	"transaction_deferrable", "transaction_isolation", "transaction_read_only", "transaction_timeout"
};

static bool
setting_taken(const struct config_generic *setting)
{
	if (setting->source < PGC_S_CLIENT || setting->source == PGC_S_OVERRIDE ||
		(setting->context != PGC_USERSET && setting->context != PGC_SUSET))
		return false;
	for (size_t i = 0; i < lengthof(left_out); i++)
		if (pg_strcasecmp(setting->name, left_out[i]) == 0)
			return false;
	return true;
}

/* pg_settings does not show the settings of libraries that are not loaded; they count, too. */
char *
job_settings_text(void)
{
	NnText		json;
	int			count;
	struct config_generic **settings;

#if PG_VERSION_NUM >= 160000
	settings = get_guc_variables(&count);
#else
	settings = get_guc_variables();
	count = GetNumConfigOptions();
#endif
	nn_text_init(&json, env_create(CurrentMemoryContext));
	nn_json_begin(&json, '{');
	for (int i = 0; i < count; i++)
	{
		const char *value;

		if (!setting_taken(settings[i]))
			continue;
		value = GetConfigOption(settings[i]->name, true, false);
		if (value == NULL)
			continue;
		nn_json_key(&json, settings[i]->name);
		nn_json_string(&json, value);
	}
	nn_json_end(&json, '}');
	return json.data;
}

static void
settings_apply(const char *settings, bool superuser)
{
	Oid			type = TEXTOID;
	Datum		value = CStringGetTextDatum(settings);
	MemoryContext caller = CurrentMemoryContext;
	int			nest_level = registry_begin();
	List	   *pairs = NIL;
	ListCell   *cell;
	uint64		count = registry_run("SELECT key, value FROM jsonb_each_text($1::jsonb)", 1, &type,
									 &value, NULL, true);

	for (uint64 i = 0; i < count; i++)
		for (int column = 1; column <= 2; column++)
		{
			char	   *text = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, column);
			MemoryContext own = MemoryContextSwitchTo(caller);

			pairs = lappend(pairs, pstrdup(text));
			MemoryContextSwitchTo(own);
		}
	registry_end(nest_level);
	for (cell = list_head(pairs); cell != NULL; cell = lnext(pairs, lnext(pairs, cell)))
		(void) set_config_option(lfirst(cell), lfirst(lnext(pairs, cell)),
								 superuser ? PGC_SUSET : PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SET,
								 true, 0, false);
}

void
job_session_fix(void)
{
	static const char *const fixed[][2] = {
		{"default_transaction_isolation", "read committed"},
		{"default_transaction_read_only", "off"},
		{"default_transaction_deferrable", "off"},
		/* Who waits for the registry after hours of training shall not give up. */
		{"lock_timeout", "0"},
#if PG_VERSION_NUM >= 170000
		{"transaction_timeout", "0"},
#endif
		{"lstm.progress", "0"},
	};

	for (size_t i = 0; i < lengthof(fixed); i++)
		(void) set_config_option(fixed[i][0], fixed[i][1], PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SET, true, 0, false);
}

static bool
role_allowed(Oid role)
{
#if PG_VERSION_NUM >= 160000
	return member_can_set_role(GetSessionUserId(), role);
#else
	return is_member_of_role(GetSessionUserId(), role);
#endif
}

void
job_session_require(Oid role)
{
	if (!role_allowed(role))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to run a job as role \"%s\"", GetUserNameFromId(role, false)),
				 errdetail("A job logs in as \"%s\", the user of this session, who may not SET ROLE to it.",
						   GetUserNameFromId(GetSessionUserId(), false)),
				 errhint("Grant it the role, or submit the job as another.")));
}

bool
job_session_lent(void)
{
	return InLocalUserIdChange() || InSecurityRestrictedOperation();
}

void
job_session_refuse_superuser(Oid role)
{
	Oid			keeper = registry_table_owner("job_rows");

	if ((superuser_arg(GetSessionUserId()) || superuser_arg(role)) && !superuser_arg(keeper))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("a superuser's job cannot be kept in table \"lstm.job_rows\""),
				 errdetail("It belongs to role \"%s\", which is no superuser and could change the job.",
						   GetUserNameFromId(keeper, false)),
				 errhint("Log in as another role, or give the table to a superuser.")));
}

Oid
job_session_require_owner(const char *owner, const char *oid)
{
	Oid			role = get_role_oid(owner, true);

	if (!OidIsValid(role))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("role \"%s\" does not exist", owner),
				 errdetail("It submitted the job."),
				 errhint("Submit the job anew as a role that exists.")));
	if (role != atooid(oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg(JOB_OTHER_ROLE, owner),
				 errhint("Submit the job anew.")));
	return role;
}

void
job_session_begin(const char *owner, const char *oid, const char *settings)
{
	Oid			role = job_session_require_owner(owner, oid);

	job_session_require(role);
	job_session_refuse_superuser(role);
	settings_apply(settings, superuser_arg(GetSessionUserId()) || superuser_arg(role));
	if (role != GetSessionUserId())
		(void) set_config_option("role", owner, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SET, true, 0,
								 false);
}

/* ------------------------------------------------------------------------
 * Messages
 */

static List *notices = NIL;		/* of char *, in TopMemoryContext, the newest last */
static int	log_level;			/* log_min_messages as the job has it */
static emit_log_hook_type previous_hook = NULL;

static void
notice_keep(const ErrorData *message)
{
	MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);

	if (list_length(notices) == NOTICES)
	{
		pfree(linitial(notices));
		notices = list_delete_first(notices);
	}
	notices = lappend(notices, psprintf("%s:  %s", message->elevel == WARNING ? "WARNING" : "NOTICE",
										message->message));
	MemoryContextSwitchTo(caller);
}

/* Would the server's log have it, if the level were not lowered for us? */
static bool
log_wanted(int elevel)
{
	if (elevel == LOG || elevel == LOG_SERVER_ONLY)
		return log_level == LOG || log_level <= ERROR;
	return log_level == LOG ? elevel >= FATAL : elevel >= log_level;
}

static void
message_seen(ErrorData *message)
{
	if (previous_hook != NULL)
		previous_hook(message);
	if (message->message != NULL && (message->elevel == WARNING || message->elevel == NOTICE))
		notice_keep(message);
	if (!log_wanted(message->elevel))
		message->output_to_server = false;
}

void
job_notices_forget(void)
{
	list_free_deep(notices);
	notices = NIL;
}

void
job_notices_begin(void)
{
	job_notices_forget();
	log_level = log_min_messages;
	if (emit_log_hook != message_seen)
	{
		previous_hook = emit_log_hook;
		emit_log_hook = message_seen;
	}
	/* The hook sees what is to be logged. */
	if (log_level > NOTICE)
		(void) set_config_option("log_min_messages", "notice", PGC_SUSET, PGC_S_SESSION,
								 GUC_ACTION_SET, true, 0, false);
}

List *
job_notices(void)
{
	return notices;
}
