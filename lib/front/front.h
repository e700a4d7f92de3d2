/*  front.h - the meaning of a request, independent of its carrier.
 *
 *  A carrier (FastCGI, HTTP, CGI) brings an exchange: a request, and hooks to answer it. A door
 *  (events, publish, …) serves a path. Between the two, every request passes these checks, in this
 *  order: path; CORS and preflight; method; room for a client; limits of the address; token; limits
 *  of the subject. Then comes the door, which asks for grants once it knows the topics. So a
 *  refusal has CORS fields, and each path refuses in its own way. A stream's path answers with 200
 *  and a time to come back, since a browser that is shown an error never comes back; any other path
 *  answers with a status.
 *
 *  To add a door, write one zc_door_t, and give it to zc_front_open. To add a carrier, write one
 *  zc_carrier_t, fill a request, and call zc_front_begin. */
#ifndef ZC_FRONT_H
#define ZC_FRONT_H

#include "lib/base/limit.h"
#include "lib/engine/worker.h"
#include "lib/front/address.h"
#include "lib/front/cors.h"
#include "lib/front/request.h"
#include "lib/front/response.h"

typedef struct zc_front zc_front_t;
typedef struct zc_exchange zc_exchange_t;
typedef struct zc_door zc_door_t;

/*  ---------------------------------------------------------------- an exchange and its carrier */

typedef struct {
    unsigned status;   /* 401, 403, 429, …; 0: not denied */
    const char *code;  /* one word for programs */
    const char *text;  /* one sentence */
    const char *field; /* name of a further header field, such as WWW-Authenticate; NULL: none */
    const char *value; /* its value */
} zc_denial_t;

typedef struct {
    const char *name; /* "fcgi", "cgi", "http": for logs */
    /*  Sends the whole answer; copies the bytes that it needs. Called once: within zc_front_begin,
     *  zc_exchange_body or zc_exchange_end; or later, when the door has the result that it waited
     *  for. The hook may then free the exchange. */
    void (*answer) (zc_exchange_t *exchange, const zc_response_t *response);
    /*  Sends the head of an answer without an end. Returns the client that streams, with its
     *  transport and descriptor filled in. The head goes out before anything else that is sent to
     *  the client. */
    zc_client_t *(*stream) (zc_exchange_t *exchange, const zc_response_t *response);
    /*  Whether the carrier can have one more client, as far as it knows. NULL: always. */
    bool (*has_room) (zc_exchange_t *exchange);
    /*  Refuses in the carrier's own way, and returns true; `after` is the time in ms to come back,
     *  0 if coming back is of no use. False: `answer` is to be called. NULL: always false. */
    bool (*refuse) (zc_exchange_t *exchange, const zc_denial_t *refusal, unsigned after);
} zc_carrier_t;

/*  One request and its answer. The carrier embeds it, and clears it once it is over and no call of
 *  the front is under way. */
struct zc_exchange {
    zc_front_t *front;           /* borrowed */
    const zc_carrier_t *carrier; /* borrowed, static */
    zc_request_t request;
    bool chunked;      /* a stream's bytes go out in chunks (RFC 9112 §7.1) */
    uint64_t begun_ms; /* on the monotonic clock */

    /*  Filled in by the front. */
    const zc_door_t *door; /* NULL until the path is known */
    zc_cors_t cors;
    char address[INET6_ADDRSTRLEN]; /* the address that the request counts for; "": none */
    bool counted;      /* counted as a connection of its address, until the exchange ends */
    bool foreign;      /* it asked by a name that isn't ours (DNS rebinding) */
    uint64_t received; /* bytes of the body so far */
    bool whole;        /* the body is complete */
    bool over;         /* the exchange is answered, or streams */
    void *subject;     /* the guard's: the subject that asks */
    void *state;       /* the door's; NULL: none */
};

/*  ---------------------------------------------------------------- doors */

struct zc_door {
    const char *name;
    unsigned methods; /* a set of zc_method_t; OPTIONS is answered for every door */
    /*  The answers are streams. So a temporary refusal is a stream, too, which ends at once. */
    bool streams;
    /*  A request that is let in stays connected: it counts as one more client and one more
     *  connect. */
    bool stays;
    /*  The request has passed the checks. The door answers here, and then gets no body; or it
     *  answers later, and then the body follows in pieces, and its end. */
    void (*open) (zc_exchange_t *exchange);
    /*  NULL: a body is ignored. */
    void (*body) (zc_exchange_t *exchange, const void *bytes, size_t len);
    void (*end) (zc_exchange_t *exchange);
    /*  The exchange is cleared: frees `state`, which is not NULL. NULL: the door never sets
     *  `state`. */
    void (*gone) (zc_exchange_t *exchange);
};

