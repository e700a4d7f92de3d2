/*  doctor_head.c - see doctor_head.h. */
#define _GNU_SOURCE /* strptime, memmem */
#include "tools/doctor_head.h"

#include <string.h>
#include <time.h>

#include "lib/wire/field.h"

void zc_doctor_copy (char *out, size_t size, zc_slice_t text)
{
    char escaped[4 * 256];
    size_t len = text.len < sizeof escaped / 4 ? text.len : sizeof escaped / 4;
    len = zc_text_escape (text.at, zc_text_whole (text.at, len), escaped);
    if (len >= size)
        len = zc_text_whole (escaped, size - 1);
    memcpy (out, escaped, len);
    out[len] = 0;
}

/*  "HTTP/1.1 200 OK", "HTTP/2 200". False: it is no status line. */
static bool s_status (zc_slice_t line, int *status)
{
    uint64_t value;
    if (!zc_slice_starts (line, "HTTP/"))
        return false;
    const char *space = memchr (line.at, ' ', line.len);
    size_t left = space ? line.len - (size_t)(space + 1 - line.at) : 0;
    if (left < 3 || (left > 3 && space[4] != ' ') || zc_text_u64 (space + 1, 3, 999, &value) != 0)
        return false;
    *status = (int)value;
    return value >= 100;
}

/*  RFC 9110 §5.6.7, in the one form that is sent. */
static int64_t s_date (zc_slice_t text)
{
    char copy[40];
    struct tm tm = {0};
    if (text.len >= sizeof copy || memchr (text.at, 0, text.len))
        return 0;
    memcpy (copy, text.at, text.len);
    copy[text.len] = 0;
    const char *end = strptime (copy, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    return end && !*end ? (int64_t)timegm (&tm) : 0;
}

static void s_cache (zc_doctor_head_t *self, zc_slice_t value)
{
    zc_slice_t list = value, word;
    bool lives = false;
    zc_doctor_copy (self->cache, sizeof self->cache, value);
    while (zc_list_next (&list, &word)) {
        self->no_cache |= zc_field_is (word, "no-cache") || zc_field_is (word, "no-store");
        self->no_transform |= zc_field_is (word, "no-transform");
        lives |= zc_slice_starts (word, "max-age=") || zc_slice_starts (word, "s-maxage=");
    }
    self->no_cache &= !lives;
}

static void s_origin (zc_doctor_head_t *self, zc_slice_t value)
{
    if (self->origins++ == 0)
        zc_doctor_copy (self->origin, sizeof self->origin, value);
}

/*  Fields of which the text is kept. */
static const struct {
    const char *name;
    size_t at, size;
} s_texts[] = {
#define S_TEXT(name, member)                                                              \
    {                                                                                     \
        name, offsetof (zc_doctor_head_t, member), sizeof ((zc_doctor_head_t *)0)->member \
    }
    S_TEXT ("Server", server),
    S_TEXT ("Content-Encoding", encoding),
    S_TEXT ("Location", location),
    S_TEXT ("Sec-WebSocket-Accept", accept),
    S_TEXT ("Sec-WebSocket-Protocol", protocol),
    S_TEXT ("Sec-WebSocket-Extensions", extensions),
#undef S_TEXT
};

static void s_field (zc_doctor_head_t *self, zc_slice_t name, zc_slice_t value)
{
    for (size_t i = 0; i < sizeof s_texts / sizeof *s_texts; i++)
        if (zc_field_is (name, s_texts[i].name))
            zc_doctor_copy ((char *)self + s_texts[i].at, s_texts[i].size, value);
    if (zc_field_is (name, "Content-Type"))
        zc_doctor_copy (self->type, sizeof self->type, zc_media_type (value));
    else if (zc_field_is (name, "Cache-Control"))
        s_cache (self, value);
    else if (zc_field_is (name, "Age"))
        self->aged = true;
    else if (zc_field_is (name, "X-Accel-Buffering"))
        self->unbuffered = zc_field_is (value, "no");
    else if (zc_field_is (name, "Date"))
        self->date_s = s_date (value);
    else if (zc_field_is (name, "Access-Control-Allow-Origin"))
        s_origin (self, value);
    else if (zc_field_is (name, "Access-Control-Allow-Credentials"))
        self->credentials = zc_slice_is (value, "true");
    else if (zc_field_is (name, "Access-Control-Allow-Headers")) {
        self->allows_last_id |= zc_list_has (value, "Last-Event-ID");
        self->allows_token |= zc_list_has (value, "Authorization");
    }
}

void zc_doctor_head_line (zc_doctor_head_t *self, zc_slice_t line)
{
    int status;
    zc_slice_t name;
    while (line.len > 0 && (line.at[line.len - 1] == '\n' || line.at[line.len - 1] == '\r'))
        line.len--;
    if (s_status (line, &status))
        *self = (zc_doctor_head_t){.status = status};
    else if (zc_field_cut (&line, ':', &name))
        s_field (self, name, zc_field_trim (line));
}

long zc_doctor_head_read (zc_doctor_head_t *self, zc_slice_t bytes)
{
    zc_slice_t left = bytes, line;
    const char *end = bytes.len ? memmem (bytes.at, bytes.len, "\r\n\r\n", 4) : NULL;
    size_t len = end ? (size_t)(end - bytes.at) + 4 : bytes.len;
    static const char begin[] = "HTTP/1.";
    size_t seen = bytes.len < sizeof begin - 1 ? bytes.len : sizeof begin - 1;
    if (len > ZC_DOCTOR_HEAD_MAX || memcmp (bytes.at ? bytes.at : "", begin, seen) != 0)
        return -1;
    if (!end)
        return 0;
    left.len = len;
    *self = (zc_doctor_head_t){0};
    while (zc_field_cut (&left, '\n', &line))
        zc_doctor_head_line (self, line);
    return self->status ? (long)len : -1;
}
