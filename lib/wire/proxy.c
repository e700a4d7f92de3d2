/*  proxy.c - see proxy.h. */
#include "lib/wire/proxy.h"

#include <arpa/inet.h>
#include <string.h>

#include "lib/base/text.h"
#include "lib/wire/field.h"

#define S_LINE_MAX 107 /* bytes of version 1, with its CR LF */
#define S_FIXED 16     /* bytes of version 2 before the addresses */
#define S_WORD "PROXY "

static const char s_signature[12] = {'\r', '\n', '\r', '\n', 0,   '\r',
                                     '\n', 'Q',  'U',  'I',  'T', '\n'};

/*  Whether the bytes begin with `begin`, as far as they reach. */
static bool s_agrees (const char *bytes, size_t len, const char *begin, size_t begin_len)
{
    return memcmp (bytes, begin, len < begin_len ? len : begin_len) == 0;
}

bool zc_proxy_begins (const void *bytes, size_t len)
{
    return (len >= strlen (S_WORD) && s_agrees (bytes, len, S_WORD, strlen (S_WORD))) ||
           (len >= sizeof s_signature && s_agrees (bytes, len, s_signature, sizeof s_signature));
}

/*  ---------------------------------------------------------------- version 1: a line */

static bool s_port (zc_slice_t text, uint16_t *port)
{
    uint64_t number;
    if ((text.len > 1 && text.at[0] == '0') || zc_text_u64 (text.at, text.len, 65535, &number) != 0)
        return false;
    *port = (uint16_t)number;
    return true;
}

/*  "TCP4 SOURCE DESTINATION PORT PORT", with one space between, or "UNKNOWN" and any text. */
static bool s_line (zc_proxy_t *self, zc_slice_t line)
{
    zc_slice_t family, source, target, port;
    char ours[INET6_ADDRSTRLEN];
    uint16_t our_port;
    if (zc_slice_is (line, "UNKNOWN") || zc_slice_starts (line, "UNKNOWN "))
        return true;
    if (!zc_field_cut (&line, ' ', &family) || !zc_field_cut (&line, ' ', &source) ||
        !zc_field_cut (&line, ' ', &target) || !zc_field_cut (&line, ' ', &port))
        return false;
    int af = zc_slice_is (family, "TCP4")   ? AF_INET
             : zc_slice_is (family, "TCP6") ? AF_INET6
                                            : AF_UNSPEC;
    return af != AF_UNSPEC && zc_address_field (source, af, self->address) &&
           zc_address_field (target, af, ours) && s_port (port, &self->port) &&
           s_port (line, &our_port);
}

static long s_read_line (zc_proxy_t *self, const char *bytes, size_t len)
{
    const size_t begin = strlen (S_WORD);
    size_t within = len < S_LINE_MAX ? len : S_LINE_MAX;
    const char *end = memchr (bytes, '\n', within);
    if (!end)
        return len < S_LINE_MAX ? 0 : -1;
    size_t length = (size_t)(end - bytes);
    if (length < begin + 1 || bytes[length - 1] != '\r' ||
        !s_line (self, (zc_slice_t){bytes + begin, length - 1 - begin}))
        return -1;
    return (long)length + 1;
}

/*  ---------------------------------------------------------------- version 2: binary */

static unsigned s_u16 (const uint8_t *bytes)
{
    return (unsigned)bytes[0] << 8 | bytes[1];
}

/*  The block after the first 16 bytes: addresses, then ports, then fields that are ignored. */
static bool s_block (zc_proxy_t *self, unsigned family, const uint8_t *block, size_t len)
{
    switch (family) {
    case 0x00: /* unspecified: the proxy doesn't tell */
        return true;
    case 0x11: /* TCP over IPv4 */
        if (len < 12)
            return false;
        inet_ntop (AF_INET, block, self->address, sizeof self->address);
        self->port = (uint16_t)s_u16 (block + 8);
        return true;
    case 0x21: /* TCP over IPv6 */
        if (len < 36)
            return false;
        inet_ntop (AF_INET6, block, self->address, sizeof self->address);
        self->port = (uint16_t)s_u16 (block + 32);
        return true;
    case 0x31: /* a Unix socket of the proxy's machine */
        return len >= 216;
    default:
        return false;
    }
}

static long s_read_binary (zc_proxy_t *self, const uint8_t *bytes, size_t len)
{
    if (len < S_FIXED)
        return 0;
    unsigned version = bytes[12] >> 4, command = bytes[12] & 15;
    size_t length = S_FIXED + s_u16 (bytes + 14);
    if (version != 2 || command > 1 || length > ZC_PROXY_MAX)
        return -1;
    if (len < length)
        return 0;
    /*  Command 0 is LOCAL: the proxy speaks for itself, and the block is ignored. */
    if (command == 1 && !s_block (self, bytes[13], bytes + S_FIXED, length - S_FIXED))
        return -1;
    return (long)length;
}

long zc_proxy_read (zc_proxy_t *self, const void *bytes, size_t len)
{
    *self = (zc_proxy_t){.port = 0};
    if (s_agrees (bytes, len, S_WORD, strlen (S_WORD)))
        return s_read_line (self, bytes, len);
    if (s_agrees (bytes, len, s_signature, sizeof s_signature))
        return s_read_binary (self, bytes, len);
    return -1;
}
