/*  log_entry_test.c - what Redis says about the log: tables of replies as they come over the wire.
 */
#include "tests/unit/unit.h"

#include "broker/log/entry.h"

static redisReply *s_read (const char *wire)
{
    void *reply = NULL;
    redisReader *reader = redisReaderCreate ();
    assert_int_equal (redisReaderFeed (reader, wire, strlen (wire)), REDIS_OK);
    redisReaderGetReply (reader, &reply);
    redisReaderFree (reader);
    return reply;
}

#define ENTRIES(count, entries) "*1\r\n*2\r\n$1\r\nk\r\n*" count "\r\n" entries
#define N "$1\r\nn\r\n$1\r\n7\r\n"
#define M "$1\r\nm\r\n$9\r\nab 12\nt\nh\r\n"
#define P "$1\r\np\r\n$2\r\nhi\r\n"
#define ENTRY(fields) "*2\r\n$3\r\n5-2\r\n" fields

static void test_entries (void **state)
{
    (void)state;
    static const struct {
        const char *wire;
        zc_entry_kind_t kind;
    } cases[] = {
        {ENTRY ("*6\r\n" N M P), ZC_ENTRY_MESSAGE},
        {ENTRY ("*4\r\n" N "$1\r\ne\r\n$8\r\n1 ab 4-2\r\n"), ZC_ENTRY_EPOCH},
        {ENTRY ("*4\r\n" N "$1\r\ne\r\n$8\r\n0 ab 0-0\r\n"), ZC_ENTRY_EPOCH},
        {ENTRY ("*4\r\n" N "$1\r\ne\r\n$8\r\n2 ab 4-2\r\n"),
         ZC_ENTRY_EPOCH}, /* an older broker's */
        {ENTRY ("*4\r\n" N "$1\r\ne\r\n$6\r\n1 ab 4\r\n"), ZC_ENTRY_FOREIGN}, /* no position */
        {ENTRY ("*4\r\n" N "$1\r\ne\r\n$4\r\n1 ab\r\n"), ZC_ENTRY_FOREIGN},
        {ENTRY ("*4\r\n" N "$1\r\ne\r\n$1\r\n1\r\n"), ZC_ENTRY_FOREIGN}, /* no broker */
        {ENTRY ("*2\r\n$1\r\na\r\n$1\r\nb\r\n"), ZC_ENTRY_FOREIGN},
        {ENTRY ("*0\r\n"), ZC_ENTRY_FOREIGN},
        {ENTRY ("*2\r\n" N), ZC_ENTRY_FOREIGN},
        {ENTRY ("*4\r\n" N M), ZC_ENTRY_FOREIGN},
        {ENTRY ("*6\r\n" N P M), ZC_ENTRY_FOREIGN},
        {ENTRY ("*8\r\n" N M P P), ZC_ENTRY_FOREIGN},
        {ENTRY ("*6\r\n$1\r\nn\r\n$1\r\n0\r\n" M P), ZC_ENTRY_FOREIGN},
        {ENTRY ("*6\r\n$1\r\nn\r\n$2\r\n-1\r\n" M P), ZC_ENTRY_FOREIGN},
        {ENTRY ("*6\r\n$1\r\nn\r\n$17\r\n90071992547409920\r\n" M P), ZC_ENTRY_FOREIGN},
        {ENTRY ("*6\r\n" N "$1\r\nm\r\n$7\r\nab 12\nt\r\n" P), ZC_ENTRY_FOREIGN},
        {ENTRY ("*6\r\n" N "$1\r\nm\r\n$6\r\nab\nt\nh\r\n" P), ZC_ENTRY_FOREIGN},
        {ENTRY ("*6\r\n" N "$1\r\nm\r\n$8\r\nab x\nt\nh\r\n" P), ZC_ENTRY_FOREIGN},
        {ENTRY ("*6\r\n" N "$1\r\nm\r\n:1\r\n" P), ZC_ENTRY_FOREIGN},
    };
    for (size_t i = 0; i < LENGTH (cases); i++) {
        char wire[512];
        size_t count;
        zc_log_entry_t entry;
        zc_slice_t raw;
        snprintf (wire, sizeof wire, ENTRIES ("1", "%s"), cases[i].wire);
        redisReply *reply = s_read (wire);
        const redisReply *entries = zc_log_entries (reply, &count);
        assert_non_null (entries);
        assert_int_equal (count, 1);
        assert_int_equal (zc_log_entry_parse (&entry, entries, 0, &raw), 0);
        assert_int_equal (zc_log_entry_parse (&entry, entries, 1, &raw), -1);
        zc_log_entry_parse (&entry, entries, 0, &raw);
        if (entry.kind != cases[i].kind)
            fail_msg ("case %zu: kind %d", i, entry.kind);
        assert_int_equal (entry.id, (5 << ZC_ID_COUNTER_BITS) + 2);
        if (entry.kind != ZC_ENTRY_FOREIGN)
            assert_int_equal (entry.number, 7);
        if (entry.kind == ZC_ENTRY_EPOCH)
            assert_int_equal (entry.lost, !strstr (wire, "\n0 ab"));
        if (entry.kind == ZC_ENTRY_MESSAGE) {
            assert_slice (entry.broker, "ab");
            assert_int_equal (entry.sequence, 12);
            assert_slice (entry.topic, "t");
            assert_slice (entry.headers, "h");
            assert_slice (entry.payload, "hi");
        }
        freeReplyObject (reply);
    }
}

