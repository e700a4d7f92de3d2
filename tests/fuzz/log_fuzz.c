/*  log_fuzz.c - whatever comes from where the log should be: read as entries, as answers of the
 *  script and as INFO, and handed to the broker's part in the log. The first byte says in how large
 *  pieces it comes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "broker/log/state.h"
#include "lib/redis/arena.h"

static void s_touch (zc_slice_t slice)
{
    volatile char sum = 0;
    if (!slice.at)
        abort ();
    for (size_t i = 0; i < slice.len; i++)
        sum = (char)(sum + slice.at[i]);
}

static void s_read (void *arg, const zc_log_entry_t *entry, zmq_msg_t *payload, void *origin)
{
    zc_id_t *last = arg;
    if (entry->kind == ZC_ENTRY_FOREIGN || entry->id <= *last)
        abort (); /* nothing is passed on that isn't ours, and no position goes back */
    if (entry->kind == ZC_ENTRY_MESSAGE && zmq_msg_size (payload) != entry->payload.len)
        abort ();
    *last = entry->id;
    (void)origin;
}

static void s_told (void *arg, void *origin, zc_id_t id, bool conflict)
{
    (void)arg, (void)origin, (void)id, (void)conflict;
}

static void s_failed (void *arg, void *origin)
{
    (void)arg, (void)origin;
}

static void s_lost (void *arg, zc_id_t upto)
{
    (void)arg, (void)upto;
}

static void s_publish (zc_log_state_t *state)
{
    zmq_msg_t payload;
    zmq_msg_init (&payload);
    zc_log_state_publish (state, (zc_slice_t){"t", 1}, &payload, (zc_slice_t){"", 0},
                          (zc_slice_t){"", 0}, NULL, 0);
    zmq_msg_close (&payload);
}

/*  Asks what there is to ask, and takes the reply for the answer. */
static void s_answer (zc_log_state_t *state, const redisReply *reply, uint64_t now_ms)
{
    zc_log_request_t request;
    zc_log_answer_t answer;
    zc_log_told_t told;
    if (!zc_log_state_next (state, now_ms, &request))
        return;
    for (size_t i = ZC_LOG_WORDS_BEFORE; i < request.count; i++)
        s_touch ((zc_slice_t){request.words[i] ? request.words[i] : "", request.lengths[i]});
    zc_log_answer_parse (&answer, request.verb, reply);
    s_touch (answer.detail);
    for (zc_slice_t detail = answer.detail; zc_log_told_next (&detail, &told) > 0;)
        continue;
    zc_log_state_answered (state, &answer, now_ms);
}

static void s_reply (zc_log_state_t *state, const redisReply *reply, uint64_t now_ms)
{
    zc_log_server_t server;
    zc_log_entry_t entry;
    zc_slice_t raw;
    size_t count;
    zc_log_server_parse (&server, reply);
    s_touch (server.run);
    s_answer (state, reply, now_ms);
    const redisReply *entries = zc_log_entries (reply, &count);
    for (size_t i = 0; entries && i < count; i++) {
        if (zc_log_entry_parse (&entry, entries, i, &raw) != 0)
            continue;
        s_touch (raw);
        s_touch (entry.head);
        s_touch (entry.topic);
        s_touch (entry.headers);
        s_touch (entry.payload);
        zc_log_state_entry (state, &entry, 1000);
    }
    if (entries && count == 0)
        zc_log_state_nothing (state, zc_log_state_joins (state));
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    zc_id_t last = 0;
    const zc_log_state_config_t config = {.broker = "b",
                                          .settings = "s",
                                          .waiting_max = 1000,
                                          .kept_max = 1000,
                                          .timeout_ms = 1000,
                                          .arg = &last,
                                          .read = s_read,
                                          .told = s_told,
                                          .failed = s_failed,
                                          .lost = s_lost};
    zc_log_state_t *state = zc_log_state_new (&config);
    zc_log_state_begin (state, (zc_slice_t){"l", 1}, 0, 0);
    zc_log_state_connected (state, (zc_slice_t){"r", 1});
    size_t step = data[0] ? data[0] : size;
    redisReader *reader = redisReaderCreate ();
    zc_reply_arena_t *arena = zc_reply_arena_new ();
    zc_reply_arena_serve (arena, reader);
    bool good = true;
    uint64_t now_ms = 0;
    for (size_t at = 1; at < size && good; at += step) {
        void *reply = NULL;
        size_t len = size - at < step ? size - at : step;
        good = redisReaderFeed (reader, (const char *)data + at, len) == REDIS_OK;
        while (good && (good = redisReaderGetReply (reader, &reply) == REDIS_OK) && reply) {
            s_publish (state);
            s_reply (state, reply, now_ms += 1100);
            zc_reply_arena_reset (arena);
            reply = NULL;
        }
    }
    redisReaderFree (reader);
    zc_reply_arena_destroy (&arena);
    zc_log_state_destroy (&state);
    return 0;
}
