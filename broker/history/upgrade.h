/*  upgrade.h - brings a database of format 1 to the format of layout.h. */
#ifndef ZC_STORE_UPGRADE_H
#define ZC_STORE_UPGRADE_H

#include <stdbool.h>
#include "broker/history/tables.h"

/*  Does so in one transaction. *done: there was something to do. Returns 0, or a code of LMDB. */
int zc_store_upgrade (MDB_env *env, const MDB_dbi db[ZC_TABLES], bool *done);

#endif
