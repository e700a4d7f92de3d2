/*  figures.h - every counter and gauge that the programs report. One row gives its name in the JSON
 *  of STATS and REPORT (which `zmq stat` reads), its name in /metrics, its kind, and its meaning.
 *  No I/O. */
#ifndef ZC_FIGURES_H
#define ZC_FIGURES_H

#include <jansson.h>
#include "lib/wire/ask.h"

typedef enum { ZC_COUNTER, ZC_GAUGE } zc_figure_kind_t;

/*  The unit of the number in the struct, and of the one in JSON. /metrics is in base units. */
typedef enum {
    ZC_ONE,
    ZC_MS, /* milliseconds; seconds in JSON */
    ZC_US, /* microseconds, in JSON too */
} zc_figure_unit_t;

typedef struct {
    const char *name;   /* in JSON; "a.b" is member b of object a */
    const char *metric; /* without "zcast_" and a counter's "_total"; NULL: not in /metrics */
    zc_figure_kind_t kind;
    zc_figure_unit_t unit;
    const char *help;
    size_t offset; /* of a uint64_t in the table's struct */
} zc_figure_t;

/*  A row: the struct's member, name, metric, kind, unit, help. */

/*  The broker. */
#define ZC_BROKER_FIGURES(X)                                                                    \
    X (uptime_ms, "uptime", "broker_uptime_seconds", ZC_GAUGE, ZC_MS,                           \
       "Time since the broker started.")                                                        \
    X (received, "received", "broker_received", ZC_COUNTER, ZC_ONE,                             \
       "Messages that publishers sent.")                                                        \
    X (published, "published", "broker_published", ZC_COUNTER, ZC_ONE,                          \
       "Messages that were ordered and delivered.")                                             \
    X (bytes, "bytes", "broker_payload_bytes", ZC_COUNTER, ZC_ONE, "Bytes of their payloads.")  \
    X (refused, "refused", "broker_refused", ZC_COUNTER, ZC_ONE,                                \
       "Messages on the publish endpoint that were malformed, in conflict or not allowed.")     \
    X (duplicates, "duplicates", "broker_duplicates", ZC_COUNTER, ZC_ONE,                       \
       "Messages that were published before.")                                                  \
    X (conflicts, "conflicts", "broker_conflicts", ZC_COUNTER, ZC_ONE,                          \
       "Messages whose id or key is another message's.")                                        \
    X (failed, "failed", "broker_failed", ZC_COUNTER, ZC_ONE,                                   \
       "Messages that history could not take.")                                                 \
    X (replayed, "replayed", "broker_replayed", ZC_COUNTER, ZC_ONE,                             \
       "Messages read from history for replays.")                                               \
    X (errors, "errors", "broker_errors", ZC_COUNTER, ZC_ONE,                                   \
       "Requests that were answered with an error.")                                            \
    X (ignored, "ignored", "broker_ignored", ZC_COUNTER, ZC_ONE,                                \
       "Messages of subscribers that were no subscription.")                                    \
    X (strangers, "strangers", "broker_strangers", ZC_COUNTER, ZC_ONE,                          \
       "Connections that ended before they had spoken ZeroMQ.")                                 \
    X (cut, "cut", "broker_cut", ZC_COUNTER, ZC_ONE,                                            \
       "Connections that were ended for sending more than they may.")                           \
    X (unauthorized, "unauthorized", "broker_unauthorized", ZC_COUNTER, ZC_ONE,                 \
       "Connections that were refused for their certificate.")                                  \
    X (unanswered, "unanswered", "broker_unanswered", ZC_COUNTER, ZC_ONE,                       \
       "Answers that nobody read.")                                                             \
    X (out_of_files, "out_of_files", "broker_out_of_files", ZC_COUNTER, ZC_ONE,                 \
       "Times that descriptors ran out.")                                                       \
    X (dropped, "dropped.count", "broker_full_queues", ZC_COUNTER, ZC_ONE,                      \
       "Times that a slow subscriber's queue became full; not the messages lost to it.")        \
    X (subscriptions, "subscriptions", "broker_subscriptions", ZC_GAUGE, ZC_ONE,                \
       "Subscriptions of all subscribers.")                                                     \
    X (topics, "topics", "broker_topics", ZC_GAUGE, ZC_ONE, "Topics that the broker knows.")    \
    X (replays, "jobs", "broker_replays", ZC_GAUGE, ZC_ONE, "Replays under way.")               \
    X (barriers, "syncs", "broker_barriers", ZC_GAUGE, ZC_ONE,                                  \
       "SYNCs that wait for their subscription.")                                               \
    X (unread, "unread", "broker_unread", ZC_GAUGE, ZC_ONE, "Answers that wait to be read.")    \
    X (remembered, "remembered", "broker_remembered", ZC_GAUGE, ZC_ONE,                         \
       "Ids and keys that are known for repeats.")                                              \
    X (max_payload, "max_payload", NULL, ZC_GAUGE, ZC_ONE, "Bytes that a payload may have.")    \
    X (history_messages, "history.messages", "broker_history_messages", ZC_GAUGE, ZC_ONE,       \
       "Messages in history.")                                                                  \
    X (history_bytes, "history.bytes", "broker_history_bytes", ZC_GAUGE, ZC_ONE,                \
       "Bytes of history.")                                                                     \
    X (history_trimmed, "history.trimmed", "broker_history_trimmed", ZC_COUNTER, ZC_ONE,        \
       "Messages that history let go of by its limits.")                                        \
    X (history_lost, "history.lost", "broker_history_lost", ZC_COUNTER, ZC_ONE,                 \
       "Messages that were delivered and never kept.")                                          \
    X (history_commits, "history.commits", "broker_history_commits", ZC_COUNTER, ZC_ONE,        \
       "Commits of history on disk.")                                                           \
    X (history_syncs, "history.syncs", "broker_history_syncs", ZC_COUNTER, ZC_ONE,              \
       "Times that history on disk was synced.")                                                \
    X (subscribers, "subscribers.connections", "broker_subscribers", ZC_GAUGE, ZC_ONE,          \
       "Subscribers that are connected.")                                                       \
    X (subscribers_behind, "subscribers.behind", "broker_subscribers_behind", ZC_GAUGE, ZC_ONE, \
       "Subscribers that take nothing now.")                                                    \
    X (subscribers_bytes, "subscribers.bytes", "broker_subscribers_bytes", ZC_GAUGE, ZC_ONE,    \
       "Bytes that may wait for the subscriber with the most.")                                 \
    X (subscribers_disconnected, "subscribers.disconnected", "broker_subscribers_disconnected", \
       ZC_COUNTER, ZC_ONE, "Subscribers that were disconnected for what waited.")

