/*  request.h - one HTTP request, independent of its carrier: method, path, query, the header fields
 *  that some door reads, and the peer. No I/O.
 *
 *  FastCGI and CGI name the same things as variables (RFC 3875 §4.1). So there is one table of
 *  names, with one look-up for each of the two forms. Fields that no door reads are never kept. */
#ifndef ZC_REQUEST_H
#define ZC_REQUEST_H

#include "lib/base/text.h"

/*  Each is a bit, so that a door can name a set of methods. */
typedef enum {
    ZC_METHOD_OTHER = 0,
    ZC_METHOD_GET = 1,
    ZC_METHOD_HEAD = 2,
    ZC_METHOD_OPTIONS = 4,
    ZC_METHOD_POST = 8,
    ZC_METHOD_PUT = 16,
    ZC_METHOD_DELETE = 32,
} zc_method_t;
zc_method_t zc_method_parse (zc_slice_t name);
/*  Writes a set as "GET, HEAD, OPTIONS", cut where `size` is too small. Returns the text. */
const char *zc_method_names (unsigned methods, char *text, size_t size);

/*  To add a field, add its name in request.c, too. */
typedef enum {
    ZC_FIELD_ACCEPT,
    ZC_FIELD_AUTHORIZATION,
    ZC_FIELD_CONTENT_TYPE,
    ZC_FIELD_COOKIE,
    ZC_FIELD_FORWARDED,
    ZC_FIELD_HOST,
    ZC_FIELD_IDEMPOTENCY_KEY,
    ZC_FIELD_IF_NONE_MATCH,
    ZC_FIELD_LAST_EVENT_ID,
    ZC_FIELD_ORIGIN,
    ZC_FIELD_REFERER,
    ZC_FIELD_SEC_WEBSOCKET_EXTENSIONS,
    ZC_FIELD_SEC_WEBSOCKET_KEY,
    ZC_FIELD_SEC_WEBSOCKET_PROTOCOL,
    ZC_FIELD_SEC_WEBSOCKET_VERSION,
    ZC_FIELD_TRACEPARENT,
    ZC_FIELD_X_FORWARDED_FOR,
    ZC_FIELD_X_FORWARDED_HOST,
    ZC_FIELD_ZCAST_EVENT,
    ZC_FIELD_ZCAST_ID,
    ZC_FIELD_ZCAST_KEY,
    ZC_FIELD_ZCAST_PRIVATE,
    ZC_FIELD_ZCAST_RETRY,
    ZC_FIELD_ZCAST_TOPIC,
    ZC_FIELD_ZCAST_TTL,
    ZC_FIELD_COUNT
} zc_field_t;

/*  The variables of CGI that aren't header fields. Their numbers follow those of the fields, so
 *  that one array holds both. */
enum {
    ZC_VARIABLE_REQUEST_METHOD = ZC_FIELD_COUNT,
    ZC_VARIABLE_REQUEST_URI,
    ZC_VARIABLE_SCRIPT_NAME,
    ZC_VARIABLE_PATH_INFO,
    ZC_VARIABLE_QUERY_STRING,
    ZC_VARIABLE_CONTENT_LENGTH,
    ZC_VARIABLE_REMOTE_ADDR,
    ZC_VARIABLE_REMOTE_PORT,
    ZC_VARIABLE_COUNT
};

#define ZC_BODY_UNKNOWN (-1) /* the body's length is known only when its end comes */

typedef struct {
    zc_method_t method;
    zc_slice_t path, query;            /* escaped, as they came; query without its '?' */
    zc_slice_t fields[ZC_FIELD_COUNT]; /* at is NULL if the request doesn't have the field */
    zc_slice_t peer;                   /* the peer's address, as text; empty: on this machine */
    uint16_t port;                     /* the peer's; 0: unknown */
    int64_t body;                      /* bytes of the body; 0: none; or ZC_BODY_UNKNOWN */
    bool websocket;                    /* the request asks for an upgrade to WebSocket */
    bool http10;                       /* the request is of HTTP/1.0 */
    char *joined[ZC_FIELD_COUNT];      /* owned: lists that came in several fields */
} zc_request_t;

/*  All slices are borrowed, except those of `joined`. */
void zc_request_init (zc_request_t *self);
void zc_request_clear (zc_request_t *self);

/*  The number of a field by its name, in letters of either case. -1: nobody reads this field. */
int zc_field_find (zc_slice_t name);
/*  The number of a variable, or of a field by its variable (HTTP_LAST_EVENT_ID, CONTENT_TYPE). -1:
 *  nobody reads it. */
int zc_cgi_find (zc_slice_t name);
/*  The name of a number, for tests and messages: "Last-Event-ID", "QUERY_STRING". */
const char *zc_cgi_name (unsigned number);

/*  Takes a field of an HTTP head. A list that comes in several fields is joined (RFC 9110 §5.3).
 *  Returns 0; or -1 if the field may come only once, and has come before. */
int zc_request_add (zc_request_t *self, zc_field_t field, zc_slice_t value);
/*  Fills a request from the variables of FastCGI or CGI, by number. Returns 0; or -1 if
 *  CONTENT_LENGTH is no number. The path is that of REQUEST_URI, since all web servers agree on it;
 *  else SCRIPT_NAME; empty: the web server gives none. */
int zc_request_from_variables (zc_request_t *self, const zc_slice_t values[ZC_VARIABLE_COUNT]);

#endif
