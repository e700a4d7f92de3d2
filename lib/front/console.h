/*  console.h - the doors of the console, a page that shows the installation and lets a person
 *  subscribe and publish by hand.
 *
 *  /console, /console/app.js, /console/style.css, /console/zcast.js: the page. It shows nothing
 *  without a token, so anyone may load it where the option `console` is on.
 *  /console/state: the broker's STATS, which has what all programs have reported.
 *  /console/topics: the first topics of history, with what is kept of each.
 *  /console/live: a stream of what /console/state says, every two seconds (ticker.h).
 *  /console/history?topic=…: a page of a topic's messages, for who may subscribe to it.
 *  POST /console/drop?client=…: ends a connection, of any worker.
 *
 *  These need a token that has ZC_CONSOLE_TOPIC itself among the topics to subscribe to: no
 *  prefix stands for it, so a token for all topics isn't one for the console. To act (drop)
 *  a token needs it among those to publish to. */
#ifndef ZC_CONSOLE_H
#define ZC_CONSOLE_H

#include "lib/front/front.h"
#include "lib/wire/query.h"

#define ZC_CONSOLE_TOPIC ZC_CANARY_TOPIC "console"

/*  Serves all these paths. */
void zc_console_open (zc_front_t *front);

/*  Appends the answer of /console/topics, in JSON: the list of topics in an answer to LIST, whose
 *  parser has checked it, without zcast's own. No I/O. */
void zc_console_write_topics (zc_buf_t *out, zc_slice_t kept, bool more);

/*  What a query asks of history. */
typedef struct {
    zc_query_t query; /* owned; its one topic */
    zc_slice_t
        since;      /* a position, or "earliest"; borrowed from the query's text that was parsed */
    uint64_t count; /* messages; 1 to ZC_CONSOLE_PAGE */
    uint64_t cut;   /* bytes of each payload that are shown */
} zc_console_wish_t;
#define ZC_CONSOLE_PAGE 100
#define ZC_CONSOLE_CUT 4096 /* the default, and the most for more than one message */

/*  Parses `topic=…&since=…&count=…&cut=…`, of which only the topic has to be there. Returns NULL;
 * or one sentence about what is wrong, and then *wish is empty. No I/O. */
const char *zc_console_wish (zc_console_wish_t *wish, zc_slice_t query);
/*  Appends a message of history, in JSON. No I/O. */
void zc_console_write_message (zc_buf_t *out, const zc_message_t *message, size_t cut);

#endif
