/*  A worker whose broker may send anything: the bytes are the broker's messages, clients that
 *  come, move, read and go, and the passing of time. Whatever happens, nothing breaks, and in
 *  the end clients still get new messages. */
#include <stdlib.h>
#include <string.h>

#include "lib/engine/hub.h"
#include "lib/wire/sse.h"
#include "lib/wire/answer.h"
#include "tests/fuzz/input.h"

#define TOPICS 3
#define CLIENTS 4
#define QUESTIONS 64
#define STEPS 2000

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static const zc_slice_t s_names[TOPICS] = {{"a", 1}, {"b", 1}, {"ab", 2}};
#define SELECTORS 2
static const zc_slice_t s_selectors[SELECTORS] = {{"\x01pa*", 4}, {"\x01m+", 3}};

typedef struct {
    zc_hub_t *hub;
    zc_client_t clients[CLIENTS];
    bool joined[CLIENTS];
    uint64_t questions[QUESTIONS]; /* tokens, the newest ones */
    size_t asked;
    uint64_t now_ms;
} s_worker_t;

/*  The transport. */

static long s_write (zc_client_t *client, const struct iovec *iov, int count)
{
    size_t len = 0;
    (void)client;
    for (int i = 0; i < count; i++)
        len += iov[i].iov_len;
    return (long)len;
}

static void s_want_write (zc_client_t *client, bool on)
{
    (void)client, (void)on;
}

static void s_gone (zc_client_t *client, zc_gone_t why)
{
    (void)client, (void)why;
}

static void s_describe (zc_client_t *client, char *text, size_t size)
{
    (void)client;
    text[0] = 0;
    (void)size;
}

static const zc_transport_t s_transport = {.name = "fuzz",
                                           .write = s_write,
                                           .want_write = s_want_write,
                                           .gone = s_gone,
                                           .describe = s_describe};

/*  The link. */

static void s_note (s_worker_t *worker, uint64_t token)
{
    worker->questions[worker->asked++ % QUESTIONS] = token;
}

static void s_subscribe (void *self, const char *topic, size_t len)
{
    (void)self;
    if (len > 0 && !zc_topic_valid (topic, len))
        abort ();
}

static void s_sync (void *self, uint64_t token, const char *topics, size_t len,
                    const zc_mark_t *have)
{
    (void)topics, (void)len, (void)have;
    s_note (self, token);
}

static void s_fetch (void *self, uint64_t token, zc_slice_t since, const char *topics, size_t len,
                     const zc_line_t *line)
{
    (void)topics, (void)line;
    if (since.len == 0 || len == 0)
        abort ();
    s_note (self, token);
}

static void s_list (void *self, uint64_t token, zc_id_t since, const zc_slice_t *prefixes,
                    size_t count)
{
    (void)since, (void)prefixes;
    if (count == 0)
        abort ();
    s_note (self, token);
}

/*  Any request that was made, answered or not, or none that ever was. */
static uint64_t s_token (const s_worker_t *worker)
{
    return worker->questions[s_byte () % QUESTIONS];
}

/*  Returns false if it is malformed. */
static bool s_message (zc_buf_t *meta, zc_message_t *message)
{
    zc_slice_t topic = s_names[s_byte () % TOPICS];
    zc_id_t id = s_id (), prev = s_id (), dropped = s_id ();
    zc_meta_write (meta, id, prev, dropped, (zc_slice_t){"id: own\n", 8});
    return zc_delivery_parse (message, topic, (zc_slice_t){"x", 1},
                              (zc_slice_t){(const char *)meta->data, meta->len}) == 0;
}

static void s_hear (s_worker_t *worker, bool live)
{
    zc_buf_t meta = ZC_BUF_INIT;
    zc_message_t message;
    bool good = s_message (&meta, &message);
    if (good && live)
        zc_hub_message (worker->hub, &message);
    else if (good)
        zc_hub_fetched_message (worker->hub, s_token (worker), &message);
    zc_buf_clear (&meta);
}

/*  Of an older broker; one that begins where some positions are; and none. */
#define LINES 3
static const zc_line_t s_lines[LINES] = {{""}, {"0-9.x"}, {"log"}};

static void s_hear_lasts (s_worker_t *worker)
{
    zc_id_t lasts[TOPICS + 2], head = s_id (), dropped = s_id ();
    size_t count = s_byte () % (TOPICS + 3);
    for (size_t i = 0; i < count; i++)
        lasts[i] = s_id ();
    zc_mark_t doubt = {s_lines[s_byte () % LINES], s_id ()};
    zc_hub_synced (worker->hub, s_token (worker), &doubt, head, dropped, lasts, count);
}

static void s_hear_end (s_worker_t *worker)
{
    uint64_t token = s_token (worker);
    zc_id_t head = s_id (), floor = s_id (), since = s_id ();
    unsigned byte = s_byte ();
    zc_hub_fetched (worker->hub, token, head, floor, since, byte & 1, byte >> 2, byte & 2);
}

