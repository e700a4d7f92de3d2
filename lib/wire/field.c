/*  field.c - see field.h. */
#include "lib/wire/field.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

/*  A bit for each character: heads have hundreds of characters. */
static const uint32_t s_token[8] = {
    0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff, 0, 0, 0, 0,
};

bool zc_token_char (char c)
{
    unsigned char at = (unsigned char)c;
    return s_token[at / 32] >> (at % 32) & 1;
}

bool zc_token_valid (zc_slice_t text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!zc_token_char (text.at[i]))
            return false;
    return text.len > 0;
}

bool zc_field_is (zc_slice_t text, const char *word)
{
    return text.len == strlen (word) && strncasecmp (text.at, word, text.len) == 0;
}

static bool s_is_space (char c)
{
    return c == ' ' || c == '\t';
}

zc_slice_t zc_field_trim (zc_slice_t text)
{
    while (text.len > 0 && s_is_space (text.at[0]))
        text.at++, text.len--;
    while (text.len > 0 && s_is_space (text.at[text.len - 1]))
        text.len--;
    return text;
}

/*  Takes the first `len` bytes, and the byte after them if there is one. */
static zc_slice_t s_take (zc_slice_t *text, size_t len)
{
    zc_slice_t part = {text->at, len};
    size_t step = len < text->len ? len + 1 : len;
    text->at += step;
    text->len -= step;
    return part;
}

bool zc_field_cut (zc_slice_t *text, char end, zc_slice_t *part)
{
    const char *at = text->len > 0 ? memchr (text->at, end, text->len) : NULL;
    if (at)
        *part = s_take (text, (size_t)(at - text->at));
    return at != NULL;
}

/*  The count of bytes before `end`, or to the end of the text; an `end` in a quoted string (RFC
 *  9110 §5.6.4) doesn't count. */
static size_t s_before (zc_slice_t text, char end)
{
    bool quoted = false;
    for (size_t i = 0; i < text.len; i++) {
        if (quoted && text.at[i] == '\\')
            i++;
        else if (text.at[i] == '"')
            quoted = !quoted;
        else if (!quoted && text.at[i] == end)
            return i;
    }
    return text.len;
}

bool zc_list_next (zc_slice_t *list, zc_slice_t *element)
{
    while (list->len > 0) {
        *element = zc_field_trim (s_take (list, s_before (*list, ',')));
        if (element->len > 0)
            return true;
    }
    return false;
}

bool zc_list_has (zc_slice_t list, const char *word)
{
    zc_slice_t element;
    while (zc_list_next (&list, &element))
        if (zc_field_is (element, word))
            return true;
    return false;
}

zc_slice_t zc_media_type (zc_slice_t value)
{
    value.len = s_before (value, ';');
    return zc_field_trim (value);
}

/*  "0.5" is 500; a text that isn't a weight is 1000 (RFC 9110 §12.4.2). */
static int s_weight (zc_slice_t text)
{
    int weight = 0, unit = 1000;
    if (text.len == 0 || text.len > 5 || (text.at[0] != '0' && text.at[0] != '1') ||
        (text.len > 1 && text.at[1] != '.'))
        return 1000;
    for (size_t i = 0; i < text.len; i++) {
        if (i == 1)
            continue;
        if (text.at[i] < '0' || text.at[i] > '9')
            return 1000;
        weight += (text.at[i] - '0') * unit;
        unit /= 10;
    }
    return weight > 1000 ? 1000 : weight;
}

int zc_accept_weight (zc_slice_t accept, const char *type)
{
    zc_slice_t element;
    int weight = -1;
    while (zc_list_next (&accept, &element)) {
        zc_slice_t name = zc_field_trim (s_take (&element, s_before (element, ';')));
        if (!zc_field_is (name, type))
            continue;
        weight = 1000;
        while (element.len > 0) {
            zc_slice_t parameter = zc_field_trim (s_take (&element, s_before (element, ';')));
            if (parameter.len > 2 && strncasecmp (parameter.at, "q=", 2) == 0)
                weight = s_weight ((zc_slice_t){parameter.at + 2, parameter.len - 2});
        }
    }
    return weight;
}

bool zc_address_field (zc_slice_t text, int family, char address[INET6_ADDRSTRLEN])
{
    uint8_t binary[16];
    char copy[INET6_ADDRSTRLEN];
    if (text.len == 0 || text.len >= sizeof copy || memchr (text.at, 0, text.len))
        return false;
    memcpy (copy, text.at, text.len);
    copy[text.len] = 0;
    return inet_pton (family, copy, binary) == 1 &&
           inet_ntop (family, binary, address, INET6_ADDRSTRLEN) != NULL;
}
