/*  hub.c - hands messages and answers from the link to the objects that they concern, and keeps
 *  the time.
 *
 *  zc_hub_message finds the topic's subscription. The subscription asks the topic's order
 *  whether the message comes next, and hands it to each channel of the topic, which appends it
 *  to its feed. */
#include "lib/engine/hub.h"

#include <stdlib.h>

#include "lib/engine/join.h"
#include "lib/engine/slow.h"

#define S_PAGE_BYTES 524288 /* memory that a page takes, about */
#define S_POSITION_MS 1000  /* how often the broker is asked for its head and its last drop */

struct zc_hub {
    zc_shared_t shared;
    zc_channels_t *channels;
    zc_subscriptions_t *subscriptions; /* the channels' */
    uint64_t position_ms;              /* when the broker's head was last asked for */
    bool doubted;                      /* the subscriptions know that a loss is suspected */
    bool stale;
};

static void s_check (void *arg, zc_client_t *client)
{
    zc_slow_check (arg, client);
}

/*  Pages that are under way may take a quarter of the bytes that the hub may hold. */
static void s_take_over (zc_hub_t *self, const zc_hub_config_t *config)
{
    self->shared.config = *config;
    self->shared.held.max = config->max_held;
    zc_questions_set_fetches (self->shared.questions,
                              config->max_held ? config->max_held / 4 / S_PAGE_BYTES : SIZE_MAX);
}

zc_hub_t *zc_hub_new (const zc_hub_config_t *config, const zc_upstream_t *upstream)
{
    zc_hub_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->shared.questions = zc_questions_new (upstream, &self->shared.stats);
    s_take_over (self, config);
    self->shared.rounds = zc_rounds_new (s_check, &self->shared);
    self->shared.encoder = zc_encoder_new ();
    self->channels = zc_channels_new (&self->shared, upstream);
    self->subscriptions = zc_channels_subscriptions (self->channels);
    return self;
}

void zc_hub_destroy (zc_hub_t **self_p)
{
    zc_hub_t *self = *self_p;
    if (!self)
        return;
    zc_channels_destroy (&self->channels);
    zc_encoder_destroy (&self->shared.encoder);
    zc_rounds_destroy (&self->shared.rounds);
    zc_questions_destroy (&self->shared.questions);
    free (self);
    *self_p = NULL;
}

void zc_hub_configure (zc_hub_t *self, const zc_hub_config_t *config)
{
    s_take_over (self, config);
    zc_channels_configure (self->channels);
}

void zc_hub_restrict (zc_hub_t *self, zc_restricts_fn restricts, void *arg)
{
    self->shared.restricts = restricts;
    self->shared.restricts_arg = arg;
}

/*  Messages and answers. */

/*  To be called after anything that may begin or end the suspicion of a loss. */
static void s_pass_on_doubt (zc_hub_t *self)
{
    bool suspect = self->shared.losses.suspect;
    if (suspect == self->doubted)
        return;
    self->doubted = suspect;
    if (suspect)
        zc_subscriptions_doubt (self->subscriptions);
}

void zc_hub_message (zc_hub_t *self, const zc_message_t *message)
{
    self->shared.stats.received++;
    zc_losses_message (&self->shared.losses, message);
    s_pass_on_doubt (self);
    if (!zc_subscriptions_message (self->subscriptions, message))
        self->shared.stats.unmatched++;
}

void zc_hub_fetched_message (zc_hub_t *self, uint64_t token, const zc_message_t *message)
{
    zc_losses_fetched (&self->shared.losses, message->id);
    zc_questions_message (self->shared.questions, token, message);
}

void zc_hub_fetched (zc_hub_t *self, uint64_t token, zc_id_t head, zc_id_t floor, zc_id_t since,
                     bool unknown, uint64_t remaining, bool plain)
{
    zc_page_end_t end = {head, floor, since, unknown, remaining, plain};
    zc_losses_fetched (&self->shared.losses, head);
    zc_questions_end (self->shared.questions, token, &end);
    zc_hub_settle (self);
}

void zc_hub_set_stale (zc_hub_t *self, bool stale)
{
    self->stale = stale;
    zc_table_cursor_t at = {0};
    zc_channel_t *channel;
    while ((channel = zc_channels_next (self->channels, &at)))
        zc_join_stale (channel, stale);
}

bool zc_hub_stale (const zc_hub_t *self)
{
    return self->stale;
}

void zc_hub_allow_fetches (zc_hub_t *self, unsigned count)
{
    zc_questions_allow (self->shared.questions, count);
}

