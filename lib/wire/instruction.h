/*  instruction.h - what the broker tells all workers to do (doc/protocol.md, "Instructions"): an
 * object of JSON. answer.h has lists of them. No I/O. */
#ifndef ZC_INSTRUCTION_H
#define ZC_INSTRUCTION_H

#include <jansson.h>
#include "lib/base/buf.h"
#include "lib/base/text.h"

#define ZC_INSTRUCTION_MAX 65536 /* bytes */
#define ZC_REVOKED_MAX 256       /* bytes of a name that is revoked */
#define ZC_CLIENT_ID_SIZE 17     /* bytes of a client's id as text, with its NUL */

typedef enum {
    ZC_INSTRUCTION_DROP,    /* end a client's connection */
    ZC_INSTRUCTION_REVOKE,  /* tokens aren't good any more */
    ZC_INSTRUCTION_RESTORE, /* they are good again */
    ZC_INSTRUCTION_KINDS,
} zc_instruction_kind_t;

/*  Whose tokens are revoked: a subject's, those that a key has signed, or the one with an id. */
typedef enum {
    ZC_REVOKED_SUBJECT,
    ZC_REVOKED_KEY,
    ZC_REVOKED_TOKEN,
    ZC_REVOKED_KINDS
} zc_revoked_t;
/*  The member's name: "subject", "key", "token". */
const char *zc_revoked_name (zc_revoked_t what);

typedef struct {
    zc_instruction_kind_t kind;
    uint64_t client;   /* DROP: the client's id; never 0 */
    zc_revoked_t what; /* REVOKE, RESTORE */
    zc_slice_t name;   /* REVOKE, RESTORE: of the subject, key or token; lies in json */
    uint64_t at_ms;    /* REVOKE, RESTORE: when that was decided; 0: not said */
    uint64_t until_ms; /* REVOKE: by then, all of those tokens have ended; 0: never */
    json_t *json;      /* owned */
} zc_instruction_t;

/*  Parses an instruction. Returns 0; or -1 with one sentence in *error, and then there is nothing
 * to clear. */
int zc_instruction_parse (zc_instruction_t *self, zc_slice_t text, const char **error);
void zc_instruction_clear (zc_instruction_t *self);
/*  Appends the text: one line, without an LF. */
void zc_instruction_write (const zc_instruction_t *self, zc_buf_t *out);

/*  The id of a client as text: 16 hexadecimal digits. */
void zc_client_id_format (uint64_t id, char text[ZC_CLIENT_ID_SIZE]);
/*  Returns 0 or -1. */
int zc_client_id_parse (zc_slice_t text, uint64_t *id);

#endif
