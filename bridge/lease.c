/*  lease.c - SET NX while somebody else has it, GETEX while we do, both with the time after which
 *  the key expires. GETEX may prolong another's lease, once, and harms nobody; so no script is
 *  needed. The holder counts its time from before it asked, and stops before the key expires.
 *
 *  A failover of Redis may lose the key: then two bridges may work, until the one that had it asks
 *  for it the next time. */
#include "bridge/lease.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/redis/redis.h"

#define S_LASTS "3000" /* ms; of these the holder uses */
#define S_HELD_MS 2500
#define S_ASK_MS 500    /* between two questions */
#define S_AGAIN_MS 2000 /* after a refusal */

static char s_take, s_renew; /* tags of commands */

struct zc_lease {
    const zc_address_t *address;
    zc_redis_t *redis;
    char *key;
    char owner[48];   /* this process, and no other */
    bool asked;       /* there is no answer yet */
    bool held, taken; /* by us, as the last answer said; by another one, at some time before */
    uint64_t asked_ms, ask_ms, until_ms; /* monotonic: the last question, the next, the end */
    char complaint[256];
};

static void s_ask (zc_lease_t *self)
{
    uint64_t now = zc_mono_ms ();
    const char *take[] = {"SET", self->key, self->owner, "NX", "PX", S_LASTS};
    const char *renew[] = {"GETEX", self->key, "PX", S_LASTS};
    if (self->asked || !zc_redis_is_ready (self->redis) || now < self->ask_ms)
        return;
    self->asked = true;
    self->asked_ms = now;
    self->ask_ms = now + S_ASK_MS;
    if (self->held)
        zc_redis_command (self->redis, &s_renew, 4, renew, NULL);
    else
        zc_redis_command (self->redis, &s_take, 6, take, NULL);
}

static void s_refused (zc_lease_t *self, const redisReply *error)
{
    zc_slice_t text = zc_reply_error (error);
    char complaint[sizeof self->complaint];
    snprintf (complaint, sizeof complaint, "%.*s", (int)(text.len > 200 ? 200 : text.len), text.at);
    zc_log (strcmp (complaint, self->complaint) == 0 ? ZC_LOG_DEBUG : ZC_LOG_ERROR,
            ZC_EVENT ("lease.refused redis key error",
                      "redis %s: lease %s: %s; this bridge stands by, and tries again"),
            self->address->shown, self->key, complaint);
    strcpy (self->complaint, complaint);
    self->ask_ms = zc_mono_ms () + S_AGAIN_MS;
    if (zc_reply_fault (error) == ZC_FAULT_NODE)
        zc_redis_give_up_for (self->redis, error);
}

static void s_reply (void *arg, void *tag, const redisReply *reply)
{
    zc_lease_t *self = arg;
    zc_slice_t text = zc_reply_text (reply);
    self->asked = false;
    if (zc_reply_fault (reply) != ZC_FAULT_NONE) {
        s_refused (self, reply);
        return;
    }
    bool ours = tag == &s_take ? zc_slice_is (text, "OK") : zc_slice_is (text, self->owner);
    if (ours)
        self->until_ms = self->asked_ms + S_HELD_MS;
    else if (text.len || tag == &s_take)
        self->until_ms = 0; /* another one has it */
    if (!ours && tag == &s_renew)
        self->ask_ms = 0; /* it may have expired */
    self->taken = self->taken || (!ours && tag == &s_take);
    self->held = ours;
    self->complaint[0] = 0;
    zc_redis_works (self->redis);
    s_ask (self);
}

static void s_ready (void *arg)
{
    s_ask (arg);
}

static void s_lost (void *arg)
{
    zc_lease_t *self = arg;
    self->asked = false;
    self->ask_ms = 0;
}

zc_lease_t *zc_lease_new (const zc_address_t *address, const char *site)
{
    zc_lease_t *self = calloc (1, sizeof *self);
    zc_buf_t key = ZC_BUF_INIT;
    uint64_t random = 0;
    if (!self)
        abort ();
    while (getrandom (&random, sizeof random, 0) != sizeof random)
        continue;
    snprintf (self->owner, sizeof self->owner, "%d.%016" PRIx64, (int)getpid (), random);
    zc_buf_addf (&key, "zcast:lease:%s", site);
    self->key = strdup (zc_buf_str (&key));
    zc_buf_clear (&key);
    self->address = address;
    zc_redis_config_t redis = {.address = address,
                               .name = "zcast-lease",
                               .backoff_ms = S_ASK_MS,
                               .follows = true,
                               .arg = self,
                               .ready = s_ready,
                               .reply = s_reply,
                               .lost = s_lost};
    self->redis = zc_redis_new (&redis);
    return self;
}

void zc_lease_destroy (zc_lease_t **self_p)
{
    zc_lease_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    zc_redis_destroy (&self->redis);
    free (self->key);
    free (self);
}

void zc_lease_release (zc_lease_t *self)
{
    const char *del[] = {"DEL", self->key};
    if (!zc_lease_is_held (self))
        return;
    zc_redis_command (self->redis, NULL, 2, del, NULL);
    zc_redis_flush (self->redis);
    self->until_ms = 0;
}

bool zc_lease_is_held (const zc_lease_t *self)
{
    return zc_mono_ms () < self->until_ms;
}

bool zc_lease_was_taken (const zc_lease_t *self)
{
    return self->taken;
}

size_t zc_lease_pollitems (zc_lease_t *self, zmq_pollitem_t items[ZC_LEASE_ITEMS])
{
    return zc_redis_pollitems (self->redis, items);
}

long zc_lease_timeout (const zc_lease_t *self)
{
    long wait = zc_redis_timeout (self->redis);
    return wait < 0 || wait > S_ASK_MS / 5 ? S_ASK_MS / 5 : wait;
}

void zc_lease_run (zc_lease_t *self)
{
    zc_redis_run (self->redis);
    s_ask (self);
    zc_redis_flush (self->redis);
}
