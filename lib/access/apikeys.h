/*  apikeys.h - keys for publishers that can't make tokens: long random texts, of which the
 *  server keeps a hash. No I/O.
 *
 *  An API key is `zck_` and 43 characters of base64url: 256 random bits. So a plain SHA-256
 *  protects it, and no slower hash is needed. The file has one key a line:
 *
 *       NAME HASH [publish=TOPIC[,TOPIC…]] [subscribe=TOPIC[,TOPIC…]]
 *
 *  NAME is the subject in limits and logs, HASH the SHA-256 of the whole key in hexadecimal,
 *  TOPIC a topic or a prefix with `*`, as in a token. A topic with a blank or a comma can't be
 *  named, but a prefix can cover it. Empty lines, and lines that begin with `#`, are passed
 *  over. */
#ifndef ZC_APIKEYS_H
#define ZC_APIKEYS_H

#include "lib/access/grants.h"
#include "lib/base/buf.h"

#define ZC_APIKEY_PREFIX "zck_"
#define ZC_APIKEY_LEN 47            /* bytes of a key */
#define ZC_APIKEYS_MAX 1000         /* keys in a file */
#define ZC_APIKEYS_FILE_MAX 1048576 /* bytes of a file */

typedef struct {
    const char *name;
    const zc_grants_t *grants;
} zc_apikey_t;

typedef struct zc_apikeys zc_apikeys_t;

/*  NULL, with a sentence without a full stop in `error` that says which line is wrong. */
zc_apikeys_t *zc_apikeys_new (zc_slice_t file, char *error, size_t size);
void zc_apikeys_destroy (zc_apikeys_t **self_p);

/*  Whether a text has the form of an API key: no other kind of token has it. */
bool zc_apikey_form (zc_slice_t text);
/*  The key, borrowed; NULL where the text is none of these keys. The time that the search takes
 *  doesn't tell how much of the text was right. */
const zc_apikey_t *zc_apikeys_find (const zc_apikeys_t *self, zc_slice_t text);

/*  Makes a new key: appends its text to `key`, and its HASH for the file to `hash`. Returns 0,
 *  or -1 where there is no randomness. */
int zc_apikey_make (zc_buf_t *key, zc_buf_t *hash);

#endif