/*  Redis' counters are larger than those of positions; reading must go on behind such an entry. */
static void test_ids_beyond_positions (void **state)
{
    (void)state;
    size_t count;
    zc_log_entry_t entry;
    zc_slice_t raw;
    redisReply *reply = s_read (ENTRIES ("1", "*2\r\n$9\r\n5-1048576\r\n*6\r\n" N M P));
    const redisReply *entries = zc_log_entries (reply, &count);
    assert_int_equal (zc_log_entry_parse (&entry, entries, 0, &raw), 0);
    assert_int_equal (entry.kind, ZC_ENTRY_FOREIGN);
    assert_int_equal (entry.id, zc_id_from_ms (6) - 1);
    assert_slice (raw, "5-1048576");
    freeReplyObject (reply);
}

static void test_no_entries (void **state)
{
    (void)state;
    static const struct {
        const char *wire;
        bool good;  /* a reply to XREAD */
        bool entry; /* whose first element is one */
    } cases[] = {
        {"*-1\r\n", true, false},
        {"$-1\r\n", true, false},
        {ENTRIES ("0", ""), true, false},
        {":1\r\n", false, false},
        {"*0\r\n", false, false},
        {"*1\r\n:1\r\n", false, false},
        {"*1\r\n*1\r\n$1\r\nk\r\n", false, false},
        {"*1\r\n*2\r\n$1\r\nk\r\n:1\r\n", false, false},
        {"-ERR no\r\n", false, false},
        {ENTRIES ("1", ":1\r\n"), true, false},
        {ENTRIES ("1", "*1\r\n$3\r\n1-1\r\n"), true, false},
        {ENTRIES ("1", "*2\r\n$1\r\n1\r\n*0\r\n"), true, false},
        {ENTRIES ("1", "*2\r\n$17\r\n99999999999999-99\r\n*0\r\n"), true, true},
        {ENTRIES ("1", "*2\r\n$3\r\n1-x\r\n*0\r\n"), true, false},
        {ENTRIES ("1", "*2\r\n$2\r\n1-\r\n*0\r\n"), true, false},
        {ENTRIES ("1", "*2\r\n$3\r\n1-1\r\n:1\r\n"), true, false},
        {ENTRIES ("1", "*2\r\n$3\r\n1-1\r\n*0\r\n"), true, true},
    };
    for (size_t i = 0; i < LENGTH (cases); i++) {
        size_t count;
        zc_log_entry_t entry;
        zc_slice_t raw;
        redisReply *reply = s_read (cases[i].wire);
        const redisReply *entries = zc_log_entries (reply, &count);
        if ((entries != NULL) != cases[i].good)
            fail_msg ("case %zu", i);
        if (entries && count)
            assert_int_equal (zc_log_entry_parse (&entry, entries, 0, &raw),
                              cases[i].entry ? 0 : -1);
        freeReplyObject (reply);
    }
}

