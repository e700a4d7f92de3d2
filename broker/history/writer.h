/*  writer.h - writes a batch of messages into the tables of a transaction. */
#ifndef ZC_STORE_WRITER_H
#define ZC_STORE_WRITER_H

#include "broker/history/trim.h"

typedef struct zc_writer zc_writer_t;

zc_writer_t *zc_writer_new (void);
void zc_writer_destroy (zc_writer_t **self_p);

/*  Writes commit->batch, and trims. The caller has set the commit's tables, and its totals to those
 *  of the commit before; it commits or aborts. Returns 0, or a code of LMDB. */
int zc_writer_write (zc_writer_t *self, zc_commit_t *commit);

#endif
