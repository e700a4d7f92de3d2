/*  Options: every type of value, the sources and their order, mistakes and how they are told,
 *  reading again, and what is printed from the table. */
#include "tests/unit/capture.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "lib/config/nearest.h"
#include "lib/config/options_private.h"
#include "lib/config/sections.h"
#include "lib/engine/worker.h"

extern char **environ;

/* Values */

static const struct {
    const char *text;
    int64_t bytes; /* -1: refused */
} s_sizes[] = {
    {"0", 0},
    {"1", 1},
    {"4096", 4096},
    {"64K", 65536},
    {"64k", 65536},
    {"1M", 1 << 20},
    {"2G", 2147483648},
    {"9223372036854775807", INT64_MAX},
    {"", -1},
    {"K", -1},
    {"-1", -1},
    {"1.5M", 1572864},
    {".5K", 512},
    {"0.0000001K", 1},
    {"1.5", -1},
    {"1.M", -1},
    {".M", -1},
    {"1.5.5M", -1},
    {"1.1234567890M", -1},
    {"1,5M", -1},
    {"1.-5M", -1},
    {"8589934592.5G", -1},
    {"9223372036854775807.9K", -1},
    {"1 M", -1},
    {"1MB", -1},
    {"1T", -1},
    {" 1", -1},
    {"0x10", -1},
    {"9223372036854775808", -1},
    {"9007199254740992K", -1},
    {"99999999999999999999G", -1},
};

static const struct {
    const char *text;
    int64_t bare, ms; /* -1: refused */
} s_durations[] = {
    {"0", 1, 0},
    {"50", 1, 50},
    {"50", 1000, 50000},
    {"50ms", 1000, 50},
    {"2s", 1, 2000},
    {"3m", 1, 180000},
    {"1h", 1, 3600000},
    {"2d", 1, 172800000},
    {"", 1, -1},
    {"ms", 1, -1},
    {"-1s", 1, -1},
    {"1.5s", 1, 1500},
    {"0.2", 1000, 200},
    {".25", 1000, 250},
    {"0.0001", 1000, 1}, /* not 0, which often means for ever */
    {"0.0", 1000, 0},
    {"1.0006s", 1, 1001},
    {"0.5h", 1, 1800000},
    {"0.5", 1, -1}, /* half a millisecond */
    {"0.5ms", 1, -1},
    {"1.", 1000, -1},
    {".", 1000, -1},
    {"..5", 1000, -1},
    {"1.5.5s", 1, -1},
    {"1e3", 1000, -1},
    {"1 s", 1, -1},
    {"1S", 1, -1},
    {"1w", 1, -1},
    {"1s ", 1, -1},
    {"9223372036854775807", 1000, -1},
    {"106751991168d", 1, -1},
};

static void test_sizes_and_durations (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (s_sizes); i++) {
        int64_t value = -1;
        if (zc_option_parse_size (s_sizes[i].text, &value) != 0)
            value = -1;
        if (value != s_sizes[i].bytes)
            fail_msg ("\"%s\": %lld", s_sizes[i].text, (long long)value);
    }
    for (size_t i = 0; i < LENGTH (s_durations); i++) {
        int64_t value = -1;
        if (zc_option_parse_duration (s_durations[i].text, s_durations[i].bare, &value) != 0)
            value = -1;
        if (value != s_durations[i].ms)
            fail_msg ("\"%s\": %lld", s_durations[i].text, (long long)value);
    }
}

static const struct {
    const char *endpoint;
    bool good, exposed;
} s_endpoints[] = {
    {"tcp://127.0.0.1:5560", true, false},
    {"tcp://127.8.9.1:5560", true, false},
    {"tcp://localhost:1", true, false},
    {"tcp://lo:1", true, false},
    {"tcp://[::1]:5560", true, false},
    {"tcp://[0:0:0:0:0:0:0:1]:*", true, false},
    {"tcp://[::ffff:127.0.0.1]:5560", true, false},
    {"tcp://[::ffff:7f01:203]:5560", true, false},
    {"tcp://ip6-localhost:5560", true, false},
    {"tcp://ip6-loopback:5560", true, false},
    {"tcp://[::ffff:10.0.0.1]:5560", true, true},
    {"tcp://[::ffff:0.0.0.0]:5560", true, true},
    {"tcp://[::127.0.0.1]:5560", true, true},
    {"tcp://[fe80::1%lo]:5560", true, true},
    {"tcp://[::1%lo]:5560", true, true},
    {"tcp://127.0.0.1:*", true, false},
    {"ipc:///run/zcast/pub", true, false},
    {"ipc://@abstract", true, false},
    {"inproc://x", true, false},
    {"tcp://*:5560", true, true},
    {"tcp://0.0.0.0:5560", true, true},
    {"tcp://eth0:5560", true, true},
    {"tcp://[::]:5560", true, true},
    {"tcp://[2001:db8::1]:5560", true, true},
    {"tcp://10.0.0.1:65535", true, true},
    {"tcp://127.evil.example:5560", true, true},
    {"tcp://127.0.0.1.example:5560", true, true},
    {"tcp://localhost.example:1", true, true},
    {"", false, false},
    {"127.0.0.1:5560", false, false},
    {"TCP://127.0.0.1:5560", false, false},
    {"tcp://127.0.0.1", false, true},
    {"tcp://127.0.0.1:", false, true},
    {"tcp://127.0.0.1:65536", false, true},
    {"tcp://127.0.0.1:5560x", false, true},
    {"tcp://:5560", false, true},
    {"tcp://::1:5560", false, true},
    {"tcp://a:b:5560", false, true},
    {"tcp://127.0.0.1:0;10.0.0.1:5560", false, true},
    {"tcp://127.0.0.1:5560/x", false, true},
    {"ipc://", false, false},
    {"ipc:///a-path-of-a-socket-that-is-longer-than-what-the-kernel-takes-for-one/"
     "which-is-a-hundred-and-seven-bytes-only/x",
     false, false},
    {"inproc://", false, false},
    {"udp://127.0.0.1:1", false, false},
    {"ws://127.0.0.1:1", false, false},
    {"ipc:///a\nb", false, false},
};

static void test_endpoints (void **state)
{
    (void)state;
    zc_option_t option = {.name = "e", .type = ZC_OPT_ENDPOINT};
    for (size_t i = 0; i < LENGTH (s_endpoints); i++) {
        int64_t number;
        char expected[200];
        const char *text = s_endpoints[i].endpoint;
        int rc = zc_option_value (&option, text, &number, expected, sizeof expected);
        if ((rc == 0) != s_endpoints[i].good ||
            zc_endpoint_exposed (text) != s_endpoints[i].exposed)
            fail_msg ("%s: %d, exposed %d", text, rc, zc_endpoint_exposed (text));
    }
}

static void test_several_endpoints (void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {"tcp://a:1", true},
        {"tcp://a:1 tcp://b:1", true},
        {"tcp://a:1  ipc:///b c inproc://d", true},
        {"", false},
        {" ", false},
        {"tcp://a", false},
        {"tcp://a:1 b:1", false},
        {"tcp://a:1 tcp://b", false},
        {"tcp://a:1,tcp://b:1", false},
    };
    zc_option_t option = {.name = "e", .type = ZC_OPT_ENDPOINTS};
    for (size_t i = 0; i < LENGTH (cases); i++) {
        int64_t number;
        char expected[200];
        if ((zc_option_value (&option, cases[i].text, &number, expected, sizeof expected) == 0) !=
            cases[i].good)
            fail_msg ("%s", cases[i].text);
    }
}

/* A program */

