/*  entries.h - what Redis answers about a Stream, and what becomes of its entries. No I/O.
 *
 *  Slices and replies are borrowed. */
#ifndef ZC_ENTRIES_H
#define ZC_ENTRIES_H

#include "lib/base/buf.h"
#include "lib/redis/reply.h"

/*  The id of an entry: milliseconds and a sequence number. */
typedef struct {
    uint64_t ms, seq;
} zc_entry_id_t;

#define ZC_ENTRY_ID_SIZE 42 /* two numbers of up to 20 digits, '-' and NUL */

bool zc_entry_id_parse (zc_slice_t text, zc_entry_id_t *id);
void zc_entry_id_format (zc_entry_id_t id, char text[ZC_ENTRY_ID_SIZE]);
int zc_entry_id_compare (zc_entry_id_t a, zc_entry_id_t b);

/*  How far a Stream was read: its last entry, and how many had ever been added up to that one, if
 * it is known (Redis 7 counts). As text: "ID" or "ID COUNT". */
typedef struct {
    zc_entry_id_t id;
    bool counted;
    uint64_t added;
} zc_place_read_t;

#define ZC_PLACE_READ_SIZE 64
bool zc_place_read_parse (zc_slice_t text, zc_place_read_t *place);
void zc_place_read_format (const zc_place_read_t *place, char text[ZC_PLACE_READ_SIZE]);

/*  The reply to XINFO STREAM. */
typedef struct {
    bool there; /* there is such a Stream */
    zc_entry_id_t last;
    uint64_t length;
    bool counts;
    uint64_t added; /* ever */
} zc_stream_info_t;

/*  Returns false if the reply is an error of another kind than that there is no such key, or no
 *  reply to XINFO STREAM. */
bool zc_stream_info_parse (const redisReply *reply, zc_stream_info_t *info);
/*  The number of entries that have been removed. */
uint64_t zc_stream_removed (const zc_stream_info_t *info);
/*  Compares a place with what Redis says of the Stream then. Returns how many entries, at least,
 * were removed (trimmed, or deleted) before they were read, and sets the count of the place right.
 */
uint64_t zc_stream_missed (zc_place_read_t *place, const zc_stream_info_t *info);

/*  The entries in the reply to XREAD of one Stream: an array; NULL if none came in time. Returns
 *  false if the reply is none of XREAD. */
bool zc_entries (const redisReply *reply, const redisReply **entries);
/*  The entry of that index. *fields is an array of names and values, or NULL for an entry that was
 *  deleted. Returns false if it isn't an entry. */
bool zc_entry (const redisReply *entries, size_t index, zc_entry_id_t *id,
               const redisReply **fields);
/*  What is published of an entry: the value of `field`; or, if there is no such field, a JSON
 * object of all of them, for which `room` gives the bytes. Returns NULL, or what is wrong. */
const char *zc_entry_payload (const redisReply *fields, const char *field, zc_buf_t *room,
                              zc_slice_t *payload);
/*  Appends the headers with which an entry is published: it is known to the broker by STREAM:ID. */
void zc_entry_headers (zc_buf_t *out, const char *stream, zc_entry_id_t id);
/*  Whether a Stream's name can be part of that key. */
#define ZC_STREAM_NAME_MAX 200 /* bytes */
bool zc_stream_name_valid (const char *name);

/*  Appends the key under which the place is kept: for one Stream, in the Stream's own slot of a
 *  Cluster (Redis Cluster specification, "Hash tags"). */
void zc_place_key (zc_buf_t *out, const char *site, const char *stream);

#endif
