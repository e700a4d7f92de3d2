/*  forwarded.c - see forwarded.h. */
#include "lib/wire/forwarded.h"

#include <string.h>

#include "lib/wire/field.h"

#define S_VALUE_MAX 256 /* bytes of a quoted value that is read */

/*  ---------------------------------------------------------------- nodes (RFC 7239 §6) */

/*  "_" and one or more letters, digits, '.', '_' or '-'. */
static bool s_is_obfuscated (zc_slice_t text)
{
    if (text.len < 2 || text.at[0] != '_')
        return false;
    for (size_t i = 1; i < text.len; i++) {
        char c = text.at[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '.' && c != '_' && c != '-')
            return false;
    }
    return true;
}

static bool s_is_port (zc_slice_t text)
{
    uint64_t number;
    return s_is_obfuscated (text) ||
           (text.len <= 5 && zc_text_u64 (text.at, text.len, 65535, &number) == 0);
}

/*  A name is kept as it is. */
static void s_name (zc_slice_t text, zc_hop_t hop)
{
    size_t len = text.len < INET6_ADDRSTRLEN ? text.len : INET6_ADDRSTRLEN - 1;
    memcpy (hop, text.at, len);
    hop[len] = 0;
}

/*  Takes "[IPV6]" from the text. Returns false if there is none. */
static bool s_bracketed (zc_slice_t *text, zc_hop_t hop)
{
    zc_slice_t address;
    if (text->len == 0 || text->at[0] != '[')
        return false;
    text->at++, text->len--;
    return zc_field_cut (text, ']', &address) && zc_address_field (address, AF_INET6, hop);
}

static bool s_node (zc_slice_t node, zc_hop_t hop)
{
    zc_slice_t name = node;
    if (node.len > 0 && node.at[0] == '[') {
        if (!s_bracketed (&node, hop))
            return false;
        if (node.len == 0)
            return true;
        if (node.at[0] != ':')
            return false;
        node.at++, node.len--;
        return s_is_port (node);
    }
    if (zc_field_cut (&node, ':', &name) && !s_is_port (node))
        return false;
    if (zc_address_field (name, AF_INET, hop))
        return true;
    if (!zc_field_is (name, "unknown") && !s_is_obfuscated (name))
        return false;
    s_name (zc_field_is (name, "unknown") ? (zc_slice_t){"unknown", 7} : name, hop);
    return true;
}

/*  ---------------------------------------------------------------- Forwarded (RFC 7239 §4) */

/*  A character of a quoted string, or one after a backslash there (RFC 9110 §5.6.4). */
static bool s_may_quote (char c)
{
    return c == '\t' || ((unsigned char)c >= ' ' && c != 0x7f);
}

/*  Takes a token, or a quoted string without its quotes, into `out`, which has S_VALUE_MAX
 *  bytes. */
static bool s_value (zc_slice_t *text, char *out, zc_slice_t *value)
{
    size_t at = 0, len = 0;
    if (text->len > 0 && text->at[0] == '"') {
        for (at = 1; at < text->len && text->at[at] != '"'; at++) {
            if (text->at[at] == '\\' && ++at == text->len)
                return false;
            if (!s_may_quote (text->at[at]) || len == S_VALUE_MAX)
                return false;
            out[len++] = text->at[at];
        }
        if (at++ == text->len)
            return false;
        *value = (zc_slice_t){out, len};
    } else {
        while (at < text->len && zc_token_char (text->at[at]))
            at++;
        *value = (zc_slice_t){text->at, at};
        if (at == 0)
            return false;
    }
    text->at += at;
    text->len -= at;
    return true;
}

static void s_pass_space (zc_slice_t *text)
{
    while (text->len > 0 && (text->at[0] == ' ' || text->at[0] == '\t'))
        text->at++, text->len--;
}

/*  Each parameter may occur once. These are read; others are only checked. */
enum { S_FOR = 1, S_BY = 2, S_HOST = 4, S_PROTO = 8 };

static unsigned s_parameter (zc_slice_t name)
{
    return zc_field_is (name, "for")     ? S_FOR
           : zc_field_is (name, "by")    ? S_BY
           : zc_field_is (name, "host")  ? S_HOST
           : zc_field_is (name, "proto") ? S_PROTO
                                         : 0;
}

/*  One "name=value". */
static bool s_pair (zc_slice_t *text, unsigned *had, zc_hop_t hop)
{
    char quoted[S_VALUE_MAX];
    zc_slice_t name, value;
    if (!zc_field_cut (text, '=', &name) || !zc_token_valid (name) ||
        !s_value (text, quoted, &value))
        return false;
    unsigned which = s_parameter (name);
    if (which & *had)
        return false;
    *had |= which;
    return which != S_FOR || s_node (value, hop);
}

static bool s_ends (const zc_slice_t *text, char with)
{
    return text->len > 0 && text->at[0] == with;
}

int zc_forwarded_next (zc_slice_t *list, zc_hop_t hop)
{
    unsigned had = 0;
    bool any = false;
    s_name ((zc_slice_t){"unknown", 7}, hop);
    while (list->len > 0) {
        s_pass_space (list);
        if (list->len > 0 && !s_ends (list, ',') && !s_ends (list, ';')) {
            if (!s_pair (list, &had, hop))
                return -1;
            any = true;
            s_pass_space (list);
        }
        if (list->len == 0)
            break;
        if (!s_ends (list, ',') && !s_ends (list, ';'))
            return -1;
        bool over = s_ends (list, ',') && any;
        list->at++, list->len--;
        if (over)
            return 1;
    }
    return any;
}

/*  ---------------------------------------------------------------- X-Forwarded-For */

/*  "1.2.3.4", "1.2.3.4:80", "::1", "[::1]", "[::1]:80", "unknown". */
int zc_x_forwarded_for_next (zc_slice_t *list, zc_hop_t hop)
{
    zc_slice_t element = {"", 0};
    while (list->len > 0 && element.len == 0) {
        if (!zc_field_cut (list, ',', &element)) {
            element = *list;
            list->len = 0;
        }
        element = zc_field_trim (element);
    }
    if (element.len == 0)
        return 0;
    if (!zc_address_field (element, AF_INET6, hop) && !s_node (element, hop))
        hop[0] = 0;
    return 1;
}
