/*  Requests: from variables and from fields, through the decisions in their order, to the answer
 *  of a door. The carrier here records what it is given. */
#include "tests/unit/unit.h"

#include "lib/front/events.h"
#include "lib/front/front.h"

/*  ---------------------------------------------------------------- a front with nothing behind it
 */

static const zc_option_t s_options[] = {
    ZC_FRONT_OPTIONS ("0", "0"),
    ZC_WORKER_OPTIONS,
    ZC_OPTION_END,
};
static const zc_program_t s_program = {
    .program = "front_test", .usage = "", .summary = "", .options = s_options, .keys = ""};

typedef struct {
    zc_exchange_t exchange; /* must be first */
    zc_buf_t answer;        /* as CGI */
    unsigned answers;
    bool cut;
} s_carried_t;

static void s_on_answer (zc_exchange_t *exchange, const zc_response_t *response)
{
    s_carried_t *self = (s_carried_t *)exchange;
    self->answers++;
    self->cut = response->cut;
    zc_response_write_cgi (response, exchange->request.method == ZC_METHOD_HEAD, &self->answer);
}

static zc_client_t *s_on_stream (zc_exchange_t *exchange, const zc_response_t *response)
{
    (void)exchange, (void)response;
    fail ();
    return NULL;
}

static bool s_room = true;
static bool s_has_room (zc_exchange_t *exchange)
{
    (void)exchange;
    return s_room;
}

static const zc_carrier_t s_carrier = {"test", s_on_answer, s_on_stream, s_has_room, NULL};

/*  A door that gathers its body, and answers with it, or refuses a certain word. */
static void s_gather_open (zc_exchange_t *exchange)
{
    exchange->state = calloc (1, sizeof (zc_buf_t));
    if (zc_slice_is (exchange->request.query, "no"))
        zc_exchange_refuse (exchange, 503, "no", "not now");
}

static void s_gather_body (zc_exchange_t *exchange, const void *bytes, size_t len)
{
    zc_buf_add (exchange->state, bytes, len);
}

static void s_gather_end (zc_exchange_t *exchange)
{
    zc_response_t response;
    zc_response_init (&response, 200);
    zc_response_text (&response, zc_buf_str (exchange->state));
    zc_exchange_answer (exchange, &response);
    zc_response_clear (&response);
}

static unsigned s_gone;
static void s_gather_gone (zc_exchange_t *exchange)
{
    s_gone++;
    zc_buf_clear (exchange->state);
    free (exchange->state);
}

static const zc_door_t s_gather = {.name = "gather",
                                   .methods = ZC_METHOD_POST,
                                   .open = s_gather_open,
                                   .body = s_gather_body,
                                   .end = s_gather_end,
                                   .gone = s_gather_gone};

typedef struct {
    zc_options_t *options;
    zc_front_t front;
} s_front_t;

static void s_start (s_front_t *self, int argc, char **argv)
{
    int status;
    self->options = zc_options_new (&s_program, argc, argv, &status);
    assert_non_null (self->options);
    zc_front_init (&self->front, NULL, self->options);
    zc_front_open (&self->front, "/events", &zc_door_events);
    zc_front_open (&self->front, "/gather", &s_gather);
}

static void s_stop (s_front_t *self)
{
    zc_front_clear (&self->front);
    zc_options_destroy (&self->options);
}

