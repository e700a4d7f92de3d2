/*  front.c - the decisions in their order, and the answers that all doors share. */
#include "lib/front/front.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/wire/encoding.h"
#include "lib/wire/field.h"
#include "lib/wire/figures.h"
#include "lib/wire/sse.h"

#define S_RETRY_MS 2000 /* where there is no worker to ask for an interval */

/*  ---------------------------------------------------------------- the front */

void zc_front_init (zc_front_t *self, zc_worker_t *worker, zc_options_t *options)
{
    memset (self, 0, sizeof *self);
    self->worker = worker;
    self->options = options;
    self->addresses = zc_addresses_new ();
    zc_front_configure (self);
}

void zc_front_clear (zc_front_t *self)
{
    zc_addresses_destroy (&self->addresses);
    zc_trust_clear (&self->trust);
}

static size_t s_number (const zc_front_t *self, const char *name)
{
    return (size_t)zc_options_number (self->options, name);
}

static zc_rate_t s_rate (const zc_front_t *self, const char *rate, const char *burst)
{
    return (zc_rate_t){(double)s_number (self, rate), (double)s_number (self, burst)};
}

void zc_front_configure (zc_front_t *self)
{
    self->allow_publish = zc_options_bool (self->options, "allow-publish");
    self->messages = s_rate (self, "address-rate", "address-burst");
    self->connects = s_rate (self, "connect-rate", "connect-burst");
    self->failures = s_rate (self, "failure-rate", "failure-burst");
    self->max_per_address = (unsigned)s_number (self, "max-connections-per-address");
    self->max_clients = s_number (self, "max-clients");
    self->max_topics = s_number (self, "max-topics");
    self->max_payload = s_number (self, "max-payload");
    self->max_body = s_number (self, "max-body");
    self->max_bodies = s_number (self, "max-bodies");
    zc_trust_read (&self->trust, self->options);
}

void zc_front_open (zc_front_t *self, const char *path, const zc_door_t *door)
{
    assert (self->door_count < sizeof self->doors / sizeof *self->doors);
    self->doors[self->door_count].path = path;
    self->doors[self->door_count++].door = door;
}

void zc_front_leave (zc_front_t *self, const char *address)
{
    zc_addresses_leave (self->addresses, address);
}

/*  Each limit's name in STATS, and its refusal. */
static const struct {
    const char *name;
    zc_denial_t denial;
} s_limits[ZC_LIMIT_COUNT] = {
    [ZC_LIMIT_CLIENTS] = {"clients",
                          {.status = 503, .code = "busy", .text = "no room for another client"}},
    [ZC_LIMIT_ADDRESS_CONNECTIONS] = {"address_connections",
                                      {.status = 429,
                                       .code = "limit",
                                       .text = "too many connections from this address"}},
    [ZC_LIMIT_ADDRESS_CONNECTS] = {"address_connects",
                                   {.status = 429,
                                    .code = "limit",
                                    .text = "this address connects too often"}},
    [ZC_LIMIT_ADDRESS_MESSAGES] = {"address_messages",
                                   {.status = 429,
                                    .code = "limit",
                                    .text = "too many messages from this address"}},
    [ZC_LIMIT_ADDRESS_FAILURES] = {"address_failures",
                                   {.status = 429,
                                    .code = "limit",
                                    .text = "too many bad tokens from this address"}},
    [ZC_LIMIT_SUBJECT_CONNECTIONS] = {"subject_connections",
                                      {.status = 429,
                                       .code = "limit",
                                       .text = "too many connections of this token's subject"}},
    [ZC_LIMIT_SUBJECT_CONNECTS] = {"subject_connects",
                                   {.status = 429,
                                    .code = "limit",
                                    .text = "this token's subject connects too often"}},
    [ZC_LIMIT_SUBJECT_MESSAGES] = {"subject_messages",
                                   {.status = 429,
                                    .code = "limit",
                                    .text = "too many messages of this token's subject"}},
    [ZC_LIMIT_CLIENT_MESSAGES] = {"client_messages",
                                  {.status = 429, .code = "limit", .text = "too many messages"}},
    [ZC_LIMIT_HEAD] = {"head",
                       {.status = 431, .code = "head", .text = "the request's head is too long"}},
    [ZC_LIMIT_BODY] = {"body", {.status = 413, .code = "payload", .text = "the body is too large"}},
    [ZC_LIMIT_BODIES] =
        {"bodies", {.status = 503, .code = "busy", .text = "too many bodies at once: try again"}},
    [ZC_LIMIT_TOPICS] = {"topics", {.status = 400, .code = "topics", .text = "too many topics"}},
};

zc_denial_t zc_front_limit (zc_front_t *self, zc_limit_t limit)
{
    self->stats.limits[limit]++;
    return s_limits[limit].denial;
}

