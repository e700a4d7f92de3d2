/*  record.c - a state machine over header, content and padding that consumes as many bytes as
 *  there are. An empty content completes with the header, so that nothing waits for a byte that
 *  may not come. The numbers are those of libfcgi's <fastcgi.h>. Rejected: libfcgi's reader,
 *  which blocks on a silent peer, serves truncated parameters, and aborts on crafted lengths. */
#include "fcgi/record.h"

#include <assert.h>
#include <fastcgi.h>
#include <string.h>

#include "lib/front/request.h"

enum { PART_HEADER, PART_CONTENT, PART_PADDING, PART_BROKEN };
enum { BAD_NONE, BAD_VERSION, BAD_BEGIN, BAD_PARAMS, BAD_CUT, BAD_LATE, BAD_VALUES };

void zc_record_init (zc_record_t *self)
{
    memset (self, 0, sizeof *self);
}

bool zc_record_whole (const zc_record_t *self)
{
    return self->part == PART_HEADER && self->have == 0 && !self->params && !self->values;
}

void zc_record_adopt (zc_record_t *self, uint16_t request, bool body, bool keep)
{
    self->request = request;
    self->body = body;
    self->keep = keep;
}

void zc_record_clear (zc_record_t *self)
{
    zc_params_destroy (&self->params);
    zc_params_destroy (&self->values);
}

void zc_record_header (uint8_t *out, uint8_t type, uint16_t id, uint16_t length)
{
    out[0] = FCGI_VERSION_1;
    out[1] = type;
    out[2] = (uint8_t)(id >> 8);
    out[3] = (uint8_t)id;
    out[4] = (uint8_t)(length >> 8);
    out[5] = (uint8_t)length;
    out[6] = 0;
    out[7] = 0;
}

static void s_add_record (zc_buf_t *out, uint8_t type, uint16_t id, const void *bytes, size_t len)
{
    assert (len <= FCGI_MAX_LENGTH);
    zc_record_header (zc_buf_reserve (out, FCGI_HEADER_LEN), type, id, (uint16_t)len);
    out->len += FCGI_HEADER_LEN;
    zc_buf_add (out, bytes, len);
}

static void s_add_end (zc_buf_t *out, uint16_t id, uint8_t status)
{
    const uint8_t body[8] = {0, 0, 0, 0, status, 0, 0, 0};
    s_add_record (out, FCGI_END_REQUEST, id, body, sizeof body);
}

void zc_record_stdout (const zc_record_t *self, zc_buf_t *out, const void *bytes, size_t len)
{
    for (size_t done = 0; done < len;) {
        size_t step = len - done < FCGI_MAX_LENGTH ? len - done : FCGI_MAX_LENGTH;
        s_add_record (out, FCGI_STDOUT, self->request, (const uint8_t *)bytes + done, step);
        done += step;
    }
}

void zc_record_finish (zc_record_t *self, zc_buf_t *out)
{
    assert (self->request);
    s_add_record (out, FCGI_STDOUT, self->request, NULL, 0);
    s_add_end (out, self->request, FCGI_REQUEST_COMPLETE);
    self->request = 0;
    zc_params_destroy (&self->params);
}

zc_params_t *zc_record_take_params (zc_record_t *self)
{
    zc_params_t *params = self->params;
    self->params = NULL;
    return params;
}

bool zc_record_is_end (const zc_record_t *self, const uint8_t *bytes, size_t len)
{
    return self->part == PART_HEADER && self->have == 0 && self->request && self->body &&
           len >= FCGI_HEADER_LEN && len == FCGI_HEADER_LEN + (size_t)bytes[6] &&
           bytes[0] == FCGI_VERSION_1 && bytes[1] == FCGI_STDIN &&
           self->request == (bytes[2] << 8 | bytes[3]) && bytes[4] == 0 && bytes[5] == 0;
}

bool zc_record_idle (const zc_record_t *self)
{
    return self->request == 0 && self->part == PART_HEADER && self->have == 0;
}

static zc_record_event_t s_broken (zc_record_t *self, uint8_t error)
{
    self->part = PART_BROKEN;
    self->error = error;
    return ZC_RECORD_ERROR;
}

