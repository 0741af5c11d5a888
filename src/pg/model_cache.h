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
 * then the least recently used go until the rest fits lstm.model_cache.  Models
 * that are known by their bytes only go earlier, and so does what forecasts with a model:
 * one statement may see any number.
 */
#ifndef LSTM_MODEL_CACHE_H
#define LSTM_MODEL_CACHE_H

#include "postgres.h"

#include "core/nn_model.h"
#include "core/nn_predict.h"
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

/*
 * The model that has these bytes, whose row nobody knows; every byte is compared.  It stays
 * until the next call of this function or the end of the transaction.
 */
extern const NnModel *model_cache_value(const uint8_t *bytes, size_t length);

/*
 * What forecasts one window at a time with a model of the cache, kept with it: packed weights
 * and room for values, which take longer to make than to use.  It is the caller's until
 * model_cache_predictor_done; where an error comes first, the transaction's end frees it.  NULL
 * where the model is not of the cache, or an error came earlier in this transaction.
 */
extern NnPredictor *model_cache_predictor(const NnModel *model, uint32 horizon);
extern void model_cache_predictor_done(const NnModel *model);

/* To be called once, when the library is loaded. */
extern void model_cache_init(void);

#endif							/* LSTM_MODEL_CACHE_H */
