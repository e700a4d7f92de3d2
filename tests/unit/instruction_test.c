#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "broker/instructions.h"
#include "lib/access/revocations.h"
#include "lib/engine/duties.h"
#include "lib/engine/registry.h"

static zc_slice_t s_slice (const char *text)
{
    return (zc_slice_t){text, strlen (text)};
}

/*  Text. */

static void s_good (void **state)
{
    (void)state;
    static const struct {
        const char *text, *written;
    } good[] = {
        {"{\"do\":\"drop\",\"client\":\"00000000deadbeef\"}",
         "{\"do\":\"drop\",\"client\":\"00000000deadbeef\"}"},
        {" {\"client\" : \"ffffffffffffffff\", \"later\": [1], \"do\" : \"drop\"}\n",
         "{\"do\":\"drop\",\"client\":\"ffffffffffffffff\"}"},
        {"{\"do\":\"revoke\",\"subject\":\"a\\\"b\"}",
         "{\"do\":\"revoke\",\"subject\":\"a\\\"b\"}"},
        {"{\"do\":\"revoke\",\"until\":9,\"at\":7,\"key\":\"k\"}",
         "{\"do\":\"revoke\",\"key\":\"k\",\"at\":7,\"until\":9}"},
        {"{\"do\":\"restore\",\"token\":\"t\",\"at\":7}",
         "{\"do\":\"restore\",\"token\":\"t\",\"at\":7}"},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        zc_instruction_t one;
        const char *error;
        zc_buf_t out = ZC_BUF_INIT;
        assert_int_equal (zc_instruction_parse (&one, s_slice (good[i].text), &error), 0);
        zc_instruction_write (&one, &out);
        assert_string_equal (zc_buf_str (&out), good[i].written);
        zc_instruction_clear (&one);
        zc_buf_clear (&out);
    }
}

static void s_bad (void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "drop",
        "[]",
        "{}",
        "{\"do\":1}",
        "{\"do\":\"jump\"}",
        "{\"do\":\"drop\"}",
        "{\"do\":\"drop\",\"client\":1}",
        "{\"do\":\"drop\",\"client\":\"\"}",
        "{\"do\":\"drop\",\"client\":\"0000000000000000\"}",
        "{\"do\":\"drop\",\"client\":\"0000000DEADBEEF1\"}",
        "{\"do\":\"drop\",\"client\":\"00000000deadbee\"}",
        "{\"do\":\"drop\",\"client\":\"00000000deadbeef0\"}",
        "{\"do\":\"drop\",\"client\":\"00000000deadbeef\"} x",
        "{\"do\":\"revoke\"}",
        "{\"do\":\"revoke\",\"subject\":\"\"}",
        "{\"do\":\"revoke\",\"subject\":null}",
        "{\"do\":\"revoke\",\"subject\":\"a\",\"token\":\"b\"}",
        "{\"do\":\"restore\",\"key\":\"a\\n\"}",
        "{\"do\":\"revoke\",\"key\":\"a\",\"at\":\"7\"}",
        "{\"do\":\"revoke\",\"key\":\"a\",\"at\":0}",
        "{\"do\":\"revoke\",\"key\":\"a\",\"until\":7.5}",
        "{\"do\":\"drop\",\"do\":\"drop\",\"client\":\"00000000deadbeef\"}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        zc_instruction_t one;
        const char *error = NULL;
        assert_int_equal (zc_instruction_parse (&one, s_slice (bad[i]), &error), -1);
        assert_non_null (error);
    }
}

static void s_too_long (void **state)
{
    (void)state;
    zc_instruction_t one;
    const char *error;
    zc_buf_t text = ZC_BUF_INIT;
    zc_buf_adds (&text, "{\"do\":\"drop\",\"client\":\"00000000deadbeef\",\"x\":\"");
    while (text.len < ZC_INSTRUCTION_MAX)
        zc_buf_addc (&text, 'x');
    zc_buf_adds (&text, "\"}");
    assert_int_equal (
        zc_instruction_parse (&one, (zc_slice_t){(char *)text.data, text.len}, &error), -1);
    assert_string_equal (error, "an instruction has at most 65536 bytes");
    zc_buf_clear (&text);
}

