/*  incidents.c - see incidents.h.
 *
 *  Thousands of clients may lose the same messages at once. They are one incident, so that it
 *  doesn't push out all others, and so that only the first of them is described. */
#include "lib/engine/incidents.h"

#include <stdio.h>
#include <string.h>

#include "lib/wire/selector.h"

const char *zc_loss_name (zc_loss_t kind)
{
    static const char *const names[ZC_LOSS_KINDS] = {
        [ZC_LOSS_SLOW] = "slow",       [ZC_LOSS_HELD] = "held",       [ZC_LOSS_SKIPPED] = "skipped",
        [ZC_LOSS_HISTORY] = "history", [ZC_LOSS_UNKNOWN] = "unknown", [ZC_LOSS_AHEAD] = "ahead",
        [ZC_LOSS_LINE] = "line",       [ZC_LOSS_ENDED] = "ended",
    };
    return names[kind];
}

const zc_incident_t *zc_incidents_last (const zc_incidents_t *self, size_t back)
{
    if (back >= ZC_INCIDENTS)
        return NULL;
    const zc_incident_t *found =
        &self->last[(self->next + 2 * ZC_INCIDENTS - 1 - back) % ZC_INCIDENTS];
    return found->count ? found : NULL;
}

static void s_copy (char *text, size_t size, zc_slice_t topic)
{
    size_t len = topic.len < size ? topic.len : zc_text_whole (topic.at, size - 1);
    memcpy (text, topic.len ? topic.at : "", len);
    text[len] = 0;
}

void zc_incidents_add (zc_incidents_t *self, zc_loss_t kind, uint64_t now_ms, zc_slice_t topic,
                       const zc_client_t *client)
{
    zc_incident_t one = {.at_ms = now_ms, .count = 1, .kind = kind};
    zc_incident_t *last = &self->last[(self->next + ZC_INCIDENTS - 1) % ZC_INCIDENTS];
    self->counts[kind]++;
    s_copy (one.topic, sizeof one.topic, zc_selector_shown (topic));
    if (last->count && last->kind == kind && strcmp (last->topic, one.topic) == 0) {
        last->count++;
        last->at_ms = now_ms;
        return;
    }
    if (client)
        client->transport->describe ((zc_client_t *)(uintptr_t)client, one.client,
                                     sizeof one.client);
    self->last[self->next] = one;
    self->next = (self->next + 1) % ZC_INCIDENTS;
}
