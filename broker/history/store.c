/*  store.c - LMDB's environment: opening it, growing it, and opening it again after a failure.
 *
 *  Rejected: MDB_WRITEMAP, with which a full disk is a SIGBUS. */
#include "config.h"

#include "broker/history/store.h"

#include <errno.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include "broker/history/check.h"
#include "broker/history/upgrade.h"
#include "broker/history/writer.h"
#include "lib/base/log.h"

#define S_GROW_MIN (1u << 20)

struct zc_store {
    char *path;
    uint64_t map_bytes;
    bool durable;
    pthread_mutex_t sync; /* held while syncing, and while the environment is opened again */
    MDB_env *env;
    MDB_dbi db[ZC_TABLES];
    zc_store_totals_t totals;
    zc_reader_t *reader;
    zc_writer_t *writer;
};

const char *zc_store_strerror (int code)
{
    return code == MDB_MAP_FULL ? "the disk is full, or the map can't grow" : mdb_strerror (code);
}

static void s_assertion (MDB_env *env, const char *text)
{
    (void)env;
    zc_error (ZC_EVENT ("history.inconsistent error", "history: LMDB found an inconsistency: %s"),
              text);
}

static void s_env_close (zc_store_t *self)
{
    zc_reader_close (self->reader);
    if (self->env)
        mdb_env_close (self->env);
    self->env = NULL;
}

static int s_open_tables (zc_store_t *self)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin (self->env, NULL, 0, &txn);
    if (rc != 0)
        return rc;
    for (int i = 0; rc == 0 && i < ZC_TABLES; i++)
        rc = mdb_dbi_open (txn, zc_layout_tables[i].name, zc_layout_tables[i].flags | MDB_CREATE,
                           &self->db[i]);
    if (rc == 0)
        return mdb_txn_commit (txn);
    mdb_txn_abort (txn);
    return rc;
}

static int s_env_open (zc_store_t *self)
{
    int rc = mdb_env_create (&self->env);
    if (rc == 0)
        rc = mdb_env_set_maxdbs (self->env, ZC_TABLES_MAX);
    if (rc == 0)
        rc = mdb_env_set_mapsize (self->env, self->map_bytes);
    if (rc == 0)
        rc = mdb_env_set_assert (self->env, s_assertion);
    if (rc == 0)
        rc = mdb_env_open (self->env, self->path, MDB_NOTLS | (self->durable ? 0 : MDB_NOSYNC),
                           0640);
    if (rc == 0)
        rc = s_open_tables (self);
    if (rc == 0)
        rc = zc_reader_open (self->reader, self->env, self->db);
    if (rc != 0)
        s_env_close (self);
    return rc;
}

static int s_begin (const zc_store_t *self, unsigned flags, zc_tables_t *tables)
{
    memcpy (tables->db, self->db, sizeof tables->db);
    return mdb_txn_begin (self->env, NULL, flags, &tables->txn);
}

static void s_load_totals (zc_store_t *self)
{
    zc_tables_t tables;
    zc_stored_totals_t totals;
    if (s_begin (self, MDB_RDONLY, &tables) != 0)
        return;
    if (zc_tables_totals (&tables, &totals) != 0)
        totals = (zc_stored_totals_t){.next_number = 1};
    mdb_txn_abort (tables.txn);
    self->totals = (zc_store_totals_t){.last = totals.last,
                                       .forgotten = totals.forgotten,
                                       .floor = totals.floor,
                                       .next_number = totals.next_number,
                                       .messages = totals.messages,
                                       .bytes = totals.bytes,
                                       .trimmed = totals.trimmed,
                                       .oldest = ZC_ID_MAX,
                                       .expires_ms = UINT64_MAX,
                                       .over = true};
}

/*  Only the codes with which LMDB, or the check, judges the contents mean damage. An operator
 *  who reads "damaged" may give up the history. */
static void s_explain (const char *path, const char *doing, int code, char *error, size_t size)
{
    switch (code) {
    case MDB_CORRUPTED:
    case MDB_INVALID:
    case MDB_PAGE_NOTFOUND:
    case MDB_CURSOR_FULL:  /* the tree is too deep */
    case MDB_INCOMPATIBLE: /* tables are of other kinds */
        snprintf (
            error, size,
            "history: %s/data.mdb is damaged, or not zcast's: put a copy from a backup in its "
            "place, or move it away to start with an empty history",
            path);
        break;
    case MDB_VERSION_MISMATCH:
        snprintf (error, size,
                  "history: %s/data.mdb was made by another version: run that, or move it away to "
                  "start with an empty history",
                  path);
        break;
    default:
        snprintf (error, size, "history: can't %s %s: %s", doing, path, zc_store_strerror (code));
    }
}