static void s_lists (void **state)
{
    (void)state;
    static const char *const bad[] = {"x\n", "1-0\n", "01-0 {}\n", " {}\n"};
    zc_buf_t out = ZC_BUF_INIT;
    zc_id_t number;
    zc_slice_t text;
    zc_instruction_add (&out, zc_id_from_ms (1), s_slice ("{}"));
    zc_instruction_add (&out, zc_id_from_ms (2), s_slice ("{\"a\": 1}"));
    zc_slice_t list = {(char *)out.data, out.len};
    assert_true (zc_instruction_next (&list, &number, &text));
    assert_int_equal (number, zc_id_from_ms (1));
    assert_true (zc_slice_is (text, "{}"));
    assert_true (zc_instruction_next (&list, &number, &text));
    assert_true (zc_slice_is (text, "{\"a\": 1}"));
    assert_false (zc_instruction_next (&list, &number, &text));
    zc_buf_clear (&out);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        list = s_slice (bad[i]);
        assert_false (zc_instruction_next (&list, &number, &text));
    }
}

/*  The broker's store. */

/*  The numbers that a worker is told which has heard `since`, and after which the list begins. */
static void s_expect (const zc_instructions_t *all, zc_id_t since, zc_id_t from, size_t count)
{
    zc_buf_t list = ZC_BUF_INIT;
    zc_id_t number, last = 0;
    zc_slice_t rest, text;
    assert_int_equal (zc_instructions_list (all, since, &list), from);
    for (rest = (zc_slice_t){(char *)list.data, list.len};
         zc_instruction_next (&rest, &number, &text); count--) {
        assert_true (number > last && number > from);
        last = number;
    }
    assert_int_equal (rest.len, 0);
    assert_int_equal (count, 0);
    zc_buf_clear (&list);
}

static int s_take (zc_instructions_t *all, zc_id_t number, const char *text, uint64_t now_ms)
{
    zc_instruction_t one;
    const char *error;
    assert_int_equal (zc_instruction_parse (&one, s_slice (text), &error), 0);
    int rc = zc_instructions_take (all, number, number, &one, now_ms);
    zc_instruction_clear (&one);
    return rc;
}

#define DROP "{\"do\":\"drop\",\"client\":\"00000000deadbeef\"}"
#define REVOKE(name, at) "{\"do\":\"revoke\",\"subject\":\"" name "\",\"at\":" at "}"
#define RESTORE(name, at) "{\"do\":\"restore\",\"subject\":\"" name "\",\"at\":" at "}"

static void s_store (void **state)
{
    (void)state;
    zc_instructions_t *all = zc_instructions_new ();
    s_expect (all, 0, 0, 0);
    for (zc_id_t i = 1; i <= 5; i++)
        s_take (all, i * 10, DROP, i * 1000);
    assert_int_equal (zc_instructions_head (all), 50);
    s_expect (all, 0, 0, 5);
    s_expect (all, 20, 20, 3);
    s_expect (all, 25, 25, 3);
    s_expect (all, 50, 50, 0);
    s_expect (all, 60, 60, 0); /* another broker of the same log told it more */
    zc_instructions_turn (all, 602001, 1);
    s_expect (all, 0, 0, 3);
    s_expect (all, 10, 0, 3); /* the second one is forgotten */
    s_expect (all, 20, 20, 3);
    zc_instructions_lose (all, 45);
    s_expect (all, 44, 0, 3);
    s_expect (all, 45, 45, 1);
    zc_instructions_destroy (&all);
    assert_null (all);
}

static void s_store_is_bounded (void **state)
{
    (void)state;
    zc_instruction_t one;
    const char *error;
    char text[100];
    zc_instructions_t *all = zc_instructions_new ();
    for (zc_id_t i = 1; i <= 10001; i++)
        s_take (all, i, DROP, 0);
    s_expect (all, 0, 0, 10000);
    s_expect (all, 1, 1, 10000);
    zc_instruction_parse (&one, s_slice (REVOKE ("x", "1")), &error);
    for (unsigned i = 1; i <= 10000; i++) {
        assert_false (zc_instructions_full (all, &one));
        snprintf (text, sizeof text, REVOKE ("%u", "1"), i);
        s_take (all, 20000 + i, text, 0);
    }
    assert_true (zc_instructions_full (all, &one));
    zc_instruction_clear (&one);
    s_expect (all, 1, 1, 20000);
    s_take (all, 40000, DROP, 0); /* revocations don't make room */
    s_expect (all, 2, 2, 20000);
    zc_instructions_destroy (&all);
}

