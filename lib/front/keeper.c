/*  keeper.c - see keeper.h.
 *
 *  Rights are in a heap by the time of their end, so looking for one that has ended costs
 *  nothing while none has, however many streams there are. */
#include "lib/front/keeper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <uv.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/front/health.h"

#define S_TICK_MS 200
#define S_LOOK_MS 1000 /* how often the files are checked */
#define S_SWEEP_MS 60000

struct zc_rights {
    LIST_ENTRY (zc_rights) entry; /* among the keeper's, once it has a client */
    zc_keeper_t *keeper;          /* borrowed */
    zc_identity_t *identity;      /* owned */
    zc_client_t *client;          /* borrowed; told when the rights end; NULL: none is told */
    size_t place;                 /* in the heap, from 1; 0: not in it */
    bool revoked;                 /* its token was */
    bool counted;                 /* among its subject's connections */
};

struct zc_keeper {
    zc_front_t *front;        /* borrowed */
    zc_access_t *access;      /* owned */
    zc_addresses_t *subjects; /* owned */
    zc_rights_t **heap;       /* owned array; borrowed rights that have a client and an end */
    size_t heap_count, heap_cap;
    LIST_HEAD (zc_watched, zc_rights) watched; /* rights of clients (borrowed) */
    zc_revocations_t revocations;
    bool revoked;                 /* something was, so rights have to be looked at */
    uint64_t swept_ms;            /* when revocations that are over were last forgotten */
    zc_rate_t messages, connects; /* of a subject */
    unsigned max_per_subject;
    uint64_t looked_ms;
    const zc_duties_t *duties; /* borrowed; NULL in tests */
    uv_timer_t *timer;         /* owned by the loop; NULL without one */
};

/*  The heap. */

static uint64_t s_end_of (const zc_rights_t *rights)
{
    return rights->revoked ? 0 : rights->identity->expires_ms;
}

static void s_put (zc_keeper_t *self, size_t place, zc_rights_t *rights)
{
    self->heap[place - 1] = rights;
    rights->place = place;
}

static void s_up (zc_keeper_t *self, size_t place, zc_rights_t *rights)
{
    while (place > 1 && s_end_of (self->heap[place / 2 - 1]) > s_end_of (rights)) {
        s_put (self, place, self->heap[place / 2 - 1]);
        place /= 2;
    }
    s_put (self, place, rights);
}

static void s_down (zc_keeper_t *self, size_t place, zc_rights_t *rights)
{
    for (size_t child; (child = 2 * place) <= self->heap_count; place = child) {
        if (child < self->heap_count &&
            s_end_of (self->heap[child]) < s_end_of (self->heap[child - 1]))
            child++;
        if (s_end_of (self->heap[child - 1]) >= s_end_of (rights))
            break;
        s_put (self, place, self->heap[child - 1]);
    }
    s_put (self, place, rights);
}

static void s_leave_heap (zc_rights_t *rights)
{
    zc_keeper_t *self = rights->keeper;
    size_t place = rights->place;
    if (!place)
        return;
    rights->place = 0;
    zc_rights_t *last = self->heap[--self->heap_count];
    if (last == rights)
        return;
    s_down (self, place, last);
    s_up (self, last->place, last);
}

static void s_enter_heap (zc_rights_t *self)
{
    zc_keeper_t *keeper = self->keeper;
    if (keeper->heap_count == keeper->heap_cap) {
        keeper->heap_cap = keeper->heap_cap ? 2 * keeper->heap_cap : 64;
        keeper->heap = realloc (keeper->heap, keeper->heap_cap * sizeof *keeper->heap);
        if (!keeper->heap)
            abort ();
    }
    s_up (keeper, ++keeper->heap_count, self);
}

static void s_look_whether_revoked (zc_rights_t *self)
{
    if (self->revoked || !zc_revocations_have (&self->keeper->revocations, self->identity))
        return;
    s_leave_heap (self);
    self->revoked = true;
    s_enter_heap (self);
}

void zc_rights_watch (zc_rights_t *self, zc_client_t *client)
{
    if (!self)
        return;
    self->client = client;
    LIST_INSERT_HEAD (&self->keeper->watched, self, entry);
    if (s_end_of (self) != UINT64_MAX)
        s_enter_heap (self);
    s_look_whether_revoked (self); /* while it was on its way from another process */
}

/*  Rights. */

static zc_rights_t *s_new_rights (zc_keeper_t *keeper, zc_identity_t *identity)
{
    zc_rights_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->keeper = keeper;
    self->identity = identity;
    return self;
}

