/*  reply_test.c - the meaning of Redis' replies: tables of them as they come over the wire. */
#include "tests/unit/unit.h"

#include "lib/redis/reply.h"

static redisReply *s_read (const char *wire)
{
    void *reply = NULL;
    redisReader *reader = redisReaderCreate ();
    zc_reply_bound (reader);
    assert_int_equal (redisReaderFeed (reader, wire, strlen (wire)), REDIS_OK);
    redisReaderGetReply (reader, &reply);
    redisReaderFree (reader);
    return reply;
}

static void test_errors (void **state)
{
    (void)state;
    static const struct {
        const char *wire;
        size_t len;
        const char *text;
    } cases[] = {
        {"-ERR x\r\n", 8, "ERR x"},
        {"-ERR x\0y\r\n", 10, "ERR x"},
        {"-\0ERR x\r\n", 9, "an error without a text"},
        {"-\r\n", 3, "an error without a text"},
        {"+ERR x\r\n", 8, ""},
        {":1\r\n", 4, ""},
    };
    for (size_t i = 0; i < LENGTH (cases); i++) {
        void *reply = NULL;
        redisReader *reader = redisReaderCreate ();
        assert_int_equal (redisReaderFeed (reader, cases[i].wire, cases[i].len), REDIS_OK);
        redisReaderGetReply (reader, &reply);
        assert_non_null (reply);
        assert_true (zc_slice_is (zc_reply_error (reply), cases[i].text));
        freeReplyObject (reply);
        redisReaderFree (reader);
    }
    assert_true (zc_slice_is (zc_reply_error (NULL), ""));
}

static void test_events (void **state)
{
    (void)state;
    static const struct {
        const char *wire;
        zc_event_kind_t kind;
        bool pattern;
        const char *name, *channel, *payload;
    } cases[] = {
        {"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n", ZC_EVENT_MESSAGE, false, "c", "c", "hi"},
        {"*3\r\n$7\r\nmessage\r\n$0\r\n\r\n$0\r\n\r\n", ZC_EVENT_MESSAGE, false, "", "", ""},
        {"*4\r\n$8\r\npmessage\r\n$2\r\nc*\r\n$2\r\nc1\r\n$1\r\nx\r\n", ZC_EVENT_MESSAGE, true,
         "c*", "c1", "x"},
        {"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n", ZC_EVENT_SUBSCRIBED, false, "c", "", ""},
        {"*3\r\n$10\r\npsubscribe\r\n$1\r\n*\r\n:2\r\n", ZC_EVENT_SUBSCRIBED, true, "*", "", ""},
        {"*3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:0\r\n", ZC_EVENT_UNSUBSCRIBED, false, "c", "",
         ""},
        {"*3\r\n$12\r\npunsubscribe\r\n$1\r\nc\r\n:0\r\n", ZC_EVENT_UNSUBSCRIBED, true, "c", "",
         ""},
        {"+PONG\r\n", ZC_EVENT_PONG, false, "", "", ""},
        {"*2\r\n$4\r\npong\r\n$0\r\n\r\n", ZC_EVENT_PONG, false, "", "", ""},
        /*  Too short, an element missing, another type, another word. */
        {"*2\r\n$7\r\nmessage\r\n$1\r\nc\r\n", ZC_EVENT_NONE, false, "", "", ""},
        {"*3\r\n$7\r\nmessage\r\n$-1\r\n$1\r\nx\r\n", ZC_EVENT_NONE, false, "", "", ""},
        {"*3\r\n$7\r\nmessage\r\n:1\r\n:2\r\n", ZC_EVENT_NONE, false, "", "", ""},
        {"*3\r\n$7\r\nmessage\r\n*1\r\n$1\r\nc\r\n$1\r\nx\r\n", ZC_EVENT_NONE, false, "", "", ""},
        {"*3\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\nc\r\n", ZC_EVENT_NONE, false, "", "", ""},
        {"*3\r\n$8\r\nsmessage\r\n$1\r\nc\r\n$1\r\nx\r\n", ZC_EVENT_NONE, false, "", "", ""},
        {"*1\r\n*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n", ZC_EVENT_NONE, false, "", "", ""},
        {"*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n", ZC_EVENT_NONE, false, "", "", ""},
        {"*0\r\n", ZC_EVENT_NONE, false, "", "", ""},
        {"*-1\r\n", ZC_EVENT_NONE, false, "", "", ""},
        {"$-1\r\n", ZC_EVENT_NONE, false, "", "", ""},
        {"$4\r\npong\r\n", ZC_EVENT_NONE, false, "", "", ""},
        {":1\r\n", ZC_EVENT_NONE, false, "", "", ""},
        {"-ERR message\r\n", ZC_EVENT_NONE, false, "", "", ""},
        {"*3\r\n-message\r\n$1\r\nc\r\n$1\r\nx\r\n", ZC_EVENT_NONE, false, "", "", ""},
    };
    for (size_t i = 0; i < LENGTH (cases); i++) {
        redisReply *reply = s_read (cases[i].wire);
        assert_non_null (reply);
        zc_redis_event_t event = zc_reply_event (reply);
        if (event.kind != cases[i].kind)
            fail_msg ("[%zu]: %d", i, event.kind);
        assert_int_equal (event.pattern, cases[i].pattern);
        assert_slice (event.name, cases[i].name);
        assert_slice (event.channel, cases[i].channel);
        assert_slice (event.payload, cases[i].payload);
        freeReplyObject (reply);
    }
}