/*  The size of LMDB's map bounds the database. Doubles it, as far as the disk has room. */
static int s_grow (zc_store_t *self)
{
    struct statvfs disk;
    if (statvfs (self->path, &disk) != 0)
        return MDB_MAP_FULL;
    uint64_t more = self->map_bytes, room = (uint64_t)disk.f_bavail * disk.f_frsize;
    more = (more < room ? more : room) / S_GROW_MIN * S_GROW_MIN;
    if (more == 0)
        return MDB_MAP_FULL;
    zc_reader_lock (self->reader);
    int rc = mdb_env_set_mapsize (self->env, self->map_bytes + more);
    if (rc == 0)
        self->map_bytes += more;
    zc_reader_unlock (self->reader);
    return rc;
}

static int s_upgrade (zc_store_t *self)
{
    bool done;
    int rc;
    do
        rc = zc_store_upgrade (self->env, self->db, &done);
    while (rc == MDB_MAP_FULL && s_grow (self) == 0);
    if (rc == 0 && done)
        zc_info (
            ZC_EVENT ("history.converted path", "history: %s: brought to this version's format"),
            self->path);
    return rc;
}

zc_store_t *zc_store_new (const char *path, uint64_t map_bytes, bool durable, bool good,
                          char *error, size_t size)
{
    zc_store_t *self = calloc (1, sizeof *self);
    if (!self || !(self->path = strdup (path)))
        abort ();
    pthread_mutex_init (&self->sync, NULL);
    self->map_bytes = map_bytes;
    self->durable = durable;
    self->reader = zc_reader_new ();
    self->writer = zc_writer_new ();
    const char *doing = "check";
    int rc = good ? 0 : zc_store_check (path);
    if (rc == 0) {
        doing = "open";
        rc = s_env_open (self);
    }
    if (rc == 0)
        rc = s_upgrade (self);
    if (rc == 0) {
        s_load_totals (self);
        return self;
    }
    s_explain (path, doing, rc, error, size);
    zc_store_destroy (&self);
    return NULL;
}

void zc_store_destroy (zc_store_t **self_p)
{
    zc_store_t *self = *self_p;
    if (!self)
        return;
    s_env_close (self);
    pthread_mutex_destroy (&self->sync);
    zc_reader_destroy (&self->reader);
    zc_writer_destroy (&self->writer);
    free (self->path);
    free (self);
    *self_p = NULL;
}

const zc_store_totals_t *zc_store_totals (const zc_store_t *self)
{
    return &self->totals;
}

int zc_store_sync (zc_store_t *self)
{
    pthread_mutex_lock (&self->sync);
    int rc = self->env ? mdb_env_sync (self->env, 1) : EIO;
    pthread_mutex_unlock (&self->sync);
    return rc;
}

zc_reader_t *zc_store_reader (zc_store_t *self)
{
    return self->reader;
}

int zc_store_each_topic (zc_store_t *self,
                         void (*fn) (void *arg, zc_slice_t name, uint64_t number, zc_id_t last),
                         void *arg)
{
    zc_tables_t tables;
    int rc = s_begin (self, MDB_RDONLY, &tables);
    if (rc != 0)
        return rc;
    rc = zc_tables_each_topic (&tables, fn, arg);
    mdb_txn_abort (tables.txn);
    return rc;
}

static int s_commit (zc_store_t *self, const zc_store_batch_t *batch)
{
    zc_commit_t commit = {.batch = batch, .totals = self->totals};
    int rc = s_begin (self, 0, &commit.tables);
    if (rc != 0)
        return rc;
    rc = zc_writer_write (self->writer, &commit);
    if (rc != 0) {
        mdb_txn_abort (commit.tables.txn);
        return rc;
    }
    rc = mdb_txn_commit (commit.tables.txn);
    if (rc == 0)
        self->totals = commit.totals;
    return rc;
}

/*  After a failure with an unknown outcome, LMDB refuses all calls until the environment is
 *  opened again. */
static int s_reopen (zc_store_t *self)
{
    pthread_mutex_lock (&self->sync);
    zc_reader_lock (self->reader);
    s_env_close (self);
    int rc = s_env_open (self);
    zc_reader_unlock (self->reader);
    pthread_mutex_unlock (&self->sync);
    return rc;
}

int zc_store_commit (zc_store_t *self, const zc_store_batch_t *batch)
{
    int rc = self->env ? 0 : s_reopen (self);
    if (rc == 0)
        rc = s_commit (self, batch);
    while (rc == MDB_MAP_FULL && s_grow (self) == 0)
        rc = s_commit (self, batch);
    if (rc == MDB_PANIC && (rc = s_reopen (self)) == 0)
        rc = s_commit (self, batch);
    return rc;
}