static const zc_option_t s_options[] = {
    {.name = "name",
     .letter = 'n',
     .type = ZC_OPT_TEXT,
     .min = 1,
     .max = 8,
     .argument = "NAME",
     .help = "what it is called",
     .reload = true},
    {.name = "greeting",
     .type = ZC_OPT_TEXT,
     .preset = "hello",
     .argument = "TEXT",
     .help = "what it says",
     .reload = true},
    {.name = "publish",
     .type = ZC_OPT_ENDPOINT,
     .preset = "tcp://127.0.0.1:5560",
     .argument = "ENDPOINT",
     .help = "where publishers connect"},
    {.name = "echo", .letter = 'e', .type = ZC_OPT_BOOL, .preset = "no", .help = "say it again"},
    {.name = "color",
     .letter = 'C',
     .type = ZC_OPT_BOOL,
     .preset = "yes",
     .help = "in color",
     .reload = true},
    {.name = "count",
     .type = ZC_OPT_NUMBER,
     .preset = "10",
     .min = -5,
     .max = 100,
     .argument = "N",
     .help = "how many",
     .reload = true},
    {.name = "offset",
     .type = ZC_OPT_NUMBER,
     .argument = "N",
     .help = "from where",
     .reload = true},
    {.name = "max-lag",
     .type = ZC_OPT_SIZE,
     .preset = "1M",
     .min = 4096,
     .max = 1 << 30,
     .argument = "SIZE",
     .help = "how far behind",
     .reload = true},
    {.name = "delay",
     .type = ZC_OPT_MS,
     .preset = "50",
     .max = 10000,
     .argument = "TIME",
     .help = "how long",
     .reload = true},
    {.name = "heartbeat",
     .type = ZC_OPT_SECONDS,
     .preset = "15s",
     .min = 100,
     .max = 3600000,
     .argument = "TIME",
     .help = "how often"},
    {.name = "slow",
     .type = ZC_OPT_CHOICE,
     .preset = "disconnect",
     .choices = "disconnect|skip|latest",
     .argument = "POLICY",
     .help = "what happens",
     .reload = true},
    {.name = "slow-topics",
     .type = ZC_OPT_MAP,
     .choices = "disconnect|skip|latest",
     .argument = "PREFIX=POLICY",
     .help = "what happens where",
     .reload = true},
    {.name = "header",
     .letter = 'H',
     .type = ZC_OPT_MAP,
     .argument = "NAME=VALUE",
     .help = "what goes along",
     .reload = true},
    {.name = "origin",
     .letter = 'o',
     .type = ZC_OPT_LIST,
     .min = 1,
     .max = 16,
     .argument = "ORIGIN",
     .help = "who may",
     .reload = true},
    ZC_OPTION_END,
};

static const char *s_verify_options (const zc_options_t *options, char *error, size_t size)
{
    if (zc_options_number (options, "count") != 13)
        return NULL;
    snprintf (error, size, "bad luck");
    return "count";
}

static const zc_program_t s_program = {
    .program = "zcast-test",
    .section = "test",
    .usage = "[OPTION...] [WORD]",
    .summary = "Tests.",
    .epilog = "Examples:\n  zcast-test",
    .options = s_options,
    .words = 2,
    .verify = s_verify_options,
};

/*  Whatever this runs in. */
static void s_clear_environment (void)
{
    for (char **at = environ; *at;) {
        char name[100];
        size_t len = strcspn (*at, "=");
        bool ours = strncmp (*at, "ZCAST_", 6) == 0 && len < sizeof name;
        snprintf (name, sizeof name, "%.*s", (int)len, *at);
        if (ours)
            unsetenv (name);
        else
            at++;
    }
}

static capture_t s_out, s_error;
static char s_folder[] = "/tmp/zcast-options-XXXXXX";

#define ARGUMENTS_MAX 16

/*  Runs zc_options_new on words separated by '|'; its output is in s_out and s_error. */
static zc_options_t *s_new_of (const zc_program_t *program, const char *line, int *status)
{
    static char copy[1024];
    char *argv[ARGUMENTS_MAX] = {(char *)"program"};
    int argc = 1;
    snprintf (copy, sizeof copy, "%s", line);
    char *at = copy;
    while (at && *at && argc < ARGUMENTS_MAX) {
        char *next = strchr (at, '|');
        if (next)
            *next++ = 0;
        argv[argc++] = at;
        at = next;
    }
    capture_begin (&s_out, STDOUT_FILENO);
    capture_begin (&s_error, STDERR_FILENO);
    zc_options_t *options = zc_options_new (program, argc, argv, status);
    capture_end (&s_error);
    capture_end (&s_out);
    return options;
}

static zc_options_t *s_new (const char *line)
{
    int status = -1;
    zc_options_t *options = s_new_of (&s_program, line, &status);
    if (!options)
        fail_msg ("%s: status %d: %s", line, status, s_error.text);
    assert_int_equal (status, 0);
    assert_string_equal (s_error.text, "");
    return options;
}

static char s_path[64];

static void s_write (const char *text, size_t len)
{
    snprintf (s_path, sizeof s_path, "%s/zcast.conf", s_folder);
    FILE *file = fopen (s_path, "w");
    assert_non_null (file);
    assert_int_equal (fwrite (text, 1, len, file), len);
    fclose (file);
}

static zc_options_t *s_new_file (const char *text, const char *line)
{
    char all[512];
    s_write (text, strlen (text));
    snprintf (all, sizeof all, "-c|%s%s%s", s_path, *line ? "|" : "", line);
    return s_new (all);
}

static void test_presets (void **state)
{
    (void)state;
    zc_options_t *options = s_new ("");
    assert_null (zc_options_text (options, "name"));
    assert_string_equal (zc_options_text (options, "greeting"), "hello");
    assert_string_equal (zc_options_text (options, "publish"), "tcp://127.0.0.1:5560");
    assert_false (zc_options_bool (options, "echo"));
    assert_true (zc_options_bool (options, "color"));
    assert_int_equal (zc_options_number (options, "count"), 10);
    assert_int_equal (zc_options_number (options, "max-lag"), 1 << 20);
    assert_int_equal (zc_options_number (options, "delay"), 50);
    assert_int_equal (zc_options_number (options, "heartbeat"), 15000);
    assert_string_equal (zc_options_text (options, "slow"), "disconnect");
    assert_string_equal (zc_options_text (options, "log-level"), "info");
    const char *key, *value;
    assert_false (zc_options_item (options, "origin", 0, &key, &value));
    assert_null (zc_options_word (options, 0));
    zc_options_destroy (&options);
    assert_null (options);
    zc_options_destroy (&options);
}

static const struct {
    const char *line, *name, *text;
    int64_t number;
} s_lines_good[] = {
    {"--name=x", "name", "x", 0},
    {"--name|x", "name", "x", 0},
    {"-n|x", "name", "x", 0},
    {"-nx", "name", "x", 0},
    {"-n=x", "name", "=x", 0},
    {"--name|--echo", "name", "--echo", 0},
    {"--name=a|--name=b", "name", "b", 0},
    {"--greeting=", "greeting", "", 0},
    {"--greeting=a=b", "greeting", "a=b", 0},
    {"--echo", "echo", "yes", 1},
    {"--echo=on", "echo", "on", 1},
    {"--echo=FALSE", "echo", "FALSE", 0},
    {"--echo|--no-echo", "echo", "no", 0},
    {"--no-color", "color", "no", 0},
    {"-eCn|x", "name", "x", 0},
    {"-enx", "echo", "yes", 1},
    {"--count=-5", "count", "-5", -5},
    {"--count|-5", "count", "-5", -5},
    {"--count=100", "count", "100", 100},
    {"--offset=9223372036854775807", "offset", "9223372036854775807", INT64_MAX},
    {"--max-lag=64K", "max-lag", "64K", 65536},
    {"--delay=2s", "delay", "2s", 2000},
    {"--heartbeat=20", "heartbeat", "20", 20000},
    {"--heartbeat=100ms", "heartbeat", "100ms", 100},
    {"--slow=latest", "slow", "latest", 0},
    {"--log-level=debug", "log-level", "debug", 0},
};

static void test_lines_good (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (s_lines_good); i++) {
        zc_options_t *options = s_new (s_lines_good[i].line);
        assert_string_equal (zc_options_text (options, s_lines_good[i].name), s_lines_good[i].text);
        assert_int_equal (zc_options_number (options, s_lines_good[i].name),
                          s_lines_good[i].number);
        zc_options_destroy (&options);
    }
}