static void test_roles (void **state)
{
    (void)state;
    static const struct {
        const char *wire;
        zc_role_kind_t kind;
        const char *host;
        int port;
    } cases[] = {
        {"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n", ZC_ROLE_MASTER, "", 0},
        {"*3\r\n$6\r\nmaster\r\n:9\r\n*1\r\n*3\r\n$1\r\nh\r\n$1\r\n1\r\n$1\r\n0\r\n",
         ZC_ROLE_MASTER, "", 0},
        {"*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n:6379\r\n$9\r\nconnected\r\n:1\r\n",
         ZC_ROLE_REPLICA, "127.0.0.1", 6379},
        {"*5\r\n$5\r\nslave\r\n$1\r\nh\r\n:65536\r\n$7\r\nconnect\r\n:-1\r\n", ZC_ROLE_REPLICA, "",
         0},
        {"*1\r\n$5\r\nslave\r\n", ZC_ROLE_REPLICA, "", 0},
        {"*2\r\n$8\r\nsentinel\r\n*1\r\n$1\r\nm\r\n", ZC_ROLE_SENTINEL, "", 0},
        /*  HELLO, RESP2 */
        {"*4\r\n$6\r\nserver\r\n$5\r\nredis\r\n$4\r\nrole\r\n$6\r\nmaster\r\n", ZC_ROLE_MASTER, "",
         0},
        {"*6\r\n$5\r\nproto\r\n:2\r\n$4\r\nrole\r\n$7\r\nreplica\r\n$7\r\nmodules\r\n*0\r\n",
         ZC_ROLE_REPLICA, "", 0},
        {"*4\r\n$4\r\nmode\r\n$8\r\nsentinel\r\n$4\r\nrole\r\n$6\r\nmaster\r\n", ZC_ROLE_MASTER, "",
         0},
        /*  A value that looks like the name; nothing after the name */
        {"*4\r\n$4\r\nmode\r\n$4\r\nrole\r\n$6\r\nmaster\r\n:1\r\n", ZC_ROLE_UNKNOWN, "", 0},
        {"*3\r\n$5\r\nproto\r\n:2\r\n$4\r\nrole\r\n", ZC_ROLE_UNKNOWN, "", 0},
        {"*2\r\n$6\r\nleader\r\n:0\r\n", ZC_ROLE_UNKNOWN, "", 0},
        {"*0\r\n", ZC_ROLE_UNKNOWN, "", 0},
        {"*1\r\n$-1\r\n", ZC_ROLE_UNKNOWN, "", 0},
        {"+master\r\n", ZC_ROLE_UNKNOWN, "", 0},
        {"-NOPERM master\r\n", ZC_ROLE_UNKNOWN, "", 0},
        {":1\r\n", ZC_ROLE_UNKNOWN, "", 0},
    };
    for (size_t i = 0; i < LENGTH (cases); i++) {
        redisReply *reply = s_read (cases[i].wire);
        assert_non_null (reply);
        zc_role_t role = zc_reply_role (reply);
        if (role.kind != cases[i].kind)
            fail_msg ("[%zu]: %d", i, role.kind);
        assert_slice (role.host, cases[i].host);
        assert_int_equal (role.port, cases[i].port);
        freeReplyObject (reply);
    }
}