/*  Workers that serve clients: zcast-fcgi and zcast-ws. */
#define ZC_WORKER_FIGURES(X)                                                                       \
    X (clients, "clients", "clients", ZC_GAUGE, ZC_ONE, "Clients that are connected.")             \
    X (clients_total, "clients_total", "clients_joined", ZC_COUNTER, ZC_ONE,                       \
       "Clients that have joined.")                                                                \
    X (topics, "topics", "topics", ZC_GAUGE, ZC_ONE, "Topics that some client follows.")           \
    X (selectors, "selectors", "selectors", ZC_GAUGE, ZC_ONE, "Selectors that some client has.")   \
    X (channels, "channels", "channels", ZC_GAUGE, ZC_ONE,                                         \
       "Sets of topics that some client follows.")                                                 \
    X (received, "received", "received", ZC_COUNTER, ZC_ONE,                                       \
       "Messages that came from the broker.")                                                      \
    X (delivered, "delivered", "delivered", ZC_COUNTER, ZC_ONE,                                    \
       "Messages times the clients that they are for.")                                            \
    X (duplicates, "duplicates", "duplicates", ZC_COUNTER, ZC_ONE, "Messages that came again.")    \
    X (unmatched, "unmatched", "unmatched", ZC_COUNTER, ZC_ONE,                                    \
       "Messages of topics that no client follows.")                                               \
    X (late, "late", "late", ZC_COUNTER, ZC_ONE,                                                   \
       "Messages that came after their place in a channel's order.")                               \
    X (holes, "holes", "holes", ZC_COUNTER, ZC_ONE,                                                \
       "Losses on the way from the broker that were seen.")                                        \
    X (repaired, "repaired", "repaired", ZC_COUNTER, ZC_ONE,                                       \
       "Messages fetched from history to mend them.")                                              \
    X (gaps, "gaps", "gaps", ZC_COUNTER, ZC_ONE, "Gaps that clients were told of.")                \
    X (fetches, "fetches", "fetches", ZC_COUNTER, ZC_ONE, "Pages of history that were asked for.") \
    X (syncs, "syncs", "syncs", ZC_COUNTER, ZC_ONE,                                                \
       "Times that the broker was asked for positions.")                                           \
    X (lists, "lists", "lists", ZC_COUNTER, ZC_ONE,                                                \
       "Times that the broker was asked for lists of topics.")                                     \
    X (reconnects, "reconnects", "reconnects", ZC_COUNTER, ZC_ONE,                                 \
       "Connections to the broker that were made.")                                                \
    X (resumed_feed, "resumed_feed", "resumed_from_feed", ZC_COUNTER, ZC_ONE,                      \
       "Clients that resumed within the feed.")                                                    \
    X (resumed_broker, "resumed_broker", "resumed_from_history", ZC_COUNTER, ZC_ONE,               \
       "Clients that resumed from history.")                                                       \
    X (slow_dropped, "slow_dropped", "slow_dropped", ZC_COUNTER, ZC_ONE,                           \
       "Slow clients that were disconnected.")                                                     \
    X (slow_skipped, "slow_skipped", "slow_skipped", ZC_COUNTER, ZC_ONE,                           \
       "Slow clients that were led to the newest.")                                                \
    X (withheld, "withheld", "withheld", ZC_COUNTER, ZC_ONE,                                       \
       "Messages that a channel's clients may not see, once for each channel.")                    \
    X (held_dropped, "held_dropped", "held_dropped", ZC_COUNTER, ZC_ONE,                           \
       "Clients that were disconnected since too much was held for all.")                          \
    X (feed_bytes, "feed_bytes", "feed_bytes", ZC_GAUGE, ZC_ONE, "Memory of the feeds.")           \
    X (held_bytes, "held_bytes", "held_bytes", ZC_GAUGE, ZC_ONE,                                   \
       "Memory of all that is held for clients.")                                                  \
    X (rounds, "rounds", "rounds", ZC_COUNTER, ZC_ONE, "Rounds of sends.")                         \
    X (sends, "sends", "sends", ZC_COUNTER, ZC_ONE, "Sends to clients.")                           \
    X (batches, "batches", "batches", ZC_COUNTER, ZC_ONE,                                          \
       "System calls that did many of the sends.")                                                 \
    X (blocked, "blocked", "blocked", ZC_COUNTER, ZC_ONE,                                          \
       "Sends that a client's full socket held up.")                                               \
    X (bytes, "bytes", "sent_bytes", ZC_COUNTER, ZC_ONE, "Bytes sent to clients.")                 \
    X (interval_us, "interval_us", "flush_interval_seconds", ZC_GAUGE, ZC_US,                      \
       "Time between two rounds of sends.")                                                        \
    X (synced_ms, "synced", "synced_seconds", ZC_GAUGE, ZC_MS,                                     \
       "Time since the broker last answered for positions.")                                       \
    X (malformed, "malformed", "malformed", ZC_COUNTER, ZC_ONE,                                    \
       "Messages from the broker that made no sense.")

