/*  Certificates, the folder of them, and the peers that they let in. */
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "broker/zap.h"
#include "lib/base/clock.h"
#include "tests/unit/unit.h"

#define WAIT_MS 90000 /* a handshake that nobody answers ends after 30 s */

static char s_folder[] = "/tmp/zcast-curve-XXXXXX";

typedef struct {
    char public_key[ZC_CURVE_TEXT], secret_key[ZC_CURVE_TEXT];
} s_pair_t;

static s_pair_t s_pair (void)
{
    s_pair_t pair;
    assert_int_equal (zmq_curve_keypair (pair.public_key, pair.secret_key), 0);
    return pair;
}

static void s_write (const char *name, const char *text)
{
    char path[128];
    snprintf (path, sizeof path, "%s/%s", s_folder, name);
    FILE *file = fopen (path, "w");
    assert_non_null (file);
    fputs (text, file);
    fclose (file);
}

static void s_remove (const char *name)
{
    char path[128];
    snprintf (path, sizeof path, "%s/%s", s_folder, name);
    assert_int_equal (unlink (path), 0);
}

static void s_certify (const char *name, const s_pair_t *pair, const char *metadata)
{
    char text[512];
    snprintf (text, sizeof text, "metadata\n    name = \"%s\"\n%scurve\n    public-key = \"%s\"\n",
              name, metadata, pair->public_key);
    s_write (name, text);
}

static int s_setup (void **state)
{
    (void)state;
    return mkdtemp (s_folder) ? 0 : -1;
}

static int s_empty (void **state)
{
    (void)state;
    DIR *folder = opendir (s_folder);
    struct dirent *entry;
    while ((entry = readdir (folder)))
        if (strcmp (entry->d_name, ".") != 0 && strcmp (entry->d_name, "..") != 0)
            unlinkat (dirfd (folder), entry->d_name, 0);
    closedir (folder);
    return 0;
}

static int s_teardown (void **state)
{
    s_empty (state);
    return rmdir (s_folder);
}

/*  Certificates. */

#define KEY "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
#define OTHER "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
#define CURVE "curve\n    public-key = \"" KEY "\"\n"

static const struct {
    const char *text, *error; /* NULL: it is good */
} certificates[] = {
    {CURVE, NULL},
    {"# c\n\nmetadata\n    name = \"a b\"\n    other = \"x\"\n" CURVE, NULL},
    {CURVE "    secret-key = \"D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs\"\n", "isn't that of"},
    {"", "public-key"},
    {"curve\n", "public-key"},
    {"curve\n    public-key = \"short\"\n", "public-key"},
    {"curve\n    public-key = \"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf~\"\n", "public-key"},
    {"curve\n    public-key = \"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7x\"\n", "public-key"},
    {CURVE "    secret-key = \"x\"\n", "secret-key"},
    {"metadata\n    publish = \"a\tb\"\n" CURVE, "publish"},
    {"metadata\n    subscribe = \"maybe\"\n" CURVE, "subscribe"},
    {"metadata\n    control = \"1\"\n" CURVE, "control"},
    {"metadata\n    server = \"x\"\n" CURVE, "server"},
    {"metadata\n    server = \"" OTHER "\"\n" CURVE, NULL},
    {"metadata\n        name = \"a\"\n" CURVE, "line 2"},
    {"\xef\xbb\xbf" CURVE, "line 1"},
};

static void test_certificates (void **state)
{
    (void)state;
    zc_certificate_t one;
    char error[256];
    for (size_t i = 0; i < LENGTH (certificates); i++) {
        const char *text = certificates[i].text;
        int rc =
            zc_certificate_parse (&one, (zc_slice_t){text, strlen (text)}, error, sizeof error);
        if ((rc == 0) != !certificates[i].error)
            fail_msg ("%s: %s", text, rc == 0 ? "taken" : error);
        if (rc != 0 && !strstr (error, certificates[i].error))
            fail_msg ("%s: %s", text, error);
        if (rc == 0)
            assert_string_equal (one.public_key, KEY);
        zc_certificate_clear (&one);
    }
    static char large[ZC_CERTIFICATE_MAX + 2];
    memset (large, '\n', sizeof large - 1);
    assert_int_equal (
        zc_certificate_parse (&one, (zc_slice_t){large, sizeof large - 1}, error, sizeof error),
        -1);
}