static const struct {
    const char *line, *said;
} s_lines_bad[] = {
    {"--nonsense", "--nonsense: unknown option; see zcast-test --help"},
    {"--nonsense=1", "--nonsense=1: unknown option; see zcast-test --help"},
    {"--nam=x", "--nam=x: unknown option; did you mean --name? see zcast-test --help"},
    {"--nmae", "--nmae: unknown option; did you mean --name? see zcast-test --help"},
    {"--max_lag=1M", "--max_lag=1M: unknown option; did you mean --max-lag? see zcast-test --help"},
    {"--Name=x", "--Name=x: unknown option; did you mean --name? see zcast-test --help"},
    {"--log-lvl", "--log-lvl: unknown option; did you mean --log-level? see zcast-test --help"},
    {"--no-colour", "--no-colour: unknown option; did you mean --no-color? see zcast-test --help"},
    {"--versoin", "--versoin: unknown option; did you mean --version? see zcast-test --help"},
    {"--greet", "--greet: unknown option; did you mean --greeting? see zcast-test --help"},
    {"--a-very-long-word-that-is-near-to-no-name-at-all-however-it-is-cut-at-its-end",
     "--a-very-long-word-that-is-near-to-no-name-at-all-however-it...: unknown option; see "
     "zcast-test --help"},
    {"---", "---: unknown option; see zcast-test --help"},
    {"--=x", "--=x: unknown option; see zcast-test --help"},
    {"-x", "-x: unknown option; see zcast-test --help"},
    {"-ex", "-ex: unknown option; see zcast-test --help"},
    {"--no-name", "--no-name: unknown option; see zcast-test --help"},
    {"--no-echo=yes",
     "--no-echo=yes: unknown option; did you mean --no-echo? see zcast-test --help"},
    {"--no-help", "--no-help: unknown option; see zcast-test --help"},
    {"--bad\nline", "--bad\\nline: unknown option; see zcast-test --help"},
    {"a|b|c", "c: unexpected argument; see zcast-test --help"},
    {"--name", "--name: expected a value: NAME"},
    {"-n", "--name: expected a value: NAME"},
    {"--name=", "--name: expected NAME: 1 to 8 bytes of plain text, not \"\""},
    {"--name=123456789", "--name: expected NAME: 1 to 8 bytes of plain text, not \"123456789\""},
    {"--name=\x1b", "--name: expected NAME: 1 to 8 bytes of plain text, not \"\\x1b\""},
    {"--greeting=\xff", "--greeting: expected TEXT: plain text, not \"\\xff\""},
    {"--echo=maybe", "--echo: expected yes or no, not \"maybe\""},
    {"--count=101", "--count: expected a number from -5 to 100, not \"101\""},
    {"--count=-6", "--count: expected a number from -5 to 100, not \"-6\""},
    {"--count=1e1", "--count: expected a number from -5 to 100, not \"1e1\""},
    {"--count=--5", "--count: expected a number from -5 to 100, not \"--5\""},
    {"--count=", "--count: expected a number from -5 to 100, not \"\""},
    {"--offset=-1", "--offset: expected a number, not \"-1\""},
    {"--offset=9223372036854775808", "--offset: expected a number, not \"9223372036854775808\""},
    {"--max-lag=1K", "--max-lag: expected a size from 4K to 1G, not \"1K\""},
    {"--max-lag=lots", "--max-lag: expected a size from 4K to 1G, not \"lots\""},
    {"--delay=1m", "--delay: expected a time (ms, s, m, h, d) from 0 to 10s, not \"1m\""},
    {"--heartbeat=0", "--heartbeat: expected a time (ms, s, m, h, d) from 100ms to 1h, not \"0\""},
    {"--slow=ski", "--slow: expected one of disconnect|skip|latest, not \"ski\""},
    {"--slow=", "--slow: expected one of disconnect|skip|latest, not \"\""},
    {"--slow-topics=a", "--slow-topics: expected PREFIX=POLICY with one of "
                        "disconnect|skip|latest, not \"a\""},
    {"--slow-topics==skip", "--slow-topics: expected PREFIX=POLICY with one of "
                            "disconnect|skip|latest, not \"=skip\""},
    {"--header=x", "--header: expected NAME=VALUE, not \"x\""},
    {"--origin=12345678901234567", "--origin: expected ORIGIN: 1 to 16 bytes of plain text, not "
                                   "\"12345678901234567\""},
    {"--publish=5560", "--publish: expected tcp://HOST:PORT, ipc://PATH or inproc://NAME, not "
                       "\"5560\""},
    {"--log-level=all", "--log-level: expected one of error|warn|info|debug, not \"all\""},
    {"--count=13", "--count: bad luck"},
    {"-c|/nonexistent/zcast.conf", "/nonexistent/zcast.conf: No such file or directory"},
    {"-c|/", "/: Is a directory"},
    {"-t|-c|/nonexistent/zcast.conf", "/nonexistent/zcast.conf: No such file or directory"},
};

static void s_assert_mistake (const zc_program_t *program, const char *arguments, const char *said)
{
    char line[512];
    int status = -1;
    const zc_options_t *options = s_new_of (program, arguments, &status);
    snprintf (line, sizeof line, "zcast-test: %s\n", said);
    assert_null (options);
    assert_string_equal (s_error.text, line);
    assert_string_equal (s_out.text, "");
    assert_int_equal (status, 2);
}

static void test_lines_bad (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (s_lines_bad); i++) {
        s_assert_mistake (&s_program, s_lines_bad[i].line, s_lines_bad[i].said);
    }
}

static void test_long_value_is_cut (void **state)
{
    (void)state;
    char line[600] = "--count=";
    int status;
    memset (line + 8, '9', 500);
    assert_null (s_new_of (&s_program, line, &status));
    assert_true (strlen (s_error.text) < 160);
    assert_non_null (strstr (s_error.text, "999...\"\n"));
}

static void test_words (void **state)
{
    (void)state;
    zc_options_t *options = s_new ("-|--echo|--|--name");
    assert_string_equal (zc_options_word (options, 0), "-");
    assert_string_equal (zc_options_word (options, 1), "--name");
    assert_null (zc_options_word (options, 2));
    assert_true (zc_options_bool (options, "echo"));
    assert_null (zc_options_text (options, "name"));
    zc_options_destroy (&options);
}

static void test_repeated (void **state)
{
    (void)state;
    zc_options_t *options = s_new ("-o|a|--origin=b|-Hx=1|--header=y=2=3|--header=x=");
    static const char *const pairs[][2] = {{"x", "1"}, {"y", "2=3"}, {"x", ""}};
    const char *key, *value;
    assert_true (zc_options_item (options, "origin", 0, &key, &value));
    assert_null (key);
    assert_string_equal (value, "a");
    assert_true (zc_options_item (options, "origin", 1, &key, &value));
    assert_string_equal (value, "b");
    assert_false (zc_options_item (options, "origin", 2, &key, &value));
    for (size_t i = 0; i < LENGTH (pairs); i++) {
        assert_true (zc_options_item (options, "header", i, &key, &value));
        assert_string_equal (key, pairs[i][0]);
        assert_string_equal (value, pairs[i][1]);
    }
    assert_false (zc_options_item (options, "header", 3, &key, &value));
    zc_options_destroy (&options);
}

/* The file */