void zc_front_stats (const zc_front_t *self, json_t *report)
{
    const zc_front_figures_t figures = {
        .requests = self->stats.requests,
        .errors = self->stats.errors,
        .refused = self->stats.refused,
        .limited = self->stats.limited,
        .published = self->stats.published,
        .conflicts = self->stats.conflicts,
        .untraced = self->stats.untraced,
        .proxies = self->stats.proxies,
        .bodies = self->bodies,
        .clients = self->clients,
        .addresses = zc_addresses_size (self->addresses),
    };
    zc_figures_write (zc_front_figures, &figures, report);
    json_t *limits = json_object ();
    for (size_t i = 0; i < ZC_LIMIT_COUNT; i++)
        json_object_set_new (limits, s_limits[i].name,
                             json_integer ((json_int_t)self->stats.limits[i]));
    json_object_set_new (json_object_get (report, "http"), "limits", limits);
    zc_report_histogram (report, "publish_acknowledged", &self->acknowledged);
}

/*  ---------------------------------------------------------------- answers */

static unsigned s_retry_ms (const zc_front_t *self)
{
    return self->worker ? zc_worker_retry (self->worker) : S_RETRY_MS;
}

void zc_exchange_answer (zc_exchange_t *self, zc_response_t *response)
{
    zc_front_t *front = self->front;
    front->stats.errors += response->status >= 400 && response->status < 500;
    front->stats.limited += response->status == 429;
    zc_cors_add (&self->cors, response);
    zc_response_say (response, "X-Content-Type-Options", "nosniff");
    self->over = true;
    self->carrier->answer (self, response);
}

void zc_exchange_add_stream_fields (zc_exchange_t *self, zc_response_t *response)
{
    (void)self;
    zc_response_say (response, "Content-Type", "text/event-stream");
    /*  a proxy that compresses would hold events back */
    zc_response_say (response, "Cache-Control", "no-cache, no-transform");
    zc_response_say (response, "X-Accel-Buffering", "no"); /* nginx: don't buffer */
    response->endless = true;
}

/*  Answers 200, with a time to come back. */
static void s_answer_later (zc_exchange_t *self)
{
    zc_response_t response;
    self->front->stats.refused++;
    zc_response_init (&response, 200);
    zc_exchange_add_stream_fields (self, &response);
    zc_sse_busy (&response.body, s_retry_ms (self->front));
    response.cut = true;
    zc_exchange_answer (self, &response);
    zc_response_clear (&response);
}

bool zc_exchange_wants_json (const zc_exchange_t *self)
{
    zc_slice_t accept = self->request.fields[ZC_FIELD_ACCEPT];
    int json = zc_accept_weight (accept, "application/json");
    return json > 0 && json >= zc_accept_weight (accept, "text/plain");
}

static void s_add_error (zc_exchange_t *self, const zc_denial_t *refusal, zc_response_t *response)
{
    zc_response_say (response, "Cache-Control", "no-cache");
    if (!zc_exchange_wants_json (self)) {
        zc_response_text (response, refusal->text);
        return;
    }
    zc_response_say (response, "Content-Type", "application/json");
    zc_buf_adds (&response->body, "{\"code\":");
    zc_json_string (&response->body, refusal->code, strlen (refusal->code));
    zc_buf_adds (&response->body, ",\"message\":");
    zc_json_string (&response->body, refusal->text, strlen (refusal->text));
    zc_buf_adds (&response->body, "}\n");
}

static bool s_refuse_by_carrier (zc_exchange_t *self, const zc_denial_t *refusal, bool later)
{
    zc_front_t *front = self->front;
    bool (*refuse) (zc_exchange_t *, const zc_denial_t *, unsigned) = self->carrier->refuse;
    if (!refuse || !refuse (self, refusal, later ? s_retry_ms (front) : 0))
        return false;
    front->stats.errors += refusal->status >= 400 && refusal->status < 500;
    front->stats.limited += refusal->status == 429;
    front->stats.refused += refusal->status == 503;
    self->over = true;
    return true;
}

void zc_exchange_refuse_by (zc_exchange_t *self, const zc_denial_t *refusal)
{
    zc_response_t response;
    char seconds[16];
    bool later = refusal->status == 429 || refusal->status == 503;
    if (s_refuse_by_carrier (self, refusal, later))
        return;
    if (later && self->door && self->door->streams) {
        self->front->stats.limited += refusal->status == 429;
        s_answer_later (self);
        return;
    }
    zc_response_init (&response, refusal->status);
    if (refusal->field)
        zc_response_say (&response, refusal->field, refusal->value);
    if (later) {
        snprintf (seconds, sizeof seconds, "%u", (s_retry_ms (self->front) + 999) / 1000);
        zc_response_say (&response, "Retry-After", seconds);
        self->front->stats.refused += refusal->status == 503;
    }
    s_add_error (self, refusal, &response);
    zc_exchange_answer (self, &response);
    zc_response_clear (&response);
}

