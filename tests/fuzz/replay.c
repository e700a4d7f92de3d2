/*  replay.c - main() of a fuzz target without a fuzzer: every file of its corpus, and every
 *  beginning of each, goes through LLVMFuzzerTestOneInput. `make check` runs all targets like
 *  this.
 *
 *  Arguments are files or folders. Without any, the corpus is found by the program's name:
 *  tests/fuzz/NOUN_fuzz has tests/fuzz/corpus/NOUN below $srcdir. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define S_FILE_MAX (1 << 20)
#define S_BEGINNINGS 2048 /* a file is cut at each of its first bytes, up to here */

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/*  In a block of its exact size, so that a read past its end is seen. */
static void s_feed (const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc (size ? size : 1);
    if (!copy)
        abort ();
    memcpy (copy, bytes, size);
    LLVMFuzzerTestOneInput (copy, size);
    free (copy);
}

static unsigned s_fail (const char *path)
{
    fprintf (stderr, "%s: %s\n", path, strerror (errno));
    exit (EXIT_FAILURE);
}

static unsigned s_file (const char *path)
{
    static uint8_t bytes[S_FILE_MAX];
    FILE *file = fopen (path, "rb");
    if (!file)
        return s_fail (path);
    size_t size = fread (bytes, 1, sizeof bytes, file);
    if (ferror (file))
        return s_fail (path);
    fclose (file);
    printf ("%s\n", path);
    fflush (stdout);
    for (size_t cut = 0; cut < size && cut < S_BEGINNINGS; cut++)
        s_feed (bytes, cut);
    s_feed (bytes, size);
    return 1;
}

/*  A file, or all files of a folder. Returns how many were fed. */
static unsigned s_path (const char *path)
{
    struct stat info;
    if (stat (path, &info) != 0)
        return s_fail (path);
    if (!S_ISDIR (info.st_mode))
        return s_file (path);
    DIR *folder = opendir (path);
    if (!folder)
        return s_fail (path);
    unsigned count = 0;
    for (struct dirent *entry; (entry = readdir (folder));) {
        char file[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf (file, sizeof file, "%s/%s", path, entry->d_name);
        count += s_path (file);
    }
    closedir (folder);
    return count;
}

static unsigned s_own_corpus (const char *program)
{
    const char *top = getenv ("srcdir"), *slash = strrchr (program, '/');
    const char *name = slash ? slash + 1 : program;
    const char *end = strstr (name, "_fuzz");
    char path[4096];
    snprintf (path, sizeof path, "%s/tests/fuzz/corpus/%.*s", top ? top : ".",
              end ? (int)(end - name) : (int)strlen (name), name);
    return s_path (path);
}

int main (int argc, char **argv)
{
    unsigned count = argc < 2 ? s_own_corpus (argv[0]) : 0;
    for (int i = 1; i < argc; i++)
        count += s_path (argv[i]);
    printf ("%u files\n", count);
    return count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