static void test_order_of_sources (void **state)
{
    (void)state;
    /* The own section counts for more than common, wherever it stands. */
    static const char text[] = "test\n"
                               "    name = own\n"
                               "    count = 1\n"
                               "    origin = o1\n"
                               "common\n"
                               "    name = all\n"
                               "    greeting = \"hi # there\"\n"
                               "    delay = 7\n"
                               "    origin = c1\n"
                               "    origin = c2\n"
                               "    cors-origin = another's\n"
                               "fcgi\n"
                               "    name = no\n"
                               "    what\n"
                               "        ever = 1\n"
                               "test\n"
                               "    slow = skip\n"
                               "    origin = o2\n"
                               "    echo = true\n";
    zc_options_t *options = s_new_file (text, "--count=2|--no-echo");
    const char *key, *value;
    assert_string_equal (zc_options_text (options, "name"), "own");
    assert_string_equal (zc_options_text (options, "greeting"), "hi # there");
    assert_string_equal (zc_options_text (options, "slow"), "skip");
    assert_int_equal (zc_options_number (options, "delay"), 7);
    assert_int_equal (zc_options_number (options, "count"), 2);
    assert_false (zc_options_bool (options, "echo"));
    assert_true (zc_options_item (options, "origin", 0, &key, &value));
    assert_string_equal (value, "o1");
    assert_true (zc_options_item (options, "origin", 1, &key, &value));
    assert_string_equal (value, "o2");
    assert_false (zc_options_item (options, "origin", 2, &key, &value));
    zc_options_destroy (&options);
    options = s_new_file (text, "-o|line");
    assert_true (zc_options_item (options, "origin", 0, &key, &value));
    assert_string_equal (value, "line");
    assert_false (zc_options_item (options, "origin", 1, &key, &value));
    zc_options_destroy (&options);
}

static void test_maps_in_the_file (void **state)
{
    (void)state;
    zc_options_t *options = s_new_file ("test\n"
                                        "    slow-topics\n"
                                        "        host/metrics = latest\n"
                                        "        chat = skip\n"
                                        "    slow-topics = \"host/=latest\"\n"
                                        "    origin =\n"
                                        "common\n"
                                        "    origin = x\n",
                                        "");
    static const char *const pairs[][2] = {
        {"host/metrics", "latest"}, {"chat", "skip"}, {"host/", "latest"}};
    const char *key, *value;
    for (size_t i = 0; i < LENGTH (pairs); i++) {
        assert_true (zc_options_item (options, "slow-topics", i, &key, &value));
        assert_string_equal (key, pairs[i][0]);
        assert_string_equal (value, pairs[i][1]);
    }
    assert_false (zc_options_item (options, "slow-topics", 3, &key, &value));
    /* An empty list is one: it takes away what common gave. */
    assert_false (zc_options_item (options, "origin", 0, &key, &value));
    zc_options_destroy (&options);
}

static const struct {
    const char *text, *said; /* what comes after the path */
} s_files_bad[] = {
    {"test\n    nonsense = 1\n", ":2: nonsense: unknown key; zcast-test --help shows those of "
                                 "section 'test'"},
    {"test\n    config = x\n", ":2: config: unknown key; zcast-test --help shows those of section "
                               "'test'"},
    {"test\n    help = yes\n", ":2: help: unknown key; zcast-test --help shows those of section "
                               "'test'"},
    {"# x\n\ntest\n    name = ok\n    count = many\n",
     ":5: count: expected a number from -5 to 100, not \"many\""},
    {"common\n    count = 1000\n", ":2: count: expected a number from -5 to 100, not \"1000\""},
    {"test\n    count = 1\ncommon\n    count = 1000\n",
     ":4: count: expected a number from -5 to 100, not \"1000\""},
    {"test\n    count = 1\n    count = 2\n", ":3: count: given twice, first on line 2"},
    {"common\n    nonsense = 1\n", ":2: nonsense: unknown key; no program has it"},
    {"common\n    config = x\n", ":2: config: unknown key; no program has it"},
    {"comon\n    publish = x\n", ":1: comon: unknown section; did you mean common?"},
    {"Broker\n    publish = x\n", ":1: Broker: unknown section; did you mean broker?"},
    {"workers\n    publish = x\n",
     ":1: workers: unknown section; expected common, broker, fcgi, ws, bridge or zmq"},
    {"publish\n", ":1: publish: this is a key, and there is no section above it that it is "
                  "indented below (by 4 spaces)"},
    {"test\n    cuont = 1\n", ":2: cuont: unknown key; did you mean count?"},
    {"test\n    max_lag = 1M\n", ":2: max_lag: unknown key; did you mean max-lag?"},
    {"test\n    dedup-max = 1M\n",
     ":2: dedup-max: unknown key in this section; it belongs to 'broker'"},
    {"common\n    cuont = 1\n", ":2: cuont: unknown key; did you mean count?"},
    {"common\n    max-payloads = 1\n", ":2: max-payloads: unknown key; did you mean max-payload?"},
    {"test\n    count = 1\nws\ntest\n    count = 1\n", ":5: count: given twice, first on line 2"},
    {"common\n    count = 1\n    count = 2\n", ":3: count: given twice, first on line 2"},
    {"test\n    echo\n", ":2: echo: expected yes or no, not \"\""},
    {"test = 1\n", ":1: test: expected the name of a section here, without a value"},
    {"other = 1\n", ":1: other: expected the name of a section here, without a value"},
    {"publish = x\n", ":1: publish: a key is indented by 4 spaces, below its section"},
    {"test\n    count = 1\n        x = 1\n", ":3: x: nothing can be indented below this key"},
    {"test\n    header\n        x = 1\n            y = 1\n", ":4: y: indented too deep"},
    {"test\n    slow-topics\n        a = skip\n        b = slip\n",
     ":4: slow-topics: expected PREFIX=POLICY with one of disconnect|skip|latest, not \"b=slip\""},
    {"test\n    slow-topics = skip\n",
     ":2: slow-topics: expected PREFIX=POLICY with one of disconnect|skip|latest, not \"skip\""},
    {"test\n    count = 13\n", ":2: count: bad luck"},
    {"common\n    count = 13\n", ":2: count: bad luck"},
    {"test\n  count = 1\n", ":2: indent by 4 spaces at a time"},
    {"test\n\tcount = 1\n", ":2: indent by 4 spaces, not by tabs"},
    {"test\n    count: 1\n", ":2: expected '=' after the name"},
    {"[test]\ncount=1\n", ":1: a section is its bare name in the first column, without brackets, "
                          "and its keys are indented by 4 spaces"},
    {"test {\n", ":1: a section has no braces: its keys are indented by 4 spaces"},
    {"test\n{\n", ":2: a section has no braces: its keys are indented by 4 spaces"},
    {"; x\ntest\n", ":1: a comment begins with #"},
    {"// x\ntest\n", ":1: a comment begins with #"},
    {"%YAML\n", ":1: expected a name"},
    {"\xef\xbb\xbftest\n",
     ":1: the file begins with a byte order mark (BOM): save it as UTF-8 without one"},
    {"\xff\xfet", ":1: the file is UTF-16: save it as UTF-8, without a byte order mark (BOM)"},
    {"\xfe\xff", ":1: the file is UTF-16: save it as UTF-8, without a byte order mark (BOM)"},
    {"test\n    name = \"x\n", ":2: the closing quote is missing"},
    {"ws\n    name = \"x\n", ":2: the closing quote is missing"},
};

static void test_files_bad (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (s_files_bad); i++) {
        for (int check = 0; check < 2; check++) {
            char line[128], said[300];
            s_write (s_files_bad[i].text, strlen (s_files_bad[i].text));
            snprintf (line, sizeof line, check ? "-t|--config=%s" : "-c|%s", s_path);
            snprintf (said, sizeof said, "%s%s", s_path, s_files_bad[i].said);
            s_assert_mistake (&s_program, line, said);
        }
    }
}

static void s_assert_file_refused (const char *text, size_t len, const char *said)
{
    char line[128], all[300];
    s_write (text, len);
    snprintf (line, sizeof line, "-c|%s", s_path);
    snprintf (all, sizeof all, "%s%s", s_path, said);
    s_assert_mistake (&s_program, line, all);
}

static void test_files_strange (void **state)
{
    (void)state;
    static char big[(1 << 20) + 1];
    memset (big, '\n', sizeof big);
    s_assert_file_refused ("test\n    name = a\0b\n", 20, ":2: there is a NUL byte");
    s_assert_file_refused (big, sizeof big, ": larger than 1 MiB");
    memcpy (big, "test\n", 5);
    s_write (big, sizeof big - 1);
    char line[128];
    snprintf (line, sizeof line, "-c|%s", s_path);
    zc_options_t *options = s_new (line);
    zc_options_destroy (&options);
    memset (big + 5, 'x', 2000);
    s_assert_file_refused (big, sizeof big - 1, ":2: a line has at most 1024 bytes");
}

