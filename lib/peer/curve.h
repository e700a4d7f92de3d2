/*  curve.h - this process's CURVE key pair (ZeroMQ RFC 26) and the broker's public key. Where
 *  the options name them, every connection to the broker is encrypted. */
#ifndef ZC_CURVE_H
#define ZC_CURVE_H

#include "lib/access/certificate.h"
#include "lib/config/options.h"

/* clang-format off */
#define ZC_CURVE_KEY_OPTION                                                                       \
    {.name = "curve-key", .type = ZC_OPT_TEXT, .min = 1, .max = 4096, .argument = "FILE",         \
     .help = "a CURVE certificate with its secret key (zmq keygen): encrypts all connections"}
#define ZC_CURVE_SERVER_OPTION                                                                    \
    {.name = "curve-server", .type = ZC_OPT_TEXT, .min = 1, .max = 4096, .argument = "KEY|FILE",  \
     .help = "the broker's public key, or its public certificate; else the one that curve-key "   \
             "names"}
/* clang-format on */

/*  Reads a certificate's file. Returns 0, or -1 with a sentence in `error` that names the file.
 *  With `secret`, a certificate without its secret key is refused. */
int zc_curve_read (zc_certificate_t *certificate, const char *path, bool secret, char *error,
                   size_t size);

/*  Reads the certificates that the options curve-key and curve-server name, once, before the
 *  first connection. Returns 0, also where they name none (then there is no CURVE); or -1 with a
 *  sentence in `error`. */
int zc_curve_start (const zc_options_t *options, char *error, size_t size);
/*  Prepares a socket, before it is connected, for encryption with the broker's key. Does nothing
 *  without CURVE. */
void zc_curve_apply (void *socket);

#endif
