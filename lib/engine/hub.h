/*  hub.h - topics, channels and their clients; order, repair and resume. No I/O: what it needs of
 *  the broker it asks of a zc_upstream_t, what it has for clients it leaves to the pump.
 *
 *  A channel is a set of topics in one encoding, and owns the feed its clients follow. A topic is
 *  known to be complete up to a position; a message whose prev is beyond that shows a hole, which
 *  is fetched while the channels of that topic hold back. */
#ifndef ZC_HUB_H
#define ZC_HUB_H

#include "lib/engine/ages.h"
#include "lib/engine/client.h"
#include "lib/engine/questions.h"
#include "lib/engine/rounds.h"
#include "lib/engine/settings.h"
#include "lib/wire/message.h"

typedef struct zc_hub zc_hub_t;

zc_hub_t *zc_hub_new (const zc_hub_config_t *config, const zc_upstream_t *upstream);
/*  The clients have left before. */
void zc_hub_destroy (zc_hub_t **self_p);
void zc_hub_configure (zc_hub_t *self, const zc_hub_config_t *config);

/*  Clients. `topics` are `count` (1..max_topics) valid topics, in any order; repeats are folded.
 *  `last_id` may be empty (from now on), "earliest", an id, or a publisher's own id; the first
 *  thing a client with one is sent is the verdict. Never fails: a client joins at once and is
 *  served as soon as the broker has answered. */
void zc_hub_join (zc_hub_t *self, zc_client_t *client, const zc_encoding_t *encoding,
                  const zc_slice_t *topics, size_t count, zc_slice_t last_id);
/*  After zc_hub_join: whether the first event, which tells the client what to come back with, is a
 *  moment away, since the broker was just asked for it. Then the transport leaves what it has for
 *  the client to go out with that event: who has seen the stream open can come back without missing
 *  anything. Where the event takes longer than a second, the rest goes out without it. */
bool zc_hub_opening (const zc_client_t *client);
/*  Changes the topics of a client that has joined, without missing or repeating anything. */
void zc_hub_move (zc_hub_t *self, zc_client_t *client, const zc_slice_t *topics, size_t count);
/*  What has gone out, or goes out before what is added to the client now, is complete up to here;
 *  ZC_ID_NONE where that isn't known yet. */
zc_id_t zc_hub_position (zc_client_t *client);
/*  Forgets the client; safe when it never joined. */
void zc_hub_leave (zc_hub_t *self, zc_client_t *client);
/*  The topics of a joined client (borrowed). */
size_t zc_hub_topics (const zc_client_t *client, const zc_slice_t **topics);

/*  Called by the link. `now_ms` is wall clock. */
void zc_hub_message (zc_hub_t *self, const zc_message_t *message);
void zc_hub_fetched_message (zc_hub_t *self, uint64_t token, const zc_message_t *message);
/*  `since` is what the broker understood, or unknown where it knows no such event id; complete
 *  after `floor` up to `head`; `remaining` messages follow on later pages. */
void zc_hub_fetched (zc_hub_t *self, uint64_t token, zc_id_t head, zc_id_t floor, zc_id_t since,
                     bool unknown, uint64_t remaining);
/*  `last`: one position for each topic asked for. `doubt`: the broker's line, and the position up
 * to which what clients bring may be of another one; an older broker tells neither. True where
 *  positions went back: what is still on its way live is to be thrown away. */
bool zc_hub_synced (zc_hub_t *self, uint64_t token, const zc_mark_t *doubt, zc_id_t head,
                    zc_id_t dropped, const zc_id_t *last, size_t count);
/*  Whether live messages may be handed over: not between connecting and the first answer, which
 *  tells whether positions still mean the same. */
bool zc_hub_listens (const zc_hub_t *self);
/*  No answer comes, or no more of it: it is asked again. Never called from within a zc_upstream_t's
 *  function. */
void zc_hub_failed (zc_hub_t *self, uint64_t token);
/*  The link lost the broker: what was asked is forgotten, and nothing is taken for complete until
 *  zc_hub_connected has reconciled every topic. */
void zc_hub_disconnected (zc_hub_t *self);
void zc_hub_connected (zc_hub_t *self);
/*  Whether the broker has not answered for so long that clients are told, and new ones had better
 * go elsewhere. */
void zc_hub_set_stale (zc_hub_t *self, bool stale);
bool zc_hub_stale (const zc_hub_t *self);
/*  How many pages of history may be under way at once. */
void zc_hub_allow_fetches (zc_hub_t *self, unsigned count);
/*  After a batch of the calls above: lets channels and clients go on that waited for them. */
void zc_hub_settle (zc_hub_t *self);
/*  Several times a second: heartbeats, lingering channels, retention, reconciling. */
void zc_hub_tick (zc_hub_t *self, uint64_t now_ms);

const zc_hub_stats_t *zc_hub_stats (zc_hub_t *self);
/*  Of the clients whose sockets would block, up to `max` with the greatest lag, worst first.
 * Returns how many. */
size_t zc_hub_slowest (zc_hub_t *self, zc_client_t **clients, size_t max);

/*  For the pump: who is to be sent something (borrowed). */
zc_rounds_t *zc_hub_rounds (zc_hub_t *self);
/*  What the next round sends. */
zc_ages_t *zc_hub_ages (zc_hub_t *self);
/*  More is held for clients than may be, and some of it can be sent: that comes before anything
 *  else, and zc_hub_settle after it. */
bool zc_hub_full (const zc_hub_t *self);
/*  A client that doesn't follow the feed yet has no private bytes left: it may get more. */
void zc_hub_client_drained (zc_hub_t *self, zc_client_t *client);

#endif
