/*  console.c - see console.h. */
#include "lib/front/console.h"

#include <string.h>

#include "lib/base/base64.h"
#include "lib/base/log.h"
#include "lib/front/inquiry.h"
#include "lib/front/keeper.h"
#include "lib/front/pages.h"
#include "lib/front/ticker.h"
#include "lib/wire/encoding.h"
#include "lib/wire/instruction.h"
#include "lib/wire/selector.h"

/*  ---------------------------------------------------------------- the page */

/*  Nothing comes from elsewhere, nothing is inline, and no other page shows it in a frame. */
#define S_POLICY                                                                             \
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ws: wss:; " \
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/*  False after the refusal. */
static bool s_is_on (zc_exchange_t *exchange)
{
    bool on = zc_options_bool (exchange->front->options, "console");
    if (!on)
        zc_exchange_refuse (exchange, 404, "path", "no such path");
    return on;
}

static void s_serve (zc_exchange_t *exchange, const char *type, const char *text)
{
    zc_response_t response;
    if (!s_is_on (exchange))
        return;
    zc_response_init (&response, 200);
    zc_response_say (&response, "Content-Type", type);
    zc_response_say (&response, "Cache-Control", "no-cache");
    zc_response_say (&response, "Content-Security-Policy", S_POLICY);
    zc_response_say (&response, "Referrer-Policy", "no-referrer");
    zc_buf_adds (&response.body, text);
    zc_exchange_answer (exchange, &response);
    zc_response_clear (&response);
}

static void s_open_page (zc_exchange_t *exchange)
{
    s_serve (exchange, "text/html; charset=utf-8", zc_page_console);
}

static void s_open_app (zc_exchange_t *exchange)
{
    s_serve (exchange, "text/javascript; charset=utf-8", zc_page_app);
}

static void s_open_style (zc_exchange_t *exchange)
{
    s_serve (exchange, "text/css; charset=utf-8", zc_page_style);
}

static void s_open_zcast (zc_exchange_t *exchange)
{
    s_serve (exchange, "text/javascript; charset=utf-8", zc_page_zcast);
}

/*  ---------------------------------------------------------------- figures */

/*  Whether the token is one for the console: to look at it (SUBSCRIBE), or to act (PUBLISH). False
 *  after the refusal. In open mode, too. */
static bool s_has (zc_exchange_t *exchange, zc_grant_t grant)
{
    static const char name[] = ZC_CONSOLE_TOPIC;
    const zc_rights_t *rights = exchange->subject;
    zc_denial_t denial = {.code = "token", .field = "WWW-Authenticate"};
    if (!s_is_on (exchange))
        return false;
    if (!rights) {
        denial.status = 401;
        denial.text = grant == ZC_GRANT_SUBSCRIBE ? "a token is needed, with " ZC_CONSOLE_TOPIC
                                                    " among its topics to subscribe to"
                                                  : "a token is needed, with " ZC_CONSOLE_TOPIC
                                                    " among its topics to publish to";
        denial.value = zc_access_challenge (ZC_TOKEN_OK);
    } else if (!zc_grants_name (zc_rights_identity (rights)->grants, grant,
                                (zc_slice_t){name, sizeof name - 1})) {
        denial.status = 403;
        denial.code = "forbidden";
        denial.text = grant == ZC_GRANT_SUBSCRIBE
                          ? "the token isn't for the console: it doesn't name " ZC_CONSOLE_TOPIC
                            " itself among its topics to subscribe to"
                          : "the token doesn't allow that: it doesn't name " ZC_CONSOLE_TOPIC
                            " itself among its topics to publish to";
        denial.value = "Bearer error=\"insufficient_scope\"";
    }
    if (denial.status)
        zc_exchange_refuse_by (exchange, &denial);
    return !denial.status;
}

static bool s_may (zc_exchange_t *exchange)
{
    return s_has (exchange, ZC_GRANT_SUBSCRIBE);
}

