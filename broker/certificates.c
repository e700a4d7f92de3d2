/*  certificates.c - see certificates.h. The folder is read as a whole, so the state in use is
 *  never half old and half new. */
#include "broker/certificates.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/table.h"

#define S_LOOK_MS 1000
#define S_FILES_MAX 10000
#define S_DIGEST 32

typedef struct {
    zc_node_t node;
    zc_slice_t key; /* in the certificate */
    zc_certificate_t certificate;
    uint8_t digest[S_DIGEST]; /* of the file */
} s_entry_t;

struct zc_certificates {
    char *folder;     /* owned */
    zc_table_t table; /* owns s_entry_t */
    uint64_t state;   /* a digest of the folder's files, as they were read */
    uint64_t looked_ms;
};

/*  Files of the folder. */

static bool s_is_ours (const struct dirent *entry)
{
    size_t len = strlen (entry->d_name);
    if (entry->d_name[0] == '.')
        return false;
    return len < 7 || strcmp (entry->d_name + len - 7, "_secret") != 0;
}

typedef void (*s_visit_fn) (void *arg, int folder, const char *name, const struct stat *info);

/*  Visits each plain file. Returns false if the folder can't be read. */
static bool s_visit (const char *path, s_visit_fn visit, void *arg)
{
    DIR *folder = opendir (path);
    struct dirent *entry;
    struct stat info;
    unsigned count = 0;
    if (!folder)
        return false;
    while (count < S_FILES_MAX && (entry = readdir (folder))) {
        if (!s_is_ours (entry) || fstatat (dirfd (folder), entry->d_name, &info, 0) != 0 ||
            !S_ISREG (info.st_mode))
            continue;
        visit (arg, dirfd (folder), entry->d_name, &info);
        count++;
    }
    if (count == S_FILES_MAX)
        zc_error (ZC_EVENT ("certificates.many path most", "%s: only %d certificates are read"),
                  path, S_FILES_MAX);
    closedir (folder);
    return true;
}

static void s_mix (uint64_t *hash, const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) /* FNV-1a */
        *hash = (*hash ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3u;
}

/*  A folder's entries come in no particular order, so their hashes are added up. */
static void s_add_state (void *arg, int folder, const char *name, const struct stat *info)
{
    uint64_t *state = arg, hash = 0xcbf29ce484222325u;
    (void)folder;
    s_mix (&hash, name, strlen (name));
    s_mix (&hash, &info->st_ino, sizeof info->st_ino);
    s_mix (&hash, &info->st_size, sizeof info->st_size);
    s_mix (&hash, &info->st_mtim, sizeof info->st_mtim);
    *state += hash;
}

static uint64_t s_state (const char *folder)
{
    uint64_t state = 1;
    return s_visit (folder, s_add_state, &state) ? state : 0;
}

/*  Reading. */

static void s_free_entry (s_entry_t *entry)
{
    zc_certificate_clear (&entry->certificate);
    free (entry);
}

static void s_clear (zc_table_t *table)
{
    zc_table_cursor_t at = {0};
    s_entry_t *entry;
    while ((entry = zc_table_next (table, &at)))
        s_free_entry (entry);
    zc_table_clear (table);
}

/*  Reads a file. Returns its length, or -1 with errno. */
static ssize_t s_read (int folder, const char *name, char *bytes, size_t size)
{
    int fd = openat (folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t got = fd < 0 ? -1 : read (fd, bytes, size);
    int saved = errno;
    if (fd >= 0)
        close (fd);
    errno = saved;
    return got;
}

static const char *s_add (zc_table_t *table, s_entry_t *entry, zc_slice_t file, char *error,
                          size_t size)
{
    unsigned len = 0;
    if (zc_certificate_parse (&entry->certificate, file, error, size) != 0)
        return error;
    entry->key = (zc_slice_t){entry->certificate.public_key, ZC_CURVE_TEXT - 1};
    if (zc_table_get (table, entry->key))
        return "another file has the same key";
    if (EVP_Digest (file.at, file.len, entry->digest, &len, EVP_sha256 (), NULL) != 1)
        abort ();
    zc_table_add (table, entry);
    return NULL;
}

static void s_read_file (void *arg, int folder, const char *name, const struct stat *info)
{
    char bytes[ZC_CERTIFICATE_MAX + 1], error[256];
    s_entry_t *entry = calloc (1, sizeof *entry);
    (void)info;
    if (!entry)
        abort ();
    ssize_t len = s_read (folder, name, bytes, sizeof bytes);
    const char *wrong =
        len < 0 ? strerror (errno)
                : s_add (arg, entry, (zc_slice_t){bytes, (size_t)len}, error, sizeof error);
    if (!wrong)
        return;
    zc_error (ZC_EVENT ("certificate.malformed certificate error",
                        "certificate %s: %s: it lets nobody in"),
              name, wrong);
    s_free_entry (entry);
}

static zc_table_t s_load (const char *folder)
{
    zc_table_t table;
    zc_table_init (&table);
    if (!s_visit (folder, s_read_file, &table))
        zc_error (ZC_EVENT ("certificates.unreadable path error",
                            "certificates %s: %s: no peer is let in"),
                  folder, strerror (errno));
    else
        zc_info (ZC_EVENT ("certificates.read path count", "certificates %s: %zu are valid"),
                 folder, table.size);
    return table;
}

zc_certificates_t *zc_certificates_new (const char *folder)
{
    zc_certificates_t *self = calloc (1, sizeof *self);
    if (!self || !(self->folder = strdup (folder)))
        abort ();
    self->state = s_state (folder);
    self->table = s_load (folder);
    return self;
}

void zc_certificates_destroy (zc_certificates_t **self_p)
{
    zc_certificates_t *self = *self_p;
    if (!self)
        return;
    s_clear (&self->table);
    free (self->folder);
    free (self);
    *self_p = NULL;
}

const zc_certificate_t *zc_certificates_find (const zc_certificates_t *self, zc_slice_t key)
{
    const s_entry_t *entry = zc_table_get (&self->table, key);
    return entry ? &entry->certificate : NULL;
}

size_t zc_certificates_count (const zc_certificates_t *self)
{
    return self->table.size;
}

/*  Whether a certificate of `old` is gone, or differs. */
static bool s_less (const zc_table_t *old, const zc_table_t *now)
{
    zc_table_cursor_t at = {0};
    const s_entry_t *entry, *same;
    while ((entry = zc_table_next (old, &at))) {
        same = zc_table_get (now, entry->key);
        if (!same || memcmp (same->digest, entry->digest, S_DIGEST) != 0)
            return true;
    }
    return false;
}

zc_certificates_change_t zc_certificates_turn (zc_certificates_t *self, uint64_t now_ms)
{
    if (now_ms - self->looked_ms < S_LOOK_MS)
        return ZC_CERTIFICATES_SAME;
    self->looked_ms = now_ms;
    uint64_t state = s_state (self->folder);
    if (state == self->state)
        return ZC_CERTIFICATES_SAME;
    zc_table_t old = self->table;
    self->state = state;
    self->table = s_load (self->folder);
    bool less = s_less (&old, &self->table);
    s_clear (&old);
    return less ? ZC_CERTIFICATES_LESS : ZC_CERTIFICATES_MORE;
}
