/*  front.h - what a request means, whoever carried it.
 *
 *  A carrier (FastCGI, HTTP, CGI) brings an exchange: a request, and hooks by which it is answered.
 *  A door (events, publish, …) serves a path. Between them, in this order, for every request: path;
 *  CORS and preflight; method; room for a client; limits of the address; token; limits of the
 * subject; then the door, which asks for grants where it knows what is asked. So a refusal carries
 * CORS, and each path answers in its own way: a stream's with 200 and a time to come back, since a
 * browser that is shown an error never does, any other with a status.
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
    unsigned status;   /* 401, 403, 429, …; 0: it may */
    const char *code;  /* one word for programs */
    const char *text;  /* one sentence */
    const char *field; /* name of a further header field, such as WWW-Authenticate; NULL: none */
    const char *value; /* its value */
} zc_denial_t;

typedef struct {
    const char *name; /* "fcgi", "cgi", "http": for logs */
    /*  The whole answer; copies what it needs. Called once: in zc_front_begin, zc_exchange_body or
     *  zc_exchange_end, or later, when the door has what it waited for. Then it may free the
     *  exchange. */
    void (*answer) (zc_exchange_t *exchange, const zc_response_t *response);
    /*  The head of an answer without an end. Returns the client that streams: its transport and
     *  descriptor are filled, the head is before anything else that it is sent. */
    zc_client_t *(*stream) (zc_exchange_t *exchange, const zc_response_t *response);
    /*  Whether it can have one more client, as far as it knows. NULL: it can. */
    bool (*has_room) (zc_exchange_t *exchange);
    /*  Refuses in a way of its own, and returns true; `after` is the time in ms to come back, 0
     * where that is of no use. False: it is to be answered. NULL: it always is. */
    bool (*refuse) (zc_exchange_t *exchange, const zc_denial_t *refusal, unsigned after);
} zc_carrier_t;

/*  One request and its answer. Embedded by the carrier, and cleared by it once it is over and no
 *  call of the front's is under way. */
struct zc_exchange {
    zc_front_t *front;           /* borrowed */
    const zc_carrier_t *carrier; /* borrowed, static */
    zc_request_t request;
    bool chunked;      /* what a stream is sent goes in chunks (RFC 9112 §7.1) */
    uint64_t begun_ms; /* on the monotonic clock */

    /*  What the front has found out. */
    const zc_door_t *door; /* NULL until the path is known */
    zc_cors_t cors;
    char address[INET6_ADDRSTRLEN]; /* that it counts for; "": none */
    bool counted;                   /* among its address's connections, until the exchange ends */
    uint64_t received;              /* bytes of the body */
    bool whole;                     /* the body is complete */
    bool over;                      /* it is answered, or streams */
    void *subject;                  /* the guard's: who asks */
    void *state;                    /* the door's; NULL: none */
};

/*  ---------------------------------------------------------------- doors */

struct zc_door {
    const char *name;
    unsigned methods; /* a set of zc_method_t; OPTIONS is answered for every door */
    /*  Its answers are streams: what refuses for a while is one too, and ends at once. */
    bool streams;
    /*  Whom it lets in stays: one more client, and one more connect. */
    bool stays;
    /*  The request passed. It is answered here (then it has no use for a body), or later: then the
     *  body comes, in pieces, and its end. */
    void (*open) (zc_exchange_t *exchange);
    /*  NULL: a body is passed over. */
    void (*body) (zc_exchange_t *exchange, const void *bytes, size_t len);
    void (*end) (zc_exchange_t *exchange);
    /*  The exchange is cleared: frees `state`, which is not NULL. NULL: it never has one. */
    void (*gone) (zc_exchange_t *exchange);
};

/*  ---------------------------------------------------------------- who may */

typedef enum { ZC_ACTION_SUBSCRIBE, ZC_ACTION_PUBLISH } zc_action_t;

/*  Tokens and grants. Each hook may be NULL: then it lets pass. */
typedef struct {
    void *arg;
    /*  Finds out who asks, and fills exchange->subject. */
    zc_denial_t (*token) (void *arg, zc_exchange_t *exchange);
    /*  Whether the subject stays within its limits. */
    zc_denial_t (*subject) (void *arg, zc_exchange_t *exchange);
    /*  Whether the subject may do this with each of the topics. */
    zc_denial_t (*grants) (void *arg, zc_exchange_t *exchange, zc_action_t action,
                           const zc_slice_t *topics, size_t count);
    /*  Takes `count` messages off what the subject may send a second. */
    zc_denial_t (*take) (void *arg, zc_exchange_t *exchange, double count);
    /*  The exchange is cleared: frees subject, which is not NULL. */
    void (*forget) (void *arg, zc_exchange_t *exchange);
} zc_guard_t;

