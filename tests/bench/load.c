/*  load.c - the load generator's coordinator: options, phases, accounts, one line of JSON.
 *
 *      load --transport ws --connect 127.0.0.1:8081 --path '/ws?topic=t' --clients 1000
 *           --publish zmq:tcp://127.0.0.1:5560 --topic t --rate 40 --seconds 10
 *           --group ws=PID --group broker=PID
 *
 *  Phases: connect all clients, settle, idle (measured), publish for `warmup` seconds, and then
 *  (measured) until everything has arrived or `drain` is over, and where asked a reconnect storm.
 * It ends by itself within `limit` seconds. */
#define _GNU_SOURCE
#include "tests/bench/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GROUPS_MAX 8

typedef struct {
    int64_t at; /* ns */
    int64_t cpu[GROUPS_MAX], pss[GROUPS_MAX], anon[GROUPS_MAX];
    int64_t socket, slab;
    int64_t machine, own; /* CPU of everything, and of the load generator */
} s_account_t;

typedef struct {
    zl_options_t load;
    double settle, idle, warmup, drain, limit;
    unsigned storm; /* messages published while all clients are away; 0: no storm */
    zl_group_t group[GROUPS_MAX];
    unsigned groups;
    zl_group_t own; /* the load generator itself */
    zl_board_t *board;
    s_account_t empty, ready, before, after; /* no client; all connected; around the publishing */
    int64_t peak[GROUPS_MAX];                /* anonymous memory */
    uint64_t warm_received, warm_wanted;     /* of the warm-up */
    int64_t deadline, connect_ns, storm_connect_ns, storm_ns;
    int64_t storm_cpu[GROUPS_MAX];
} s_run_t;

/* ---- shared with the other parts ---- */

