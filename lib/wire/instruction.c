/*  instruction.c - one row for each kind says which members its object has. Members beyond these
 * are ignored, so that later versions can add some. */
#include "lib/wire/instruction.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/wire/encoding.h"

typedef struct {
    const char *name;
    const char *(*read) (zc_instruction_t *self); /* returns NULL, or the error */
    void (*write) (const zc_instruction_t *self, zc_buf_t *out);
} s_kind_t;

/*  Members. */

/*  The text of a member; empty if it isn't there. False if it is no text of that kind. */
static bool s_text (const zc_instruction_t *self, const char *name, size_t max, zc_slice_t *text)
{
    const json_t *value = json_object_get (self->json, name);
    *text = (zc_slice_t){"", 0};
    if (!value)
        return true;
    *text = (zc_slice_t){json_string_value (value), json_string_length (value)};
    return text->at && text->len <= max && zc_text_plain (text->at, text->len);
}

static void s_add_text (zc_buf_t *out, const char *name, zc_slice_t text)
{
    if (text.len == 0)
        return;
    zc_buf_addf (out, ",\"%s\":", name);
    zc_json_string (out, text.at, text.len);
}

static bool s_client (zc_instruction_t *self)
{
    zc_slice_t text;
    return s_text (self, "client", ZC_CLIENT_ID_SIZE, &text) &&
           zc_client_id_parse (text, &self->client) == 0;
}

static void s_add_client (const zc_instruction_t *self, zc_buf_t *out)
{
    char text[ZC_CLIENT_ID_SIZE];
    zc_client_id_format (self->client, text);
    s_add_text (out, "client", (zc_slice_t){text, strlen (text)});
}

static const char s_bad_client[] = "client is the id of a connection: 16 hexadecimal digits";

/*  Kinds. */

static const char *s_read_drop (zc_instruction_t *self)
{
    return s_client (self) ? NULL : s_bad_client;
}

const char *zc_revoked_name (zc_revoked_t what)
{
    static const char *const names[] = {"subject", "key", "token"};
    return names[what];
}

/*  A time in milliseconds; 0 if it isn't there. */
static bool s_time (const zc_instruction_t *self, const char *name, uint64_t *ms)
{
    const json_t *value = json_object_get (self->json, name);
    *ms = json_is_integer (value) && json_integer_value (value) > 0
              ? (uint64_t)json_integer_value (value)
              : 0;
    return !value || *ms > 0;
}

static void s_add_time (zc_buf_t *out, const char *name, uint64_t ms)
{
    if (ms)
        zc_buf_addf (out, ",\"%s\":%" PRIu64, name, ms);
}

/*  Exactly one of the names is there. */
static const char *s_read_revoke (zc_instruction_t *self)
{
    unsigned count = 0;
    for (zc_revoked_t what = 0; what < ZC_REVOKED_KINDS; what++) {
        zc_slice_t name;
        if (!s_text (self, zc_revoked_name (what), ZC_REVOKED_MAX, &name))
            return "subject, key and token are 1 to 256 bytes of plain text";
        if (name.len == 0)
            continue;
        self->what = what;
        self->name = name;
        count++;
    }
    if (count != 1)
        return "one of subject, key and token says whose tokens";
    return s_time (self, "at", &self->at_ms) && s_time (self, "until", &self->until_ms)
               ? NULL
               : "at and until are milliseconds since 1970";
}

static void s_write_revoke (const zc_instruction_t *self, zc_buf_t *out)
{
    s_add_text (out, zc_revoked_name (self->what), self->name);
    s_add_time (out, "at", self->at_ms);
    s_add_time (out, "until", self->until_ms);
}

static const s_kind_t s_kinds[ZC_INSTRUCTION_KINDS] = {
    [ZC_INSTRUCTION_DROP] = {"drop", s_read_drop, s_add_client},
    [ZC_INSTRUCTION_REVOKE] = {"revoke", s_read_revoke, s_write_revoke},
    [ZC_INSTRUCTION_RESTORE] = {"restore", s_read_revoke, s_write_revoke},
};

/*  Reading and writing. */

static const char *s_read (zc_instruction_t *self)
{
    const char *name = json_string_value (json_object_get (self->json, "do"));
    for (self->kind = 0; name && self->kind < ZC_INSTRUCTION_KINDS; self->kind++)
        if (strcmp (name, s_kinds[self->kind].name) == 0)
            return s_kinds[self->kind].read (self);
    return "do is none of the known kinds of instructions: drop, revoke, restore";
}

int zc_instruction_parse (zc_instruction_t *self, zc_slice_t text, const char **error)
{
    *self = (zc_instruction_t){0};
    *error = "an instruction has at most 65536 bytes";
    if (text.len > ZC_INSTRUCTION_MAX)
        return -1;
    self->json = json_loadb (text.at ? text.at : "", text.len, JSON_REJECT_DUPLICATES, NULL);
    *error = json_is_object (self->json) ? s_read (self) : "an instruction is one JSON object";
    if (!*error)
        return 0;
    zc_instruction_clear (self);
    return -1;
}

void zc_instruction_clear (zc_instruction_t *self)
{
    json_decref (self->json);
    self->json = NULL;
}

void zc_instruction_write (const zc_instruction_t *self, zc_buf_t *out)
{
    zc_buf_addf (out, "{\"do\":\"%s\"", s_kinds[self->kind].name);
    s_kinds[self->kind].write (self, out);
    zc_buf_addc (out, '}');
}

void zc_client_id_format (uint64_t id, char text[ZC_CLIENT_ID_SIZE])
{
    snprintf (text, ZC_CLIENT_ID_SIZE, "%016" PRIx64, id);
}

int zc_client_id_parse (zc_slice_t text, uint64_t *id)
{
    *id = 0;
    if (text.len != ZC_CLIENT_ID_SIZE - 1)
        return -1;
    for (size_t i = 0; i < text.len; i++) {
        int digit = zc_text_hex_lower (text.at[i]);
        if (digit < 0)
            return -1;
        *id = *id << 4 | (uint64_t)digit;
    }
    return *id ? 0 : -1;
}
