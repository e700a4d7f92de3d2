/*  redis.c - hiredis's context, reader and buffers. Rejected: hiredis's asynchronous layer
 *  (0.14), which keeps a callback for each command and knows no PING among subscriptions;
 *  besides, a subscriber's messages are one stream.
 *
 *    waiting -> looking up -> connecting -> greeting (AUTH, SELECT, CLIENT SETNAME) -> ready
 *       ^                                                                                 |
 *       `---------------------------------------------------------------------------------'
 *
 *  hiredis would wait for DNS, so it is only given addresses. The addresses of a name are tried
 *  in turn; each attempt looks the name up anew, since names move. PING finds a silent peer.
 *  Delays between attempts double, with full jitter.
 *
 *  Where Sentinels know the master, all of them are asked each second, over connections of
 *  their own, also while the master answers: it may have been cut off from them, and then others
 * write to another one by now. Rejected: a subscription to their events, which a connection that
 * breaks loses.
 *
 *  Redis answers in order, so the replies that it owes are a queue of tags. Messages of
 *  subscriptions come between the replies, and have no tag. */
#include "lib/redis/redis.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/resolve.h"
#include "lib/redis/arena.h"
#include "lib/redis/sentinel.h"

#define S_CONNECT_MS 5000
#define S_BACKOFF_MIN_MS 100
#define S_BACKOFF_MAX_MS 5000
#define S_REDIRECT_MS 20  /* before it goes to another node of a Cluster: nodes may disagree */
#define S_PING_MS 10000   /* without a byte: then PING is sent */
#define S_ANSWER_MS 10000 /* without a byte after that: the peer is gone */
#define S_ASK_MS 1000     /* between questions to Sentinels, ... */
#define S_ASK_SOON_MS 100 /* ... and while the master isn't connected */
#define S_ASKED_MS 1000   /* for which a Sentinel may take to answer */
#define S_READS 64        /* reads of 16 KiB before the owner has its turn */
#define S_REPLY_MAX ((size_t)64 << 20)

typedef enum { S_WAITING, S_LOOKING_UP, S_CONNECTING, S_GREETING, S_READY } s_state_t;

struct zc_redis {
    zc_redis_config_t config;
    zc_reply_arena_t *arena; /* config.many; or NULL */
    redisContext *context;   /* NULL while waiting */
    zc_resolve_t *names;     /* of this attempt; NULL: a Unix socket, or not looked up yet */
    size_t tried;            /* addresses tried so far */
    s_state_t state;
    zc_sentinel_t *sentinel;       /* NULL: the address is that of Redis */
    zc_redis_t *asker;             /* the connection to a Sentinel; NULL: none now */
    uint64_t ask_ms;               /* when to ask the next one; or to give up the present one */
    bool quiet;                    /* an asker: its owner logs */
    zc_sentinel_verdict_t verdict; /* an asker's */
    bool answered;                 /* it has one */
    uint64_t since_ms;             /* monotonic: when this state began, or when waiting ends */
    uint64_t heard_ms;             /* last byte from the peer */
    uint64_t pinged_ms;            /* when PING was sent; 0: not since the last byte */
    bool unsent;                   /* the output buffer isn't empty */
    const zc_address_t *seed;      /* the address that was given */
    zc_address_t node;             /* of a Cluster, that was named instead; or none */
    bool asking;                   /* it takes commands for a key that isn't quite there yet */
    bool given_up;       /* by us; the owner hasn't confirmed since that the connection works */
    char complaint[256]; /* the present failure, which has been logged */
    unsigned backoff_ms;
    unsigned greetings; /* replies still owed to the greeting */
    size_t unfinished;  /* bytes of the reply under way, with those that were parsed */
    void **owed;        /* owned; a ring: tags of the commands without a reply */
    size_t first, count, room;
};

static char s_ping; /* its address is the tag of our PING */

