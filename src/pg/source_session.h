/*
 * source_session.h
 *		What of a source depends on the session that runs it.
 */
#ifndef LSTM_SOURCE_SESSION_H
#define LSTM_SOURCE_SESSION_H

#include "postgres.h"

/*
 * Whether query (of a Source) turns instants into days, hours or text by the session's time
 * zone, or the other way round: a cast of timestamptz to date, date_trunc, extract.  Adding
 * an interval to an instant is not counted, though days added cross clock changes by it.
 */
extern bool source_asks_session_zone(const char *query);

/* A temporary table or view that query (of a Source) reads, which no other session sees; or NULL. */
extern char *source_temporary(const char *query);

#endif							/* LSTM_SOURCE_SESSION_H */
