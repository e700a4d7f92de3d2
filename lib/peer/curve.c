/*  curve.c - see curve.h. A process has one key pair for all its connections, so the pair is
 *  kept here, and isn't passed through all functions that open a socket. */
#include "lib/peer/curve.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "lib/base/log.h"

static struct {
    char public_key[ZC_CURVE_TEXT], secret_key[ZC_CURVE_TEXT], server[ZC_CURVE_TEXT];
} s_own;

int zc_curve_read (zc_certificate_t *certificate, const char *path, bool secret, char *error,
                   size_t size)
{
    char bytes[ZC_CERTIFICATE_MAX + 1], why[256] = "";
    struct stat info = {0};
    int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc = -1;
    ssize_t len = fd >= 0 && fstat (fd, &info) == 0 ? read (fd, bytes, sizeof bytes) : -1;
    if (len < 0)
        snprintf (why, sizeof why, "%s", strerror (errno));
    else
        rc = zc_certificate_parse (certificate, (zc_slice_t){bytes, (size_t)len}, why, sizeof why);
    if (fd >= 0)
        close (fd);
    OPENSSL_cleanse (bytes, sizeof bytes);
    if (rc == 0 && secret && !*certificate->secret_key) {
        snprintf (why, sizeof why, "it has no secret key: name the file that ends in _secret");
        zc_certificate_clear (certificate);
        rc = -1;
    }
    if (rc != 0)
        snprintf (error, size, "certificate %s: %s", path, why);
    else if (secret && info.st_mode & (S_IRWXO))
        zc_warn (
            ZC_EVENT (
                "certificate.exposed path",
                "certificate %s: every user of this machine can read its secret key; chmod o="),
            path);
    return rc;
}

/*  Takes the broker's key from the value itself, or from the file that it names. */
static int s_read_server (const char *value, char *error, size_t size)
{
    zc_certificate_t server;
    if (zc_curve_key_valid (value)) {
        memcpy (s_own.server, value, ZC_CURVE_TEXT);
        return 0;
    }
    if (zc_curve_read (&server, value, false, error, size) != 0)
        return -1;
    memcpy (s_own.server, server.public_key, ZC_CURVE_TEXT);
    zc_certificate_clear (&server);
    return 0;
}

int zc_curve_start (const zc_options_t *options, char *error, size_t size)
{
    const char *key = zc_options_text (options, "curve-key");
    const char *server = zc_options_text (options, "curve-server");
    zc_certificate_t own;
    if (!key && !server)
        return 0;
    if (!key) {
        snprintf (error, size, "curve-server needs curve-key too: zmq keygen makes one");
        return -1;
    }
    if (zc_curve_read (&own, key, true, error, size) != 0)
        return -1;
    memcpy (s_own.public_key, own.public_key, ZC_CURVE_TEXT);
    memcpy (s_own.secret_key, own.secret_key, ZC_CURVE_TEXT);
    memcpy (s_own.server, own.server, ZC_CURVE_TEXT);
    zc_certificate_clear (&own);
    if (server && s_read_server (server, error, size) != 0)
        return -1;
    if (*s_own.server)
        return 0;
    snprintf (error, size,
              "certificate %s names no server: say which broker's key with curve-server", key);
    return -1;
}

void zc_curve_apply (void *socket)
{
    if (!*s_own.server)
        return;
    int rc = zmq_setsockopt (socket, ZMQ_CURVE_SERVERKEY, s_own.server, ZC_CURVE_TEXT);
    rc |= zmq_setsockopt (socket, ZMQ_CURVE_PUBLICKEY, s_own.public_key, ZC_CURVE_TEXT);
    rc |= zmq_setsockopt (socket, ZMQ_CURVE_SECRETKEY, s_own.secret_key, ZC_CURVE_TEXT);
    assert (rc == 0); /* valid keys were read, and a libzmq without CURVE refuses to start */
}
