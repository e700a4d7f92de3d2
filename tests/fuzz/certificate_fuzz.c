/*  Certificates: an accepted one has keys that ZeroMQ accepts, and a refused one leaves nothing
 *  behind. */
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "lib/access/certificate.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    zc_certificate_t one;
    char error[128] = "";
    uint8_t key[32];
    if (zc_certificate_parse (&one, (zc_slice_t){(const char *)data, size}, error, sizeof error) ==
        0) {
        if (!zmq_z85_decode (key, one.public_key) || strlen (one.name) > ZC_CERTIFICATE_NAME_MAX)
            abort ();
        if (*one.secret_key && !zmq_z85_decode (key, one.secret_key))
            abort ();
    } else if (!*error || one.name || one.grants) {
        abort ();
    }
    zc_certificate_clear (&one);
    return 0;
}
