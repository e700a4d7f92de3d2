/*  options.h - configuration. One table for each program makes its command line, its keys in
 *  zcast.conf, its --help, and the checks of each value.
 *
 *  A value comes from the last of these that has it: the default; section `common` of the file,
 *  for keys in the program's table; the program's section; the environment (ZCAST_NAME, or
 *  ZCAST_SECTION_NAME for one program); the command line. Reading the file is the only I/O. */
#ifndef ZC_OPTIONS_H
#define ZC_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef enum {
    ZC_OPT_TEXT,      /* any text; min..max bound its length in bytes */
    ZC_OPT_ENDPOINT,  /* a ZeroMQ endpoint: tcp://HOST:PORT, ipc://PATH, inproc://NAME */
    ZC_OPT_ENDPOINTS, /* one endpoint, or several with blanks between them */
    ZC_OPT_BOOL,      /* yes/no, true/false, on/off, 1/0; on the command line the name alone: yes */
    ZC_OPT_NUMBER,    /* decimal */
    ZC_OPT_SIZE,      /* bytes; K, M, G (KiB, MiB, GiB) are powers of 1024; 1.5M */
    ZC_OPT_MS,        /* duration; a bare number is milliseconds; ms, s, m, h, d; 1.5s */
    ZC_OPT_SECONDS,   /* duration; a bare number is seconds; stored as milliseconds */
    ZC_OPT_CHOICE,    /* one of `choices` */
    ZC_OPT_MAP,       /* NAME=VALUE, repeatable; in the file also a section of name = value lines */
    ZC_OPT_LIST,      /* text, repeatable; min..max bound the length of each */
    ZC_OPT_SECRET,    /* text that nobody else may see: wiped on the command line */
    ZC_OPT_URL, /* text that may hold a password (scheme://USER:PASSWORD@…), which is wiped */
} zc_opt_type_t;

typedef struct {
    const char *name; /* key and long option */
    char letter;      /* short option, or 0 */
    zc_opt_type_t type;
    const char *preset;   /* the default as text; NULL: unset */
    int64_t min, max;     /* of numbers, sizes (bytes) and durations (milliseconds) */
    const char *choices;  /* ZC_OPT_CHOICE: separated by '|'; ZC_OPT_MAP: a description of its
                             values, or NULL */
    const char *argument; /* the name of the value in --help */
    const char *help;     /* one line */
    bool reload;          /* takes effect on SIGHUP */
} zc_option_t;
#define ZC_OPTION_END \
    {                 \
        .name = NULL  \
    }

typedef struct zc_options zc_options_t;

typedef struct {
    const char *program; /* "zcast-fcgi" */
    const char *section; /* its section in zcast.conf, e.g. "fcgi"; NULL: command line only */
    const char *usage;   /* after the program's name: "[OPTION…]" */
    const char *summary; /* one sentence */
    const char *epilog;  /* examples; may be NULL */
    const zc_option_t *options; /* ends with ZC_OPTION_END; zc_common_options are added */
    /*  For a command: the options, with spaces between, that are also keys of the file. A
     *  command has no check, log-level, log-format and syslog. NULL: the program is a daemon. */
    const char *keys;
    unsigned words; /* how many words that aren't options the program takes; more are a mistake */
    /*  Checks what the table can't say, such as values that exclude each other. Returns NULL, or
     *  the name of the option at fault, with the mistake in `error`. Called by zc_options_new,
     *  by -t and by zc_options_reload. May be NULL. */
    const char *(*verify) (const zc_options_t *options, char *error, size_t size);
} zc_program_t;

/*  Options of every program: config, check (-t), log-level, log-format, syslog, help, version; the
 * first two only for a program that has a section. -t checks the keys of all programs in the file,
 * as far as types and ranges can tell (lib/config/sections.h). --help=conf and --help=man print
 * what zc_options_write_conf and zc_options_write_man do; --help=keys prints the program's part of
 *  lib/config/sections.inc. */
extern const zc_option_t zc_common_options[];

/*  Reads the command line and the file, and overwrites secrets in argv, which `ps` shows to
 *  everybody. Returns NULL where the program should end at once. *status is then its exit
 *  status: 0 after --help, --version and a good -t; 2 after a mistake, which was printed to
 *  stderr as one line (file:line or option, key, the expected value). Words that aren't options
 *  are kept for zc_options_word. */
zc_options_t *zc_options_new (const zc_program_t *program, int argc, char **argv, int *status);
void zc_options_destroy (zc_options_t **self_p);
/*  Reads the file again. Returns 0; or -1 with one line in `error`, and nothing changed; or 1
 *  with the names of options in `error` whose value has changed but which have no `reload`: all
 *  others took effect. */
int zc_options_reload (zc_options_t *self, char *error, size_t size);

/*  The name must be in the table (asserted). A text is NULL where it is unset. It is borrowed
 *  until the next reload, or, where the option has no `reload`, for the life of the options. */
const char *zc_options_text (const zc_options_t *self, const char *name);
int64_t zc_options_number (const zc_options_t *self, const char *name);
bool zc_options_bool (const zc_options_t *self, const char *name);
/*  The pairs of a ZC_OPT_MAP, or the values of a ZC_OPT_LIST (*key is then NULL), in order.
 *  False past the end. */
bool zc_options_item (const zc_options_t *self, const char *name, size_t index, const char **key,
                      const char **value);
/*  The program's name. */
const char *zc_options_program (const zc_options_t *self);
const char *zc_options_word (const zc_options_t *self, size_t index); /* NULL past the end */

/*  The name of an option whose secret stands in the file, where every user of this machine can
 *  read the file; NULL where there is none. *path is the file's path, borrowed. */
const char *zc_options_exposed (const zc_options_t *self, const char **path);
/*  Whether every user of this machine can read the file. */
bool zc_file_exposed (const char *path);

/*  Contexts: a program with an option `context` takes the values of a file of the user's own, in
 * the form of zcast.conf, too. A context that the command line names is above the environment, one
 * that the environment names is below. */

/*  Whether this is the name of a context: letters, digits, '.', '_' and '-'. */
bool zc_context_name_valid (const char *name);
/*  The folder of contexts, each a file NAME.conf: $XDG_CONFIG_HOME/zcast/contexts, or the same
 * below
 *  ~/.config. NULL: the user has no home. The caller frees it. */
char *zc_context_folder (void);
/*  The file of the context that was read; NULL: none was. Borrowed. */
const char *zc_options_context (const zc_options_t *self);

/*  Parsers of values. They return 0, or -1 where the text is no such value. */
int zc_option_parse_size (const char *text, int64_t *bytes);
int zc_option_parse_duration (const char *text, int64_t bare_unit_ms, int64_t *ms);

/*  Whether other machines can reach the endpoint: it is TCP and not loopback. */
bool zc_endpoint_exposed (const char *endpoint);

/*  Writes a sample of the program's section in zcast.conf, with every key commented out at its
 *  default. */
void zc_options_write_conf (const zc_program_t *program, FILE *out);
/*  Writes the keys of a section that one program reads, or several, as C for
 *  lib/config/sections.inc. */
void zc_options_write_keys (const zc_program_t *const *programs, size_t count, FILE *out);
/*  Writes the OPTIONS part of the program's manual page, in man(7). */
void zc_options_write_man (const zc_program_t *program, FILE *out);

#endif
