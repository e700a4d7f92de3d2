/*  store.h - history on disk: one LMDB environment. It has no threads of its own: one thread
 *  commits while another one reads.
 *
 *  layout.h describes the contents of the database, and tables.h reaches them. writer.h, trim.h
 *  and reader.h do as their names say. check.h and upgrade.h prepare a database before it is
 *  used. */
#ifndef ZC_STORE_H
#define ZC_STORE_H

#include "broker/history/batch.h"
#include "broker/history/reader.h"

typedef struct zc_store zc_store_t;

/*  Opens the database in the folder `path`, or makes one. `map_bytes` is the first size
 *  of LMDB's map, which grows with the database. `durable`: a commit that has returned survives a
 *  loss of power. A database that exists is checked first, unless another process has it
 *  open (`good`), and one of an earlier format is brought to this one. NULL with a sentence in
 * `error`. */
zc_store_t *zc_store_new (const char *path, uint64_t map_bytes, bool durable, bool good,
                          char *error, size_t size);
void zc_store_destroy (zc_store_t **self_p);
const zc_store_totals_t *zc_store_totals (const zc_store_t *self);
/*  Calls `fn` for every topic, in the order of their last positions. Returns 0, or a code. */
int zc_store_each_topic (zc_store_t *self,
                         void (*fn) (void *arg, zc_slice_t name, uint64_t number, zc_id_t last),
                         void *arg);

/*  All of the batch, or nothing. Returns 0, or a code for zc_store_strerror. */
int zc_store_commit (zc_store_t *self, const zc_store_batch_t *batch);
/*  When it returns, all earlier commits are on the disk. May be called from any thread. */
int zc_store_sync (zc_store_t *self);
const char *zc_store_strerror (int code);

/*  The store's own, for the thread that reads. */
zc_reader_t *zc_store_reader (zc_store_t *self);

#endif
