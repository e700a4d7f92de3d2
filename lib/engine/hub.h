/*  hub.h - topics, channels and their clients; order, repair and resume. The hub does no I/O: it
 *  asks the broker through a zc_upstream_t, and leaves sending to the pump.
 *
 *  A channel is a set of topics in one encoding, and owns the feed that its clients follow. A topic
 *  is known to be complete up to a position. A message whose prev is beyond that position shows a
 *  hole. The hub fetches the missing messages, and meanwhile the channels of that topic hold their
 *  messages back. */
#ifndef ZC_HUB_H
#define ZC_HUB_H

#include "lib/access/grants.h"
#include "lib/base/table.h"
#include "lib/engine/ages.h"
#include "lib/engine/client.h"
#include "lib/engine/incidents.h"
#include "lib/engine/questions.h"
#include "lib/engine/rounds.h"
#include "lib/engine/settings.h"
#include "lib/wire/message.h"

typedef struct zc_hub zc_hub_t;

zc_hub_t *zc_hub_new (const zc_hub_config_t *config, const zc_upstream_t *upstream);
/*  All clients must have left before. */
void zc_hub_destroy (zc_hub_t **self_p);
void zc_hub_configure (zc_hub_t *self, const zc_hub_config_t *config);
/*  Says which topics aren't for everyone: clients with selectors see the messages on them only if
 *  their grants cover them. */
void zc_hub_restrict (zc_hub_t *self, zc_restricts_fn restricts, void *arg);

/*  Clients.
 *
 *  The client joins. `topics` are `count` (1 to max_topics) valid topics or names of selectors
 *  (lib/wire/selector.h), in any order; repeats are folded. `last_id` may be empty (from now on),
 * "earliest", an id, or a publisher's own id. `view` says what the client may see, and is copied;
 * NULL: nothing is granted to it. A client with a last id is sent the verdict first.
 * Never fails: a client joins at once, and is served as soon as the broker has answered. */
void zc_hub_join (zc_hub_t *self, zc_client_t *client, const zc_encoding_t *encoding,
                  const zc_slice_t *topics, size_t count, const zc_view_t *view,
                  zc_slice_t last_id);
/*  After zc_hub_join: whether the first event, which has the id with which the client can come
 *  back, is only a moment away because the broker was just asked for it. Then the transport doesn't
 *  send the bytes that it has for the client, but leaves them to go out with that event. So a
 *  client that has seen the stream open can come back without missing a message. If the event takes
 *  longer than a second, the bytes go out without it. */
bool zc_hub_opening (const zc_client_t *client);
/*  Changes the topics of a client that has joined, or its view. The client misses no message and
 * gets none twice. */
void zc_hub_move (zc_hub_t *self, zc_client_t *client, const zc_slice_t *topics, size_t count,
                  const zc_view_t *view);
/*  The position up to which the client is complete, counting everything that was sent, or will be
 *  sent before any bytes that are added to the client now. ZC_ID_NONE if it isn't known yet. */
zc_id_t zc_hub_position (zc_client_t *client);
/*  The id with which the client can come back after any bytes that are added to it now: its
 *  position; or, if it has had no verdict yet, the position that it came with. ZC_ID_NONE if it has
 *  neither. */
zc_id_t zc_hub_last_id (zc_client_t *client);
/*  Upgrades: a client leaves this process for another one (doc/upgrade.md).
 *
 *  Whether another process can adopt the client at zc_hub_position. A client that has just come,
 * and isn't served yet, has to wait. One without topics can always go. */
bool zc_hub_portable (const zc_client_t *client);
/*  Visits the channels that have clients: *at starts at 0. False at the end. The topics have LF
 *  between them; all is borrowed. */
bool zc_hub_next_channel (const zc_hub_t *self, zc_table_cursor_t *at, const char **encoding,
                          zc_slice_t *topics, zc_view_t *view);
/*  The line of the positions; empty if it isn't known. */
const zc_line_t *zc_hub_line (const zc_hub_t *self);
/*  Follows topics for clients that are about to be adopted. */
void zc_hub_prepare (zc_hub_t *self, const zc_encoding_t *encoding, const zc_slice_t *topics,
                     size_t count, const zc_view_t *view);
/*  Whether the broker has answered, and all channels have their feed. */
bool zc_hub_prepared (const zc_hub_t *self);
/*  The client joins. Another process has sent it everything up to `position`; private bytes that it
 *  has been given go first. */
void zc_hub_adopt (zc_hub_t *self, zc_client_t *client, const zc_encoding_t *encoding,
                   const zc_slice_t *topics, size_t count, const zc_view_t *view, zc_id_t position);

