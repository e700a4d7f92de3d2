/*  chunked.h - the chunked transfer coding (RFC 9112 §7.1), in both directions. Bytes in, bytes
 *  out; no I/O. */
#ifndef ZC_CHUNKED_H
#define ZC_CHUNKED_H

#include "lib/base/buf.h"
#include "lib/base/text.h"

#define ZC_CHUNK_LINE_MAX 4096    /* bytes of one size line with its extensions */
#define ZC_CHUNK_EXTRA_MAX 65536  /* needless bytes in all size lines of a body */
#define ZC_CHUNK_TRAILER_MAX 8192 /* bytes of the trailer, which is ignored */

/*  Reads a body that comes in pieces, cut anywhere. The struct is public so that its owner can
 *  embed it. */
typedef struct {
    uint64_t left;  /* bytes of the chunk still to come */
    uint32_t line;  /* bytes of the line being read */
    uint32_t extra; /* bytes of extensions so far */
    uint32_t trailer;
    uint8_t part;   /* see chunked.c */
    uint8_t digits; /* of the size being read, without leading zeros */
} zc_chunked_t;

typedef enum {
    ZC_CHUNKED_MORE, /* all bytes are taken */
    ZC_CHUNKED_DATA, /* `data` is the next run of the body, borrowed from the input */
    ZC_CHUNKED_END,  /* the body is complete; the bytes that are left belong to the next request */
    ZC_CHUNKED_BAD /* the bytes are no chunks, or the framing is too large; nothing more is read */
} zc_chunked_event_t;

void zc_chunked_init (zc_chunked_t *self);
/*  Takes bytes off *bytes and *len until there is an event or no byte is left. */
zc_chunked_event_t zc_chunked_read (zc_chunked_t *self, const uint8_t **bytes, size_t *len,
                                    zc_slice_t *data);

/*  Writes a chunk around data in place: begin, append the data, then end with the value that begin
 *  returned. `guess` is the expected length of the data in bytes; a wrong guess costs a move of the
 *  data. If no data was appended, nothing is left of the chunk, since an empty chunk would end the
 *  body. */
size_t zc_chunk_begin (zc_buf_t *out, size_t guess);
void zc_chunk_end (zc_buf_t *out, size_t begun, size_t guess);
/*  The end of a body. A stream that is cut off must not have it. */
#define ZC_CHUNK_LAST "0\r\n\r\n"

#endif