/*  ---------------------------------------------------------------- the front of a process */

/*  The options that the front reads; a program that has one puts them into its table, with those of
 *  the worker: metrics, cors-origin, allow-publish, allow-origin, max-clients, address-rate,
 *  address-burst, max-connections-per-address, connect-rate, connect-burst, trust-proxy, forwarded,
 *  max-head, max-body, max-bodies. `per_address` and `connects` are defaults. */
/* clang-format off */
#define ZC_FRONT_OPTIONS(per_address, connects)                                                   \
    {"max-clients", 0, ZC_OPT_NUMBER, "100000", 0, 10000000, NULL, "N",                           \
     "streams and WebSockets of one process; further clients are told to come back; 0: as "       \
     "descriptors allow", true},                                                                  \
    {"cors-origin", 0, ZC_OPT_LIST, NULL, 1, 255, NULL, "ORIGIN",                                 \
     "origin whose pages may read the streams, or *; repeatable", true},                          \
    {"allow-publish", 0, ZC_OPT_BOOL, "no", 0, 0, NULL, NULL,                                                  \
     "clients may publish; which pages, allow-origin says", true},                                             \
    {"allow-origin", 0, ZC_OPT_LIST, NULL, 0, 0, NULL, "ORIGIN",                                               \
     "pages of this origin may connect, of * all; repeatable; those of the host that is asked "                  \
     "always may, and others may read where no origin is named and tokens = open",                                              \
     true},       \
    {"address-rate", 0, ZC_OPT_NUMBER, "1000", 0, 1000000, NULL, "N",                             \
     "messages a second of one address; 0: no limit", true},                                      \
    {"address-burst", 0, ZC_OPT_NUMBER, "2000", 1, 1000000, NULL, "N", "and how many at once",    \
     true},                                                                                       \
    {"max-connections-per-address", 0, ZC_OPT_NUMBER, per_address, 0, 1000000, NULL, "N",         \
     "connections of one address (IPv6: of a /64) to a process; 0: no limit", true},              \
    {"connect-rate", 0, ZC_OPT_NUMBER, connects, 0, 1000000, NULL, "N",                           \
     "streams and WebSockets that one address may open a second; 0: no limit", true},             \
    {"connect-burst", 0, ZC_OPT_NUMBER, "1000", 1, 1000000, NULL, "N", "and how many at once",    \
     true},                                                                                       \
    {"trust-proxy", 0, ZC_OPT_LIST, NULL, 1, 64, NULL, "WHO",                                     \
     "whose word on a client's address to take: local (loopback and Unix sockets; the default), " \
     "an address, a network such as 192.0.2.0/24, always or never; repeatable",                   \
     true},                                                                                       \
    {"forwarded", 0, ZC_OPT_CHOICE, "x-forwarded-for", 0, 0, "x-forwarded-for|forwarded",         \
     "FIELD", "the field in which they name it; of the other one a client may send anything",     \
     true},                                                                                       \
    {"metrics", 0, ZC_OPT_CHOICE, "local", 0, 0, "local|all|off", "WHO",                          \
     "who may read /metrics: clients on this machine, all, or nobody", true},                     \
    {"max-head", 0, ZC_OPT_SIZE, "32K", 256, 1 << 20, NULL, "SIZE",                               \
     "largest request head: the URL and the fields, with their cookies", true},                   \
    {"max-body", 0, ZC_OPT_SIZE, "4M", 1, 1 << 30, NULL, "SIZE",                                  \
     "largest request body; one message is at most max-payload", true},                           \
    {"max-bodies", 0, ZC_OPT_SIZE, "64M", 1, 1LL << 40, NULL, "SIZE",                             \
     "request bodies that are held at once; further ones are told to come back", true}
/* clang-format on */

/*  What a refusal is counted under, beside its status. */
typedef enum {
    ZC_LIMIT_CLIENTS,             /* max-clients, or descriptors */
    ZC_LIMIT_ADDRESS_CONNECTIONS, /* max-connections-per-address */
    ZC_LIMIT_ADDRESS_CONNECTS,    /* connect-rate */
    ZC_LIMIT_ADDRESS_MESSAGES,    /* address-rate */
    ZC_LIMIT_SUBJECT_CONNECTIONS, /* max-connections-per-subject */
    ZC_LIMIT_SUBJECT_CONNECTS,    /* subject-connect-rate */
    ZC_LIMIT_SUBJECT_MESSAGES,    /* subject-rate */
    ZC_LIMIT_CLIENT_MESSAGES,     /* rate, of one WebSocket */
    ZC_LIMIT_HEAD,                /* max-head: a URL, or all of a head */
    ZC_LIMIT_BODY,                /* max-body, max-payload, lines of a batch */
    ZC_LIMIT_BODIES,              /* max-bodies */
    ZC_LIMIT_TOPICS,              /* max-topics */
    ZC_LIMIT_COUNT
} zc_limit_t;

