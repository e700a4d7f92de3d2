/*  health.c - see health.h. The canary is a client like any other, but its transport ends here. */
#define _GNU_SOURCE /* memmem */
#include "lib/front/health.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/wire/sse.h"

#define S_TIMEOUT_MS 2000 /* for a canary to come back */
#define S_GOOD_MS 1000    /* how long an answer counts */

typedef struct s_asker {
    TAILQ_ENTRY (s_asker) link;
    zc_exchange_t *exchange; /* borrowed */
} s_asker_t;

/*  One for each process, since a process has one broker and one pump. */
typedef struct {
    zc_client_t client; /* must be first */
    zc_front_t *front;  /* borrowed */
    char topic[96];
    char word[24]; /* text of the canary under way; "": none */
    char seen[48]; /* the last bytes that came: the word may lie across two runs */
    uint64_t number;
    uint64_t good_ms;  /* monotonic: when the last canary came back; 0: never */
    uint64_t begun_ms; /* when the canary under way was published */
    uv_timer_t *timer; /* owned by the loop; for the canary under way */
    bool joined;
    TAILQ_HEAD (, s_asker) askers;
} s_canary_t;

static s_canary_t *s_canary; /* owned; made by the first request */

/*  Answers. */

static void s_answer (zc_exchange_t *exchange, bool good, const char *text)
{
    zc_response_t response;
    zc_response_init (&response, good ? 200 : 503);
    zc_response_say (&response, "Cache-Control", "no-store");
    zc_response_text (&response, text);
    zc_exchange_answer (exchange, &response);
    zc_response_clear (&response);
}

static void s_answer_all (s_canary_t *self, bool good, const char *text)
{
    s_asker_t *asker;
    *self->word = 0;
    uv_timer_stop (self->timer);
    while ((asker = TAILQ_FIRST (&self->askers))) {
        zc_exchange_t *exchange = asker->exchange;
        TAILQ_REMOVE (&self->askers, asker, link);
        exchange->state = NULL;
        free (asker);
        s_answer (exchange, good, text);
    }
}

/*  The canary's transport. */

/*  Looks for the word in the bytes that came, and across the border to the run before. */
static bool s_sees (s_canary_t *self, const char *bytes, size_t len)
{
    size_t had = strlen (self->seen), word = strlen (self->word);
    char border[sizeof self->seen * 2];
    size_t head = len < word ? len : word;
    memcpy (border, self->seen, had);
    memcpy (border + had, bytes, head);
    bool found = word && (memmem (border, had + head, self->word, word) ||
                          memmem (bytes, len, self->word, word));
    size_t keep = len < sizeof self->seen - 1 ? len : sizeof self->seen - 1;
    memcpy (self->seen, bytes + len - keep, keep);
    self->seen[keep] = 0;
    return found;
}

static void s_on_seen (uv_timer_t *timer)
{
    s_canary_t *self = timer->data;
    s_answer_all (self, self->good_ms != 0 && zc_mono_ms () - self->good_ms < S_GOOD_MS, "ready");
}

static long s_write (zc_client_t *client, const struct iovec *iov, int count)
{
    s_canary_t *self = (s_canary_t *)client;
    long taken = 0;
    for (int i = 0; i < count; i++) {
        if (s_sees (self, iov[i].iov_base, iov[i].iov_len)) {
            self->good_ms = zc_mono_ms ();
            /* not from within a round of the pump, because an answer may end connections */
            uv_timer_start (self->timer, s_on_seen, 0, 0);
        }
        taken += (long)iov[i].iov_len;
    }
    return taken;
}

static void s_want_write (zc_client_t *client, bool on)
{
    (void)client;
    (void)on;
}

static void s_on_gone (zc_client_t *client, zc_gone_t why)
{
    s_canary_t *self = (s_canary_t *)client;
    (void)why;
    zc_hub_leave (zc_worker_hub (self->front->worker), client);
    self->joined = false;
}

static void s_describe (zc_client_t *client, char *text, size_t size)
{
    (void)client;
    snprintf (text, size, "canary");
}

static const zc_transport_t s_transport = {
    .name = "canary",
    .write = s_write,
    .want_write = s_want_write,
    .gone = s_on_gone,
    .describe = s_describe,
};

/*  One flight. */

static void s_on_timeout (uv_timer_t *timer)
{
    s_answer_all (timer->data, false,
                  "not ready: a test message hasn't come back through broker and feed");
}