void zc_rights_release (zc_rights_t **self_p)
{
    zc_rights_t *self = *self_p;
    if (!self)
        return;
    s_leave_heap (self);
    if (self->client)
        LIST_REMOVE (self, entry);
    if (self->counted)
        zc_addresses_leave (self->keeper->subjects, self->identity->key);
    zc_identity_destroy (&self->identity);
    free (self);
    *self_p = NULL;
}

const zc_identity_t *zc_rights_identity (const zc_rights_t *self)
{
    return self->identity;
}

zc_rights_t *zc_keeper_adopt (zc_front_t *front, zc_identity_t *identity)
{
    zc_keeper_t *keeper = front->guard.arg;
    zc_rights_t *self = s_new_rights (keeper, identity);
    self->counted = zc_addresses_enter (keeper->subjects, identity->key, 0);
    return self;
}

/*  The guard's hooks, which the front calls. */

static zc_denial_t s_deny (unsigned status, const char *code, const char *text)
{
    return (zc_denial_t){.status = status, .code = code, .text = text};
}

/*  A browser sends a cookie by itself, so a cookie says nothing about the page that made the
 *  request. */
static bool s_is_forgeable (const zc_exchange_t *exchange)
{
    return exchange->request.method != ZC_METHOD_GET &&
           exchange->request.method != ZC_METHOD_HEAD && !exchange->cors.given;
}

static zc_denial_t s_token (void *arg, zc_exchange_t *exchange)
{
    zc_keeper_t *self = arg;
    const zc_slice_t *fields = exchange->request.fields;
    const zc_credentials_t credentials = {
        .authorization = fields[ZC_FIELD_AUTHORIZATION],
        .cookie = fields[ZC_FIELD_COOKIE],
        .query = exchange->request.query,
        .protocols = fields[ZC_FIELD_SEC_WEBSOCKET_PROTOCOL],
    };
    zc_identity_t *identity;
    bool brought = zc_access_brings (self->access, &credentials);
    if (brought && !zc_exchange_may_fail (exchange, 1))
        return zc_front_limit (exchange->front, ZC_LIMIT_ADDRESS_FAILURES);
    if (brought && self->duties && !self->duties->known)
        return s_deny (503, "busy", "which tokens are revoked isn't known yet: try again");
    zc_token_error_t rc = zc_access_identify (self->access, &credentials, zc_wall_ms (), &identity);
    if (rc == ZC_TOKEN_OK && identity && zc_revocations_have (&self->revocations, identity)) {
        zc_identity_destroy (&identity);
        rc = ZC_TOKEN_REVOKED;
    }
    if (rc != ZC_TOKEN_OK) {
        zc_denial_t denial = s_deny (401, "token", zc_token_strerror (rc));
        denial.field = "WWW-Authenticate";
        denial.value = zc_access_challenge (rc);
        return denial;
    }
    if (brought)
        zc_exchange_may_fail (exchange, -1);
    if (identity)
        exchange->subject = s_new_rights (self, identity);
    if (identity && identity->by_cookie && s_is_forgeable (exchange))
        return s_deny (403, "origin", "with a cookie, a request must say which page it is from");
    if (identity && identity->by_cookie && !zc_cors_may_write (&exchange->cors))
        return s_deny (403, "origin",
                       "with a cookie, only pages of this origin may ask, and those that "
                       "cors-origin or allow-origin names");
    return (zc_denial_t){0};
}

static zc_denial_t s_subject (void *arg, zc_exchange_t *exchange)
{
    zc_keeper_t *self = arg;
    zc_rights_t *rights = exchange->subject;
    if (!rights)
        return (zc_denial_t){0};
    rights->counted =
        zc_addresses_enter (self->subjects, rights->identity->key, self->max_per_subject);
    if (!rights->counted)
        return zc_front_limit (exchange->front, ZC_LIMIT_SUBJECT_CONNECTIONS);
    if (exchange->door->stays &&
        !zc_addresses_take (self->subjects, rights->identity->key, ZC_BUCKET_CONNECTS,
                            &self->connects, 1, zc_mono_ms ()))
        return zc_front_limit (exchange->front, ZC_LIMIT_SUBJECT_CONNECTS);
    return (zc_denial_t){0};
}