static void s_hear_list (s_worker_t *worker)
{
    zc_buf_t list = ZC_BUF_INIT;
    uint64_t token = s_token (worker);
    zc_id_t head = s_id (), forgotten = s_id ();
    for (unsigned count = s_byte () % (TOPICS + 2); count > 0; count--)
        zc_listed_add (&list, s_id (), s_names[s_byte () % TOPICS]);
    zc_hub_listed (worker->hub, token, head, forgotten,
                   (zc_slice_t){(const char *)list.data, list.len});
    zc_buf_clear (&list);
}

/*  Clients. */

static size_t s_topics (zc_slice_t topics[TOPICS + SELECTORS])
{
    unsigned byte = s_byte (), mask = byte % 7 + 1, selectors = byte / 7;
    size_t count = 0;
    for (unsigned i = 0; i < TOPICS; i++)
        if (mask & 1u << i)
            topics[count++] = s_names[i];
    for (unsigned i = 0; i < SELECTORS; i++)
        if (selectors & 1u << i)
            topics[count++] = s_selectors[i];
    return count;
}

static void s_come_or_go (s_worker_t *worker, unsigned index)
{
    static const zc_slice_t own[] = {{NULL, 0}, {"earliest", 8}, {"own", 3}, {"", 0}};
    zc_client_t *client = &worker->clients[index];
    zc_slice_t topics[TOPICS + SELECTORS], last_id;
    char position[ZC_ID_SIZE];
    if (worker->joined[index]) {
        zc_hub_leave (worker->hub, client);
        worker->joined[index] = false;
        return;
    }
    size_t count = s_topics (topics);
    unsigned kind = s_byte () % 8;
    last_id = kind < 4 ? own[kind] : (zc_slice_t){position, zc_id_format (s_id (), position)};
    *client = (zc_client_t){.transport = &s_transport, .fd = -1};
    zc_hub_join (worker->hub, client, kind & 1 ? &zc_encoding_sse : &zc_encoding_sse_json, topics,
                 count, NULL, last_id);
    worker->joined[index] = true;
}

static void s_move (s_worker_t *worker, unsigned index)
{
    zc_slice_t topics[TOPICS + SELECTORS];
    size_t count = s_topics (topics);
    if (worker->joined[index])
        zc_hub_move (worker->hub, &worker->clients[index], topics, count, NULL);
}

static void s_read (s_worker_t *worker, zc_client_t *client)
{
    struct iovec iov[2];
    int count;
    while (client->channel && (count = (int)zc_client_gather (client, iov)) > 0) {
        zc_client_sent (client, (size_t)s_write (client, iov, count));
        if (client->join && zc_client_drained (client))
            zc_hub_client_drained (worker->hub, client);
    }
}

static void s_read_all (s_worker_t *worker)
{
    zc_rounds_t *rounds = zc_hub_rounds (worker->hub);
    zc_client_t *client;
    while ((client = zc_rounds_next_ready (rounds)))
        s_read (worker, client);
    if (!zc_rounds_under_way (rounds) && zc_rounds_dirty (rounds))
        zc_rounds_begin (rounds);
    while ((client = zc_rounds_next (rounds)))
        s_read (worker, client);
    zc_hub_settle (worker->hub);
}

static void s_step (s_worker_t *worker)
{
    unsigned what = s_byte ();
    switch (what % 12) {
    case 0:
    case 1:
        s_come_or_go (worker, what / 12 % CLIENTS);
        break;
    case 2:
        s_move (worker, what / 12 % CLIENTS);
        break;
    case 3:
    case 4:
        s_hear (worker, true);
        break;
    case 5:
        s_hear (worker, false);
        break;
    case 6:
        if (what < 128)
            s_hear_end (worker);
        else
            s_hear_list (worker);
        break;
    case 7:
        s_hear_lasts (worker);
        break;
    case 8:
        zc_hub_failed (worker->hub, s_token (worker));
        break;
    case 9:
        zc_hub_disconnected (worker->hub);
        zc_hub_connected (worker->hub);
        break;
    case 10:
        worker->now_ms += what * 10;
        zc_hub_tick (worker->hub, worker->now_ms);
        break;
    default:
        s_read_all (worker);
        break;
    }
    zc_hub_settle (worker->hub);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    s_worker_t worker = {.now_ms = 1000000};
    s_at = data;
    s_left = size;
    zc_hub_config_t config = {.max_held = 4000, .max_lag = 1000, .retain = 500};
    zc_upstream_t upstream = {&worker, s_subscribe, s_subscribe, s_sync, s_fetch, s_list};
    worker.hub = zc_hub_new (&config, &upstream);
    zc_hub_connected (worker.hub);
    for (int i = 0; i < STEPS && s_left; i++)
        s_step (&worker);
    for (unsigned i = 0; i < CLIENTS; i++)
        if (worker.joined[i])
            zc_hub_leave (worker.hub, &worker.clients[i]);
    if (zc_hub_stats (worker.hub)->clients != 0 || zc_client_private_bytes () != 0)
        abort ();
    zc_hub_destroy (&worker.hub);
    return 0;
}
