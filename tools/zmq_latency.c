/*  zmq_latency.c - `zmq latency`: sends PING again and again, and measures the answers. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "tools/progress.h"
#include "tools/samples.h"
#include "tools/tool.h"

static const zc_option_t s_options[] = {
    {.name = "json",
     .letter = 'j',
     .type = ZC_OPT_BOOL,
     .preset = "no",
     .help = "the result as a JSON object"},
    {.name = "count",
     .letter = 'n',
     .type = ZC_OPT_NUMBER,
     .preset = "0",
     .max = INT64_MAX,
     .argument = "N",
     .help = "end after N answers; 0: no limit"},
    {.name = "seconds",
     .letter = 's',
     .type = ZC_OPT_SECONDS,
     .preset = "0",
     .max = 86400000,
     .argument = "TIME",
     .help = "end after this time; 0: when it is stopped, or, where the output is no terminal, "
             "after a second"},
    {.name = "interval",
     .letter = 'i',
     .type = ZC_OPT_SECONDS,
     .preset = "10ms",
     .max = 3600000,
     .argument = "TIME",
     .help = "how long to wait before the next request"},
    ZC_TOOL_TIMEOUT ("5s", "how long to wait for an answer"),
    ZC_TOOL_ENDPOINTS,
    ZC_OPTION_END,
};

static const zc_program_t s_program = {
    .program = "zmq latency",
    .section = "zmq",
    .keys = ZC_TOOL_KEYS,
    .usage = "[OPTION]...",
    .summary = "Asks the broker again and again whether it is there, until it is stopped, and "
               "prints how long the answers took.",
    .epilog = "Examples:\n"
              "  zmq latency\n"
              "  zmq latency --seconds 10 --json | jq .p99\n",
    .options = s_options,
};

typedef struct {
    zc_samples_t samples;
    zc_progress_t progress;
    uint64_t count, end_ms; /* 0: no limit */
    long interval;
} s_latency_t;

static void s_answered (void *arg, const zc_answer_t *answer)
{
    (void)arg, (void)answer;
}

static bool s_is_over (const s_latency_t *self)
{
    return zc_tool_stopped || (self->count && self->samples.count >= self->count) ||
           (self->end_ms && zc_mono_ms () >= self->end_ms);
}

static void s_pause (const s_latency_t *self)
{
    uint64_t until = zc_mono_ms () + (uint64_t)self->interval, now;
    while (!s_is_over (self) && (now = zc_mono_ms ()) < until) {
        zmq_pollitem_t items[ZC_TOOL_ITEMS];
        zc_tool_poll (items, 0, (long)(until - now), true);
    }
}

static int s_measure (s_latency_t *self, zc_tool_link_t *link)
{
    static const zc_ask_t ping = {.verb = ZC_PING};
    int status = zc_tool_ask (link, &ping, s_answered, NULL); /* the first one connects */
    while (status == ZC_EXIT_OK && !s_is_over (self)) {
        uint64_t begun = zc_mono_us ();
        status = zc_tool_ask (link, &ping, s_answered, NULL);
        if (status == ZC_EXIT_OK)
            zc_samples_add (&self->samples, zc_mono_us () - begun);
        if (zc_progress_due (&self->progress))
            zc_progress_show (
                &self->progress, "min %.2f, mean %.2f, max %.2f ms (%" PRIu64 " answers)",
                (double)self->samples.min / 1000, zc_samples_mean (&self->samples) / 1000,
                (double)self->samples.max / 1000, self->samples.count);
        if (status == ZC_EXIT_OK)
            s_pause (self);
    }
    zc_progress_clear (&self->progress);
    return zc_tool_stopped && self->samples.count ? ZC_EXIT_OK : status;
}

static void s_print (const s_latency_t *self, bool json)
{
    char text[ZC_SAMPLES_TEXT];
    if (!json) {
        printf ("%" PRIu64 " answers: min %.2f, mean %.2f, %s\n", self->samples.count,
                (double)self->samples.min / 1000, zc_samples_mean (&self->samples) / 1000,
                zc_samples_text (&self->samples, text));
        return;
    }
    json_t *object = zc_samples_json (&self->samples);
    json_object_set_new (object, "count", json_integer ((json_int_t)self->samples.count));
    char *line = json_dumps (object, JSON_COMPACT | JSON_REAL_PRECISION (6));
    puts (line);
    free (line);
    json_decref (object);
}

static int s_run (const zc_options_t *options)
{
    static s_latency_t self;
    uint64_t seconds = (uint64_t)zc_options_number (options, "seconds");
    self.count = (uint64_t)zc_options_number (options, "count");
    self.interval = (long)zc_options_number (options, "interval");
    if (!self.count && !seconds && !zc_tool_on_terminal ())
        seconds = 1000;
    self.end_ms = seconds ? zc_mono_ms () + seconds : 0;
    zc_progress_init (&self.progress, true);
    zc_tool_link_t *link =
        zc_tool_link_new (options, (unsigned)zc_options_number (options, "timeout"));
    int status = link ? s_measure (&self, link) : ZC_EXIT_FAILURE;
    zc_tool_link_destroy (&link);
    if (self.samples.count)
        s_print (&self, zc_options_bool (options, "json"));
    return status;
}

const zc_tool_command_t zc_tool_latency = {&s_program, s_run};