/*  ---------------------------------------------------------------- permissions */

typedef enum { ZC_ACTION_SUBSCRIBE, ZC_ACTION_PUBLISH } zc_action_t;

/*  Tokens and grants. A hook that is NULL lets every request pass. */
typedef struct {
    void *arg;
    /*  Identifies the subject, and fills exchange->subject. */
    zc_denial_t (*token) (void *arg, zc_exchange_t *exchange);
    /*  Whether the subject stays within its limits. */
    zc_denial_t (*subject) (void *arg, zc_exchange_t *exchange);
    /*  Whether the subject may do this with each of the topics. */
    zc_denial_t (*grants) (void *arg, zc_exchange_t *exchange, zc_action_t action,
                           const zc_slice_t *topics, size_t count);
    /*  Takes `count` messages off the rate that the subject may send. */
    zc_denial_t (*take) (void *arg, zc_exchange_t *exchange, double count);
    /*  The exchange is cleared: frees subject, which is not NULL. */
    void (*forget) (void *arg, zc_exchange_t *exchange);
} zc_guard_t;

/*  ---------------------------------------------------------------- the front of a process */

/*  The options that the front reads. A program with a front puts them into its table, with those of
 *  the worker: hosts, metrics, console, cors-origin, allow-publish, allow-origin, max-clients,
 * address-rate, address-burst, max-connections-per-address, connect-rate, connect-burst,
 * failure-rate, failure-burst, trust-proxy, forwarded, max-head, max-body, max-bodies.
 * `per_address` and `connects` are the defaults of max-connections-per-address and connect-rate. */
/* clang-format off */
#define ZC_FRONT_OPTIONS(per_address, connects)                                                   \
    {.name = "hosts", .type = ZC_OPT_LIST, .min = 1, .max = 255, .argument = "NAME",              \
     .help = "if no token is needed: a name by which clients reach this server, besides its "     \
             "addresses and localhost; * for any; repeatable", .reload = true},                   \
    {.name = "max-clients", .type = ZC_OPT_NUMBER, .preset = "100000", .max = 10000000,           \
     .argument = "N",                                                                             \
     .help = "streams and WebSockets of one process; further clients are told to come back; "     \
             "0: as descriptors allow", .reload = true},                                          \
    {.name = "cors-origin", .type = ZC_OPT_LIST, .min = 1, .max = 255, .argument = "ORIGIN",      \
     .help = "origin whose pages may read, or * for all; repeatable; pages of this server's "     \
             "own host always may", .reload = true},                                              \
    {.name = "allow-publish", .type = ZC_OPT_BOOL, .preset = "no",                                \
     .help = "clients may publish; allow-origin names the pages that may", .reload = true},       \
    {.name = "allow-origin", .type = ZC_OPT_LIST, .argument = "ORIGIN",                           \
     .help = "origin whose pages may read and publish, or * for all; repeatable", .reload = true},\
    {.name = "address-rate", .type = ZC_OPT_NUMBER, .preset = "1000", .max = 1000000,             \
     .argument = "N",                                                                             \
     .help = "messages a second of one address; 0: no limit", .reload = true},                    \
    {.name = "address-burst", .type = ZC_OPT_NUMBER, .preset = "2000", .min = 1, .max = 1000000,  \
     .argument = "N",                                                                             \
     .help = "and how many at once", .reload = true},                                             \
    {.name = "max-connections-per-address", .type = ZC_OPT_NUMBER, .preset = per_address,         \
     .max = 1000000, .argument = "N",                                                             \
     .help = "connections of one address (IPv6: of a /64) to a process; 0: no limit",             \
     .reload = true},                                                                             \
    {.name = "connect-rate", .type = ZC_OPT_NUMBER, .preset = connects, .max = 1000000,           \
     .argument = "N",                                                                             \
     .help = "streams and WebSockets that one address may open a second; 0: no limit",            \
     .reload = true},                                                                             \
    {.name = "connect-burst", .type = ZC_OPT_NUMBER, .preset = "1000", .min = 1, .max = 1000000,  \
     .argument = "N",                                                                             \
     .help = "and how many at once", .reload = true},                                             \
    {.name = "failure-rate", .type = ZC_OPT_NUMBER, .preset = "10", .max = 1000000,               \
     .argument = "N",                                                                             \
     .help = "bad tokens that one address may send a second; beyond that, none of its tokens "    \
             "is checked; 0: no limit", .reload = true},                                          \
    {.name = "failure-burst", .type = ZC_OPT_NUMBER, .preset = "100", .min = 1, .max = 1000000,   \
     .argument = "N",                                                                             \
     .help = "and how many at once", .reload = true},                                             \
    {.name = "trust-proxy", .type = ZC_OPT_LIST, .min = 1, .max = 64, .argument = "WHO",          \
     .help = "proxies that are trusted to tell a client's address: local (loopback and Unix "     \
             "sockets; the default), an address, a network such as 192.0.2.0/24, always or "      \
             "never; repeatable", .reload = true},                                                \
    {.name = "forwarded", .type = ZC_OPT_CHOICE, .preset = "x-forwarded-for",                     \
     .choices = "x-forwarded-for|forwarded", .argument = "FIELD",                                 \
     .help = "the header field in which proxies tell it; a client may send anything in the "      \
             "other one", .reload = true},                                                        \
    {.name = "metrics", .type = ZC_OPT_CHOICE, .preset = "local", .choices = "local|all|off",     \
     .argument = "WHO",                                                                           \
     .help = "who may read /metrics: clients on this machine, all, or nobody", .reload = true},   \
    {.name = "console", .type = ZC_OPT_BOOL, .preset = "no",                                      \
     .help = "serve /console, whose figures need a token that names $zcast/console",              \
     .reload = true},                                                                             \
    {.name = "max-head", .type = ZC_OPT_SIZE, .preset = "32K", .min = 256, .max = 1 << 20,        \
     .argument = "SIZE",                                                                          \
     .help = "largest request head: the URL and the fields, with their cookies", .reload = true}, \
    {.name = "max-body", .type = ZC_OPT_SIZE, .preset = "4M", .min = 1, .max = 1 << 30,           \
     .argument = "SIZE",                                                                          \
     .help = "largest request body; one message is at most max-payload", .reload = true},         \
    {.name = "max-bodies", .type = ZC_OPT_SIZE, .preset = "64M", .min = 1, .max = 1LL << 40,      \
     .argument = "SIZE",                                                                          \
     .help = "request bodies that are held at once; further ones are told to come back",          \
     .reload = true}
