/*  certificates.h - who may connect with CURVE, and what each may: the public certificates in a
 *  folder, read again when it changes.
 *
 *  A file that can't be read or isn't a certificate lets nobody in; it is said once, and the others
 *  count. */
#ifndef ZC_CERTIFICATES_H
#define ZC_CERTIFICATES_H

#include "lib/access/certificate.h"

typedef struct zc_certificates zc_certificates_t;

/*  Reads the folder; it need not be there yet. */
zc_certificates_t *zc_certificates_new (const char *folder);
void zc_certificates_destroy (zc_certificates_t **self_p);

/*  The certificate with this public key (Z85, not terminated), borrowed until the next
 *  zc_certificates_turn; NULL where there is none. */
const zc_certificate_t *zc_certificates_find (const zc_certificates_t *self, zc_slice_t key);
typedef enum {
    ZC_CERTIFICATES_SAME,
    ZC_CERTIFICATES_MORE, /* read again: nobody may less than before */
    ZC_CERTIFICATES_LESS, /* read again: one is gone, or another one; connections must be made anew
                           */
} zc_certificates_change_t;

/*  Looks, at most once a second, whether the folder changed. `now_ms` is monotonic. */
zc_certificates_change_t zc_certificates_turn (zc_certificates_t *self, uint64_t now_ms);
size_t zc_certificates_count (const zc_certificates_t *self);

#endif
