/*  The messages that a request wants published: where each part may be given, once, and
 *  refusals. */
#include "tests/unit/unit.h"

#include "lib/front/publication.h"

#define MAX_PAYLOAD 100

typedef struct {
    const char *query;
    const char *fields[9];              /* names and values in turn */
    const char *form;                   /* NULL: none */
    const char *line;                   /* NULL: none */
    const char *payload;                /* the body, if there is neither */
    const char *topic, *data, *headers; /* the result; topic NULL: it is refused */
    const char *code;                   /* then with this code */
} row_t;

static const row_t rows[] = {
    {.query = "topic=a", .payload = "p", .topic = "a", .data = "p", .headers = ""},
    {.query = "topic=a%2Fb+c&x=y", .payload = "", .topic = "a/b c", .data = "", .headers = ""},
    {.query = "topic=a&event=e&id=i&key=k&ttl=5&retry=7&private",
     .payload = "p",
     .topic = "a",
     .data = "p",
     .headers = "event: e\nid: i\nkey: k\nttl: 5\nretry: 7\nprivate: yes\n"},
    {.query = "topic=a&private=off&event=",
     .payload = "p",
     .topic = "a",
     .data = "p",
     .headers = ""},
    {.query = "topic=a&data=d", .payload = "", .topic = "a", .data = "d", .headers = ""},
    {.query = "",
     .fields = {"Zcast-Topic", "a", "zcast-event", "e", "Zcast-Ttl", "5", "Content-Type", "x/y"},
     .payload = "p",
     .topic = "a",
     .data = "p",
     .headers = "event: e\nttl: 5\ncontent-type: x/y\n"},
    {.query = "topic=a",
     .fields = {"Zcast-Id", "i", "Zcast-Key", "k", "Zcast-Retry", "1", "Zcast-Private", "1"},
     .payload = "p",
     .topic = "a",
     .data = "p",
     .headers = "id: i\nkey: k\nretry: 1\nprivate: yes\n"},
    {.query = "topic=a",
     .fields = {"Idempotency-Key", "k"},
     .payload = "p",
     .topic = "a",
     .data = "p",
     .headers = "key: k\n"},
    {.query = "topic=a",
     .fields = {"Idempotency-Key", "\"k\""},
     .payload = "p",
     .topic = "a",
     .data = "p",
     .headers = "key: k\n"},
    {.query = "topic=a",
     .fields = {"Idempotency-Key", "\""},
     .payload = "p",
     .topic = "a",
     .data = "p",
     .headers = "key: \"\n"},
    {.query = "key=k",
     .form = "topic=a&data=%c3%a4+b&event=e&other=1",
     .topic = "a",
     .data = "\xc3\xa4 b",
     .headers = "event: e\nkey: k\n"},
    {.query = "", .form = "data=&topic=a", .topic = "a", .data = "", .headers = ""},
    {.query = "topic=z&key=k&event=e&ttl=1",
     .line = "{\"topic\":\"a\",\"data\":\"d\",\"ttl\":2}",
     .topic = "a",
     .data = "d",
     .headers = "event: e\nkey: k.7\nttl: 2\n"},
    {.query = "topic=z&key=k",
     .line = "{\"base64\":\"YWI=\",\"key\":\"own\",\"private\":true,\"id\":null}",
     .topic = "z",
     .data = "ab",
     .headers = "key: own\nprivate: yes\n"},
    {.query = "topic=z&private",
     .line = "{\"base64\":\"\",\"private\":false,\"retry\":\"3\",\"x\":[1]}",
     .topic = "z",
     .data = "",
     .headers = "retry: 3\n"},
    {.query = "",
     .line = "{\"topic\":\"\\u00e4\",\"data\":\"\\u0000\\n\"}",
     .topic = "\xc3\xa4",
     .data = NULL,
     .headers = ""},
    /* refused */
    {.query = "", .payload = "p", .code = "topic"},
    {.query = "topic=", .payload = "p", .code = "topic"},
    {.query = "topic=a%0Ab", .payload = "p", .code = "topic"},
    {.query = "topic=%ff", .payload = "p", .code = "topic"},
    {.query = "topic=a%2", .payload = "p", .code = "headers"},
    {.query = "topic=a&topic=a", .payload = "p", .code = "headers"},
    {.query = "topic=a", .fields = {"Zcast-Topic", "a"}, .payload = "p", .code = "headers"},
    {.query = "topic=a&key=k",
     .fields = {"Idempotency-Key", "k"},
     .payload = "p",
     .code = "headers"},
    {.query = "topic=a&key=", .payload = "p", .code = "headers"},
    {.query = "topic=a", .fields = {"Idempotency-Key", "\"\""}, .payload = "p", .code = "headers"},
    {.query = "topic=a&id=", .payload = "p", .code = "headers"},
    {.query = "topic=a&id=1-0", .payload = "p", .code = "headers"},
    {.query = "topic=a&id=earliest", .payload = "p", .code = "headers"},
    {.query = "topic=a&event=zcast.continuity", .payload = "p", .code = "headers"},
    {.query = "topic=a&event=x%0Aid:%20y", .payload = "p", .code = "headers"},
    {.query = "topic=a&key=x%0D", .payload = "p", .code = "headers"},
    {.query = "topic=a&event=%ff", .payload = "p", .code = "headers"},
    {.query = "topic=a&event=%00", .payload = "p", .code = "headers"},
    {.query = "topic=a&ttl=1s", .payload = "p", .code = "headers"},
    {.query = "topic=a&ttl=-1", .payload = "p", .code = "headers"},
    {.query = "topic=a&retry=x", .payload = "p", .code = "headers"},
    {.query = "topic=a&private=maybe", .payload = "p", .code = "headers"},
    {.query = "topic=a&data=d", .payload = "p", .code = "headers"},
    {.query = "topic=a", .form = "topic=b&data=d", .code = "headers"},
    {.query = "topic=a", .form = "data=d&data=d", .code = "headers"},
    {.query = "topic=a", .form = "data=%", .code = "headers"},
    {.query = "topic=a", .line = "", .code = "json"},
    {.query = "topic=a", .line = "[]", .code = "json"},
    {.query = "topic=a", .line = "{\"data\":\"d\"} x", .code = "json"},
    {.query = "topic=a", .line = "{\"data\":\"d\",\"data\":\"d\"}", .code = "json"},
    {.query = "topic=a", .line = "{\"data\":\"\xff\"}", .code = "json"},
    {.query = "topic=a", .line = "{}", .code = "payload"},
    {.query = "topic=a", .line = "{\"data\":1}", .code = "payload"},
    {.query = "topic=a", .line = "{\"data\":\"d\",\"base64\":\"\"}", .code = "payload"},
    {.query = "topic=a", .line = "{\"base64\":\"A\"}", .code = "payload"},
    {.query = "topic=a", .line = "{\"base64\":7}", .code = "payload"},
    {.query = "topic=a", .line = "{\"data\":\"d\",\"event\":7}", .code = "headers"},
    {.query = "topic=a", .line = "{\"data\":\"d\",\"ttl\":-7}", .code = "headers"},
    {.query = "topic=a", .line = "{\"data\":\"d\",\"ttl\":1.5}", .code = "headers"},
    {.query = "topic=a", .line = "{\"data\":\"d\",\"topic\":7}", .code = "headers"},
    {.query = "topic=a", .line = "{\"data\":\"d\",\"event\":\"a\\nb\"}", .code = "headers"},
    {.query = "", .line = "{\"data\":\"d\"}", .code = "topic"},
};

