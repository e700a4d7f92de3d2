/*  session_test.c - the connections of zcast-ws: the server runs in a thread, on a Unix socket. The
 *  test is its clients and its broker. In the end nothing may be left of any connection: valgrind
 *  sees to that. */
#define _GNU_SOURCE /* memmem, pthread_tryjoin_np */
#include "tests/unit/upstream.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/base/listen.h"
#include "lib/base/log.h"
#include "ws/close.h"

/*  The program with its options, but for its beginning. */
int zcast_ws_main (int argc, char **argv);
#define main zcast_ws_main
#include "ws/zcast-ws.c"
#undef main

#define LIMIT_MS 30000 /* far more than anything here takes */
#define CLIENTS 8

typedef struct {
    int fd; /* -1: the server has ended the connection, or there was none */
    char got[16384];
    size_t len;
} s_client_t;

typedef struct {
    upstream_t upstream;
    char path[96];
    zc_options_t *options;
    int listener, status;
    pthread_t thread;
    s_client_t clients[CLIENTS];
} s_world_t;

static void *s_server (void *arg)
{
    s_world_t *self = arg;
    self->status = zc_ws_run (self->options, self->listener, 0);
    return NULL;
}

static s_world_t *s_begin (const char *option, const char *value)
{
    s_world_t *self = calloc (1, sizeof *self);
    char error[256];
    int status;
    upstream_init (&self->upstream);
    self->upstream.last = zc_id_from_ms (zc_wall_ms ());
    snprintf (self->path, sizeof self->path, "%s/ws", self->upstream.folder);
    char *argv[] = {"session_test",
                    "--subscribe",
                    self->upstream.subscribe,
                    "--control",
                    self->upstream.control,
                    "--listen",
                    self->path,
                    "--max-message",
                    "128",
                    (char *)(uintptr_t)option,
                    (char *)(uintptr_t)value,
                    NULL};
    self->options = zc_options_new (&s_program, option ? 11 : 9, argv, &status);
    assert_non_null (self->options);
    self->listener = zc_listen (self->path, 0600, 16, error, sizeof error);
    assert_true (self->listener >= 0);
    for (size_t i = 0; i < CLIENTS; i++)
        self->clients[i].fd = -1;
    zc_log_open ("session_test", ZC_LOG_ERROR, false);
    zc_hold_signals (); /* they are for the server's thread */
    assert_int_equal (pthread_create (&self->thread, NULL, s_server, self), 0);
    return self;
}

/*  The server stops by itself once its clients have left. */
static void s_end (s_world_t *self)
{
    uint64_t end = zc_mono_ms () + LIMIT_MS;
    kill (getpid (), SIGTERM);
    for (size_t i = 0; i < CLIENTS; i++)
        if (self->clients[i].fd >= 0)
            close (self->clients[i].fd);
    while (pthread_tryjoin_np (self->thread, NULL) != 0) {
        assert_true (zc_mono_ms () < end);
        upstream_turn (&self->upstream);
        usleep (1000);
    }
    assert_int_equal (self->status, ZC_EXIT_OK);
    zc_options_destroy (&self->options);
    zc_unlisten (self->path);
    unlink (self->path);
    upstream_end (&self->upstream);
    free (self);
}

/*  Clients. */

