/*  zmq.c - the command line: finds the subcommand. Each has its own file, options and help. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "config.h"
#include "lib/base/daemon.h"
#include "tools/tool.h"

typedef struct {
    const char *name, *full, *summary;
    int (*run) (int argc, char **argv);
} s_command_t;

static const s_command_t s_commands[] = {
    {"pub", "zmq pub", "publish a message, or each line of standard input", zc_tool_pub},
    {"sub", "zmq sub", "print the messages of topics as they come", zc_tool_sub},
    {"stat", "zmq stat", "what the broker and its workers are doing", zc_tool_stat},
    {"ping", "zmq ping", "whether the broker answers", zc_tool_ping},
    {"token", "zmq token", "make, show and check tokens; make API keys", zc_tool_token},
};
#define S_COMMANDS (sizeof s_commands / sizeof *s_commands)

static void s_help (FILE *to)
{
    fprintf (to, "Usage: zmq COMMAND [OPTION]... [ARGUMENT]...\n"
                 "Publish, subscribe and look inside: the command line of zcast.\n\n");
    for (size_t i = 0; i < S_COMMANDS; i++)
        fprintf (to, "  %-5s %s\n", s_commands[i].name, s_commands[i].summary);
    fprintf (to, "\n"
                 "  zmq COMMAND --help     options and examples of a command\n"
                 "  zmq --version\n\n"
                 "Exit status: 0 well, 1 failed, 2 wrong use.\n\n"
                 "Examples:\n"
                 "  zmq sub news                     print what is published on 'news'\n"
                 "  zmq pub news 'hello, world'      publish; prints the message's id\n"
                 "  tail -f log | zmq pub log --lines --quiet\n");
}

static const s_command_t *s_find (const char *name)
{
    for (size_t i = 0; i < S_COMMANDS; i++)
        if (strcmp (name, s_commands[i].name) == 0)
            return &s_commands[i];
    return NULL;
}

static bool s_is (const char *word, const char *letter, const char *name)
{
    return strcmp (word, letter) == 0 || strcmp (word, name) == 0;
}

int main (int argc, char **argv)
{
    zc_hold_standard_descriptors ();
    signal (SIGPIPE, SIG_DFL); /* end quietly when the reader of our output has left */
    const char *word = argc > 1 ? argv[1] : "";
    if (s_is (word, "-h", "--help") || strcmp (word, "help") == 0) {
        s_help (stdout);
        return zc_tool_flush () ? ZC_EXIT_OK : ZC_EXIT_FAILURE;
    }
    if (s_is (word, "-V", "--version")) {
        printf ("zmq (zcast) %s\n", PACKAGE_VERSION);
        return zc_tool_flush () ? ZC_EXIT_OK : ZC_EXIT_FAILURE;
    }
    const s_command_t *command = s_find (word);
    if (!command && argc > 1)
        return zc_tool_misuse ("'%s' is not a command: pub, sub, stat, ping or token", word);
    if (!command) {
        s_help (stderr);
        return ZC_EXIT_USAGE;
    }
    zc_tool_name (command->full);
    argv[1] = (char *)command->full;
    return command->run (argc - 1, argv + 1);
}