zc_redis_t *zc_redis_new (const zc_redis_config_t *config)
{
    zc_redis_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->config = *config;
    self->seed = config->address;
    if (!self->config.reply_max)
        self->config.reply_max = S_REPLY_MAX;
    if (!self->config.backoff_ms)
        self->config.backoff_ms = S_BACKOFF_MAX_MS;
    if (config->many)
        self->arena = zc_reply_arena_new ();
    self->backoff_ms = S_BACKOFF_MIN_MS;
    if (config->address->sentinels)
        self->sentinel = zc_sentinel_new (config->address);
    return self;
}

void zc_redis_destroy (zc_redis_t **self_p)
{
    zc_redis_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    if (self->context)
        redisFree (self->context);
    zc_redis_destroy (&self->asker);
    zc_sentinel_destroy (&self->sentinel);
    zc_resolve_destroy (&self->names);
    zc_reply_arena_destroy (&self->arena);
    zc_address_clear (&self->node);
    free (self->owed);
    free (self);
}

/*  Owed replies -------------------------------------------------------------------------------- */

static void s_owe (zc_redis_t *self, void *tag)
{
    if (self->count == self->room) {
        size_t room = self->room ? self->room * 2 : 64;
        void **owed = malloc (room * sizeof *owed);
        if (!owed)
            abort ();
        for (size_t i = 0; i < self->count; i++)
            owed[i] = self->owed[(self->first + i) % self->room];
        free (self->owed);
        self->owed = owed;
        self->room = room;
        self->first = 0;
    }
    self->owed[(self->first + self->count++) % self->room] = tag;
}

/*  Finds the tag that a reply belongs to. Returns false if no reply is owed. */
static bool s_pay (zc_redis_t *self, void **tag)
{
    if (self->count == 0)
        return false;
    *tag = self->owed[self->first];
    self->first = (self->first + 1) % self->room;
    self->count--;
    return true;
}

/*  Connections --------------------------------------------------------------------------------- */

/*  Logs why there is no connection: once, until it works again or the reason changes. */
static void s_complain (zc_redis_t *self, const char *what, const char *reason)
{
    bool was_good = self->state == S_READY && !self->given_up;
    bool said = !was_good && strcmp (self->complaint, reason) == 0;
    zc_log (
        said || self->quiet ? ZC_LOG_DEBUG : ZC_LOG_WARN,
        ZC_EVENT ("redis.lost redis connection what error", "redis %s (%s): %s: %s; trying again"),
        self->config.address->shown, self->config.name, what, reason);
    snprintf (self->complaint, sizeof self->complaint, "%s", reason);
}

static void s_disconnect (zc_redis_t *self)
{
    if (self->context)
        redisFree (self->context);
    self->context = NULL;
    self->unsent = false;
    self->count = self->unfinished = 0;
}

/*  Ends the connection, or the attempt. A node that was named and doesn't answer may not be the
 * right one any more. */
static void s_fail_for (zc_redis_t *self, const char *what, const char *reason)
{
    bool was_ready = self->state == S_READY;
    self->config.address = self->seed;
    self->asking = false;
    s_complain (self, what, reason);
    s_disconnect (self);
    zc_resolve_destroy (&self->names);
    self->state = S_WAITING;
    self->since_ms = zc_mono_ms () + zc_random_between (10, self->backoff_ms);
    self->backoff_ms = self->backoff_ms * 2 > self->config.backoff_ms ? self->config.backoff_ms
                                                                      : self->backoff_ms * 2;
    if (was_ready)
        self->config.lost (self->config.arg);
}

static void s_fail (zc_redis_t *self, const char *reason)
{
    s_fail_for (self, self->state == S_READY ? "lost the connection" : "cannot connect", reason);
}

/*  An error, and what the operator can do about it. */
static void s_explain (const redisReply *error, char *reason, size_t size)
{
    zc_slice_t text = zc_reply_error (error);
    const char *advice = zc_fault_advice (text);
    snprintf (reason, size, "%.*s%s%s%s", (int)text.len, text.at, advice ? " (" : "",
              advice ? advice : "", advice ? ")" : "");
}