/*  With -t, what the file says to others; at a start that is for them to see. */
static const struct {
    const char *text, *said;
} s_files_of_others[] = {
    {"ws\n    listn = 1\n", ":2: listn: unknown key; did you mean listen?"},
    {"ws\n    frobnicate = 1\n",
     ":2: frobnicate: unknown key; zcast.conf(5) has those of section 'ws'"},
    {"ws\n    history-bytes = 1M\n",
     ":2: history-bytes: unknown key in this section; it belongs to 'broker'"},
    {"zmq\n    json = yes\n", ":2: json: unknown key; zcast.conf(5) has those of section 'zmq'"},
    {"test\n    count = 1\nbroker\n    sync = sometimes\n",
     ":4: sync: expected one of always|interval|never, not \"sometimes\""},
    {"broker\n    sync = never\nws\nbroker\n    sync = always\n",
     ":5: sync: given twice, first on line 2"},
    {"fcgi\n    processes = 0\n", ":2: processes: expected a number from 1 to 64, not \"0\""},
    {"fcgi\n    processes = 2\n        x = 1\n", ":3: x: nothing can be indented below this key"},
    {"fcgi\n    slow-topics\n        a = slip\n",
     ":3: slow-topics: expected PREFIX=POLICY with one of disconnect|skip|latest, not \"a=slip\""},
    {"fcgi\n    slow-topics\n        a = skip\n            b = c\n", ":4: b: indented too deep"},
    {"common\n    max-payload = lots\n",
     ":2: max-payload: expected a size from 1 to 1G, not \"lots\""},
    {"common\n    processes = 100\n", ":2: processes: expected a number from 1 to 64, not \"100\""},
};

static void test_files_of_others (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (s_files_of_others); i++) {
        char line[128], said[300];
        zc_options_t *options = s_new_file (s_files_of_others[i].text, "");
        zc_options_destroy (&options);
        snprintf (line, sizeof line, "-t|--config=%s", s_path);
        snprintf (said, sizeof said, "%s%s", s_path, s_files_of_others[i].said);
        s_assert_mistake (&s_program, line, said);
    }
    int status = -1;
    char line[128];
    static const char good[] = "ws\n    listen = \"127.0.0.1:1\"\n    allow-origin = a\n"
                               "    allow-origin = b\ncommon\n    max-payload = 2M\n"
                               "    slow-topics\n        a = skip\n";
    s_write (good, strlen (good));
    snprintf (line, sizeof line, "-t|--config=%s", s_path);
    assert_null (s_new_of (&s_program, line, &status));
    assert_string_equal (s_error.text, "");
    assert_int_equal (status, 0);
}

/* The environment */

static void test_environment (void **state)
{
    (void)state;
    const char *key, *value;
    setenv ("ZCAST_MAX_LAG", "64K", 1);
    setenv ("ZCAST_COUNT", "1", 1);
    setenv ("ZCAST_TEST_COUNT", "2", 1);
    setenv ("ZCAST_WS_NAME", "other's", 1);
    setenv ("ZCAST_GREETING", "", 1); /* as if it weren't there */
    setenv ("ZCAST_ECHO", "yes", 1);
    setenv ("ZCAST_DELAY", "9", 1);
    setenv ("ZCAST_ORIGIN", "a, b c ,,d", 1);
    setenv ("ZCAST_HEADER", "x=1,2\ny=", 1);
    setenv ("ZCAST_HELP", "yes", 1);
    zc_options_t *options = s_new_file (
        "test\n    count = 3\n    name = file\n    origin = f\n    max-lag = 1M\n", "--delay=8");
    assert_int_equal (zc_options_number (options, "max-lag"), 65536);
    assert_int_equal (zc_options_number (options, "count"), 2);
    assert_string_equal (zc_options_text (options, "name"), "file");
    assert_string_equal (zc_options_text (options, "greeting"), "hello");
    assert_true (zc_options_bool (options, "echo"));
    assert_int_equal (zc_options_number (options, "delay"), 8);
    static const char *const origins[] = {"a", "b c", "d"};
    for (size_t i = 0; i < LENGTH (origins); i++) {
        assert_true (zc_options_item (options, "origin", i, &key, &value));
        assert_string_equal (value, origins[i]);
    }
    assert_false (zc_options_item (options, "origin", 3, &key, &value));
    assert_true (zc_options_item (options, "header", 0, &key, &value));
    assert_string_equal (value, "1,2");
    assert_true (zc_options_item (options, "header", 1, &key, &value));
    assert_string_equal (value, "");
    char error[512] = "";
    s_write ("test\n    count = 4\n    delay = 7\n", 32);
    assert_int_equal (zc_options_reload (options, error, sizeof error), 0);
    assert_int_equal (zc_options_number (options, "count"), 2);
    zc_options_destroy (&options);
    s_clear_environment ();
}

static void test_environment_names_the_file (void **state)
{
    (void)state;
    s_write ("test\n    count = 4\n", 19);
    setenv ("ZCAST_CONFIG", s_path, 1);
    zc_options_t *options = s_new ("");
    assert_int_equal (zc_options_number (options, "count"), 4);
    zc_options_destroy (&options);
    options = s_new ("-c|/dev/null");
    assert_int_equal (zc_options_number (options, "count"), 10);
    zc_options_destroy (&options);
    setenv ("ZCAST_CONFIG", "/nonexistent", 1);
    s_assert_mistake (&s_program, "", "/nonexistent: No such file or directory");
    s_clear_environment ();
}

static void test_environment_bad (void **state)
{
    (void)state;
    setenv ("ZCAST_COUNT", "many", 1);
    s_assert_mistake (&s_program, "",
                      "ZCAST_COUNT: expected a number from -5 to 100, not \"many\"");
    s_assert_mistake (&s_program, "-t",
                      "ZCAST_COUNT: expected a number from -5 to 100, not \"many\"");
    setenv ("ZCAST_TEST_COUNT", "13", 1);
    s_assert_mistake (&s_program, "", "ZCAST_TEST_COUNT: bad luck");
    s_clear_environment ();
    setenv ("ZCAST_ORIGIN", "a,12345678901234567", 1);
    s_assert_mistake (&s_program, "",
                      "ZCAST_ORIGIN: expected ORIGIN: 1 to 16 bytes of plain text, "
                      "not \"12345678901234567\"");
    s_clear_environment ();
}

/*  What is one step from a variable is said; what others have under such names isn't. */
static void test_environment_slips (void **state)
{
    (void)state;
    static const char *const fine[] = {"ZCAST_BUILD", "ZCAST_PORT",     "ZCAST_SERVICE_HOST",
                                       "ZCAST_SINCE", "ZCAST_JSON",     "ZCAST_MAX_LAG",
                                       "ZCAST_",      "ZCAST_WS_LISTEN"};
    for (size_t i = 0; i < LENGTH (fine); i++)
        setenv (fine[i], "1M", 1);
    zc_options_t *options = s_new ("");
    zc_options_destroy (&options);
    s_clear_environment ();
    int status;
    setenv ("ZCAST_CUONT", "5", 1);
    setenv ("ZCAST_WS_LISTN", "5", 1);
    options = s_new_of (&s_program, "", &status);
    assert_non_null (options);
    assert_non_null (strstr (s_error.text, "zcast-test: ZCAST_CUONT is no option's variable; did "
                                           "you mean ZCAST_COUNT?\n"));
    assert_non_null (strstr (s_error.text, "ZCAST_WS_LISTN is no option's variable; did you mean "
                                           "ZCAST_WS_LISTEN?\n"));
    zc_options_destroy (&options);
    s_clear_environment ();
}