#define START(self, ...)                                       \
    s_front_t self;                                            \
    char *self##_argv[] = {"front_test", ##__VA_ARGS__, NULL}; \
    s_start (&self, (int)(sizeof self##_argv / sizeof *self##_argv) - 1, self##_argv)

/*  Begins a request; `fields` are names and values in turn, NULL at the end. */
static void s_begin (s_front_t *front, s_carried_t *self, zc_method_t method, const char *path,
                     const char *query, const char *const *fields)
{
    memset (self, 0, sizeof *self);
    zc_request_t *request = &self->exchange.request;
    zc_request_init (request);
    request->method = method;
    request->path = (zc_slice_t){path, strlen (path)};
    request->query = (zc_slice_t){query, strlen (query)};
    for (; fields && *fields; fields += 2) {
        int field = zc_field_find ((zc_slice_t){fields[0], strlen (fields[0])});
        if (strcmp (fields[0], "peer") == 0)
            request->peer = (zc_slice_t){fields[1], strlen (fields[1])};
        else if (strcmp (fields[0], "length") == 0)
            request->body = atoi (fields[1]);
        else
            zc_request_add (request, (zc_field_t)field,
                            (zc_slice_t){fields[1], strlen (fields[1])});
    }
    self->exchange.front = &front->front;
    self->exchange.carrier = &s_carrier;
    zc_front_begin (&self->exchange);
}

static void s_end (s_carried_t *self)
{
    zc_exchange_clear (&self->exchange);
    zc_buf_clear (&self->answer);
}

/*  One request that is answered at once. The answer has each of the parts, in any order; it
 *  doesn't have a part that begins with '!'. */
static void s_expect (s_front_t *front, zc_method_t method, const char *path, const char *query,
                      const char *const *fields, const char *const *parts)
{
    s_carried_t carried;
    s_begin (front, &carried, method, path, query, fields);
    assert_int_equal (carried.answers, 1);
    assert_true (carried.exchange.over);
    const char *text = zc_buf_str (&carried.answer);
    for (; *parts; parts++) {
        bool not = **parts == '!';
        if ((strstr (text, *parts + not ) != NULL) == not )
            fail_msg ("%s?%s: %s in: %s", path, query, *parts, text);
    }
    s_end (&carried);
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NONE ((const char *const[]){NULL})

/*  ---------------------------------------------------------------- names */

static void test_names (void **state)
{
    (void)state;
    for (unsigned i = 0; i < ZC_FIELD_COUNT; i++) {
        const char *name = zc_cgi_name (i);
        char lower[64], variable[64] = "HTTP_";
        for (size_t j = 0; j <= strlen (name); j++) {
            bool letter = (name[j] | 32) >= 'a' && (name[j] | 32) <= 'z';
            lower[j] = letter ? (char)(name[j] | 32) : name[j];
            variable[5 + j] = name[j] == '-' ? '_' : letter ? (char)(name[j] & ~32) : name[j];
        }
        assert_int_equal (zc_field_find ((zc_slice_t){name, strlen (name)}), i);
        assert_int_equal (zc_field_find ((zc_slice_t){lower, strlen (lower)}), i);
        assert_int_equal (zc_cgi_find ((zc_slice_t){variable, strlen (variable)}), i);
        assert_int_equal (zc_cgi_find ((zc_slice_t){name, strlen (name)}), -1);
        /*  A name with _ is a different name: proxies pass it on unchecked. */
        if (strchr (name, '-'))
            assert_int_equal (zc_field_find ((zc_slice_t){variable + 5, strlen (variable) - 5}),
                              -1);
    }
    for (unsigned i = ZC_FIELD_COUNT; i < ZC_VARIABLE_COUNT; i++) {
        const char *name = zc_cgi_name (i);
        assert_int_equal (zc_cgi_find ((zc_slice_t){name, strlen (name)}), i);
        assert_int_equal (zc_field_find ((zc_slice_t){name, strlen (name)}), -1);
    }
    assert_int_equal (zc_cgi_find (SLICE ("CONTENT_TYPE")), ZC_FIELD_CONTENT_TYPE);
    assert_int_equal (zc_cgi_find (SLICE ("HTTP_")), -1);
    assert_int_equal (zc_cgi_find (SLICE ("")), -1);
    assert_int_equal (zc_cgi_find (SLICE ("HTTP_HOSTS")), -1);
    assert_int_equal (zc_field_find (SLICE ("")), -1);
    assert_int_equal (zc_field_find (SLICE ("Hose")), -1);
}

/*  RFC 9110 §5.3. */
static void test_repeated_fields (void **state)
{
    (void)state;
    zc_request_t request;
    zc_request_init (&request);
    assert_int_equal (zc_request_add (&request, ZC_FIELD_ORIGIN, SLICE ("a")), 0);
    assert_int_equal (zc_request_add (&request, ZC_FIELD_ORIGIN, SLICE ("a")), -1);
    assert_int_equal (zc_request_add (&request, ZC_FIELD_ACCEPT, SLICE ("a")), 0);
    assert_int_equal (zc_request_add (&request, ZC_FIELD_ACCEPT, SLICE ("")), 0);
    assert_int_equal (zc_request_add (&request, ZC_FIELD_ACCEPT, SLICE ("b, c")), 0);
    assert_int_equal (zc_request_add (&request, ZC_FIELD_COOKIE, SLICE ("a=1")), 0);
    assert_int_equal (zc_request_add (&request, ZC_FIELD_COOKIE, SLICE ("b=2")), 0);
    assert_slice (request.fields[ZC_FIELD_ACCEPT], "a, , b, c");
    assert_slice (request.fields[ZC_FIELD_COOKIE], "a=1; b=2");
    zc_request_clear (&request);
    zc_request_clear (&request);
}

static void test_variables (void **state)
{
    (void)state;
    static const struct {
        const char *uri, *script, *query, *length, *path;
        int64_t body;
        int rc;
    } rows[] = {
        {"/events?topic=a?b", "/x", "topic=a?b", "", "/events", ZC_BODY_UNKNOWN, 0},
        {"", "/events", "", "0", "/events", 0, 0},
        {"/publish", "", "", "17", "/publish", 17, 0},
        {"", "", "", "", "", ZC_BODY_UNKNOWN, 0},
        {"?topic=a", "/events", "topic=a", "", "/events", ZC_BODY_UNKNOWN, 0},
        {"/", "", "", "x", "/", ZC_BODY_UNKNOWN, -1},
        {"/", "", "", "-1", "/", ZC_BODY_UNKNOWN, 0},
        {"/", "", "", "-2", "/", ZC_BODY_UNKNOWN, -1},
        {"/", "", "", "-10", "/", ZC_BODY_UNKNOWN, -1},
        {"/", "", "", "99999999999999999999", "/", ZC_BODY_UNKNOWN, -1},
    };
    for (size_t i = 0; i < LENGTH (rows); i++) {
        zc_slice_t values[ZC_VARIABLE_COUNT] = {{NULL, 0}};
        zc_request_t request;
        values[ZC_VARIABLE_REQUEST_METHOD] = SLICE ("POST");
        values[ZC_VARIABLE_REQUEST_URI] = (zc_slice_t){rows[i].uri, strlen (rows[i].uri)};
        values[ZC_VARIABLE_SCRIPT_NAME] = (zc_slice_t){rows[i].script, strlen (rows[i].script)};
        values[ZC_VARIABLE_QUERY_STRING] = (zc_slice_t){rows[i].query, strlen (rows[i].query)};
        values[ZC_VARIABLE_CONTENT_LENGTH] = (zc_slice_t){rows[i].length, strlen (rows[i].length)};
        values[ZC_VARIABLE_REMOTE_PORT] = SLICE ("70000");
        values[ZC_FIELD_ORIGIN] = SLICE ("");
        assert_int_equal (zc_request_from_variables (&request, values), rows[i].rc);
        assert_slice (request.path, rows[i].path);
        assert_slice (request.query, rows[i].query);
        assert_int_equal (request.body, rows[i].body);
        assert_int_equal (request.method, ZC_METHOD_POST);
        assert_int_equal (request.port, 0);
        assert_null (request.fields[ZC_FIELD_ORIGIN].at);
        zc_request_clear (&request);
    }
}

/*  ---------------------------------------------------------------- the decisions */

static void test_paths_and_methods (void **state)
{
    (void)state;
    START (front);
    s_expect (&front, ZC_METHOD_GET, "/nothing", "", NONE,
              LIST ("Status: 404 Not Found\r\n", "\r\n\r\nno such path\n"));
    s_expect (&front, ZC_METHOD_GET, "", "", NONE, LIST ("Status: 404 "));
    s_expect (&front, ZC_METHOD_GET, "/events/", "topic=a", NONE, LIST ("Status: 404 "));
    s_expect (&front, ZC_METHOD_OPTIONS, "*", "", NONE, LIST ("Status: 204 ", "\r\nAllow: "));
    s_expect (&front, ZC_METHOD_POST, "/events", "topic=a", NONE,
              LIST ("Status: 405 Method Not Allowed\r\n", "\r\nAllow: GET, HEAD, OPTIONS\r\n",
                    "\r\n\r\nmethod not allowed: use GET\n"));
    s_expect (&front, ZC_METHOD_OTHER, "/events", "topic=a", NONE, LIST ("Status: 405 "));
    s_expect (&front, ZC_METHOD_GET, "/gather", "", NONE,
              LIST ("Status: 405 ", "\r\nAllow: OPTIONS, POST\r\n", "use POST\n"));
    s_expect (&front, ZC_METHOD_OPTIONS, "/events", "", NONE,
              LIST ("Status: 204 No Content\r\nAllow: GET, HEAD, OPTIONS\r\n", "nosniff\r\n\r\n"));
    front.front.fallback = &zc_door_events;
    s_expect (&front, ZC_METHOD_GET, "/nothing", "", NONE, LIST ("Status: 400 ", "no topic"));
    s_stop (&front);
}

static const struct {
    const char *query, *says; /* a part of the error; NULL: good */
} s_streams[] = {
    {"topic=a", NULL},
    {"topic=a%2Fb+c&topic=%C3%BC&x=y", NULL},
    {"topic=a&format=zcast.v1", NULL},
    {"topic=a&lastEventId=5-0", NULL},
    {"topic=a&last_event_id=earliest", NULL},
    {"", "no topic"},
    {"topics=a", "no topic"},
    {"topic=", "a topic is"},
    {"topic=a&topic=%0A", "a topic is"},
    {"topic=a%2", "percent-escape"},
    {"topic=1&topic=2&topic=3&topic=4", "too many topics: at most 3"},
    {"topic=a&format=xml", "unknown format"},
    {"topic=a&format=", "unknown format"},
};

static void test_streams (void **state)
{
    (void)state;
    START (front, "--max-topics=3");
    for (size_t i = 0; i < LENGTH (s_streams); i++) {
        const char *says = s_streams[i].says;
        if (says)
            s_expect (&front, ZC_METHOD_GET, "/events", s_streams[i].query, NONE,
                      LIST ("Status: 400 Bad Request\r\n", "Content-Type: text/plain", says));
        s_expect (&front, ZC_METHOD_HEAD, "/events", s_streams[i].query, NONE,
                  says ? LIST ("Status: 400 ", "!topic")
                       : LIST ("Status: 200 OK\r\n", "\r\nContent-Type: text/event-stream\r\n",
                               "\r\nCache-Control: no-cache, no-transform\r\n",
                               "\r\nX-Accel-Buffering: no\r\n", "!retry", "!Access-Control"));
    }
    s_stop (&front);
}

/*  A browser gives up for good on any status but 200. */
static void test_no_room_for_a_stream (void **state)
{
    (void)state;
    START (front);
    for (int draining = 0; draining < 2; draining++) {
        s_carried_t carried;
        s_room = draining;
        front.front.draining = draining;
        s_begin (&front, &carried, ZC_METHOD_GET, "/events", "topic=a", NONE);
        assert_int_equal (carried.answers, 1);
        assert_true (carried.cut);
        const char *text = zc_buf_str (&carried.answer);
        assert_non_null (strstr (text, "Status: 200 OK\r\nContent-Type: text/event-stream\r\n"));
        const char *body = strstr (text, "\r\n\r\n");
        assert_string_equal (body + 4, ": busy\nretry: 2000\n");
        s_end (&carried);
    }
    assert_int_equal (front.front.stats.refused, 2);
    s_room = true;
    s_stop (&front);
}

static void test_cors (void **state)
{
    (void)state;
    START (none);
    START (any, "--cors-origin=*");
    START (named, "--cors-origin=https://a.example", "--cors-origin=https://b.example");
    const char *const *b = LIST ("Origin", "https://b.example", "Host", "zcast.example");
    const char *const *c = LIST ("Origin", "https://c.example");
    s_expect (&none, ZC_METHOD_OPTIONS, "/events", "", b, LIST ("Status: 204", "!Access-Control"));
    s_expect (&any, ZC_METHOD_HEAD, "/events", "topic=a", b,
              LIST ("Access-Control-Allow-Origin: *\r\n", "!Credentials"));
    s_expect (&any, ZC_METHOD_HEAD, "/events", "topic=a", NONE, LIST ("!Access-Control"));
    s_expect (&any, ZC_METHOD_HEAD, "/events", "topic=a", LIST ("Origin", "a\x01"),
              LIST ("!Access-Control"));
    s_expect (&named, ZC_METHOD_OPTIONS, "/events", "", b,
              LIST ("Access-Control-Allow-Origin: https://b.example\r\n",
                    "Access-Control-Allow-Credentials: true\r\n", "Vary: Origin\r\n",
                    "Access-Control-Allow-Methods: GET, HEAD, OPTIONS\r\n",
                    "Access-Control-Allow-Headers: Last-Event-ID"));
    s_expect (&named, ZC_METHOD_OPTIONS, "/events", "", c, LIST ("Status: 204", "!Access-Control"));
    /*  Refusals carry it, too: otherwise a page can't see the reason. */
    s_expect (&named, ZC_METHOD_GET, "/nothing", "", b, LIST ("404", "Allow-Origin: https://b"));
    s_expect (&named, ZC_METHOD_GET, "/events", "", b, LIST ("400", "Allow-Origin: https://b"));
    s_expect (&named, ZC_METHOD_POST, "/events", "", b, LIST ("405", "Allow-Origin: https://b"));
    s_expect (&named, ZC_METHOD_POST, "/gather", "no", b,
              LIST ("503", "Retry-After: 2", "Allow-Origin: https://b"));
    s_room = false;
    s_expect (&named, ZC_METHOD_GET, "/events", "topic=a", b,
              LIST ("Status: 200", "retry: ", "Allow-Origin: https://b"));
    s_room = true;
    s_stop (&none);
    s_stop (&any);
    s_stop (&named);
}

/*  A page of the site itself, and one that is configured, may read and write; with "*" in
 *  cors-origin every page may read, also on a WebSocket on which clients can't publish. */
static void test_pages (void **state)
{
    (void)state;
    START (none);
    START (front, "--cors-origin=https://a.example", "--cors-origin=*");
    START (named, "--allow-origin=https://a.example");
    START (any, "--allow-origin=*");
    static const struct {
        const char *origin, *host;
        bool may;
    } rows[] = {
        {NULL, "zcast.example", true},
        {"https://a.example", "zcast.example", true},
        {"https://b.example", "zcast.example", false},
        {"https://b.example", "b.example", true},
        {"http://B.example:81", "b.EXAMPLE:81", true},
        {"http://b.example:81", "b.example", false},
        {"http://b.example", "b.example.org", false},
        {"http://evil.b.example", "b.example", false},
        {"http://b.example", NULL, false},
        {"null", "null", false},
        {"", "", false},
        {"b.example", "b.example", false},
        {"http://\x01", "\x01", false},
    };
    for (size_t i = 0; i < LENGTH (rows); i++) {
        zc_request_t request;
        zc_request_init (&request);
        if (rows[i].origin)
            request.fields[ZC_FIELD_ORIGIN] = (zc_slice_t){rows[i].origin, strlen (rows[i].origin)};
        if (rows[i].host)
            request.fields[ZC_FIELD_HOST] = (zc_slice_t){rows[i].host, strlen (rows[i].host)};
        zc_cors_t cors = zc_cors_check (front.options, &request, false);
        if (zc_cors_may_write (&cors) != rows[i].may)
            fail_msg ("row %zu", i);
        assert_true (zc_cors_may_ask (&cors) && zc_cors_may_open (&cors, false));
        assert_int_equal (zc_cors_may_open (&cors, true), rows[i].may);
        cors = zc_cors_check (named.options, &request, false);
        assert_int_equal (zc_cors_may_ask (&cors), rows[i].may);
        assert_int_equal (zc_cors_may_write (&cors), rows[i].may);
        assert_int_equal (zc_cors_may_open (&cors, true), rows[i].may);
        assert_int_equal (zc_cors_may_open (&cors, false), rows[i].may);
        cors = zc_cors_check (none.options, &request, false);
        assert_int_equal (zc_cors_may_ask (&cors), rows[i].may && i != 1);
        assert_int_equal (zc_cors_may_write (&cors), rows[i].may && i != 1);
        assert_int_equal (zc_cors_may_open (&cors, false), rows[i].may && i != 1);
        cors = zc_cors_check (any.options, &request, false);
        assert_true (zc_cors_may_write (&cors) && zc_cors_may_open (&cors, true));
        /*  The host that the proxy was asked for, if the proxy is trusted. */
        request.fields[ZC_FIELD_X_FORWARDED_HOST] = SLICE ("b.example, inner");
        cors = zc_cors_check (front.options, &request, true);
        assert_int_equal (zc_cors_may_write (&cors), rows[i].may || i == 2 || i == 6 || i == 8);
    }
    s_stop (&none);
    s_stop (&front);
    s_stop (&named);
    s_stop (&any);
}

static void test_addresses (void **state)
{
    (void)state;
#define LOCAL "--trust-proxy=local"
#define ALWAYS "--trust-proxy=always"
#define NEVER "--trust-proxy=never"
#define NAMED "--trust-proxy=192.0.2.0/25", "--trust-proxy=2001:db8:1::/48"
#define FORWARDED "--forwarded=forwarded"
    static const struct {
        const char *peer, *said;
        char *options[4];
        const char *counts; /* NULL: nothing; "!": it is refused */
    } rows[] = {
        {"192.0.2.1", NULL, {NULL}, "192.0.2.1"},
        {"192.0.2.1", "198.51.100.1", {NULL}, "192.0.2.1"},
        {"127.0.0.1", NULL, {NULL}, NULL},
        {"127.9.9.9", "198.51.100.1, 192.0.2.7", {LOCAL}, "192.0.2.7"},
        {"", "::1, 192.0.2.7:80", {LOCAL}, "192.0.2.7"},
        {"::1", "2001:db8::1 ,,", {LOCAL}, "2001:db8::1"},
        {"::ffff:127.0.0.1", "[2001:db8::1]:443", {LOCAL}, "2001:db8::1"},
        {"127.0.0.1", "unknown", {LOCAL}, "unknown"},
        {"127.0.0.1", "[::1", {LOCAL}, "!"},
        {"127.0.0.1", "198.51.100.1, what", {LOCAL}, "!"},
        {"127.0.0.1", "what, 198.51.100.1", {LOCAL}, "198.51.100.1"},
        {"127.0.0.1", "127.0.0.1", {LOCAL}, NULL},
        {"127.0.0.1", "192.0.2.7, 127.0.0.1", {LOCAL}, "192.0.2.7"},
        {"127.0.0.1", "192.0.2.7, 127.0.0.2", {LOCAL}, "127.0.0.2"},
        {"127.0.0.1", "192.0.2.7, 127.0.0.2", {LOCAL, "--trust-proxy=127.0.0.0/8"}, "192.0.2.7"},
        {"127.0.0.1", "1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17.18.19", {LOCAL}, "!"},
        {"192.0.2.1", "what", {LOCAL}, "192.0.2.1"},
        {"192.0.2.1", "198.51.100.1", {ALWAYS}, "198.51.100.1"},
        {"192.0.2.1", "198.51.100.1, 127.0.0.1", {ALWAYS}, "127.0.0.1"},
        {"127.0.0.1", "198.51.100.1", {NEVER}, "127.0.0.1"},
        {"", "198.51.100.1", {NEVER}, NULL},
        /*  Some networks: the last one that isn't in them. */
        {"192.0.2.1", "198.51.100.1", {NAMED}, "198.51.100.1"},
        {"192.0.2.128", "198.51.100.1", {NAMED}, "192.0.2.128"},
        {"::ffff:192.0.2.1", "198.51.100.1", {NAMED}, "198.51.100.1"},
        {"2001:db8:1::9",
         "203.0.113.1, 198.51.100.1, 192.0.2.3, 2001:db8:1:2::3",
         {NAMED},
         "198.51.100.1"},
        {"192.0.2.1", "192.0.2.2, 192.0.2.3", {NAMED}, "192.0.2.2"},
        {"192.0.2.1", "127.0.0.1", {NAMED}, "127.0.0.1"},
        {"192.0.2.1", NULL, {NAMED}, "192.0.2.1"},
        {"127.0.0.1", "198.51.100.1", {NAMED}, "127.0.0.1"},
        {"127.0.0.1", "198.51.100.1", {NAMED, LOCAL}, "198.51.100.1"},
        /*  The other field. */
        {"127.0.0.1", "for=\"[2001:db8::1]:80\"", {FORWARDED}, "2001:db8::1"},
        {"127.0.0.1", "for=1.2.3.4, for=192.0.2.7;by=127.0.0.1", {FORWARDED}, "192.0.2.7"},
        {"127.0.0.1", "for=_secret", {FORWARDED}, "_secret"},
        {"127.0.0.1", "for=\"1.2.3.4, for=192.0.2.7", {FORWARDED}, "!"},
        {"198.51.100.1", "for=\"1.2.3.4, for=192.0.2.7", {FORWARDED}, "198.51.100.1"},
    };
    for (size_t i = 0; i < LENGTH (rows); i++) {
        s_front_t front;
        zc_hop_t text;
        zc_request_t request;
        char *argv[6] = {"front_test"};
        int argc = 1;
        for (; rows[i].options[argc - 1]; argc++)
            argv[argc] = rows[i].options[argc - 1];
        s_start (&front, argc, argv);
        zc_request_init (&request);
        request.peer = (zc_slice_t){rows[i].peer, strlen (rows[i].peer)};
        if (rows[i].said) {
            bool other = front.front.trust.field == ZC_FIELD_FORWARDED;
            request.fields[ZC_FIELD_FORWARDED] = SLICE ("for=203.0.113.9");
            request.fields[ZC_FIELD_X_FORWARDED_FOR] = SLICE ("203.0.113.9");
            request.fields[other ? ZC_FIELD_FORWARDED : ZC_FIELD_X_FORWARDED_FOR] =
                (zc_slice_t){rows[i].said, strlen (rows[i].said)};
        }
        int rc = zc_address_of (&request, &front.front.trust, text);
        const char *counts = rc < 0 ? "!" : rc == 0 ? "-" : text;
        if (strcmp (counts, rows[i].counts ? rows[i].counts : "-") != 0)
            fail_msg ("row %zu, %s says %s: %s", i, rows[i].peer, rows[i].said, counts);
        s_stop (&front);
    }
}

static void test_whom_to_trust (void **state)
{
    (void)state;
    const char *good[] = {"local",        "always", "never",         "192.0.2.1",
                          "192.0.2.0/24", "::1",    "2001:db8::/32", "0.0.0.0/0",
                          "192.0.2.1/32", "::/0",   "::/128"};
    const char *bad[] = {"",    "Local",  "example.org", "192.0.2.0/33", "192.0.2.0/",  "192.0.2",
                         "/24", "::/129", "[::1]",       "192.0.2.0/-1", "192.0.2.1:80"};
    for (size_t i = 0; i < LENGTH (good); i++)
        assert_null (zc_trust_check (good[i]));
    for (size_t i = 0; i < LENGTH (bad); i++)
        assert_non_null (zc_trust_check (bad[i]));
}

/*  A trusted proxy that sends a malformed address is refused, and counted. */
static void test_a_malformed_address (void **state)
{
    (void)state;
    START (front, "--forwarded=forwarded");
    s_expect (&front, ZC_METHOD_GET, "/events", "topic=a",
              LIST ("peer", "127.0.0.1", "Forwarded", "for=\"1.2.3.4"),
              LIST ("Status: 400 Bad Request\r\n", "the client's address is malformed\n"));
    assert_int_equal (front.front.stats.proxies, 1);
    assert_int_equal (front.front.stats.errors, 1);
    s_stop (&front);
}

/*  A stream's path refuses in its own way, any other path by a status. A client that leaves
 *  makes room. */
static void test_limits_of_an_address (void **state)
{
    (void)state;
    START (front, "--max-connections-per-address=1");
    s_carried_t first;
    const char *const *from = LIST ("peer", "192.0.2.1", "length", "5");
    s_begin (&front, &first, ZC_METHOD_POST, "/gather", "", from);
    assert_int_equal (first.answers, 0);
    s_expect (
        &front, ZC_METHOD_POST, "/gather", "", from,
        LIST ("Status: 429 Too Many Requests\r\n", "Retry-After: 2\r\n", "from this address\n"));
    s_expect (&front, ZC_METHOD_GET, "/events", "topic=a", from,
              LIST ("Status: 200 ", "text/event-stream", "retry: "));
    s_expect (&front, ZC_METHOD_POST, "/gather", "no", LIST ("peer", "192.0.2.2"), LIST ("503"));
    s_expect (&front, ZC_METHOD_POST, "/gather", "no", LIST ("peer", "127.0.0.1"), LIST ("503"));
    assert_int_equal (front.front.stats.limited, 2);
    s_end (&first);
    s_expect (&front, ZC_METHOD_POST, "/gather", "no", from, LIST ("503"));
    assert_int_equal (zc_addresses_size (front.front.addresses), 0);
    s_stop (&front);
}

/*  Only streams take room: short requests are served when there is none. */
static void test_room_for_clients (void **state)
{
    (void)state;
    START (front, "--max-clients=2");
    front.front.clients = 2;
    s_expect (&front, ZC_METHOD_GET, "/events", "topic=a", NONE,
              LIST ("Status: 200 ", ": busy\nretry: "));
    s_expect (&front, ZC_METHOD_POST, "/gather", "no", NONE, LIST ("503", "not now"));
    assert_int_equal (front.front.stats.limits[ZC_LIMIT_CLIENTS], 1);
    front.front.clients = 1;
    s_expect (&front, ZC_METHOD_HEAD, "/events", "topic=a", NONE, LIST ("Status: 200 ", "!busy"));
    s_room = false;
    s_expect (&front, ZC_METHOD_GET, "/events", "topic=a", NONE, LIST (": busy\n"));
    s_room = true;
    assert_int_equal (front.front.stats.limits[ZC_LIMIT_CLIENTS], 2);
    s_stop (&front);
}

/*  Streams and WebSockets count as connects even if they are refused for another reason. */
static void test_connects_of_an_address (void **state)
{
    (void)state;
    START (front, "--connect-rate=1", "--connect-burst=2");
    const char *const *from = LIST ("peer", "192.0.2.1");
    s_expect (&front, ZC_METHOD_HEAD, "/events", "topic=a", from, LIST ("Status: 200 "));
    s_expect (&front, ZC_METHOD_GET, "/events", "", from, LIST ("Status: 400 "));
    s_expect (&front, ZC_METHOD_GET, "/events", "topic=a", from, LIST (": busy\nretry: "));
    s_expect (&front, ZC_METHOD_POST, "/gather", "no", from, LIST ("not now"));
    s_expect (&front, ZC_METHOD_HEAD, "/events", "topic=a", LIST ("peer", "192.0.2.2"),
              LIST ("Status: 200 ", "!busy"));
    assert_int_equal (front.front.stats.limits[ZC_LIMIT_ADDRESS_CONNECTS], 1);
    s_stop (&front);
}

/*  ---------------------------------------------------------------- the guard */

static char s_asked[64];

static zc_denial_t s_token (void *arg, zc_exchange_t *exchange)
{
    zc_slice_t token = exchange->request.fields[ZC_FIELD_AUTHORIZATION];
    strcat (s_asked, "token ");
    if (token.len == 0)
        return (zc_denial_t){.status = 401,
                             .code = "token",
                             .text = "no token",
                             .field = "WWW-Authenticate",
                             .value = "Bearer"};
    exchange->subject = arg;
    return (zc_denial_t){0};
}

static zc_denial_t s_subject (void *arg, zc_exchange_t *exchange)
{
    strcat (s_asked, "subject ");
    assert_ptr_equal (exchange->subject, arg);
    bool busy = zc_slice_is (exchange->request.fields[ZC_FIELD_AUTHORIZATION], "busy");
    return busy ? (zc_denial_t){.status = 429, .code = "limit", .text = "too much"}
                : (zc_denial_t){0};
}

static zc_denial_t s_grants (void *arg, zc_exchange_t *exchange, zc_action_t action,
                             const zc_slice_t *topics, size_t count)
{
    (void)arg, (void)exchange;
    strcat (s_asked, "grants ");
    assert_int_equal (action, ZC_ACTION_SUBSCRIBE);
    assert_int_equal (count, 1);
    return zc_slice_is (topics[0], "secret")
               ? (zc_denial_t){.status = 403, .code = "grant", .text = "not this topic"}
               : (zc_denial_t){0};
}

static void s_forget (void *arg, zc_exchange_t *exchange)
{
    (void)arg, (void)exchange;
    strcat (s_asked, "forget");
}

static void test_guard (void **state)
{
    (void)state;
    START (front, "--max-connections-per-address=1");
    front.front.guard = (zc_guard_t){s_asked, s_token, s_subject, s_grants, NULL, s_forget};
    static const struct {
        zc_method_t method;
        const char *token, *query, *answer, *asked;
    } rows[] = {
        {ZC_METHOD_OPTIONS, NULL, "topic=a", "Status: 204", ""},
        {ZC_METHOD_POST, NULL, "topic=a", "Status: 405", ""},
        {ZC_METHOD_HEAD, NULL, "topic=a", "Status: 401 Unauthorized\r\nWWW-Authenticate: Bearer",
         "token "},
        {ZC_METHOD_GET, "busy", "topic=a", "Status: 200 OK", "token subject forget"},
        {ZC_METHOD_HEAD, "good", "topic=secret", "Status: 403", "token subject grants forget"},
        {ZC_METHOD_HEAD, "good", "topic=a", "Status: 200", "token subject grants forget"},
        {ZC_METHOD_HEAD, "good", "", "Status: 400", "token subject forget"},
    };
    for (size_t i = 0; i < LENGTH (rows); i++) {
        *s_asked = 0;
        s_expect (&front, rows[i].method, "/events", rows[i].query,
                  rows[i].token ? LIST ("Authorization", rows[i].token) : NONE,
                  LIST (rows[i].answer));
        assert_string_equal (s_asked, rows[i].asked);
    }
    s_stop (&front);
}

/*  What keeper.c does before and after it looks at a token. */
static zc_denial_t s_look (void *arg, zc_exchange_t *exchange)
{
    (void)arg;
    if (!zc_exchange_may_fail (exchange, 1))
        return zc_front_limit (exchange->front, ZC_LIMIT_ADDRESS_FAILURES);
    if (!zc_slice_is (exchange->request.fields[ZC_FIELD_AUTHORIZATION], "good"))
        return (zc_denial_t){.status = 401, .code = "token", .text = "bad"};
    zc_exchange_may_fail (exchange, -1);
    return (zc_denial_t){0};
}

/*  Bad ones cost their address, good ones don't; whoever has spent all isn't looked at. */
static void test_bad_tokens_of_an_address (void **state)
{
    (void)state;
    START (front, "--failure-rate=1", "--failure-burst=2", "--address-rate=0");
    front.front.guard = (zc_guard_t){s_asked, s_look, NULL, NULL, NULL, NULL};
    const char *const *good = LIST ("peer", "192.0.2.1", "Authorization", "good");
    const char *const *bad = LIST ("peer", "192.0.2.1", "Authorization", "bad");
    for (int i = 0; i < 5; i++)
        s_expect (&front, ZC_METHOD_HEAD, "/events", "topic=a", good, LIST ("Status: 200 "));
    for (int i = 0; i < 2; i++)
        s_expect (&front, ZC_METHOD_POST, "/gather", "", bad, LIST ("Status: 401 "));
    s_expect (&front, ZC_METHOD_POST, "/gather", "", bad,
              LIST ("Status: 429 ", "Retry-After: ", "bad tokens"));
    s_expect (&front, ZC_METHOD_GET, "/events", "topic=a", good, LIST (": busy\nretry: "));
    s_expect (&front, ZC_METHOD_HEAD, "/events", "topic=a",
              LIST ("peer", "192.0.2.2", "Authorization", "good"), LIST ("Status: 200 "));
    assert_int_equal (front.front.stats.limits[ZC_LIMIT_ADDRESS_FAILURES], 2);
    s_stop (&front);
}

/*  ---------------------------------------------------------------- bodies and answers */

static void test_bodies (void **state)
{
    (void)state;
    START (front);
    static const struct {
        const char *length, *body[3], *answer;
        bool end;
    } rows[] = {
        {"10", {"hello", "", "world"}, "\r\n\r\nhelloworld\n", false},
        {"0", {NULL}, "\r\n\r\n\n", false},
        {"-1", {"hel", "lo"}, "\r\n\r\nhello\n", true},
        {"-1", {NULL}, "\r\n\r\n\n", true},
        {"4", {"hello"}, "Status: 400 ", false},
        {"6", {"hello"}, "Status: 400 ", true},
    };
    for (size_t i = 0; i < LENGTH (rows); i++) {
        s_carried_t carried;
        s_gone = 0;
        s_begin (&front, &carried, ZC_METHOD_POST, "/gather", "", LIST ("length", rows[i].length));
        for (size_t j = 0; j < 3 && rows[i].body[j]; j++)
            zc_exchange_body (&carried.exchange, rows[i].body[j], strlen (rows[i].body[j]));
        assert_int_equal (carried.answers, rows[i].end ? 0 : 1);
        zc_exchange_end (&carried.exchange);
        zc_exchange_end (&carried.exchange);
        zc_exchange_body (&carried.exchange, "more", 4);
        assert_int_equal (carried.answers, 1);
        assert_non_null (strstr (zc_buf_str (&carried.answer), rows[i].answer));
        assert_int_equal (s_gone, 0);
        s_end (&carried);
        assert_int_equal (s_gone, 1);
    }
    s_stop (&front);
}

static void test_errors_in_json (void **state)
{
    (void)state;
    START (front);
    s_expect (&front, ZC_METHOD_GET, "/nothing", "",
              LIST ("Accept", "application/json, text/plain, */*"),
              LIST ("Content-Type: application/json\r\n",
                    "\r\n\r\n{\"code\":\"path\",\"message\":\"no such path\"}\n"));
    s_expect (&front, ZC_METHOD_GET, "/nothing", "",
              LIST ("Accept", "application/json;q=0.5, text/plain"), LIST ("text/plain"));
    s_expect (&front, ZC_METHOD_GET, "/nothing", "", LIST ("Accept", "*/*"), LIST ("text/plain"));
    s_stop (&front);
}

/*  Text from outside can't begin a field of its own. */
static void test_response_fields (void **state)
{
    (void)state;
    zc_response_t response;
    zc_response_init (&response, 200);
    zc_response_field (&response, "A", SLICE ("b\r\nX: y"));
    zc_response_field (&response, "B", SLICE ("b\0c"));
    zc_response_field (&response, "C", SLICE ("\xc3\xa9 d"));
    assert_string_equal (zc_buf_str (&response.fields), "C: \xc3\xa9 d\r\n");
    zc_response_clear (&response);
    zc_response_clear (&response);
    assert_string_equal (zc_status_phrase (404), "Not Found");
    assert_string_equal (zc_status_phrase (299), "Unknown");
    assert_false (zc_status_has_body (101));
    assert_false (zc_status_has_body (204));
    assert_false (zc_status_has_body (304));
    assert_true (zc_status_has_body (400));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_names),
        cmocka_unit_test (test_repeated_fields),
        cmocka_unit_test (test_variables),
        cmocka_unit_test (test_paths_and_methods),
        cmocka_unit_test (test_streams),
        cmocka_unit_test (test_no_room_for_a_stream),
        cmocka_unit_test (test_cors),
        cmocka_unit_test (test_pages),
        cmocka_unit_test (test_addresses),
        cmocka_unit_test (test_whom_to_trust),
        cmocka_unit_test (test_a_malformed_address),
        cmocka_unit_test (test_limits_of_an_address),
        cmocka_unit_test (test_room_for_clients),
        cmocka_unit_test (test_connects_of_an_address),
        cmocka_unit_test (test_guard),
        cmocka_unit_test (test_bad_tokens_of_an_address),
        cmocka_unit_test (test_bodies),
        cmocka_unit_test (test_errors_in_json),
        cmocka_unit_test (test_response_fields),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
