/*  Rounds over real sockets, with and without io_uring: some clients read, some don't, some are
 *  gone. The transport is FastCGI's, which puts a header before the bytes. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fcgi/framing.h"
#include "lib/wire/message.h"
#include "lib/engine/pump.h"
#include "lib/wire/sse.h"

#define CLIENTS 300 /* more than a slice */
#define FIRST_MS 1795478400000u

typedef struct {
    zc_client_t client; /* must be first */
    zc_framing_t framing;
    int far;
    zc_buf_t wire; /* the bytes that its peer has read */
    bool gone;
} s_conn_t;

static s_conn_t s_conns[CLIENTS];
static uv_loop_t s_loop;
static zc_hub_t *s_hub;
static zc_pump_t *s_pump;
static uint64_t s_token;
static size_t s_asked;
static unsigned s_number;

/*  A broker with nothing in history, which answers at once. */

static void s_subscribe (void *self, const char *topic, size_t len)
{
    (void)self, (void)topic, (void)len;
}

static const zc_mark_t s_place = {{"line"}, ZC_ID_NONE};

static void s_sync (void *self, uint64_t token, const char *topics, size_t len,
                    const zc_mark_t *have)
{
    (void)have;
    (void)self, (void)topics;
    s_token = token;
    s_asked = len > 0;
}

static void s_fetch (void *self, uint64_t token, zc_slice_t since, const char *topics, size_t len,
                     const zc_line_t *line)
{
    (void)line;
    (void)self, (void)token, (void)since, (void)topics, (void)len;
    fail ();
}

static void s_answer (void)
{
    zc_id_t head = zc_id_from_ms (FIRST_MS);
    for (uint64_t token; (token = s_token);) {
        s_token = 0;
        zc_hub_synced (s_hub, token, &s_place, head, ZC_ID_NONE, &head, s_asked);
    }
}

static void s_publish (size_t len)
{
    char *payload = malloc (len);
    assert_non_null (payload);
    memset (payload, 'a' + (int)(s_number % 26), len);
    s_number++;
    zc_message_t message = {.topic = SLICE ("t"),
                            .payload = {payload, len},
                            .id = zc_id_from_ms (FIRST_MS + s_number),
                            .prev = zc_id_from_ms (FIRST_MS + s_number - 1)};
    zc_hub_message (s_hub, &message);
    free (payload);
    zc_pump_kick (s_pump);
    while (uv_run (&s_loop, UV_RUN_NOWAIT))
        ;
}

/*  The transport. */