const char *zc_record_strerror (const zc_record_t *self)
{
    static const char *const text[] = {
        [BAD_NONE] = "no error",
        [BAD_VERSION] = "not a FastCGI version 1 record",
        [BAD_BEGIN] = "malformed BEGIN_REQUEST",
        [BAD_PARAMS] = "malformed or oversized parameters",
        [BAD_CUT] = "parameters end within a pair",
        [BAD_LATE] = "parameters after their end",
        [BAD_VALUES] = "malformed GET_VALUES",
    };
    return text[self->error];
}

/*  A complete BEGIN_REQUEST body is in scratch. */
static zc_record_event_t s_begin (zc_record_t *self, zc_buf_t *out)
{
    FCGI_BeginRequestBody body;
    memcpy (&body, self->scratch, sizeof body);
    bool keep = body.flags & FCGI_KEEP_CONN;
    if (self->request == self->id)
        return s_broken (self, BAD_BEGIN);
    if (self->request) {
        s_add_end (out, self->id, FCGI_CANT_MPX_CONN);
        return ZC_RECORD_MORE;
    }
    if (body.roleB1 != 0 || body.roleB0 != FCGI_RESPONDER) {
        s_add_end (out, self->id, FCGI_UNKNOWN_ROLE);
        return keep ? ZC_RECORD_MORE : ZC_RECORD_CLOSE;
    }
    self->request = self->id;
    self->keep = keep;
    self->body = true;
    self->params = zc_params_new (zc_cgi_find, ZC_VARIABLE_COUNT, ZC_PARAMS_MAX);
    return ZC_RECORD_MORE;
}

/*  An empty PARAMS record ends them. */
static zc_record_event_t s_params_end (zc_record_t *self)
{
    if (!self->params)
        return s_broken (self, BAD_LATE);
    if (!zc_params_whole (self->params))
        return s_broken (self, BAD_CUT);
    return ZC_RECORD_REQUEST;
}

static bool s_is_body (const zc_record_t *self)
{
    return self->id != 0 && self->id == self->request && self->type == FCGI_STDIN && !self->params;
}

/*  An empty STDIN record ends the body. Records after it are skipped. */
static zc_record_event_t s_body_end (zc_record_t *self)
{
    bool body = self->body;
    self->body = false;
    return body ? ZC_RECORD_END : ZC_RECORD_MORE;
}

/*  Each name that is known is answered once, however often it was asked for. The numbers state
 *  no limit of our own: the number of descriptors bounds both. */
static zc_record_event_t s_answer_values (zc_record_t *self, zc_buf_t *out)
{
    static const char *const answers[ZC_VALUE_COUNT] = {"1000000", "1000000", "0"};
    uint8_t body[128];
    size_t len = 0;
    if (self->values && !zc_params_whole (self->values))
        return s_broken (self, BAD_VALUES);
    for (unsigned i = 0; self->values && i < ZC_VALUE_COUNT; i++) {
        if (!zc_params_has (self->values, i))
            continue;
        size_t name_len = strlen (zc_value_names[i]), value_len = strlen (answers[i]);
        body[len++] = (uint8_t)name_len;
        body[len++] = (uint8_t)value_len;
        memcpy (body + len, zc_value_names[i], name_len);
        memcpy (body + len + name_len, answers[i], value_len);
        len += name_len + value_len;
    }
    s_add_record (out, FCGI_GET_VALUES_RESULT, FCGI_NULL_REQUEST_ID, body, len);
    zc_params_destroy (&self->values);
    return ZC_RECORD_MORE;
}

static zc_record_event_t s_header (zc_record_t *self)
{
    const uint8_t *header = self->scratch;
    if (header[0] != FCGI_VERSION_1)
        return s_broken (self, BAD_VERSION);
    self->type = header[1];
    self->id = (uint16_t)(header[2] << 8 | header[3]);
    self->left = (uint16_t)(header[4] << 8 | header[5]);
    self->padding = header[6];
    self->part = PART_CONTENT;
    self->have = 0;
    if (self->id != 0 && self->type == FCGI_BEGIN_REQUEST &&
        self->left != sizeof (FCGI_BeginRequestBody))
        return s_broken (self, BAD_BEGIN);
    /*  An empty PARAMS record ends the parameters; a full one never does, wherever reads cut it. */
    if (self->id != 0 && self->id == self->request && self->type == FCGI_PARAMS && self->left == 0)
        return s_params_end (self);
    if (s_is_body (self) && self->left == 0)
        return s_body_end (self);
    return ZC_RECORD_MORE;
}

