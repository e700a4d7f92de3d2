/*  console.c - see console.h. */
#include "lib/front/console.h"

#include <string.h>

#include "lib/front/keeper.h"
#include "lib/front/pages.h"
#include "lib/front/inquiry.h"
#include "lib/wire/encoding.h"

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

/*  Whether the token is one for the console; false after the refusal. In open mode, too. */
static bool s_may (zc_exchange_t *exchange)
{
    static const char name[] = ZC_CONSOLE_TOPIC;
    const zc_rights_t *rights = exchange->subject;
    zc_denial_t denial = {.code = "token", .field = "WWW-Authenticate"};
    if (!s_is_on (exchange))
        return false;
    if (!rights) {
        denial.status = 401;
        denial.text =
            "a token is needed, with " ZC_CONSOLE_TOPIC " among its topics to subscribe to";
        denial.value = zc_access_challenge (ZC_TOKEN_OK);
    } else if (!zc_grants_name (zc_rights_identity (rights)->grants, ZC_GRANT_SUBSCRIBE,
                                (zc_slice_t){name, sizeof name - 1})) {
        denial.status = 403;
        denial.code = "forbidden";
        denial.text = "the token isn't for the console: it doesn't name " ZC_CONSOLE_TOPIC
                      " itself among its topics to subscribe to";
        denial.value = "Bearer error=\"insufficient_scope\"";
    }
    if (denial.status)
        zc_exchange_refuse_by (exchange, &denial);
    return !denial.status;
}

void zc_console_write_topics (zc_buf_t *out, zc_slice_t kept, bool more)
{
    zc_topic_kept_t topic;
    const char *comma = "";
    char last[ZC_ID_SIZE];
    zc_buf_addf (out, "{\"more\":%s,\"topics\":[", more ? "true" : "false");
    while (zc_topic_kept_next (&kept, &topic)) {
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
    zc_front_open (front, "/console", &page);
    zc_front_open (front, "/console/app.js", &app);
    zc_front_open (front, "/console/style.css", &style);
    zc_front_open (front, "/console/zcast.js", &zcast);
    zc_front_open (front, "/console/state", &state);
    zc_front_open (front, "/console/topics", &topics);
}