/*  A flag of a command that has the name of a daemon's key is not meant by that key's variable. */
static void test_environment_of_a_command (void **state)
{
    (void)state;
    static const zc_option_t table[] = {
        {.name = "slow", .type = ZC_OPT_BOOL, .preset = "no", .help = "list the slow"},
        {.name = "count",
         .type = ZC_OPT_NUMBER,
         .preset = "0",
         .max = 9,
         .argument = "N",
         .help = "how many"},
        {.name = "publish",
         .type = ZC_OPT_ENDPOINT,
         .preset = "inproc://x",
         .argument = "ENDPOINT",
         .help = "where"},
        ZC_OPTION_END,
    };
    static const zc_program_t program = {.program = "zcast-test",
                                         .section = "zmq",
                                         .usage = "",
                                         .summary = "Tests.",
                                         .options = table,
                                         .keys = "publish"};
    int status = -1;
    setenv ("ZCAST_SLOW", "latest", 1);
    setenv ("ZCAST_COUNT", "3", 1);
    setenv ("ZCAST_PUBLISH", "inproc://y", 1);
    zc_options_t *options = s_new_of (&program, "", &status);
    assert_non_null (options);
    assert_false (zc_options_bool (options, "slow"));
    assert_int_equal (zc_options_number (options, "count"), 3);
    assert_string_equal (zc_options_text (options, "publish"), "inproc://y");
    zc_options_destroy (&options);
    setenv ("ZCAST_ZMQ_SLOW", "yes", 1);
    options = s_new_of (&program, "", &status);
    assert_true (zc_options_bool (options, "slow"));
    zc_options_destroy (&options);
    s_clear_environment ();
}

/*  No two options are meant by one variable, and every name has room. */
static void test_variables_are_unambiguous (void **state)
{
    (void)state;
    for (const zc_section_t *section = zc_sections; section->name; section++)
        for (const zc_option_t *key = section->keys; key->name; key++) {
            char joined[ZC_VARIABLE_MAX];
            assert_in_range (strlen (section->name) + strlen (key->name), 2, ZC_VARIABLE_MAX - 8);
            snprintf (joined, sizeof joined, "%s-%s", section->name, key->name);
            if (zc_key_known (joined))
                fail_msg ("%s is a key, and %s one of section %s", joined, key->name,
                          section->name);
        }
}

static const struct {
    const char *word, *meant;
} s_near[] = {
    {"pub", "pub"},
    {"pubb", "pub"},
    {"bup", NULL},
    {"upb", "pub"},
    {"publish", "pub"},
    {"SUB", "sub"},
    {"stats", "stat"},
    {"status", "stat"},
    {"sta", "stat"},
    {"st", NULL},
    {"png", "ping"},
    {"x", NULL},
    {"", NULL},
    {"subscribe", "sub"},
    {"stat_all", "stat"},
    {"nonsense", NULL},
    {"long-wrod", "long-word"},
    {"lnog-wrod", "long-word"},
    {"0123456789012345678901234567890123456789x", NULL},
};

static void test_names_of_contexts (void **state)
{
    (void)state;
    static const char *const good[] = {"a", "north", "N.1_2-x", "9"};
    static const char *const bad[] = {"",    ".",   "..",       ".hidden", "-x",   "a/b",
                                      "a b", "a\n", "\xc3\xa4", "../a",    "a\x1b"};
    char text[66];
    for (size_t i = 0; i < LENGTH (good); i++)
        assert_true (zc_context_name_valid (good[i]));
    for (size_t i = 0; i < LENGTH (bad); i++)
        assert_false (zc_context_name_valid (bad[i]));
    memset (text, 'x', sizeof text - 1);
    text[65] = 0;
    assert_false (zc_context_name_valid (text));
    assert_true (zc_context_name_valid (text + 1));
}

static void test_nearest (void **state)
{
    (void)state;
    static const char *const names[] = {"pub", "sub", "stat", "ping", "long", "long-word"};
    for (size_t i = 0; i < LENGTH (s_near); i++) {
        zc_nearest_t nearest;
        zc_nearest_init (&nearest, s_near[i].word, strlen (s_near[i].word));
        for (size_t k = 0; k < LENGTH (names); k++)
            zc_nearest_try (&nearest, names[k]);
        const char *meant = s_near[i].meant;
        if (!nearest.best != !meant || (meant && strcmp (meant, nearest.best) != 0))
            fail_msg ("%s: %s", s_near[i].word, nearest.best ? nearest.best : "nothing");
    }
}

/* Secrets: not to be seen in argv, and kept all the same */

static const zc_option_t s_secrets[] = {
    {.name = "password",
     .letter = 'p',
     .type = ZC_OPT_SECRET,
     .min = 1,
     .max = 64,
     .argument = "TEXT",
     .help = "nobody is to see"},
    {.name = "redis",
     .letter = 'r',
     .type = ZC_OPT_URL,
     .preset = "redis://h",
     .min = 1,
     .max = 256,
     .argument = "URL",
     .help = "where"},
    {.name = "count",
     .type = ZC_OPT_NUMBER,
     .preset = "0",
     .max = 9,
     .argument = "N",
     .help = "how many",
     .reload = true},
    ZC_OPTION_END,
};
static const zc_program_t s_secretive = {.program = "zcast-test",
                                         .section = "test",
                                         .usage = "",
                                         .summary = "Tests.",
                                         .options = s_secrets};

/*  What is secret in the environment is taken out of it, for /proc and for children, and still
 * known when options are read again. */
static void test_secrets_in_the_environment (void **state)
{
    (void)state;
    char error[512], password[] = "ZCAST_TEST_PASSWORD=hunter2",
                     url[] = "ZCAST_TEST_REDIS=redis://ann:hunter3@h";
    int status;
    putenv (password);
    putenv (url);
    char *argv[] = {(char *)"zcast-test", NULL};
    zc_options_t *options = zc_options_new (&s_secretive, 1, argv, &status);
    assert_non_null (options);
    assert_string_equal (password, "ZCAST_TEST_PASSWORD=*******");
    assert_string_equal (url, "ZCAST_TEST_REDIS=redis://ann:*******@h");
    assert_null (getenv ("ZCAST_TEST_PASSWORD"));
    assert_null (getenv ("ZCAST_TEST_REDIS"));
    for (int i = 0; i < 2; i++) {
        assert_string_equal (zc_options_text (options, "password"), "hunter2");
        assert_string_equal (zc_options_text (options, "redis"), "redis://ann:hunter3@h");
        assert_int_equal (zc_options_reload (options, error, sizeof error), 0);
    }
    zc_options_destroy (&options);
}

static const struct {
    const char *argument, *next; /* next NULL: one argument */
    const char *name, *value, *left;
} s_wiped[] = {
    {"--password=top", NULL, "password", "top", "--password=***"},
    {"--password", "top secret", "password", "top secret", "**********"},
    {"-ptop", NULL, "password", "top", "-p***"},
    {"-p", "x", "password", "x", "*"},
    {"--redis=redis://u:pa+s/s@h:1/2", NULL, "redis", "redis://u:pa+s/s@h:1/2",
     "--redis=redis://u:******@h:1/2"},
    {"-r", "redis://:p@w@[::1]:7", "redis", "redis://:p@w@[::1]:7", "redis://:***@[::1]:7"},
    {"-r", "redis+socket://u:p@/run/x?db=1", "redis", "redis+socket://u:p@/run/x?db=1",
     "redis+socket://u:*@/run/x?db=1"},
    /*  Nothing to hide. */
    {"-r", "redis://h:6379/1", "redis", "redis://h:6379/1", "redis://h:6379/1"},
    {"-r", "redis://me@h:6379", "redis", "redis://me@h:6379", "redis://me@h:6379"},
    {"-r", "redis://me:@h", "redis", "redis://me:@h", "redis://me:@h"},
    {"-r", "unix:///run/x", "redis", "unix:///run/x", "unix:///run/x"},
    {"--count=3", NULL, "count", "3", "--count=3"},
};