static void s_on_published (void *arg, const zc_answer_t *answer)
{
    s_canary_t *self = s_canary;
    (void)arg;
    if (self && *self->word && answer->kind != ZC_OK)
        s_answer_all (self, false, "not ready: the broker takes no messages");
}

static void s_join (s_canary_t *self)
{
    zc_slice_t topic = {self->topic, strlen (self->topic)};
    self->client.transport = &s_transport;
    self->client.fd = -1;
    zc_hub_join (zc_worker_hub (self->front->worker), &self->client, &zc_encoding_sse, &topic, 1,
                 NULL, (zc_slice_t){NULL, 0});
    self->joined = true;
}

static void s_fly (s_canary_t *self)
{
    zc_link_t *link = zc_worker_link (self->front->worker);
    if (!zc_link_connected (link)) {
        s_answer_all (self, false, "not ready: no connection to the broker");
        return;
    }
    if (!self->joined)
        s_join (self);
    snprintf (self->word, sizeof self->word, "canary %llu.", (unsigned long long)++self->number);
    self->begun_ms = zc_mono_ms ();
    zc_ask_t ask = {.verb = ZC_PUBLISH,
                    .message = {.topic = {self->topic, strlen (self->topic)},
                                .payload = {self->word, strlen (self->word)}},
                    .headers = {"ttl: 0\nvia: http\n", 17}};
    uv_timer_start (self->timer, s_on_timeout, S_TIMEOUT_MS, 0);
    if (!zc_link_publish (link, &ask, S_TIMEOUT_MS, s_on_published, NULL))
        s_answer_all (self, false, "not ready: the broker takes no requests");
}

static s_canary_t *s_new (zc_front_t *front)
{
    s_canary_t *self = calloc (1, sizeof *self);
    char host[48] = "";
    if (!self || !(self->timer = calloc (1, sizeof *self->timer)))
        abort ();
    gethostname (host, sizeof host - 1);
    self->front = front;
    snprintf (self->topic, sizeof self->topic, ZC_CANARY_TOPIC "ready/%s.%d", host, (int)getpid ());
    TAILQ_INIT (&self->askers);
    uv_timer_init (zc_worker_loop (front->worker), self->timer);
    self->timer->data = self;
    return self;
}

/*  The doors. */

static void s_open_live (zc_exchange_t *exchange)
{
    s_answer (exchange, true, "live");
}

static void s_open_ready (zc_exchange_t *exchange)
{
    if (exchange->front->draining) {
        s_answer (exchange, false, "not ready: restarting");
        return;
    }
    if (!s_canary)
        s_canary = s_new (exchange->front);
    s_canary_t *self = s_canary;
    uint64_t now = zc_mono_ms ();
    if (self->good_ms && now - self->good_ms < S_GOOD_MS) {
        s_answer (exchange, true, "ready");
        return;
    }
    if (!*self->word && self->begun_ms && now - self->begun_ms < S_GOOD_MS) {
        s_answer (exchange, false, "not ready: it wasn't a moment ago");
        return;
    }
    s_asker_t *asker = calloc (1, sizeof *asker);
    if (!asker)
        abort ();
    asker->exchange = exchange;
    exchange->state = asker;
    TAILQ_INSERT_TAIL (&self->askers, asker, link);
    if (!*self->word)
        s_fly (self);
}

static void s_gone (zc_exchange_t *exchange)
{
    s_asker_t *asker = exchange->state;
    TAILQ_REMOVE (&s_canary->askers, asker, link);
    free (asker);
}

static void s_free_timer (uv_handle_t *handle)
{
    free (handle);
}

void zc_health_rest (zc_front_t *front)
{
    s_canary_t *self = s_canary;
    if (!self || self->front != front)
        return;
    s_answer_all (self, false, "not ready: restarting");
    if (self->joined)
        zc_hub_leave (zc_worker_hub (front->worker), &self->client);
    uv_close ((uv_handle_t *)self->timer, s_free_timer);
    free (self);
    s_canary = NULL;
}

const zc_door_t zc_door_live = {
    .name = "live",
    .methods = ZC_METHOD_GET | ZC_METHOD_HEAD,
    .open = s_open_live,
};
const zc_door_t zc_door_ready = {
    .name = "ready",
    .methods = ZC_METHOD_GET | ZC_METHOD_HEAD,
    .open = s_open_ready,
    .gone = s_gone,
};