/*  On the new line, positions that are complete or have come mean nothing: the hub would take
 *  some new messages for repeats and others for the next in order. Clients begin from the first
 *  position that there is now. */
static void s_begin_anew (zc_hub_t *self, zc_id_t head)
{
    zc_id_t future = self->shared.losses.head;
    zc_hub_disconnected (self);
    zc_losses_begin_anew (&self->shared.losses, head);
    zc_encoder_forget (self->shared.encoder);
    zc_held_forget (&self->shared.held);
    zc_subscriptions_begin_anew (self->subscriptions);
    zc_table_cursor_t at = {0};
    zc_channel_t *channel;
    while ((channel = zc_channels_next (self->channels, &at)))
        zc_join_begin_anew (channel, future);
    zc_questions_connected (self->shared.questions, true);
}

/*  To be called when a SYNC was answered or failed: ends the round after its last one. */
static void s_check_round (zc_hub_t *self)
{
    if (zc_questions_syncing (self->shared.questions))
        return;
    if (zc_losses_end_round (&self->shared.losses))
        zc_channels_unsettle_held (self->channels);
    s_pass_on_doubt (self);
}

static void s_synced (zc_slots_t *subjects, zc_id_t head, const zc_id_t *last, size_t count)
{
    for (size_t i = 0; i < subjects->count && i < count; i++) {
        zc_subject_t *subject = subjects->at[i].item;
        if (!subject)
            continue;
        zc_slots_blank (subjects, &subject->slot); /* it may be wanted again at once */
        zc_subscription_synced (subject->about, last[i], head);
    }
}

bool zc_hub_synced (zc_hub_t *self, uint64_t token, const zc_mark_t *doubt, zc_id_t head,
                    zc_id_t dropped, const zc_id_t *last, size_t count)
{
    zc_slots_t subjects;
    zc_id_t asked_at;
    if (!zc_questions_synced (self->shared.questions, token, &subjects, &asked_at))
        return false;
    bool back = zc_losses_went_back (zc_questions_line (self->shared.questions), asked_at,
                                     &doubt->line, head);
    zc_questions_set_line (self->shared.questions, &doubt->line);
    self->shared.doubt = doubt->position;
    if (back) {
        zc_slots_clear (&subjects);
        s_begin_anew (self, head);
    } else {
        zc_questions_trust (self->shared.questions);
        zc_losses_answer (&self->shared.losses, head, dropped, last, count);
        s_synced (&subjects, head, last, count);
        zc_slots_clear (&subjects);
        s_check_round (self);
    }
    zc_hub_settle (self);
    return back;
}

void zc_hub_listed (zc_hub_t *self, uint64_t token, zc_id_t head, zc_id_t forgotten,
                    zc_slice_t listed)
{
    if (!zc_questions_listed (self->shared.questions, token))
        return;
    zc_losses_fetched (&self->shared.losses, head);
    zc_subscriptions_listed (self->subscriptions, head, forgotten, listed);
    zc_hub_settle (self);
}

bool zc_hub_listens (const zc_hub_t *self)
{
    const zc_questions_t *questions = self->shared.questions;
    return zc_questions_trusted (questions) || !zc_questions_can_ask (questions);
}

void zc_hub_failed (zc_hub_t *self, uint64_t token)
{
    zc_slots_t subjects;
    zc_id_t asked_at;
    if (zc_questions_synced (self->shared.questions, token, &subjects, &asked_at)) {
        zc_slots_clear (&subjects);
        zc_losses_failed (&self->shared.losses);
        s_pass_on_doubt (self);
        s_check_round (self);
    } else if (zc_questions_listed (self->shared.questions, token)) {
        zc_subscriptions_unlisted (self->subscriptions);
    } else {
        zc_questions_fetch_failed (self->shared.questions, token);
    }
    zc_hub_settle (self);
}

/*  The link. */

void zc_hub_connected (zc_hub_t *self)
{
    zc_questions_connected (self->shared.questions, true);
    zc_losses_suspect (&self->shared.losses);
    s_pass_on_doubt (self);
    self->shared.stats.reconnects++;
    zc_table_cursor_t at = {0};
    zc_channel_t *channel;
    while ((channel = zc_channels_next (self->channels, &at)))
        zc_join_connected (channel);
    zc_hub_settle (self);
}