/*  A worker's requests by HTTP or FastCGI. */
#define ZC_FRONT_FIGURES(X)                                                      \
    X (requests, "http.requests", "http_requests", ZC_COUNTER, ZC_ONE,           \
       "Requests that were begun.")                                              \
    X (errors, "http.errors", "http_errors", ZC_COUNTER, ZC_ONE,                 \
       "Requests answered with 400 to 499.")                                     \
    X (refused, "http.refused", "http_refused", ZC_COUNTER, ZC_ONE,              \
       "Requests told to come back, for want of room.")                          \
    X (limited, "http.limited", "http_limited", ZC_COUNTER, ZC_ONE,              \
       "Requests over the limit of who asked.")                                  \
    X (published, "http.published", "http_published", ZC_COUNTER, ZC_ONE,        \
       "Messages published over HTTP.")                                          \
    X (conflicts, "http.conflicts", "http_conflicts", ZC_COUNTER, ZC_ONE,        \
       "Publishes refused as conflicts.")                                        \
    X (untraced, "http.untraced", "http_untraced", ZC_COUNTER, ZC_ONE,           \
       "Publishes whose traceparent was malformed, and ignored.")                \
    X (proxies, "http.proxies", "http_proxies_refused", ZC_COUNTER, ZC_ONE,      \
       "Requests refused for what was said of the client's address, or wasn't.") \
    X (bodies, "http.bodies", "http_bodies_bytes", ZC_GAUGE, ZC_ONE,             \
       "Bytes that are held of bodies of requests.")                             \
    X (clients, "http.clients", "http_clients", ZC_GAUGE, ZC_ONE,                \
       "Clients that count for the limit of all.")                               \
    X (addresses, "http.addresses", "http_addresses", ZC_GAUGE, ZC_ONE,          \
       "Addresses of clients that are known.")

