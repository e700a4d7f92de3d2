/*  passage.h - sends bytes and descriptors over a Unix stream socket, between two processes of
 *  one machine (SCM_RIGHTS, unix(7)). */
#ifndef ZC_PASSAGE_H
#define ZC_PASSAGE_H

#include "lib/base/buf.h"

typedef struct zc_passage zc_passage_t;

/*  Takes one end of a socketpair. */
zc_passage_t *zc_passage_new (int fd);
/*  Closes the socket, and the descriptors that have come and weren't taken. */
void zc_passage_destroy (zc_passage_t **self_p);
int zc_passage_fd (const zc_passage_t *self);

/*  Sends bytes, and with the first of them a descriptor, which stays open here; -1: none. Waits
 *  for room until `deadline_ms` on the monotonic clock. Returns 0, or -1 with errno. */
int zc_passage_send (zc_passage_t *self, const void *bytes, size_t len, int fd,
                     uint64_t deadline_ms);
/*  Adds the bytes that have come to zc_passage_bytes, without waiting. Returns 1; 0 if none has
 *  come; -1 if the other end is closed, or if a descriptor was lost because this process may
 *  have no more. */
int zc_passage_receive (zc_passage_t *self);
/*  Waits until something has come. Returns 0, or -1 if nothing came before `deadline_ms`. */
int zc_passage_wait (const zc_passage_t *self, uint64_t deadline_ms);
/*  The bytes that have come and weren't taken. The reader takes them with zc_buf_shift. */
zc_buf_t *zc_passage_bytes (zc_passage_t *self);
/*  Takes the first descriptor that has come; the caller closes it. Descriptors are in the order in
 *  which they were sent, and are there when the bytes that they came with are. -1: there is none.
 */
int zc_passage_take (zc_passage_t *self);

#endif
