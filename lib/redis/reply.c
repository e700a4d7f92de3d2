#include "lib/redis/reply.h"

#include <string.h>

#if HIREDIS_MAJOR >= 1
typedef size_t s_elements_t;
#else
typedef int s_elements_t;
#endif

/*  hiredis's own, except for one. */
static redisReplyObjectFunctions s_functions;
static void *(*s_create_array) (const redisReadTask *task, s_elements_t elements);

static void *s_create_bounded (const redisReadTask *task, s_elements_t elements)
{
    return elements > ZC_REPLY_ELEMENTS_MAX ? NULL : s_create_array (task, elements);
}

void zc_reply_bound (redisReader *reader)
{
    if (!s_create_array) {
        s_functions = *reader->fn;
        s_create_array = s_functions.createArray;
        s_functions.createArray = s_create_bounded;
    }
    reader->fn = &s_functions;
}

zc_slice_t zc_reply_text (const redisReply *reply)
{
    bool text = reply && reply->str &&
                (reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS);
    return text ? (zc_slice_t){reply->str, (size_t)reply->len} : (zc_slice_t){"", 0};
}

/*  Whoever shows it shows something: a text that begins with a zero byte would be none. */
zc_slice_t zc_reply_error (const redisReply *reply)
{
    static const char none[] = "an error without a text";
    bool error = reply && reply->str && reply->type == REDIS_REPLY_ERROR;
    size_t len = error ? strnlen (reply->str, (size_t)reply->len) : 0;
    if (error && len == 0)
        return (zc_slice_t){none, sizeof none - 1};
    return error ? (zc_slice_t){reply->str, len} : (zc_slice_t){"", 0};
}

/*  An element of an array. NULL past its end, or if the reply isn't an array. */
static const redisReply *s_element (const redisReply *reply, size_t index)
{
    bool there = reply && reply->type == REDIS_REPLY_ARRAY && index < reply->elements;
    return there ? reply->element[index] : NULL;
}

static zc_slice_t s_text (const redisReply *reply, size_t index)
{
    return zc_reply_text (s_element (reply, index));
}

static bool s_is_text (const redisReply *reply, size_t index)
{
    return s_text (reply, index).len > 0 ||
           (s_element (reply, index) && s_element (reply, index)->type == REDIS_REPLY_STRING);
}

/*  Events -------------------------------------------------------------------------------------- */

static const struct {
    const char *word;
    zc_event_kind_t kind;
    bool pattern;
    size_t strings; /* how many strings follow the word */
} s_events[] = {
    {"message", ZC_EVENT_MESSAGE, false, 2},
    {"pmessage", ZC_EVENT_MESSAGE, true, 3},
    {"subscribe", ZC_EVENT_SUBSCRIBED, false, 1},
    {"psubscribe", ZC_EVENT_SUBSCRIBED, true, 1},
    {"unsubscribe", ZC_EVENT_UNSUBSCRIBED, false, 1},
    {"punsubscribe", ZC_EVENT_UNSUBSCRIBED, true, 1},
    {"pong", ZC_EVENT_PONG, false, 1},
};

zc_redis_event_t zc_reply_event (const redisReply *reply)
{
    zc_redis_event_t event = {ZC_EVENT_NONE, false, {"", 0}, {"", 0}, {"", 0}};
    zc_slice_t word = s_text (reply, 0);
    size_t i = 0, count = sizeof s_events / sizeof *s_events;
    if (zc_slice_is (zc_reply_text (reply), "PONG")) /* on a connection without subscriptions */
        event.kind = ZC_EVENT_PONG;
    while (i < count && !zc_slice_is (word, s_events[i].word))
        i++;
    if (i == count)
        return event;
    for (size_t at = 1; at <= s_events[i].strings; at++)
        if (!s_is_text (reply, at))
            return event;
    event.kind = s_events[i].kind;
    event.pattern = s_events[i].pattern;
    if (event.kind == ZC_EVENT_PONG)
        return event;
    event.name = s_text (reply, 1);
    if (event.kind == ZC_EVENT_MESSAGE) {
        event.channel = s_text (reply, event.pattern ? 2 : 1);
        event.payload = s_text (reply, event.pattern ? 3 : 2);
    }
    return event;
}

/*  Roles --------------------------------------------------------------------------------------- */

static zc_role_kind_t s_role (zc_slice_t word)
{
    static const struct {
        const char *word;
        zc_role_kind_t kind;
    } roles[] = {
        {"master", ZC_ROLE_MASTER},
        {"slave", ZC_ROLE_REPLICA},
        {"replica", ZC_ROLE_REPLICA},
        {"sentinel", ZC_ROLE_SENTINEL},
    };
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (zc_slice_is (word, roles[i].word))
            return roles[i].kind;
    return ZC_ROLE_UNKNOWN;
}

/*  HELLO answers with names and values in turn: "role", "master". */
static zc_role_kind_t s_hello_role (const redisReply *reply)
{
    for (size_t i = 0; s_element (reply, i); i += 2)
        if (zc_slice_is (s_text (reply, i), "role"))
            return s_role (s_text (reply, i + 1));
    return ZC_ROLE_UNKNOWN;
}

