/*  request.h - one HTTP request, whoever carried it: method, path, query, the header fields that
 *  some door reads, and where it came from. No I/O.
 *
 *  FastCGI and CGI name the same things as variables (RFC 3875 §4.1): a table of names, one look-up
 *  for each form. What nobody reads is never kept. */
#ifndef ZC_REQUEST_H
#define ZC_REQUEST_H

#include "lib/base/text.h"

/*  Each is a bit, so that a door can say which it takes. */
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

/*  A new field: its name in request.c. */
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

/*  What CGI has beside the fields. Numbered on from them, so that one array holds both. */
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

#define ZC_BODY_UNKNOWN (-1) /* its end shows when it comes */

typedef struct {
    zc_method_t method;
    zc_slice_t path, query;            /* as they came, escaped; query without its '?' */
    zc_slice_t fields[ZC_FIELD_COUNT]; /* at is NULL where it isn't there */
    zc_slice_t peer;              /* the address at the other end, as text; empty: this machine */
    uint16_t port;                /* at the other end; 0: unknown */
    int64_t body;                 /* bytes, 0: there is none, or ZC_BODY_UNKNOWN */
    bool websocket;               /* it asks for an upgrade to WebSocket */
    bool http10;                  /* it was HTTP/1.0 */
    char *joined[ZC_FIELD_COUNT]; /* owned: lists that came in several fields */
} zc_request_t;

/*  All slices are borrowed, but those of `joined`. */
void zc_request_init (zc_request_t *self);
void zc_request_clear (zc_request_t *self);

/*  A field's number by its name, in letters of either case; -1: nobody reads it. */
int zc_field_find (zc_slice_t name);
/*  The number of a variable, or of a field by its variable (HTTP_LAST_EVENT_ID, CONTENT_TYPE); -1:
 *  nobody reads it. */
int zc_cgi_find (zc_slice_t name);
/*  The name of a number, for tests and messages: "Last-Event-ID", "QUERY_STRING". */
const char *zc_cgi_name (unsigned number);

/*  Takes a field of an HTTP head. Lists that come in several fields are joined (RFC 9110 §5.3).
 *  Returns -1 where it may come once only, and has come before. */
int zc_request_add (zc_request_t *self, zc_field_t field, zc_slice_t value);
/*  From the variables of FastCGI or CGI, by number. Returns 0, or -1 where CONTENT_LENGTH is no
 *  number. The path is that of REQUEST_URI, since web servers agree on this one; else SCRIPT_NAME;
 *  empty: it isn't told. */
int zc_request_from_variables (zc_request_t *self, const zc_slice_t values[ZC_VARIABLE_COUNT]);

#endif