#define S(text, len) "$" len "\r\n" text "\r\n"
#define JOINED S ("ok", "2") S ("l", "1") S ("r", "1") S ("9", "1") S ("5-0", "3")
#define BEFORE S ("1-0", "3") S ("2", "1") S ("4", "1")

static void test_answers (void **state)
{
    (void)state;
    static const struct {
        zc_log_verb_t verb;
        const char *wire;
        zc_log_status_t status;
    } cases[] = {
        {ZC_LOG_JOIN, "*9\r\n" JOINED S ("3", "1") BEFORE, ZC_LOG_OK},
        {ZC_LOG_JOIN, "*9\r\n" JOINED S ("-1", "2") BEFORE, ZC_LOG_OK},
        {ZC_LOG_JOIN, "*9\r\n" JOINED S ("-2", "2") BEFORE, ZC_LOG_NONSENSE},
        {ZC_LOG_JOIN, "*5\r\n" JOINED, ZC_LOG_NONSENSE},
        {ZC_LOG_JOIN, "*2\r\n" S ("settings", "8") S ("a b", "3"), ZC_LOG_SETTINGS},
        {ZC_LOG_JOIN, "*2\r\n" S ("wait", "4") S ("17", "2"), ZC_LOG_WAIT},
        {ZC_LOG_JOIN, "*2\r\n" S ("wait", "4") S ("x", "1"), ZC_LOG_NONSENSE},
        {ZC_LOG_JOIN, "*1\r\n" S ("strange", "7"), ZC_LOG_STRANGE},
        {ZC_LOG_APPEND, "*3\r\n" S ("ok", "2") S ("", "0") S ("7", "1"), ZC_LOG_OK},
        {ZC_LOG_APPEND, "*2\r\n" S ("ok", "2") S ("", "0"), ZC_LOG_NONSENSE},
        {ZC_LOG_APPEND, "*1\r\n" S ("ok", "2"), ZC_LOG_NONSENSE},
        {ZC_LOG_APPEND, "*1\r\n" S ("gone", "4"), ZC_LOG_GONE},
        {ZC_LOG_APPEND, "*2\r\n" S ("run", "3") S ("x", "1"), ZC_LOG_RUN},
        {ZC_LOG_EPOCH, "*2\r\n" S ("ok", "2") S ("12", "2"), ZC_LOG_OK},
        {ZC_LOG_EPOCH, "*2\r\n" S ("ok", "2") S ("x", "1"), ZC_LOG_NONSENSE},
        {ZC_LOG_EPOCH, "*2\r\n" S ("future", "6") S ("9-9", "3"), ZC_LOG_FUTURE},
        {ZC_LOG_EPOCH, "*1\r\n" S ("what", "4"), ZC_LOG_NONSENSE},
        {ZC_LOG_EPOCH, "*1\r\n" S ("", "0"), ZC_LOG_NONSENSE},
        {ZC_LOG_EPOCH, "*0\r\n", ZC_LOG_NONSENSE},
        {ZC_LOG_EPOCH, ":1\r\n", ZC_LOG_NONSENSE},
        {ZC_LOG_EPOCH, "*-1\r\n", ZC_LOG_NONSENSE},
    };
    for (size_t i = 0; i < LENGTH (cases); i++) {
        zc_log_answer_t answer;
        redisReply *reply = s_read (cases[i].wire);
        zc_log_answer_parse (&answer, cases[i].verb, reply);
        if (answer.status != cases[i].status)
            fail_msg ("case %zu: status %d", i, answer.status);
        freeReplyObject (reply);
    }
    zc_log_answer_t answer;
    zc_log_answer_parse (&answer, ZC_LOG_EPOCH, NULL);
    assert_int_equal (answer.status, ZC_LOG_NONSENSE);
}

