/*  store.c - what lies where in the database.
 *
 *  topics   number                       row: last, floor, what it has, name
 *  chunks   number, last position in it  messages of one topic, in order, up to 16 KB together
 *  order    last position, number        what the chunk holds: the chunks of all topics by age
 *  names    number, own id or key        positions, sorted (MDB_DUPSORT)
 *  expiry   time, number, position       (of messages with a ttl)
 *  state    "totals"                     zc_store_totals_t
 *
 *  Numbers in keys are big-endian, so that they sort. A topic's messages lie together, many of them
 *  in one chunk where they come fast: so a commit costs a few pages for each topic, not for each
 *  message, and a replay reads on where it sought. A chunk's first messages may be gone already
 *  (row.cut): it goes when the last one does.
 *
 *  Rejected: MDB_WRITEMAP, with which a full disk is a SIGBUS; one record for each message, which
 * was measured at a third of the throughput. */
#include "config.h"

#include "broker/history/store.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/base/log.h"

#define S_FORMAT 2
/*  Instead of names it had `events`: number, name -> the position of the newest. */
#define S_FORMAT_EVENTS 1
#define S_CHUNK_MAX 16000 /* bytes: four pages with their header */
#define S_TRIM_MAX 2000   /* messages let go of in one commit, and two for each that is new */
#define S_GROW_MIN (1u << 20)
#define S_DBS 6
#define S_DBS_MAX (S_DBS + 1) /* with the one of an earlier format */
#define S_NAME_KEY (8 + 256)
#define S_HOLES_MAX ((uint64_t)1 << 40) /* below: s_row_t's hole is a count, as it used to be */

enum { S_TOPICS, S_CHUNKS, S_ORDER, S_NAMES, S_EXPIRY, S_STATE };
static const struct {
    const char *name;
    unsigned flags;
} s_dbs[S_DBS] = {{"topics", 0}, {"chunks", 0}, {"order", 0}, {"names", MDB_DUPSORT | MDB_DUPFIXED},
                  {"expiry", 0}, {"state", 0}};
static const char s_events[] = "events";

typedef struct { /* the value in topics, with the name behind it */
    uint64_t last, floor, cut;
    uint64_t count, bytes; /* of messages after cut */
    uint64_t next_seq;     /* how many messages it ever had */
    uint64_t hole;         /* up to here, the last of a chunk, some were taken out of the middle */
    uint64_t gone;         /* 1: it has left the table */
} s_row_t;

typedef struct {  /* in front of each chunk */
    uint64_t seq; /* of its first message, within the topic */
    uint32_t count;
    uint32_t spare;
} s_chunk_t;

typedef struct { /* in front of each message, with meta and payload behind it */
    uint64_t id, expires_ms;
    uint32_t meta_len, payload_len;
    uint16_t event_at, event_len;
    uint32_t spare;
} s_record_t;

typedef struct { /* the value in state */
    uint64_t format;
    uint64_t last, forgotten, floor, next_number, messages, bytes, trimmed;
} s_totals_t;

typedef struct {
    uint64_t last, number;
} s_order_t;

struct zc_store {
    char *path;
    uint64_t map_bytes;
    bool durable;
    pthread_mutex_t map;  /* held while reading, and while the map moves */
    pthread_mutex_t sync; /* held while syncing, and while it is opened again */
    MDB_env *env;
    MDB_dbi db[S_DBS];
    zc_store_totals_t totals;
    /*  reading */
    MDB_txn *reader;
    MDB_cursor *read_chunks;
    bool reading;
    /*  committing */
    MDB_txn *txn;
    zc_store_totals_t next; /* the totals that the transaction makes */
    uint64_t budget;        /* messages that it may still let go of */
    uint32_t *sorted;       /* the batch's items by topic */
    size_t sorted_cap;
    s_order_t *order; /* the chunks written, to be put in order */
    size_t order_len, order_cap;
};

/*  Keys. */

static void s_big_endian (uint8_t *to, uint64_t value)
{
    for (int i = 7; i >= 0; i--, value >>= 8)
        to[i] = (uint8_t)value;
}

static uint64_t s_from_big_endian (const uint8_t *at)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | at[i];
    return value;
}

typedef struct {
    uint8_t bytes[24];
} s_key_t;

static MDB_val s_key1 (s_key_t *key, uint64_t first)
{
    s_big_endian (key->bytes, first);
    return (MDB_val){8, key->bytes};
}

static MDB_val s_key2 (s_key_t *key, uint64_t first, uint64_t second)
{
    s_big_endian (key->bytes, first);
    s_big_endian (key->bytes + 8, second);
    return (MDB_val){16, key->bytes};
}

static MDB_val s_key3 (s_key_t *key, uint64_t first, uint64_t second, uint64_t third)
{
    s_key2 (key, first, second);
    s_big_endian (key->bytes + 16, third);
    return (MDB_val){24, key->bytes};
}

static uint64_t s_key_part (const MDB_val *key, int part)
{
    return s_from_big_endian ((const uint8_t *)key->mv_data + part * 8);
}

static MDB_val s_name_key (uint8_t *bytes, uint64_t number, const void *name, size_t len)
{
    s_big_endian (bytes, number);
    memcpy (bytes + 8, name, len);
    return (MDB_val){8 + len, bytes};
}

/*  Chunks and records: they lie unaligned. */

static s_record_t s_record (const uint8_t *at)
{
    s_record_t record;
    memcpy (&record, at, sizeof record);
    return record;
}

static size_t s_record_size (const s_record_t *record)
{
    return sizeof *record + record->meta_len + record->payload_len;
}

static s_chunk_t s_chunk (const MDB_val *value)
{
    s_chunk_t chunk;
    memcpy (&chunk, value->mv_data, sizeof chunk);
    return chunk;
}

/*  Walks a chunk. *at begins as NULL; false at the end. */
static bool s_each (const MDB_val *value, const uint8_t **at, s_record_t *record)
{
    const uint8_t *begin = value->mv_data, *end = begin + value->mv_size;
    *at = *at ? *at + s_record_size (record) : begin + sizeof (s_chunk_t);
    if (*at >= end)
        return false;
    *record = s_record (*at);
    return true;
}

/*  Of a chunk, the first message after a position. */
static bool s_find_record (const MDB_val *value, zc_id_t after, s_record_t *record,
                           const uint8_t **at)
{
    *at = NULL;
    while (s_each (value, at, record))
        if (record->id > after)
            return true;
    return false;
}

/*  The environment. */

const char *zc_store_strerror (int code)
{
    return code == MDB_MAP_FULL ? "the disk is full, or the map can't grow" : mdb_strerror (code);
}

static void s_assertion (MDB_env *env, const char *text)
{
    (void)env;
    zc_error ("history: LMDB found an inconsistency: %s", text);
}