int64_t zl_now (void)
{
    struct timespec time;
    clock_gettime (CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

void zl_sleep_ms (unsigned ms)
{
    struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep (&time, NULL);
}

void zl_stamp_write (char *payload, const zl_stamp_t *stamp)
{
    char head[ZL_HEAD + 1];
    snprintf (head, sizeof head, "zb%04x:%07x:%016lx:", stamp->topic & 0xffff,
              stamp->sequence & 0xfffffff, (unsigned long)stamp->intended);
    memcpy (payload, head, ZL_HEAD);
}

static uint64_t s_hex (const char *text, int digits)
{
    uint64_t value = 0;
    for (int i = 0; i < digits; i++)
        value = value << 4 | (uint64_t)((text[i] & 15) + (text[i] > '9' ? 9 : 0));
    return value;
}

bool zl_stamp_read (const char *bytes, size_t len, zl_stamp_t *stamp)
{
    if (len < ZL_HEAD || bytes[0] != 'z' || bytes[1] != 'b' || bytes[6] != ':')
        return false;
    stamp->topic = (uint32_t)s_hex (bytes + 2, 4);
    stamp->sequence = (uint32_t)s_hex (bytes + 7, 7);
    stamp->intended = (int64_t)s_hex (bytes + 15, 16);
    return true;
}

void zl_histogram_add (zl_histogram_t *self, int64_t ns)
{
    uint64_t us = ns > 0 ? (uint64_t)ns / 1000 : 0;
    unsigned shift = us < 128 ? 0 : 57 - (unsigned)__builtin_clzll (us);
    unsigned bucket = shift * 64 + (unsigned)(us >> shift);
    self->count[bucket < ZL_BUCKETS ? bucket : ZL_BUCKETS - 1]++;
    self->total++;
    self->sum += us;
    if (us > self->max)
        self->max = us;
}

void zl_histogram_merge (zl_histogram_t *self, const zl_histogram_t *other)
{
    for (unsigned i = 0; i < ZL_BUCKETS; i++)
        self->count[i] += other->count[i];
    self->total += other->total;
    self->sum += other->sum;
    if (other->max > self->max)
        self->max = other->max;
}

double zl_histogram_at (const zl_histogram_t *self, double share)
{
    uint64_t seen = 0;
    for (unsigned i = 0; i < ZL_BUCKETS; i++) {
        seen += self->count[i];
        if (self->count[i] && (double)seen >= share * (double)self->total) {
            unsigned shift = i < 128 ? 0 : i / 64 - 1;
            return (double)((uint64_t)(i - shift * 64) << shift);
        }
    }
    return 0;
}

void zl_pattern (char *text, size_t size, const char *pattern, const char *value)
{
    const char *mark = strstr (pattern, "%d");
    if (!mark)
        mark = strstr (pattern, "%s");
    if (mark)
        snprintf (text, size, "%.*s%s%s", (int)(mark - pattern), pattern, value, mark + 2);
    else
        snprintf (text, size, "%s", pattern);
}

static int s_socket (const char *address, struct sockaddr_storage *to, socklen_t *len, int flags)
{
    memset (to, 0, sizeof *to);
    if (*address == '/') {
        struct sockaddr_un *local = (struct sockaddr_un *)to;
        local->sun_family = AF_UNIX;
        snprintf (local->sun_path, sizeof local->sun_path, "%s", address);
        *len = sizeof *local;
        return socket (AF_UNIX, SOCK_STREAM | flags, 0);
    }
    struct sockaddr_in *inet = (struct sockaddr_in *)to;
    char host[64];
    const char *colon = strrchr (address, ':');
    snprintf (host, sizeof host, "%.*s", colon ? (int)(colon - address) : 0, address);
    inet->sin_family = AF_INET;
    inet->sin_port = htons ((uint16_t)atoi (colon ? colon + 1 : "0"));
    *len = sizeof *inet;
    if (inet_pton (AF_INET, host, &inet->sin_addr) != 1) {
        errno = EINVAL;
        return -1;
    }
    return socket (AF_INET, SOCK_STREAM | flags, 0);
}

int zl_connect (const char *address, bool nonblocking, unsigned rcvbuf)
{
    struct sockaddr_storage to;
    socklen_t len;
    int fd = s_socket (address, &to, &len, SOCK_CLOEXEC | (nonblocking ? SOCK_NONBLOCK : 0));
    if (fd < 0)
        return -1;
    int size = (int)rcvbuf, one = 1;
    if (rcvbuf)
        setsockopt (fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect (fd, (struct sockaddr *)&to, len) == 0 || errno == EINPROGRESS)
        return fd;
    int saved = errno;
    close (fd);
    errno = saved;
    return -1;
}

/* ---- phases ---- */

static void s_fail (const s_run_t *self, const char *what)
{
    fprintf (stderr, "load: %s\n", what);
    atomic_store (&self->board->stop, true);
    atomic_store (&self->board->command, ZL_QUIT);
    exit (1);
}

static unsigned s_total (const s_run_t *self, size_t field)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < self->load.receivers; i++)
        sum +=
            atomic_load ((_Atomic unsigned *)(void *)((char *)&self->board->receiver[i] + field));
    return sum;
}
#define TOTAL(self, field) s_total (self, offsetof (zl_receiver_t, field))

static void s_check_time (const s_run_t *self)
{
    if (zl_now () < self->deadline)
        return;
    fprintf (stderr, "load: %u of %u clients open, %lu handshakes failed, %lu messages published\n",
             TOTAL (self, open), self->load.clients, (unsigned long)TOTAL (self, failed),
             (unsigned long)self->board->published);
    s_fail (self, "the time limit is over");
}

static uint64_t s_received (const s_run_t *self)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < self->load.receivers; i++)
        sum += atomic_load (&self->board->receiver[i].received);
    return sum;
}

static uint64_t s_wanted (const s_run_t *self)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < self->load.clients; i++)
        sum += atomic_load (&self->board->sent[i % self->load.topics]);
    return sum + (uint64_t)self->load.clients * atomic_load (&self->board->sent[ZL_TOPICS_MAX]);
}