static void s_say (s_client_t *client, const void *bytes, size_t len)
{
    assert_int_equal (send (client->fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

static s_client_t *s_connect (s_world_t *self, const char *text)
{
    s_client_t *client = self->clients;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    while (client->fd >= 0 || client->len > 0)
        client++;
    assert_true (client < self->clients + CLIENTS);
    client->fd = socket (AF_UNIX, SOCK_STREAM, 0);
    strcpy (address.sun_path, self->path);
    assert_int_equal (connect (client->fd, (struct sockaddr *)&address, sizeof address), 0);
    s_say (client, text, strlen (text));
    return client;
}

static void s_read (s_client_t *client)
{
    ssize_t got = recv (client->fd, client->got + client->len, sizeof client->got - client->len - 1,
                        MSG_DONTWAIT);
    if (got > 0) {
        client->len += (size_t)got;
        client->got[client->len] = 0;
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        close (client->fd);
        client->fd = -1;
    }
}

static bool s_has (const s_client_t *client, const char *text)
{
    return client->len > 0 && memmem (client->got, client->len, text, strlen (text));
}

/*  Waits until the client has the text; NULL: until its connection has ended. */
static void s_wait (s_world_t *self, s_client_t *client, const char *text)
{
    uint64_t end = zc_mono_ms () + LIMIT_MS;
    while (text ? !s_has (client, text) : client->fd >= 0) {
        struct pollfd one = {client->fd, POLLIN, 0};
        if (client->fd < 0 || zc_mono_ms () > end)
            fail_msg ("no '%s', but: '%s'", text ? text : "end", client->got);
        upstream_turn (&self->upstream);
        if (poll (&one, 1, 2) > 0)
            s_read (client);
    }
}

/*  What came is done with: the next client may have its place. */
static void s_forget (s_client_t *client)
{
    if (client->fd >= 0)
        close (client->fd);
    *client = (s_client_t){.fd = -1};
}

#define HOST "Host: localhost\r\n"
#define LIVE "GET /live HTTP/1.1\r\n" HOST "\r\n"
#define UPGRADE                                          \
    HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n" \
         "Sec-WebSocket-Version: 13\r\n"                 \
         "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"

static s_client_t *s_open (s_world_t *self, bool v1)
{
    s_client_t *client = s_connect (self, v1 ? "GET /ws?topic=a HTTP/1.1\r\n" UPGRADE
                                               "Sec-WebSocket-Protocol: zcast.v1\r\n\r\n"
                                             : "GET /ws?topic=a HTTP/1.1\r\n" UPGRADE "\r\n");
    s_wait (self, client, "\r\n\r\n");
    assert_non_null (strstr (client->got, "HTTP/1.1 101 "));
    client->len = 0;
    return client;
}

/*  A frame of less than 126 bytes, masked with zeros; or unmasked, which a client's may not be. */
static void s_send_frame (s_client_t *client, unsigned first, bool masked, const void *payload,
                          size_t len)
{
    uint8_t frame[256] = {(uint8_t)first, (uint8_t)(len | (masked ? 0x80 : 0))};
    memcpy (frame + 2 + (masked ? 4 : 0), payload, len);
    s_say (client, frame, 2 + (masked ? 4 : 0) + len);
}

/*  The code of the close frame, with which all ends. */
static unsigned s_close_code (const s_client_t *client)
{
    const uint8_t *at = memchr (client->got, 0x88, client->len);
    assert_non_null (at);
    assert_true (at[1] >= 2);
    return (unsigned)at[2] << 8 | at[3];
}

/*  The tests. */

/*  Each refusal has its status, and the connection goes on where the next request can be told from
 *  what is left of this one. */
static void test_refusals (void **state)
{
    static const struct {
        const char *request, *answer;
        bool stays;
    } cases[] = {
        {"GET /nowhere HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 404 ", true},
        {"POST /events?topic=a HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", "HTTP/1.1 405 ",
         true},
        {"GET /ws?topic=a HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 426 ", false},
        {"GET /ws HTTP/1.1\r\n" UPGRADE "\r\n", "HTTP/1.1 400 ", false},
        {"GET /live HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", false},
        {"GET /live HTTP/1.1\r\nHost : x\r\n\r\n", "HTTP/1.1 400 ", false},
        {"GET\r\n\r\n", "HTTP/1.1 400 ", false},
        {"GET /live HTTP/9.1\r\n" HOST "\r\n", "HTTP/1.1 505 ", false},
    };
    (void)state;
    s_world_t *self = s_begin (NULL, NULL);
    for (size_t i = 0; i < LENGTH (cases); i++) {
        s_client_t *client = s_connect (self, cases[i].request);
        s_wait (self, client, cases[i].answer);
        if (cases[i].stays) {
            client->len = 0;
            s_say (client, LIVE, sizeof LIVE - 1);
            s_wait (self, client, "HTTP/1.1 200 ");
        } else {
            shutdown (client->fd, SHUT_WR);
            s_wait (self, client, NULL);
        }
        s_forget (client);
    }
    s_end (self);
}

/*  What a client may not send ends its WebSocket, and the code says why. */
static void test_close_codes (void **state)
{
    static const struct {
        unsigned first;
        bool masked;
        const char *payload;
        size_t len;
        unsigned code;
    } cases[] = {
        {0x81, false, "{}", 2, ZC_CLOSE_PROTOCOL},
        {0x83, true, "", 0, ZC_CLOSE_PROTOCOL},
        {0xC1, true, "", 0, ZC_CLOSE_PROTOCOL}, /* RSV1 without permessage-deflate */
        {0x81, true, "\xff\xfe", 2, ZC_CLOSE_NOT_UTF8},
        {0x88, true, "\x03\xe8", 2, ZC_CLOSE_NORMAL},
        {0x88, true, "\x0f\xa0", 2, 4000},
    };
    (void)state;
    s_world_t *self = s_begin (NULL, NULL);
    for (size_t i = 0; i < LENGTH (cases); i++) {
        s_client_t *client = s_open (self, true);
        s_send_frame (client, cases[i].first, cases[i].masked, cases[i].payload, cases[i].len);
        s_wait (self, client, "\x88");
        s_wait (self, client, NULL);
        assert_int_equal (s_close_code (client), cases[i].code);
        s_forget (client);
    }
    s_client_t *client = s_open (self, true);
    static const uint8_t large[8 + 256] = {0x81, 0xFE, 0x01, 0x00};
    s_say (client, large, sizeof large);
    s_wait (self, client, "\x88");
    assert_int_equal (s_close_code (client), ZC_CLOSE_TOO_BIG);
    s_end (self);
}

/*  A command that is wrong is answered, and the WebSocket goes on. */
static void test_commands (void **state)
{
    (void)state;
    s_world_t *self = s_begin (NULL, NULL);
    s_client_t *client = s_open (self, true);
    s_send_frame (client, 0x82, true, "{}", 2);
    s_wait (self, client, "\"code\":\"json\"");
    static const char publish[] = "{\"type\":\"publish\",\"topic\":\"a\",\"data\":\"x\",\"ref\":7}";
    s_send_frame (client, 0x81, true, publish, sizeof publish - 1);
    s_wait (self, client, "\"code\":\"forbidden\"");
    static const char add[] = "{\"type\":\"subscribe\",\"topics\":[\"b\"]}";
    s_send_frame (client, 0x81, true, add, sizeof add - 1);
    s_wait (self, client, "\"topics\":[\"a\",\"b\"]");
    while (upstream_count (self->upstream.asked, "SYNC:b") == 0)
        upstream_turn (&self->upstream);
    upstream_publish (&self->upstream, "b", "news");
    s_wait (self, client, "\"data\":\"news\"");
    client->len = 0;
    static const char ping[] = "{\"type\":\"ping\"}";
    s_send_frame (client, 0x81, true, ping, sizeof ping - 1);
    s_wait (self, client, "\"pong\"");
    s_client_t *raw = s_open (self, false);
    s_send_frame (raw, 0x81, true, "x", 1); /* it may not publish */
    s_wait (self, raw, "\x88");
    assert_int_equal (s_close_code (raw), ZC_CLOSE_POLICY);
    s_end (self);
}

static void s_drain (void)
{
    kill (getpid (), SIGTERM);
}

/*  The daemon stops: everybody hears of it in the way that brings them back. */
static void test_drain (void **state)
{
    (void)state;
    s_world_t *self = s_begin ("--drain-timeout", "60s");
    s_client_t *kept = s_connect (self, LIVE);
    s_wait (self, kept, "HTTP/1.1 200 ");
    s_client_t *stream = s_connect (self, "GET /events?topic=a HTTP/1.1\r\n" HOST "\r\n");
    s_wait (self, stream, "zcast.heartbeat");
    s_client_t *v1 = s_open (self, true), *raw = s_open (self, false);
    s_client_t *half = s_connect (self, "GET /events?topic=a HTTP/1.1\r\nHo");
    s_client_t *begun = s_connect (self, "GET /live HTTP/1.1\r\nHo");
    s_client_t *whole = s_connect (self, LIVE);
    s_wait (self, whole, "HTTP/1.1 200 "); /* so those before it have been read, too */
    s_drain ();
    s_wait (self, stream, "retry:");
    s_wait (self, v1, "\"reconnect\"");
    s_wait (self, v1, "\x88");
    assert_int_equal (s_close_code (v1), ZC_CLOSE_RESTART);
    s_wait (self, raw, "\x88");
    assert_int_equal (s_close_code (raw), ZC_CLOSE_RESTART);
    s_wait (self, kept, NULL);
    s_wait (self, half, NULL); /* an EventSource comes back, as it wouldn't after 503 */
    assert_int_equal (half->len, 0);
    s_wait (self, begun, "HTTP/1.1 503 ");
    s_end (self);
}

/*  A request whose head doesn't come is told so; an EventSource would never come back then. */
static void test_half_a_head (void **state)
{
    static const struct {
        const char *sent, *answer; /* empty: the connection is closed without one */
    } cases[] = {
        {"GET /ws?topic=a HTTP/1.1\r\n", "HTTP/1.1 408 "},
        {"GET /eventsfoo", "HTTP/1.1 408 "},
        {"POST /events", "HTTP/1.1 408 "},
        {"GET /events?topic=a HTTP/1.1\r\nHost", ""},
        {"GET /events", ""},
        {"GET /ev", ""},
        {"GE", ""},
    };
    (void)state;
    s_world_t *self = s_begin ("--head-timeout", "100ms");
    for (size_t i = 0; i < LENGTH (cases); i++) {
        s_client_t *client = s_connect (self, cases[i].sent);
        if (cases[i].answer[0])
            s_wait (self, client, cases[i].answer);
        else
            s_wait (self, client, NULL);
        assert_int_equal (client->len > 0, cases[i].answer[0] != 0);
        s_forget (client);
    }
    s_end (self);
}

/*  Clients that don't close are closed once the time is over. */
static void test_abort (void **state)
{
    (void)state;
    s_world_t *self = s_begin ("--drain-timeout", "50ms");
    s_client_t *v1 = s_open (self, true);
    s_client_t *stream = s_connect (self, "GET /events?topic=a HTTP/1.1\r\n" HOST "\r\n");
    s_wait (self, stream, "zcast.heartbeat");
    s_drain ();
    s_wait (self, v1, NULL); /* it never answers the close frame */
    s_wait (self, stream, NULL);
    s_end (self);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_refusals),    cmocka_unit_test (test_close_codes),
        cmocka_unit_test (test_commands),    cmocka_unit_test (test_drain),
        cmocka_unit_test (test_half_a_head), cmocka_unit_test (test_abort),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