void zc_hub_disconnected (zc_hub_t *self)
{
    zc_questions_connected (self->shared.questions, false);
    zc_subscriptions_disconnected (self->subscriptions);
    zc_table_cursor_t at = {0};
    zc_channel_t *channel;
    while ((channel = zc_channels_next (self->channels, &at)))
        zc_join_disconnected (channel);
    /* until the link is connected again, no message that comes is taken for gapless */
    zc_losses_suspect (&self->shared.losses);
    s_pass_on_doubt (self);
}

/*  There is one round of SYNCs at a time; topics that are wanted meanwhile wait and go out
 *  together. */
static void s_send_syncs (zc_hub_t *self)
{
    zc_questions_t *questions = self->shared.questions;
    zc_losses_t *losses = &self->shared.losses;
    if (!zc_questions_can_ask (questions) || zc_questions_syncing (questions))
        return;
    if (losses->reconcile)
        zc_subscriptions_want_all (self->subscriptions);
    else if (!zc_questions_wanted (questions))
        return;
    zc_losses_begin_round (losses);
    zc_questions_sync (questions, losses->head);
}

/*  Makes room before more is appended: clients that take no more bytes may have to go. */
static bool s_may_go_on (zc_hub_t *self)
{
    if (zc_held_over (&self->shared.held) && !zc_rounds_busy (self->shared.rounds))
        zc_slow_relieve (&self->shared, self->channels);
    return !zc_shared_full (&self->shared);
}

bool zc_hub_full (const zc_hub_t *self)
{
    return zc_shared_full (&self->shared);
}

void zc_hub_settle (zc_hub_t *self)
{
    zc_channel_t *channel;
    while (s_may_go_on (self) && (channel = zc_channels_next_unsettled (self->channels)))
        zc_join_settle (channel);
    zc_questions_send (self->shared.questions);
    s_send_syncs (self);
    zc_subscriptions_list (self->subscriptions);
}

/*  Clients. */

void zc_hub_join (zc_hub_t *self, zc_client_t *client, const zc_encoding_t *encoding,
                  const zc_slice_t *topics, size_t count, const zc_view_t *view, zc_slice_t last_id)
{
    zc_join_come (client, zc_channels_get (self->channels, encoding, topics, count, view), last_id);
    zc_hub_settle (self);
}

bool zc_hub_opening (const zc_client_t *client)
{
    return zc_join_opening (client);
}

void zc_hub_move (zc_hub_t *self, zc_client_t *client, const zc_slice_t *topics, size_t count,
                  const zc_view_t *view)
{
    const zc_encoding_t *encoding = zc_channel_encoding (client->channel);
    zc_channel_t *channel = zc_channels_get (self->channels, encoding, topics, count, view);
    if (channel == client->channel)
        return;
    zc_join_move (client, channel);
    zc_hub_settle (self);
}

zc_id_t zc_hub_position (zc_client_t *client)
{
    return zc_join_position (client);
}

zc_id_t zc_hub_last_id (zc_client_t *client)
{
    return zc_join_last_id (client);
}

bool zc_hub_portable (const zc_client_t *client)
{
    return !client->channel || zc_join_portable (client);
}

bool zc_hub_next_channel (const zc_hub_t *self, zc_table_cursor_t *at, const char **encoding,
                          zc_slice_t *topics, zc_view_t *view)
{
    zc_channel_t *channel;
    while ((channel = zc_channels_next (self->channels, at))) {
        if (zc_channel_audience (channel)->count == 0)
            continue;
        *encoding = zc_channel_encoding (channel)->name;
        *topics = zc_channel_topic_list (channel);
        *view = *zc_channel_view (channel);
        return true;
    }
    return false;
}

const zc_line_t *zc_hub_line (const zc_hub_t *self)
{
    return zc_questions_line (self->shared.questions);
}

void zc_hub_prepare (zc_hub_t *self, const zc_encoding_t *encoding, const zc_slice_t *topics,
                     size_t count, const zc_view_t *view)
{
    zc_channel_unsettle (zc_channels_get (self->channels, encoding, topics, count, view));
}

bool zc_hub_prepared (const zc_hub_t *self)
{
    if (!zc_questions_trusted (self->shared.questions))
        return false;
    zc_table_cursor_t at = {0};
    zc_channel_t *channel;
    while ((channel = zc_channels_next (self->channels, &at)))
        if (!zc_channel_feed (channel))
            return false;
    return true;
}

void zc_hub_adopt (zc_hub_t *self, zc_client_t *client, const zc_encoding_t *encoding,
                   const zc_slice_t *topics, size_t count, const zc_view_t *view, zc_id_t position)
{
    zc_join_adopt (client, zc_channels_get (self->channels, encoding, topics, count, view),
                   position);
    zc_hub_settle (self);
}