static void s_read_cpu (const s_run_t *self, int64_t *cpu)
{
    for (unsigned i = 0; i < self->groups; i++)
        cpu[i] = zl_group_cpu (&self->group[i]);
}

static void s_read_account (s_run_t *self, s_account_t *account, bool memory)
{
    for (unsigned i = 0; i < self->groups; i++)
        zl_group_follow (&self->group[i]);
    for (unsigned i = 0; memory && i < self->groups; i++) {
        account->pss[i] = zl_group_pss (&self->group[i]);
        account->anon[i] = zl_group_anon (&self->group[i]);
    }
    account->socket = zl_socket_memory ();
    account->slab = zl_slab_memory ();
    s_read_cpu (self, account->cpu);
    account->machine = zl_machine_cpu ();
    account->own = zl_group_cpu (&self->own);
    account->at = zl_now ();
}

static void s_pause (const s_run_t *self, double seconds)
{
    for (int64_t end = zl_now () + (int64_t)(seconds * 1e9); zl_now () < end;) {
        zl_sleep_ms (10);
        s_check_time (self);
    }
}

static void s_watch_peak (s_run_t *self)
{
    for (unsigned i = 0; i < self->groups; i++) {
        int64_t now = zl_group_rss (&self->group[i]);
        if (now > self->peak[i])
            self->peak[i] = now;
    }
}

static pid_t s_fork (s_run_t *self, int what)
{
    pid_t pid = fork ();
    if (pid != 0)
        return pid;
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    _exit (what < 0 ? zl_publisher_run (&self->load, self->board)
                    : zl_receiver_run (&self->load, self->board, (unsigned)what));
}

/*  Waits until every client is open. Clients try again after a failed handshake, but not for
 *  ever. */
static int64_t s_await_open (const s_run_t *self, int64_t start)
{
    while (TOTAL (self, open) < self->load.clients) {
        zl_sleep_ms (1);
        s_check_time (self);
        if (self->load.transport == ZL_HTTP && TOTAL (self, closed) >= self->load.clients)
            return zl_now () - start;
        if (TOTAL (self, failed) > self->load.clients + 100)
            s_fail (self, "clients can't connect");
    }
    int64_t last = 0;
    for (unsigned i = 0; i < self->load.receivers; i++) {
        int64_t at = atomic_load (&self->board->receiver[i].connected_at);
        last = at > last ? at : last;
    }
    return last - start;
}

static void s_job (s_run_t *self, double rate, double shared_rate, double seconds)
{
    self->board->work = (zl_job_t){rate, shared_rate, seconds, 12345};
    unsigned job = atomic_fetch_add (&self->board->job, 1) + 1;
    while (atomic_load (&self->board->done) != job) {
        zl_sleep_ms (20);
        s_watch_peak (self);
        s_check_time (self);
        if (atomic_load (&self->board->failed))
            s_fail (self, "the publisher lost its connection");
    }
}

static void s_await_all (s_run_t *self)
{
    uint64_t wanted = s_wanted (self);
    int64_t end = zl_now () + (int64_t)(self->drain * 1e9);
    while (s_received (self) < wanted && zl_now () < end) {
        zl_sleep_ms (5);
        s_watch_peak (self);
    }
}

/*  Publishes at the rate that is measured later. Its cost and its duration aren't counted. */
static void s_warm_up (s_run_t *self)
{
    if (self->warmup > 0) {
        s_job (self, self->load.rate, self->load.shared_rate, self->warmup);
        s_await_all (self);
    }
    self->warm_received = s_received (self);
    self->warm_wanted = s_wanted (self);
    atomic_store (&self->board->from, zl_now ());
}

static void s_publish (s_run_t *self)
{
    s_warm_up (self);
    static char own[32];
    snprintf (own, sizeof own, "load=%d", (int)getpid ());
    zl_group_parse (&self->own, own);
    s_read_account (self, &self->before, true);
    s_read_account (self, &self->before, false); /* reading memory took time */
    s_job (self, self->load.rate, self->load.shared_rate, self->load.seconds);
    s_await_all (self);
    s_read_account (self, &self->after, false);
}

