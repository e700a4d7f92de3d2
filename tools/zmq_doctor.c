/*  zmq_doctor.c - `zmq doctor`: checks a public URL as a browser would use it, and says which
 *  line to change. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/daemon.h"
#include "tools/doctor_probe.h"
#include "tools/doctor_report.h"
#include "tools/http.h"
#include "tools/tool.h"

#define S_EXIT_WARNING 3

static const zc_option_t s_options[] = {
    ZC_TOOL_ENDPOINTS,
    {.name = "topic",
     .type = ZC_OPT_TEXT,
     .preset = "zmq-doctor",
     .min = 1,
     .max = ZC_TOPIC_MAX,
     .argument = "TOPIC",
     .help = "the topic to ask for: one that the token grants"},
    ZC_HTTP_TOKEN_OPTIONS,
    {.name = "origin",
     .type = ZC_OPT_TEXT,
     .min = 8,
     .max = ZC_DOCTOR_TEXT - 1,
     .argument = "ORIGIN",
     .help = "a page of another site, such as https://app.example.org, that is to read"},
    {.name = "send",
     .type = ZC_OPT_CHOICE,
     .preset = "no",
     .choices = "no|http|broker",
     .argument = "WHERE",
     .help = "publish five test events on the topic, by POST URL/publish or through the broker"},
    {.name = "seconds",
     .letter = 's',
     .type = ZC_OPT_SECONDS,
     .min = 1000,
     .max = 3600000,
     .argument = "TIME",
     .help = "how long to watch the connections (default: until two heartbeats came, at most 40s)"},
    {.name = "timeout",
     .letter = 't',
     .type = ZC_OPT_SECONDS,
     .preset = "10s",
     .min = 100,
     .max = 60000,
     .argument = "TIME",
     .help = "how long to wait for an answer, and for an event"},
    {.name = "server",
     .type = ZC_OPT_CHOICE,
     .choices = ZC_WEB_CHOICES,
     .argument = "NAME",
     .help = "whose lines to tell (default: what the field Server names, else all)"},
    {.name = "skip",
     .type = ZC_OPT_LIST,
     .min = 1,
     .max = 32,
     .argument = "CHECK",
     .help = "leave out a check; repeatable"},
    {.name = "json",
     .letter = 'j',
     .type = ZC_OPT_BOOL,
     .preset = "no",
     .help = "print a JSON object"},
    ZC_OPTION_END,
};

static const char *s_verify (const zc_options_t *options, char *error, size_t size)
{
    const char *key, *value;
    for (size_t i = 0; zc_options_item (options, "skip", i, &key, &value); i++)
        if (!zc_doctor_is_check (value)) {
            snprintf (error, size, "'%s' is no check", value);
            return "skip";
        }
    const char *origin = zc_options_text (options, "origin");
    if (origin && !zc_text_plain (origin, strlen (origin))) {
        snprintf (error, size, "it has control characters");
        return "origin";
    }
    return NULL;
}

static const zc_program_t s_program = {
    .program = "zmq doctor",
    .section = "zmq",
    .keys = ZC_TOOL_KEYS,
    .usage = "[OPTION]... URL",
    .summary =
        "Looks at a public URL as a browser would; says what is wrong, and the line to change.",
    .epilog = "Examples:\n"
              "  zmq doctor https://www.example.org\n"
              "  zmq doctor https://www.example.org --token-file ann.token --topic news\n"
              "  zmq doctor https://www.example.org --origin https://app.example.org --send http\n"
              "Exit status: 0 nothing is wrong, 1 a check failed, 2 wrong use, 3 warnings only.\n",
    .options = s_options,
    .words = 1,
    .verify = s_verify,
};

static bool s_skipped (const zc_options_t *options, const char *id)
{
    const char *key, *value;
    for (size_t i = 0; zc_options_item (options, "skip", i, &key, &value); i++)
        if (strcmp (value, id) == 0)
            return true;
    return false;
}

/*  Judges, and removes the checks that were left out. */
static size_t s_judge (const zc_options_t *options, const zc_doctor_facts_t *facts,
                       zc_finding_t findings[ZC_DOCTOR_CHECKS])
{
    size_t count = zc_doctor_judge (facts, findings), kept = 0;
    for (size_t i = 0; i < count; i++)
        if (!s_skipped (options, findings[i].id))
            findings[kept++] = findings[i];
    return kept;
}

static int s_tell (const zc_options_t *options, const zc_doctor_facts_t *facts)
{
    zc_finding_t findings[ZC_DOCTOR_CHECKS];
    const char *name = zc_options_text (options, "server");
    zc_web_server_t server = zc_web_server_find (name ? name : facts->stream.head.server);
    size_t count = s_judge (options, facts, findings);
    zc_buf_t out = ZC_BUF_INIT;
    if (zc_options_bool (options, "json"))
        zc_doctor_write_json (&out, facts, server, findings, count);
    else
        zc_doctor_write_text (&out, facts, server, findings, count);
    fputs (zc_buf_str (&out), stdout); /* all texts in it are escaped */
    zc_buf_clear (&out);
    zc_doctor_verdict_t worst = zc_doctor_worst (findings, count);
    return worst == ZC_DOCTOR_FAIL   ? ZC_EXIT_FAILURE
           : worst == ZC_DOCTOR_WARN ? S_EXIT_WARNING
                                     : ZC_EXIT_OK;
}

static int s_run (const zc_options_t *options)
{
    zc_doctor_facts_t facts;
    const char *url = zc_options_word (options, 0), *send = zc_options_text (options, "send");
    const char *topic = zc_options_text (options, "topic");
    if (!url)
        return zc_tool_misuse ("which URL? for example zmq doctor https://www.example.org");
    if (!zc_topic_valid (topic, strlen (topic)))
        return zc_tool_misuse ("--topic: a topic is UTF-8 without control characters");
    zc_doctor_wish_t wish = {
        .options = options,
        .url = url,
        .topic = topic,
        .origin = zc_options_text (options, "origin"),
        .send = strcmp (send, "http") == 0     ? ZC_SEND_HTTP
                : strcmp (send, "broker") == 0 ? ZC_SEND_BROKER
                                               : ZC_SEND_NONE,
        .timeout_ms = (long)zc_options_number (options, "timeout"),
        .watch_ms = (long)zc_options_number (options, "seconds"),
    };
    int status = zc_doctor_probe (&wish, &facts);
    return status == ZC_EXIT_OK ? s_tell (options, &facts) : status;
}

const zc_tool_command_t zc_tool_doctor = {&s_program, s_run};