void zc_exchange_refuse (zc_exchange_t *self, unsigned status, const char *code, const char *text)
{
    const zc_denial_t refusal = {.status = status, .code = code, .text = text};
    zc_exchange_refuse_by (self, &refusal);
}

/*  ---------------------------------------------------------------- the decisions */

static bool s_find_door (zc_exchange_t *self)
{
    zc_front_t *front = self->front;
    for (size_t i = 0; i < front->door_count && !self->door; i++)
        if (zc_slice_is (self->request.path, front->doors[i].path))
            self->door = front->doors[i].door;
    if (!self->door)
        self->door = front->fallback;
    return self->door != NULL;
}

/*  Says which methods a door takes. A preflight is answered before the client would have to
 *  prove anything. */
static void s_answer_options (zc_exchange_t *self, unsigned methods)
{
    zc_response_t response;
    char names[64];
    zc_response_init (&response, 204);
    zc_method_names (methods | ZC_METHOD_OPTIONS, names, sizeof names);
    zc_response_say (&response, "Allow", names);
    zc_cors_add_preflight (&self->cors, names, &response);
    zc_exchange_answer (self, &response);
    zc_response_clear (&response);
}

static void s_refuse_method (zc_exchange_t *self)
{
    char names[64], text[96], first[64];
    unsigned methods = self->door->methods;
    zc_method_names (methods & (~methods + 1), first, sizeof first);
    snprintf (text, sizeof text, "method not allowed: use %s", first);
    /*  A WebSocket is opened with GET, and its path takes no other method. */
    if (self->door->methods != ZC_METHOD_GET)
        methods |= ZC_METHOD_OPTIONS;
    const zc_denial_t refusal = {.status = 405,
                                 .code = "method",
                                 .text = text,
                                 .field = "Allow",
                                 .value = zc_method_names (methods, names, sizeof names)};
    zc_exchange_refuse_by (self, &refusal);
}

/*  Each step lets the request pass, or answers it. */

static bool s_path (zc_exchange_t *self)
{
    if (s_find_door (self))
        return true;
    if (self->request.method == ZC_METHOD_OPTIONS && zc_slice_is (self->request.path, "*"))
        s_answer_options (self, ZC_METHOD_GET | ZC_METHOD_HEAD | ZC_METHOD_POST);
    else
        zc_exchange_refuse (self, 404, "path", "no such path");
    return false;
}

static bool s_method (zc_exchange_t *self)
{
    if (self->request.method == ZC_METHOD_OPTIONS)
        s_answer_options (self, self->door->methods);
    else if (!(self->door->methods & self->request.method))
        s_refuse_method (self);
    return !self->over;
}

static bool s_refuse_limit (zc_exchange_t *self, zc_limit_t limit)
{
    const zc_denial_t refusal = zc_front_limit (self->front, limit);
    zc_exchange_refuse_by (self, &refusal);
    return false;
}

static bool s_room (zc_exchange_t *self)
{
    zc_front_t *front = self->front;
    bool full = front->max_clients > 0 && front->clients >= front->max_clients;
    if (self->door->stays && (full || (self->carrier->has_room && !self->carrier->has_room (self))))
        return s_refuse_limit (self, ZC_LIMIT_CLIENTS);
    return true;
}

static bool s_address (zc_exchange_t *self)
{
    zc_front_t *front = self->front;
    int rc = zc_address_of (&self->request, &front->trust, self->address);
    if (rc < 0) {
        front->stats.proxies++;
        zc_exchange_refuse (self, 400, "forwarded",
                            "as a proxy gives it, the client's address is malformed");
        return false;
    }
    if (rc == 0)
        self->address[0] = 0;
    bool limited = !self->door->stays || front->max_per_address > 0 || front->connects.rate > 0 ||
                   front->messages.rate > 0 || front->failures.rate > 0;
    if (!self->address[0] || !limited)
        return true;
    self->counted = zc_addresses_enter (front->addresses, self->address, front->max_per_address);
    if (!self->counted)
        return s_refuse_limit (self, ZC_LIMIT_ADDRESS_CONNECTIONS);
    if (self->door->stays &&
        !zc_addresses_take (front->addresses, self->address, ZC_BUCKET_CONNECTS, &front->connects,
                            1, zc_mono_ms ()))
        return s_refuse_limit (self, ZC_LIMIT_ADDRESS_CONNECTS);
    return true;
}

zc_denial_t zc_front_deny_host (void)
{
    return (zc_denial_t){.status = 403,
                         .code = "host",
                         .text =
                             "this server isn't asked by that name: hosts names those that it has"};
}