static void s_storm (s_run_t *self)
{
    zl_board_t *board = self->board;
    atomic_store (&board->command, ZL_RESET);
    while (TOTAL (self, open) > 0)
        zl_sleep_ms (1);
    s_pause (self, 0.5);
    s_job (self, 1000, 0, self->storm / 1000.0);
    s_pause (self, 0.3);
    int64_t before[GROUPS_MAX];
    s_read_cpu (self, before);
    int64_t start = zl_now ();
    atomic_store (&board->command, ZL_RECONNECT);
    self->storm_connect_ns = s_await_open (self, start);
    while (TOTAL (self, current) < self->load.clients) {
        zl_sleep_ms (1);
        s_check_time (self);
    }
    for (unsigned i = 0; i < self->load.receivers; i++) {
        int64_t at = atomic_load (&board->receiver[i].current_at) - start;
        self->storm_ns = at > self->storm_ns ? at : self->storm_ns;
    }
    s_read_cpu (self, self->storm_cpu);
    for (unsigned i = 0; i < self->groups; i++)
        self->storm_cpu[i] -= before[i];
    s_watch_peak (self);
}

static void s_run (s_run_t *self)
{
    pid_t children[ZL_RECEIVERS_MAX + 1];
    unsigned count = 0;
    s_read_account (self, &self->empty, true);
    if (self->load.publish)
        children[count++] = s_fork (self, -1);
    while (self->load.publish && !atomic_load (&self->board->ready)) {
        zl_sleep_ms (5);
        s_check_time (self);
        if (atomic_load (&self->board->failed))
            s_fail (self, "the publisher can't connect");
    }
    int64_t start = zl_now ();
    for (unsigned i = 0; i < self->load.receivers; i++)
        children[count++] = s_fork (self, (int)i);
    self->connect_ns = s_await_open (self, start);
    s_pause (self, self->settle);
    s_read_account (self, &self->ready, true);
    s_pause (self, self->idle);
    if (self->load.publish)
        s_publish (self);
    if (self->storm)
        s_storm (self);
    atomic_store (&self->board->command, ZL_QUIT);
    atomic_store (&self->board->stop, true);
    for (unsigned i = 0; i < count; i++)
        waitpid (children[i], NULL, 0);
}

/* ---- report ---- */

static void s_merge (const s_run_t *self, zl_receiver_t *all)
{
    for (unsigned i = 0; i < self->load.receivers; i++) {
        const zl_receiver_t *one = &self->board->receiver[i];
        all->bytes += one->bytes, all->repeats += one->repeats, all->disorder += one->disorder;
        all->missing += one->missing, all->incomplete += one->incomplete;
        all->pings += one->pings, all->continued += one->continued, all->gaps += one->gaps;
        zl_histogram_merge (&all->latency, &one->latency);
        zl_histogram_merge (&all->handshake, &one->handshake);
    }
}

static void s_print_latency (const char *name, const zl_histogram_t *all)
{
    printf ("\"%s\":{\"p50\":%.0f,\"p90\":%.0f,\"p99\":%.0f,\"p999\":%.0f,\"max\":%lu,"
            "\"mean\":%.0f},",
            name, zl_histogram_at (all, .5), zl_histogram_at (all, .9), zl_histogram_at (all, .99),
            zl_histogram_at (all, .999), all->max,
            all->total ? (double)all->sum / (double)all->total : 0);
}

