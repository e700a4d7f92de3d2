/*  address.h - the address of Redis, and the user and password for it.
 *
 *  redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE], redis://HOST…?db=N,
 *  redis+socket://[[USER]:PASSWORD@]/PATH[?db=N], unix:///PATH[?db=N] (the same as redis+socket).
 *  Any byte but NUL can be written as %XX (RFC 3986 §2.1); '+' is a plus. */
#ifndef ZC_REDIS_ADDRESS_H
#define ZC_REDIS_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#define ZC_PASSWORD_MAX 1024 /* bytes, with its NUL */

typedef struct {
    char *path; /* a Unix socket; NULL: host and port */
    char *host;
    int port;
    char *user, *password; /* NULL: none */
    int database;
    char *shown; /* for logs: without user and password */
} zc_address_t;

/*  Returns 0; or -1 with a sentence in `error`. After 0, the caller frees the address with
 *  zc_address_clear. */
int zc_address_parse (const char *url, zc_address_t *address, char *error, size_t size);
void zc_address_clear (zc_address_t *self);
/*  Sets the password to the first line of a file. Returns 0; or -1 with a sentence in `error`. */
int zc_address_read_password (zc_address_t *self, const char *path, char *error, size_t size);
/*  Replaces one of the texts of an address. A NULL `value` leaves the text as it is. */
void zc_address_set (char **field, const char *value);

#endif