static void s_enter (zc_redis_t *self, s_state_t state)
{
    self->state = state;
    self->since_ms = zc_mono_ms ();
}

/*  Begins to connect. Returns false with `reason`. */
static bool s_dial (zc_redis_t *self, const char *host, char *reason, size_t size)
{
    const zc_address_t *address = self->config.address;
    int port = self->sentinel ? zc_sentinel_port (self->sentinel) : address->port;
    self->context = address->path ? redisConnectUnixNonBlock (address->path)
                                  : redisConnectNonBlock (host, port);
    if (self->context && !self->context->err) {
        zc_reply_bound (self->context->reader);
        if (self->arena)
            zc_reply_arena_serve (self->arena, self->context->reader);
        s_enter (self, S_CONNECTING);
        return true;
    }
    snprintf (reason, size, "%s", self->context ? self->context->errstr : "no memory");
    s_disconnect (self);
    return false;
}

/*  Tries the next address. If none is left, the attempt has failed for `reason`. */
static void s_next_address (zc_redis_t *self, const char *reason)
{
    char own[128];
    while (self->names && self->tried < zc_resolve_count (self->names)) {
        s_disconnect (self);
        if (s_dial (self, zc_resolve_address (self->names, self->tried++), own, sizeof own))
            return;
        reason = own;
    }
    s_fail (self, reason);
}

static void s_connect (zc_redis_t *self)
{
    char reason[128];
    if (self->config.address->path) {
        if (!s_dial (self, NULL, reason, sizeof reason))
            s_fail (self, reason);
        return;
    }
    const char *host =
        self->sentinel ? zc_sentinel_host (self->sentinel) : self->config.address->host;
    if (!host) {
        self->since_ms = zc_mono_ms () + S_ASK_MS; /* the Sentinels' answer is waited for */
        return;
    }
    self->names = zc_resolve_new (host);
    self->tried = 0;
    s_enter (self, S_LOOKING_UP);
}

/*  A look-up can't be cancelled, so this waits as long as it takes, and logs that. */
static void s_look_up (zc_redis_t *self)
{
    static const char slow[] = "the look-up of its name takes long";
    if (!zc_resolve_done (self->names)) {
        if (zc_mono_ms () >= self->since_ms + S_CONNECT_MS && strcmp (self->complaint, slow) != 0)
            s_complain (self, "cannot connect", slow);
    } else if (zc_resolve_error (self->names)) {
        s_fail (self, zc_resolve_error (self->names));
    } else {
        s_next_address (self, "the name has no address");
    }
}

/*  Talking ------------------------------------------------------------------------------------- */

static void s_append (zc_redis_t *self, int count, const char **words, const size_t *lengths)
{
    redisAppendCommandArgv (self->context, count, words, lengths);
    self->unsent = true;
}

/*  A connection begins with database 0, so SELECT is sent for others only: an ACL may forbid it. */
static void s_greet (zc_redis_t *self)
{
    const zc_address_t *address = self->config.address;
    char database[16];
    snprintf (database, sizeof database, "%d", address->database);
    const char *auth[] = {"AUTH", address->user, address->password};
    const char *only_password[] = {"AUTH", address->password};
    const char *select[] = {"SELECT", database};
    const char *name[] = {"CLIENT", "SETNAME", self->config.name};
    self->state = S_GREETING;
    self->heard_ms = zc_mono_ms ();
    self->pinged_ms = 0;
    self->greetings = 1;
    if (address->password) {
        bool user = address->user != NULL;
        s_append (self, user ? 3 : 2, user ? auth : only_password, NULL);
        self->greetings++;
    }
    if (address->database) {
        s_append (self, 2, select, NULL);
        self->greetings++;
    }
    s_append (self, 3, name, NULL);
}

