/*  context.h - ends a ZeroMQ context without waiting for DNS.
 *
 *  libzmq looks names up in its own thread, so that no loop of ours waits. But zmq_ctx_term
 *  waits for that thread, and a program that got SIGTERM would wait, too. */
#ifndef ZC_CONTEXT_H
#define ZC_CONTEXT_H

#define ZC_CONTEXT_END_MS 1000 /* ms, for a context whose sockets don't linger */

/*  Ends the context as zmq_ctx_term does, but waits for at most `most_ms`; -1: no limit. All its
 *  sockets have been closed. A context that takes longer is left to itself, as the process is
 *  about to end. */
void zc_context_end (void **context_p, int most_ms);
/*  The same, but waits only until `fd` is readable. */
void zc_context_end_unless (void **context_p, int most_ms, int fd);

#endif