static void s_env_close (zc_store_t *self)
{
    if (self->read_chunks)
        mdb_cursor_close (self->read_chunks);
    if (self->reader)
        mdb_txn_abort (self->reader);
    if (self->env)
        mdb_env_close (self->env);
    self->read_chunks = NULL;
    self->reader = NULL;
    self->env = NULL;
}

static int s_open_dbs (zc_store_t *self)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin (self->env, NULL, 0, &txn);
    if (rc != 0)
        return rc;
    for (int i = 0; rc == 0 && i < S_DBS; i++)
        rc = mdb_dbi_open (txn, s_dbs[i].name, s_dbs[i].flags | MDB_CREATE, &self->db[i]);
    if (rc == 0)
        return mdb_txn_commit (txn);
    mdb_txn_abort (txn);
    return rc;
}

static int s_env_open (zc_store_t *self)
{
    int rc = mdb_env_create (&self->env);
    if (rc == 0)
        rc = mdb_env_set_maxdbs (self->env, S_DBS_MAX);
    if (rc == 0)
        rc = mdb_env_set_mapsize (self->env, self->map_bytes);
    if (rc == 0)
        rc = mdb_env_set_assert (self->env, s_assertion);
    if (rc == 0)
        rc = mdb_env_open (self->env, self->path, MDB_NOTLS | (self->durable ? 0 : MDB_NOSYNC),
                           0640);
    if (rc == 0)
        rc = s_open_dbs (self);
    if (rc == 0)
        rc = mdb_txn_begin (self->env, NULL, MDB_RDONLY, &self->reader);
    if (rc == 0)
        rc = mdb_cursor_open (self->reader, self->db[S_CHUNKS], &self->read_chunks);
    if (rc == 0)
        mdb_txn_reset (self->reader);
    else
        s_env_close (self);
    return rc;
}

/*  Checking: in a process of its own. Walks every entry, sees that its value is there and looks
 * like one, and counts. */

typedef struct {
    MDB_txn *txn;
    MDB_dbi db[S_DBS];
} s_check_t;

static int s_check_each (const s_check_t *self, int db,
                         int (*fn) (const MDB_val *key, const MDB_val *value, uint64_t *sum),
                         uint64_t *sum)
{
    MDB_cursor *cursor = NULL;
    MDB_val key, value;
    uint64_t entries = 0;
    MDB_stat stat;
    int rc = mdb_cursor_open (self->txn, self->db[db], &cursor);
    while (rc == 0 && (rc = mdb_cursor_get (cursor, &key, &value, MDB_NEXT)) == 0) {
        /*  Its last byte: beyond the end of the file that is a signal. */
        if (value.mv_size)
            (void)*((volatile const uint8_t *)value.mv_data + value.mv_size - 1);
        if (fn (&key, &value, sum) != 0)
            rc = MDB_CORRUPTED;
        else
            entries++;
    }
    if (cursor)
        mdb_cursor_close (cursor);
    mdb_stat (self->txn, self->db[db], &stat);
    if (rc == MDB_NOTFOUND && entries == stat.ms_entries)
        return 0;
    return rc > 0 ? rc : MDB_CORRUPTED; /* of the system, or of LMDB */
}

static int s_check_row (const MDB_val *key, const MDB_val *value, uint64_t *sum)
{
    s_row_t row;
    if (key->mv_size != 8 || value->mv_size <= sizeof row ||
        value->mv_size > sizeof row + ZC_TOPIC_MAX)
        return -1;
    memcpy (&row, value->mv_data, sizeof row);
    *sum += row.count;
    return 0;
}

/*  Whether it is all within `size` bytes: what is read of it later is not looked at again. */
static bool s_record_fits (const s_record_t *record, size_t size)
{
    return s_record_size (record) <= size && record->event_len <= S_NAME_KEY - 8 &&
           (!record->event_len || record->event_at + record->event_len <= record->meta_len);
}

static int s_check_chunk (const MDB_val *key, const MDB_val *value, uint64_t *sum)
{
    if (key->mv_size != 16 || value->mv_size <= sizeof (s_chunk_t) + sizeof (s_record_t))
        return -1;
    uint64_t count = 0, before = 0, last = s_key_part (key, 1);
    const uint8_t *at = (const uint8_t *)value->mv_data + sizeof (s_chunk_t);
    size_t left = value->mv_size - sizeof (s_chunk_t);
    while (left >= sizeof (s_record_t)) {
        s_record_t record = s_record (at);
        if (!s_record_fits (&record, left) || record.id <= before || record.id > last)
            return -1;
        at += s_record_size (&record);
        left -= s_record_size (&record);
        before = record.id;
        count++;
    }
    *sum += 1;
    return left == 0 && count == s_chunk (value).count ? 0 : -1;
}

static int s_check_order (const MDB_val *key, const MDB_val *value, uint64_t *sum)
{
    *sum -= 1;
    return key->mv_size == 16 && value->mv_size == 0 ? 0 : -1;
}

static int s_check_name (const MDB_val *key, const MDB_val *value, uint64_t *sum)
{
    (void)sum;
    return key->mv_size > 8 && key->mv_size <= S_NAME_KEY && value->mv_size == 8 ? 0 : -1;
}

static int s_check_expiry (const MDB_val *key, const MDB_val *value, uint64_t *sum)
{
    (void)sum;
    return key->mv_size == 24 && value->mv_size == 0 ? 0 : -1;
}

static int s_read_totals (MDB_txn *txn, MDB_dbi state, s_totals_t *totals)
{
    MDB_val key = {6, "totals"}, value;
    int rc = mdb_get (txn, state, &key, &value);
    if (rc == 0 && value.mv_size != sizeof *totals)
        rc = MDB_CORRUPTED;
    if (rc == 0)
        memcpy (totals, value.mv_data, sizeof *totals);
    if (rc == 0 && totals->format != S_FORMAT && totals->format != S_FORMAT_EVENTS)
        rc = MDB_VERSION_MISMATCH;
    return rc;
}

static int s_check_open (s_check_t *self, int db, uint64_t format)
{
    bool events = db == S_NAMES && format == S_FORMAT_EVENTS;
    return mdb_dbi_open (self->txn, events ? s_events : s_dbs[db].name,
                         events ? 0 : s_dbs[db].flags, &self->db[db]);
}

