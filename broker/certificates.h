/*  certificates.h - the public CURVE certificates in a folder, which say who may connect and
 *  with which rights. The folder is read again when it changes.
 *
 *  A file that can't be read, or isn't a certificate, admits nobody; it is logged once, and the
 *  other files count. */
#ifndef ZC_CERTIFICATES_H
#define ZC_CERTIFICATES_H

#include "lib/access/certificate.h"

typedef struct zc_certificates zc_certificates_t;

/*  Reads the folder, which need not exist yet. */
zc_certificates_t *zc_certificates_new (const char *folder);
void zc_certificates_destroy (zc_certificates_t **self_p);

/*  The certificate with this public key (Z85, not terminated), borrowed until the next
 *  zc_certificates_turn; NULL if there is none. */
const zc_certificate_t *zc_certificates_find (const zc_certificates_t *self, zc_slice_t key);
typedef enum {
    ZC_CERTIFICATES_SAME,
    ZC_CERTIFICATES_MORE, /* read again: no rights were lost */
    ZC_CERTIFICATES_LESS, /* read again: a certificate is gone or has changed; all connections must
                             be made anew */
} zc_certificates_change_t;

/*  Looks whether the folder has changed, at most once a second. `now_ms` is monotonic. */
zc_certificates_change_t zc_certificates_turn (zc_certificates_t *self, uint64_t now_ms);
size_t zc_certificates_count (const zc_certificates_t *self);

#endif
