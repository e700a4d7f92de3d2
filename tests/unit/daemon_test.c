/*  Listening sockets and their errors, accepting, peers' names, readiness, random numbers. */
#include "tests/unit/capture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/base/listen.h"

static char s_folder[] = "/tmp/zcast-daemon-XXXXXX";
static char s_path[64], s_error[512];

static int s_listen (const char *address)
{
    s_error[0] = 0;
    return zc_listen (address, 0600, 16, s_error, sizeof s_error);
}

static int s_connect_path (const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    strcpy (to.sun_path, path);
    int fd = socket (AF_UNIX, SOCK_STREAM, 0);
    if (connect (fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    close (fd);
    return -1;
}

static unsigned s_port (int fd)
{
    struct sockaddr_storage own;
    socklen_t len = sizeof own;
    assert_int_equal (getsockname (fd, (struct sockaddr *)&own, &len), 0);
    return ntohs (own.ss_family == AF_INET ? ((struct sockaddr_in *)&own)->sin_port
                                           : ((struct sockaddr_in6 *)&own)->sin6_port);
}

static void s_assert_refused (const char *address, const char *said)
{
    char all[512];
    int fd = s_listen (address);
    if (fd >= 0)
        fail_msg ("%s was taken", address);
    snprintf (all, sizeof all, "%s: %s", address, said);
    assert_string_equal (s_error, all);
}

static void test_path (void **state)
{
    (void)state;
    struct stat info;
    mode_t before = umask (0);
    umask (before);
    int fd = zc_listen (s_path, 0620, 16, s_error, sizeof s_error);
    assert_true (fd >= 0);
    assert_int_equal (stat (s_path, &info), 0);
    assert_int_equal (info.st_mode & 0777, 0620);
    assert_int_equal (umask (before), before);
    assert_int_equal (fcntl (fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    assert_int_equal (fcntl (fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    int peer = s_connect_path (s_path);
    assert_true (peer >= 0);
    int accepted = zc_accept (fd);
    char name[64];
    zc_peer_name (accepted, name, sizeof name);
    assert_string_equal (name, "unix");
    close (accepted);
    close (peer);
    close (fd);
    zc_unlisten (s_path);
    assert_int_equal (stat (s_path, &info), -1);
    zc_unlisten (s_path);
}

/*  The waits for an address that is in use: they take no time, and at one of them the server
 *  ends. */
static int s_waits, s_ends_at, s_ending = -1;

int __wrap_nanosleep (const struct timespec *time, struct timespec *left);
int __wrap_nanosleep (const struct timespec *time, struct timespec *left)
{
    (void)time, (void)left;
    if (++s_waits == s_ends_at)
        close (s_ending);
    return 0;
}

/*  A server that was killed still has the address for a moment. */
static void s_assert_waits_for_end (const char *address, int server)
{
    s_waits = 0;
    s_ends_at = 5;
    s_ending = server;
    int fd = s_listen (address);
    assert_true (fd >= 0);
    assert_int_equal (s_waits, 5);
    s_waits = s_ends_at = 0;
    assert_int_equal (s_listen (address), -1);
    assert_int_equal (s_waits, 30); /* and no longer */
    close (fd);
}

static void test_what_a_server_that_ends_holds (void **state)
{
    (void)state;
    char address[64];
    int fd = s_listen ("127.0.0.1:0");
    snprintf (address, sizeof address, "127.0.0.1:%u", s_port (fd));
    s_assert_waits_for_end (address, fd);
    s_assert_waits_for_end (s_path, s_listen (s_path));
    zc_unlisten (s_path);
}

static void test_path_of_a_running_server (void **state)
{
    (void)state;
    int fd = s_listen (s_path);
    assert_true (fd >= 0);
    s_assert_refused (s_path, "in use by a running server; stop it or choose another path");
    for (int looked; (looked = zc_accept (fd)) >= 0;) /* it was connected to more than once */
        close (looked);
    int peer = s_connect_path (s_path);
    assert_true (peer >= 0);
    close (peer);
    close (fd);
}

/*  The earlier server is gone, and its file is there. */
static void test_path_of_a_dead_server (void **state)
{
    (void)state;
    char address[80];
    snprintf (address, sizeof address, "unix:%s", s_path);
    assert_int_equal (access (s_path, F_OK), 0);
    assert_int_equal (s_connect_path (s_path), -1);
    int fd = s_listen (address);
    assert_true (fd >= 0);
    int peer = s_connect_path (s_path);
    assert_true (peer >= 0);
    close (peer);
    close (fd);
    zc_unlisten (address);
    assert_int_equal (access (s_path, F_OK), -1);
}

/*  A server whose backlog is full answers connect with EAGAIN: it is alive. */
static void test_path_of_a_busy_server (void **state)
{
    (void)state;
    int fd = zc_listen (s_path, 0600, 0, s_error, sizeof s_error), peers[16], count = 0;
    assert_true (fd >= 0);
    while (count < 16) {
        struct sockaddr_un to = {.sun_family = AF_UNIX};
        strcpy (to.sun_path, s_path);
        peers[count] = socket (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (connect (peers[count++], (struct sockaddr *)&to, sizeof to) != 0)
            break;
    }
    assert_int_equal (errno, EAGAIN);
    s_assert_refused (s_path, "in use by a running server; stop it or choose another path");
    while (count > 0)
        close (peers[--count]);
    close (fd);
    zc_unlisten (s_path);
}

/*  A server that drains ends after another one has taken its path: that one's file stays. */
static void test_path_that_another_has_taken (void **state)
{
    (void)state;
    int first = s_listen (s_path);
    close (first);
    int second = s_listen (s_path);
    assert_true (second >= 0);
    zc_unlisten (s_path);
    int peer = s_connect_path (s_path);
    assert_true (peer >= 0);
    close (peer);
    close (second);
    zc_unlisten (s_path);
    assert_int_equal (access (s_path, F_OK), -1);
}

static void test_path_of_something_else (void **state)
{
    (void)state;
    char text[200];
    int fd = open (s_path, O_CREAT | O_WRONLY, 0600);
    assert_int_equal (write (fd, "keep", 4), 4);
    close (fd);
    s_assert_refused (s_path, "exists and isn't a socket; remove it or choose another path");
    zc_unlisten (s_path);
    assert_int_equal (access (s_path, F_OK), 0);
    snprintf (text, sizeof text, "%s/x.sock", s_path);
    s_assert_refused (text, "its directory doesn't exist; make it or choose another path");
    unlink (s_path);
    snprintf (text, sizeof text, "%s/none/x.sock", s_folder);
    s_assert_refused (text, "its directory doesn't exist; make it or choose another path");
    s_assert_refused (s_folder, "exists and isn't a socket; remove it or choose another path");
    s_assert_refused ("unix:", "a socket's path has 1 to 107 bytes");
    memset (text, 'x', 150);
    text[0] = '/';
    text[150] = 0;
    s_assert_refused (text, "a socket's path has 1 to 107 bytes");
}

/*  /run is empty after a boot. If this user may not make a folder there, the error says so. */
static void test_path_in_a_runtime_folder (void **state)
{
    (void)state;
    char folder[64], path[96];
    snprintf (folder, sizeof folder, "/run/zcast-test-%d", (int)getpid ());
    snprintf (path, sizeof path, "%s/x.sock", folder);
    mode_t before = umask (0077);
    int fd = s_listen (path);
    umask (before);
    if (fd < 0) {
        s_assert_refused (path, "its directory doesn't exist; make it or choose another path");
        return;
    }
    struct stat info;
    assert_int_equal (stat (folder, &info), 0);
    assert_int_equal (info.st_mode & 0777, 0755);
    close (fd);
    zc_unlisten (path);
    assert_int_equal (zc_make_runtime_folder (path), -1); /* it exists */
    assert_int_equal (rmdir (folder), 0);
    assert_int_equal (zc_make_runtime_folder ("/run/x.sock"), -1);
    assert_int_equal (zc_make_runtime_folder ("/run/zcast-test/deeper/x.sock"), -1);
    assert_int_equal (zc_make_runtime_folder ("/tmp/zcast-test/x.sock"), -1);
}

/*  Root may do everything, so this needs another user. */
static void test_path_without_permission (void **state)
{
    (void)state;
    uid_t before = geteuid ();
    if (before == 0)
        assert_int_equal (seteuid (65534), 0);
    s_assert_refused ("/zcast-unit-test.sock",
                      "no permission; check the owner and mode of the file and its directory");
    if (before == 0)
        assert_int_equal (seteuid (0), 0);
}

static void test_ports (void **state)
{
    (void)state;
    static const char *const addresses[] = {"127.0.0.1:0", "localhost:0", ":0"};
    for (size_t i = 0; i < LENGTH (addresses); i++) {
        int fd = s_listen (addresses[i]);
        if (fd < 0)
            fail_msg ("%s", s_error);
        assert_true (s_port (fd) > 0);
        close (fd);
    }
}

/*  ":PORT" is loopback: nothing listens beyond it unless told to. */
static void test_bare_port_is_loopback (void **state)
{
    (void)state;
    struct sockaddr_in own;
    socklen_t len = sizeof own;
    int fd = s_listen (":0");
    assert_int_equal (getsockname (fd, (struct sockaddr *)&own, &len), 0);
    assert_int_equal (ntohl (own.sin_addr.s_addr), INADDR_LOOPBACK);
    close (fd);
}

static const char *const s_bad_addresses[] = {
    "",
    "8081",
    "localhost",
    "127.0.0.1:",
    "127.0.0.1:http",
    "127.0.0.1:65536",
    "127.0.0.1:123456",
    "127.0.0.1:-1",
    "127.0.0.1: 1",
    "::1:80",
    "[::1]",
    "[::1]:",
    "a:b:1",
};

static void test_bad_addresses (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (s_bad_addresses); i++)
        s_assert_refused (s_bad_addresses[i],
                          "expected HOST:PORT, :PORT, a path with a / in it, or unix:PATH");
    assert_int_equal (s_listen ("not an address:80"), -1);
    assert_memory_equal (s_error, "not an address:80: ", 19);
    s_assert_refused ("192.0.2.1:0", "not an address of this machine");
    char longest[600];
    memset (longest, 'h', sizeof longest);
    strcpy (longest + 500, ":80");
    assert_int_equal (s_listen (longest), -1);
}

/*  An error in an address is reported without opening it. */
static void test_forms (void **state)
{
    (void)state;
    static const char *const good[] = {"127.0.0.1:1", ":65535", "*:80",  "[::1]:80",
                                       "./x",         "/a/b",   "unix:x"};
    char longest[200] = "/";
    for (size_t i = 0; i < LENGTH (good); i++)
        assert_null (zc_listen_form (good[i]));
    for (size_t i = 0; i < LENGTH (s_bad_addresses); i++)
        assert_non_null (zc_listen_form (s_bad_addresses[i]));
    memset (longest + 1, 'x', 107);
    assert_string_equal (zc_listen_form (longest), "a socket's path has 1 to 107 bytes");
    assert_int_equal (zc_file_mode ("0660"), 0660);
    assert_int_equal (zc_file_mode ("7"), 07);
    static const char *const bad[] = {"", "rw", "888", "66x", "-1", "+7", "1777", " 7"};
    for (size_t i = 0; i < LENGTH (bad); i++)
        assert_true (zc_file_mode (bad[i]) > 0777);
}

static void test_port_in_use (void **state)
{
    (void)state;
    char address[64];
    int fd = s_listen ("127.0.0.1:0");
    snprintf (address, sizeof address, "127.0.0.1:%u", s_port (fd));
    s_assert_refused (address, "in use by another program; stop it or choose another port");
    close (fd);
}

/*  No other file gets the number of a standard descriptor that was closed. */
static void test_closed_standard_descriptors (void **state)
{
    (void)state;
    for (int closed = 0; closed < 8; closed++) {
        pid_t pid = fork ();
        if (pid == 0) {
            char byte;
            for (int fd = 0; fd < 3; fd++)
                if (closed & 1 << fd)
                    close (fd);
            zc_hold_standard_descriptors ();
            bool good = dup (0) > 2;
            if (closed & 1)
                good = good && read (0, &byte, 1) < 0;
            for (int fd = 1; fd < 3; fd++)
                if (closed & 1 << fd)
                    good = good && write (fd, "x", 1) < 0;
            _exit (good ? 0 : 1);
        }
        int status;
        assert_int_equal (waitpid (pid, &status, 0), pid);
        assert_true (WIFEXITED (status) && WEXITSTATUS (status) == 0);
    }
}

/*  A port whose last connections are in TIME_WAIT can be used at once. */
static void test_port_again (void **state)
{
    (void)state;
    char address[64];
    int fd = s_listen ("127.0.0.1:0");
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons ((uint16_t)s_port (fd))};
    to.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
    snprintf (address, sizeof address, "127.0.0.1:%u", s_port (fd));
    int peer = socket (AF_INET, SOCK_STREAM, 0);
    assert_int_equal (connect (peer, (struct sockaddr *)&to, sizeof to), 0);
    int accepted = zc_accept (fd);
    close (accepted); /* the side that closes first keeps TIME_WAIT */
    close (peer);
    close (fd);
    fd = s_listen (address);
    if (fd < 0)
        fail_msg ("%s", s_error);
    close (fd);
}

static void s_assert_peer (int fd, int family)
{
    struct sockaddr_in6 to6 = {.sin6_family = AF_INET6,
                               .sin6_port = htons ((uint16_t)s_port (fd)),
                               .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_in to4 = {.sin_family = AF_INET, .sin_port = htons ((uint16_t)s_port (fd))};
    to4.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
    int peer = socket (family, SOCK_STREAM, 0);
    int rc = family == AF_INET6 ? connect (peer, (struct sockaddr *)&to6, sizeof to6)
                                : connect (peer, (struct sockaddr *)&to4, sizeof to4);
    assert_int_equal (rc, 0);
    int accepted = zc_accept (fd);
    assert_true (accepted >= 0);
    assert_int_equal (fcntl (accepted, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    assert_int_equal (fcntl (accepted, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    char name[64], want[64];
    snprintf (want, sizeof want, family == AF_INET6 ? "[::1]:%u" : "127.0.0.1:%u", s_port (peer));
    zc_peer_name (accepted, name, sizeof name);
    assert_string_equal (name, want);
    zc_peer_address (accepted, name);
    assert_string_equal (name, family == AF_INET6 ? "::1" : "127.0.0.1");
    /*  A peer that has reset its connection has no address, and isn't a process of this machine. */
    struct linger reset = {1, 0};
    setsockopt (peer, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close (peer);
    zc_peer_address (accepted, name);
    assert_string_equal (name, "gone");
    close (accepted);
}

static void test_peers (void **state)
{
    (void)state;
    int fd = s_listen ("127.0.0.1:0");
    s_assert_peer (fd, AF_INET);
    close (fd);
    fd = s_listen ("[::1]:0");
    /* A machine may have no IPv6. */
    if (fd >= 0)
        s_assert_peer (fd, AF_INET6);
    else
        assert_non_null (strstr (s_error, "[::1]:0: "));
    close (fd);
    /* IPv4 on a socket of both is shown as IPv4. */
    fd = s_listen ("[::]:0");
    if (fd >= 0)
        s_assert_peer (fd, AF_INET);
    close (fd);
    char name[64];
    zc_peer_name (-1, name, sizeof name);
    assert_string_equal (name, "gone");
}

static void test_accept (void **state)
{
    (void)state;
    int fd = s_listen ("127.0.0.1:0");
    assert_int_equal (zc_accept (fd), -1);
    assert_int_equal (errno, EAGAIN);
    /* Out of descriptors: the connection that waits stays in the backlog, and is accepted later. */
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons ((uint16_t)s_port (fd))};
    to.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
    int peer = socket (AF_INET, SOCK_STREAM, 0);
    assert_int_equal (connect (peer, (struct sockaddr *)&to, sizeof to), 0);
    struct rlimit before, none;
    getrlimit (RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = (rlim_t)peer + 1;
    setrlimit (RLIMIT_NOFILE, &none);
    int rc = zc_accept (fd), why = errno;
    setrlimit (RLIMIT_NOFILE, &before);
    assert_int_equal (rc, -1);
    assert_int_equal (why, EMFILE);
    /* valgrind keeps the limit itself, by closing what the kernel has accepted. */
    const char *preloaded = getenv ("LD_PRELOAD");
    int accepted = zc_accept (fd);
    assert_true (accepted >= 0 || (preloaded && strstr (preloaded, "vgpreload")));
    close (accepted);
    close (peer);
    close (fd);
}

static void test_descriptor_limit (void **state)
{
    (void)state;
    struct rlimit before, after;
    getrlimit (RLIMIT_NOFILE, &before);
    struct rlimit low = {64, before.rlim_max};
    setrlimit (RLIMIT_NOFILE, &low);
    assert_int_equal (zc_raise_descriptor_limit (), before.rlim_max);
    getrlimit (RLIMIT_NOFILE, &after);
    assert_int_equal (after.rlim_cur, before.rlim_max);
    setrlimit (RLIMIT_NOFILE, &before);
}

/* Readiness */

static int s_notify_socket (const char *name)
{
    struct sockaddr_un own = {.sun_family = AF_UNIX};
    strcpy (own.sun_path, name);
    if (name[0] == '@')
        own.sun_path[0] = 0;
    int fd = socket (AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    socklen_t len = (socklen_t)(offsetof (struct sockaddr_un, sun_path) + strlen (name));
    assert_int_equal (bind (fd, (struct sockaddr *)&own, len), 0);
    setenv ("NOTIFY_SOCKET", name, 1);
    return fd;
}

static const char *s_notified (int fd)
{
    static char text[256];
    ssize_t len = recv (fd, text, sizeof text - 1, 0);
    text[len > 0 ? len : 0] = 0;
    return text;
}

static void test_notify (void **state)
{
    (void)state;
    char name[80];
    snprintf (name, sizeof name, "@zcast-unit-test-%ld", (long)getpid ());
    for (int i = 0; i < 2; i++) {
        int fd = s_notify_socket (i ? s_path : name);
        zc_notify ("READY=1");
        assert_string_equal (s_notified (fd), "READY=1");
        zc_notify ("RELOADING=1");
        assert_memory_equal (s_notified (fd), "RELOADING=1\nMONOTONIC_USEC=", 27);
        zc_notify ("STOPPING=1");
        assert_string_equal (s_notified (fd), "STOPPING=1");
        close (fd);
    }
    unlink (s_path);
}

static capture_t s_capture;

static void test_notify_nobody (void **state)
{
    (void)state;
    static const char *const names[] = {"/nonexistent/notify", "x", "@nobody-is-here"};
    for (size_t i = 0; i < LENGTH (names); i++) {
        setenv ("NOTIFY_SOCKET", names[i], 1);
        capture_begin (&s_capture, STDERR_FILENO);
        zc_notify ("READY=1");
        capture_end (&s_capture);
        assert_non_null (strstr (s_capture.text, names[i]));
    }
    char longest[300];
    memset (longest, '/', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    setenv ("NOTIFY_SOCKET", longest, 1);
    capture_begin (&s_capture, STDERR_FILENO);
    zc_notify ("READY=1");
    capture_end (&s_capture);
    assert_non_null (strstr (s_capture.text, "Invalid argument"));
    unsetenv ("NOTIFY_SOCKET");
    capture_begin (&s_capture, STDERR_FILENO);
    zc_notify ("READY=1");
    capture_end (&s_capture);
    assert_string_equal (s_capture.text, "");
}

static void test_random (void **state)
{
    (void)state;
    unsigned low = 0, high = 0;
    for (int i = 0; i < 20000; i++) {
        unsigned value = zc_random_between (10, 13);
        assert_in_range (value, 10, 13);
        low += value == 10;
        high += value == 13;
    }
    /* Each comes about 5,000 times; 4,000 is sixteen standard deviations away. */
    assert_in_range (low, 4000, 6000);
    assert_in_range (high, 4000, 6000);
    assert_int_equal (zc_random_between (7, 7), 7);
    zc_random_between (0, UINT32_MAX);
}

static void test_clocks (void **state)
{
    (void)state;
    uint64_t us = zc_mono_us (), ms = zc_mono_ms ();
    assert_true (ms >= us / 1000);
    assert_true (zc_mono_us () >= us);
    assert_true (zc_wall_ms () > 1700000000000);
}

static int s_begin (void **state)
{
    (void)state;
    if (!mkdtemp (s_folder))
        return -1;
    snprintf (s_path, sizeof s_path, "%s/x.sock", s_folder);
    return 0;
}

static int s_end (void **state)
{
    (void)state;
    return rmdir (s_folder);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_path),
        cmocka_unit_test (test_what_a_server_that_ends_holds),
        cmocka_unit_test (test_path_of_a_running_server),
        cmocka_unit_test (test_path_of_a_dead_server),
        cmocka_unit_test (test_path_of_a_busy_server),
        cmocka_unit_test (test_path_that_another_has_taken),
        cmocka_unit_test (test_path_of_something_else),
        cmocka_unit_test (test_path_in_a_runtime_folder),
        cmocka_unit_test (test_path_without_permission),
        cmocka_unit_test (test_ports),
        cmocka_unit_test (test_bare_port_is_loopback),
        cmocka_unit_test (test_bad_addresses),
        cmocka_unit_test (test_forms),
        cmocka_unit_test (test_port_in_use),
        cmocka_unit_test (test_closed_standard_descriptors),
        cmocka_unit_test (test_port_again),
        cmocka_unit_test (test_peers),
        cmocka_unit_test (test_accept),
        cmocka_unit_test (test_descriptor_limit),
        cmocka_unit_test (test_notify),
        cmocka_unit_test (test_notify_nobody),
        cmocka_unit_test (test_random),
        cmocka_unit_test (test_clocks),
    };
    return cmocka_run_group_tests (tests, s_begin, s_end);
}
