/*  load_account.c - the kernel's accounts of other processes: CPU time from each process's own
 *  clock (nanoseconds, with threads that have ended), and for children that have ended, from
 *  their parent's figures (ticks); memory from smaps_rollup. */
#define _GNU_SOURCE
#include "tests/bench/load.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static bool s_has (const zl_group_t *self, int pid)
{
    for (unsigned i = 0; i < self->count; i++)
        if (self->pid[i] == pid)
            return true;
    return false;
}

static void s_add (zl_group_t *self, int pid)
{
    if (self->count < sizeof self->pid / sizeof *self->pid && !s_has (self, pid))
        self->pid[self->count++] = pid;
}

static int s_parent (int pid)
{
    char path[64], line[512];
    snprintf (path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen (path, "r");
    if (!file)
        return -1;
    char *text = fgets (line, sizeof line, file);
    fclose (file);
    char *end = text ? strrchr (text, ')') : NULL;
    int parent = -1;
    return end && sscanf (end + 1, " %*c %d", &parent) == 1 ? parent : -1;
}

/*  A child's number may be below its parent's, so this repeats until nothing new is found. */
static void s_add_descendants (zl_group_t *self)
{
    unsigned before;
    do {
        before = self->count;
        DIR *proc = opendir ("/proc");
        for (struct dirent *entry; proc && (entry = readdir (proc));)
            if (isdigit ((unsigned char)*entry->d_name) &&
                s_has (self, s_parent (atoi (entry->d_name))))
                s_add (self, atoi (entry->d_name));
        if (proc)
            closedir (proc);
    } while (self->count > before);
}

bool zl_group_parse (zl_group_t *self, char *text)
{
    char *value = strchr (text, '=');
    if (!value)
        return false;
    *value++ = 0;
    *self = (zl_group_t){.name = text};
    for (char *pid = strtok (value, "+"); pid; pid = strtok (NULL, "+"))
        s_add (self, atoi (pid));
    s_add_descendants (self);
    return self->count > 0;
}

/*  The number after `label` in a file, or the first number where label is empty; 0 if none. */
static int64_t s_number (const char *path, const char *label)
{
    FILE *file = fopen (path, "r");
    char line[512];
    int64_t value = 0;
    while (file && fgets (line, sizeof line, file)) {
        const char *at = strstr (line, label);
        if (at && sscanf (at + strlen (label), "%ld", &value) == 1)
            break;
    }
    if (file)
        fclose (file);
    return value;
}

static int64_t s_tick_ns (void)
{
    return 1000000000 / sysconf (_SC_CLK_TCK);
}

/*  The time of children that have ended and were waited for, and of these children's own. */
static int64_t s_children_cpu (int pid)
{
    char path[64], line[1024];
    snprintf (path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen (path, "r");
    if (!file)
        return 0;
    char *text = fgets (line, sizeof line, file), *end = text ? strrchr (text, ')') : NULL;
    long user = 0, system = 0;
    fclose (file);
    if (!end || sscanf (end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %ld %ld",
                        &user, &system) != 2)
        return 0;
    return (user + system) * s_tick_ns ();
}

static int64_t s_process_cpu (int pid)
{
    clockid_t clock;
    struct timespec time = {0, 0};
    if (clock_getcpuclockid (pid, &clock) != 0 || clock_gettime (clock, &time) != 0)
        return 0; /* it has ended: its parent has its time */
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec + s_children_cpu (pid);
}

void zl_group_follow (zl_group_t *self)
{
    s_add_descendants (self);
}

int64_t zl_group_cpu (const zl_group_t *self)
{
    int64_t sum = 0;
    for (unsigned i = 0; i < self->count; i++)
        sum += s_process_cpu (self->pid[i]);
    return sum;
}

static int64_t s_sum (const zl_group_t *self, const char *file, const char *label)
{
    int64_t sum = 0;
    for (unsigned i = 0; i < self->count; i++) {
        char path[64];
        snprintf (path, sizeof path, "/proc/%d/%s", self->pid[i], file);
        sum += s_number (path, label);
    }
    return sum * 1024;
}

int64_t zl_group_pss (const zl_group_t *self)
{
    return s_sum (self, "smaps_rollup", "Pss:");
}

int64_t zl_group_anon (const zl_group_t *self)
{
    return s_sum (self, "smaps_rollup", "Pss_Anon:");
}

int64_t zl_group_rss (const zl_group_t *self)
{
    return s_sum (self, "status", "RssAnon:");
}

int64_t zl_socket_memory (void)
{
    return s_number ("/proc/net/sockstat", " mem ") * 4096;
}

/*  user, nice, system, irq and softirq of /proc/stat, which counts in ticks. */
int64_t zl_machine_cpu (void)
{
    unsigned long long user = 0, nice = 0, system = 0, irq = 0, softirq = 0;
    FILE *file = fopen ("/proc/stat", "r");
    if (file) {
        if (fscanf (file, "cpu %llu %llu %llu %*u %*u %llu %llu", &user, &nice, &system, &irq,
                    &softirq) != 5)
            user = 0;
        fclose (file);
    }
    return (int64_t)(user + nice + system + irq + softirq) * s_tick_ns ();
}

int64_t zl_slab_memory (void)
{
    return s_number ("/proc/meminfo", "Slab:") * 1024;
}
