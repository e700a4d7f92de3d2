/*  broker_bench.c - the broker alone: one publisher, one subscriber, compared with zproxy (case
 *  9).
 *
 *  "three-frames" is the cost of a third frame alone: it forwards like zproxy, and adds 52
 *  bytes.
 *
 *  Every round runs each system once, in turn: a proxy process between a publisher process and
 *  this one. The publisher sends as fast as the proxy takes: its own queue is bounded, and it
 *  waits while that is full. The rate is that of arrival. Prints a line for each system: median,
 *  spread, ratio to zproxy's median, and the proxy's CPU time for each message. Runs are bounded
 *  in messages and in time. */
#include <czmq.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define S_SYSTEMS_MAX 8
#define S_ROUNDS_MAX 101
#define S_WINDOW 1000      /* acknowledged publishes under way */
#define S_SILENCE_MS 10000 /* without an arrival for so long, the run has failed */

typedef struct {
    const char *name;
    const char *history;  /* of zcast-broker; NULL: another program */
    void (*serve) (void); /* the program, in a process of its own; doesn't return */
    bool acknowledged;    /* PUBLISH on control */
    bool curve;           /* encrypted, on every socket */
    double rate[S_ROUNDS_MAX];
    double cpu_us[S_ROUNDS_MAX];
    unsigned lost;
} s_system_t;

static struct {
    const char *broker;
    long messages, size;
    int rounds, port;
    char folder[64];
    const char
        *keys;  /* a folder of `zmq keygen`: broker, broker_secret, bench_secret, clients/bench */
    bool curve; /* of the system that runs */
} s_config = {"broker/zcast-broker", 500000, 200, 5, 0, "/tmp/zcast-bench-XXXXXX", NULL, false};

