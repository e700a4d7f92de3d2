#include "lib/peer/context.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>
#include "lib/base/clock.h"

typedef struct {
    atomic_int owners; /* the caller, and the thread */
    void *context;
    int fd; /* readable once the context has ended */
} s_end_t;

static void s_term (void *context)
{
    while (zmq_ctx_term (context) != 0 && errno == EINTR)
        continue;
}

static void s_release (s_end_t *end)
{
    if (atomic_fetch_sub (&end->owners, 1) > 1)
        return;
    close (end->fd);
    free (end);
}

static void *s_thread (void *arg)
{
    s_end_t *end = arg;
    uint64_t one = 1;
    s_term (end->context);
    while (write (end->fd, &one, sizeof one) < 0 && errno == EINTR)
        continue;
    s_release (end);
    return NULL;
}

static void s_wait (int done_fd, int most_ms, int fd)
{
    struct pollfd items[] = {{done_fd, POLLIN, 0}, {fd, POLLIN, 0}};
    uint64_t end = zc_mono_ms () + (uint64_t)most_ms, now;
    while (most_ms < 0 || (now = zc_mono_ms ()) < end) {
        int rc = poll (items, 2, most_ms < 0 ? -1 : (int)(end - now));
        if (rc >= 0 || errno != EINTR)
            break;
    }
}

/*  Starts a thread that ends the context. Returns whether there is one. */
static int s_start (s_end_t *end)
{
    pthread_t thread;
    end->fd = eventfd (0, EFD_CLOEXEC);
    if (end->fd < 0)
        return 0;
    if (pthread_create (&thread, NULL, s_thread, end) == 0) {
        pthread_detach (thread);
        return 1;
    }
    close (end->fd);
    return 0;
}

void zc_context_end_unless (void **context_p, int most_ms, int fd)
{
    void *context = *context_p;
    *context_p = NULL;
    if (!context)
        return;
    s_end_t *end = most_ms < 0 && fd < 0 ? NULL : calloc (1, sizeof *end);
    if (end) {
        atomic_init (&end->owners, 2);
        end->context = context;
    }
    if (!end || !s_start (end)) {
        free (end);
        s_term (context);
        return;
    }
    s_wait (end->fd, most_ms, fd);
    s_release (end);
}

void zc_context_end (void **context_p, int most_ms)
{
    zc_context_end_unless (context_p, most_ms, -1);
}
