/*  options_private.h - shared by the files of options: the values and their sources, the checks,
 *  the help. */
#ifndef ZC_OPTIONS_PRIVATE_H
#define ZC_OPTIONS_PRIVATE_H

#include "lib/base/buf.h"
#include "lib/base/text.h"
#include "lib/config/options.h"

#define ZC_OPTIONS_FILE_MAX (1 << 20) /* bytes of a zcast.conf */
#define ZC_OPTIONS_ERROR_MAX 1024     /* bytes of a line that describes a mistake */

#define ZC_VARIABLE_MAX 96 /* bytes of the name of an environment variable */

typedef enum {
    ZC_RANK_PRESET,
    ZC_RANK_COMMON,
    ZC_RANK_SECTION,
    ZC_RANK_CONTEXT, /* a context that the environment names */
    ZC_RANK_ENVIRONMENT,
    ZC_RANK_CHOSEN, /* a context that the command line names */
    ZC_RANK_COMMAND
} zc_rank_t;

typedef struct {
    char *key, *value; /* owned; key is NULL in a list */
} zc_value_item_t;

typedef struct {
    char *text; /* owned; as the user wrote it; NULL where unset */
    int64_t number;
    zc_value_item_t *items; /* owned; of a map or list */
    size_t count;
    zc_rank_t rank;
    unsigned line; /* in the file, of the last set */
} zc_value_t;

/*  The place where a value was set, for messages. */
typedef struct {
    zc_rank_t rank;
    unsigned line;    /* in the file */
    const char *path; /* of the file; ZC_RANK_ENVIRONMENT: name of the variable */
} zc_setter_t;

typedef struct {
    size_t option;    /* index in the table */
    const char *text; /* borrowed from argv, or `own` */
    char *own;        /* owned; the text that was wiped in argv; NULL: none was */
} zc_given_t;

struct zc_options {
    const zc_program_t *program;
    zc_option_t *table; /* owned */
    size_t count;
    zc_value_t *values; /* owned; one for each of the table */
    zc_given_t *given;  /* owned; the command line */
    size_t given_count;
    char **secrets;     /* owned, and so is each; secrets taken out of the environment, by option */
    const char **words; /* owned; borrowed from argv */
    size_t words_count;
    char *context_path; /* owned; of the context's file; NULL: none */
    char *path;         /* owned; of the file; NULL: none */
    bool whole;         /* -t: the sections of other programs are checked, too */
};

/*  The secret part of a value; empty where there is none. */
zc_slice_t zc_option_secret (const zc_option_t *option, const char *text);

/*  Checks a value. Returns 0 and its number in *number (0 for texts); or -1 and a description of
 *  the expected value: "expected a size from 1 to 1G". For a ZC_OPT_MAP, `text` is NAME=VALUE. */
int zc_option_value (const zc_option_t *option, const char *text, int64_t *number, char *expected,
                     size_t size);

/*  All options of a program, its own first, in one table that ends with ZC_OPTION_END. The
 *  caller frees the table. */
zc_option_t *zc_program_table (const zc_program_t *program);
/*  Whether the option is config, check, help or version: these are no keys of any file. */
bool zc_option_only_command_line (const zc_option_t *option);
/*  Whether the option is a key of this program's section. */
bool zc_option_is_key (const zc_program_t *program, const zc_option_t *option);

/*  The index of an option in the table; self->count where there is none of that name. */
size_t zc_options_find (const zc_options_t *self, const char *name, size_t len);

/*  Sets a value, or adds to a list, unless a source of a higher rank has set it. Returns 0, or
 *  -1 with a line in `error`. */
int zc_value_set (const zc_option_t *option, zc_value_t *value, const char *text,
                  const zc_setter_t *origin, char *error, size_t size);
void zc_value_clear (zc_value_t *value);
/*  Whether two values are the same. Numbers compare as numbers: "60s" and "1m" are the same. */
bool zc_value_same (const zc_option_t *option, const zc_value_t *a, const zc_value_t *b);
/*  Writes a line with the place of a mistake and `what` is wrong. Returns -1. */
int zc_setter_wrong (const zc_setter_t *origin, const char *name, const char *what, char *error,
                     size_t size);
/*  Makes text from outside fit into a line of bounded length (size >= 8), in which it can't
 *  command a terminal. */
void zc_options_quote (const char *text, char *quoted, size_t size);

/*  Reads a whole file. Returns 0, or -1 with a line in `error`. */
int zc_options_read_file (const char *path, zc_buf_t *text, char *error, size_t size);
/*  Sets `values` from the text of a file. Returns 0, or -1 with a line in `error`. */
int zc_options_read_text (zc_options_t *self, zc_value_t *values, const char *path,
                          const char *text, size_t len, char *error, size_t size);
/*  The same, but all sections have this rank. */
int zc_options_read_ranked (zc_options_t *self, zc_value_t *values, const char *path,
                            const char *text, size_t len, zc_rank_t rank, char *error, size_t size);
/*  Sets `values` from the file of the context that is wanted, if there is one. Returns 0, or -1
 *  with a line in `error`. */
int zc_options_read_context (zc_options_t *self, zc_value_t *values, char *error, size_t size);
/*  Finds the environment variable that sets an option: ZCAST_SECTION_NAME, or else ZCAST_NAME.
 *  Writes its name into `name`, which holds ZC_VARIABLE_MAX bytes. Returns its value, or NULL
 *  where it is unset or empty. */
const char *zc_variable_find (const zc_program_t *program, const zc_option_t *option, char *name);
/*  Sets `values` from the environment. Secrets are taken out of it, so that no child inherits them,
 * and are kept for the next time. Returns 0, or -1 with a line in `error`. */
int zc_options_read_environment (zc_options_t *self, zc_value_t *values, char *error, size_t size);
/*  Says how mistakes are told: as the command line wants the log, or else as the environment does,
 *  whose value of log-format may be NULL. */
void zc_options_mistakes_as (const zc_program_t *program, int argc, char **argv,
                             const char *environment);
/*  Tells of a mistake, by which the program ends, or of what looks like one: a line for people on
 *  stderr, or of the log in JSON. */
void zc_options_mistake (const zc_program_t *program, const char *text);
void zc_options_doubt (const zc_program_t *program, const char *text);
/*  Tells of the names of variables that look like misspelt ones. */
void zc_options_warn_environment (const zc_options_t *self);
/*  Fills `given` and `words`, which have room. Returns -1, or the exit status where the program
 *  should end. */
int zc_options_read_line (zc_options_t *self, int argc, char **argv);

void zc_options_write_help (const zc_program_t *program, FILE *out);

/*  Takes the text of a file as if it had been read from `path`. Returns 0; or -1 with one line
 *  in `error`, and nothing changed. */
int zc_options_load_text (zc_options_t *self, const char *path, const char *text, size_t len,
                          char *error, size_t size);

#endif
