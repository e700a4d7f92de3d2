/*  response.c - see response.h. */
#include "lib/front/response.h"

#include <string.h>

void zc_response_init (zc_response_t *self, unsigned status)
{
    memset (self, 0, sizeof *self);
    self->status = status;
}

void zc_response_clear (zc_response_t *self)
{
    zc_buf_clear (&self->fields);
    zc_buf_clear (&self->body);
}

static bool s_is_clean (zc_slice_t value)
{
    for (size_t i = 0; i < value.len; i++)
        if ((unsigned char)value.at[i] < ' ' || value.at[i] == 0x7f)
            return false;
    return true;
}

void zc_response_field (zc_response_t *self, const char *name, zc_slice_t value)
{
    if (!s_is_clean (value))
        return;
    zc_buf_adds (&self->fields, name);
    zc_buf_adds (&self->fields, ": ");
    zc_buf_add (&self->fields, value.at, value.len);
    zc_buf_adds (&self->fields, "\r\n");
}

void zc_response_say (zc_response_t *self, const char *name, const char *value)
{
    zc_response_field (self, name, (zc_slice_t){value, strlen (value)});
}

void zc_response_text (zc_response_t *self, const char *text)
{
    zc_response_say (self, "Content-Type", "text/plain; charset=utf-8");
    zc_buf_adds (&self->body, text);
    zc_buf_addc (&self->body, '\n');
}

const char *zc_status_phrase (unsigned status)
{
    static const struct {
        unsigned status;
        const char *phrase;
    } known[] = {
        {100, "Continue"},
        {101, "Switching Protocols"},
        {200, "OK"},
        {204, "No Content"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {411, "Length Required"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].status == status)
            return known[i].phrase;
    return "Unknown";
}

bool zc_status_has_body (unsigned status)
{
    return status >= 200 && status != 204 && status != 304;
}

void zc_response_write_cgi (const zc_response_t *self, bool head, zc_buf_t *out)
{
    zc_buf_addf (out, "Status: %u %s\r\n", self->status, zc_status_phrase (self->status));
    zc_buf_add (out, self->fields.data, self->fields.len);
    zc_buf_adds (out, "\r\n");
    if (!head)
        zc_buf_add (out, self->body.data, self->body.len);
}