static zc_decision_t s_decide (const zc_keeper_t *self, const zc_identity_t *identity,
                               zc_action_t action, zc_slice_t topic, const zc_selector_t *selector)
{
    if (selector)
        return zc_access_select (self->access, identity, selector);
    return action == ZC_ACTION_PUBLISH ? zc_access_publish (self->access, identity, topic)
                                       : zc_access_subscribe (self->access, identity, topic);
}

static zc_denial_t s_may (const zc_keeper_t *self, const zc_rights_t *rights, zc_action_t action,
                          zc_slice_t topic, const zc_selector_t *selector)
{
    const zc_identity_t *identity = rights ? rights->identity : NULL;
    zc_decision_t decision = s_decide (self, identity, action, topic, selector);
    zc_denial_t denial = {0};
    if (decision == ZC_ACCESS_UNAUTHORIZED) {
        denial =
            s_deny (401, "token",
                    selector ? "a token is needed: this selector's topics aren't for everyone, or "
                               "it begins with too little text"
                             : "a token is needed");
        denial.value = zc_access_challenge (ZC_TOKEN_OK);
    } else if (decision == ZC_ACCESS_FORBIDDEN) {
        denial =
            s_deny (403, "forbidden",
                    selector   ? "the token allows none of this selector's topics, or the selector "
                                 "begins with too little text"
                    : identity ? "the token doesn't allow this topic"
                               : "nobody may do this with this topic here");
        denial.value = identity ? "Bearer error=\"insufficient_scope\"" : NULL;
    }
    denial.field = denial.value ? "WWW-Authenticate" : NULL;
    return denial;
}

zc_denial_t zc_keeper_may (zc_front_t *front, const zc_rights_t *rights, bool foreign,
                           zc_action_t action, const zc_slice_t *topics, size_t count)
{
    zc_denial_t denial = {0};
    for (size_t i = 0; i < count && !denial.status; i++) {
        const char *error;
        zc_selector_t *selector =
            zc_names_selector (topics[i]) ? zc_selector_of (topics[i], &error) : NULL;
        if (zc_topic_is_canary (selector ? zc_selector_beginning (selector) : topics[i]))
            denial = s_deny (403, "forbidden", "topics that begin with $zcast/ are zcast's own");
        else if (front->guard.arg)
            denial = s_may (front->guard.arg, rights, action, topics[i], selector);
        zc_selector_destroy (&selector);
    }
    /*  Nothing shows that the page which asks isn't somebody else's, under a name that leads here.
     */
    if (!denial.status && !rights && foreign)
        return zc_front_deny_host ();
    return denial;
}

zc_view_t zc_keeper_view (const zc_front_t *front, const zc_rights_t *rights,
                          const zc_slice_t *topics, size_t count, zc_buf_t *text)
{
    const zc_keeper_t *self = front->guard.arg;
    if (!self)
        return (zc_view_t){.selective = false};
    return zc_access_view (self->access, rights ? rights->identity : NULL, topics, count, text);
}

void zc_keeper_join (const zc_front_t *front, const zc_rights_t *rights, zc_client_t *client,
                     const zc_encoding_t *encoding, const zc_slice_t *topics, size_t count,
                     zc_slice_t last_id)
{
    zc_buf_t text = ZC_BUF_INIT;
    zc_view_t view = zc_keeper_view (front, rights, topics, count, &text);
    zc_hub_join (zc_worker_hub (front->worker), client, encoding, topics, count, &view, last_id);
    zc_buf_clear (&text);
}

void zc_keeper_move (const zc_front_t *front, const zc_rights_t *rights, zc_client_t *client,
                     const zc_slice_t *topics, size_t count)
{
    zc_buf_t text = ZC_BUF_INIT;
    zc_view_t view = zc_keeper_view (front, rights, topics, count, &text);
    zc_hub_move (zc_worker_hub (front->worker), client, topics, count, &view);
    zc_buf_clear (&text);
}

void zc_keeper_resume (const zc_front_t *front, const zc_rights_t *rights, zc_client_t *client,
                       const zc_encoding_t *encoding, const zc_slice_t *topics, size_t count,
                       zc_id_t position)
{
    zc_buf_t text = ZC_BUF_INIT;
    zc_view_t view = zc_keeper_view (front, rights, topics, count, &text);
    zc_hub_adopt (zc_worker_hub (front->worker), client, encoding, topics, count, &view, position);
    zc_buf_clear (&text);
}

static bool s_restricts (void *arg, zc_slice_t topic)
{
    const zc_keeper_t *self = arg;
    return zc_access_restricts (self->access, topic);
}

