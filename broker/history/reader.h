/*  reader.h - reads the history on disk, in one thread, while another one commits. */
#ifndef ZC_STORE_READER_H
#define ZC_STORE_READER_H

#include "broker/history/history.h"
#include "broker/history/tables.h"

typedef struct zc_reader zc_reader_t;

zc_reader_t *zc_reader_new (void);
void zc_reader_destroy (zc_reader_t **self_p);

/*  For the owner of the environment. While it closes, opens or resizes the environment, it holds
 *  the lock, which waits until the reading thread has released its view. */
void zc_reader_lock (zc_reader_t *self);
void zc_reader_unlock (zc_reader_t *self);
/*  The environment was opened, with the tables `db`. Returns 0, or a code of LMDB. */
int zc_reader_open (zc_reader_t *self, MDB_env *env, const MDB_dbi db[ZC_TABLES]);
/*  The environment is going to be closed. */
void zc_reader_close (zc_reader_t *self);

/*  For the thread that reads. The first call takes a consistent view, which lasts until
 *  zc_reader_release. Returns false if the environment is closed after a failure: until it is
 *  open again, nothing is found. */
bool zc_reader_begin (zc_reader_t *self);
void zc_reader_release (zc_reader_t *self);
/*  These answer the functions of the same names in history.h. */
zc_id_t zc_reader_floor (zc_reader_t *self, const zc_topic_t *topic);
bool zc_reader_next (zc_reader_t *self, const zc_topic_t *topic, zc_id_t after,
                     zc_stored_t *stored);
uint64_t zc_reader_count (zc_reader_t *self, const zc_topic_t *topic, zc_id_t after, zc_id_t upto);
uint64_t zc_reader_size (zc_reader_t *self, const zc_topic_t *topic, uint64_t *bytes);
bool zc_reader_find (zc_reader_t *self, const zc_topic_t *topic, zc_slice_t name, zc_which_t which,
                     zc_id_t *id);

#endif