static void test_faults (void **state)
{
    (void)state;
    static const struct {
        const char *wire;
        zc_fault_t fault;
        const char *advice; /* a word of it; NULL: none */
    } cases[] = {
        {"+OK\r\n", ZC_FAULT_NONE, NULL},
        {":0\r\n", ZC_FAULT_NONE, NULL},
        {"$5\r\nBUSY \r\n", ZC_FAULT_NONE, NULL},
        {"-BUSY Redis is busy running a script.\r\n", ZC_FAULT_PASSING, "SCRIPT KILL"},
        {"-LOADING Redis is loading the dataset in memory\r\n", ZC_FAULT_PASSING, "reads"},
        {"-MASTERDOWN Link with MASTER is down\r\n", ZC_FAULT_PASSING, "master"},
        {"-TRYAGAIN Multiple keys request during rehashing of slot\r\n", ZC_FAULT_PASSING, NULL},
        {"-CLUSTERDOWN Hash slot not served\r\n", ZC_FAULT_PASSING, "CLUSTER INFO"},
        {"-ERR max number of clients reached\r\n", ZC_FAULT_PASSING, "maxclients"},
        {"-NOREPLICAS Not enough good replicas to write.\r\n", ZC_FAULT_STATE, "min-replicas"},
        {"-MISCONF Redis is configured to save RDB snapshots\r\n", ZC_FAULT_STATE, "disk"},
        {"-OOM command not allowed when used memory > 'maxmemory'.\r\n", ZC_FAULT_STATE,
         "maxmemory"},
        {"-WRONGTYPE Operation against a key\r\n", ZC_FAULT_STATE, "site"},
        {"-READONLY You can't write against a read only replica.\r\n", ZC_FAULT_NODE, "master"},
        {"-MOVED 3999 127.0.0.1:6381\r\n", ZC_FAULT_NODE, "named"},
        {"-ASK 3999 127.0.0.1:6381\r\n", ZC_FAULT_NODE, "moves"},
        {"-NOAUTH Authentication required.\r\n", ZC_FAULT_RIGHTS, "password-file"},
        {"-WRONGPASS invalid username-password pair\r\n", ZC_FAULT_RIGHTS, "password-file"},
        {"-NOPERM this user has no permissions to run\r\n", ZC_FAULT_RIGHTS, "ACL"},
        {"-DENIED Redis is running in protected mode\r\n", ZC_FAULT_RIGHTS, "protected"},
        {"-ERR AUTH <password> called without any password\r\n", ZC_FAULT_RIGHTS, "none"},
        {"-ERR Client sent AUTH, but no password is set\r\n", ZC_FAULT_RIGHTS, "none"},
        {"-ERR Protocol error: invalid bulk length\r\n", ZC_FAULT_COMMAND, "proto-max-bulk-len"},
        {"-ERR unknown command 'PUBLISH'\r\n", ZC_FAULT_UNKNOWN, NULL},
        {"-OOMPH\r\n", ZC_FAULT_UNKNOWN, NULL},
        {"-READONLY\r\n", ZC_FAULT_UNKNOWN, NULL}, /* not in Redis' form */
        {"-\r\n", ZC_FAULT_UNKNOWN, NULL},
    };
    for (size_t i = 0; i < LENGTH (cases); i++) {
        redisReply *reply = s_read (cases[i].wire);
        assert_non_null (reply);
        if (zc_reply_fault (reply) != cases[i].fault)
            fail_msg ("[%zu]: %d", i, zc_reply_fault (reply));
        const char *advice = zc_fault_advice (zc_reply_error (reply));
        if (cases[i].advice ? !advice || !strstr (advice, cases[i].advice) : advice != NULL)
            fail_msg ("[%zu]: %s", i, advice ? advice : "no advice");
        freeReplyObject (reply);
    }
    assert_int_equal (zc_reply_fault (NULL), ZC_FAULT_NONE);
}

/*  However many elements the peer announces, no more memory than this is used. */
static void test_bound (void **state)
{
    (void)state;
    assert_null (s_read ("*10001\r\n"));
    assert_null (s_read ("*2147483647\r\n"));
    assert_null (s_read ("*1\r\n*2147483647\r\n"));
    redisReply *reply = s_read ("*2\r\n:1\r\n:2\r\n");
    assert_non_null (reply);
    freeReplyObject (reply);
}

static void test_redirects (void **state)
{
    (void)state;
    static const struct {
        const char *wire;
        bool good, ask;
        const char *host;
        int port;
    } cases[] = {
        {"-MOVED 3999 127.0.0.1:6381\r\n", true, false, "127.0.0.1", 6381},
        {"-ASK 0 node-2.example.org:7000\r\n", true, true, "node-2.example.org", 7000},
        {"-MOVED 16383 2001:db8::1:6379\r\n", true, false, "2001:db8::1", 6379},
        {"-MOVED 1 :6379\r\n", true, false, "", 6379},
        {"-MOVED 16384 h:1\r\n", false, false, "", 0},
        {"-MOVED 1 h:0\r\n", false, false, "", 0},
        {"-MOVED 1 h:65536\r\n", false, false, "", 0},
        {"-MOVED 1 h:\r\n", false, false, "", 0},
        {"-MOVED 1 6379\r\n", false, false, "", 0},
        {"-MOVED 1 \r\n", false, false, "", 0},
        {"-MOVED 1\r\n", false, false, "", 0},
        {"-MOVED \r\n", false, false, "", 0},
        {"-MOVED x h:1\r\n", false, false, "", 0},
        {"-ASKING 1 h:1\r\n", false, false, "", 0},
        {"+MOVED 1 h:1\r\n", false, false, "", 0},
    };
    for (size_t i = 0; i < LENGTH (cases); i++) {
        redisReply *reply = s_read (cases[i].wire);
        zc_redirect_t to;
        if (zc_reply_redirect (reply, &to) != cases[i].good)
            fail_msg ("[%zu]", i);
        if (cases[i].good) {
            assert_slice (to.host, cases[i].host);
            assert_int_equal (to.port, cases[i].port);
            assert_int_equal (to.ask, cases[i].ask);
        }
        freeReplyObject (reply);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_redirects), cmocka_unit_test (test_errors),
        cmocka_unit_test (test_events),    cmocka_unit_test (test_roles),
        cmocka_unit_test (test_faults),    cmocka_unit_test (test_bound),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