static void s_check_connected (zc_redis_t *self)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt (self->context->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    if (error)
        s_next_address (self, strerror (error));
    else
        s_greet (self);
}

void zc_redis_works (zc_redis_t *self)
{
    self->given_up = false;
    self->backoff_ms = S_BACKOFF_MIN_MS;
    if (self->complaint[0])
        zc_info (ZC_EVENT ("redis.connected redis connection", "redis %s (%s): connected"),
                 self->config.address->shown, self->config.name);
    self->complaint[0] = 0;
}

/*  A reply to the greeting. An error ends the connection, unless an ACL forbids only the last
 *  command, SETNAME. Returns false if the connection is gone. */
static bool s_greeting_reply (zc_redis_t *self, const redisReply *reply)
{
    self->greetings--;
    bool may_fail = self->greetings == 0 && (zc_slice_starts (zc_reply_error (reply), "NOPERM ") ||
                                             zc_reply_fault (reply) == ZC_FAULT_UNKNOWN);
    if (reply->type == REDIS_REPLY_ERROR && !may_fail) {
        char reason[256];
        s_explain (reply, reason, sizeof reason);
        s_fail (self, reason);
        return false;
    }
    if (self->greetings > 0)
        return true;
    self->state = S_READY;
    if (!self->given_up) {
        self->complaint[0] = 0;
        self->backoff_ms = S_BACKOFF_MIN_MS;
        zc_log (self->quiet ? ZC_LOG_DEBUG : ZC_LOG_INFO,
                ZC_EVENT ("redis.connected redis connection", "redis %s (%s): connected"),
                self->config.address->shown, self->config.name);
    }
    self->config.ready (self->config.arg);
    return self->state == S_READY;
}

void zc_redis_give_up (zc_redis_t *self, const char *reason)
{
    if (self->state != S_READY)
        return;
    s_fail_for (self, "of no use", reason);
    self->given_up = true;
}

void zc_redis_give_up_for (zc_redis_t *self, const redisReply *error)
{
    char reason[256];
    s_explain (error, reason, sizeof reason);
    zc_redis_give_up (self, reason);
}

static char *s_copy (const char *text, size_t len)
{
    char *copy = strndup (text, len);
    if (!copy)
        abort ();
    return copy;
}

/*  Goes on at the node that has the key. To the owner it is a connection that is lost. */
static void s_redirect (zc_redis_t *self, const zc_redirect_t *to)
{
    const zc_address_t *now = self->config.address;
    zc_slice_t host = to->host.len ? to->host : (zc_slice_t){now->host, strlen (now->host)};
    zc_address_t node = {.host = s_copy (host.at, host.len), .port = to->port};
    if (self->seed->user)
        node.user = s_copy (self->seed->user, strlen (self->seed->user));
    if (self->seed->password)
        node.password = s_copy (self->seed->password, strlen (self->seed->password));
    node.shown = s_copy (self->seed->shown, strlen (self->seed->shown));
    zc_log (ZC_LOG_DEBUG,
            ZC_EVENT ("redis.redirected redis connection node", "redis %s (%s): going on at %s:%d"),
            self->seed->shown, self->config.name, node.host, node.port);
    s_disconnect (self);
    zc_resolve_destroy (&self->names);
    zc_address_clear (&self->node);
    self->node = node;
    self->config.address = &self->node;
    self->asking = to->ask;
    self->state = S_WAITING;
    self->since_ms = zc_mono_ms () + S_REDIRECT_MS;
    self->config.lost (self->config.arg);
}

/*  An error that the same command may not get the next time. */
static void s_pass (zc_redis_t *self, const redisReply *error)
{
    char reason[256];
    s_explain (error, reason, sizeof reason);
    s_fail (self, reason);
    self->given_up = true;
}

