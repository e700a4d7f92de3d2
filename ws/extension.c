/*  extension.c - see extension.h.
 *
 *  extension = token *( ";" token [ "=" ( token | quoted-string ) ] )
 *  (RFC 6455 §9.1)
 *
 *  There are two kinds of errors. A list of another form fails the handshake, as the RFC asks.
 *  An offer of this form with parameters that RFC 7692 §7.1 doesn't allow is declined, and the
 *  next one is tried (§5.1). */
#include "ws/extension.h"

#include <string.h>

#define VALUE_MAX 2 /* digits of a window's size */

/*  The offer that is being read. */
typedef struct {
    bool good;         /* no parameter so far declines it */
    unsigned seen;     /* a bit for each parameter of s_parameters */
    bool names_window; /* it has server_max_window_bits */
} s_offer_t;

typedef struct {
    bool given;           /* it has a value, which may be longer than `text` */
    size_t len;           /* of the value without quotes and escapes */
    char text[VALUE_MAX]; /* the beginning of the value */
} s_value_t;

static void s_skip_space (zc_slice_t *rest)
{
    while (rest->len > 0 && (*rest->at == ' ' || *rest->at == '\t'))
        rest->at++, rest->len--;
}

/*  Takes the character, and the space around it, from the text. Returns false if another
 *  character is next. */
static bool s_take (zc_slice_t *rest, char c)
{
    s_skip_space (rest);
    if (rest->len == 0 || *rest->at != c)
        return false;
    rest->at++, rest->len--;
    s_skip_space (rest);
    return true;
}

/*  Takes a token from the text; it may be empty. */
static zc_slice_t s_take_token (zc_slice_t *rest)
{
    zc_slice_t token = {rest->at, 0};
    while (rest->len > 0 && zc_token_char (*rest->at))
        rest->at++, rest->len--, token.len++;
    return token;
}

static void s_add_char (s_value_t *value, char c)
{
    if (value->len < VALUE_MAX)
        value->text[value->len] = c;
    value->len++;
}

/*  Takes the text after a quote, up to the closing quote. Its contents must be a token (RFC 6455
 *  §9.1). */
static bool s_take_quoted (zc_slice_t *rest, s_value_t *value)
{
    while (rest->len > 0 && *rest->at != '"') {
        if (*rest->at == '\\')
            rest->at++, rest->len--;
        if (rest->len == 0 || !zc_token_char (*rest->at))
            return false;
        s_add_char (value, *rest->at);
        rest->at++, rest->len--;
    }
    return value->len > 0 && s_take (rest, '"');
}

static bool s_take_value (zc_slice_t *rest, s_value_t *value)
{
    value->given = true;
    if (rest->len > 0 && *rest->at == '"') {
        rest->at++, rest->len--;
        return s_take_quoted (rest, value);
    }
    zc_slice_t token = s_take_token (rest);
    for (size_t i = 0; i < token.len; i++)
        s_add_char (value, token.at[i]);
    return token.len > 0;
}

/*  8 to 15, in decimal without leading zeros (RFC 7692 §7.1.2); or 0. */
static unsigned s_window_bits (const s_value_t *value)
{
    const char *text = value->text;
    if (value->len == 1 && (text[0] == '8' || text[0] == '9'))
        return (unsigned)(text[0] - '0');
    if (value->len == 2 && text[0] == '1' && text[1] >= '0' && text[1] <= '5')
        return 10u + (unsigned)(text[1] - '0');
    return 0;
}

/*  Whether we can accept a parameter. */
static bool s_parameter (s_offer_t *offer, zc_slice_t name, const s_value_t *value)
{
    static const char *const parameters[] = {
        "server_no_context_takeover",
        "client_no_context_takeover",
        "server_max_window_bits",
        "client_max_window_bits",
    };
    unsigned i = 0;
    while (i < 4 && !zc_slice_is (name, parameters[i]))
        i++;
    if (i == 4 || offer->seen & 1u << i)
        return false;
    offer->seen |= 1u << i;
    switch (i) {
    case 2:
        offer->names_window = true;
        return s_window_bits (value) == 15;
    case 3:
        return !value->given || s_window_bits (value) > 0;
    default:
        return !value->given;
    }
}

/*  Takes one offer from the list. Returns -1 if it is malformed. */
static int s_take_offer (zc_slice_t *rest, s_offer_t *offer)
{
    zc_slice_t name = s_take_token (rest);
    offer->good = zc_slice_is (name, "permessage-deflate");
    if (name.len == 0)
        return -1;
    while (s_take (rest, ';')) {
        s_value_t value = {0};
        name = s_take_token (rest);
        if (name.len == 0 || (s_take (rest, '=') && !s_take_value (rest, &value)))
            return -1;
        offer->good = offer->good && s_parameter (offer, name, &value);
    }
    return 0;
}

int zc_extension_offer (zc_extension_t *self, zc_slice_t value)
{
    zc_slice_t rest = value;
    for (;;) {
        while (s_take (&rest, ',')) /* empty elements: RFC 9110 §5.6.1 */
            ;
        if (rest.len == 0)
            return 0;
        s_offer_t offer = {0};
        if (s_take_offer (&rest, &offer) != 0 || (rest.len > 0 && *rest.at != ','))
            return -1;
        if (offer.good && !self->deflate)
            *self = (zc_extension_t){true, offer.names_window};
    }
}

const char *zc_extension_answer (const zc_extension_t *self)
{
    if (!self->deflate)
        return NULL;
    return self->names_window ? "permessage-deflate; server_no_context_takeover; "
                                "client_no_context_takeover; server_max_window_bits=15"
                              : "permessage-deflate; server_no_context_takeover; "
                                "client_no_context_takeover";
}
