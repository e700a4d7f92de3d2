/*  layout.h - the layout of history in its LMDB database: the tables, and the bytes of their
 *  keys and values. No I/O.
 *
 *    table    key                                  value
 *    topics   topic's number                       zc_row_t, and the topic's name
 *    chunks   topic's number, last position in it  zc_chunk_t, and up to 16 KB of records
 *    order    last position, topic's number        nothing: the chunks of all topics by age
 *    names    topic's number, own id or key        positions, sorted (MDB_DUPSORT)
 *    expiry   time (ms), topic's number, position  nothing: one entry a message with a ttl
 *    state    "totals"                             zc_stored_totals_t
 *
 *  A record is a zc_chunk_record_t, followed by meta and payload. Numbers in keys, and positions
 *  in `names`, are big-endian, so that LMDB sorts them; all others are in the host's byte order.
 *
 *  The messages of a topic are stored together, many of them in one chunk if they come fast. So
 *  a commit costs a few pages for each topic and not for each message, and a replay reads on
 *  from where it sought. The first messages of a chunk may have been trimmed (zc_row_t.cut); the
 *  chunk is deleted with its last message.
 *
 *  Rejected: one LMDB record for each message, which reached a third of the throughput. */
#ifndef ZC_STORE_LAYOUT_H
#define ZC_STORE_LAYOUT_H

#include <lmdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/wire/id.h"
#include "lib/wire/message.h"

#define ZC_FORMAT 2
/*  In this format the table `events` led from number and name to the newest position only. */
#define ZC_FORMAT_EVENTS 1
#define ZC_TABLE_OF_EVENTS "events"

enum {
    ZC_IN_TOPICS,
    ZC_IN_CHUNKS,
    ZC_IN_ORDER,
    ZC_IN_NAMES,
    ZC_IN_EXPIRY,
    ZC_IN_STATE,
    ZC_TABLES,
    ZC_TABLES_MAX /* with the one of the earlier format */
};

typedef struct {
    const char *name;
    unsigned flags; /* of mdb_dbi_open */
} zc_layout_table_t;
extern const zc_layout_table_t zc_layout_tables[ZC_TABLES];

typedef struct {
    uint64_t last, floor;
    uint64_t cut;          /* messages up to this position were trimmed */
    uint64_t count, bytes; /* of the messages after `cut` */
    uint64_t next_seq;     /* how many messages the topic ever had */
    uint64_t hole; /* up to here, the last position of a chunk, messages between others have expired
                    */
    uint64_t gone; /* 1: the topic has left the table of topics */
} zc_row_t;

typedef struct {
    uint64_t seq; /* of the chunk's first message, counted within the topic */
    uint32_t count;
    uint32_t spare;
} zc_chunk_t;

typedef struct {
    uint64_t id, expires_ms; /* wall clock; 0: no ttl */
    uint32_t meta_len, payload_len;
    uint16_t event_at, event_len; /* own id or key, within meta; length 0: there is none */
    uint32_t spare;
} zc_chunk_record_t;

typedef struct {
    uint64_t format;
    uint64_t last, forgotten, floor, next_number, messages, bytes, trimmed;
} zc_stored_totals_t;

/*  Keys. The MDB_val that is returned points into `key`. */
#define ZC_KEY_NAME_MAX 256 /* bytes */
typedef struct {
    uint8_t bytes[8 + ZC_KEY_NAME_MAX];
} zc_table_key_t;

MDB_val zc_key1 (zc_table_key_t *key, uint64_t first);
MDB_val zc_key2 (zc_table_key_t *key, uint64_t first, uint64_t second);
MDB_val zc_key3 (zc_table_key_t *key, uint64_t first, uint64_t second, uint64_t third);
/*  A key of `names`. `len` is at most ZC_KEY_NAME_MAX. */
MDB_val zc_key_name (zc_table_key_t *key, uint64_t number, const void *name, size_t len);
/*  The number at 8 * `part` of a key, or of a value of `names`. */
uint64_t zc_key_part (const MDB_val *key, int part);

/*  Whether an entry of any table except `state` has the form of its table. */
typedef struct {
    uint64_t messages; /* that the rows count */
    uint64_t chunks;   /* chunks without those in `order` */
} zc_layout_sums_t;
bool zc_layout_check (int table, const MDB_val *key, const MDB_val *value, zc_layout_sums_t *sums);

/*  Chunks. Nothing in them is aligned. check.h has checked them: lengths aren't checked again. */
zc_chunk_t zc_chunk (const MDB_val *value);
/*  With the record's own struct. */
size_t zc_chunk_record_size (const zc_chunk_record_t *record);
/*  Walks the records: *at is NULL at first, and then points to the record. Returns false at the
 *  end. */
bool zc_chunk_each (const MDB_val *value, const uint8_t **at, zc_chunk_record_t *record);
/*  Finds the first record after a position. */
bool zc_chunk_find (const MDB_val *value, zc_id_t after, zc_chunk_record_t *record,
                    const uint8_t **at);

/*  A row with its name and its number: row and name are the value, in one piece. */
typedef struct {
    zc_row_t row;
    char name[ZC_TOPIC_MAX];
    size_t len;
    uint64_t number;
} zc_stored_topic_t;

zc_stored_topic_t *zc_stored_topic_set (zc_stored_topic_t *self, uint64_t number,
                                        const MDB_val *value);
MDB_val zc_stored_topic_value (zc_stored_topic_t *self);

#endif