/*  A revocation lasts, until it is over or is undone. */
static void s_revocations_last (void **state)
{
    (void)state;
    zc_instructions_t *all = zc_instructions_new ();
    s_take (all, 10, REVOKE ("ann", "5"), 0);
    s_take (all, 20, DROP, 0);
    s_take (all, 30, "{\"do\":\"revoke\",\"key\":\"k\",\"at\":5,\"until\":90}", 0);
    s_take (all, 40, REVOKE ("ann", "6"), 0); /* instead of the first one */
    s_expect (all, 0, 0, 3);
    zc_instructions_turn (all, 600001, 90);
    s_expect (all, 0, 0, 2);
    zc_instructions_turn (all, 660002, 91);
    s_expect (all, 0, 0, 1);
    s_take (all, 50, RESTORE ("ann", "8"), 660002);
    s_expect (all, 0, 0, 1);                       /* the news that it is undone */
    s_take (all, 60, REVOKE ("ann", "6"), 660002); /* a broker tells the old one again */
    s_expect (all, 0, 0, 1);
    s_take (all, 70, REVOKE ("ann", "9"), 660002);
    s_expect (all, 0, 0, 1);
    zc_instructions_turn (all, 2000000, 91);
    s_expect (all, 0, 0, 1);
    zc_instructions_destroy (&all);
}

/*  Those that the log will soon let go of are told again, and each once a minute at most. */
static void s_repeats (void **state)
{
    (void)state;
    zc_slice_t text;
    zc_instructions_t *all = zc_instructions_new ();
    s_take (all, 10, REVOKE ("a", "5"), 0);
    s_take (all, 20, DROP, 0);
    s_take (all, 30, REVOKE ("b", "5"), 0);
    assert_false (zc_instructions_repeat (all, 10, 10, 1000, &text));
    assert_true (zc_instructions_repeat (all, 11, 0, 1000, &text)); /* by its age */
    assert_true (zc_slice_is (text, REVOKE ("a", "5")));
    assert_false (zc_instructions_repeat (all, 11, 0, 1000, &text));
    assert_true (zc_instructions_repeat (all, 0, 31, 1000, &text)); /* by what came since */
    assert_true (zc_slice_is (text, REVOKE ("b", "5")));
    assert_true (zc_instructions_repeat (all, 11, 0, 61001, &text));
    s_take (all, 40, REVOKE ("a", "5"), 61001);
    assert_false (zc_instructions_repeat (all, 11, 0, 200000, &text));
    zc_instructions_destroy (&all);
}

static void s_file (void **state)
{
    (void)state;
    char folder[] = "/tmp/zcast-instructions-XXXXXX", path[64], error[256];
    assert_non_null (mkdtemp (folder));
    snprintf (path, sizeof path, "%s/revoked", folder);
    zc_instructions_t *all = zc_instructions_new ();
    assert_int_equal (zc_instructions_open (all, path, error, sizeof error), 0);
    assert_int_equal (s_take (all, 10, REVOKE ("ann", "5"), 0), 0);
    assert_int_equal (s_take (all, 20, REVOKE ("bob", "5"), 0), 0);
    assert_int_equal (s_take (all, 30, RESTORE ("ann", "6"), 0), 0);
    assert_int_equal (s_take (all, 40, DROP, 0), 0);
    zc_instructions_destroy (&all);
    all = zc_instructions_new ();
    assert_int_equal (zc_instructions_open (all, path, error, sizeof error), 0);
    assert_true (zc_instructions_has_file (all));
    s_expect (all, 0, 0, 1);
    remove (path);
    remove (folder); /* now it can't be written */
    assert_int_equal (s_take (all, 50, REVOKE ("eve", "5"), 0), -1);
    s_expect (all, 0, 0, 2);
    zc_instructions_destroy (&all);
}