static zc_denial_t s_grants (void *arg, zc_exchange_t *exchange, zc_action_t action,
                             const zc_slice_t *topics, size_t count)
{
    (void)arg;
    return zc_keeper_may (exchange->front, exchange->subject, exchange->foreign, action, topics,
                          count);
}

zc_denial_t zc_keeper_take (zc_front_t *front, const zc_rights_t *rights, double count)
{
    const zc_keeper_t *self = front->guard.arg;
    if (!rights || !rights->counted ||
        zc_addresses_take (self->subjects, rights->identity->key, ZC_BUCKET_MESSAGES,
                           &self->messages, count, zc_mono_ms ()))
        return (zc_denial_t){0};
    return zc_front_limit (front, ZC_LIMIT_SUBJECT_MESSAGES);
}

static zc_denial_t s_take (void *arg, zc_exchange_t *exchange, double count)
{
    (void)arg;
    return zc_keeper_take (exchange->front, exchange->subject, count);
}

static void s_forget (void *arg, zc_exchange_t *exchange)
{
    zc_rights_t *rights = exchange->subject;
    (void)arg;
    zc_rights_release (&rights);
    exchange->subject = NULL;
}

zc_rights_t *zc_exchange_take_rights (zc_exchange_t *exchange)
{
    zc_rights_t *rights = exchange->subject;
    exchange->subject = NULL;
    return rights;
}

/*  Upkeep. */

static void s_read_again (zc_keeper_t *self)
{
    char error[512];
    zc_access_t *access = zc_access_new (self->front->options, error, sizeof error);
    if (!access) {
        zc_error (ZC_EVENT ("keys.refused error", "%s; the keys and rules read before stay in use"),
                  error);
        return;
    }
    zc_access_destroy (&self->access);
    self->access = access;
}

void zc_keeper_tick (zc_keeper_t *self, uint64_t now_ms)
{
    uint64_t mono_ms = zc_mono_ms ();
    if (mono_ms - self->looked_ms >= S_LOOK_MS) {
        self->looked_ms = mono_ms;
        if (zc_access_changed (self->access)) {
            zc_info (ZC_EVENT ("keys.changed", "a file of keys has changed: reading them again"));
            s_read_again (self);
        }
    }
    while (self->heap_count && s_end_of (self->heap[0]) <= now_ms) {
        zc_rights_t *rights = self->heap[0];
        s_leave_heap (rights);
        rights->client->transport->gone (rights->client,
                                         rights->revoked ? ZC_GONE_REVOKED : ZC_GONE_EXPIRED);
    }
    if (now_ms - self->swept_ms >= S_SWEEP_MS) {
        self->swept_ms = now_ms;
        zc_revocations_tick (&self->revocations, now_ms);
    }
}

/*  Instructions. */

static void s_revoke (void *arg, const zc_instruction_t *instruction)
{
    zc_keeper_t *self = arg;
    zc_revocations_take (&self->revocations, instruction);
    self->revoked |= instruction->kind == ZC_INSTRUCTION_REVOKE;
}

/*  However many there are, connections are looked at once. */
static void s_around (void *arg, bool begin, bool whole)
{
    zc_keeper_t *self = arg;
    zc_rights_t *rights;
    if (whole && begin)
        zc_revocations_begin (&self->revocations);
    if (begin)
        return;
    if (whole)
        zc_revocations_end (&self->revocations);
    if (self->revoked)
        LIST_FOREACH (rights, &self->watched, entry)
    s_look_whether_revoked (rights);
    self->revoked = false;
}

void zc_keeper_obey (zc_keeper_t *self, zc_duties_t *duties)
{
    zc_duties_set (duties, ZC_INSTRUCTION_REVOKE, s_revoke, self);
    zc_duties_set (duties, ZC_INSTRUCTION_RESTORE, s_revoke, self);
    duties->around = s_around;
    duties->around_arg = self;
    self->duties = duties;
}

static void s_on_timer (uv_timer_t *timer)
{
    zc_keeper_tick (timer->data, zc_wall_ms ());
}

static zc_rate_t s_rate (const zc_options_t *options, const char *rate, const char *burst)
{
    return (zc_rate_t){(double)zc_options_number (options, rate),
                       (double)zc_options_number (options, burst)};
}