/*  A reply to a command other than those of the greeting. */
static void s_reply (zc_redis_t *self, const redisReply *reply)
{
    static zc_log_limit_t s_limit;
    zc_redis_event_t event = zc_reply_event (reply);
    zc_redirect_t redirect;
    void *tag;
    if (self->config.follows && !self->sentinel && !self->config.address->path &&
        zc_reply_redirect (reply, &redirect))
        s_redirect (self, &redirect);
    else if (event.kind == ZC_EVENT_MESSAGE && self->config.message)
        self->config.message (self->config.arg, &event);
    else if (zc_reply_fault (reply) == ZC_FAULT_PASSING)
        s_pass (self, reply);
    else if (event.kind == ZC_EVENT_UNSUBSCRIBED && self->count == 0)
        /* a push, which belongs to no command */
        self->config.reply (self->config.arg, NULL, reply);
    else if (!s_pay (self, &tag))
        zc_log_limited (&s_limit, ZC_LOG_WARN,
                        ZC_EVENT ("redis.unexpected redis connection error",
                                  "redis %s (%s): a reply to no command: %.*s"),
                        self->config.address->shown, self->config.name,
                        (int)zc_reply_error (reply).len, zc_reply_error (reply).at);
    else if (tag != &s_ping)
        self->config.reply (self->config.arg, tag, reply);
}

/*  Returns false if the connection is gone. */
static bool s_handle (zc_redis_t *self, const redisReply *reply)
{
    if (self->state == S_GREETING)
        return s_greeting_reply (self, reply);
    s_reply (self, reply);
    return self->state == S_READY;
}

/*  Handles all whole replies. Returns false if the connection is gone. */
static bool s_replies (zc_redis_t *self)
{
    void *reply = NULL;
    while (redisGetReplyFromReader (self->context, &reply) == REDIS_OK && reply) {
        self->unfinished = self->context->reader->len - self->context->reader->pos;
        bool goes_on = s_handle (self, reply);
        if (self->arena)
            zc_reply_arena_reset (self->arena);
        else
            freeReplyObject (reply);
        if (!goes_on)
            return false;
        reply = NULL;
    }
    return true;
}

/*  Reads the bytes that have come. Returns false if the connection is gone. */
static bool s_read (zc_redis_t *self)
{
    for (int i = 0; i < S_READS; i++) {
        zmq_pollitem_t item = {NULL, self->context->fd, ZMQ_POLLIN, 0};
        if (zmq_poll (&item, 1, 0) <= 0)
            return true;
        self->heard_ms = zc_mono_ms ();
        self->pinged_ms = 0;
        size_t had = self->context->reader->len;
        if (redisBufferRead (self->context) != REDIS_OK)
            return false;
        self->unfinished += self->context->reader->len - had;
        if (!s_replies (self) || self->context->err)
            return false;
        if (self->unfinished > self->config.reply_max) {
            s_fail (self, "a reply is larger than all that can wait here");
            return false;
        }
    }
    return true;
}

static bool s_write (zc_redis_t *self)
{
    int done = 0;
    if (redisBufferWrite (self->context, &done) != REDIS_OK)
        return false;
    self->unsent = !done;
    return true;
}

