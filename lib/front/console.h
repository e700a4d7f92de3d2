/*  console.h - the doors of the console, a page that shows the installation and lets a person
 *  subscribe and publish by hand.
 *
 *  /console, /console/app.js, /console/style.css, /console/zcast.js: the page. It shows nothing
 *  without a token, so anyone may load it where the option `console` is on.
 *  /console/state: the broker's STATS, which has what all programs have reported.
 *  /console/topics: the first topics of history, with what is kept of each.
 *
 *  The last two need a token that has ZC_CONSOLE_TOPIC itself among the topics to subscribe to: no
 *  prefix stands for it, so a token for all topics isn't one for the console. */
#ifndef ZC_CONSOLE_H
#define ZC_CONSOLE_H

#include "lib/front/front.h"

#define ZC_CONSOLE_TOPIC ZC_CANARY_TOPIC "console"

/*  Serves all these paths. */
void zc_console_open (zc_front_t *front);

/*  Appends the answer of /console/topics, in JSON: the list of topics in an answer to LIST, whose
 *  parser has checked it. No I/O. */
void zc_console_write_topics (zc_buf_t *out, zc_slice_t kept, bool more);

#endif
