/*  encoder.h - a message's bytes in each encoding, made once for all channels. */
#ifndef ZC_ENCODER_H
#define ZC_ENCODER_H

#include "lib/wire/encoding.h"

typedef struct zc_encoder zc_encoder_t;

zc_encoder_t *zc_encoder_new (void);
void zc_encoder_destroy (zc_encoder_t **self_p);
/*  Borrowed until the next call. */
const zc_buf_t *zc_encoder_bytes (zc_encoder_t *self, const zc_encoding_t *encoding,
                                  const zc_message_t *message);
/*  The broker's positions went back: one that was given may be given again, for another message. */
void zc_encoder_forget (zc_encoder_t *self);

#endif