/*  The peer has hung up, perhaps in the middle of what we wrote. Its last bytes may tell why. */
static void s_read_last_words (zc_redis_t *self)
{
    char bytes[16384];
    ssize_t len;
    redisContext *context = self->context;
    while (self->context == context &&
           (len = recv (context->fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
        if (redisReaderFeed (context->reader, bytes, (size_t)len) != REDIS_OK || !s_replies (self))
            return;
    }
}

static void s_transfer (zc_redis_t *self)
{
    char reason[160];
    redisContext *context = self->context;
    bool good = s_read (self);
    if (good && (!self->unsent || s_write (self)))
        return;
    if (self->context != context)
        return; /* already handled */
    snprintf (reason, sizeof reason, "%s", context->errstr);
    if (good)
        s_read_last_words (self);
    if (self->context == context)
        s_fail (self, reason);
}

static void s_keep_alive (zc_redis_t *self)
{
    static const char *ping[] = {"PING"};
    uint64_t now = zc_mono_ms ();
    uint64_t asked_ms = self->state == S_GREETING ? self->heard_ms : self->pinged_ms;
    if (asked_ms && now - asked_ms >= S_ANSWER_MS) {
        s_fail (self, "no answer");
    } else if (self->state == S_READY && !asked_ms && now - self->heard_ms >= S_PING_MS) {
        s_owe (self, &s_ping);
        s_append (self, 1, ping, NULL);
        self->pinged_ms = now;
    }
}

/*  Sentinels ----------------------------------------------------------------------------------- */

static char s_question;

static void s_asker_ready (void *arg)
{
    zc_redis_t *self = arg;
    const char *words[ZC_SENTINEL_WORDS];
    zc_sentinel_question (self->sentinel, words);
    zc_redis_command (self->asker, &s_question, ZC_SENTINEL_WORDS, words, NULL);
}

/*  The master is known, or it is another one than before. */
static void s_move (zc_redis_t *self)
{
    char reason[ZC_HOST_MAX + 64];
    const char *host = zc_sentinel_host (self->sentinel);
    snprintf (reason, sizeof reason, "the Sentinels' master is %s, port %d", host,
              zc_sentinel_port (self->sentinel));
    zc_info (ZC_EVENT ("redis.master redis connection master port",
                       "redis %s (%s): the master is %s, port %d"),
             self->config.address->shown, self->config.name, host,
             zc_sentinel_port (self->sentinel));
    if (self->state != S_WAITING)
        s_fail (self, reason);
    self->backoff_ms = S_BACKOFF_MIN_MS;
    self->since_ms = zc_mono_ms ();
}

static void s_asker_reply (void *arg, void *tag, const redisReply *reply)
{
    zc_redis_t *self = arg;
    char why[128] = "";
    (void)tag;
    self->asker->answered = true;
    self->asker->verdict = zc_sentinel_answered (self->sentinel, reply, why, sizeof why);
    snprintf (self->asker->complaint, sizeof self->asker->complaint, "%s", why);
}

static void s_asker_lost (void *arg)
{
    (void)arg;
}

static void s_ask (zc_redis_t *self)
{
    static const zc_redis_config_t hooks = {
        .name = "sentinel", .ready = s_asker_ready, .reply = s_asker_reply, .lost = s_asker_lost};
    zc_redis_config_t config = hooks;
    config.address = zc_sentinel_asked (self->sentinel);
    config.arg = self;
    self->asker = zc_redis_new (&config);
    self->asker->quiet = true;
    self->ask_ms = zc_mono_ms () + S_ASKED_MS;
}

/*  The Sentinel has answered, or it doesn't. */
static void s_asked (zc_redis_t *self)
{
    zc_redis_t *asker = self->asker;
    bool good = asker->answered && asker->verdict != ZC_SENTINEL_WRONG;
    bool moved = good && asker->verdict == ZC_SENTINEL_MOVED;
    bool again = !asker->answered && zc_sentinel_refused (self->sentinel, asker->complaint);
    char reason[sizeof asker->complaint + 300];
    snprintf (reason, sizeof reason, "the Sentinel at %s: %s", asker->config.address->shown,
              asker->complaint[0] ? asker->complaint : "no answer");
    zc_redis_destroy (&self->asker);
    bool all = !again && zc_sentinel_next (self->sentinel);
    self->ask_ms = zc_mono_ms ();
    if (all)
        self->ask_ms += self->state == S_READY ? S_ASK_MS : S_ASK_SOON_MS;
    if (all && !good && !zc_sentinel_host (self->sentinel))
        s_complain (self, "cannot connect", reason);
    if (moved)
        s_move (self);
}

static void s_watch (zc_redis_t *self)
{
    uint64_t now = zc_mono_ms ();
    if (!self->asker && now >= self->ask_ms)
        s_ask (self);
    if (!self->asker)
        return;
    zc_redis_run (self->asker);
    bool failed = self->asker->state == S_WAITING && self->asker->complaint[0];
    if (self->asker->answered || failed || now >= self->ask_ms)
        s_asked (self);
}

void zc_redis_run (zc_redis_t *self)
{
    uint64_t now = zc_mono_ms ();
    if (self->sentinel)
        s_watch (self);
    if (self->state == S_WAITING && now >= self->since_ms)
        s_connect (self);
    if (self->state == S_LOOKING_UP)
        s_look_up (self);
    if (self->state == S_CONNECTING) {
        zmq_pollitem_t item = {NULL, self->context->fd, ZMQ_POLLOUT | ZMQ_POLLERR, 0};
        if (zmq_poll (&item, 1, 0) > 0)
            s_check_connected (self);
        else if (now >= self->since_ms + S_CONNECT_MS)
            s_next_address (self, "timed out");
    }
    if (self->state >= S_GREETING)
        s_transfer (self);
    if (self->state >= S_GREETING)
        s_keep_alive (self);
}

/*  Where that fails, the next run finds out. */
void zc_redis_flush (zc_redis_t *self)
{
    if (self->state == S_READY && self->unsent)
        s_write (self);
}

bool zc_redis_is_ready (const zc_redis_t *self)
{
    return self->state == S_READY;
}

const char *zc_redis_complaint (const zc_redis_t *self)
{
    return self->complaint;
}

void zc_redis_command (zc_redis_t *self, void *tag, int count, const char **words,
                       const size_t *lengths)
{
    if (self->state != S_READY)
        return;
    if (self->asking) {
        const char *asking[] = {"ASKING"};
        s_owe (self, &s_ping); /* its answer means as little */
        s_append (self, 1, asking, NULL);
    }
    s_owe (self, tag);
    s_append (self, count, words, lengths);
}

static size_t s_pollitem (zc_redis_t *self, zmq_pollitem_t *item)
{
    if (self->state == S_WAITING)
        return 0;
    if (self->state == S_LOOKING_UP) {
        *item = (zmq_pollitem_t){NULL, zc_resolve_fd (self->names), ZMQ_POLLIN, 0};
        return !zc_resolve_done (self->names);
    }
    bool connecting = self->state == S_CONNECTING;
    short events = connecting ? ZMQ_POLLOUT : ZMQ_POLLIN | (self->unsent ? ZMQ_POLLOUT : 0);
    *item = (zmq_pollitem_t){NULL, self->context->fd, events, 0};
    return 1;
}

size_t zc_redis_pollitems (zc_redis_t *self, zmq_pollitem_t *items)
{
    size_t count = s_pollitem (self, items);
    return self->asker ? count + s_pollitem (self->asker, items + count) : count;
}

static long s_timeout (const zc_redis_t *self)
{
    uint64_t due = self->since_ms;
    if (self->state == S_LOOKING_UP && zc_resolve_done (self->names))
        return 0;
    if (self->state == S_LOOKING_UP && zc_mono_ms () >= due + S_CONNECT_MS)
        return S_CONNECT_MS; /* the delay has been logged */
    if (self->state <= S_CONNECTING && self->state != S_WAITING)
        due += S_CONNECT_MS;
    else if (self->state >= S_GREETING)
        due = self->pinged_ms ? self->pinged_ms + S_ANSWER_MS : self->heard_ms + S_PING_MS;
    uint64_t now = zc_mono_ms ();
    return due > now ? (long)(due - now) : 0;
}

long zc_redis_timeout (const zc_redis_t *self)
{
    long own = s_timeout (self), asker = self->asker ? s_timeout (self->asker) : own;
    uint64_t now = zc_mono_ms ();
    if (!self->sentinel)
        return own;
    long asks = self->ask_ms > now ? (long)(self->ask_ms - now) : 0;
    long least = asks < asker ? asks : asker;
    return least < own ? least : own;
}