static void s_bad_files (void **state)
{
    (void)state;
    static const char *const bad[] = {"x\n", DROP "\n", RESTORE ("a", "5") "\n",
                                      REVOKE ("a", "5") "\n{\"do\":\"revoke\",\"key\":\"k\"}\n"};
    char path[] = "/tmp/zcast-instructions-XXXXXX", error[256];
    int fd = mkstemp (path);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal (ftruncate (fd, 0), 0);
        assert_int_equal (pwrite (fd, bad[i], strlen (bad[i]), 0), strlen (bad[i]));
        zc_instructions_t *all = zc_instructions_new ();
        assert_int_equal (zc_instructions_open (all, path, error, sizeof error), -1);
        assert_non_null (strstr (error, path));
        zc_instructions_destroy (&all);
    }
    close (fd);
    remove (path);
}

/*  The worker's part. */

static void s_count (void *arg, const zc_instruction_t *instruction)
{
    *(uint64_t *)arg += instruction->client;
}

static void s_answer (zc_duties_t *duties, const char *line, zc_id_t head, const char *list)
{
    zc_answer_t answer = {.verb = ZC_INSTRUCTIONS,
                          .kind = ZC_OK,
                          .head = head,
                          .line = s_slice (line),
                          .listed = s_slice (list)};
    zc_duties_hear (duties, &answer);
}

static void s_duties (void **state)
{
    (void)state;
    zc_duties_t duties = {0};
    uint64_t sum = 0;
    zc_ask_t ask;
    zc_duties_set (&duties, ZC_INSTRUCTION_DROP, s_count, &sum);
    zc_duties_ask (&duties, &ask);
    assert_true (zc_slice_is (ask.line, "?"));
    assert_int_equal (ask.since, ZC_ID_NONE);
    assert_false (duties.known);
    zc_duties_hear (&duties, &zc_answer_none);
    assert_false (duties.known);
    s_answer (&duties, "1-0.a", 7,
              "6-0 {\"do\":\"drop\",\"client\":\"0000000000000001\"}\n"
              "7-0 {\"do\":\"dance\"}\n"
              "8-0 {\"do\":\"drop\",\"client\":\"0000000000000002\"}\n");
    assert_true (duties.known);
    assert_int_equal (sum, 3);
    assert_int_equal (duties.count, 2);
    assert_int_equal (duties.odd, 1);
    zc_duties_ask (&duties, &ask);
    assert_int_equal (ask.since, 7);
    assert_true (zc_slice_is (ask.line, "1-0.a"));
    s_answer (&duties, "", 9, ""); /* no line: nothing is heard */
    zc_duties_ask (&duties, &ask);
    assert_int_equal (ask.since, 7);
    zc_duties_again (&duties);
    zc_duties_ask (&duties, &ask);
    assert_int_equal (ask.since, ZC_ID_NONE);
    assert_true (duties.known);
    /*  What was asked before that tells a part only: all is still to be told. */
    zc_answer_t part = {
        .verb = ZC_INSTRUCTIONS, .kind = ZC_OK, .since = 7, .head = 9, .line = s_slice ("1-0.a")};
    zc_duties_hear (&duties, &part);
    zc_duties_ask (&duties, &ask);
    assert_int_equal (ask.since, ZC_ID_NONE);
}

static void s_older_broker (void **state)
{
    (void)state;
    zc_duties_t duties = {0};
    zc_answer_t answer = {.verb = ZC_INSTRUCTIONS, .kind = ZC_ERR, .code = s_slice ("forbidden")};
    zc_duties_hear (&duties, &answer);
    assert_false (duties.known);
    answer.code = s_slice ("verb");
    zc_duties_hear (&duties, &answer);
    assert_true (duties.known);
}

/*  Tokens. */

static void s_tell (zc_revocations_t *all, const char *text)
{
    zc_instruction_t one;
    const char *error;
    assert_int_equal (zc_instruction_parse (&one, s_slice (text), &error), 0);
    zc_revocations_take (all, &one);
    zc_instruction_clear (&one);
}

