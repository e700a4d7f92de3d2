/*  resolve.c - getaddrinfo in a thread of its own, and an eventfd that tells when it is done.
 *
 *  A look-up can't be cancelled, so its memory belongs to the object until it ends: the last one
 *  of owner and thread frees it. Rejected: glibc's getaddrinfo_a, whose requests can't be
 *  abandoned either, and libuv's, since the bridge has no loop of libuv's. */
#include "lib/base/resolve.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define S_STACK (256 * 1024) /* of the thread; nsswitch's modules need some */

struct zc_resolve {
    atomic_int owners; /* the caller, and the thread while it runs */
    atomic_bool done;
    int fd;
    char *host;
    char addresses[ZC_RESOLVE_MAX][NI_MAXHOST];
    size_t count;
    const char *error; /* static text */
};

static void s_release (zc_resolve_t *self)
{
    if (atomic_fetch_sub (&self->owners, 1) > 1)
        return;
    close (self->fd);
    free (self->host);
    free (self);
}

static void s_finish (zc_resolve_t *self)
{
    uint64_t one = 1;
    atomic_store (&self->done, true);
    while (write (self->fd, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

static bool s_has (const zc_resolve_t *self, const char *address)
{
    for (size_t i = 0; i < self->count; i++)
        if (strcmp (self->addresses[i], address) == 0)
            return true;
    return false;
}

static void s_take (zc_resolve_t *self, const struct addrinfo *found)
{
    for (; found && self->count < ZC_RESOLVE_MAX; found = found->ai_next) {
        char *address = self->addresses[self->count];
        if (getnameinfo (found->ai_addr, found->ai_addrlen, address, NI_MAXHOST, NULL, 0,
                         NI_NUMERICHOST) == 0 &&
            !s_has (self, address))
            self->count++;
    }
}

/*  Returns getaddrinfo's result. */
static int s_look_up (zc_resolve_t *self, int flags)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags};
    struct addrinfo *found = NULL;
    int rc = getaddrinfo (self->host, NULL, &hints, &found);
    if (rc == 0) {
        s_take (self, found);
        freeaddrinfo (found);
    }
    return rc;
}

static void *s_thread (void *arg)
{
    zc_resolve_t *self = arg;
    int rc = s_look_up (self, 0);
    if (rc != 0)
        self->error = gai_strerror (rc);
    else if (self->count == 0)
        self->error = "the name has no address";
    s_finish (self);
    s_release (self);
    return NULL;
}

/*  Starts the thread with all signals blocked. Returns false if no thread can be made. */
static bool s_start (zc_resolve_t *self)
{
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, before;
    sigfillset (&all);
    pthread_attr_init (&attributes);
    pthread_attr_setstacksize (&attributes, S_STACK);
    pthread_attr_setdetachstate (&attributes, PTHREAD_CREATE_DETACHED);
    pthread_sigmask (SIG_SETMASK, &all, &before);
    atomic_store (&self->owners, 2);
    int rc = pthread_create (&thread, &attributes, s_thread, self);
    if (rc != 0)
        atomic_store (&self->owners, 1);
    pthread_sigmask (SIG_SETMASK, &before, NULL);
    pthread_attr_destroy (&attributes);
    return rc == 0;
}

zc_resolve_t *zc_resolve_new (const char *host)
{
    zc_resolve_t *self = calloc (1, sizeof *self);
    if (!self || !(self->host = strdup (host)))
        abort ();
    atomic_init (&self->owners, 1);
    atomic_init (&self->done, false);
    self->fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->fd >= 0 && s_look_up (self, AI_NUMERICHOST) != 0 && s_start (self))
        return self; /* the thread writes to it from now on */
    if (self->fd < 0)
        self->error = "out of descriptors";
    else if (self->count == 0)
        self->error = "there can be no thread to look the name up";
    s_finish (self);
    return self;
}

void zc_resolve_destroy (zc_resolve_t **self_p)
{
    zc_resolve_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    s_release (self);
}

int zc_resolve_fd (const zc_resolve_t *self)
{
    return self->fd;
}

bool zc_resolve_done (const zc_resolve_t *self)
{
    return atomic_load (&self->done);
}

size_t zc_resolve_count (const zc_resolve_t *self)
{
    assert (zc_resolve_done (self));
    return self->count;
}

const char *zc_resolve_address (const zc_resolve_t *self, size_t index)
{
    assert (index < zc_resolve_count (self));
    return self->addresses[index];
}

const char *zc_resolve_error (const zc_resolve_t *self)
{
    assert (zc_resolve_done (self));
    return self->error;
}
