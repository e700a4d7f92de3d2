/*  params.h - parses the name-value pairs of FastCGI 1.0 §3.4 as they arrive. No I/O.
 *
 *  Only the values of wanted names are kept, and all others are skipped, so that the memory
 *  of a request doesn't depend on the names that a web server sends. */
#ifndef ZC_PARAMS_H
#define ZC_PARAMS_H

#include "lib/base/text.h"

/*  The names that GET_VALUES may ask for (FastCGI 1.0 §4.1). */
typedef enum {
    ZC_VALUE_MAX_CONNS,
    ZC_VALUE_MAX_REQS,
    ZC_VALUE_MPXS,
    ZC_VALUE_COUNT
} zc_params_value_t;
extern const char *const zc_value_names[ZC_VALUE_COUNT];
int zc_value_find (zc_slice_t name);

#define ZC_PARAM_NAME_MAX 31       /* bytes of a wanted name */
#define ZC_PARAMS_MAX (128 * 1024) /* bytes of one request's pairs; web servers stop far below */

typedef struct zc_params zc_params_t;

/*  The number of a wanted name, or -1. */
typedef int (*zc_params_find_fn) (zc_slice_t name);

/*  `find` gives numbers below `count`. At most `limit` bytes are read. */
zc_params_t *zc_params_new (zc_params_find_fn find, unsigned count, size_t limit);
void zc_params_destroy (zc_params_t **self_p);

/*  Reads the next bytes of the pairs, cut anywhere. Returns 0, or -1 if they can't be pairs
 *  within the limit. */
int zc_params_read (zc_params_t *self, const uint8_t *bytes, size_t len);
/*  Whether no pair is half read: the bytes may end here. */
bool zc_params_whole (const zc_params_t *self);
/*  The same from an environment ("NAME=value" up to a NULL), where a plain CGI program finds them.
 */
void zc_params_read_environment (zc_params_t *self, char *const *environment);

/*  Whether the name was there; the last one counts. */
bool zc_params_has (const zc_params_t *self, unsigned name);
/*  Fills in all values by number, borrowed; a missing one is empty. */
void zc_params_values (const zc_params_t *self, zc_slice_t *values);
/*  Bytes of all values. */
size_t zc_params_size (const zc_params_t *self);

#endif