/*  Forgets the client. Safe if it never joined. */
void zc_hub_leave (zc_hub_t *self, zc_client_t *client);
/*  The topics of a joined client (borrowed). */
size_t zc_hub_topics (const zc_client_t *client, const zc_slice_t **topics);

/*  The name of a joined client's encoding; NULL for another client. */
const char *zc_hub_encoding (const zc_client_t *client);

/*  Called by the link. `now_ms` is wall clock. */
void zc_hub_message (zc_hub_t *self, const zc_message_t *message);
void zc_hub_fetched_message (zc_hub_t *self, uint64_t token, const zc_message_t *message);
/*  The end of a page. `since` is the position that the broker understood; `unknown`: it knows no
 *  such event id. The page is complete after `floor` up to `head`; `remaining` messages follow on
 *  later pages, none of which is private or of an update on several topics if `plain`. */
void zc_hub_fetched (zc_hub_t *self, uint64_t token, zc_id_t head, zc_id_t floor, zc_id_t since,
                     bool unknown, uint64_t remaining, bool plain);
/*  `last`: one position for each topic asked for. `doubt`: the broker's line, and the position up
 *  to which positions that clients bring may be of another line; an older broker tells neither.
 *  Returns true if positions went back: then live messages that are still on their way must be
 *  thrown away. */
bool zc_hub_synced (zc_hub_t *self, uint64_t token, const zc_mark_t *doubt, zc_id_t head,
                    zc_id_t dropped, const zc_id_t *last, size_t count);
/*  `listed` has lines for zc_listed_next; on all other topics that the question meant, nothing was
 *  published up to `head`, unless it was before `forgotten`. */
void zc_hub_listed (zc_hub_t *self, uint64_t token, zc_id_t head, zc_id_t forgotten,
                    zc_slice_t listed);
/*  Whether live messages may be handed to the hub. They may not between connecting and the first
 *  answer, which tells whether positions still mean the same. */
bool zc_hub_listens (const zc_hub_t *self);
/*  No answer comes, or no more of it: the hub asks again. Never called from within a function of
 *  zc_upstream_t. */
void zc_hub_failed (zc_hub_t *self, uint64_t token);
/*  The link has lost the broker: all questions are forgotten, and nothing counts as complete until
 *  zc_hub_connected has checked every topic with the broker. */
void zc_hub_disconnected (zc_hub_t *self);
void zc_hub_connected (zc_hub_t *self);
/*  Tells the hub whether the broker has not answered for so long that clients must be told, and new
 *  ones should go to another worker. */
void zc_hub_set_stale (zc_hub_t *self, bool stale);
bool zc_hub_stale (const zc_hub_t *self);
/*  Sets how many pages of history may be under way at once. */
void zc_hub_allow_fetches (zc_hub_t *self, unsigned count);
/*  Called after a batch of the calls above: channels and clients that waited for them go on. */
void zc_hub_settle (zc_hub_t *self);
/*  Several times a second: heartbeats, lingering channels, retention, reconciling. */
void zc_hub_tick (zc_hub_t *self, uint64_t now_ms);

const zc_hub_stats_t *zc_hub_stats (zc_hub_t *self);
/*  Writes up to `max` of the clients whose sockets would block: those with the greatest lag, the
 *  worst first. Returns how many. */
size_t zc_hub_slowest (zc_hub_t *self, zc_client_t **clients, size_t max);

/*  Writes up to `max` (at most ZC_HEAP_FIRST_MAX) of the topics that most clients have, the most
 *  first. Names are borrowed, and those of selectors are among them. Returns how many. */
typedef struct {
    zc_slice_t name;
    size_t clients;
} zc_popular_t;
size_t zc_hub_popular (const zc_hub_t *self, zc_popular_t *popular, size_t max);
/*  How many clients have this topic by its name. */
size_t zc_hub_clients_of (const zc_hub_t *self, zc_slice_t topic);
/*  Notes that an operator ends the client's connection. */
void zc_hub_note_end (zc_hub_t *self, const zc_client_t *client);
/*  What clients didn't get (borrowed). */
const zc_incidents_t *zc_hub_incidents (const zc_hub_t *self);

/*  For the pump: the clients that are to be sent something (borrowed). */
zc_rounds_t *zc_hub_rounds (zc_hub_t *self);
/*  The ages of the messages that the next round sends. */
zc_ages_t *zc_hub_ages (zc_hub_t *self);
/*  More bytes are held for clients than may be, and some of them can be sent. Sending them comes
 *  before anything else, and zc_hub_settle after it. */
bool zc_hub_full (const zc_hub_t *self);
/*  A client that doesn't follow the feed yet has no private bytes left, so it may get more. */
void zc_hub_client_drained (zc_hub_t *self, zc_client_t *client);

#endif