/*  What was made, and where nothing was committed, has no table, or no totals: it is sound. */
static int s_check_tables (s_check_t *self)
{
    s_totals_t totals;
    int rc = s_check_open (self, S_STATE, S_FORMAT);
    if (rc == 0)
        rc = s_read_totals (self->txn, self->db[S_STATE], &totals);
    if (rc != 0)
        return rc == MDB_NOTFOUND ? 0 : rc;
    for (int i = 0; rc == 0 && i < S_DBS; i++)
        rc = s_check_open (self, i, totals.format);
    if (rc != 0)
        return rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
    uint64_t messages = 0, chunks = 0, ignored = 0;
    rc = s_check_each (self, S_TOPICS, s_check_row, &messages);
    if (rc == 0)
        rc = s_check_each (self, S_CHUNKS, s_check_chunk, &chunks);
    if (rc == 0)
        rc = s_check_each (self, S_ORDER, s_check_order, &chunks);
    if (rc == 0)
        rc = s_check_each (self, S_NAMES, s_check_name, &ignored);
    if (rc == 0)
        rc = s_check_each (self, S_EXPIRY, s_check_expiry, &ignored);
    return rc == 0 && (messages != totals.messages || chunks != 0) ? MDB_CORRUPTED : rc;
}

static int s_check (const zc_store_t *self)
{
    MDB_env *env;
    s_check_t check;
    int rc = mdb_env_create (&env);
    if (rc == 0)
        rc = mdb_env_set_maxdbs (env, S_DBS_MAX);
    if (rc == 0)
        rc = mdb_env_open (env, self->path, MDB_RDONLY | MDB_NOTLS, 0640);
    if (rc == 0)
        rc = mdb_txn_begin (env, NULL, MDB_RDONLY, &check.txn);
    return rc == 0 ? s_check_tables (&check) : rc;
}

/*  The process that checks tells what it met. It may crash: then it does so at once, and tells
 *  nothing; what it prints is no help to anybody. */
static void s_check_and_tell (zc_store_t *self, int fd)
{
    signal (SIGSEGV, SIG_DFL);
    signal (SIGBUS, SIG_DFL);
    signal (SIGABRT, SIG_DFL);
    int rc = freopen ("/dev/null", "w", stderr) ? s_check (self) : errno;
    _exit (write (fd, &rc, sizeof rc) == sizeof rc ? 0 : 1);
}

/*  There is no file, or an empty one: a broker that was killed, or had no space, as it made it. */
static bool s_is_new (const zc_store_t *self)
{
    char file[4200];
    struct stat status;
    snprintf (file, sizeof file, "%s/data.mdb", self->path);
    return stat (file, &status) == 0 ? status.st_size == 0 : errno == ENOENT;
}