/*  zcast-ws. */
#define ZC_WS_FIGURES(X)                                                                          \
    X (accepted, "ws.accepted", "ws_accepted", ZC_COUNTER, ZC_ONE,                                \
       "Connections that were accepted.")                                                         \
    X (opened, "ws.opened", "ws_opened", ZC_COUNTER, ZC_ONE, "WebSockets that were opened.")      \
    X (refused, "ws.refused", "ws_refused", ZC_COUNTER, ZC_ONE,                                   \
       "Requests answered with 400 and above, and messages of clients that were refused.")        \
    X (messages, "ws.messages", "ws_messages", ZC_COUNTER, ZC_ONE, "Messages that clients sent.") \
    X (published, "ws.published", "ws_published", ZC_COUNTER, ZC_ONE,                             \
       "Messages published over WebSocket.")                                                      \
    X (violations, "ws.violations", "ws_violations", ZC_COUNTER, ZC_ONE,                          \
       "WebSockets closed for breaking the protocol.")                                            \
    X (limited, "ws.limited", "ws_limited", ZC_COUNTER, ZC_ONE,                                   \
       "Requests refused with 429, and WebSockets closed for sending too much.")                  \
    X (silent, "ws.silent", "ws_silent", ZC_COUNTER, ZC_ONE,                                      \
       "WebSockets closed for giving no sign of life.")                                           \
    X (slow, "ws.slow", "ws_slow", ZC_COUNTER, ZC_ONE,                                            \
       "Connections dropped since they took too little of what they were sent.")                  \
    X (out_of_files, "ws.out_of_files", "ws_out_of_files", ZC_COUNTER, ZC_ONE,                    \
       "Times that descriptors ran out.")                                                         \
    X (sessions, "ws.sessions", "ws_sessions", ZC_GAUGE, ZC_ONE, "Connections that are open.")    \
    X (streams, "ws.streams", "ws_streams", ZC_COUNTER, ZC_ONE,                                   \
       "Streams of events that were begun.")                                                      \
    X (deflate, "ws.deflate", "ws_deflate", ZC_COUNTER, ZC_ONE,                                   \
       "WebSockets that were opened with permessage-deflate.")                                    \
    X (addresses, "ws.addresses", NULL, ZC_GAUGE, ZC_ONE, "Addresses of clients that are known.")