typedef struct {
    uint64_t requests;  /* begun */
    uint64_t errors;    /* answered with 400 to 499 */
    uint64_t refused;   /* told to come back, for want of room */
    uint64_t limited;   /* of an address or subject that asked too much: 429 */
    uint64_t published; /* messages that the broker has taken */
    uint64_t conflicts; /* messages refused with 409 */
    uint64_t proxies;   /* refused for what was said of a client's address, or wasn't */
    uint64_t limits[ZC_LIMIT_COUNT]; /* times that each was reached */
} zc_front_stats_t;

/*  What the doors share. */
struct zc_front {
    /*  Configuration. */
    zc_options_t *options; /* borrowed */
    zc_guard_t guard;
    zc_trust_t trust;
    bool allow_publish;
    bool open; /* nobody needs a token: so pages of other names must be kept off (DNS rebinding) */
    zc_rate_t messages, connects; /* of an address */
    unsigned max_per_address;
    size_t max_clients; /* 0: no limit */
    size_t max_topics, max_payload, max_body, max_bodies;
    const zc_door_t *fallback; /* of a path that no door has; NULL: that is refused with 404 */
    /*  State. */
    zc_worker_t *worker;       /* borrowed; NULL in tests */
    zc_addresses_t *addresses; /* owned */
    bool draining;             /* new streams are told to come back */
    size_t bodies;             /* bytes of bodies that are held */
    size_t clients;            /* streams and WebSockets; kept by the carriers */
    struct {
        const char *path; /* borrowed */
        const zc_door_t *door;
    } doors[16];
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

/*  The exchange's front, carrier, request and chunked are filled, all else is zero. Decides; calls
 *  the door, or answers. */
void zc_front_begin (zc_exchange_t *exchange);
/*  Pieces of the body, and that no more comes. A body that is longer or shorter than request.body
 *  is refused; where it has that length, its end need not be told. Passed over where
 *  zc_exchange_wants_body says no. */
void zc_exchange_body (zc_exchange_t *self, const void *bytes, size_t len);
void zc_exchange_end (zc_exchange_t *self);
/*  Whether the door has use for more of the body. */
bool zc_exchange_wants_body (const zc_exchange_t *self);
/*  Frees what the front and the door have; the request's client may be gone. */
void zc_exchange_clear (zc_exchange_t *self);
/*  Takes over that its address is counted, so that it lasts as long as a stream does: the caller
 *  calls zc_front_leave with exchange->address then. False: it isn't counted. */
bool zc_exchange_take_count (zc_exchange_t *self);
void zc_front_leave (zc_front_t *self, const char *address);
/*  A limit is reached: counts it, and returns the refusal. */
zc_denial_t zc_front_limit (zc_front_t *self, zc_limit_t limit);
/*  As zc_exchange_take, of an address whose count was taken over. */
zc_denial_t zc_front_take (zc_front_t *self, const char *address, double count);

/*  ---------------------------------------------------------------- for doors */

/*  Answers with a refusal, in the door's own way. */
void zc_exchange_refuse (zc_exchange_t *self, unsigned status, const char *code, const char *text);
void zc_exchange_refuse_by (zc_exchange_t *self, const zc_denial_t *refusal);
/*  Answers, with CORS. */
void zc_exchange_answer (zc_exchange_t *self, zc_response_t *response);
/*  Adds what every answer on a stream's path has. */
void zc_exchange_add_stream_fields (zc_exchange_t *self, zc_response_t *response);
/*  Whether the request may; status 0: yes. */
zc_denial_t zc_exchange_granted (zc_exchange_t *self, zc_action_t action, const zc_slice_t *topics,
                                 size_t count);
/*  Takes `count` messages off what its address and its subject may send a second; status 0: they
 * may.
 */
zc_denial_t zc_exchange_take (zc_exchange_t *self, double count);
/*  Whether an answer in JSON is wanted rather than in text. */
bool zc_exchange_wants_json (const zc_exchange_t *self);

/*  Adds its figures to a worker's report. */
void zc_front_stats (const zc_front_t *self, json_t *report);

#endif
