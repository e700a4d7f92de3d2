/*  hub_private.h - what hub.c, channel.c and join.c share, and nobody else sees.
 *
 *  hub.c      topics, order and repair, the questions to the broker
 *  channel.c  sets of topics, their feed, and holding back while a topic is being repaired
 *  join.c     clients that don't follow the feed yet: resume, move, skip */
#ifndef ZC_HUB_PRIVATE_H
#define ZC_HUB_PRIVATE_H

#include "lib/engine/hub.h"
#include "lib/base/table.h"

/*  A vector of pointers whose order doesn't matter. */
typedef struct {
    void **items; /* owned; what it points at is borrowed */
    size_t count, cap;
} zc_vector_t;
void zc_vector_add (zc_vector_t *self, void *item);
/*  Removes the item where it is there; the last one takes its place. */
void zc_vector_drop (zc_vector_t *self, const void *item);
void zc_vector_clear (zc_vector_t *self);

typedef enum {
    ZC_TOPIC_NEW,    /* subscribed; the broker hasn't confirmed it yet */
    ZC_TOPIC_LIVE,   /* complete up to `complete`, and growing */
    ZC_TOPIC_REPAIR, /* a hole after `complete` is being fetched */
} zc_topic_state_t;

typedef struct {
    zc_slice_t name; /* key; owned */
    zc_topic_state_t state;
    zc_id_t complete;     /* everything up to here has been handed to the channels */
    zc_id_t verified;     /* the broker said that nothing follows `complete` up to here */
    zc_id_t need;         /* NEW, REPAIR: history must reach this far before the topic is LIVE */
    zc_id_t seen;         /* NEW, REPAIR: newest live message held back */
    zc_id_t handed;       /* REPAIR: of the page under way, the channels have had up to here */
    bool asked;           /* a sync with this topic is wanted or under way */
    bool keeps_latest;    /* some channel has policy `latest` */
    uint64_t fetch;       /* token of the repair under way, or 0 */
    zc_message_t *latest; /* newest message; kept for policy `latest` only */
    zc_vector_t channels; /* of zc_channel_t: those that have this topic */
} zc_topic_t;

typedef enum {
    ZC_CHANNEL_NEW,      /* some topic isn't confirmed yet; there is no feed */
    ZC_CHANNEL_BACKFILL, /* fetching what its first clients missed */
    ZC_CHANNEL_LIVE,
} zc_channel_state_t;

struct zc_channel {
    zc_slice_t key; /* encoding and topics; owned */
    zc_hub_t *hub;
    const zc_encoding_t *encoding;
    zc_channel_state_t state;
    zc_slow_t policy;
    zc_topic_t **topics; /* owned array; borrowed topics, sorted by name */
    zc_slice_t *names;   /* owned array; borrowed from topics */
    size_t topic_count;
    zc_feed_t *feed;        /* owned; NULL until LIVE */
    zc_id_t start;          /* until LIVE: everything after this is in pending or will come */
    unsigned holds;         /* topics that are not LIVE */
    zc_vector_t clients;    /* of zc_client_t, in slots */
    zc_vector_t joins;      /* of zc_join_t */
    zc_message_t **pending; /* owned: held back */
    size_t pending_count, pending_cap, pending_bytes;
    bool unsorted;    /* pending isn't in the order of ids */
    zc_vector_t gaps; /* of zc_gap_t, owned: stated when the feed gets there */
    uint64_t fetch;   /* token of a backfill, or 0 */
    zc_id_t backfill_since;
    zc_buf_t topic_list; /* names with LF between them, for fetch */
    uint64_t touched_ms; /* when bytes were last appended */
    uint64_t empty_ms;   /* when its last client left; 0: it has some */
    size_t flush_left;   /* clients [0, flush_left) are still to be flushed in this round */
    bool dirty;          /* in the hub's list for the next round */
    bool flushing;       /* in the hub's list of this round */
    bool unsettled;      /* in the hub's list of channels to release */
};

typedef struct {
    zc_id_t since, from;
    zc_topic_t *topic;
} zc_gap_t;

typedef enum {
    ZC_JOIN_RESUME, /* after `at` (or the own id in `since`), by feed or by pages of history */
    ZC_JOIN_SKIP,   /* fell behind at `at`: goes to the newest when it can be sent something */
} zc_join_kind_t;