static int s_check_apart (zc_store_t *self)
{
    int ends[2], rc = MDB_CORRUPTED; /* unless it tells */
    if (s_is_new (self))
        return 0;
    if (pipe2 (ends, O_CLOEXEC) != 0)
        return errno;
    pid_t pid = fork ();
    if (pid == 0)
        s_check_and_tell (self, ends[1]);
    if (pid < 0)
        rc = errno;
    close (ends[1]);
    while (pid > 0 && read (ends[0], &rc, sizeof rc) < 0 && errno == EINTR)
        ;
    close (ends[0]);
    while (pid > 0 && waitpid (pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return rc;
}

/*  Opening. */

static void s_load_totals (zc_store_t *self)
{
    MDB_txn *txn;
    s_totals_t totals;
    if (mdb_txn_begin (self->env, NULL, MDB_RDONLY, &txn) != 0)
        return;
    if (s_read_totals (txn, self->db[S_STATE], &totals) != 0)
        totals = (s_totals_t){.next_number = 1};
    mdb_txn_abort (txn);
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

/*  Only what LMDB, or the check, says of the content means damage: an operator told so may give up
 *  a history that is whole. */
static void s_explain (const char *path, const char *doing, int code, char *error, size_t size)
{
    switch (code) {
    case MDB_CORRUPTED:
    case MDB_INVALID:
    case MDB_PAGE_NOTFOUND:
    case MDB_CURSOR_FULL:  /* a tree too deep */
    case MDB_INCOMPATIBLE: /* tables of other kinds */
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

static int s_upgrade (zc_store_t *self);

zc_store_t *zc_store_new (const char *path, uint64_t map_bytes, bool durable, char *error,
                          size_t size)
{
    zc_store_t *self = calloc (1, sizeof *self);
    if (!self || !(self->path = strdup (path)))
        abort ();
    pthread_mutex_init (&self->map, NULL);
    pthread_mutex_init (&self->sync, NULL);
    self->map_bytes = map_bytes;
    self->durable = durable;
    const char *doing = "check";
    int rc = s_check_apart (self);
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
    pthread_mutex_destroy (&self->map);
    pthread_mutex_destroy (&self->sync);
    free (self->sorted);
    free (self->order);
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

/*  Rows. */

typedef struct {
    s_row_t row;
    char name[ZC_TOPIC_MAX]; /* right behind it, as in the value */
    size_t len;
    uint64_t number;
} s_topic_t;

static void s_topic_set (s_topic_t *topic, const MDB_val *value)
{
    size_t size = sizeof topic->row + ZC_TOPIC_MAX;
    size = value->mv_size < size ? value->mv_size : size;
    memcpy (topic, value->mv_data, size);
    topic->len = size - sizeof topic->row;
    if (topic->row.hole && topic->row.hole < S_HOLES_MAX)
        topic->row.hole = topic->row.last;
}

static int s_topic_get (MDB_txn *txn, MDB_dbi db, uint64_t number, s_topic_t *topic)
{
    s_key_t bytes;
    MDB_val key = s_key1 (&bytes, number), value;
    int rc = mdb_get (txn, db, &key, &value);
    topic->number = number;
    if (rc == 0)
        s_topic_set (topic, &value);
    return rc;
}

/*  The row of a topic of the table: a new one begins where the table says. */
static int s_topic_use (zc_store_t *self, const zc_topic_t *from, s_topic_t *topic)
{
    int rc = s_topic_get (self->txn, self->db[S_TOPICS], from->number, topic);
    if (rc != MDB_NOTFOUND)
        return rc;
    topic->row = (s_row_t){.last = from->floor, .floor = from->floor};
    topic->len = from->len;
    memcpy (topic->name, from->name, from->len);
    return 0;
}

/*  One that has left the table goes with its last message. */
static int s_topic_put (zc_store_t *self, s_topic_t *topic)
{
    s_key_t bytes;
    MDB_val key = s_key1 (&bytes, topic->number);
    MDB_val value = {sizeof topic->row + topic->len, topic};
    if (topic->row.gone && topic->row.count == 0)
        return mdb_del (self->txn, self->db[S_TOPICS], &key, NULL);
    return mdb_put (self->txn, self->db[S_TOPICS], &key, &value, 0);
}

static int s_by_last (const void *left, const void *right)
{
    uint64_t a = (*(s_topic_t *const *)left)->row.last, b = (*(s_topic_t *const *)right)->row.last;
    return (a > b) - (a < b);
}

static size_t s_collect (MDB_cursor *cursor, s_topic_t **topics, size_t max)
{
    MDB_val key, value;
    size_t count = 0;
    while (count < max && mdb_cursor_get (cursor, &key, &value, MDB_NEXT) == 0) {
        s_topic_t *topic = malloc (sizeof *topic);
        if (!topic)
            abort ();
        s_topic_set (topic, &value);
        topic->number = s_key_part (&key, 0);
        topics[count++] = topic;
    }
    return count;
}

int zc_store_topics (zc_store_t *self,
                     void (*fn) (void *arg, zc_slice_t name, uint64_t number, zc_id_t last),
                     void *arg)
{
    MDB_txn *txn;
    MDB_cursor *cursor;
    MDB_stat stat;
    int rc = mdb_txn_begin (self->env, NULL, MDB_RDONLY, &txn);
    if (rc != 0)
        return rc;
    mdb_stat (txn, self->db[S_TOPICS], &stat);
    s_topic_t **topics = calloc (stat.ms_entries + 1, sizeof *topics);
    if (!topics || mdb_cursor_open (txn, self->db[S_TOPICS], &cursor) != 0)
        abort ();
    size_t count = s_collect (cursor, topics, stat.ms_entries);
    mdb_cursor_close (cursor);
    mdb_txn_abort (txn);
    qsort (topics, count, sizeof *topics, s_by_last);
    for (size_t i = 0; i < count; i++) {
        if (!topics[i]->row.gone)
            fn (arg, (zc_slice_t){topics[i]->name, topics[i]->len}, topics[i]->number,
                topics[i]->row.last);
        free (topics[i]);
    }
    free (topics);
    return 0;
}

/*  Letting go. */

static int s_missing_is_fine (int rc)
{
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int s_forget_name (zc_store_t *self, const s_topic_t *topic, const s_record_t *record,
                          const uint8_t *meta)
{
    uint8_t bytes[S_NAME_KEY], id[8];
    MDB_val key = s_name_key (bytes, topic->number, meta + record->event_at, record->event_len);
    MDB_val value = {sizeof id, id};
    s_big_endian (id, record->id);
    return s_missing_is_fine (mdb_del (self->txn, self->db[S_NAMES], &key, &value));
}

/*  One message isn't there any more: what tells of it is set right. */
static int s_let_go (zc_store_t *self, s_topic_t *topic, const s_record_t *record,
                     const uint8_t *at)
{
    int rc = 0;
    if (record->event_len)
        rc = s_forget_name (self, topic, record, at + sizeof *record);
    if (rc == 0 && record->expires_ms) {
        s_key_t bytes;
        MDB_val key = s_key3 (&bytes, record->expires_ms, topic->number, record->id);
        rc = s_missing_is_fine (mdb_del (self->txn, self->db[S_EXPIRY], &key, NULL));
    }
    size_t size = s_record_size (record);
    topic->row.count--;
    topic->row.bytes -= size;
    if (topic->row.floor < record->id)
        topic->row.floor = record->id;
    if (self->next.floor < record->id)
        self->next.floor = record->id;
    self->next.messages--;
    self->next.bytes -= size;
    self->next.trimmed++;
    if (self->budget)
        self->budget--;
    return rc;
}

static int s_chunk_delete (zc_store_t *self, uint64_t number, uint64_t last)
{
    s_key_t bytes;
    MDB_val key = s_key2 (&bytes, number, last);
    int rc = s_missing_is_fine (mdb_del (self->txn, self->db[S_CHUNKS], &key, NULL));
    if (rc != 0)
        return rc;
    key = s_key2 (&bytes, last, number);
    return mdb_del (self->txn, self->db[S_ORDER], &key, NULL);
}

typedef bool (*s_over_t) (const zc_store_t *self, const zc_store_batch_t *batch,
                          const s_topic_t *topic, const s_record_t *record);

static bool s_topic_over (const zc_store_t *self, const zc_store_batch_t *batch,
                          const s_topic_t *topic, const s_record_t *record)
{
    (void)self, (void)record;
    return topic->row.count > batch->limits.topic_messages ||
           topic->row.bytes > batch->limits.topic_bytes;
}

static zc_id_t s_too_old (const zc_store_batch_t *batch)
{
    const zc_history_limits_t *limits = &batch->limits;
    uint64_t age = limits->age_ms < limits->topic_age_ms ? limits->age_ms : limits->topic_age_ms;
    return zc_id_from_ms (batch->now_ms > age ? batch->now_ms - age : 0);
}

static bool s_all_over (const zc_store_t *self, const zc_store_batch_t *batch,
                        const s_topic_t *topic, const s_record_t *record)
{
    (void)topic;
    return self->next.messages > batch->limits.messages || self->next.bytes > batch->limits.bytes ||
           record->id < s_too_old (batch);
}

/*  Lets go of a chunk's messages from the front on while there are too many. *whole: none is left,
 *  and the chunk is gone. `value` is of this transaction, and is valid until something is written:
 *  so it is copied first. */
static int s_trim_chunk (zc_store_t *self, const zc_store_batch_t *batch, s_topic_t *topic,
                         uint64_t last, const MDB_val *value, s_over_t over, bool *whole)
{
    MDB_val copy = {value->mv_size, malloc (value->mv_size)};
    if (!copy.mv_data)
        abort ();
    memcpy (copy.mv_data, value->mv_data, copy.mv_size);
    const uint8_t *at = NULL;
    s_record_t record;
    int rc = 0;
    *whole = true;
    while (rc == 0 && s_each (&copy, &at, &record)) {
        if (record.id <= topic->row.cut)
            continue;
        if (!over (self, batch, topic, &record) || !self->budget) {
            *whole = false;
            break;
        }
        rc = s_let_go (self, topic, &record, at);
        topic->row.cut = record.id;
    }
    free (copy.mv_data);
    if (rc == 0 && *whole) {
        topic->row.cut = topic->row.cut < last ? last : topic->row.cut;
        rc = s_chunk_delete (self, topic->number, last);
    }
    return rc;
}

/*  The first chunk of a topic that has messages after a position. */
static int s_seek (MDB_cursor *cursor, uint64_t number, uint64_t after, MDB_val *key,
                   MDB_val *value)
{
    s_key_t bytes;
    *key = s_key2 (&bytes, number, after + 1);
    int rc =
        after == UINT64_MAX ? MDB_NOTFOUND : mdb_cursor_get (cursor, key, value, MDB_SET_RANGE);
    return rc == 0 && s_key_part (key, 0) != number ? MDB_NOTFOUND : rc;
}

static int s_first_chunk (zc_store_t *self, const s_topic_t *topic, uint64_t *last, MDB_val *value)
{
    MDB_cursor *cursor;
    MDB_val key;
    int rc = mdb_cursor_open (self->txn, self->db[S_CHUNKS], &cursor);
    if (rc != 0)
        return rc;
    rc = s_seek (cursor, topic->number, topic->row.cut, &key, value);
    if (rc == 0)
        *last = s_key_part (&key, 1);
    mdb_cursor_close (cursor);
    return rc;
}

static int s_trim_topic (zc_store_t *self, const zc_store_batch_t *batch, s_topic_t *topic)
{
    int rc = 0;
    while (rc == 0 && self->budget && s_topic_over (self, batch, topic, NULL)) {
        MDB_val value;
        uint64_t last;
        bool whole;
        rc = s_first_chunk (self, topic, &last, &value);
        if (rc == 0)
            rc = s_trim_chunk (self, batch, topic, last, &value, s_topic_over, &whole);
    }
    return rc;
}

/*  The first key of a table in which numbers are sorted. */
static int s_first_key (zc_store_t *self, int db, uint64_t *parts, int count)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    int rc = mdb_cursor_open (self->txn, self->db[db], &cursor);
    if (rc != 0)
        return rc;
    rc = mdb_cursor_get (cursor, &key, &value, MDB_FIRST);
    for (int i = 0; rc == 0 && i < count; i++)
        parts[i] = s_key_part (&key, i);
    mdb_cursor_close (cursor);
    return rc;
}

/*  A chunk whose topic has gone, or an order whose chunk has: it must not keep what is behind it
 *  from being let go of. Brokers have left such chunks (s_cut_out didn't look at row.cut). */
static int s_drop_stray (zc_store_t *self, uint64_t number, uint64_t last)
{
    self->budget--;
    return s_chunk_delete (self, number, last);
}

static int s_trim_oldest (zc_store_t *self, const zc_store_batch_t *batch, bool *more)
{
    uint64_t order[3];
    s_topic_t topic;
    s_key_t bytes;
    MDB_val key, value;
    int rc = s_first_key (self, S_ORDER, order, 2);
    *more = rc == 0;
    if (rc == MDB_NOTFOUND)
        return 0;
    key = s_key2 (&bytes, order[1], order[0]);
    if (rc == 0)
        rc = mdb_get (self->txn, self->db[S_CHUNKS], &key, &value);
    if (rc == 0)
        rc = s_topic_get (self->txn, self->db[S_TOPICS], order[1], &topic);
    if (rc == MDB_NOTFOUND)
        return s_drop_stray (self, order[1], order[0]);
    if (rc == 0)
        rc = s_trim_chunk (self, batch, &topic, order[0], &value, s_all_over, more);
    return rc == 0 ? s_topic_put (self, &topic) : rc;
}

/*  Takes one message out of the middle of its topic: it has expired. The chunk's key stays. Where
 *  all that is left of the chunk was let go of before, it goes: nothing would come back for it. */
static int s_cut_out (zc_store_t *self, s_topic_t *topic, uint64_t last, const MDB_val *value,
                      uint64_t id)
{
    uint8_t *copy = malloc (value->mv_size);
    if (!copy)
        abort ();
    memcpy (copy, value->mv_data, value->mv_size);
    MDB_val left = {value->mv_size, copy};
    const uint8_t *at = NULL;
    s_record_t record;
    s_chunk_t chunk = s_chunk (&left);
    int rc = MDB_NOTFOUND;
    while (s_each (&left, &at, &record) && record.id < id)
        ;
    if (at < copy + left.mv_size && record.id == id) {
        rc = s_let_go (self, topic, &record, at);
        size_t size = s_record_size (&record), offset = (size_t)(at - copy);
        topic->row.hole = topic->row.hole < last ? last : topic->row.hole;
        chunk.count--;
        memcpy (copy, &chunk, sizeof chunk);
        memmove (copy + offset, copy + offset + size, left.mv_size - offset - size);
        left.mv_size -= size;
        s_key_t bytes;
        MDB_val key = s_key2 (&bytes, topic->number, last);
        if (rc == 0)
            rc = s_find_record (&left, topic->row.cut, &record, &at)
                     ? mdb_put (self->txn, self->db[S_CHUNKS], &key, &left, 0)
                     : s_chunk_delete (self, topic->number, last);
    }
    free (copy);
    return rc;
}

static int s_expire_one (zc_store_t *self, const uint64_t due[3])
{
    s_topic_t topic;
    MDB_cursor *cursor;
    MDB_val key, value;
    int rc = s_topic_get (self->txn, self->db[S_TOPICS], due[1], &topic);
    if (rc == 0)
        rc = mdb_cursor_open (self->txn, self->db[S_CHUNKS], &cursor);
    if (rc != 0)
        return rc;
    rc = s_seek (cursor, due[1], due[2] - 1, &key, &value);
    uint64_t last = rc == 0 ? s_key_part (&key, 1) : 0;
    mdb_cursor_close (cursor);
    if (rc == 0)
        rc = s_cut_out (self, &topic, last, &value, due[2]);
    return rc == 0 ? s_topic_put (self, &topic) : rc;
}

/*  The message that an expiry is about isn't there: the expiry alone goes. */
static int s_expire_nothing (zc_store_t *self, const uint64_t due[3])
{
    s_key_t bytes;
    MDB_val key = s_key3 (&bytes, due[0], due[1], due[2]);
    return mdb_del (self->txn, self->db[S_EXPIRY], &key, NULL);
}

static int s_trim (zc_store_t *self, const zc_store_batch_t *batch)
{
    uint64_t due[3];
    int rc = 0;
    while (rc == 0 && self->budget && (rc = s_first_key (self, S_EXPIRY, due, 3)) == 0 &&
           due[0] <= batch->now_ms) {
        rc = s_expire_one (self, due);
        if (rc == MDB_NOTFOUND)
            rc = s_expire_nothing (self, due);
        if (self->budget)
            self->budget--;
    }
    rc = s_missing_is_fine (rc);
    for (bool more = true; rc == 0 && more && self->budget;)
        rc = s_trim_oldest (self, batch, &more);
    return rc;
}

/*  Writing. */

static void s_record_write (uint8_t *to, zc_item_t *item)
{
    s_record_t record = {.id = item->id,
                         .expires_ms = item->expires_ms,
                         .meta_len = (uint32_t)zmq_msg_size (&item->meta),
                         .payload_len = (uint32_t)zmq_msg_size (&item->payload),
                         .event_at = item->event_at,
                         .event_len = item->event_len};
    memcpy (to, &record, sizeof record);
    memcpy (to + sizeof record, zmq_msg_data (&item->meta), record.meta_len);
    if (record.payload_len)
        memcpy (to + sizeof record + record.meta_len, zmq_msg_data (&item->payload),
                record.payload_len);
}

static size_t s_item_size (zc_item_t *item)
{
    return sizeof (s_record_t) + zmq_msg_size (&item->meta) + zmq_msg_size (&item->payload);
}

static int s_index_name (MDB_txn *txn, MDB_dbi names, uint64_t number, const void *name, size_t len,
                         zc_id_t id)
{
    uint8_t bytes[S_NAME_KEY], position[8];
    MDB_val key = s_name_key (bytes, number, name, len), value = {sizeof position, position};
    s_big_endian (position, id);
    return mdb_put (txn, names, &key, &value, 0);
}

static int s_index_item (zc_store_t *self, const s_topic_t *topic, zc_item_t *item)
{
    int rc = 0;
    if (item->event_len)
        rc = s_index_name (self->txn, self->db[S_NAMES], topic->number,
                           (char *)zmq_msg_data (&item->meta) + item->event_at, item->event_len,
                           item->id);
    if (rc == 0 && item->expires_ms) {
        s_key_t bytes;
        MDB_val key = s_key3 (&bytes, item->expires_ms, topic->number, item->id);
        MDB_val value = {0, NULL};
        rc = mdb_put (self->txn, self->db[S_EXPIRY], &key, &value, 0);
    }
    return rc;
}

static void s_note_order (zc_store_t *self, uint64_t last, uint64_t number)
{
    if (self->order_len == self->order_cap) {
        self->order_cap = self->order_cap ? self->order_cap * 2 : 64;
        self->order = realloc (self->order, self->order_cap * sizeof *self->order);
        if (!self->order)
            abort ();
    }
    self->order[self->order_len++] = (s_order_t){last, number};
}

/*  One chunk of the items sorted[0..count), which are of one topic. */
static int s_write_chunk (zc_store_t *self, s_topic_t *topic, zc_item_t *items,
                          const uint32_t *sorted, size_t count, size_t size)
{
    s_chunk_t chunk = {.seq = topic->row.next_seq, .count = (uint32_t)count};
    uint64_t last = items[sorted[count - 1]].id;
    s_key_t bytes;
    MDB_val key = s_key2 (&bytes, topic->number, last), value = {sizeof chunk + size, NULL};
    int rc = mdb_put (self->txn, self->db[S_CHUNKS], &key, &value, MDB_RESERVE);
    if (rc != 0)
        return rc;
    uint8_t *to = value.mv_data;
    memcpy (to, &chunk, sizeof chunk);
    to += sizeof chunk;
    for (size_t i = 0; i < count; i++) {
        s_record_write (to, &items[sorted[i]]);
        to += s_item_size (&items[sorted[i]]);
    }
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = s_index_item (self, topic, &items[sorted[i]]);
    s_note_order (self, last, topic->number);
    topic->row.next_seq += count;
    topic->row.count += count;
    topic->row.bytes += size;
    topic->row.last = last;
    self->next.messages += count;
    self->next.bytes += size;
    return rc;
}

/*  All that the batch has of one topic. */
static int s_write_topic (zc_store_t *self, const zc_store_batch_t *batch, const uint32_t *sorted,
                          size_t count)
{
    s_topic_t topic;
    int rc = s_topic_use (self, batch->items[sorted[0]].where, &topic);
    while (rc == 0 && count > 0) {
        size_t take = 1, size = s_item_size (&batch->items[sorted[0]]);
        for (size_t next; take < count; take++, size += next) {
            next = s_item_size (&batch->items[sorted[take]]);
            if (size + next > S_CHUNK_MAX)
                break;
        }
        rc = s_write_chunk (self, &topic, batch->items, sorted, take, size);
        sorted += take;
        count -= take;
    }
    return rc == 0 ? s_topic_put (self, &topic) : rc;
}

static int s_limit_topic (zc_store_t *self, const zc_store_batch_t *batch, const uint32_t *sorted,
                          size_t count)
{
    (void)count;
    s_topic_t topic;
    int rc =
        s_topic_get (self->txn, self->db[S_TOPICS], batch->items[sorted[0]].where->number, &topic);
    if (rc != 0 || !s_topic_over (self, batch, &topic, NULL))
        return rc;
    rc = s_trim_topic (self, batch, &topic);
    return rc == 0 ? s_topic_put (self, &topic) : rc;
}

static int s_by_topic (const void *left, const void *right, void *arg)
{
    const zc_item_t *items = arg;
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    uint64_t m = items[a].where->number, n = items[b].where->number;
    return m != n ? (m > n) - (m < n) : (a > b) - (a < b);
}

static void s_sort (zc_store_t *self, const zc_store_batch_t *batch)
{
    if (batch->count > self->sorted_cap) {
        self->sorted_cap = batch->count;
        self->sorted = realloc (self->sorted, batch->count * sizeof *self->sorted);
        if (!self->sorted)
            abort ();
    }
    for (size_t i = 0; i < batch->count; i++)
        self->sorted[i] = (uint32_t)i;
    if (batch->count > 1)
        qsort_r (self->sorted, batch->count, sizeof *self->sorted, s_by_topic, batch->items);
}

static int s_order_by_last (const void *left, const void *right)
{
    const s_order_t *a = left, *b = right;
    return (a->last > b->last) - (a->last < b->last);
}

static int s_write_order (zc_store_t *self)
{
    if (self->order_len)
        qsort (self->order, self->order_len, sizeof *self->order, s_order_by_last);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < self->order_len; i++) {
        s_key_t bytes;
        MDB_val key = s_key2 (&bytes, self->order[i].last, self->order[i].number);
        MDB_val value = {0, NULL};
        rc = mdb_put (self->txn, self->db[S_ORDER], &key, &value, MDB_APPEND);
    }
    return rc;
}

/*  Calls `fn` for the run of items of each topic. */
static int s_each_topic (zc_store_t *self, const zc_store_batch_t *batch,
                         int (*fn) (zc_store_t *self, const zc_store_batch_t *batch,
                                    const uint32_t *sorted, size_t count))
{
    int rc = 0;
    for (size_t begin = 0, end; rc == 0 && begin < batch->count; begin = end) {
        uint64_t number = batch->items[self->sorted[begin]].where->number;
        for (end = begin + 1;
             end < batch->count && batch->items[self->sorted[end]].where->number == number; end++)
            ;
        rc = fn (self, batch, self->sorted + begin, end - begin);
    }
    return rc;
}

/*  Topics that have left the table, and topics that something was lost on. */
static int s_write_topics (zc_store_t *self, const zc_store_batch_t *batch)
{
    s_topic_t topic;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < batch->gone_count; i++) {
        rc = s_topic_get (self->txn, self->db[S_TOPICS], batch->gone[i], &topic);
        topic.row.gone = 1;
        rc = rc == 0 ? s_topic_put (self, &topic) : s_missing_is_fine (rc);
    }
    for (size_t i = 0; rc == 0 && i < batch->lost_count; i++) {
        rc = s_topic_use (self, batch->lost[i].topic, &topic);
        uint64_t lost = batch->lost[i].lost;
        topic.row.last = topic.row.last < lost ? lost : topic.row.last;
        topic.row.floor = topic.row.floor < lost ? lost : topic.row.floor;
        if (rc == 0)
            rc = s_topic_put (self, &topic);
    }
    return rc;
}

static int s_write_all_lost (zc_store_t *self, uint64_t lost)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    s_topic_t topic;
    int rc = lost ? mdb_cursor_open (self->txn, self->db[S_TOPICS], &cursor) : 0;
    if (rc != 0 || !lost)
        return rc;
    while (rc == 0 && (rc = mdb_cursor_get (cursor, &key, &value, MDB_NEXT)) == 0) {
        s_topic_set (&topic, &value);
        topic.row.last = topic.row.last < lost ? lost : topic.row.last;
        topic.row.floor = topic.row.floor < lost ? lost : topic.row.floor;
        value = (MDB_val){sizeof topic.row + topic.len, &topic};
        rc = mdb_cursor_put (cursor, &key, &value, MDB_CURRENT);
    }
    mdb_cursor_close (cursor);
    return s_missing_is_fine (rc);
}

static int s_write_totals (zc_store_t *self)
{
    const zc_store_totals_t *next = &self->next;
    s_totals_t totals = {S_FORMAT,          next->last,     next->forgotten, next->floor,
                         next->next_number, next->messages, next->bytes,     next->trimmed};
    MDB_val key = {6, "totals"}, value = {sizeof totals, &totals};
    return mdb_put (self->txn, self->db[S_STATE], &key, &value, 0);
}

/*  What will have to go next, and when. */
static int s_look_ahead (zc_store_t *self)
{
    uint64_t parts[3];
    int rc = s_first_key (self, S_ORDER, parts, 1);
    self->next.oldest = rc == 0 ? parts[0] : ZC_ID_MAX;
    if (s_missing_is_fine (rc) == 0)
        rc = s_first_key (self, S_EXPIRY, parts, 1);
    self->next.expires_ms = rc == 0 ? parts[0] : UINT64_MAX;
    self->next.over = self->budget == 0;
    return s_missing_is_fine (rc);
}

static int s_write (zc_store_t *self, const zc_store_batch_t *batch)
{
    self->next = self->totals;
    self->next.last = batch->last;
    self->next.forgotten = batch->forgotten;
    self->next.next_number = batch->next_number;
    self->budget = S_TRIM_MAX + 2 * batch->count;
    self->order_len = 0;
    s_sort (self, batch);
    int rc = s_each_topic (self, batch, s_write_topic);
    if (rc == 0)
        rc = s_write_order (self);
    if (rc == 0)
        rc = s_each_topic (self, batch, s_limit_topic);
    if (rc == 0)
        rc = s_write_topics (self, batch);
    if (rc == 0)
        rc = s_write_all_lost (self, batch->all_lost);
    if (rc == 0)
        rc = s_trim (self, batch);
    if (rc == 0)
        rc = s_look_ahead (self);
    return rc == 0 ? s_write_totals (self) : rc;
}

static int s_commit (zc_store_t *self, const zc_store_batch_t *batch)
{
    int rc = mdb_txn_begin (self->env, NULL, 0, &self->txn);
    if (rc != 0)
        return rc;
    rc = s_write (self, batch);
    if (rc != 0) {
        mdb_txn_abort (self->txn);
        return rc;
    }
    rc = mdb_txn_commit (self->txn);
    if (rc == 0)
        self->totals = self->next;
    return rc;
}

/*  The map is as large as the database may become. It grows as far as the disk could hold it. */
static int s_grow (zc_store_t *self)
{
    struct statvfs disk;
    if (statvfs (self->path, &disk) != 0)
        return MDB_MAP_FULL;
    uint64_t more = self->map_bytes, room = (uint64_t)disk.f_bavail * disk.f_frsize;
    more = (more < room ? more : room) / S_GROW_MIN * S_GROW_MIN;
    if (more == 0)
        return MDB_MAP_FULL;
    pthread_mutex_lock (&self->map);
    int rc = mdb_env_set_mapsize (self->env, self->map_bytes + more);
    if (rc == 0)
        self->map_bytes += more;
    pthread_mutex_unlock (&self->map);
    return rc;
}

/*  From the format in which a name meant its newest message only: all of them are found in the
 *  chunks. */

/*  The names of what a chunk still has. Its value lies in pages that nothing here writes to. */
static int s_upgrade_chunk (zc_store_t *self, MDB_txn *txn, const MDB_val *key,
                            const MDB_val *value)
{
    s_topic_t topic;
    s_record_t record;
    const uint8_t *at = NULL;
    uint64_t number = s_key_part (key, 0);
    int rc = s_topic_get (txn, self->db[S_TOPICS], number, &topic);
    if (rc != 0)
        return s_missing_is_fine (rc); /* a stray one */
    while (rc == 0 && s_each (value, &at, &record))
        if (record.event_len && record.id > topic.row.cut)
            rc = s_index_name (txn, self->db[S_NAMES], number, at + sizeof record + record.event_at,
                               record.event_len, record.id);
    return rc;
}

static int s_upgrade_chunks (zc_store_t *self, MDB_txn *txn)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    int rc = mdb_cursor_open (txn, self->db[S_CHUNKS], &cursor);
    if (rc != 0)
        return rc;
    while (rc == 0 && (rc = mdb_cursor_get (cursor, &key, &value, MDB_NEXT)) == 0)
        rc = s_upgrade_chunk (self, txn, &key, &value);
    mdb_cursor_close (cursor);
    return s_missing_is_fine (rc);
}

static int s_upgrade_tables (zc_store_t *self, MDB_txn *txn, s_totals_t *totals)
{
    MDB_dbi events;
    MDB_val key = {6, "totals"}, value = {sizeof *totals, totals};
    totals->format = S_FORMAT;
    /*  It may have been of this format before, and then in an earlier version's hands. */
    int rc = mdb_drop (txn, self->db[S_NAMES], 0);
    if (rc == 0)
        rc = s_upgrade_chunks (self, txn);
    if (rc == 0)
        rc = mdb_put (txn, self->db[S_STATE], &key, &value, 0);
    if (rc == 0)
        rc = mdb_dbi_open (txn, s_events, 0, &events);
    return rc == 0 ? mdb_drop (txn, events, 1) : s_missing_is_fine (rc);
}

static int s_upgrade_once (zc_store_t *self)
{
    MDB_txn *txn;
    s_totals_t totals;
    int rc = mdb_txn_begin (self->env, NULL, 0, &txn);
    if (rc != 0)
        return rc;
    rc = s_read_totals (txn, self->db[S_STATE], &totals);
    bool old = rc == 0 && totals.format == S_FORMAT_EVENTS;
    if (old)
        rc = s_upgrade_tables (self, txn, &totals);
    if (rc != 0 || !old) {
        mdb_txn_abort (txn);
        return s_missing_is_fine (rc);
    }
    rc = mdb_txn_commit (txn);
    if (rc == 0)
        zc_info ("history: %s: brought to this version's format", self->path);
    return rc;
}

static int s_upgrade (zc_store_t *self)
{
    int rc;
    while ((rc = s_upgrade_once (self)) == MDB_MAP_FULL && s_grow (self) == 0)
        ;
    return rc;
}

/*  LMDB refuses everything after a failure that it can't be sure of: it has to be opened again. */
static int s_reopen (zc_store_t *self)
{
    pthread_mutex_lock (&self->sync);
    pthread_mutex_lock (&self->map);
    s_env_close (self);
    int rc = s_env_open (self);
    pthread_mutex_unlock (&self->map);
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

/*  Reading. */

bool zc_store_read (zc_store_t *self)
{
    if (self->reading)
        return true;
    pthread_mutex_lock (&self->map);
    if (self->reader && mdb_txn_renew (self->reader) == 0) {
        if (mdb_cursor_renew (self->reader, self->read_chunks) == 0)
            return self->reading = true;
        mdb_txn_reset (self->reader);
    }
    pthread_mutex_unlock (&self->map);
    return false;
}

void zc_store_release (zc_store_t *self)
{
    if (!self->reading)
        return;
    mdb_txn_reset (self->reader);
    self->reading = false;
    pthread_mutex_unlock (&self->map);
}

static bool s_read_topic (zc_store_t *self, const zc_topic_t *from, s_topic_t *topic)
{
    return from->number && zc_store_read (self) &&
           s_topic_get (self->reader, self->db[S_TOPICS], from->number, topic) == 0;
}

zc_id_t zc_store_floor (zc_store_t *self, const zc_topic_t *from)
{
    s_topic_t topic;
    return s_read_topic (self, from, &topic) ? topic.row.floor : from->floor;
}

bool zc_store_next (zc_store_t *self, const zc_topic_t *from, zc_id_t after, zc_stored_t *stored)
{
    s_topic_t topic;
    MDB_val key, value;
    if (!s_read_topic (self, from, &topic))
        return false;
    after = after < topic.row.cut ? topic.row.cut : after;
    int rc = s_seek (self->read_chunks, from->number, after, &key, &value);
    while (rc == 0 && s_key_part (&key, 0) == from->number) {
        s_record_t record;
        const uint8_t *at;
        if (s_find_record (&value, after, &record, &at)) {
            const char *meta = (const char *)at + sizeof record;
            stored->id = record.id;
            stored->meta = (zc_slice_t){meta, record.meta_len};
            stored->payload = (zc_slice_t){meta + record.meta_len, record.payload_len};
            stored->shared = NULL;
            return true;
        }
        /*  Its last ones have expired. */
        rc = mdb_cursor_get (self->read_chunks, &key, &value, MDB_NEXT);
    }
    return false;
}

/*  How many messages the topic ever had up to a position. */
static uint64_t s_seq_after (zc_store_t *self, const s_topic_t *topic, zc_id_t position)
{
    MDB_val key, value;
    if (s_seek (self->read_chunks, topic->number, position, &key, &value) != 0)
        return topic->row.next_seq;
    uint64_t seq = s_chunk (&value).seq;
    const uint8_t *at = NULL;
    s_record_t record;
    while (s_each (&value, &at, &record) && record.id <= position)
        seq++;
    return seq;
}

/*  How many there are after a position, up to another, by looking at each chunk: where messages
 * were taken out of the middle, seq doesn't tell. */
static uint64_t s_count_each (zc_store_t *self, const s_topic_t *topic, zc_id_t after, zc_id_t upto)
{
    MDB_val key, value;
    uint64_t count = 0;
    bool whole = false; /* from the second chunk on, all in it is after `after` */
    int rc = s_seek (self->read_chunks, topic->number, after, &key, &value);
    while (rc == 0 && s_key_part (&key, 0) == topic->number) {
        const uint8_t *at = NULL;
        s_record_t record;
        if (whole && s_key_part (&key, 1) <= upto)
            count += s_chunk (&value).count;
        else
            while (s_each (&value, &at, &record)) {
                if (record.id > upto)
                    return count;
                count += record.id > after;
            }
        whole = true;
        rc = mdb_cursor_get (self->read_chunks, &key, &value, MDB_NEXT);
    }
    return count;
}

uint64_t zc_store_count (zc_store_t *self, const zc_topic_t *from, zc_id_t after, zc_id_t upto)
{
    s_topic_t topic;
    if (!s_read_topic (self, from, &topic))
        return 0;
    after = after < topic.row.cut ? topic.row.cut : after;
    if (upto <= after)
        return 0;
    uint64_t count = 0;
    if (after < topic.row.hole) {
        count = s_count_each (self, &topic, after, upto < topic.row.hole ? upto : topic.row.hole);
        after = topic.row.hole;
    }
    if (after < upto)
        count += s_seq_after (self, &topic, upto) - s_seq_after (self, &topic, after);
    return count;
}

/*  The first or the last of a name's positions. */
static int s_find_name (MDB_cursor *cursor, MDB_val *key, zc_which_t which, MDB_val *value)
{
    int rc = mdb_cursor_get (cursor, key, value, MDB_SET);
    return rc == 0 && which == ZC_NEWEST ? mdb_cursor_get (cursor, key, value, MDB_LAST_DUP) : rc;
}

bool zc_store_find (zc_store_t *self, const zc_topic_t *from, zc_slice_t name, zc_which_t which,
                    zc_id_t *id)
{
    uint8_t bytes[S_NAME_KEY];
    MDB_val value;
    MDB_cursor *cursor;
    if (!from->number || name.len > S_NAME_KEY - 8 || !zc_store_read (self) ||
        mdb_cursor_open (self->reader, self->db[S_NAMES], &cursor) != 0)
        return false;
    MDB_val key = s_name_key (bytes, from->number, name.at, name.len);
    int rc = s_find_name (cursor, &key, which, &value);
    if (rc == 0)
        *id = s_from_big_endian (value.mv_data);
    mdb_cursor_close (cursor);
    return rc == 0;
}