static void s_revoked (void **state)
{
    (void)state;
    zc_revocations_t all;
    char ann[] = "ann", kid[] = "k", jti[] = "t", none[] = "";
    zc_identity_t one = {.subject = ann, .kid = kid, .id = jti, .issued_ms = 100};
    zc_identity_t plain = {.subject = none, .kid = none, .id = none, .issued_ms = 100};
    zc_revocations_init (&all);
    assert_false (zc_revocations_have (&all, &one));
    s_tell (&all, REVOKE ("ann", "99")); /* issued later */
    assert_false (zc_revocations_have (&all, &one));
    s_tell (&all, REVOKE ("ann", "100"));
    assert_true (zc_revocations_have (&all, &one));
    s_tell (&all, RESTORE ("ann", "100"));
    assert_false (zc_revocations_have (&all, &one));
    one.issued_ms = 0; /* it doesn't say when */
    s_tell (&all, REVOKE ("ann", "1"));
    assert_true (zc_revocations_have (&all, &one));
    s_tell (&all, RESTORE ("ann", "1"));
    s_tell (&all, "{\"do\":\"revoke\",\"key\":\"ann\",\"at\":999}");
    s_tell (&all, "{\"do\":\"revoke\",\"token\":\"k\",\"at\":999}");
    assert_false (zc_revocations_have (&all, &one));
    s_tell (&all, "{\"do\":\"revoke\",\"key\":\"k\",\"at\":1,\"until\":50}");
    assert_true (zc_revocations_have (&all, &one));
    zc_revocations_tick (&all, 50);
    assert_true (zc_revocations_have (&all, &one));
    zc_revocations_tick (&all, 51);
    assert_false (zc_revocations_have (&all, &one));
    s_tell (&all, "{\"do\":\"revoke\",\"token\":\"t\",\"at\":1}");
    assert_true (zc_revocations_have (&all, &one));
    assert_false (zc_revocations_have (&all, &plain));
    zc_revocations_begin (&all); /* a list that hasn't it any more */
    s_tell (&all, REVOKE ("bob", "1"));
    assert_true (zc_revocations_have (&all, &one));
    zc_revocations_end (&all);
    assert_false (zc_revocations_have (&all, &one));
    assert_int_equal (all.all.size, 1);
    zc_revocations_clear (&all);
}

static void s_note (void *arg, bool begin, bool whole)
{
    zc_buf_addf (arg, "%s%s ", begin ? "begin" : "end", whole ? " whole" : "");
}

static void s_whole_lists (void **state)
{
    (void)state;
    zc_buf_t seen = ZC_BUF_INIT;
    zc_duties_t duties = {.around = s_note, .around_arg = &seen};
    zc_answer_t answer = {
        .verb = ZC_INSTRUCTIONS, .kind = ZC_OK, .head = 7, .line = s_slice ("1-0.a")};
    zc_duties_hear (&duties, &answer);
    answer.since = 7;
    zc_duties_hear (&duties, &answer);
    assert_string_equal (zc_buf_str (&seen), "begin whole end whole begin end ");
    zc_buf_clear (&seen);
}

static void s_registry (void **state)
{
    (void)state;
    zc_registry_t registry;
    zc_client_t clients[3] = {{0}};
    zc_table_init (&registry.clients);
    assert_null (zc_registry_find (&registry, 1));
    zc_registry_add (&registry, &clients[0], 0);
    zc_registry_add (&registry, &clients[1], 77);
    zc_registry_add (&registry, &clients[2], 77); /* has come from elsewhere under a used id */
    assert_int_equal (zc_client_id (&clients[1]), 77);
    for (size_t i = 0; i < 3; i++)
        assert_ptr_equal (zc_registry_find (&registry, zc_client_id (&clients[i])), &clients[i]);
    zc_registry_add (&registry, &clients[1], 78);
    assert_int_equal (zc_client_id (&clients[1]), 77);
    zc_registry_remove (&registry, &clients[1]);
    zc_registry_remove (&registry, &clients[1]);
    assert_null (zc_registry_find (&registry, 77));
    assert_int_equal (zc_client_id (&clients[1]), 0);
    assert_ptr_equal (zc_registry_find (&registry, zc_client_id (&clients[2])), &clients[2]);
    zc_table_clear (&registry.clients);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (s_good),        cmocka_unit_test (s_bad),
        cmocka_unit_test (s_too_long),    cmocka_unit_test (s_lists),
        cmocka_unit_test (s_store),       cmocka_unit_test (s_store_is_bounded),
        cmocka_unit_test (s_duties),      cmocka_unit_test (s_older_broker),
        cmocka_unit_test (s_registry),    cmocka_unit_test (s_revocations_last),
        cmocka_unit_test (s_repeats),     cmocka_unit_test (s_file),
        cmocka_unit_test (s_bad_files),   cmocka_unit_test (s_revoked),
        cmocka_unit_test (s_whole_lists),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
