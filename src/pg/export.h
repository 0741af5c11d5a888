/*
 * export.h
 *		Makes the functions that SQL calls visible in the shared library.
 *
 * The library is compiled with hidden symbols.  From PostgreSQL 16 on, the
 * server's PG_FUNCTION_INFO_V1 and its declaration of _PG_init export what they
 * declare; before, they left that to the author of each function.  The Makefile
 * includes this header in front of every file of src/pg, so that no file has to
 * repeat its prototypes.
 */
#ifndef LSTM_EXPORT_H
#define LSTM_EXPORT_H

#include "postgres.h"

#include "fmgr.h"

#if PG_VERSION_NUM < 160000

extern PGDLLEXPORT void _PG_init(void);

#undef PG_FUNCTION_INFO_V1
#define PG_FUNCTION_INFO_V1(function) \
extern PGDLLEXPORT Datum function(PG_FUNCTION_ARGS); \
extern PGDLLEXPORT const Pg_finfo_record *CppConcat(pg_finfo_, function)(void); \
const Pg_finfo_record * \
CppConcat(pg_finfo_, function)(void) \
{ \
	static const Pg_finfo_record version_one = {1}; \
	return &version_one; \
} \
extern int	lstm_semicolon_follows

#endif							/* PG_VERSION_NUM < 160000 */

#endif							/* LSTM_EXPORT_H */
