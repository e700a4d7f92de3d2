/*  zmq.c - the command line: finds the subcommand, and does what all subcommands need. Each
 *  subcommand's own file has its options, help and work. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "config.h"
#include "lib/base/daemon.h"
#include "lib/config/nearest.h"
#include "lib/peer/places.h"
#include "tools/tool.h"

const zc_tool_entry_t zc_tool_entries[] = {
    {"pub", "publish a message, or each line of standard input", &zc_tool_pub},
    {"sub", "print the messages of topics as they come", &zc_tool_sub},
    {"topics", "the topics that there are, and what history keeps of them", &zc_tool_topics},
    {"history", "the messages that history keeps of topics", &zc_tool_history},
    {"purge", "remove the messages of topics from history", &zc_tool_purge},
    {"top", "what the broker, its workers and topics are doing, live", &zc_tool_top},
    {"stat", "what the broker and its workers are doing", &zc_tool_stat},
    {"ping", "whether the broker answers", &zc_tool_ping},
    {"latency", "how long the broker takes to answer", &zc_tool_latency},
    {"bench", "how much the broker takes and delivers", &zc_tool_bench},
    {"doctor", "look at a public URL as a browser would; say what to change", &zc_tool_doctor},
    {"token", "make, show and check tokens; make API keys", &zc_tool_token},
    {"revoke", "end tokens before their time; list what is revoked", &zc_tool_revoke},
    {"keygen", "make a CURVE certificate", &zc_tool_keygen},
    {"context", "your contexts: the addresses and keys of several brokers", &zc_tool_context},
    {"completion", "the completion of commands and options for a shell", &zc_tool_completion},
    {"help", "this text, or with a command's name that one's", NULL},
    {"version", "the version", NULL},
    {NULL, NULL, NULL},
};
#define S_COMMANDS (sizeof zc_tool_entries / sizeof *zc_tool_entries - 1)

static void s_help (FILE *to)
{
    fprintf (to, "Usage: zmq COMMAND [OPTION]... [ARGUMENT]...\n"
                 "Publish, subscribe and look inside: the command line of zcast.\n\n");
    for (size_t i = 0; i < S_COMMANDS; i++)
        fprintf (to, "  %-10s %s\n", zc_tool_entries[i].name, zc_tool_entries[i].summary);
    fprintf (to, "\n"
                 "  zmq COMMAND --help            options and examples of a command\n"
                 "  zmq --context NAME COMMAND    with another broker: zmq context --help\n"
                 "  zmq --version\n\n"
                 "Exit status: 0 well, 1 failed, 2 wrong use.\n\n"
                 "Examples:\n"
                 "  zmq sub news                     print what is published on 'news'\n"
                 "  zmq pub news 'hello, world'      publish; prints the message's id\n"
                 "  tail -f log | zmq pub log --lines --quiet\n");
}

static bool s_is (const char *word, const char *letter, const char *option, const char *name)
{
    return strcmp (word, letter) == 0 || strcmp (word, option) == 0 || strcmp (word, name) == 0;
}

static const zc_tool_command_t *s_find (const char *word)
{
    for (size_t i = 0; i < S_COMMANDS; i++)
        if (strcmp (zc_tool_entries[i].name, word) == 0)
            return zc_tool_entries[i].command;
    return NULL;
}

static int s_unknown (const char *word)
{
    zc_nearest_t nearest;
    zc_nearest_init (&nearest, word, strlen (word));
    for (size_t i = 0; i < S_COMMANDS; i++)
        zc_nearest_try (&nearest, zc_tool_entries[i].name);
    if (nearest.best)
        return zc_tool_misuse ("'%s' is not a command; did you mean %s?", word, nearest.best);
    char all[200] = "";
    for (size_t i = 0, len = 0; i < S_COMMANDS && len < sizeof all; i++)
        len += (size_t)snprintf (all + len, sizeof all - len, "%s%s", i ? ", " : "",
                                 zc_tool_entries[i].name);
    return zc_tool_misuse ("'%s' is not a command: %s", word, all);
}

/*  All commands read one section of zcast.conf, and each has its own keys there. */
static void s_keys (void)
{
    const zc_program_t *programs[S_COMMANDS];
    size_t count = 0;
    for (size_t i = 0; i < S_COMMANDS; i++)
        if (zc_tool_entries[i].command && zc_tool_entries[i].command->program->keys)
            programs[count++] = zc_tool_entries[i].command->program;
    zc_options_write_keys (programs, count, stdout);
}

