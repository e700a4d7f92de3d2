/*  check.h - checks that a database has the form of layout.h before it is read. */
#ifndef ZC_STORE_CHECK_H
#define ZC_STORE_CHECK_H

/*  Checks the database in the folder `path`, in a process of its own, since LMDB may crash on a
 *  damaged file. Waits for the verdict. 0: it is sound, or new; MDB_CORRUPTED: it is damaged;
 *  MDB_VERSION_MISMATCH: another version made it; otherwise another code of LMDB or the system. */
int zc_store_check (const char *path);

#endif
