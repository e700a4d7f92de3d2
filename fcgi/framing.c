/*  framing.c - records are made as late as possible and as large as possible, since a web
 *  server's cost grows with their number. The records of a slow client grow by themselves. A
 *  record of which no byte was sent hasn't begun: it is planned again, with the bytes that have
 *  gathered by then. */
#include "fcgi/framing.h"

#include <assert.h>
#include <fastcgi.h>
#include <string.h>

#include "fcgi/record.h"

/*  The rest of the caller's bytes. */
typedef struct {
    const struct iovec *iov;
    int count;
    size_t skip; /* bytes of iov[0] already planned */
} s_rest_t;

static size_t s_rest_size (const s_rest_t *rest)
{
    size_t size = 0;
    for (int i = 0; i < rest->count; i++)
        size += rest->iov[i].iov_len;
    return size - rest->skip;
}

static void s_push (zc_framing_plan_t *plan, const void *bytes, size_t len)
{
    plan->iov[plan->count++] = (struct iovec){.iov_base = (void *)bytes, .iov_len = len};
}

/*  Plans up to `want` bytes of content; returns for how many there was room. */
static size_t s_push_content (zc_framing_plan_t *plan, s_rest_t *rest, size_t want)
{
    size_t done = 0;
    while (done < want && rest->count > 0 && plan->count < ZC_FRAMING_IOV) {
        size_t there = rest->iov->iov_len - rest->skip;
        size_t step = there < want - done ? there : want - done;
        if (step > 0)
            s_push (plan, (const uint8_t *)rest->iov->iov_base + rest->skip, step);
        done += step;
        rest->skip += step;
        if (rest->skip == rest->iov->iov_len) {
            rest->iov++;
            rest->count--;
            rest->skip = 0;
        }
    }
    return done;
}

void zc_framing_plan (const zc_framing_t *self, uint16_t id, const struct iovec *iov, int count,
                      zc_framing_plan_t *plan)
{
    s_rest_t rest = {iov, count, 0};
    size_t left = s_rest_size (&rest);
    zc_framing_t owed = *self;
    plan->count = plan->records = 0;
    while (left > 0 && plan->records < ZC_FRAMING_RECORDS && plan->count + 2 <= ZC_FRAMING_IOV) {
        int at = plan->records++;
        if (zc_framing_idle (&owed)) {
            owed.header = FCGI_HEADER_LEN;
            owed.content = left < FCGI_MAX_LENGTH ? (uint16_t)left : FCGI_MAX_LENGTH;
        }
        if (owed.header > 0) {
            zc_record_header (plan->headers[at], FCGI_STDOUT, id, owed.content);
            s_push (plan, plan->headers[at] + FCGI_HEADER_LEN - owed.header, owed.header);
        }
        size_t done = s_push_content (plan, &rest, owed.content);
        plan->record[at] = (zc_framing_t){.header = owed.header, .content = (uint16_t)done};
        plan->missing[at] = (uint16_t)(owed.content - done);
        left -= done;
        owed = (zc_framing_t){.content = plan->missing[at]};
        if (owed.content > 0)
            break;
    }
}

size_t zc_framing_sent (zc_framing_t *self, const zc_framing_plan_t *plan, size_t sent)
{
    size_t content = 0;
    for (int i = 0; i < plan->records && sent > 0; i++) {
        const zc_framing_t *record = &plan->record[i];
        size_t header = sent < record->header ? sent : record->header;
        sent -= header;
        size_t body = sent < record->content ? sent : record->content;
        sent -= body;
        content += body;
        self->header = (uint8_t)(record->header - header);
        self->content = (uint16_t)(record->content - body + plan->missing[i]);
    }
    assert (sent == 0);
    return content;
}

int zc_framing_begin (const zc_framing_t *self, uint16_t id, size_t len, uint8_t header[8])
{
    if (!zc_framing_idle (self) || len > FCGI_MAX_LENGTH)
        return -1;
    zc_record_header (header, FCGI_STDOUT, id, (uint16_t)len);
    return FCGI_HEADER_LEN;
}

size_t zc_framing_end (zc_framing_t *self, size_t len, size_t sent)
{
    if (sent == 0)
        return 0;
    size_t header = sent < FCGI_HEADER_LEN ? sent : FCGI_HEADER_LEN;
    self->header = (uint8_t)(FCGI_HEADER_LEN - header);
    self->content = (uint16_t)(len - (sent - header));
    return sent - header;
}

bool zc_framing_idle (const zc_framing_t *self)
{
    return self->header == 0 && self->content == 0;
}

void zc_framing_fill (zc_framing_t *self, uint16_t id, zc_buf_t *out)
{
    uint8_t header[FCGI_HEADER_LEN];
    if (zc_framing_idle (self))
        return;
    zc_record_header (header, FCGI_STDOUT, id, self->content);
    zc_buf_add (out, header + sizeof header - self->header, self->header);
    memset (zc_buf_reserve (out, self->content), '\n', self->content);
    out->len += self->content;
    *self = (zc_framing_t){0};
}
