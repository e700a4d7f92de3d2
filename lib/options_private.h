/*  options_private.h - between the files of options: the model, the values, the help. */
#ifndef ZC_OPTIONS_PRIVATE_H
#define ZC_OPTIONS_PRIVATE_H

#include "lib/options.h"

#define ZC_OPTIONS_FILE_MAX (1 << 20) /* bytes of a zcast.conf */

/*  Checks a value. Returns 0 and the number it stands for (0 for texts); or -1 with what was
 *  expected: "expected a size from 1 to 1G". For a MAP, `text` is NAME=VALUE. */
int zc_option_value (const zc_option_t *option, const char *text, int64_t *number, char *expected,
                     size_t size);

/*  All options of a program, its own first, in one table that ends with ZC_OPTION_END; the
 *  caller frees it. */
zc_option_t *zc_program_table (const zc_program_t *program);
/*  Those that are no keys of any file: config, check, help, version. */
bool zc_option_only_command_line (const zc_option_t *option);
/*  Whether it is a key of this program's section. */
bool zc_option_is_key (const zc_program_t *program, const zc_option_t *option);

void zc_options_write_help (const zc_program_t *program, FILE *out);

/*  Takes the text of a file as if it had been read from `path`. Returns 0, or -1 with one line in
 *  `error` and nothing changed. */
int zc_options_load_text (zc_options_t *self, const char *path, const char *text, size_t len,
                          char *error, size_t size);

#endif
