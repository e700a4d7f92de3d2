/*  certificate.c - see certificate.h. */
#include "lib/access/certificate.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "lib/config/zpl.h"

/*  Some versions of zmq_z85_decode take a character outside of the alphabet for 0. */
bool zc_curve_key_valid (const char *text)
{
    static const char alphabet[] = "0123456789abcdefghijklmnopqrstuvwxyz"
                                   "ABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
    uint8_t key[32];
    return strlen (text) == ZC_CURVE_TEXT - 1 && strspn (text, alphabet) == ZC_CURVE_TEXT - 1 &&
           zmq_z85_decode (key, text) != NULL;
}

/*  Copies a key, if the file has it. Returns false if it is malformed. */
static bool s_key (zconfig_t *root, const char *path, char key[ZC_CURVE_TEXT])
{
    const char *text = zconfig_get (root, path, "");
    if (!*text)
        return true;
    if (!zc_curve_key_valid (text))
        return false;
    memcpy (key, text, ZC_CURVE_TEXT);
    return true;
}

static const char *s_read_keys (zc_certificate_t *self, zconfig_t *root)
{
    char derived[ZC_CURVE_TEXT];
    if (!s_key (root, "curve/public-key", self->public_key) || !*self->public_key)
        return "its curve/public-key must be 40 characters of Z85";
    if (!s_key (root, "curve/secret-key", self->secret_key))
        return "its curve/secret-key must be 40 characters of Z85";
    if (!s_key (root, "metadata/server", self->server))
        return "its metadata/server must be a public key: 40 characters of Z85";
    if (!*self->secret_key)
        return NULL;
    if (zmq_curve_public (derived, self->secret_key) != 0 ||
        strcmp (derived, self->public_key) != 0)
        return "its secret key isn't that of its public key";
    return NULL;
}

/*  Reads "yes" or "no"; without a value, no. Returns false for any other value. */
static bool s_flag (zconfig_t *root, const char *path, bool *flag)
{
    const char *text = zconfig_get (root, path, "no");
    *flag = strcmp (text, "yes") == 0;
    return *flag || strcmp (text, "no") == 0;
}

static bool s_read_publish (zc_certificate_t *self, const char *topics)
{
    while (*(topics += strspn (topics, " "))) {
        zc_slice_t topic = {topics, strcspn (topics, " ")};
        if (zc_grants_add (self->grants, ZC_GRANT_PUBLISH, topic) != 0)
            return false;
        topics += topic.len;
    }
    return true;
}

static const char *s_read_metadata (zc_certificate_t *self, zconfig_t *root)
{
    const char *name = zconfig_get (root, "metadata/name", "");
    bool subscribe;
    if (strlen (name) > ZC_CERTIFICATE_NAME_MAX || !zc_text_plain (name, strlen (name)))
        return "its metadata/name must be at most 256 bytes of UTF-8 without control characters";
    self->name = strdup (name);
    self->grants = zc_grants_new ();
    if (!self->name)
        abort ();
    if (!s_read_publish (self, zconfig_get (root, "metadata/publish", "")))
        return "its metadata/publish must be topics, or prefixes with a * at their end";
    if (!s_flag (root, "metadata/subscribe", &subscribe) ||
        !s_flag (root, "metadata/control", &self->control))
        return "its metadata/subscribe and metadata/control must be yes or no";
    if (subscribe)
        zc_grants_add (self->grants, ZC_GRANT_SUBSCRIBE, (zc_slice_t){"*", 1});
    return NULL;
}

int zc_certificate_parse (zc_certificate_t *self, zc_slice_t file, char *error, size_t size)
{
    zc_zpl_t zpl;
    unsigned line;
    const char *reason;
    memset (self, 0, sizeof *self);
    if (file.len > ZC_CERTIFICATE_MAX) {
        snprintf (error, size, "it has more than %d bytes", ZC_CERTIFICATE_MAX);
        return -1;
    }
    if (zc_zpl_parse (&zpl, file.at, file.len, &line, &reason) != 0) {
        snprintf (error, size, "line %u: %s", line, reason);
        return -1;
    }
    reason = s_read_keys (self, zpl.root);
    if (!reason)
        reason = s_read_metadata (self, zpl.root);
    zc_zpl_clear (&zpl);
    if (!reason)
        return 0;
    snprintf (error, size, "%s", reason);
    zc_certificate_clear (self);
    return -1;
}

void zc_certificate_clear (zc_certificate_t *self)
{
    free (self->name);
    zc_grants_destroy (&self->grants);
    OPENSSL_cleanse (self, sizeof *self);
}
