/*  acceptors.c - takes EPOLLIN from the listening sockets in libzmq's epoll sets, and gives it
 *  back.
 *
 *  /proc/self/fdinfo tells which descriptors an epoll set has, for which events, and with which
 *  data (proc(5)). So an entry can be changed without libzmq's help; libzmq doesn't touch a
 *  listening socket's entry between bind and unbind. EPOLLIN is given back only to an entry with
 *  the same descriptor and data: otherwise the entry has become another's. The files in fdinfo
 *  are opened in advance, since no descriptors are left when the files are needed.
 *
 *  Rejected: a reserve of descriptors with which peers are accepted and closed. Such a peer
 *  comes back at once, and accepting and closing costs more than waiting. */
#include "broker/acceptors.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define S_SETS_MAX 32   /* ZeroMQ has one for each of its I/O threads */
#define S_PAUSED_MAX 64 /* listening sockets */
#define S_LINE 256

typedef struct {
    int epoll; /* borrowed from libzmq */
    int info;  /* owned: its fdinfo */
} s_set_t;

/*  One entry of an epoll set. */
typedef struct {
    int epoll, fd;
    uint32_t events;
    uint64_t data;
} s_entry_t;

struct zc_acceptors {
    s_set_t sets[S_SETS_MAX];
    size_t count;
    s_entry_t paused[S_PAUSED_MAX];
    size_t paused_count;
    bool resting;
    pthread_mutex_t lock; /* ZeroMQ's threads pause, and the broker's thread resumes */
};

static bool s_is_epoll (int fd)
{
    char path[64], target[64];
    snprintf (path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t len = readlink (path, target, sizeof target - 1);
    target[len > 0 ? len : 0] = 0;
    return strcmp (target, "anon_inode:[eventpoll]") == 0;
}

static void s_add_set (zc_acceptors_t *self, int fd)
{
    char path[64];
    snprintf (path, sizeof path, "/proc/self/fdinfo/%d", fd);
    int info = open (path, O_RDONLY | O_CLOEXEC);
    if (info >= 0)
        self->sets[self->count++] = (s_set_t){fd, info};
}

zc_acceptors_t *zc_acceptors_new (void)
{
    zc_acceptors_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    DIR *folder = opendir ("/proc/self/fd");
    struct dirent *entry;
    while (folder && self->count < S_SETS_MAX && (entry = readdir (folder)))
        if (s_is_epoll (atoi (entry->d_name)))
            s_add_set (self, atoi (entry->d_name));
    if (folder)
        closedir (folder);
    pthread_mutex_init (&self->lock, NULL);
    return self;
}

void zc_acceptors_destroy (zc_acceptors_t **self_p)
{
    zc_acceptors_t *self = *self_p;
    if (!self)
        return;
    pthread_mutex_destroy (&self->lock);
    for (size_t i = 0; i < self->count; i++)
        close (self->sets[i].info);
    free (self);
    *self_p = NULL;
}

static void s_set_events (const s_entry_t *entry, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u64 = entry->data};
    epoll_ctl (entry->epoll, EPOLL_CTL_MOD, entry->fd, &event);
}

static bool s_listens (int fd)
{
    int yes = 0;
    socklen_t len = sizeof yes;
    return getsockopt (fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) == 0 && yes;
}

static void s_pause (zc_acceptors_t *self, const s_entry_t *entry)
{
    if (!(entry->events & EPOLLIN) || !s_listens (entry->fd) || self->paused_count == S_PAUSED_MAX)
        return;
    self->paused[self->paused_count++] = *entry;
    s_set_events (entry, entry->events & ~(uint32_t)EPOLLIN);
}

static void s_resume (zc_acceptors_t *self, const s_entry_t *entry)
{
    for (size_t i = 0; i < self->paused_count; i++) {
        const s_entry_t *paused = &self->paused[i];
        if (paused->epoll == entry->epoll && paused->fd == entry->fd &&
            paused->data == entry->data && !(entry->events & EPOLLIN))
            s_set_events (paused, paused->events);
    }
}

static void s_line (zc_acceptors_t *self, int epoll, const char *line,
                    void (*fn) (zc_acceptors_t *self, const s_entry_t *entry))
{
    unsigned long long data;
    s_entry_t entry = {.epoll = epoll};
    if (sscanf (line, "tfd: %d events: %x data: %llx", &entry.fd, &entry.events, &data) != 3)
        return;
    entry.data = data;
    fn (self, &entry);
}

/*  Calls fn for each entry of each set. */
static void s_each (zc_acceptors_t *self, void (*fn) (zc_acceptors_t *self, const s_entry_t *entry))
{
    for (size_t i = 0; i < self->count; i++) {
        char text[4096], line[S_LINE];
        size_t used = 0;
        off_t at = 0;
        ssize_t len;
        while ((len = pread (self->sets[i].info, text, sizeof text, at)) > 0) {
            at += len;
            for (ssize_t k = 0; k < len; k++) {
                if (text[k] != '\n') {
                    line[used] = text[k];
                    used += used < S_LINE - 1;
                    continue;
                }
                line[used] = 0;
                used = 0;
                s_line (self, self->sets[i].epoll, line, fn);
            }
        }
    }
}

void zc_acceptors_pause (zc_acceptors_t *self)
{
    pthread_mutex_lock (&self->lock);
    s_each (self, s_pause);
    self->resting = true;
    pthread_mutex_unlock (&self->lock);
}

void zc_acceptors_resume (zc_acceptors_t *self)
{
    pthread_mutex_lock (&self->lock);
    s_each (self, s_resume);
    self->paused_count = 0;
    self->resting = false;
    pthread_mutex_unlock (&self->lock);
}

bool zc_acceptors_resting (zc_acceptors_t *self)
{
    pthread_mutex_lock (&self->lock);
    bool resting = self->resting;
    pthread_mutex_unlock (&self->lock);
    return resting;
}
