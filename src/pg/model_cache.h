/*
 * model_cache.h
 *		Models that this session has read, kept for its next forecasts.
 *
 * Reading a model's bytes costs detoasting and checking every length and number
 * of them; a dashboard asks the same model again and again.  An entry belongs to
 * one row version (table, place and inserting transaction), which the caller has
 * just read under its snapshot and its rights: an update, a rollback to another
 * version, a rename or a lost privilege is seen before the cache is asked.
 *
 * Entries in use stay, since nothing is dropped before the transaction ends;
 * then the least recently used go until the rest fits lstm.model_cache.
 */
#ifndef LSTM_MODEL_CACHE_H
#define LSTM_MODEL_CACHE_H

#include "postgres.h"

#include "core/nn_model.h"
#include "storage/itemptr.h"

typedef struct ModelKey
{
	Oid			table;
	ItemPointerData place;
	TransactionId xmin;
} ModelKey;

/* The model of that row version, or NULL.  It must not be changed. */
extern const NnModel *model_cache_find(const ModelKey *key);

/* Reads bytes, keeps the model and returns it.  Errors as of nn_model_read. */
extern const NnModel *model_cache_add(const ModelKey *key, const uint8_t *bytes, size_t length);

/* To be called once, when the library is loaded. */
extern void model_cache_init(void);

#endif							/* LSTM_MODEL_CACHE_H */