void zc_console_write_topics (zc_buf_t *out, zc_slice_t kept, bool more)
{
    zc_topic_kept_t topic;
    const char *comma = "";
    char last[ZC_ID_SIZE];
    zc_buf_addf (out, "{\"more\":%s,\"topics\":[", more ? "true" : "false");
    while (zc_topic_kept_next (&kept, &topic)) {
        if (zc_topic_is_canary (topic.topic))
            continue;
        zc_id_format (topic.last, last);
        zc_buf_addf (out, "%s{\"last\":\"%s\",\"messages\":%llu,\"bytes\":%llu,\"topic\":", comma,
                     last, (unsigned long long)topic.messages, (unsigned long long)topic.bytes);
        zc_json_string (out, topic.topic.at, topic.topic.len);
        zc_buf_addc (out, '}');
        comma = ",";
    }
    zc_buf_adds (out, "]}\n");
}

static void s_answer (zc_exchange_t *exchange, const zc_answer_t *answer)
{
    zc_response_t response;
    bool good = answer->kind == ZC_OK;
    zc_response_init (&response, 200);
    zc_response_say (&response, "Content-Type", "application/json");
    zc_response_say (&response, "Cache-Control", "no-store");
    if (good && answer->verb == ZC_STATS)
        zc_buf_add (&response.body, answer->text.at, answer->text.len);
    else if (good)
        zc_console_write_topics (&response.body, answer->kept, answer->next.len > 0);
    if (good)
        zc_exchange_answer (exchange, &response);
    else
        zc_exchange_refuse (exchange, 503, "broker", "the broker doesn't answer");
    zc_response_clear (&response);
}

static void s_open_state (zc_exchange_t *exchange)
{
    static const zc_ask_t ask = {.verb = ZC_STATS};
    if (s_may (exchange))
        zc_inquiry_ask (exchange, &ask, s_answer);
}

static void s_open_topics (zc_exchange_t *exchange)
{
    static const zc_ask_t ask = {.verb = ZC_LIST, .count = ZC_LIST_MAX};
    if (s_may (exchange))
        zc_inquiry_ask (exchange, &ask, s_answer);
}

/*  ---------------------------------------------------------------- history */

#define S_PAGE_BYTES 1048576 /* of payloads in a page */

/*  Replaces *number where this is its parameter. Returns false if the value isn't good. */
static bool s_number (zc_slice_t value, uint64_t least, uint64_t most, uint64_t *number)
{
    return zc_text_u64 (value.at, value.len, most, number) == 0 && *number >= least;
}

static bool s_is_since (zc_slice_t value)
{
    zc_id_t id;
    return zc_slice_is (value, "earliest") || zc_id_parse (value.at, value.len, &id) == 0;
}

/*  These parameters need no escapes. */
static const char *s_parameter (zc_console_wish_t *wish, zc_slice_t name, zc_slice_t value)
{
    if (zc_slice_is (name, "since")) {
        wish->since = value;
        return s_is_since (value) ? NULL : "since: a position, or earliest";
    }
    if (zc_slice_is (name, "count"))
        return s_number (value, 1, ZC_CONSOLE_PAGE, &wish->count) ? NULL : "count: 1 to 100";
    if (zc_slice_is (name, "cut"))
        return s_number (value, 0, UINT32_MAX, &wish->cut) ? NULL : "cut: a number of bytes";
    return NULL;
}

const char *zc_console_wish (zc_console_wish_t *wish, zc_slice_t query)
{
    zc_slice_t rest = query, name, value;
    const char *wrong = NULL;
    *wish = (zc_console_wish_t){
        .since = {"earliest", 8}, .count = ZC_CONSOLE_PAGE / 2, .cut = ZC_CONSOLE_CUT};
    while (!wrong && zc_query_next (&rest, &name, &value))
        wrong = s_parameter (wish, name, value);
    if (!wrong && wish->count > 1 && wish->cut > ZC_CONSOLE_CUT)
        wrong = "cut: at most 4096, but for one message";
    int rc = wrong ? 0 : zc_query_parse (&wish->query, query, 1);
    if (rc < 0)
        wrong = zc_query_strerror (&wish->query, rc);
    else if (!wrong && (wish->query.count != 1 || zc_names_selector (wish->query.topics[0])))
        wrong = "one topic is needed, as in ?topic=NAME";
    if (wrong) {
        zc_query_clear (&wish->query);
        *wish = (zc_console_wish_t){.count = 0};
    }
    return wrong;
}

