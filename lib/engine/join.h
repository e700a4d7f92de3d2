/*  join.h - clients that come, move and leave; and those that don't follow their channel's feed
 * yet.
 *
 *  A client that has joined follows the feed, or has a zc_join_t: the way that it still has to go
 *  before it can. */
#ifndef ZC_JOIN_H
#define ZC_JOIN_H

#include "lib/engine/channel.h"

/*  The client joins the channel. `last_id` may be empty (from now on), "earliest", an id, or a
 *  publisher's own id; the first thing a client with one is sent is the verdict. */
void zc_join_come (zc_client_t *client, zc_channel_t *channel, zc_slice_t last_id);
/*  Whether the client's first event is a moment away: see zc_hub_opening. */
bool zc_join_opening (const zc_client_t *client);
/*  Changes its channel, without missing or repeating anything. */
void zc_join_move (zc_client_t *client, zc_channel_t *channel);
/*  Everything up to this position is sent, or goes out before what is added to the client now; what
 *  comes later follows it. ZC_ID_NONE where that isn't known yet. */
zc_id_t zc_join_position (zc_client_t *client);
/*  Forgets the client; safe when it never joined. */
void zc_join_leave (zc_client_t *client);

/*  Lets the channel go on as far as possible, and after it those that wait for it. */
void zc_join_settle (zc_channel_t *channel);
/*  What those that wait were given goes out, though their first event isn't there. */
void zc_join_open (zc_channel_t *channel);
/*  A heartbeat for those that wait. */
void zc_join_heartbeat (zc_channel_t *channel);
/*  Tells all of the channel's clients whether the worker's broker answers. */
void zc_join_stale (zc_channel_t *channel, bool stale);
/*  The questions to the broker were forgotten; it can be asked again. */
void zc_join_disconnected (zc_channel_t *channel);
void zc_join_connected (zc_channel_t *channel);
/*  Positions went back, from as far as `future`: the channel begins anew. Its clients are told of a
 *  gap, and get all there is now. */
void zc_join_begin_anew (zc_channel_t *channel, zc_id_t future);

/*  The client's private bytes are with the kernel: it may get more. */
void zc_join_drained (zc_client_t *client);
/*  What was appended to the feed while a client with a join didn't take what it was given last; 0
 *  while it waits for the broker. */
size_t zc_join_lag (const zc_client_t *client);
/*  A slow client jumps to the newest as soon as it takes bytes again. */
void zc_join_skip (zc_client_t *client);

#endif
