/*  reply_fuzz.c - any bytes from the place where Redis should be: through hiredis's reader, and
 *  our reading of the replies. The first byte says in how large pieces they come. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "lib/redis/reply.h"
#include "lib/redis/sentinel.h"
#include "bridge/entries.h"
#include "bridge/subscriptions.h"

/*  A slice is within the reply, or empty. */
static void s_touch (zc_slice_t slice)
{
    volatile char sum = 0;
    if (!slice.at)
        abort ();
    for (size_t i = 0; i < slice.len; i++)
        sum = (char)(sum + slice.at[i]);
}

static void s_event (const zc_redis_event_t *event)
{
    s_touch (event->name);
    s_touch (event->channel);
    s_touch (event->payload);
    if (event->kind != ZC_EVENT_MESSAGE && (event->channel.len || event->payload.len))
        abort ();
    if (event->kind == ZC_EVENT_NONE && (event->name.len || event->pattern))
        abort ();
}

static void s_role (const redisReply *reply)
{
    zc_role_t role = zc_reply_role (reply);
    s_touch (role.host);
    if (role.port < 0 || role.port > 65535 || (role.host.len && role.kind != ZC_ROLE_REPLICA))
        abort ();
}

/*  A list that wants the subscriptions that the input mentions, and is told the events. */
static void s_tell (zc_redis_subscriptions_t *all, const zc_redis_event_t *event)
{
    static uint64_t s_now;
    s_now += 60000; /* all refused subscriptions are due again, once */
    if (event->kind == ZC_EVENT_MESSAGE) {
        zc_redis_subscriptions_begin (all);
        zc_redis_subscriptions_want (all, event->name, event->pattern);
        zc_redis_subscriptions_want (all, event->channel, false);
        zc_redis_subscriptions_end (all);
    } else if (event->kind == ZC_EVENT_UNSUBSCRIBED) {
        zc_redis_subscriptions_gone (all, event->name, event->pattern);
    } else if (event->kind == ZC_EVENT_SUBSCRIBED) {
        zc_redis_subscription_t *next;
        while ((next = zc_redis_subscriptions_next (all, s_now)))
            if (zc_slice_compare (zc_redis_subscription_name (next), event->name) == 0)
                zc_redis_subscriptions_confirmed (all, next);
            else
                zc_redis_subscriptions_refused (all, next, "not this one", s_now);
    } else {
        zc_redis_subscriptions_lost (all);
    }
    while (zc_redis_subscriptions_next_unwanted (all))
        continue;
}

/*  A master has a host and a port, and only an answer of sense changes it. */
static void s_sentinel (zc_sentinel_t *self, const redisReply *reply)
{
    char why[64] = "";
    const char *before = zc_sentinel_host (self);
    zc_sentinel_verdict_t verdict = zc_sentinel_answered (self, reply, why, sizeof why);
    const char *host = zc_sentinel_host (self);
    if ((verdict == ZC_SENTINEL_WRONG) != (why[0] != 0) ||
        (host != before && verdict != ZC_SENTINEL_MOVED) ||
        (host && (!*host || strlen (host) > ZC_HOST_MAX || zc_sentinel_port (self) < 1 ||
                  zc_sentinel_port (self) > 65535)))
        abort ();
    zc_sentinel_refused (self, why);
}

/*  As entries of a Stream: ids and places survive being written, and a payload is within the reply,
 *  or made of it. */
static void s_entries (const redisReply *reply)
{
    const redisReply *entries, *fields;
    zc_entry_id_t id, again;
    char text[ZC_ENTRY_ID_SIZE];
    for (size_t i = 0; zc_entries (reply, &entries) && entries && i < entries->elements; i++) {
        zc_buf_t room = ZC_BUF_INIT;
        zc_slice_t payload;
        bool good = zc_entry (entries, i, &id, &fields);
        if (!zc_entry_payload (fields, "payload", &room, &payload))
            s_touch (payload);
        zc_buf_clear (&room);
        zc_entry_id_format (id, text);
        if (good && (!zc_entry_id_parse ((zc_slice_t){text, strlen (text)}, &again) ||
                     zc_entry_id_compare (id, again) != 0))
            abort ();
    }
}

static void s_info (const redisReply *reply)
{
    zc_stream_info_t info;
    zc_place_read_t place = {.counted = false}, again;
    char text[ZC_PLACE_READ_SIZE];
    zc_place_read_parse (zc_reply_text (reply), &place);
    if (!zc_stream_info_parse (reply, &info))
        return;
    uint64_t before = place.added, missed = zc_stream_missed (&place, &info);
    if (missed && place.added != before + missed)
        abort ();
    zc_place_read_format (&place, text);
    if (!zc_place_read_parse ((zc_slice_t){text, strlen (text)}, &again) ||
        again.added != place.added)
        abort ();
}

static void s_reply (zc_redis_subscriptions_t *all, const redisReply *reply)
{
    zc_redirect_t redirect;
    if (zc_reply_redirect (reply, &redirect)) {
        s_touch (redirect.host);
        if (redirect.port < 1 || redirect.port > 65535)
            abort ();
    }
    s_entries (reply);
    s_info (reply);

    zc_redis_event_t event = zc_reply_event (reply);
    zc_slice_t error = zc_reply_error (reply);
    s_event (&event);
    s_role (reply);
    s_touch (zc_reply_text (reply));
    s_touch (error);
    zc_fault_t fault = zc_reply_fault (reply);
    if ((fault != ZC_FAULT_NONE) != (reply->type == REDIS_REPLY_ERROR) ||
        (zc_fault_advice (error) && fault == ZC_FAULT_UNKNOWN))
        abort ();
    s_tell (all, &event);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    size_t step = data[0] ? data[0] : size;
    redisReader *reader = redisReaderCreate ();
    zc_redis_subscriptions_t *all = zc_redis_subscriptions_new ();
    zc_address_t address;
    char error[128];
    if (zc_address_parse ("redis+sentinel://:p@a,b/m", &address, error, sizeof error) != 0)
        abort ();
    zc_sentinel_t *sentinel = zc_sentinel_new (&address);
    zc_reply_bound (reader);
    bool good = true;
    for (size_t at = 1; at < size && good; at += step) {
        void *reply = NULL;
        size_t len = size - at < step ? size - at : step;
        good = redisReaderFeed (reader, (const char *)data + at, len) == REDIS_OK;
        while (good && (good = redisReaderGetReply (reader, &reply) == REDIS_OK) && reply) {
            s_reply (all, reply);
            s_sentinel (sentinel, reply);
            freeReplyObject (reply);
            reply = NULL;
        }
    }
    zc_sentinel_destroy (&sentinel);
    zc_address_clear (&address);
    zc_redis_subscriptions_destroy (&all);
    redisReaderFree (reader);
    return 0;
}