struct zc_join {
    zc_join_kind_t kind;
    zc_client_t *client;
    char *since; /* owned: the last id as it came; NULL for a move or a skip */
    size_t since_len;
    zc_id_t at;     /* complete up to here */
    uint64_t mark;  /* the feed's head when the client was last given something */
    bool known;     /* `at` means something; false for an own id not yet looked up */
    bool earliest;  /* asked for all there is */
    bool fresh;     /* came before there ever was a broker: can't have missed anything */
    bool guess;     /* `at` is by the clock, and may be ahead of the broker */
    bool verdict;   /* still owed */
    bool checked;   /* the broker knows positions up to `at` */
    uint64_t fetch; /* token of the page under way, or 0 */
    zc_buf_t page;  /* encoded messages of that page */
    uint64_t page_count;
};

/*  All but SYNC are a FETCH, and sent in this order: what holds live messages back goes first. */
typedef enum { ZC_ASK_SYNC, ZC_ASK_REPAIR, ZC_ASK_BACKFILL, ZC_ASK_PAGE } zc_ask_kind_t;
#define ZC_ASK_KINDS (ZC_ASK_PAGE + 1)

typedef struct zc_ask zc_ask_t;
struct zc_ask {
    zc_slice_t key; /* the bytes of its token */
    uint64_t token;
    zc_ask_kind_t kind;
    void *about;            /* FETCH: topic, channel or join */
    zc_vector_t topics;     /* SYNC: those asked for, in order; NULL where one is gone */
    zc_id_t head;           /* SYNC: newest position heard of until it was asked */
    zc_buf_t since;         /* FETCH: where it begins */
    zc_slice_t names;       /* FETCH: of which topics; borrowed from what it is about */
    zc_ask_t *next, **from; /* in its line, while it waits to be sent; from NULL: it doesn't */
};

/*  First come, first served. */
typedef struct {
    zc_ask_t *first, **end;
} zc_line_t;

typedef struct {
    const zc_encoding_t *encoding;
    zc_buf_t bytes;
    zc_id_t id; /* of the message in bytes */
} zc_encoded_t;

#define ZC_ENCODINGS_MAX 8

struct zc_hub {
    zc_hub_config_t config;
    zc_upstream_t upstream;
    zc_table_t topics;    /* owns zc_topic_t */
    zc_table_t channels;  /* owns zc_channel_t */
    zc_vector_t dirty;    /* of zc_channel_t: have bytes that not all clients have had */
    zc_vector_t flushing; /* of zc_channel_t: being flushed; NULL where one is gone */
    zc_table_t asks;      /* owns zc_ask_t: questions that wait for their answer, or to be sent */
    zc_line_t lines[ZC_ASK_KINDS]; /* those that wait to be sent */
    size_t fetching;               /* how many of the others are a FETCH */
    zc_vector_t sync_wanted;       /* of zc_topic_t */
    zc_vector_t unsettled;         /* of zc_channel_t: to be looked at by zc_hub_settle */
    uint64_t next_token;
    bool connected;
    bool suspect;          /* something may be lost: channels of several topics hold back */
    bool reconcile;        /* ask about every topic with the next sync */
    size_t syncing;        /* syncs under way */
    bool reconciling;      /* they ask about every topic */
    zc_id_t round_dropped; /* least `dropped` of their answers */
    zc_id_t head;          /* newest position heard of */
    zc_id_t received;      /* the last message that came live */
    zc_id_t dropped;       /* reconciled up to this drop of the broker's */
    zc_id_t last;          /* newest position of a topic in the answers to a round */
    zc_id_t proof;         /* comes live next, or the queue was full still when we reconciled */
    uint64_t now_ms;       /* of the last tick, wall clock */
    uint64_t position_ms;  /* when the broker's head was last asked for */
    uint64_t idle_ms;      /* when quiet topics were last asked about */
    zc_id_t idle_head;     /* and the head then */
    zc_encoded_t encoded[ZC_ENCODINGS_MAX];
    zc_hub_stats_t stats;
    zc_vector_t ready; /* of zc_client_t: got private bytes outside of a call of theirs */
};

/*  hub.c */
zc_topic_t *zc_hub_topic (zc_hub_t *self, zc_slice_t name);
void zc_hub_topic_release (zc_hub_t *self, zc_topic_t *topic, zc_channel_t *channel);
/*  Sent by zc_hub_settle, in its turn. `topics` lives as long as what it is about, or until it is
 *  forgotten. */
uint64_t zc_hub_ask_fetch (zc_hub_t *self, zc_ask_kind_t kind, void *about, zc_slice_t since,
                           zc_slice_t topics);
