/*  field.h - what the values of HTTP header fields are made of: tokens, lists, weights (RFC 9110
 *  §5.6, §12.4). Bytes in, slices out; no I/O, no allocation. */
#ifndef ZC_FIELD_H
#define ZC_FIELD_H

#include "lib/base/text.h"

/*  A character of a token (RFC 9110 §5.6.2), and one or more of them. */
bool zc_token_char (char c);
bool zc_token_valid (zc_slice_t text);
/*  The same letters, of either case. */
bool zc_field_is (zc_slice_t text, const char *word);
/*  Without spaces and tabs at its ends. */
zc_slice_t zc_field_trim (zc_slice_t text);
/*  Takes what stands before `end` off the text, and `end` with it. False where it isn't there. */
bool zc_field_cut (zc_slice_t *text, char end, zc_slice_t *part);

/*  Takes the next element off a list with commas, which quoted strings may contain. Empty elements
 *  are passed over (RFC 9110 §5.6.1). False at the end. */
bool zc_list_next (zc_slice_t *list, zc_slice_t *element);
/*  Whether the word is an element, in letters of either case. */
bool zc_list_has (zc_slice_t list, const char *word);

/*  The media type of a Content-Type, without its parameters. */
zc_slice_t zc_media_type (zc_slice_t value);
/*  The weight that an Accept gives a media type by its name, in thousandths; -1: it isn't named.
 *  Ranges such as "text/" followed by "*" are no names. */
int zc_accept_weight (zc_slice_t accept, const char *type);

#endif