static double s_now (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void s_fail (const char *what)
{
    fprintf (stderr, "broker_bench: %s\n", what);
    exit (1);
}

static char *s_endpoint (int number)
{
    static char text[3][64];
    snprintf (text[number], sizeof text[number], "tcp://127.0.0.1:%d", s_config.port + number);
    return text[number];
}

/*  To be called before it connects. */
static void s_use_curve (void *socket)
{
    char path[512];
    if (!s_config.curve)
        return;
    snprintf (path, sizeof path, "%s/bench_secret", s_config.keys);
    zcert_t *own = zcert_load (path);
    snprintf (path, sizeof path, "%s/broker", s_config.keys);
    zcert_t *broker = zcert_load (path);
    if (!own || !broker)
        s_fail ("no keys");
    zmq_setsockopt (socket, ZMQ_CURVE_SERVERKEY, zcert_public_txt (broker), 41);
    zmq_setsockopt (socket, ZMQ_CURVE_PUBLICKEY, zcert_public_txt (own), 41);
    zmq_setsockopt (socket, ZMQ_CURVE_SECRETKEY, zcert_secret_txt (own), 41);
    zcert_destroy (&own);
    zcert_destroy (&broker);
}

/*  The systems: each a process between ports 0 (publish), 1 (subscribe) and 2 (control). */

static void s_zproxy (void)
{
    zsys_set_sndhwm (0);
    zsys_set_rcvhwm (10000);
    zactor_t *proxy = zactor_new (zproxy, NULL);
    zstr_sendx (proxy, "FRONTEND", "XSUB", s_endpoint (0), NULL);
    zsock_wait (proxy);
    zstr_sendx (proxy, "BACKEND", "XPUB", s_endpoint (1), NULL);
    zsock_wait (proxy);
    while (!zsys_interrupted)
        zclock_sleep (50);
    zactor_destroy (&proxy);
    exit (0);
}

static bool s_pass (void *from, void *to, int flags)
{
    zmq_msg_t frame;
    zmq_msg_init (&frame);
    bool passed = zmq_msg_recv (&frame, from, ZMQ_DONTWAIT) >= 0 &&
                  zmq_msg_send (&frame, to, flags | ZMQ_DONTWAIT) >= 0;
    zmq_msg_close (&frame);
    return passed;
}

static volatile sig_atomic_t s_ended;

static void s_end (int number)
{
    (void)number;
    s_ended = 1;
}

static void s_three_frames (void)
{
    static const char meta[52] = "id: 1795478400123-0\nprev: 1795478400122-1048575\n";
    void *context = zmq_ctx_new ();
    void *xsub = zmq_socket (context, ZMQ_XSUB), *xpub = zmq_socket (context, ZMQ_XPUB);
    int in = 10000, out = 0;
    zmq_setsockopt (xsub, ZMQ_RCVHWM, &in, sizeof in);
    zmq_setsockopt (xpub, ZMQ_SNDHWM, &out, sizeof out);
    if (zmq_bind (xsub, s_endpoint (0)) != 0 || zmq_bind (xpub, s_endpoint (1)) != 0)
        s_fail ("no endpoint");
    signal (SIGTERM, s_end);
    zmq_pollitem_t items[] = {{xsub, 0, ZMQ_POLLIN, 0}, {xpub, 0, ZMQ_POLLIN, 0}};
    while (!s_ended) {
        zmq_poll (items, 2, 50);
        while (s_pass (xpub, xsub, 0))
            ;
        for (int i = 0; i < 1000 && s_pass (xsub, xpub, ZMQ_SNDMORE); i++) {
            s_pass (xsub, xpub, ZMQ_SNDMORE);
            zmq_send (xpub, meta, sizeof meta, ZMQ_DONTWAIT);
        }
    }
    exit (0);
}

static void s_zcast (const s_system_t *system)
{
    char history[256];
    snprintf (history, sizeof history, "lmdb:%s/%d", s_config.folder, getpid ());
    const char *kind = strcmp (system->history, "memory") == 0 ? "memory" : history;
    const char *sync =
        strchr (system->history, ':') ? strchr (system->history, ':') + 1 : "interval";
    char key[512], clients[512];
    snprintf (key, sizeof key, "--curve-key=%s/broker_secret", s_config.keys);
    snprintf (clients, sizeof clients, "--curve-clients=%s/clients", s_config.keys);
    execl (s_config.broker, "zcast-broker", "--publish", s_endpoint (0), "--subscribe",
           s_endpoint (1), "--control", s_endpoint (2), "--subscribe-hwm", "100000000",
           "--subscribe-bytes", "0", "--history", kind, "--sync", sync, "--log-level", "warn",
           system->curve ? key : (char *)NULL, clients, (char *)NULL);
    perror (s_config.broker);
    _exit (1);
}

static pid_t s_start (const s_system_t *system)
{
    pid_t pid = fork ();
    if (pid == 0) {
        if (system->history)
            s_zcast (system);
        system->serve ();
    }
    return pid;
}

/*  Ends the process, and returns its CPU seconds. */
static double s_stop (pid_t pid)
{
    struct rusage usage;
    int status;
    kill (pid, SIGTERM);
    wait4 (pid, &status, 0, &usage);
    if (!WIFEXITED (status) || WEXITSTATUS (status) != 0)
        s_fail ("a system ended badly");
    return (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6 +
           (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6;
}

/*  PUB: "warm" until the start, then the messages. */
static void s_publisher (int go)
{
    void *context = zmq_ctx_new (), *pub = zmq_socket (context, ZMQ_PUB);
    int hwm = 10000, on = 1;
    zmq_setsockopt (pub, ZMQ_SNDHWM, &hwm, sizeof hwm);
    zmq_setsockopt (pub, ZMQ_XPUB_NODROP, &on, sizeof on);
    s_use_curve (pub);
    zmq_connect (pub, s_endpoint (0));
    zmq_pollitem_t item = {NULL, go, ZMQ_POLLIN, 0};
    while (zmq_poll (&item, 1, 5) == 0) {
        zmq_send (pub, "warm", 4, ZMQ_SNDMORE);
        zmq_send (pub, "", 0, 0);
    }
    char *payload = calloc (1, (size_t)s_config.size);
    for (long i = 0; i < s_config.messages; i++) {
        zmq_send (pub, "bench", 5, ZMQ_SNDMORE);
        zmq_send (pub, payload, (size_t)s_config.size, 0);
    }
    free (payload);
    zmq_close (pub);
    zmq_ctx_term (context);
    exit (0);
}

/*  Receives a message, its first frame into `topic`. Returns -1 if none came for long. */
static int s_receive (void *sub, zmq_msg_t *topic, zmq_msg_t *rest)
{
    int size = zmq_msg_recv (topic, sub, 0);
    if (size < 0)
        return -1;
    for (bool more = zmq_msg_more (topic); more; more = zmq_msg_more (rest))
        if (zmq_msg_recv (rest, sub, 0) < 0)
            return -1;
    return size;
}

/*  Returns how many messages a second arrive. */
static double s_subscriber (int go, unsigned *lost)
{
    void *context = zmq_ctx_new (), *sub = zmq_socket (context, ZMQ_SUB);
    int hwm = 0, silence = S_SILENCE_MS;
    zmq_setsockopt (sub, ZMQ_RCVHWM, &hwm, sizeof hwm);
    zmq_setsockopt (sub, ZMQ_RCVTIMEO, &silence, sizeof silence);
    zmq_setsockopt (sub, ZMQ_SUBSCRIBE, "", 0);
    s_use_curve (sub);
    zmq_connect (sub, s_endpoint (1));
    zmq_msg_t topic, rest;
    zmq_msg_init (&topic);
    zmq_msg_init (&rest);
    if (s_receive (sub, &topic, &rest) < 0)
        s_fail ("nothing arrives");
    if (write (go, "g", 1) != 1)
        s_fail ("write");
    long count = 0;
    double began = 0, ended = 0;
    while (count < s_config.messages) {
        int size = s_receive (sub, &topic, &rest);
        if (size < 0)
            break;
        if (size != 5)
            continue;
        if (count++ == 0)
            began = s_now ();
    }
    ended = s_now () - (count < s_config.messages ? S_SILENCE_MS / 1e3 : 0);
    *lost += (unsigned)(s_config.messages - count);
    zmq_msg_close (&topic);
    zmq_msg_close (&rest);
    zmq_close (sub);
    zmq_ctx_term (context);
    return (double)count / (ended - began);
}

/*  PUBLISH on control, with a window of requests under way. Returns answers a second. */
static double s_acknowledged (void)
{
    void *context = zmq_ctx_new (), *dealer = zmq_socket (context, ZMQ_DEALER);
    int hwm = 0, silence = S_SILENCE_MS;
    zmq_setsockopt (dealer, ZMQ_SNDHWM, &hwm, sizeof hwm);
    zmq_setsockopt (dealer, ZMQ_RCVHWM, &hwm, sizeof hwm);
    zmq_setsockopt (dealer, ZMQ_RCVTIMEO, &silence, sizeof silence);
    zmq_connect (dealer, s_endpoint (2));
    char *payload = calloc (1, (size_t)s_config.size);
    zmq_msg_t verb, rest;
    zmq_msg_init (&verb);
    zmq_msg_init (&rest);
    long sent = 0, answered = 0;
    double began = s_now ();
    while (answered < s_config.messages) {
        for (; sent < s_config.messages && sent - answered < S_WINDOW; sent++) {
            zmq_send (dealer, "PUBLISH", 7, ZMQ_SNDMORE);
            zmq_send (dealer, "bench", 5, ZMQ_SNDMORE);
            zmq_send (dealer, payload, (size_t)s_config.size, 0);
        }
        if (s_receive (dealer, &verb, &rest) != 2)
            s_fail ("a PUBLISH was not answered with OK");
        answered++;
        if (answered == 1)
            began = s_now ();
    }
    double rate = (double)answered / (s_now () - began);
    free (payload);
    zmq_msg_close (&verb);
    zmq_msg_close (&rest);
    zmq_close (dealer);
    zmq_ctx_term (context);
    return rate;
}

static double s_through (s_system_t *system)
{
    int go[2];
    if (pipe (go) != 0)
        s_fail ("pipe");
    pid_t publisher = fork ();
    if (publisher == 0)
        s_publisher (go[0]);
    double rate = s_subscriber (go[1], &system->lost);
    kill (publisher, SIGKILL);
    waitpid (publisher, NULL, 0);
    close (go[0]);
    close (go[1]);
    return rate;
}

static void s_run (s_system_t *system, int round)
{
    s_config.curve = system->curve;
    pid_t pid = s_start (system);
    system->rate[round] = system->acknowledged ? s_acknowledged () : s_through (system);
    system->cpu_us[round] = s_stop (pid) * 1e6 / (double)s_config.messages;
}

/*  The report. */

static int s_by_value (const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double s_median (double *values)
{
    qsort (values, (size_t)s_config.rounds, sizeof *values, s_by_value);
    return values[s_config.rounds / 2];
}

static void s_report (s_system_t *systems, int count)
{
    double yardstick = 0;
    for (int i = 0; i < count; i++) {
        s_system_t *system = &systems[i];
        double rate = s_median (system->rate), cpu = s_median (system->cpu_us);
        if (i == 0)
            yardstick = rate;
        printf ("%-26s %8.0f msg/s (%.0f to %.0f) ratio %.2f, %.2f us CPU a message, %u lost\n",
                system->name, rate, system->rate[0], system->rate[s_config.rounds - 1],
                rate / yardstick, cpu, system->lost);
    }
}

static void s_options (int argc, char **argv)
{
    int option;
    while ((option = getopt (argc, argv, "b:c:n:s:r:h")) != -1) {
        if (option == 'b')
            s_config.broker = optarg;
        else if (option == 'c')
            s_config.keys = optarg;
        else if (option == 'n')
            s_config.messages = atol (optarg);
        else if (option == 's')
            s_config.size = atol (optarg);
        else if (option == 'r')
            s_config.rounds = atoi (optarg);
        else {
            printf ("broker_bench [-b BROKER] [-c KEYS] [-n MESSAGES] [-s BYTES] [-r ROUNDS] "
                    "[SYSTEM...]\n");
            exit (option == 'h' ? 0 : 2);
        }
    }
    if (s_config.rounds < 1 || s_config.rounds > S_ROUNDS_MAX || s_config.messages < 2)
        s_fail ("rounds 1 to 101, messages 2 or more");
}

/*  The systems named on the command line, or all. zproxy is always among them. */
static int s_choose (s_system_t *systems, int count, char **names)
{
    int chosen = 1;
    for (int i = 1; i < count; i++) {
        bool wanted = !*names && (!systems[i].curve || s_config.keys);
        for (char **name = names; *name; name++)
            wanted |= strcmp (*name, systems[i].name) == 0;
        if (wanted)
            systems[chosen++] = systems[i];
    }
    return chosen;
}

int main (int argc, char **argv)
{
    static s_system_t systems[S_SYSTEMS_MAX] = {
        {.name = "zproxy", .serve = s_zproxy},
        {.name = "three-frames", .serve = s_three_frames},
        {.name = "memory", .history = "memory"},
        {.name = "memory-curve", .history = "memory", .curve = true},
        {.name = "lmdb-interval", .history = "lmdb:interval"},
        {.name = "memory-acknowledged", .history = "memory", .acknowledged = true},
        {.name = "lmdb-interval-acknowledged", .history = "lmdb:interval", .acknowledged = true},
        {.name = "lmdb-always-acknowledged", .history = "lmdb:always", .acknowledged = true},
    };
    s_options (argc, argv);
    int count = s_choose (systems, S_SYSTEMS_MAX, argv + optind);
    if (!mkdtemp (s_config.folder))
        s_fail ("no temporary folder");
    setvbuf (stdout, NULL, _IOLBF, 0);
    for (int round = 0; round < s_config.rounds; round++) {
        for (int i = 0; i < count; i++) {
            s_config.port = 20000 + 3 * (getpid () % 1000) + 3000 * (i % 4);
            s_run (&systems[i], round);
        }
    }
    s_report (systems, count);
    char command[128];
    snprintf (command, sizeof command, "rm -rf %s", s_config.folder);
    return system (command) == 0 ? 0 : 1;
}
