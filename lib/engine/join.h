/*  join.h - clients that come, move and leave, and clients that don't follow their channel's feed
 *  yet.
 *
 *  A client that has joined either follows the feed, or has a zc_join_t: the steps that it still
 *  needs before it can follow the feed. */
#ifndef ZC_JOIN_H
#define ZC_JOIN_H

#include "lib/engine/channel.h"

/*  The client joins the channel. `last_id` may be empty (from now on), "earliest", an id, or a
 *  publisher's own id. A client with a last id is sent the verdict first. */
void zc_join_come (zc_client_t *client, zc_channel_t *channel, zc_slice_t last_id);
/*  The client joins the channel, and has had everything up to `at` from another process: it misses
 * no message and gets none twice, and isn't told. */
void zc_join_adopt (zc_client_t *client, zc_channel_t *channel, zc_id_t at);
/*  Whether another process could adopt the client at zc_join_position: that is known, and counts.
 */
bool zc_join_portable (const zc_client_t *client);
/*  Whether the client's first event is only a moment away: see zc_hub_opening. */
bool zc_join_opening (const zc_client_t *client);
/*  Moves the client to another channel. The client misses no message and gets none twice. */
void zc_join_move (zc_client_t *client, zc_channel_t *channel);
/*  The position up to which everything was sent, or will be sent before any bytes that are added to
 *  the client now; later messages follow those bytes. ZC_ID_NONE if it isn't known yet. */
zc_id_t zc_join_position (zc_client_t *client);
/*  See zc_hub_last_id. */
zc_id_t zc_join_last_id (zc_client_t *client);
/*  Forgets the client. Safe if it never joined. */
void zc_join_leave (zc_client_t *client);

/*  Lets the channel go on as far as possible, and then the clients that wait for it. */
void zc_join_settle (zc_channel_t *channel);
/*  Sends the waiting clients the bytes that they were given, although their first event isn't there
 *  yet. */
void zc_join_open (zc_channel_t *channel);
/*  Sends a heartbeat to the waiting clients. */
void zc_join_heartbeat (zc_channel_t *channel);
/*  Tells all of the channel's clients whether the worker's broker answers. */
void zc_join_stale (zc_channel_t *channel, bool stale);
/*  The questions to the broker were forgotten (disconnected); the broker can be asked again
 *  (connected). */
void zc_join_disconnected (zc_channel_t *channel);
void zc_join_connected (zc_channel_t *channel);
/*  Positions went back from as far as `future`, so the channel begins anew. Its clients are told of
 *  a gap, and get all of the history that there is now. */
void zc_join_begin_anew (zc_channel_t *channel, zc_id_t future);

/*  The client's private bytes are with the kernel, so it may get more. */
void zc_join_drained (zc_client_t *client);
/*  For a client with a join: the bytes that were appended to the feed while the client didn't take
 *  the bytes that it was given last. 0 while the client waits for the broker. */
size_t zc_join_lag (const zc_client_t *client);
/*  A slow client jumps to the newest message as soon as it takes bytes again. */
void zc_join_skip (zc_client_t *client);

#endif