/*  For commands that connect to a broker. Returns false after it has said why it can't. */
static bool s_start_curve (const zc_program_t *program, const zc_options_t *options)
{
    char error[512];
    if (!program->keys || !strstr (program->keys, "curve-key") ||
        zc_curve_start (options, error, sizeof error) == 0)
        return true;
    zc_tool_say ("%s", error);
    return false;
}

/*  Each broker has all three endpoints. */
static int s_check_places (const zc_program_t *program, const zc_options_t *options)
{
    char error[128];
    if (!program->keys || !strstr (program->keys, "control"))
        return ZC_EXIT_OK;
    const char *wrong = zc_places_verify (options, error, sizeof error);
    return wrong ? zc_tool_misuse ("%s: %s", wrong, error) : ZC_EXIT_OK;
}

/*  argv[1] is the command's name. */
static int s_run (const zc_tool_command_t *command, int argc, char **argv)
{
    int status;
    zc_options_t *options = zc_options_new (command->program, argc - 1, argv + 1, &status);
    if (!options)
        return status;
    zc_tool_name (command->program->program);
    zc_tool_catch_signals ();
    status = s_check_places (command->program, options);
    if (status != ZC_EXIT_OK) {
        zc_options_destroy (&options);
        return status;
    }
    status = s_start_curve (command->program, options) ? command->run (options) : ZC_EXIT_USAGE;
    if (!zc_tool_flush ())
        status = ZC_EXIT_FAILURE;
    zc_options_destroy (&options);
    return status;
}

/*  `zmq help COMMAND` is `zmq COMMAND --help`. */
static int s_help_on (int argc, char **argv)
{
    char *words[] = {argv[0], argc > 2 ? argv[2] : NULL, (char *)"--help", NULL};
    if (words[1] && !s_find (words[1]) && strcmp (words[1], "help") != 0 &&
        strcmp (words[1], "version") != 0)
        return s_unknown (words[1]);
    if (words[1] && s_find (words[1]))
        return s_run (s_find (words[1]), 3, words);
    s_help (stdout);
    return zc_tool_flush () ? ZC_EXIT_OK : ZC_EXIT_FAILURE;
}

/*  `zmq --context NAME COMMAND …` is `zmq COMMAND --context=NAME …`. Returns argv, or a new one,
 *  which lives until the end; NULL: there is no command. */
static char **s_context_first (int *argc, char **argv)
{
    bool joined = strncmp (argv[1], "--context=", 10) == 0;
    int command = joined ? 2 : 3;
    if (!joined && strcmp (argv[1], "--context") != 0)
        return argv;
    if (*argc <= command)
        return NULL;
    static char option[100];
    snprintf (option, sizeof option, "--context=%s", joined ? argv[1] + 10 : argv[2]);
    argv[1] = argv[command];
    argv[2] = option;
    for (int i = command + 1; !joined && i <= *argc; i++)
        argv[i - 1] = argv[i];
    *argc -= joined ? 0 : 1;
    return argv;
}

int main (int argc, char **argv)
{
    zc_hold_standard_descriptors ();
    zc_keep_memory_out_of_dumps ();
    signal (SIGPIPE, SIG_DFL); /* ends quietly when the reader of our output has left */
    if (argc < 2) {
        s_help (stderr);
        return ZC_EXIT_USAGE;
    }
    if (!s_context_first (&argc, argv))
        return zc_tool_misuse ("--context NAME comes before a command");
    if (s_is (argv[1], "-h", "--help", "help"))
        return s_help_on (argc, argv);
    if (s_is (argv[1], "-V", "--version", "version"))
        printf ("zmq (zcast) %s\n", PACKAGE_VERSION);
    else if (strcmp (argv[1], "--help=keys") == 0)
        s_keys ();
    else
        return s_find (argv[1]) ? s_run (s_find (argv[1]), argc, argv) : s_unknown (argv[1]);
    return zc_tool_flush () ? ZC_EXIT_OK : ZC_EXIT_FAILURE;
}