/*  Of a payload that is cut, the text ends with a whole character. */
static void s_write_payload (zc_buf_t *out, zc_slice_t payload, size_t cut)
{
    bool text = zc_utf8_valid (payload.at, payload.len);
    size_t len = payload.len < cut ? payload.len : cut;
    if (text && len < payload.len)
        len = zc_text_whole (payload.at, len);
    zc_buf_addf (out, ",\"bytes\":%zu,\"shown\":%zu,\"%s\":", payload.len, len,
                 text ? "data" : "base64");
    if (text) {
        zc_json_string (out, payload.at, len);
    } else {
        zc_buf_addc (out, '"');
        size_t size = (len + 2) / 3 * 4;
        zc_base64 (payload.at, len, (char *)zc_buf_reserve (out, size));
        out->len += size;
        zc_buf_addc (out, '"');
    }
}

void zc_console_write_message (zc_buf_t *out, const zc_message_t *message, size_t cut)
{
    char id[ZC_ID_SIZE];
    zc_slice_t meta = message->meta, name, value;
    const char *comma = "";
    zc_buf_addf (out, "{\"id\":\"%.*s\"", (int)zc_id_format (message->id, id), id);
    s_write_payload (out, message->payload, cut);
    zc_buf_adds (out, ",\"headers\":{");
    while (zc_header_next (&meta, &name, &value)) {
        zc_buf_adds (out, comma);
        zc_json_string (out, name.at, name.len);
        zc_buf_addc (out, ':');
        zc_json_string (out, value.at, value.len);
        comma = ",";
    }
    zc_buf_adds (out, "}}");
}

/*  Of a query that was found good. */
static size_t s_cut (zc_slice_t query)
{
    zc_slice_t name, value;
    uint64_t cut = ZC_CONSOLE_CUT;
    while (zc_query_next (&query, &name, &value))
        if (zc_slice_is (name, "cut"))
            s_number (value, 0, UINT32_MAX, &cut);
    return (size_t)cut;
}

static void s_part (zc_exchange_t *exchange, zc_buf_t *text, const zc_answer_t *part)
{
    if (part->kind != ZC_MSG)
        return;
    if (text->len)
        zc_buf_addc (text, ',');
    zc_console_write_message (text, &part->message, s_cut (exchange->request.query));
}

static void s_answer_page (zc_exchange_t *exchange, zc_slice_t messages, const zc_answer_t *end)
{
    zc_response_t response;
    char head[ZC_ID_SIZE], floor[ZC_ID_SIZE];
    if (end->kind != ZC_END) {
        bool said = end->kind == ZC_ERR;
        zc_exchange_refuse (exchange, 503, "broker",
                            said ? "the broker can't read history now"
                                 : "the broker doesn't answer");
        return;
    }
    zc_response_init (&response, 200);
    zc_response_say (&response, "Content-Type", "application/json");
    zc_response_say (&response, "Cache-Control", "no-store");
    zc_buf_adds (&response.body, "{\"messages\":[");
    zc_buf_add (&response.body, messages.at, messages.len);
    zc_id_format (end->head, head);
    zc_id_format (end->floor, floor);
    zc_buf_addf (&response.body, "],\"head\":\"%s\",\"floor\":\"%s\",\"remaining\":%llu}\n", head,
                 floor, (unsigned long long)end->remaining);
    zc_exchange_answer (exchange, &response);
    zc_response_clear (&response);
}

/*  A payload is for those who may subscribe to its topic. */
static void s_open_history (zc_exchange_t *exchange)
{
    zc_console_wish_t wish;
    if (!s_may (exchange))
        return;
    const char *wrong = zc_console_wish (&wish, exchange->request.query);
    if (wrong) {
        zc_exchange_refuse (exchange, 400, "query", wrong);
        return;
    }
    zc_denial_t denial = zc_exchange_granted (exchange, ZC_ACTION_SUBSCRIBE, wish.query.topics, 1);
    zc_ask_t ask = {.verb = ZC_FETCH,
                    .since_text = wish.since,
                    .count = wish.count,
                    .bytes = S_PAGE_BYTES,
                    .list = wish.query.topics[0]};
    if (denial.status)
        zc_exchange_refuse_by (exchange, &denial);
    else
        zc_inquiry_gather (exchange, &ask, s_part, s_answer_page);
    zc_query_clear (&wish.query);
}

/*  ---------------------------------------------------------------- the stream of figures */