static void test_what_it_allows (void **state)
{
    (void)state;
    zc_certificate_t one;
    char error[256], text[512];
    s_pair_t pair = s_pair ();
    snprintf (text, sizeof text,
              "metadata\n    name = \"shop\"\n    publish = \" orders/* stock \"\n"
              "    control = \"yes\"\ncurve\n    public-key = \"%s\"\n    secret-key = \"%s\"\n",
              pair.public_key, pair.secret_key);
    assert_int_equal (
        zc_certificate_parse (&one, (zc_slice_t){text, strlen (text)}, error, sizeof error), 0);
    assert_string_equal (one.name, "shop");
    assert_string_equal (one.secret_key, pair.secret_key);
    assert_true (zc_grants_allow (one.grants, ZC_GRANT_PUBLISH, SLICE ("orders/1")));
    assert_true (zc_grants_allow (one.grants, ZC_GRANT_PUBLISH, SLICE ("stock")));
    assert_false (zc_grants_allow (one.grants, ZC_GRANT_PUBLISH, SLICE ("stocks")));
    assert_false (zc_grants_any (one.grants, ZC_GRANT_SUBSCRIBE));
    assert_true (one.control);
    zc_certificate_clear (&one);
    assert_string_equal (one.secret_key, "");
}

/*  The folder. */

static const zc_certificate_t *s_find (const zc_certificates_t *all, const s_pair_t *pair)
{
    return zc_certificates_find (all, (zc_slice_t){pair->public_key, ZC_CURVE_TEXT - 1});
}

static void test_folder (void **state)
{
    (void)state;
    s_pair_t ann = s_pair (), bob = s_pair ();
    uint64_t now = 10000;
    s_certify ("ann", &ann, "    subscribe = \"yes\"\n");
    s_certify ("ann_secret", &bob, ""); /* the folder ignores secret certificates */
    s_certify (".hidden", &bob, "");
    s_write ("broken", "curve\n    public-key = \"x\"\n");
    zc_certificates_t *all = zc_certificates_new (s_folder);
    assert_int_equal (zc_certificates_count (all), 1);
    assert_string_equal (s_find (all, &ann)->name, "ann");
    assert_null (s_find (all, &bob));
    assert_int_equal (zc_certificates_turn (all, now += 2000), ZC_CERTIFICATES_SAME);
    s_certify ("bob", &bob, "");
    assert_int_equal (zc_certificates_turn (all, now + 10), ZC_CERTIFICATES_SAME); /* too soon */
    assert_int_equal (zc_certificates_turn (all, now += 2000), ZC_CERTIFICATES_MORE);
    assert_non_null (s_find (all, &bob));
    s_certify ("bob", &bob, "    control = \"yes\"\n");
    assert_int_equal (zc_certificates_turn (all, now += 2000), ZC_CERTIFICATES_LESS);
    assert_true (s_find (all, &bob)->control);
    s_remove ("ann");
    assert_int_equal (zc_certificates_turn (all, now += 2000), ZC_CERTIFICATES_LESS);
    assert_null (s_find (all, &ann));
    zc_certificates_destroy (&all);
    zc_certificates_destroy (&all);
    all = zc_certificates_new ("/nowhere");
    assert_int_equal (zc_certificates_count (all), 0);
    assert_int_equal (zc_certificates_turn (all, now += 2000), ZC_CERTIFICATES_SAME);
    zc_certificates_destroy (&all);
}

/*  Connections. The broker's end of one endpoint, with or without a handler of ZAP requests. */

typedef struct {
    void *context, *server;
    zc_certificates_t *all;
    zc_zap_t *zap;
    s_pair_t keys;
    char endpoint[256];
} s_broker_t;

static void s_begin (s_broker_t *self, const char *domain, bool answered)
{
    int none = 0;
    size_t len = sizeof self->endpoint;
    *self = (s_broker_t){.context = zmq_ctx_new (), .keys = s_pair ()};
    self->all = zc_certificates_new (s_folder);
    if (answered)
        assert_non_null (self->zap = zc_zap_new (self->context, self->all));
    self->server = zmq_socket (self->context, ZMQ_PULL);
    zmq_setsockopt (self->server, ZMQ_LINGER, &none, sizeof none);
    assert_int_equal (zc_zap_protect (self->server, domain, self->keys.secret_key), 0);
    assert_int_equal (zmq_bind (self->server, "tcp://127.0.0.1:*"), 0);
    zmq_getsockopt (self->server, ZMQ_LAST_ENDPOINT, self->endpoint, &len);
}

static void s_end (s_broker_t *self)
{
    zmq_close (self->server);
    zc_zap_destroy (&self->zap);
    zc_certificates_destroy (&self->all);
    zmq_ctx_term (self->context);
}