void zc_hub_leave (zc_hub_t *self, zc_client_t *client)
{
    zc_join_leave (client);
    /* a client that never joined may be in a round, too */
    zc_rounds_leave (self->shared.rounds, client);
}

size_t zc_hub_topics (const zc_client_t *client, const zc_slice_t **topics)
{
    size_t count = 0;
    *topics = client->channel ? zc_channel_topics (client->channel, &count) : NULL;
    return count;
}

const char *zc_hub_encoding (const zc_client_t *client)
{
    return client->channel ? zc_channel_encoding (client->channel)->name : NULL;
}

void zc_hub_client_drained (zc_hub_t *self, zc_client_t *client)
{
    zc_join_drained (client);
    zc_hub_settle (self);
}

size_t zc_hub_slowest (zc_hub_t *self, zc_client_t **clients, size_t max)
{
    return zc_slow_worst (self->shared.rounds, clients, max);
}

size_t zc_hub_popular (const zc_hub_t *self, zc_popular_t *popular, size_t max)
{
    zc_subscription_t *found[ZC_HEAP_FIRST_MAX];
    size_t count = zc_subscriptions_popular (self->subscriptions, found, max);
    for (size_t i = 0; i < count; i++)
        popular[i] =
            (zc_popular_t){zc_subscription_topic (found[i]), zc_subscription_clients (found[i])};
    return count;
}

size_t zc_hub_clients_of (const zc_hub_t *self, zc_slice_t topic)
{
    const zc_subscription_t *found = zc_subscriptions_find (self->subscriptions, topic);
    return found ? zc_subscription_clients (found) : 0;
}

void zc_hub_note_end (zc_hub_t *self, const zc_client_t *client)
{
    const zc_slice_t *topics;
    size_t count = zc_hub_topics (client, &topics);
    zc_incidents_add (&self->shared.incidents, ZC_LOSS_ENDED, self->shared.now_ms,
                      count ? topics[0] : (zc_slice_t){"", 0}, client);
}

const zc_incidents_t *zc_hub_incidents (const zc_hub_t *self)
{
    return &self->shared.incidents;
}

zc_ages_t *zc_hub_ages (zc_hub_t *self)
{
    return &self->shared.ages;
}

zc_rounds_t *zc_hub_rounds (zc_hub_t *self)
{
    return self->shared.rounds;
}

/*  Upkeep. */

static bool s_second_is_over (zc_hub_t *self)
{
    uint64_t now = self->shared.now_ms;
    if (now >= self->position_ms && now - self->position_ms < S_POSITION_MS)
        return false;
    self->position_ms = now;
    return true;
}

/*  Once a second, asks for the broker's last drop, and for quiet topics. */
static void s_ask_now_and_then (zc_hub_t *self)
{
    zc_questions_t *questions = self->shared.questions;
    zc_losses_t *losses = &self->shared.losses;
    zc_subscriptions_want_quiet (self->subscriptions, self->shared.config.heartbeat_ms / 2 + 1);
    if (zc_questions_syncing (questions) || zc_questions_wanted (questions) || losses->reconcile)
        return; /* the answers to these bring the position, too */
    zc_losses_begin_round (losses);
    zc_questions_sync (questions, losses->head);
}

static void s_set_clock (zc_hub_t *self, uint64_t now_ms)
{
    bool back = now_ms < self->shared.now_ms;
    self->shared.now_ms = now_ms;
    if (back) {
        zc_channels_restart_clock (self->channels);
        zc_subscriptions_restart_clock (self->subscriptions);
    }
}

void zc_hub_tick (zc_hub_t *self, uint64_t now_ms)
{
    s_set_clock (self, now_ms);
    zc_channel_t *channel;
    zc_due_t what;
    while ((channel = zc_channels_next_due (self->channels, &what))) {
        if (what == ZC_DUE_HEARTBEAT)
            zc_join_heartbeat (channel);
        else
            zc_join_open (channel);
    }
    if (zc_questions_can_ask (self->shared.questions)) {
        zc_subscriptions_go_on (self->subscriptions);
        if (s_second_is_over (self))
            s_ask_now_and_then (self);
    }
    zc_hub_settle (self);
}

const zc_hub_stats_t *zc_hub_stats (zc_hub_t *self)
{
    self->shared.stats.feed_bytes = self->shared.held.feeds;
    self->shared.stats.held_bytes = zc_held_bytes (&self->shared.held);
    return &self->shared.stats;
}