static void s_open_live (zc_exchange_t *exchange)
{
    if (s_may (exchange))
        zc_ticker_stream (exchange);
}

/*  ---------------------------------------------------------------- ending a connection */

/*  Returns false where the query names no client. */
static bool s_client (zc_slice_t query, uint64_t *client)
{
    zc_slice_t name, value;
    *client = 0;
    while (zc_query_next (&query, &name, &value))
        if (zc_slice_is (name, "client") && zc_client_id_parse (value, client) != 0)
            return false;
    return *client != 0;
}

static void s_answer_drop (zc_exchange_t *exchange, const zc_answer_t *answer)
{
    zc_response_t response;
    if (answer->kind != ZC_OK) {
        zc_exchange_refuse (exchange, 503, "broker", "the broker doesn't take it now");
        return;
    }
    zc_response_init (&response, 200);
    zc_response_say (&response, "Content-Type", "application/json");
    zc_response_say (&response, "Cache-Control", "no-store");
    zc_buf_adds (&response.body, "{\"told\":true}\n");
    zc_exchange_answer (exchange, &response);
    zc_response_clear (&response);
}

/*  A browser sends cookies by itself, also for a page that isn't the console. */
static bool s_may_act (zc_exchange_t *exchange)
{
    if (!s_has (exchange, ZC_GRANT_PUBLISH))
        return false;
    bool by_cookie = zc_rights_identity (exchange->subject)->by_cookie;
    if (by_cookie)
        zc_exchange_refuse (exchange, 403, "token", "the token has to come in Authorization");
    return !by_cookie;
}

static void s_open_drop (zc_exchange_t *exchange)
{
    zc_instruction_t instruction = {.kind = ZC_INSTRUCTION_DROP};
    zc_buf_t text = ZC_BUF_INIT;
    char id[ZC_CLIENT_ID_SIZE];
    if (!s_may_act (exchange))
        return;
    if (!s_client (exchange->request.query, &instruction.client)) {
        zc_exchange_refuse (exchange, 400, "client",
                            "client: the id of a connection, 16 hexadecimal digits");
        return;
    }
    zc_client_id_format (instruction.client, id);
    zc_info (ZC_EVENT ("console.drop subject client", "console: %s wants connection %s to end"),
             zc_rights_identity (exchange->subject)->subject, id);
    zc_instruction_write (&instruction, &text);
    zc_ask_t ask = {.verb = ZC_INSTRUCT, .json = {(const char *)text.data, text.len}};
    zc_inquiry_ask (exchange, &ask, s_answer_drop);
    zc_buf_clear (&text);
}

#define S_READS ZC_METHOD_GET | ZC_METHOD_HEAD

void zc_console_open (zc_front_t *front)
{
    static const zc_door_t page = {.name = "console", .methods = S_READS, .open = s_open_page},
                           app = {.name = "console", .methods = S_READS, .open = s_open_app},
                           style = {.name = "console", .methods = S_READS, .open = s_open_style},
                           zcast = {.name = "console", .methods = S_READS, .open = s_open_zcast};
    static const zc_door_t state = {
        .name = "console", .methods = S_READS, .open = s_open_state, .gone = zc_inquiry_gone};
    static const zc_door_t topics = {
        .name = "console", .methods = S_READS, .open = s_open_topics, .gone = zc_inquiry_gone};
    static const zc_door_t history = {
        .name = "console", .methods = S_READS, .open = s_open_history, .gone = zc_inquiry_gone};
    static const zc_door_t live = {
        .name = "console", .methods = S_READS, .streams = true, .stays = true, .open = s_open_live};
    static const zc_door_t drop = {
        .name = "console", .methods = ZC_METHOD_POST, .open = s_open_drop, .gone = zc_inquiry_gone};
    zc_front_open (front, "/console", &page);
    zc_front_open (front, "/console/app.js", &app);
    zc_front_open (front, "/console/style.css", &style);
    zc_front_open (front, "/console/zcast.js", &zcast);
    zc_front_open (front, "/console/state", &state);
    zc_front_open (front, "/console/topics", &topics);
    zc_front_open (front, "/console/history", &history);
    zc_front_open (front, "/console/live", &live);
    zc_front_open (front, "/console/drop", &drop);
}
