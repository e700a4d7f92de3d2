/*  input.h - the bytes of a fuzz target, as small choices: each target leads a life that they
 *  decide. */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include "lib/wire/id.h"

/*  The rest of the input; zeros at its end. */
static const uint8_t *s_at;
static size_t s_left;

static unsigned s_byte (void)
{
    if (s_left == 0)
        return 0;
    s_left--;
    return *s_at++;
}

/*  Positions are near to each other, except for the greatest. */
static zc_id_t s_id (void)
{
    unsigned byte = s_byte ();
    return byte == 255 ? ZC_ID_MAX : byte;
}

#endif
