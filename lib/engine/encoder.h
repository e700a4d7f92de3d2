/*  encoder.h - encodes a message once for each encoding, for all channels. */
#ifndef ZC_ENCODER_H
#define ZC_ENCODER_H

#include "lib/wire/encoding.h"

typedef struct zc_encoder zc_encoder_t;

zc_encoder_t *zc_encoder_new (void);
void zc_encoder_destroy (zc_encoder_t **self_p);
/*  The message's bytes in an encoding, borrowed until the next call. */
const zc_buf_t *zc_encoder_bytes (zc_encoder_t *self, const zc_encoding_t *encoding,
                                  const zc_message_t *message);
/*  The broker's positions went back: another message may have a position that was seen already. */
void zc_encoder_forget (zc_encoder_t *self);

#endif
