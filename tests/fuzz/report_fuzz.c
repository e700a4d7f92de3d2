/*  A worker's report, and its uses: STATS, whose JSON `zmq stat` reads, and /metrics. The same
 *  bytes are also read as the whole of STATS, since the program that answers may be no broker. */
#include "config.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "broker/stats.h"
#include "lib/front/metrics.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/*  Each line is a comment, or a name, labels and a number. */
static void s_check_line (zc_slice_t line)
{
    if (line.len == 0 || line.at[0] == '#')
        return;
    const char *space = memrchr (line.at, ' ', line.len);
    if (!space || strncmp (line.at, "zcast_", 6) != 0)
        abort ();
    size_t len = (size_t)(line.at + line.len - space) - 1;
    char number[64] = "", *end;
    if (len == 0 || len >= sizeof number)
        abort ();
    memcpy (number, space + 1, len);
    strtod (number, &end);
    if (*end)
        abort ();
}

static void s_metrics (zc_slice_t stats)
{
    for (int openmetrics = 0; openmetrics < 2; openmetrics++) {
        zc_buf_t out = ZC_BUF_INIT;
        zc_metrics_write (&out, stats, openmetrics);
        zc_slice_t rest = {(const char *)out.data, out.len};
        for (const char *end; rest.len && (end = memchr (rest.at, '\n', rest.len));) {
            size_t len = (size_t)(end - rest.at);
            s_check_line ((zc_slice_t){rest.at, len});
            rest.at += len + 1;
            rest.len -= len + 1;
        }
        if (rest.len || !zc_utf8_valid (out.data, out.len))
            abort (); /* the last line ends in LF, too */
        zc_buf_clear (&out);
    }
}

/*  The first line is the name. */
int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    zc_slice_t all = {(const char *)data, size}, name = {"fcgi.0", 6}, text = all;
    const char *end = size ? memchr (data, '\n', size) : NULL, *error = NULL;
    if (end && end > all.at && zc_text_plain (all.at, (size_t)(end - all.at)) &&
        end - all.at <= ZC_REPORTER_MAX) {
        name = (zc_slice_t){all.at, (size_t)(end - all.at)};
        text = (zc_slice_t){end + 1, size - name.len - 1};
    }
    zc_stats_t *stats = zc_stats_new (1000);
    zc_buf_t out = ZC_BUF_INIT;
    if (!zc_stats_report (stats, (zc_slice_t){"peer", 4}, name, text, 1000, &error)) {
        zc_buf_adds (&out, "{\"version\":\"1\",\"workers\":");
        zc_stats_workers (stats, &out, 2000);
        zc_buf_addc (&out, '}');
        json_t *json = json_loadb ((const char *)out.data, out.len, JSON_REJECT_DUPLICATES, NULL);
        if (!json_is_object (json))
            abort ();
        json_decref (json);
        s_metrics ((zc_slice_t){(const char *)out.data, out.len});
    } else if (!error) {
        abort ();
    }
    s_metrics (all);
    zc_buf_clear (&out);
    zc_stats_destroy (&stats);
    return 0;
}
