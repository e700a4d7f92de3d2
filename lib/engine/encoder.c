/*  encoder.c - the last message that each encoding encoded. */
#include "lib/engine/encoder.h"

#include <assert.h>
#include <stdlib.h>

#define S_ENCODINGS_MAX 8
#define S_KEEP 262144 /* bytes; the memory of a larger message isn't kept for the next one */

typedef struct {
    const zc_encoding_t *encoding; /* borrowed; NULL: free */
    zc_buf_t bytes;
    zc_id_t id; /* of the message in bytes */
} s_encoded_t;

struct zc_encoder {
    s_encoded_t encoded[S_ENCODINGS_MAX];
};

zc_encoder_t *zc_encoder_new (void)
{
    zc_encoder_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    return self;
}

void zc_encoder_destroy (zc_encoder_t **self_p)
{
    zc_encoder_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < S_ENCODINGS_MAX; i++)
        zc_buf_clear (&self->encoded[i].bytes);
    free (self);
    *self_p = NULL;
}

const zc_buf_t *zc_encoder_bytes (zc_encoder_t *self, const zc_encoding_t *encoding,
                                  const zc_message_t *message)
{
    s_encoded_t *slot = self->encoded;
    while (slot->encoding && slot->encoding != encoding)
        slot++;
    assert (slot < self->encoded + S_ENCODINGS_MAX);
    if (slot->encoding && slot->id == message->id)
        return &slot->bytes;
    if (slot->bytes.cap > S_KEEP)
        zc_buf_clear (&slot->bytes);
    slot->encoding = encoding;
    slot->id = message->id;
    slot->bytes.len = 0;
    encoding->message (&slot->bytes, message);
    return &slot->bytes;
}

void zc_encoder_forget (zc_encoder_t *self)
{
    for (size_t i = 0; i < S_ENCODINGS_MAX; i++)
        self->encoded[i].id = ZC_ID_NONE;
}