zc_role_t zc_reply_role (const redisReply *reply)
{
    zc_role_t role = {s_role (s_text (reply, 0)), {"", 0}, 0};
    if (role.kind == ZC_ROLE_UNKNOWN)
        role.kind = s_hello_role (reply);
    const redisReply *port = s_element (reply, 2);
    if (role.kind == ZC_ROLE_REPLICA && port && port->type == REDIS_REPLY_INTEGER &&
        port->integer > 0 && port->integer <= 65535) {
        role.host = s_text (reply, 1);
        role.port = (int)port->integer;
    }
    return role;
}

/*  Faults -------------------------------------------------------------------------------------- */

/*  An error begins with its code and a blank (redis, src/server.c, "shared.*err"). The first
 *  match counts. */
static const struct {
    const char *begin;
    zc_fault_t fault;
    const char *advice;
} s_faults[] = {
    {"BUSY ", ZC_FAULT_PASSING, "a script runs there: SCRIPT KILL ends it"},
    {"LOADING ", ZC_FAULT_PASSING, "it reads its data: it will be there"},
    {"TRYAGAIN ", ZC_FAULT_PASSING, NULL},
    {"MASTERDOWN ", ZC_FAULT_PASSING, "it is a replica that has lost its master"},
    {"CLUSTERDOWN ", ZC_FAULT_PASSING, "its Cluster isn't whole: see CLUSTER INFO there"},
    {"ERR max number of clients", ZC_FAULT_PASSING, "raise maxclients there"},
    {"NOREPLICAS ", ZC_FAULT_STATE,
     "it has fewer replicas than its min-replicas-to-write: it may be cut off from the others"},
    {"MISCONF ", ZC_FAULT_STATE, "it can't save its data to its disk: see its log"},
    {"OOM ", ZC_FAULT_STATE, "its memory is used up: raise maxmemory there"},
    {"READONLY ", ZC_FAULT_NODE, "it is a replica: give the master's address"},
    {"MOVED ", ZC_FAULT_NODE,
     "it is a node of a Cluster: give the address of the one that is named"},
    {"ASK ", ZC_FAULT_NODE,
     "it is a node of a Cluster that moves its slots: wait until it is done"},
    {"WRONGTYPE ", ZC_FAULT_STATE, "the key is another program's there: another site name helps"},
    {"NOAUTH ", ZC_FAULT_RIGHTS, "it wants a password: see password-file"},
    {"WRONGPASS ", ZC_FAULT_RIGHTS, "see user and password-file, and ACL LIST there"},
    {"NOPERM ", ZC_FAULT_RIGHTS, "see ACL LIST there, and zcast-redis(8) for what the user needs"},
    {"DENIED ", ZC_FAULT_RIGHTS, "it is in protected mode: it needs a password, or a bind address"},
    {"ERR AUTH ", ZC_FAULT_RIGHTS, "it has no password: give none"},
    {"ERR Client sent AUTH", ZC_FAULT_RIGHTS, "it has no password: give none"},
    {"ERR invalid password", ZC_FAULT_RIGHTS, "see password-file"},
    {"ERR Protocol error", ZC_FAULT_COMMAND, "see proto-max-bulk-len there"},
};

static size_t s_find (zc_slice_t error)
{
    size_t i = 0, count = sizeof s_faults / sizeof *s_faults;
    while (i < count && !zc_slice_starts (error, s_faults[i].begin))
        i++;
    return i;
}

zc_fault_t zc_reply_fault (const redisReply *reply)
{
    if (!reply || reply->type != REDIS_REPLY_ERROR)
        return ZC_FAULT_NONE;
    size_t i = s_find (zc_reply_error (reply));
    return i < sizeof s_faults / sizeof *s_faults ? s_faults[i].fault : ZC_FAULT_UNKNOWN;
}

const char *zc_fault_advice (zc_slice_t error)
{
    size_t i = s_find (error);
    return i < sizeof s_faults / sizeof *s_faults ? s_faults[i].advice : NULL;
}

/*  Nodes of a Cluster -------------------------------------------------------------------------- */

/*  "MOVED 3999 127.0.0.1:6381" (Redis Cluster specification, "Redirection and resharding"); an IPv6
 *  address has no brackets, and an unknown host is empty. */
bool zc_reply_redirect (const redisReply *reply, zc_redirect_t *redirect)
{
    zc_slice_t text = zc_reply_error (reply);
    uint64_t slot, port;
    redirect->ask = zc_slice_starts (text, "ASK ");
    if (!redirect->ask && !zc_slice_starts (text, "MOVED "))
        return false;
    size_t at = redirect->ask ? 4 : 6, colon = text.len;
    const char *blank = memchr (text.at + at, ' ', text.len - at);
    if (!blank || zc_text_u64 (text.at + at, (size_t)(blank - text.at) - at, 16383, &slot) != 0)
        return false;
    at = (size_t)(blank - text.at) + 1;
    while (colon > at && text.at[colon - 1] != ':')
        colon--;
    if (colon == at || zc_text_u64 (text.at + colon, text.len - colon, 65535, &port) != 0 ||
        port == 0)
        return false;
    redirect->host = (zc_slice_t){text.at + at, colon - 1 - at};
    redirect->port = (int)port;
    return redirect->host.len <= ZC_REDIRECT_HOST_MAX &&
           (redirect->host.len == 0 || zc_text_plain (redirect->host.at, redirect->host.len));
}