static void test_told (void **state)
{
    (void)state;
    zc_log_told_t told;
    zc_slice_t detail = SLICE ("3=5-1 17!6-0");
    assert_int_equal (zc_log_told_next (&detail, &told), 1);
    assert_true (told.index == 3 && !told.conflict && told.id == zc_id_from_ms (5) + 1);
    assert_int_equal (zc_log_told_next (&detail, &told), 1);
    assert_true (told.index == 17 && told.conflict && told.id == zc_id_from_ms (6));
    assert_int_equal (zc_log_told_next (&detail, &told), 0);
    static const char *const bad[] = {"=5-1", "3", "3=", "3?5-1", "x=5-1", " ", "3=5", "3=5-1x"};
    for (size_t i = 0; i < LENGTH (bad); i++) {
        detail = (zc_slice_t){bad[i], strlen (bad[i])};
        assert_int_equal (zc_log_told_next (&detail, &told), -1);
    }
}

static void test_server (void **state)
{
    (void)state;
    static const struct {
        const char *text, *wrong;
    } cases[] = {
        {"# Server\r\nredis_version:7.0.15\r\nrun_id:abc\r\nrole:master\r\n"
         "maxmemory_policy:noeviction\r\n",
         NULL},
        {"redis_version:6.2.0\nrun_id:abc\nrole:master\nmaxmemory_policy:noeviction\n", NULL},
        {"redis_version:10.0.1\nrun_id:abc\nrole:master\nmaxmemory_policy:noeviction\n", NULL},
        {"redis_version:6.0.16\nrun_id:abc\nrole:master\nmaxmemory_policy:noeviction\n", "old"},
        {"redis_version:5.9.9\nrun_id:abc\nrole:master\nmaxmemory_policy:noeviction\n", "old"},
        {"redis_version:7\nrun_id:abc\nrole:master\nmaxmemory_policy:noeviction\n", "old"},
        {"run_id:abc\nrole:master\nmaxmemory_policy:noeviction\n", "old"},
        {"redis_version:7.0.15\nrun_id:abc\nrole:slave\nmaxmemory_policy:noeviction\n", "replica"},
        {"redis_version:7.0.15\nrun_id:abc\nrole:master\nmaxmemory_policy:allkeys-lru\n",
         "noeviction"},
        {"redis_version:7.0.15\nrun_id:abc\nrole:master\n", "noeviction"},
        {"run_id:\r\nrole:master\r\nmaxmemory_policy:noeviction\r\n", "run_id"},
        {"role:master\r\nmaxmemory_policy:noeviction\r\n", "run_id"},
        {"run_id:0123456789012345678901234567890123456789012345678901234567890123456789\r\n",
         "run_id"},
        {"", "run_id"},
    };
    for (size_t i = 0; i < LENGTH (cases); i++) {
        char wire[256];
        zc_log_server_t server;
        snprintf (wire, sizeof wire, "$%zu\r\n%s\r\n", strlen (cases[i].text), cases[i].text);
        redisReply *reply = s_read (wire);
        const char *wrong = zc_log_server_parse (&server, reply);
        if (!wrong != !cases[i].wrong || (wrong && !strstr (wrong, cases[i].wrong)))
            fail_msg ("case %zu: %s", i, wrong);
        freeReplyObject (reply);
    }
    zc_log_server_t server;
    assert_non_null (zc_log_server_parse (&server, NULL));
}

static void test_names (void **state)
{
    (void)state;
    char one[ZC_LOG_NAME_SIZE], other[ZC_LOG_NAME_SIZE];
    zc_log_name (one, SLICE ("t"), SLICE ("k"), SLICE (""), SLICE ("p"));
    zc_log_name (other, SLICE ("t"), SLICE ("k"), SLICE (""), SLICE ("p"));
    assert_memory_equal (one, other, sizeof one);
    zc_log_name (other, SLICE ("t"), SLICE ("k"), SLICE ("p"), SLICE (""));
    assert_memory_equal (one, other, 32);
    assert_memory_not_equal (one + 32, other + 32, 32);
    zc_log_name (other, SLICE ("tk"), SLICE (""), SLICE (""), SLICE ("p"));
    assert_memory_not_equal (one, other, 32);
    assert_memory_equal (one + 32, other + 32, 32);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_entries),    cmocka_unit_test (test_ids_beyond_positions),
        cmocka_unit_test (test_no_entries), cmocka_unit_test (test_answers),
        cmocka_unit_test (test_told),       cmocka_unit_test (test_server),
        cmocka_unit_test (test_names),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