static void s_print_groups (const s_run_t *self)
{
    printf ("\"groups\":{");
    for (unsigned i = 0; i < self->groups; i++)
        printf ("%s\"%s\":{\"cpu_ns\":%ld,\"idle_cpu_ns\":%ld,\"connect_cpu_ns\":%ld,"
                "\"storm_cpu_ns\":%ld,\"pss_empty\":%ld,\"pss_ready\":%ld,\"anon_empty\":%ld,"
                "\"anon_ready\":%ld,\"anon_before\":%ld,\"anon_peak\":%ld}",
                i ? "," : "", self->group[i].name, self->after.cpu[i] - self->before.cpu[i],
                self->before.cpu[i] ? self->before.cpu[i] - self->ready.cpu[i] : 0,
                self->ready.cpu[i] - self->empty.cpu[i], self->storm_cpu[i], self->empty.pss[i],
                self->ready.pss[i], self->empty.anon[i], self->ready.anon[i], self->before.anon[i],
                self->peak[i]);
    printf ("},");
}

/*  Cores that other processes on this machine used during the measurement. */
static double s_foreign (const s_run_t *self)
{
    int64_t foreign = self->after.machine - self->before.machine;
    foreign -= self->after.own - self->before.own;
    for (unsigned i = 0; i < self->groups; i++)
        foreign -= self->after.cpu[i] - self->before.cpu[i];
    int64_t passed = self->after.at - self->before.at;
    return passed > 0 ? (double)foreign / (double)passed : 0;
}