/*  The next run of a record's content. Content for a request that isn't active is skipped
 *  (FastCGI 1.0 §3.3). */
static zc_record_event_t s_content (zc_record_t *self, const uint8_t *bytes, size_t len,
                                    zc_slice_t *body)
{
    if (self->id == FCGI_NULL_REQUEST_ID) {
        if (self->type != FCGI_GET_VALUES)
            return ZC_RECORD_MORE;
        if (!self->values)
            self->values = zc_params_new (zc_value_find, ZC_VALUE_COUNT, FCGI_MAX_LENGTH);
        if (zc_params_read (self->values, bytes, len) < 0)
            return s_broken (self, BAD_VALUES);
    } else if (self->type == FCGI_BEGIN_REQUEST) {
        memcpy (self->scratch + self->have, bytes, len);
        self->have = (uint8_t)(self->have + len);
    } else if (self->type == FCGI_PARAMS && self->id == self->request) {
        if (!self->params)
            return s_broken (self, BAD_LATE);
        if (zc_params_read (self->params, bytes, len) < 0)
            return s_broken (self, BAD_PARAMS);
    } else if (s_is_body (self) && self->body && len > 0) {
        *body = (zc_slice_t){(const char *)bytes, len};
        return ZC_RECORD_BODY;
    }
    return ZC_RECORD_MORE;
}

/*  A record's content is complete. */
static zc_record_event_t s_complete (zc_record_t *self, zc_buf_t *out)
{
    self->part = PART_PADDING;
    self->have = 0;
    if (self->id == FCGI_NULL_REQUEST_ID) {
        if (self->type == FCGI_GET_VALUES)
            return s_answer_values (self, out);
        const uint8_t body[8] = {self->type};
        s_add_record (out, FCGI_UNKNOWN_TYPE, FCGI_NULL_REQUEST_ID, body, sizeof body);
    } else if (self->type == FCGI_BEGIN_REQUEST)
        return s_begin (self, out);
    else if (self->type == FCGI_ABORT_REQUEST && self->id == self->request)
        return ZC_RECORD_ABORT;
    return ZC_RECORD_MORE;
}

/*  Consumes some of `len` bytes, at least one; *step is how many. */
static zc_record_event_t s_step (zc_record_t *self, const uint8_t *bytes, size_t len, size_t *step,
                                 zc_buf_t *out, zc_slice_t *body)
{
    zc_record_event_t event = ZC_RECORD_MORE;
    size_t want = self->part == PART_HEADER    ? FCGI_HEADER_LEN - self->have
                  : self->part == PART_CONTENT ? self->left
                                               : self->padding;
    *step = len < want ? len : want;
    if (self->part == PART_HEADER) {
        memcpy (self->scratch + self->have, bytes, *step);
        self->have = (uint8_t)(self->have + *step);
        if (self->have == FCGI_HEADER_LEN)
            event = s_header (self);
    } else if (self->part == PART_CONTENT) {
        self->left = (uint16_t)(self->left - *step);
        event = s_content (self, bytes, *step, body);
    } else
        self->padding = (uint8_t)(self->padding - *step);
    if (self->part == PART_CONTENT && self->left == 0) {
        zc_record_event_t last = s_complete (self, out);
        event = event == ZC_RECORD_MORE ? last : event;
    }
    if (self->part == PART_PADDING && self->padding == 0)
        self->part = PART_HEADER;
    return event;
}

zc_record_event_t zc_record_read (zc_record_t *self, const uint8_t **bytes, size_t *len,
                                  zc_buf_t *out, zc_slice_t *body)
{
    while (*len > 0 && self->part != PART_BROKEN) {
        size_t step;
        zc_record_event_t event = s_step (self, *bytes, *len, &step, out, body);
        *bytes += step;
        *len -= step;
        if (event != ZC_RECORD_MORE)
            return event;
    }
    return self->part == PART_BROKEN ? ZC_RECORD_ERROR : ZC_RECORD_MORE;
}
