/*  context.h - the end of a ZeroMQ context that doesn't wait for DNS.
 *
 *  libzmq looks names up in its own thread, so that no loop of ours waits for that; but
 * zmq_ctx_term waits for that thread, and so would SIGTERM. */
#ifndef ZC_CONTEXT_H
#define ZC_CONTEXT_H

#define ZC_CONTEXT_END_MS 1000 /* for what lingers nowhere: its sockets close at once */

/*  As zmq_ctx_term, for at most so many milliseconds; -1: no limit. All its sockets have been
 *  closed. What takes longer than that is left to itself: the process is about to end. */
void zc_context_end (void **context_p, int most_ms);
/*  The same, also no longer than until a descriptor can be read. */
void zc_context_end_unless (void **context_p, int most_ms, int fd);

#endif