static void test_secrets_are_wiped (void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH (s_wiped); i++) {
        char argument[64], next[64] = "", error[256], config[] = "--config", path[80];
        int status = -1;
        s_write ("test\n    count = 3\n", 19);
        snprintf (argument, sizeof argument, "%s", s_wiped[i].argument);
        snprintf (path, sizeof path, "%s", s_path);
        if (s_wiped[i].next)
            snprintf (next, sizeof next, "%s", s_wiped[i].next);
        char *argv[] = {(char *)"program", config, path, argument, next, NULL};
        zc_options_t *options =
            zc_options_new (&s_secretive, s_wiped[i].next ? 5 : 4, argv, &status);
        assert_non_null (options);
        assert_string_equal (s_wiped[i].next ? next : argument, s_wiped[i].left);
        assert_string_equal (zc_options_text (options, s_wiped[i].name), s_wiped[i].value);
        /*  The command line counts again when the file is read again. */
        s_write ("test\n    count = 4\n", 19);
        assert_int_equal (zc_options_reload (options, error, sizeof error), 0);
        assert_string_equal (zc_options_text (options, s_wiped[i].name), s_wiped[i].value);
        zc_options_destroy (&options);
    }
}

/*  What is secret in a file that everyone can read is told. */
static void test_secrets_in_a_file (void **state)
{
    (void)state;
    static const struct {
        const char *text, *line;
        mode_t mode;
        const char *exposed; /* NULL: nothing */
    } cases[] = {
        {"test\n    password = x\n", "", 0644, "password"},
        {"test\n    password = x\n", "", 0640, NULL},
        {"test\n    password = x\n", "|--password=y", 0644, NULL}, /* the file's isn't used */
        {"test\n    redis = redis://u:p@h\n", "", 0604, "redis"},
        {"common\n    redis = redis://u:p@h\n", "", 0604, "redis"},
        {"test\n    redis = redis://u@h\n", "", 0644, NULL},
        {"test\n    count = 1\n", "|--password=y", 0644, NULL},
    };
    for (size_t i = 0; i < LENGTH (cases); i++) {
        char line[128];
        const char *path;
        int status = -1;
        s_write (cases[i].text, strlen (cases[i].text));
        assert_int_equal (chmod (s_path, cases[i].mode), 0);
        snprintf (line, sizeof line, "-c|%s%s", s_path, cases[i].line);
        zc_options_t *options = s_new_of (&s_secretive, line, &status);
        assert_non_null (options);
        const char *exposed = zc_options_exposed (options, &path);
        if (!exposed != !cases[i].exposed)
            fail_msg ("[%zu]: %s", i, exposed ? exposed : "none");
        if (exposed) {
            assert_string_equal (exposed, cases[i].exposed);
            assert_string_equal (path, s_path);
        }
        assert_int_equal (zc_file_exposed (s_path), (cases[i].mode & 4) != 0);
        zc_options_destroy (&options);
        unlink (s_path);
    }
    assert_false (zc_file_exposed ("/nonexistent"));
    assert_false (zc_file_exposed ("/dev/null")); /* no file */
}

/* Help, version, check */

static void test_check (void **state)
{
    (void)state;
    char line[128], said[128];
    int status = -1;
    s_write ("test\n    count = 1\n", 19);
    snprintf (line, sizeof line, "-tc|%s", s_path);
    snprintf (said, sizeof said, "%s: ok\n", s_path);
    assert_null (s_new_of (&s_program, line, &status));
    assert_int_equal (status, 0);
    assert_string_equal (s_out.text, said);
    assert_string_equal (s_error.text, "");
}

static void test_version (void **state)
{
    (void)state;
    int status = -1;
    assert_null (s_new_of (&s_program, "--version", &status));
    assert_int_equal (status, 0);
    assert_memory_equal (s_out.text, "zcast-test ", 11);
    /* Also where something else is wrong later. */
    assert_null (s_new_of (&s_program, "-V|--nonsense", &status));
    assert_int_equal (status, 0);
}

static size_t s_columns (const char *line)
{
    size_t columns = 0;
    for (; *line && *line != '\n'; line++)
        columns += ((unsigned char)*line & 0xc0) != 0x80;
    return columns;
}

static void test_help (void **state)
{
    static const char path_line[] = "                            " SYSCONFDIR;
    (void)state;
    int status = -1;
    assert_null (s_new_of (&s_program, "--help", &status));
    assert_int_equal (status, 0);
    assert_non_null (strstr (s_out.text, "Usage: zcast-test [OPTION...] [WORD]\nTests.\n"));
    assert_non_null (strstr (s_out.text, "  -n, --name=NAME           what it is called\n"));
    assert_non_null (
        strstr (s_out.text, "      --max-lag=SIZE        how far behind (default: 1M)\n"));
    assert_non_null (strstr (s_out.text, "  -e, --echo                say it again\n"));
    assert_non_null (strstr (s_out.text, "  -C, --no-color            in color (default: yes)\n"));
    assert_non_null (strstr (s_out.text, "\nExamples:\n  zcast-test\n"));
    for (const char *line = s_out.text; line; line = strchr (line, '\n')) {
        line += *line == '\n';
        /* A word that is longer stands alone, such as the path of an odd installation. */
        assert_true (s_columns (line) <= 80 ||
                     strncmp (line, path_line, sizeof path_line - 1) == 0);
    }
}

/*  The sample is a file that is taken, also with each key switched on. */
static void test_sample (void **state)
{
    (void)state;
    int status = -1;
    assert_null (s_new_of (&s_program, "--help=conf", &status));
    assert_int_equal (status, 0);
    zc_options_t *options = s_new_file (s_out.text, "");
    assert_string_equal (zc_options_text (options, "slow"), "disconnect");
    zc_options_destroy (&options);
    char live[8192], *to = live;
    assert_null (s_new_of (&s_program, "--help=conf", &status));
    unsigned keys = 0, sections = 0;
    for (const char *line = strtok (s_out.text, "\n"); line; line = strtok (NULL, "\n")) {
        sections += *line != ' ' && *line != '#';
        /* Those without a default show what the value is, not a value. */
        bool key = strncmp (line, "    #", 5) == 0 && line[5] != ' ';
        if (key && (strstr (line, "= PREFIX") || strstr (line, "#offset")))
            continue;
        keys += key;
        to += sprintf (to, "%s%s\n", key ? "    " : line, key ? line + 5 : "");
    }
    assert_int_equal (keys, LENGTH (s_options) - 1 - 2 + 3);
    assert_int_equal (sections, 1);
    options = s_new_file (live, "");
    assert_int_equal (zc_options_number (options, "max-lag"), 1 << 20);
    zc_options_destroy (&options);
}

static void test_man (void **state)
{
    (void)state;
    int status = -1;
    assert_null (s_new_of (&s_program, "--help=man", &status));
    assert_int_equal (status, 0);
    assert_non_null (strstr (s_out.text,
                             ".SH OPTIONS\n.TP\n\\fB\\-n\\fR, \\fB\\-\\-name\\fR=\\fINAME\\fR\n"
                             "\\&what it is called.\n"));
    assert_non_null (strstr (s_out.text,
                             "\\fB\\-\\-max\\-lag\\fR=\\fISIZE\\fR\n\\&how far behind.\n"
                             "Default: 1M.\n"));
}

static void test_command_line_only (void **state)
{
    (void)state;
    static const zc_program_t program = {
        .program = "zcast-test", .usage = "", .summary = "Tests.", .options = s_options};
    int status = -1;
    zc_options_t *options = s_new_of (&program, "--name=x", &status);
    assert_non_null (options);
    assert_string_equal (zc_options_text (options, "name"), "x");
    zc_options_destroy (&options);
    s_assert_mistake (&program, "-t", "-t: unknown option; see zcast-test --help");
    s_assert_mistake (&program, "word", "word: unexpected argument; see zcast-test --help");
}