static void s_set_limits (zc_keeper_t *self)
{
    const zc_options_t *options = self->front->options;
    self->messages = s_rate (options, "subject-rate", "subject-burst");
    self->connects = s_rate (options, "subject-connect-rate", "subject-connect-burst");
    self->max_per_subject = (unsigned)zc_options_number (options, "max-connections-per-subject");
    /* in the other modes, tokens say who may publish */
    self->front->allow_publish |= zc_access_mode (self->access) != ZC_MODE_OPEN;
    bool open = zc_access_mode (self->access) == ZC_MODE_OPEN;
    self->front->any_host = open && zc_options_bool (options, "insecure");
    self->front->open = open && !self->front->any_host;
}

void zc_keeper_configure (zc_keeper_t *self)
{
    s_read_again (self);
    s_set_limits (self);
}

static void s_start_timer (zc_keeper_t *self)
{
    self->timer = malloc (sizeof *self->timer);
    if (!self->timer)
        abort ();
    uv_timer_init (zc_worker_loop (self->front->worker), self->timer);
    self->timer->data = self;
    uv_timer_start (self->timer, s_on_timer, S_TICK_MS, S_TICK_MS);
    uv_unref ((uv_handle_t *)self->timer);
}

zc_keeper_t *zc_keeper_new (zc_front_t *front)
{
    char error[512];
    zc_access_t *access = zc_access_new (front->options, error, sizeof error);
    if (!access) {
        zc_error (ZC_EVENT ("start.failed error", "%s"), error);
        return NULL;
    }
    zc_keeper_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->front = front;
    self->access = access;
    self->subjects = zc_addresses_new ();
    front->guard = (zc_guard_t){self, s_token, s_subject, s_grants, s_take, s_forget};
    s_set_limits (self);
    LIST_INIT (&self->watched);
    zc_revocations_init (&self->revocations);
    if (!front->worker)
        return self;
    zc_hub_restrict (zc_worker_hub (front->worker), s_restricts, self);
    s_start_timer (self);
    zc_keeper_obey (self, zc_worker_duties (front->worker));
    if (zc_access_has_keys (access))
        zc_worker_await_duties (front->worker);
    return self;
}

static void s_free_timer (uv_handle_t *handle)
{
    free (handle);
}

void zc_keeper_rest (zc_keeper_t *self)
{
    if (self && self->timer)
        uv_close ((uv_handle_t *)self->timer, s_free_timer);
    if (self)
        self->timer = NULL;
}

void zc_keeper_destroy (zc_keeper_t **self_p)
{
    zc_keeper_t *self = *self_p;
    if (!self)
        return;
    self->front->guard = (zc_guard_t){0};
    zc_addresses_destroy (&self->subjects);
    zc_access_destroy (&self->access);
    zc_revocations_clear (&self->revocations);
    free (self->heap);
    free (self);
    *self_p = NULL;
}

/*  An error begins with the option's name. */
static const char *s_verify_files (const zc_options_t *options, char *error, size_t size)
{
    static const char *const names[] = {"token-keys", "api-keys", "access", "tokens"};
    zc_access_t *access = zc_access_new (options, error, size);
    if (access) {
        zc_access_destroy (&access);
        return NULL;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t len = strlen (names[i]);
        if (strncmp (error, names[i], len) == 0 && error[len] == ' ') {
            memmove (error, error + len + 1, strlen (error + len + 1) + 1);
            return names[i];
        }
    }
    return "tokens";
}

bool zc_keeper_exposed (const char *address)
{
    char endpoint[300];
    snprintf (endpoint, sizeof endpoint, "tcp://%s", address);
    return !strchr (address, '/') && address[0] != ':' && zc_endpoint_exposed (endpoint);
}

const char *zc_keeper_objects (const zc_options_t *options)
{
    bool open = strcmp (zc_options_text (options, "tokens"), "open") == 0;
    return open && !zc_options_bool (options, "insecure")
               ? "and anybody may subscribe: ask for tokens (tokens = all), or say insecure"
               : NULL;
}

const char *zc_keeper_verify (const zc_options_t *options, const char *listen, char *error,
                              size_t size)
{
    const char *key, *item, *wrong;
    for (size_t i = 0; zc_options_item (options, "trust-proxy", i, &key, &item); i++)
        if ((wrong = zc_trust_check (item))) {
            snprintf (error, size, "%s, not \"%.100s\"", wrong, item);
            return "trust-proxy";
        }
    const char *address = zc_options_text (options, listen), *why = zc_keeper_objects (options);
    if (!why || !zc_keeper_exposed (address))
        return s_verify_files (options, error, size);
    snprintf (error, size, "%s can be reached from other machines, %s", address, why);
    return listen;
}
