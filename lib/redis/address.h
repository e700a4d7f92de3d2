/*  address.h - the address of Redis, and the user and password for it.
 *
 *  redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE], redis://HOST…?db=N,
 *  redis+socket://[[USER]:PASSWORD@]/PATH[?db=N], unix:///PATH[?db=N] (the same as redis+socket),
 *  redis+sentinel://[[USER]:PASSWORD@]HOST[:PORT][,HOST[:PORT]...]/NAME[?db=N] (Sentinels, which
 *  know the master of that name).
 *  Any byte but NUL can be written as %XX (RFC 3986 §2.1); '+' is a plus. */
#ifndef ZC_REDIS_ADDRESS_H
#define ZC_REDIS_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#define ZC_PASSWORD_MAX 1024 /* bytes, with its NUL */

#define ZC_HOST_MAX 255 /* bytes of a host that a Sentinel names */

typedef struct {
    char *host;
    int port;
} zc_place_t;

typedef struct {
    char *path; /* a Unix socket; NULL: host and port */
    char *host; /* NULL: Sentinels tell */
    int port;
    zc_place_t *sentinels; /* NULL: none */
    size_t sentinel_count;
    char *service;         /* what the Sentinels call the master */
    char *user, *password; /* NULL: none */
    int database;
    char *shown; /* for logs: without user and password */
} zc_address_t;

/*  Returns 0; or -1 with a sentence in `error`. After 0, the caller frees the address with
 *  zc_address_clear. */
int zc_address_parse (const char *url, zc_address_t *address, char *error, size_t size);
void zc_address_clear (zc_address_t *self);
/*  The address of one of its Sentinels, with user and password or without. The caller frees it with
 *  zc_address_clear. */
void zc_address_sentinel (const zc_address_t *self, size_t index, bool authenticates,
                          zc_address_t *sentinel);
/*  Sets the password to the first line of a file. Returns 0; or -1 with a sentence in `error`. */
int zc_address_read_password (zc_address_t *self, const char *path, char *error, size_t size);
/*  Replaces one of the texts of an address. A NULL `value` leaves the text as it is. */
void zc_address_set (char **field, const char *value);

#endif