/*  A command: few of its options are keys, and it is no daemon. */
static void test_command (void **state)
{
    (void)state;
    static const zc_program_t program = {.program = "zcast-test",
                                         .section = "test",
                                         .usage = "",
                                         .summary = "Tests.",
                                         .options = s_options,
                                         .keys = "publish delay"};
    int status = -1;
    char line[128], said[300];
    static const char text[] = "test\n    delay = 7\n    publish = inproc://x\n";
    s_write (text, strlen (text));
    snprintf (line, sizeof line, "-c|%s|--count=3", s_path);
    zc_options_t *options = s_new_of (&program, line, &status);
    assert_non_null (options);
    assert_int_equal (zc_options_number (options, "delay"), 7);
    assert_string_equal (zc_options_text (options, "publish"), "inproc://x");
    assert_int_equal (zc_options_number (options, "count"), 3);
    zc_options_destroy (&options);
    static const char *const others[] = {"count", "config", "del", "publish-delay", "log-level"};
    static const char *const why[] = {
        "unknown key; zcast-test --help shows those of section 'test'",
        "unknown key; zcast-test --help shows those of section 'test'",
        "unknown key; did you mean delay?", "unknown key; did you mean publish?",
        "unknown key in this section; it belongs to 'broker', 'fcgi', 'ws', 'bridge'"};
    for (size_t i = 0; i < LENGTH (others); i++) {
        char file[64];
        int len = snprintf (file, sizeof file, "test\n    %s = 1\n", others[i]);
        s_write (file, (size_t)len);
        snprintf (line, sizeof line, "-c|%s", s_path);
        snprintf (said, sizeof said, "%s:2: %s: %s", s_path, others[i], why[i]);
        s_assert_mistake (&program, line, said);
    }
    s_assert_mistake (&program, "-t", "-t: unknown option; see zcast-test --help");
    s_assert_mistake (&program, "--syslog", "--syslog: unknown option; see zcast-test --help");
    assert_null (s_new_of (&program, "--help", &status));
    assert_non_null (strstr (s_out.text, "of the configuration file: publish delay\n"));
}

/* Reading again */

static void test_reload (void **state)
{
    (void)state;
    char error[512] = "";
    zc_options_t *options =
        s_new_file ("test\n    count = 1\n    heartbeat = 60\n    name = old\n", "--delay=5");
    static const char text[] = "test\n    count = 2\n    heartbeat = 1m\n    delay = 9\n";
    s_write (text, strlen (text));
    assert_int_equal (zc_options_reload (options, error, sizeof error), 0);
    assert_int_equal (zc_options_number (options, "count"), 2);
    assert_int_equal (zc_options_number (options, "heartbeat"), 60000);
    assert_int_equal (zc_options_number (options, "delay"), 5);
    assert_null (zc_options_text (options, "name"));
    zc_options_destroy (&options);
}

static void test_reload_fixed (void **state)
{
    (void)state;
    char error[512] = "";
    zc_options_t *options = s_new_file ("test\n    count = 1\n    heartbeat = 60\n", "");
    static const char text[] = "test\n    count = 2\n    heartbeat = 61\n    echo = yes\n";
    const char *endpoint = zc_options_text (options, "publish");
    s_write (text, strlen (text));
    for (int i = 0; i < 2; i++) {
        assert_int_equal (zc_options_reload (options, error, sizeof error), 1);
        assert_string_equal (error, "echo, heartbeat: takes effect after a restart");
        assert_int_equal (zc_options_number (options, "count"), 2);
        assert_int_equal (zc_options_number (options, "heartbeat"), 60000);
        assert_false (zc_options_bool (options, "echo"));
        assert_ptr_equal (zc_options_text (options, "publish"), endpoint); /* borrowed for good */
    }
    zc_options_destroy (&options);
}

static void test_reload_bad (void **state)
{
    (void)state;
    char error[512] = "", said[512];
    zc_options_t *options = s_new_file ("test\n    count = 1\n    name = old\n", "");
    static const char *const texts[] = {
        "test\n    name = new\n    count = x\n",
        "test\n    name = new\n    count = 13\n    heartbeat = 61\n",
        "test\n    name = new\n\tcount = 1\n"};
    for (size_t i = 0; i < LENGTH (texts); i++) {
        s_write (texts[i], strlen (texts[i]));
        assert_int_equal (zc_options_reload (options, error, sizeof error), -1);
        snprintf (said, sizeof said, "%s:3: ", s_path);
        assert_memory_equal (error, said, strlen (said));
        assert_int_equal (zc_options_number (options, "count"), 1);
        assert_string_equal (zc_options_text (options, "name"), "old");
        assert_int_equal (zc_options_number (options, "heartbeat"), 15000);
    }
    unlink (s_path);
    assert_int_equal (zc_options_reload (options, error, sizeof error), -1);
    assert_string_equal (zc_options_text (options, "name"), "old");
    zc_options_destroy (&options);
}

static void test_reload_without_file (void **state)
{
    (void)state;
    char error[512] = "";
    zc_options_t *options = s_new ("--count=3");
    assert_int_equal (zc_options_reload (options, error, sizeof error), 0);
    assert_int_equal (zc_options_number (options, "count"), 3);
    zc_options_destroy (&options);
}

/* The tables of the programs */

static void s_check_table (const zc_option_t *table)
{
    for (size_t i = 0; table[i].name; i++) {
        const zc_option_t *option = &table[i];
        int64_t number;
        char expected[200];
        if (!option->help || strlen (option->help) < 4 || strchr (option->help, '\n') ||
            option->help[strlen (option->help) - 1] == '.')
            fail_msg ("%s: its help is one line without a full stop", option->name);
        if (!option->argument != (option->type == ZC_OPT_BOOL))
            fail_msg ("%s: a flag has no argument, all others have one", option->name);
        if (option->preset &&
            zc_option_value (option, option->preset, &number, expected, sizeof expected) != 0)
            fail_msg ("%s: default %s: %s", option->name, option->preset, expected);
        for (size_t j = 0; j < i; j++)
            if (strcmp (table[j].name, option->name) == 0 ||
                (option->letter && table[j].letter == option->letter))
                fail_msg ("%s is there twice", option->name);
    }
}

static void test_tables (void **state)
{
    (void)state;
    static const zc_option_t worker[] = {ZC_WORKER_OPTIONS, ZC_OPTION_END};
    static const zc_program_t program = {
        .program = "x", .section = "x", .usage = "", .summary = "X.", .options = worker};
    zc_option_t *table = zc_program_table (&program);
    s_check_table (table);
    free (table);
}

static int s_begin (void **state)
{
    (void)state;
    s_clear_environment ();
    return mkdtemp (s_folder) ? 0 : -1;
}

static int s_end (void **state)
{
    (void)state;
    unlink (s_path);
    return rmdir (s_folder);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_sizes_and_durations),
        cmocka_unit_test (test_endpoints),
        cmocka_unit_test (test_several_endpoints),
        cmocka_unit_test (test_presets),
        cmocka_unit_test (test_lines_good),
        cmocka_unit_test (test_lines_bad),
        cmocka_unit_test (test_long_value_is_cut),
        cmocka_unit_test (test_words),
        cmocka_unit_test (test_repeated),
        cmocka_unit_test (test_order_of_sources),
        cmocka_unit_test (test_maps_in_the_file),
        cmocka_unit_test (test_files_bad),
        cmocka_unit_test (test_files_strange),
        cmocka_unit_test (test_files_of_others),
        cmocka_unit_test (test_environment),
        cmocka_unit_test (test_secrets_in_the_environment),
        cmocka_unit_test (test_environment_names_the_file),
        cmocka_unit_test (test_environment_bad),
        cmocka_unit_test (test_environment_slips),
        cmocka_unit_test (test_environment_of_a_command),
        cmocka_unit_test (test_variables_are_unambiguous),
        cmocka_unit_test (test_names_of_contexts),
        cmocka_unit_test (test_nearest),
        cmocka_unit_test (test_check),
        cmocka_unit_test (test_version),
        cmocka_unit_test (test_help),
        cmocka_unit_test (test_sample),
        cmocka_unit_test (test_man),
        cmocka_unit_test (test_command_line_only),
        cmocka_unit_test (test_command),
        cmocka_unit_test (test_secrets_are_wiped),
        cmocka_unit_test (test_secrets_in_a_file),
        cmocka_unit_test (test_reload),
        cmocka_unit_test (test_reload_fixed),
        cmocka_unit_test (test_reload_bad),
        cmocka_unit_test (test_reload_without_file),
        cmocka_unit_test (test_tables),
    };
    return cmocka_run_group_tests (tests, s_begin, s_end);
}
