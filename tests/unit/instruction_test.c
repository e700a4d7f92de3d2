#include "tests/unit/unit.h"

#include "broker/instructions.h"
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

static void s_store (void **state)
{
    (void)state;
    zc_instructions_t *all = zc_instructions_new ();
    s_expect (all, 0, 0, 0);
    for (zc_id_t i = 1; i <= 5; i++)
        zc_instructions_take (all, i * 10, s_slice ("{}"), i * 1000);
    assert_int_equal (zc_instructions_head (all), 50);
    s_expect (all, 0, 0, 5);
    s_expect (all, 20, 20, 3);
    s_expect (all, 25, 25, 3);
    s_expect (all, 50, 50, 0);
    s_expect (all, 60, 60, 0); /* another broker of the same log told it more */
    zc_instructions_turn (all, 602001);
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
    static char long_text[60000];
    memset (long_text, 'x', sizeof long_text);
    zc_instructions_t *all = zc_instructions_new ();
    for (zc_id_t i = 1; i <= 10001; i++)
        zc_instructions_take (all, i, s_slice ("{}"), 0);
    s_expect (all, 0, 0, 10000);
    s_expect (all, 1, 1, 10000);
    for (zc_id_t i = 1; i <= 100; i++)
        zc_instructions_take (all, 20000 + i, (zc_slice_t){long_text, sizeof long_text}, 0);
    s_expect (all, 20099, 20099, 1);
    s_expect (all, 0, 0, 17); /* a megabyte */
    zc_instructions_destroy (&all);
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
        cmocka_unit_test (s_good),     cmocka_unit_test (s_bad),
        cmocka_unit_test (s_too_long), cmocka_unit_test (s_lists),
        cmocka_unit_test (s_store),    cmocka_unit_test (s_store_is_bounded),
        cmocka_unit_test (s_duties),   cmocka_unit_test (s_older_broker),
        cmocka_unit_test (s_registry),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
