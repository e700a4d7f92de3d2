/*  field.h - the parts of HTTP header field values: tokens, lists, weights (RFC 9110 §5.6, §12.4).
 *  Bytes in, slices out; no I/O, no allocation. */
#ifndef ZC_FIELD_H
#define ZC_FIELD_H

#include <netinet/in.h>

#include "lib/base/text.h"

/*  Whether a character may stand in a token, and whether a text is a token (RFC 9110 §5.6.2). */
bool zc_token_char (char c);
bool zc_token_valid (zc_slice_t text);
/*  Whether the text is this word, in letters of either case. */
bool zc_field_is (zc_slice_t text, const char *word);
/*  The text without spaces and tabs at its ends. */
zc_slice_t zc_field_trim (zc_slice_t text);
/*  Takes the part before the first `end` off the text, and that `end` with it. False if the text
 *  has no `end`. */
bool zc_field_cut (zc_slice_t *text, char end, zc_slice_t *part);

/*  Takes the next element off a list that is separated by commas. Quoted strings may contain
 *  commas. Empty elements are ignored (RFC 9110 §5.6.1). False at the end. */
bool zc_list_next (zc_slice_t *list, zc_slice_t *element);
/*  Whether the word is an element of the list, in letters of either case. */
bool zc_list_has (zc_slice_t list, const char *word);

/*  Writes an address of this family (AF_INET, AF_INET6) in its shortest form. False, and nothing is
 *  written, if the text is none. */
bool zc_address_field (zc_slice_t text, int family, char address[INET6_ADDRSTRLEN]);

/*  The media type of a Content-Type, without its parameters. */
zc_slice_t zc_media_type (zc_slice_t value);
/*  The weight that an Accept field gives to a media type by its full name, in thousandths. -1: the
 *  field doesn't name it. Ranges such as "text/" followed by "*" don't count as names. */
int zc_accept_weight (zc_slice_t accept, const char *type);

#endif
