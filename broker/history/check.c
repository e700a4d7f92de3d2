/*  check.c - walks all entries, checks that each value is readable and has the form of its table
 *  (zc_layout_check), and compares the counts. Values that are read later aren't checked again. */
#include "config.h"

#include "broker/history/check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "broker/history/tables.h"

static int s_check_each (const zc_tables_t *self, int table, zc_layout_sums_t *sums)
{
    MDB_cursor *cursor = NULL;
    MDB_val key, value;
    uint64_t entries = 0;
    MDB_stat stat;
    int rc = mdb_cursor_open (self->txn, self->db[table], &cursor);
    while (rc == 0 && (rc = mdb_cursor_get (cursor, &key, &value, MDB_NEXT)) == 0) {
        /*  If the last byte is beyond the end of the file, reading it is a signal. */
        if (value.mv_size)
            (void)*((volatile const uint8_t *)value.mv_data + value.mv_size - 1);
        if (!zc_layout_check (table, &key, &value, sums))
            rc = MDB_CORRUPTED;
        else
            entries++;
    }
    if (cursor)
        mdb_cursor_close (cursor);
    mdb_stat (self->txn, self->db[table], &stat);
    if (rc == MDB_NOTFOUND && entries == stat.ms_entries)
        return 0;
    return rc > 0 ? rc : MDB_CORRUPTED; /* an error of the system, or LMDB's */
}

static int s_open_table (zc_tables_t *self, int table, uint64_t format)
{
    bool events = table == ZC_IN_NAMES && format == ZC_FORMAT_EVENTS;
    const zc_layout_table_t *as = &zc_layout_tables[table];
    return mdb_dbi_open (self->txn, events ? ZC_TABLE_OF_EVENTS : as->name, events ? 0 : as->flags,
                         &self->db[table]);
}

/*  A database without any commit may lack tables, or the totals; it is sound. */
static int s_check_tables (zc_tables_t *self)
{
    zc_stored_totals_t totals;
    int rc = s_open_table (self, ZC_IN_STATE, ZC_FORMAT);
    if (rc == 0)
        rc = zc_tables_totals (self, &totals);
    if (rc != 0)
        return zc_missing_is_fine (rc);
    for (int i = 0; rc == 0 && i < ZC_TABLES; i++)
        rc = s_open_table (self, i, totals.format);
    zc_layout_sums_t sums = {0};
    for (int i = 0; rc == 0 && i < ZC_IN_STATE; i++)
        rc = s_check_each (self, i, &sums);
    if (rc == MDB_NOTFOUND || (rc == 0 && (sums.messages != totals.messages || sums.chunks != 0)))
        return MDB_CORRUPTED;
    return rc;
}

static int s_check (const char *path)
{
    MDB_env *env;
    zc_tables_t check;
    int rc = mdb_env_create (&env);
    if (rc == 0)
        rc = mdb_env_set_maxdbs (env, ZC_TABLES_MAX);
    if (rc == 0)
        rc = mdb_env_open (env, path, MDB_RDONLY | MDB_NOTLS, 0640);
    if (rc == 0)
        rc = mdb_txn_begin (env, NULL, MDB_RDONLY, &check.txn);
    return rc == 0 ? s_check_tables (&check) : rc;
}

/*  The process that checks writes its result into a pipe. On damage it may crash; then it writes
 *  nothing, and LMDB's own message would help nobody. */
static void s_check_and_tell (const char *path, int fd)
{
    signal (SIGSEGV, SIG_DFL);
    signal (SIGBUS, SIG_DFL);
    signal (SIGABRT, SIG_DFL);
    int rc = freopen ("/dev/null", "w", stderr) ? s_check (path) : errno;
    _exit (write (fd, &rc, sizeof rc) == sizeof rc ? 0 : 1);
}

/*  There is no file, or an empty one: a broker was killed, or had no space, while it made the
 *  file. */
static bool s_is_new (const char *path)
{
    char file[4200];
    struct stat status;
    snprintf (file, sizeof file, "%s/data.mdb", path);
    return stat (file, &status) == 0 ? status.st_size == 0 : errno == ENOENT;
}

int zc_store_check (const char *path)
{
    int ends[2], rc = MDB_CORRUPTED; /* the result if the process crashes */
    if (s_is_new (path))
        return 0;
    if (pipe2 (ends, O_CLOEXEC) != 0)
        return errno;
    pid_t pid = fork ();
    if (pid == 0)
        s_check_and_tell (path, ends[1]);
    if (pid < 0)
        rc = errno;
    close (ends[1]);
    while (pid > 0 && read (ends[0], &rc, sizeof rc) < 0 && errno == EINTR)
        ;
    close (ends[0]);
    while (pid > 0 && waitpid (pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return rc;
}