/*  zcast-fcgi. */
#define ZC_FCGI_FIGURES(X)                                                       \
    X (connections, "connections", "fcgi_connections", ZC_COUNTER, ZC_ONE,       \
       "Connections of web servers that were accepted.")                         \
    X (requests, "requests", NULL, ZC_COUNTER, ZC_ONE, "As http.requests.")      \
    X (errors, "errors", NULL, ZC_COUNTER, ZC_ONE, "As http.errors.")            \
    X (refused, "refused", NULL, ZC_COUNTER, ZC_ONE, "As http.refused.")         \
    X (malformed, "malformed_requests", "fcgi_malformed", ZC_COUNTER, ZC_ONE,    \
       "Connections closed for what they sent.")                                 \
    X (timeouts, "timeouts", "fcgi_timeouts", ZC_COUNTER, ZC_ONE,                \
       "Connections closed since a request stayed incomplete.")                  \
    X (accept_pauses, "accept_pauses", "fcgi_accept_pauses", ZC_COUNTER, ZC_ONE, \
       "Times that no connection could be accepted.")                            \
    X (strangers, "strangers", "fcgi_strangers", ZC_COUNTER, ZC_ONE,             \
       "Connections of peers that allow-peer doesn't name.")

/*  zcast-redis. */
#define ZC_BRIDGE_FIGURES(X)                                                                      \
    X (subscriptions, "subscriptions", "redis_subscriptions_wanted", ZC_GAUGE, ZC_ONE,            \
       "Subscriptions that are wanted at Redis.")                                                 \
    X (subscribed, "subscribed", "redis_subscriptions", ZC_GAUGE, ZC_ONE,                         \
       "Subscriptions that Redis has confirmed.")                                                 \
    X (received, "received", "redis_received", ZC_COUNTER, ZC_ONE,                                \
       "Messages that came from Redis.")                                                          \
    X (invalid, "invalid", "redis_invalid", ZC_COUNTER, ZC_ONE,                                   \
       "Messages from Redis that were of no use.")                                                \
    X (echoes, "echoes", "redis_echoes", ZC_COUNTER, ZC_ONE,                                      \
       "Messages from Redis that were the bridge's own.")                                         \
    X (forbidden, "forbidden", "redis_forbidden", ZC_COUNTER, ZC_ONE,                             \
       "Times that Redis refused a subscription.")                                                \
    X (redis_gaps, "redis_gaps", "redis_gaps", ZC_COUNTER, ZC_ONE,                                \
       "Times that subscriptions were lost, and what was published meanwhile.")                   \
    X (published, "published", "redis_published", ZC_COUNTER, ZC_ONE,                             \
       "Messages from Redis that the broker has taken.")                                          \
    X (refused, "refused", "redis_refused", ZC_COUNTER, ZC_ONE,                                   \
       "Messages from Redis that the broker has refused.")                                        \
    X (dropped, "dropped", "redis_dropped", ZC_COUNTER, ZC_ONE,                                   \
       "Messages from Redis that the full queue has lost.")                                       \
    X (repeated, "repeated", "redis_repeated", ZC_COUNTER, ZC_ONE,                                \
       "Messages sent to the broker again.")                                                      \
    X (waiting, "waiting", "redis_waiting", ZC_GAUGE, ZC_ONE,                                     \
       "Messages that wait for the broker.")                                                      \
    X (waiting_bytes, "waiting_bytes", "redis_waiting_bytes", ZC_GAUGE, ZC_ONE,                   \
       "Bytes that wait for the broker.")                                                         \
    X (broker_losses, "broker_losses", "redis_broker_losses", ZC_COUNTER, ZC_ONE,                 \
       "Connections to the broker that broke.")                                                   \
    X (streams, "streams", "redis_streams_wanted", ZC_GAUGE, ZC_ONE,                              \
       "Streams that are to be read.")                                                            \
    X (streams_read, "streams_read", "redis_streams", ZC_GAUGE, ZC_ONE, "Streams that are read.") \
    X (entries, "entries", "redis_entries", ZC_COUNTER, ZC_ONE,                                   \
       "Entries of Streams that were read.")                                                      \
    X (entries_missed, "entries_missed", "redis_entries_missed", ZC_COUNTER, ZC_ONE,              \
       "Entries of Streams that were removed before they were read.")                             \
    X (unkept, "unkept", "redis_unkept", ZC_COUNTER, ZC_ONE,                                      \
       "Times that Redis has not kept the place in a Stream.")

