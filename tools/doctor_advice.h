/*  doctor_advice.h - the line to change, for each finding and each web server. No I/O. */
#ifndef ZC_DOCTOR_ADVICE_H
#define ZC_DOCTOR_ADVICE_H

#include "lib/base/text.h"

typedef enum {
    ZC_WEB_NGINX,
    ZC_WEB_LIGHTTPD,
    ZC_WEB_APACHE,
    ZC_WEB_CADDY,
    ZC_WEB_HAPROXY,
    ZC_WEB_ZCAST, /* zcast.conf; in the table, but never the server that answers */
    ZC_WEB_SERVERS,
    ZC_WEB_UNKNOWN = ZC_WEB_SERVERS,
} zc_web_server_t;
#define ZC_WEB_CHOICES "nginx|lighttpd|apache|caddy|haproxy"

typedef enum {
    ZC_ADVICE_NONE,
    ZC_ADVICE_LISTEN,     /* nothing listens */
    ZC_ADVICE_REDIRECT,   /* the URL leads to another one: the parameter */
    ZC_ADVICE_PATH,       /* nothing is served there */
    ZC_ADVICE_WORKER,     /* the worker can't be reached */
    ZC_ADVICE_ERROR_PAGE, /* an error is answered with its status */
    ZC_ADVICE_TYPE,       /* the stream isn't text/event-stream */
    ZC_ADVICE_BUFFERING,
    ZC_ADVICE_DELAY, /* events are gathered for a moment */
    ZC_ADVICE_ACCEL, /* X-Accel-Buffering is missing */
    ZC_ADVICE_COMPRESSION,
    ZC_ADVICE_CACHE,
    ZC_ADVICE_IDLE,
    ZC_ADVICE_HEARTBEAT, /* none comes */
    ZC_ADVICE_CORS,      /* the parameter is the origin */
    ZC_ADVICE_CORS_TWICE,
    ZC_ADVICE_CORS_HEADERS,
    ZC_ADVICE_LAST_ID, /* Last-Event-ID is removed */
    ZC_ADVICE_HISTORY, /* history doesn't reach back */
    ZC_ADVICE_UPGRADE,
    ZC_ADVICE_SOCKET_PATH,
    ZC_ADVICE_SOCKET_IDLE,
    ZC_ADVICE_ALLOW_ORIGIN, /* a page of another site, the parameter, opens a WebSocket */
    ZC_ADVICE_HOST,         /* the page's host isn't known: the parameter */
    ZC_ADVICE_TOKEN_HEADER, /* Authorization is removed */
    ZC_ADVICE_TOKEN,        /* the token is refused */
    ZC_ADVICE_CERTIFICATE,
    ZC_ADVICE_HTTP2,
    ZC_ADVICE_TLS, /* there is none */
    ZC_ADVICE_CLOCK,
    ZC_ADVICE_PUBLISH, /* nobody may publish there */
    ZC_ADVICE_LIMIT,   /* too many connections */
    ZC_ADVICES,
} zc_advice_t;

/*  "nginx"; "zcast.conf". */
const char *zc_web_server_name (zc_web_server_t server);
/*  The server that a field Server names, or the option --server; ZC_WEB_UNKNOWN if it is none of
 *  these. */
zc_web_server_t zc_web_server_find (const char *text);
/*  Stands for the parameter in a line or hint. */
#define ZC_ADVICE_PARAMETER '\1'
/*  The line for a server; NULL: none. */
const char *zc_advice_line (zc_advice_t advice, zc_web_server_t server);
/*  What to do, whatever the server; NULL: the lines say all. */
const char *zc_advice_hint (zc_advice_t advice);

#endif