/* clang-format on */

/*  The limits, each of which counts its refusals. */
typedef enum {
    ZC_LIMIT_CLIENTS,             /* max-clients, or descriptors */
    ZC_LIMIT_ADDRESS_CONNECTIONS, /* max-connections-per-address */
    ZC_LIMIT_ADDRESS_CONNECTS,    /* connect-rate */
    ZC_LIMIT_ADDRESS_MESSAGES,    /* address-rate */
    ZC_LIMIT_ADDRESS_FAILURES,    /* failure-rate */
    ZC_LIMIT_SUBJECT_CONNECTIONS, /* max-connections-per-subject */
    ZC_LIMIT_SUBJECT_CONNECTS,    /* subject-connect-rate */
    ZC_LIMIT_SUBJECT_MESSAGES,    /* subject-rate */
    ZC_LIMIT_CLIENT_MESSAGES,     /* rate, of one WebSocket */
    ZC_LIMIT_HEAD,                /* max-head: a URL, or a whole head */
    ZC_LIMIT_BODY,                /* max-body, max-payload, lines of a batch */
    ZC_LIMIT_BODIES,              /* max-bodies */
    ZC_LIMIT_TOPICS,              /* max-topics */
    ZC_LIMIT_COUNT
} zc_limit_t;

typedef struct {
    uint64_t requests;  /* begun */
    uint64_t errors;    /* answered with 400 to 499 */
    uint64_t refused;   /* told to come back, because there was no room */
    uint64_t limited;   /* 429: an address or subject asked too much */
    uint64_t published; /* messages that the broker has taken */
    uint64_t conflicts; /* messages refused with 409 */
    uint64_t untraced;  /* publishes whose traceparent was ignored */
    uint64_t proxies;   /* refused: a proxy's word on the client's address was bad or missing */
    uint64_t limits[ZC_LIMIT_COUNT]; /* times that each was reached */
} zc_front_stats_t;

