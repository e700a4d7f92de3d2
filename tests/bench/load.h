/*  load.h - the load generator: what its parts share.
 *
 *  Processes: a coordinator (load.c) that sleeps, reads accounts and prints; receivers
 *  (load_clients.c), each with its share of the clients on one epoll; and one publisher
 *  (load_publisher.c) that keeps to an absolute schedule whatever the system under test does. They
 *  meet in one shared memory map, zl_board_t. */
#ifndef ZL_LOAD_H
#define ZL_LOAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ZL_TOPICS_MAX 20000
#define ZL_RECEIVERS_MAX 8
#define ZL_HEAD 32 /* bytes of a payload that zl_stamp_write fills: the smallest payload */

/*  Latencies in microseconds: 64 buckets per power of two, so within 1.6 %. */
#define ZL_BUCKETS (64 * 32)
typedef struct {
    uint64_t count[ZL_BUCKETS];
    uint64_t total, sum, max;
} zl_histogram_t;

typedef enum { ZL_WS, ZL_SSE, ZL_FCGI, ZL_HTTP } zl_transport_t;

typedef struct {
    zl_transport_t transport;
    const char *connect; /* HOST:PORT or a Unix socket's path */
    const char *path;    /* %d: the client's number */
    const char *header;  /* added to every request; NULL: none */
    unsigned clients, window, receivers;
    double connect_rate; /* per second; 0: as fast as the window allows */
    const char *publish; /* zmq:ENDPOINT, push:ENDPOINT, http:HOST:PORT/PATH (%s: topic), ws:…,
                            raw:HOST:PORT */
    const char *body;    /* http, push: %s: the payload; NULL: the payload alone */
    const char *topic;   /* %d: the topic's number */
    unsigned topics;     /* client i is on topic i % topics */
    const char *shared;  /* a second topic that all clients are on; NULL: none */
    double rate, shared_rate, seconds;
    unsigned payload;  /* bytes */
    unsigned rcvbuf;   /* SO_RCVBUF of the clients; 0: the system's */
    const char *curve; /* zmq: the broker's public key, ours, and our secret one, in Z85 */
} zl_options_t;

/*  What the coordinator tells the receivers to do. */
enum { ZL_RUN, ZL_RESET, ZL_RECONNECT, ZL_QUIT };

typedef struct {
    _Atomic uint64_t received, wanted; /* messages had, and to be had by now */
    _Atomic unsigned open, failed, closed, current;
    _Atomic int64_t connected_at; /* when the last client of this receiver was open */
    _Atomic int64_t current_at;
    uint64_t bytes, repeats, disorder, missing, incomplete, pings, continued, gaps;
    zl_histogram_t latency, handshake;
} zl_receiver_t;

/*  One job for the publisher at a time. */
typedef struct {
    double rate, shared_rate, seconds;
    uint64_t seed;
} zl_job_t;

typedef struct {
    _Atomic int command;
    _Atomic unsigned job; /* counted up to start `work`; the publisher sets `done` to the same */
    _Atomic unsigned done;
    _Atomic bool ready, failed, stop;
    _Atomic int64_t from; /* what was due before is warm-up: its latency isn't counted */
    zl_job_t work;
    _Atomic uint64_t published, answered, refused, unsent, late_max_us, late_sum_us;
    _Atomic uint32_t sent[ZL_TOPICS_MAX + 1]; /* per topic; the last is the shared one */
    zl_receiver_t receiver[ZL_RECEIVERS_MAX];
} zl_board_t;

int64_t zl_now (void); /* CLOCK_MONOTONIC, ns: the same in all processes */
void zl_sleep_ms (unsigned ms);

/*  The head of a payload: topic number, sequence on that topic from 1, intended time. */
typedef struct {
    uint32_t topic, sequence;
    int64_t intended;
} zl_stamp_t;
void zl_stamp_write (char *payload, const zl_stamp_t *stamp);
bool zl_stamp_read (const char *bytes, size_t len, zl_stamp_t *stamp);

void zl_histogram_add (zl_histogram_t *self, int64_t ns);
void zl_histogram_merge (zl_histogram_t *self, const zl_histogram_t *other);
/*  Microseconds below which `share` (0..1) of the values lie. */
double zl_histogram_at (const zl_histogram_t *self, double share);

/*  Writes `pattern` with its %d or %s replaced by `value`. */
void zl_pattern (char *text, size_t size, const char *pattern, const char *value);

/*  A connected or connecting stream socket to HOST:PORT or a path; -1 with errno. */
int zl_connect (const char *address, bool nonblocking, unsigned rcvbuf);

int zl_receiver_run (const zl_options_t *options, zl_board_t *board, unsigned number);
int zl_publisher_run (const zl_options_t *options, zl_board_t *board);

/*  Accounts of the processes under test. */
typedef struct zl_group zl_group_t;
struct zl_group {
    const char *name;
    int pid[64]; /* the process named and its descendants */
    unsigned count;
};
/*  "NAME=PID[+PID…]"; descendants are found now. */
bool zl_group_parse (zl_group_t *self, char *text);
void zl_group_follow (zl_group_t *self);        /* adds descendants that have come since */
int64_t zl_group_cpu (const zl_group_t *self);  /* ns run so far, also by who has ended */
int64_t zl_group_pss (const zl_group_t *self);  /* bytes: private pages and shares of others */
int64_t zl_group_anon (const zl_group_t *self); /* bytes of it that are anonymous memory */
int64_t zl_group_rss (const zl_group_t *self);  /* bytes; cheap, for watching a peak */
int64_t zl_socket_memory (void);                /* bytes of TCP buffers, whole machine */
int64_t zl_machine_cpu (void);                  /* ns that all processors were busy */
int64_t zl_slab_memory (void);                  /* bytes of kernel objects, whole machine */

#endif