static void s_report (const s_run_t *self)
{
    static zl_receiver_t all;
    const zl_board_t *board = self->board;
    s_merge (self, &all);
    struct rusage usage;
    getrusage (RUSAGE_CHILDREN, &usage);
    printf ("{\"clients\":%u,\"connect_s\":%.4f,\"published\":%lu,\"answered\":%lu,\"refused\":%lu,"
            "\"unsent\":%lu,\"wanted\":%lu,\"received\":%lu,\"missing\":%lu,\"incomplete\":%lu,"
            "\"repeats\":%lu,\"disorder\":%lu,\"disconnected\":%u,\"failed\":%u,\"pings\":%lu,"
            "\"bytes\":%lu,",
            self->load.clients, (double)self->connect_ns / 1e9, board->published, board->answered,
            board->refused, board->unsent, s_wanted (self) - self->warm_wanted,
            s_received (self) - self->warm_received, all.missing, all.incomplete, all.repeats,
            all.disorder, TOTAL (self, closed), TOTAL (self, failed), all.pings, all.bytes);
    printf ("\"seconds\":%.3f,\"idle_s\":%.3f,\"late_max_us\":%lu,\"late_mean_us\":%.0f,",
            (double)(self->after.at - self->before.at) / 1e9,
            (double)(self->before.at - self->ready.at) / 1e9, board->late_max_us,
            board->published ? (double)board->late_sum_us / (double)board->published : 0);
    printf ("\"load_cpu_s\":%.3f,\"socket_bytes\":%ld,\"slab_bytes\":%ld,\"storm_connect_s\":%.4f,"
            "\"storm_s\":%.4f,\"continued\":%lu,\"gaps\":%lu,",
            (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
            self->ready.socket - self->empty.socket, self->ready.slab - self->empty.slab,
            (double)self->storm_connect_ns / 1e9, (double)self->storm_ns / 1e9, all.continued,
            all.gaps);
    s_print_latency ("latency_us", &all.latency);
    s_print_latency ("handshake_us", &all.handshake);
    s_print_groups (self);
    printf ("\"foreign_cores\":%.3f,", s_foreign (self));
    printf ("\"transport\":%d}\n", self->load.transport);
}

/* ---- options ---- */

static void s_bad (const char *what)
{
    fprintf (stderr, "load: %s\n", what);
    exit (2);
}

typedef struct {
    const char *name;
    char kind; /* t: text, u: unsigned, d: double */
    size_t offset;
} s_option_t;

#define OPTION(name, kind, field)                  \
    {                                              \
        "--" name, kind, offsetof (s_run_t, field) \
    }
static const s_option_t s_options[] = {OPTION ("connect", 't', load.connect),
                                       OPTION ("path", 't', load.path),
                                       OPTION ("header", 't', load.header),
                                       OPTION ("clients", 'u', load.clients),
                                       OPTION ("window", 'u', load.window),
                                       OPTION ("receivers", 'u', load.receivers),
                                       OPTION ("connect-rate", 'd', load.connect_rate),
                                       OPTION ("publish", 't', load.publish),
                                       OPTION ("body", 't', load.body),
                                       OPTION ("topic", 't', load.topic),
                                       OPTION ("topics", 'u', load.topics),
                                       OPTION ("shared", 't', load.shared),
                                       OPTION ("rate", 'd', load.rate),
                                       OPTION ("shared-rate", 'd', load.shared_rate),
                                       OPTION ("seconds", 'd', load.seconds),
                                       OPTION ("payload", 'u', load.payload),
                                       OPTION ("rcvbuf", 'u', load.rcvbuf),
                                       OPTION ("settle", 'd', settle),
                                       OPTION ("idle", 'd', idle),
                                       OPTION ("warmup", 'd', warmup),
                                       OPTION ("curve", 't', load.curve),
                                       OPTION ("drain", 'd', drain),
                                       OPTION ("limit", 'd', limit),
                                       OPTION ("storm", 'u', storm)};

static bool s_set_table (s_run_t *self, const char *name, char *value)
{
    for (size_t i = 0; i < sizeof s_options / sizeof *s_options; i++) {
        const s_option_t *option = &s_options[i];
        void *field = (char *)self + option->offset;
        if (strcmp (option->name, name) != 0)
            continue;
        if (option->kind == 't')
            *(const char **)field = value;
        else if (option->kind == 'u')
            *(unsigned *)field = (unsigned)strtoul (value, NULL, 10);
        else
            *(double *)field = strtod (value, NULL);
        return true;
    }
    return false;
}

static void s_set (s_run_t *self, const char *name, char *value)
{
    static const char *transports[] = {"ws", "sse", "fcgi", "http"};
    if (strcmp (name, "--group") == 0) {
        if (self->groups == GROUPS_MAX || !zl_group_parse (&self->group[self->groups++], value))
            s_bad ("--group is NAME=PID[+PID…]");
    } else if (strcmp (name, "--transport") == 0) {
        unsigned i = 0;
        while (i < 4 && strcmp (transports[i], value) != 0)
            i++;
        if (i == 4)
            s_bad ("--transport is one of ws, sse, fcgi, http");
        self->load.transport = (zl_transport_t)i;
    } else if (!s_set_table (self, name, value))
        s_bad ("unknown option");
}

static void s_parse (s_run_t *self, int argc, char **argv)
{
    *self = (s_run_t){.load = {.path = "/",
                               .clients = 1,
                               .window = 128,
                               .receivers = 1,
                               .topic = "bench",
                               .topics = 1,
                               .rate = 10,
                               .seconds = 5,
                               .payload = 100},
                      .settle = 1,
                      .drain = 10,
                      .limit = 120};
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc)
            s_bad ("an option needs its value");
        s_set (self, argv[i], argv[i + 1]);
    }
    const zl_options_t *load = &self->load;
    if (!load->connect || !load->clients || !load->topics || load->topics > ZL_TOPICS_MAX ||
        !load->receivers || load->receivers > ZL_RECEIVERS_MAX || load->payload < ZL_HEAD ||
        !load->window)
        s_bad ("needs --connect, and sensible numbers");
    self->deadline = zl_now () + (int64_t)(self->limit * 1e9);
}

int main (int argc, char **argv)
{
    static s_run_t self;
    s_parse (&self, argc, argv);
    signal (SIGPIPE, SIG_IGN);
    self.board =
        mmap (NULL, sizeof *self.board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (self.board == MAP_FAILED)
        s_bad ("no memory");
    alarm ((unsigned)self.limit + 30); /* whatever happens, it ends */
    s_run (&self);
    s_report (&self);
    return 0;
}