/*  A page of another site, or in open mode one that got here by a name that isn't ours. Otherwise
 *  the name only matters if no token is asked for, which the door finds out. */
static bool s_page (zc_exchange_t *self)
{
    zc_front_t *front = self->front;
    self->foreign = !front->any_host && !zc_host_is_ours (front->options, &self->request);
    if (!zc_cors_may_ask (&self->cors)) {
        zc_exchange_refuse (self, 403, "origin",
                            "pages of this origin may not ask: cors-origin and allow-origin name "
                            "those that may");
    } else if (front->open && self->foreign) {
        const zc_denial_t refusal = zc_front_deny_host ();
        zc_exchange_refuse_by (self, &refusal);
    }
    return !self->over;
}

static bool s_pass (zc_exchange_t *self, zc_denial_t (*hook) (void *arg, zc_exchange_t *exchange))
{
    zc_denial_t refusal = {0};
    if (hook)
        refusal = hook (self->front->guard.arg, self);
    if (refusal.status)
        zc_exchange_refuse_by (self, &refusal);
    return refusal.status == 0;
}

static bool s_token (zc_exchange_t *self)
{
    return s_pass (self, self->front->guard.token);
}

static bool s_subject (zc_exchange_t *self)
{
    return s_pass (self, self->front->guard.subject);
}

bool zc_exchange_wants_body (const zc_exchange_t *self)
{
    return !self->over && !self->whole && self->door && self->door->body;
}

static void s_complete (zc_exchange_t *self)
{
    self->whole = true;
    self->door->end (self);
}

void zc_front_begin (zc_exchange_t *self)
{
    static bool (*const steps[]) (zc_exchange_t *) = {s_path,    s_method, s_page,   s_room,
                                                      s_address, s_token,  s_subject};
    self->front->stats.requests++;
    self->begun_ms = zc_mono_ms ();
    self->cors = zc_cors_check (self->front->options, &self->request,
                                zc_address_is_trusted (&self->request, &self->front->trust));
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (!steps[i](self))
            return;
    self->door->open (self);
    if (zc_exchange_wants_body (self) && self->request.body == 0)
        s_complete (self);
}

/*  ---------------------------------------------------------------- for carriers and doors */

void zc_exchange_body (zc_exchange_t *self, const void *bytes, size_t len)
{
    int64_t length = self->request.body;
    if (!zc_exchange_wants_body (self))
        return;
    self->received += len;
    if (length >= 0 && self->received > (uint64_t)length) {
        zc_exchange_refuse (self, 400, "body", "the body is longer than its length");
        return;
    }
    self->door->body (self, bytes, len);
    if (!self->over && length >= 0 && self->received == (uint64_t)length)
        s_complete (self);
}

void zc_exchange_end (zc_exchange_t *self)
{
    if (!zc_exchange_wants_body (self))
        return;
    if (self->request.body > 0)
        zc_exchange_refuse (self, 400, "body", "the body is shorter than its length");
    else
        s_complete (self);
}

void zc_exchange_clear (zc_exchange_t *self)
{
    if (self->state)
        self->door->gone (self);
    if (self->counted)
        zc_front_leave (self->front, self->address);
    if (self->subject)
        self->front->guard.forget (self->front->guard.arg, self);
    zc_request_clear (&self->request);
    self->state = self->subject = NULL;
    self->counted = false;
}

bool zc_exchange_take_count (zc_exchange_t *self)
{
    bool counted = self->counted;
    self->counted = false;
    return counted;
}

bool zc_exchange_may_fail (zc_exchange_t *self, int count)
{
    return !self->counted ||
           zc_addresses_take (self->front->addresses, self->address, ZC_BUCKET_FAILURES,
                              &self->front->failures, count, zc_mono_ms ());
}

zc_denial_t zc_exchange_granted (zc_exchange_t *self, zc_action_t action, const zc_slice_t *topics,
                                 size_t count)
{
    const zc_guard_t *guard = &self->front->guard;
    return guard->grants ? guard->grants (guard->arg, self, action, topics, count)
                         : (zc_denial_t){0};
}

zc_denial_t zc_front_take (zc_front_t *self, const char *address, double count)
{
    if (zc_addresses_take (self->addresses, address, ZC_BUCKET_MESSAGES, &self->messages, count,
                           zc_mono_ms ()))
        return (zc_denial_t){0};
    return zc_front_limit (self, ZC_LIMIT_ADDRESS_MESSAGES);
}

zc_denial_t zc_exchange_take (zc_exchange_t *self, double count)
{
    zc_front_t *front = self->front;
    const zc_guard_t *guard = &front->guard;
    zc_denial_t denial = {0};
    if (self->counted)
        denial = zc_front_take (front, self->address, count);
    if (!denial.status && guard->take)
        denial = guard->take (guard->arg, self, count);
    return denial;
}