static void s_fill (zc_request_t *request, const row_t *row)
{
    zc_request_init (request);
    request->query = (zc_slice_t){row->query, strlen (row->query)};
    for (size_t i = 0; row->fields[i]; i += 2) {
        int field = zc_field_find ((zc_slice_t){row->fields[i], strlen (row->fields[i])});
        assert_true (field >= 0);
        zc_request_add (request, (zc_field_t)field,
                        (zc_slice_t){row->fields[i + 1], strlen (row->fields[i + 1])});
    }
}

static zc_slice_t s_slice (const char *text)
{
    return (zc_slice_t){text ? text : "", text ? strlen (text) : 0};
}

static void s_check (const row_t *row, size_t number)
{
    zc_request_t request;
    zc_publication_t given, line;
    zc_publication_t *last = row->line ? &line : &given;
    s_fill (&request, row);
    zc_publication_init (&given);
    zc_publication_init (&line);
    const zc_refusal_t *wrong = zc_publication_take_request (&given, &request);
    if (!wrong && row->form)
        wrong = zc_publication_take_form (&given, s_slice (row->form));
    if (!wrong && row->line)
        wrong = zc_publication_take_line (&line, s_slice (row->line), &given, 7);
    if (!wrong)
        wrong = zc_publication_finish (last, s_slice (row->payload), MAX_PAYLOAD);
    if (row->code && (!wrong || strcmp (wrong->code, row->code) != 0))
        fail_msg ("row %zu: %s, not %s", number, wrong ? wrong->code : "taken", row->code);
    if (!row->code) {
        if (wrong)
            fail_msg ("row %zu: %s", number, wrong->text);
        assert_slice (last->items[ZC_ITEM_TOPIC], row->topic);
        if (row->data)
            assert_slice (last->items[ZC_ITEM_DATA], row->data);
        else
            assert_int_equal (last->items[ZC_ITEM_DATA].len, 2);
        assert_string_equal (zc_buf_str (&last->headers), row->headers);
    }
    zc_publication_clear (&line);
    zc_publication_clear (&given);
    zc_publication_clear (&given);
    zc_request_clear (&request);
}

static void test_rows (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (rows); i++)
        s_check (&rows[i], i);
}

/*  The broker decides on sizes; what it would refuse is refused before it is asked. */
static void test_sizes (void **state)
{
    (void)state;
    char payload[MAX_PAYLOAD + 1], event[9000];
    memset (payload, 'x', sizeof payload);
    memset (event, 'e', sizeof event);
    for (size_t i = 0; i < 3; i++) {
        zc_publication_t self;
        zc_publication_init (&self);
        self.items[ZC_ITEM_TOPIC] = SLICE ("a");
        if (i == 2)
            self.items[ZC_ITEM_CONTENT_TYPE] = (zc_slice_t){event, sizeof event};
        const zc_refusal_t *wrong = zc_publication_finish (
            &self, (zc_slice_t){payload, i == 1 ? MAX_PAYLOAD + 1 : MAX_PAYLOAD}, MAX_PAYLOAD);
        assert_int_equal (wrong != NULL, i > 0);
        if (wrong)
            assert_string_equal (wrong->code, i == 1 ? "payload" : "headers");
        zc_publication_clear (&self);
    }
}

static void test_what_is_a_form (void **state)
{
    (void)state;
    assert_true (zc_publication_is_form (SLICE ("topic=a")));
    assert_true (zc_publication_is_form (SLICE ("x=y&data")));
    assert_false (zc_publication_is_form (SLICE ("hello")));
    assert_false (zc_publication_is_form (SLICE ("")));
    assert_false (zc_publication_is_form (SLICE ("{\"data\":1}")));
    assert_false (zc_publication_is_form (SLICE ("datas=1&topics=2")));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_rows),
        cmocka_unit_test (test_sizes),
        cmocka_unit_test (test_what_is_a_form),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
