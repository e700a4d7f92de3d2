/*  params.h - name-value pairs as FastCGI 1.0 §3.4 puts them on the wire, read as they come.
 *
 *  Only the values of a table of wanted names are kept, all others are passed over, so that what a
 *  request costs does not depend on what a web server likes to send. No I/O. */
#ifndef ZC_PARAMS_H
#define ZC_PARAMS_H

#include "lib/base/text.h"

/*  What zcast-fcgi wants to know of a request (RFC 3875 §4.1). */
typedef enum {
    ZC_PARAM_QUERY_STRING,
    ZC_PARAM_REQUEST_METHOD,
    ZC_PARAM_LAST_EVENT_ID,
    ZC_PARAM_ORIGIN,
    ZC_PARAM_REMOTE_ADDR,
    ZC_PARAM_REMOTE_PORT,
    ZC_PARAM_COUNT
} zc_param_t;
extern const char *const zc_param_names[ZC_PARAM_COUNT];

/*  What GET_VALUES may ask for (FastCGI 1.0 §4.1). */
typedef enum { ZC_VALUE_MAX_CONNS, ZC_VALUE_MAX_REQS, ZC_VALUE_MPXS, ZC_VALUE_COUNT } zc_value_t;
extern const char *const zc_value_names[ZC_VALUE_COUNT];

#define ZC_PARAMS_NAMES 8          /* names that a table may have */
#define ZC_PARAM_NAME_MAX 31       /* bytes of a wanted name */
#define ZC_PARAMS_MAX (128 * 1024) /* bytes of one request's pairs; web servers stop far below */

typedef struct zc_params zc_params_t;

/*  `names` is borrowed, static. At most `limit` bytes are read. */
zc_params_t *zc_params_new (const char *const *names, size_t count, size_t limit);
void zc_params_destroy (zc_params_t **self_p);

/*  The next bytes of the pairs, cut anywhere. Returns 0, or -1 where they cannot be pairs within
 *  the limit. */
int zc_params_read (zc_params_t *self, const uint8_t *bytes, size_t len);
/*  No pair is half read: the bytes may end here. */
bool zc_params_whole (const zc_params_t *self);
/*  The same from the process's environment, where a plain CGI program finds them. */
void zc_params_read_environment (zc_params_t *self);

/*  True where the name was there; the last one counts. */
bool zc_params_has (const zc_params_t *self, unsigned name);
/*  Its value, borrowed; empty where it wasn't there. */
zc_slice_t zc_params_get (const zc_params_t *self, unsigned name);

#endif