static long s_write (zc_client_t *client, const struct iovec *iov, int count)
{
    s_conn_t *self = (s_conn_t *)client;
    zc_framing_plan_t plan;
    zc_framing_plan (&self->framing, 1, iov, count, &plan);
    struct msghdr message = {.msg_iov = plan.iov, .msg_iovlen = (size_t)plan.count};
    ssize_t sent = sendmsg (client->fd, &message, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN ? 0 : -1;
    return (long)zc_framing_sent (&self->framing, &plan, (size_t)sent);
}

static int s_begin (zc_client_t *client, size_t len, uint8_t head[ZC_CLIENT_HEAD])
{
    return zc_framing_begin (&((s_conn_t *)client)->framing, 1, len, head);
}

static size_t s_end (zc_client_t *client, size_t len, size_t sent)
{
    return zc_framing_end (&((s_conn_t *)client)->framing, len, sent);
}

static void s_want_write (zc_client_t *client, bool on)
{
    assert_int_equal (client->blocked, on);
}

static void s_gone (zc_client_t *client, zc_gone_t why)
{
    s_conn_t *self = (s_conn_t *)client;
    assert_int_equal (why, ZC_GONE_ERROR);
    assert_false (self->gone);
    self->gone = true;
    zc_hub_leave (s_hub, client);
}

static void s_describe (zc_client_t *client, char *text, size_t size)
{
    (void)client;
    snprintf (text, size, "client");
}

static const zc_transport_t s_transport = {
    .name = "test",
    .write = s_write,
    .want_write = s_want_write,
    .gone = s_gone,
    .describe = s_describe,
    .begin = s_begin,
    .end = s_end,
};

/*  The peers. */

static void s_read (s_conn_t *conn)
{
    ssize_t len;
    while ((len = recv (conn->far, zc_buf_reserve (&conn->wire, 65536), 65536, 0)) > 0)
        conn->wire.len += (size_t)len;
}

/*  Reads until nothing is left, as the web server would. */
static void s_read_all (s_conn_t *conn)
{
    for (s_read (conn); conn->client.blocked; s_read (conn))
        zc_pump_send (s_pump, &conn->client);
}

/*  The contents of all records, the last of which ends with the wire. */
static void s_content (const s_conn_t *conn, zc_buf_t *content)
{
    const zc_buf_t *wire = &conn->wire;
    size_t len;
    for (size_t at = 0; at < wire->len; at += 8 + len) {
        assert_true (wire->len - at > 8);
        assert_int_equal (wire->data[at + 1], 6); /* STDOUT */
        len = (size_t)(wire->data[at + 4] << 8 | wire->data[at + 5]);
        assert_true (len <= wire->len - at - 8);
        zc_buf_add (content, wire->data + at + 8, len);
    }
}

static void s_same_for_all (size_t least)
{
    zc_buf_t first = ZC_BUF_INIT, other = ZC_BUF_INIT;
    s_content (&s_conns[0], &first);
    assert_true (first.len > least);
    for (size_t i = 1; i < CLIENTS; i++) {
        if (s_conns[i].gone)
            continue;
        other.len = 0;
        s_content (&s_conns[i], &other);
        assert_int_equal (other.len, first.len);
        assert_memory_equal (other.data, first.data, first.len);
    }
    zc_buf_clear (&first);
    zc_buf_clear (&other);
}

static void s_open (bool batch)
{
    static const zc_upstream_t upstream = {NULL, s_subscribe, s_subscribe, s_sync, s_fetch, NULL};
    zc_hub_config_t config = {.max_lag = 64 << 20,
                              .retain = 1 << 20,
                              .retain_ms = 60000,
                              .linger_ms = 5000,
                              .heartbeat_ms = 15000,
                              .max_topics = 1};
    zc_slice_t topic = SLICE ("t");
    uv_loop_init (&s_loop);
    s_hub = zc_hub_new (&config, &upstream);
    s_pump = zc_pump_new (&s_loop, s_hub, 0);
    if (batch && !zc_pump_batch (s_pump))
        print_message ("no io_uring here: %s\n", strerror (errno));
    zc_hub_tick (s_hub, FIRST_MS);
    zc_hub_connected (s_hub);
    s_answer ();
    s_number = 0;
    for (size_t i = 0; i < CLIENTS; i++) {
        int fds[2];
        assert_int_equal (socketpair (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
        s_conns[i] = (s_conn_t){.client = {.transport = &s_transport, .fd = fds[0]}, .far = fds[1]};
        zc_hub_join (s_hub, &s_conns[i].client, &zc_encoding_sse, &topic, 1, NULL,
                     (zc_slice_t){NULL, 0});
        s_answer ();
        zc_pump_send (s_pump, &s_conns[i].client);
    }
    s_publish (1); /* from here on all follow the feed */
    for (size_t i = 0; i < CLIENTS; i++) {
        s_read (&s_conns[i]);
        s_conns[i].wire.len = 0;
    }
}

static void s_close (void)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        if (!s_conns[i].gone)
            zc_hub_leave (s_hub, &s_conns[i].client);
        close (s_conns[i].client.fd);
        if (s_conns[i].far >= 0)
            close (s_conns[i].far);
        zc_buf_clear (&s_conns[i].wire);
    }
    zc_pump_destroy (&s_pump);
    zc_hub_destroy (&s_hub);
    uv_run (&s_loop, UV_RUN_DEFAULT);
    assert_int_equal (uv_loop_close (&s_loop), 0);
}

static void s_all_read (bool batch)
{
    s_open (batch);
    for (size_t i = 1; i <= 20; i++) {
        s_publish (i * 100);
        for (size_t k = 0; k < CLIENTS; k++)
            s_read (&s_conns[k]);
    }
    s_same_for_all (20 * 21 / 2 * 100);
    const zc_pump_stats_t *stats = zc_pump_stats (s_pump);
    assert_int_equal (stats->blocked, 0);
    if (batch && stats->batches > 0)
        assert_true (stats->batches < stats->sends / 10);
    s_close ();
}

/*  Every third client reads nothing until the end, so its socket fills up in the middle of
 *  records. */
static void s_some_read (bool batch)
{
    s_open (batch);
    for (size_t i = 1; i <= 20; i++) {
        s_publish (20011);
        for (size_t k = 0; k < CLIENTS; k++)
            if (k % 3 != 1)
                s_read (&s_conns[k]);
    }
    assert_true (zc_pump_stats (s_pump)->blocked >= CLIENTS / 3);
    for (size_t k = 0; k < CLIENTS; k++)
        s_read_all (&s_conns[k]);
    s_same_for_all (20 * 20011);
    s_close ();
}

static void s_some_go (bool batch)
{
    s_open (batch);
    for (size_t i = 0; i < 100; i++) {
        size_t k = 1 + i * 2;
        close (s_conns[k].far);
        s_conns[k].far = -1;
        s_publish (300);
        assert_true (s_conns[k].gone);
    }
    for (size_t k = 0; k < CLIENTS; k++)
        if (!s_conns[k].gone)
            s_read_all (&s_conns[k]);
    s_same_for_all (100 * 300);
    s_close ();
}

static void test_all_read (void **state)
{
    (void)state;
    s_all_read (false);
    s_all_read (true);
}

static void test_some_read (void **state)
{
    (void)state;
    s_some_read (false);
    s_some_read (true);
}

static void test_some_go (void **state)
{
    (void)state;
    s_some_go (false);
    s_some_go (true);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_all_read),
        cmocka_unit_test (test_some_read),
        cmocka_unit_test (test_some_go),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