/*  Whether a client with these keys gets a message through. Its handshake tells which one it is. */
static bool s_gets_in (s_broker_t *self, const s_pair_t *keys, zc_slice_t *sender, zmq_msg_t *got)
{
    int none = 0;
    void *context = zmq_ctx_new (), *client = zmq_socket (context, ZMQ_PUSH);
    void *monitor = zmq_socket (context, ZMQ_PAIR);
    zmq_setsockopt (client, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt (client, ZMQ_CURVE_SERVERKEY, self->keys.public_key, ZC_CURVE_TEXT);
    zmq_setsockopt (client, ZMQ_CURVE_PUBLICKEY, keys->public_key, ZC_CURVE_TEXT);
    zmq_setsockopt (client, ZMQ_CURVE_SECRETKEY, keys->secret_key, ZC_CURVE_TEXT);
    zmq_socket_monitor (client, "inproc://m",
                        ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                            ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_DISCONNECTED);
    zmq_connect (monitor, "inproc://m");
    zmq_connect (client, self->endpoint);
    uint16_t event = 0;
    uint64_t end = zc_mono_ms () + WAIT_MS;
    while (!event && zc_mono_ms () < end) {
        zmq_pollitem_t items[2] = {
            {monitor, 0, ZMQ_POLLIN, 0},
            {self->zap ? zc_zap_socket (self->zap) : NULL, -1, ZMQ_POLLIN, 0}};
        zmq_poll (items, self->zap ? 2 : 1, 100);
        if (self->zap)
            zc_zap_serve (self->zap);
        uint8_t frame[8];
        if (zmq_recv (monitor, frame, sizeof frame, ZMQ_DONTWAIT) >= 0) {
            memcpy (&event, frame, sizeof event);
            zmq_recv (monitor, frame, sizeof frame, 0);
        }
    }
    assert_int_not_equal (event, 0);
    bool in = event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED;
    if (in) {
        zmq_send (client, "x", 1, 0);
        zmq_pollitem_t item = {self->server, 0, ZMQ_POLLIN, 0};
        assert_int_equal (zmq_poll (&item, 1, WAIT_MS), 1);
        zmq_msg_init (got);
        assert_int_equal (zmq_msg_recv (got, self->server, 0), 1);
        *sender = zc_zap_sender (got);
    }
    zmq_socket_monitor (client, NULL, 0);
    zmq_close (monitor);
    zmq_close (client);
    zmq_ctx_term (context);
    return in;
}

static void test_who_gets_in (void **state)
{
    (void)state;
    s_pair_t publisher = s_pair (), reader = s_pair (), nothing = s_pair (), stranger = s_pair ();
    s_certify ("publisher", &publisher, "    publish = \"a/*\"\n");
    s_certify ("reader", &reader, "    subscribe = \"yes\"\n");
    s_certify ("nothing", &nothing, "");
    static const struct {
        const char *domain;
        bool publisher, reader;
    } rows[] = {{"publish", true, false}, {"subscribe", false, true}, {"control", true, true}};
    for (size_t i = 0; i < LENGTH (rows); i++) {
        s_broker_t broker;
        zmq_msg_t got;
        zc_slice_t sender;
        s_begin (&broker, rows[i].domain, true);
        bool in = s_gets_in (&broker, &publisher, &sender, &got);
        assert_int_equal (in, rows[i].publisher);
        if (in) {
            assert_slice (sender, publisher.public_key);
            zmq_msg_close (&got);
        }
        in = s_gets_in (&broker, &reader, &sender, &got);
        assert_int_equal (in, rows[i].reader);
        if (in)
            zmq_msg_close (&got);
        assert_false (s_gets_in (&broker, &nothing, &sender, &got));
        assert_false (s_gets_in (&broker, &stranger, &sender, &got));
        assert_true (zc_zap_refused (broker.zap) >= 2);
        s_end (&broker);
    }
}

/*  While nobody answers ZAP requests, no peer is let in. */
static void test_the_handler_is_dead (void **state)
{
    (void)state;
    s_pair_t publisher = s_pair (), stranger = s_pair ();
    s_broker_t broker;
    zmq_msg_t got;
    zc_slice_t sender;
    s_certify ("publisher", &publisher, "    publish = \"*\"\n");
    s_begin (&broker, "publish", false);
    assert_false (s_gets_in (&broker, &stranger, &sender, &got));
    assert_false (s_gets_in (&broker, &publisher, &sender, &got));
    s_end (&broker);
    /* the same if the handler dies later */
    s_begin (&broker, "publish", true);
    zc_zap_destroy (&broker.zap);
    assert_false (s_gets_in (&broker, &stranger, &sender, &got));
    assert_false (s_gets_in (&broker, &publisher, &sender, &got));
    s_end (&broker);
}

static void test_only_one_answers (void **state)
{
    (void)state;
    s_broker_t broker;
    s_begin (&broker, "publish", true);
    assert_null (zc_zap_new (broker.context, broker.all));
    assert_int_equal (errno, EADDRINUSE);
    s_end (&broker);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_certificates),
        cmocka_unit_test (test_what_it_allows),
        cmocka_unit_test_teardown (test_folder, s_empty),
        cmocka_unit_test_teardown (test_who_gets_in, s_empty),
        cmocka_unit_test_teardown (test_the_handler_is_dead, s_empty),
        cmocka_unit_test (test_only_one_answers),
    };
    return cmocka_run_group_tests (tests, s_setup, s_teardown);
}