void zc_hub_forget_ask (zc_hub_t *self, uint64_t token);
void zc_hub_want_sync (zc_hub_t *self, zc_topic_t *topic);
void zc_hub_send_sync (zc_hub_t *self);
/*  The message's bytes in an encoding; made once for all channels. Borrowed until the next call. */
const zc_buf_t *zc_hub_encode (zc_hub_t *self, const zc_encoding_t *encoding,
                               const zc_message_t *message);
void zc_hub_ready (zc_hub_t *self, zc_client_t *client);
/*  The topic can't go on from here without history up to `need`. */
void zc_hub_topic_repair (zc_hub_t *self, zc_topic_t *topic, zc_id_t need);

/*  Applies the policy to a client that lags too far. It may be gone afterwards. */
void zc_hub_check_lag (zc_hub_t *self, zc_client_t *client);

/*  channel.c */
zc_channel_t *zc_channel_get (zc_hub_t *hub, const zc_encoding_t *encoding,
                              const zc_slice_t *topics, size_t count);
void zc_channel_destroy (zc_channel_t **self_p);
/*  Takes over what the hub's configuration says about its topics. */
void zc_channel_configure (zc_channel_t *self);
/*  Its topics begin anew: so does its feed. Its clients come to that from `future`, a position that
 *  the broker hasn't given yet. */
void zc_channel_begin_anew (zc_channel_t *self, zc_id_t future);
/*  A live message of one of its topics: to the feed, or held back. False where there is no more
 *  room to hold it back: the topic must be repaired later. */
bool zc_channel_message (zc_channel_t *self, const zc_message_t *message);
/*  Holds a message back whatever the room. */
void zc_channel_hold (zc_channel_t *self, const zc_message_t *message);
/*  Whether a page of this topic's repair can be held back, or released at once. */
bool zc_channel_takes_page (const zc_channel_t *self, const zc_topic_t *topic);
void zc_channel_gap (zc_channel_t *self, zc_topic_t *topic, zc_id_t since, zc_id_t from);
/*  Something changed that may let held messages or joins go on; done by zc_hub_settle. */
void zc_channel_unsettle (zc_channel_t *self);
void zc_channel_settle (zc_channel_t *self);
/*  Takes what verified positions allow: moves the feed's last id on without bytes. */
void zc_channel_advance (zc_channel_t *self);
void zc_channel_backfilled (zc_channel_t *self, zc_id_t floor, uint64_t remaining);
void zc_channel_add (zc_channel_t *self, zc_client_t *client);
void zc_channel_remove (zc_channel_t *self, zc_client_t *client);
/*  Puts bytes that are no message into the feed. */
void zc_channel_heartbeat (zc_channel_t *self);
/*  Tells a client that came without an id where it is: it can come back to that before it has had
 *  any message. */
void zc_channel_greet (zc_channel_t *self, zc_client_t *client, zc_id_t position);
/*  Whether its feed says what a publisher's own id means. Topics may share one, and then it is the
 *  earliest of them, which a feed of several can't know: it may lie before the feed. */
bool zc_channel_finds_own_ids (const zc_channel_t *self);
void zc_channel_mark_dirty (zc_channel_t *self);
/*  Applies the slow policy to every client beyond max_lag, then lets old bytes go. */
void zc_channel_trim (zc_channel_t *self, zc_id_t oldest);

/*  join.c */
zc_join_t *zc_join_new (zc_client_t *client, zc_join_kind_t kind);
/*  Its client has another channel now. */
void zc_join_enter (zc_join_t *self);
void zc_join_destroy (zc_join_t **self_p);
/*  Makes private what a client that follows the feed hasn't had of it. Returns where that ends. */
zc_id_t zc_join_take_rest (zc_client_t *client);
/*  Where it stands means nothing to the broker any more: at `future`, it is told of a gap. */
void zc_join_begin_anew (zc_join_t *self, zc_id_t future);
/*  Goes on as far as possible; destroys the join when the client follows the feed. */
void zc_join_try (zc_join_t *self);
void zc_join_page_message (zc_join_t *self, const zc_message_t *message);
void zc_join_page_end (zc_join_t *self, zc_id_t head, zc_id_t floor, zc_id_t since, bool unknown,
                       uint64_t remaining);
/*  Forgets the page under way, of which no more will come. */
void zc_join_reset (zc_join_t *self);
/*  What was appended to the feed while the client didn't take what it was given last; 0 while it
 *  waits for the broker. */
size_t zc_join_lag (const zc_join_t *self);
/*  A slow client jumps to the newest as soon as it takes bytes again. */
void zc_join_skip (zc_client_t *client);

#endif
