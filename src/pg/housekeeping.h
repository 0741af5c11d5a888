/*
 * housekeeping.h
 *		Which versions stay and which go.
 */
#ifndef LSTM_HOUSEKEEPING_H
#define LSTM_HOUSEKEEPING_H

#include "postgres.h"

#include "pg/registry.h"

/* The version that lstm.rollback goes back to: 0 when there is none. */
extern int	house_rollback_version(const RegistryVersions *versions);

/*
 * Drops all versions but the newest keep (1 or more), the deployed one, members of joint
 * models, and with way_back the one that lstm.rollback goes back to; a NOTICE says which old
 * ones stay.  Returns how many went.  Between registry_write_begin and registry_write_end.
 */
extern int	house_keep_versions(const char *name, uint32 keep, bool way_back);

#endif							/* LSTM_HOUSEKEEPING_H */
