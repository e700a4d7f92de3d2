/*  doctor_report.c - see doctor_report.h. */
#include "tools/doctor_report.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/*  The lines to be printed: those of the server that answers, and of zcast.conf. */
static const char *s_line (const zc_finding_t *finding, zc_web_server_t server,
                           zc_web_server_t each)
{
    bool told = server == ZC_WEB_UNKNOWN || each == server || each == ZC_WEB_ZCAST;
    return told ? zc_advice_line (finding->advice, each) : NULL;
}

/*  Adds an advice, with its parameter in its place. */
static void s_add (zc_buf_t *out, const char *text, const char *parameter)
{
    for (; *text; text++)
        if (*text == ZC_ADVICE_PARAMETER)
            zc_buf_adds (out, parameter);
        else
            zc_buf_addc (out, *text);
}

static void s_write_advice (zc_buf_t *out, zc_web_server_t server, const zc_finding_t *finding)
{
    const char *hint = zc_advice_hint (finding->advice), *line;
    if (hint) {
        zc_buf_adds (out, "      ");
        s_add (out, hint, finding->parameter);
        zc_buf_addc (out, '\n');
    }
    for (zc_web_server_t each = 0; each < ZC_WEB_SERVERS; each++)
        if ((line = s_line (finding, server, each))) {
            zc_buf_addf (out, "      %-10s  ", zc_web_server_name (each));
            s_add (out, line, finding->parameter);
            zc_buf_addc (out, '\n');
        }
}

void zc_doctor_write_text (zc_buf_t *out, const zc_doctor_facts_t *facts, zc_web_server_t server,
                           const zc_finding_t *findings, size_t count)
{
    static const char *const words[] = {"ok", "-", "WARN", "FAIL"};
    unsigned tally[4] = {0};
    zc_buf_addf (out, "%s", facts->url);
    if (*facts->stream.head.server)
        zc_buf_addf (out, "  (%s)", facts->stream.head.server);
    zc_buf_adds (out, "\n\n");
    for (size_t i = 0; i < count; i++) {
        tally[findings[i].verdict]++;
        zc_buf_addf (out, "%-4s  %-14s  %s\n", words[findings[i].verdict], findings[i].id,
                     findings[i].fact);
        s_write_advice (out, server, &findings[i]);
    }
    zc_buf_addf (out, "\n%u failed, %u warnings, %u ok, %u not looked at\n", tally[ZC_DOCTOR_FAIL],
                 tally[ZC_DOCTOR_WARN], tally[ZC_DOCTOR_OK], tally[ZC_DOCTOR_SKIPPED]);
}

static json_t *s_text (const char *text, const char *parameter)
{
    zc_buf_t out = ZC_BUF_INIT;
    s_add (&out, text, parameter);
    json_t *made = json_string (zc_buf_str (&out));
    zc_buf_clear (&out);
    return made;
}

static json_t *s_finding (zc_web_server_t server, const zc_finding_t *finding)
{
    const char *hint = zc_advice_hint (finding->advice), *line;
    json_t *object = json_object (), *lines = json_object ();
    json_object_set_new (object, "id", json_string (finding->id));
    json_object_set_new (object, "verdict",
                         json_string (zc_doctor_verdict_name (finding->verdict)));
    json_object_set_new (object, "fact", json_string (finding->fact));
    if (hint)
        json_object_set_new (object, "hint", s_text (hint, finding->parameter));
    for (zc_web_server_t each = 0; each < ZC_WEB_SERVERS; each++)
        if ((line = s_line (finding, server, each)))
            json_object_set_new (lines, zc_web_server_name (each),
                                 s_text (line, finding->parameter));
    if (json_object_size (lines) > 0)
        json_object_set (object, "lines", lines);
    json_decref (lines);
    return object;
}

void zc_doctor_write_json (zc_buf_t *out, const zc_doctor_facts_t *facts, zc_web_server_t server,
                           const zc_finding_t *findings, size_t count)
{
    json_t *report = json_object (), *checks = json_array ();
    json_object_set_new (report, "url", json_string (facts->url));
    json_object_set_new (report, "server", json_string (facts->stream.head.server));
    json_object_set_new (report, "verdict",
                         json_string (zc_doctor_verdict_name (zc_doctor_worst (findings, count))));
    for (size_t i = 0; i < count; i++)
        json_array_append_new (checks, s_finding (server, &findings[i]));
    json_object_set_new (report, "checks", checks);
    char *text = json_dumps (report, JSON_INDENT (2));
    if (!text)
        abort ();
    zc_buf_adds (out, text);
    zc_buf_addc (out, '\n');
    free (text);
    json_decref (report);
}
