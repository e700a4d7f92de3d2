/*  format.h - the format of a line that the user chooses: `zmq sub --format '%T %i %p\n'`. No I/O.
 *
 *    %t topic     %i id, the position    %T time of the id, RFC 3339 in UTC
 *    %p payload   %I the publisher's id  %U the same in seconds since 1970
 *    %e event     %k key                 %s bytes of the payload
 *    %b payload in base64                %{NAME} the header of this name
 *    %% a per cent sign                  \n \t \r \\ \0 \xHH the byte */
#ifndef ZC_FORMAT_OF_LINES_H
#define ZC_FORMAT_OF_LINES_H

#include <stdbool.h>

#include "lib/base/buf.h"
#include "lib/wire/message.h"

typedef struct zc_format zc_format_t;

/*  NULL with a sentence in `error`, if the text is no format. */
zc_format_t *zc_format_new (const char *text, char *error, size_t size);
void zc_format_destroy (zc_format_t **self_p);
/*  Appends a message; missing parts are empty. `escape`: text from the message is made fit for a
 *  terminal (zc_text_escape); text of the format itself is written unchanged. */
void zc_format_write (const zc_format_t *self, const zc_message_t *message, bool escape,
                      zc_buf_t *out);

#endif
