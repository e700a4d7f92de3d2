/*  watch.c - level-triggered, unless requested otherwise. One turn of the loop handles as many
 *  events as one epoll_wait gives, so that other handles get their turn. */
#include "lib/engine/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lib/base/log.h"

#define S_EVENTS 256 /* in one turn */

struct zc_watch {
    uv_poll_t poll;        /* of fd */
    uv_check_t check;      /* active only while items are to be released */
    unsigned open_handles; /* while it is destroyed */
    int fd;                /* the epoll instance; owned */
    zc_watch_ready_fn ready;
    zc_watch_release_fn release;
    struct epoll_event events[S_EVENTS]; /* of this turn */
    int count;
    void **gone; /* items to release; owned array */
    size_t gone_count, gone_room;
};

static uint32_t s_epoll_events (int events)
{
    uint32_t edge = EPOLLET;
    return (events & UV_READABLE ? EPOLLIN : 0) | (events & UV_WRITABLE ? EPOLLOUT : 0) |
           (events & ZC_WATCH_EDGE ? edge | EPOLLRDHUP : 0);
}

static int s_uv_events (uint32_t events)
{
    if (events & (EPOLLERR | EPOLLHUP))
        return UV_READABLE | UV_WRITABLE | UV_DISCONNECT;
    if (events & EPOLLRDHUP)
        return UV_READABLE | UV_DISCONNECT;
    return (events & EPOLLIN ? UV_READABLE : 0) | (events & EPOLLOUT ? UV_WRITABLE : 0);
}

static void s_on_poll (uv_poll_t *poll, int status, int events)
{
    zc_watch_t *self = poll->data;
    (void)status;
    (void)events;
    self->count = epoll_wait (self->fd, self->events, S_EVENTS, 0);
    for (int i = 0; i < self->count; i++) {
        void *item = self->events[i].data.ptr;
        if (item)
            self->ready (item, s_uv_events (self->events[i].events));
    }
    self->count = 0;
}

static void s_release_all (zc_watch_t *self)
{
    while (self->gone_count > 0)
        self->release (self->gone[--self->gone_count]);
}

static void s_on_check (uv_check_t *check)
{
    s_release_all (check->data);
    uv_check_stop (check);
}

zc_watch_t *zc_watch_new (uv_loop_t *loop, zc_watch_ready_fn ready, zc_watch_release_fn release)
{
    zc_watch_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->fd = epoll_create1 (EPOLL_CLOEXEC);
    int rc = self->fd < 0 ? -errno : uv_poll_init (loop, &self->poll, self->fd);
    if (rc != 0) {
        if (self->fd >= 0)
            close (self->fd);
        free (self);
        errno = -rc;
        return NULL;
    }
    uv_check_init (loop, &self->check);
    self->poll.data = self->check.data = self;
    self->ready = ready;
    self->release = release;
    uv_poll_start (&self->poll, UV_READABLE, s_on_poll);
    return self;
}

static void s_on_closed (uv_handle_t *handle)
{
    zc_watch_t *self = handle->data;
    if (--self->open_handles > 0)
        return;
    s_release_all (self);
    close (self->fd);
    free (self->gone);
    free (self);
}

void zc_watch_destroy (zc_watch_t **self_p)
{
    zc_watch_t *self = *self_p;
    if (!self)
        return;
    self->open_handles = 2;
    uv_close ((uv_handle_t *)&self->check, s_on_closed);
    uv_close ((uv_handle_t *)&self->poll, s_on_closed);
    *self_p = NULL;
}

int zc_watch_add (zc_watch_t *self, int fd, int events, void *item)
{
    static zc_log_limit_t limit;
    struct epoll_event event = {.events = s_epoll_events (events), .data.ptr = item};
    int rc = epoll_ctl (self->fd, EPOLL_CTL_ADD, fd, &event);
    if (rc != 0)
        zc_log_limited (&limit, ZC_LOG_WARN,
                        ZC_EVENT ("connection.unwatched error",
                                  "a connection can't be watched, and is closed: %s"),
                        strerror (errno));
    return rc;
}

void zc_watch_change (zc_watch_t *self, int fd, int events, void *item)
{
    struct epoll_event event = {.events = s_epoll_events (events), .data.ptr = item};
    /* can't fail for a descriptor that was added */
    epoll_ctl (self->fd, EPOLL_CTL_MOD, fd, &event);
}

void zc_watch_remove (zc_watch_t *self, int fd)
{
    epoll_ctl (self->fd, EPOLL_CTL_DEL, fd, NULL);
}

void zc_watch_release (zc_watch_t *self, void *item)
{
    for (int i = 0; i < self->count; i++)
        if (self->events[i].data.ptr == item)
            self->events[i].data.ptr = NULL;
    if (self->gone_count == self->gone_room) {
        self->gone_room = self->gone_room ? 2 * self->gone_room : 16;
        self->gone = realloc (self->gone, self->gone_room * sizeof *self->gone);
        if (!self->gone)
            abort ();
    }
    self->gone[self->gone_count++] = item;
    uv_check_start (&self->check, s_on_check);
}