/*  zcast-redis, if it relays to Redis. */
#define ZC_RELAY_FIGURES(X)                                                                       \
    X (relayed, "relayed", "redis_relayed", ZC_COUNTER, ZC_ONE, "Messages that Redis has taken.") \
    X (skipped, "relay_skipped", "redis_relay_skipped", ZC_COUNTER, ZC_ONE,                       \
       "Messages that came from Redis, and don't go back.")                                       \
    X (refused, "relay_refused", "redis_relay_refused", ZC_COUNTER, ZC_ONE,                       \
       "Messages that Redis has refused for good.")                                               \
    X (gaps, "relay_gaps", "redis_relay_gaps", ZC_COUNTER, ZC_ONE,                                \
       "Gaps on the way from the broker to Redis.")                                               \
    X (waiting, "relay_waiting", "redis_relay_waiting", ZC_GAUGE, ZC_ONE,                         \
       "Messages that wait for Redis.")                                                           \
    X (held, "relay_held", "redis_relay_held", ZC_GAUGE, ZC_ONE,                                  \
       "Messages that wait for a channel that is forbidden.")                                     \
    X (forbidden, "relay_forbidden", "redis_relay_forbidden", ZC_COUNTER, ZC_ONE,                 \
       "Times that Redis has forbidden a channel.")                                               \
    X (unkept, "relay_unkept", "redis_relay_unkept", ZC_COUNTER, ZC_ONE,                          \
       "Times that Redis has not kept the position.")

#define ZC_FIGURE_MEMBER(member, name, metric, kind, unit, help) uint64_t member;

typedef struct {
    ZC_BROKER_FIGURES (ZC_FIGURE_MEMBER)
    uint64_t requests[ZC_VERBS]; /* by verb; in no table */
} zc_broker_figures_t;

typedef struct {
    ZC_WORKER_FIGURES (ZC_FIGURE_MEMBER)
} zc_worker_figures_t;

typedef struct {
    ZC_FRONT_FIGURES (ZC_FIGURE_MEMBER)
} zc_front_figures_t;

typedef struct {
    ZC_WS_FIGURES (ZC_FIGURE_MEMBER)
} zc_ws_figures_t;

typedef struct {
    ZC_FCGI_FIGURES (ZC_FIGURE_MEMBER)
} zc_fcgi_figures_t;

typedef struct {
    ZC_BRIDGE_FIGURES (ZC_FIGURE_MEMBER)
} zc_bridge_figures_t;

typedef struct {
    ZC_RELAY_FIGURES (ZC_FIGURE_MEMBER)
} zc_relay_figures_t;

/*  A row whose name is NULL ends each table. */
extern const zc_figure_t zc_broker_figures[];
extern const zc_figure_t zc_worker_figures[];
extern const zc_figure_t zc_front_figures[];
extern const zc_figure_t zc_ws_figures[];
extern const zc_figure_t zc_fcgi_figures[];
extern const zc_figure_t zc_bridge_figures[];
extern const zc_figure_t zc_relay_figures[];

/*  Sets the members of a JSON object that the table names. The object's other members stay. */
void zc_figures_write (const zc_figure_t *table, const void *figures, json_t *to);
/*  Reads the members that the table names. A member that is missing or is no number gives 0. */
void zc_figures_read (const zc_figure_t *table, void *figures, const json_t *from);
/*  Reads one figure from a JSON object, in base units. False if the object doesn't have it. */
bool zc_figure_value (const zc_figure_t *figure, const json_t *from, double *value);

#endif