/*  The state that the doors share. */
struct zc_front {
    /*  Configuration. */
    zc_options_t *options; /* borrowed */
    zc_guard_t guard;
    zc_trust_t trust;
    bool allow_publish;
    bool open; /* nobody needs a token, so pages of other names must be kept off (DNS rebinding) */
    bool any_host; /* the operator lets others in without tokens, so any name will do */
    zc_rate_t messages, connects, failures; /* of one address */
    unsigned max_per_address;
    size_t max_clients; /* 0: no limit */
    size_t max_topics, max_payload, max_body, max_bodies;
    const zc_door_t *fallback; /* serves paths without a door; NULL: they are refused with 404 */
    /*  State. */
    zc_worker_t *worker;       /* borrowed; NULL in tests */
    zc_addresses_t *addresses; /* owned */
    bool draining;             /* new streams are told to come back */
    size_t bodies;             /* bytes of bodies that are held */
    size_t kept;               /* bytes of messages that may be sent again (posting.h) */
    size_t clients;            /* streams and WebSockets; kept by the carriers */
    struct {
        const char *path; /* borrowed */
        const zc_door_t *door;
    } doors[32];
    size_t door_count;
    zc_front_stats_t stats;
    zc_histogram_t acknowledged; /* from a publish to the broker's answer */
};

void zc_front_init (zc_front_t *self, zc_worker_t *worker, zc_options_t *options);
void zc_front_clear (zc_front_t *self);
/*  Reads the options again. */
void zc_front_configure (zc_front_t *self);
/*  Serves `path` (borrowed for the front's life). */
void zc_front_open (zc_front_t *self, const char *path, const zc_door_t *door);

/*  Checks a request, and calls its door or answers. The exchange's front, carrier, request and
 *  chunked are filled in; all else is zero. */
void zc_front_begin (zc_exchange_t *exchange);
/*  Hands over pieces of the body, and its end. A body that is longer or shorter than request.body
 *  is refused. After exactly request.body bytes, zc_exchange_end need not be called. Both calls do
 *  nothing if zc_exchange_wants_body is false. */
void zc_exchange_body (zc_exchange_t *self, const void *bytes, size_t len);
void zc_exchange_end (zc_exchange_t *self);
/*  Whether the door takes more of the body. */
bool zc_exchange_wants_body (const zc_exchange_t *self);
/*  Frees the memory of the front and the door for this exchange. The request's client may be
 *  gone. */
void zc_exchange_clear (zc_exchange_t *self);
/*  Takes over the exchange's count as a connection of its address, so that the count lasts as long
 *  as a stream. The caller then calls zc_front_leave with exchange->address when the stream ends.
 *  False: the exchange isn't counted. */
bool zc_exchange_take_count (zc_exchange_t *self);
void zc_front_leave (zc_front_t *self, const char *address);
/*  Takes tokens from the bucket of the address's failures, before credentials are checked; puts
 *  them back with a negative number, once they have turned out to be good. False: too many of the
 *  address's were bad, and these aren't to be looked at. */
bool zc_exchange_may_fail (zc_exchange_t *self, int count);
/*  The refusal of a request that asks by a name that isn't ours. */
zc_denial_t zc_front_deny_host (void);
/*  Counts that a limit was reached, and returns the refusal. */
zc_denial_t zc_front_limit (zc_front_t *self, zc_limit_t limit);
/*  Like zc_exchange_take, for an address whose count was taken over. */
zc_denial_t zc_front_take (zc_front_t *self, const char *address, double count);

/*  ---------------------------------------------------------------- for doors */

/*  Answers with a refusal, in the door's own way. */
void zc_exchange_refuse (zc_exchange_t *self, unsigned status, const char *code, const char *text);
void zc_exchange_refuse_by (zc_exchange_t *self, const zc_denial_t *refusal);
/*  Answers, and adds the fields of CORS. */
void zc_exchange_answer (zc_exchange_t *self, zc_response_t *response);
/*  Adds the fields that every answer on a stream's path has. */
void zc_exchange_add_stream_fields (zc_exchange_t *self, zc_response_t *response);
/*  Whether the request's subject may do this with each of the topics; status 0: yes. */
zc_denial_t zc_exchange_granted (zc_exchange_t *self, zc_action_t action, const zc_slice_t *topics,
                                 size_t count);
/*  Takes `count` messages off the rates that the exchange's address and subject may send; status 0:
 *  both rates allow them. */
zc_denial_t zc_exchange_take (zc_exchange_t *self, double count);
/*  Whether the client prefers an answer in JSON to one in text. */
bool zc_exchange_wants_json (const zc_exchange_t *self);

/*  Adds the front's figures to a worker's report. */
void zc_front_stats (const zc_front_t *self, json_t *report);

#endif
