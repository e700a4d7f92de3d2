/*  instructions.h - what the broker has told all workers to do (doc/protocol.md), by number.
 * Workers ask for those that they haven't heard. Revocations last, and are kept in a file; the
 * others are forgotten when they are old, or too many. */
#ifndef ZC_INSTRUCTIONS_H
#define ZC_INSTRUCTIONS_H

#include "lib/wire/answer.h"
#include "lib/wire/instruction.h"

/*  With a log, instructions are messages of this topic there, which aren't published. */
#define ZC_INSTRUCTIONS_TOPIC "$zcast/instructions"

typedef struct zc_instructions zc_instructions_t;

zc_instructions_t *zc_instructions_new (void);
void zc_instructions_destroy (zc_instructions_t **self_p);
/*  Reads the revocations of a file, which is kept up to date from now on (the path is copied). A
 * file that isn't there is empty. Returns 0; or -1 with a sentence in `error`. */
int zc_instructions_open (zc_instructions_t *self, const char *path, char *error, size_t size);
bool zc_instructions_has_file (const zc_instructions_t *self);

/*  Takes one in (copied). `number` is above all before; `place`: how much was in the log before it.
 *  Returns 0; or -1 with errno where it can't be written to the file. */
int zc_instructions_take (zc_instructions_t *self, zc_id_t number, uint64_t place,
                          const zc_instruction_t *instruction, uint64_t now_ms);
/*  The same in two steps: many are taken in, and then the file is written once. */
void zc_instructions_hear (zc_instructions_t *self, zc_id_t number, uint64_t place,
                           const zc_instruction_t *instruction, uint64_t now_ms);
int zc_instructions_save (zc_instructions_t *self);
/*  So many revocations are in force that there is no room for this one. */
bool zc_instructions_full (const zc_instructions_t *self, const zc_instruction_t *instruction);
/*  Those up to this number may be lost, but for revocations. */
void zc_instructions_lose (zc_instructions_t *self, zc_id_t number);
/*  Appends to a list (zc_instruction_next) those after `since`. Returns the number after which the
 * list begins: `since`; or ZC_ID_NONE if some after that are forgotten: then these are all that
 * count. */
zc_id_t zc_instructions_list (const zc_instructions_t *self, zc_id_t since, zc_buf_t *list);
/*  The last number. */
zc_id_t zc_instructions_head (const zc_instructions_t *self);
/*  Forgets those that are too old. */
void zc_instructions_turn (zc_instructions_t *self, uint64_t now_ms, uint64_t wall_ms);
/*  The revocation that must be told again lest the log lose it: it was told before `number`, or
 *  before the log was at `place`. Gives it `now_ms`, and doesn't give it again for a minute. False:
 *  there is none. */
bool zc_instructions_repeat (zc_instructions_t *self, zc_id_t number, uint64_t place,
                             uint64_t now_ms, zc_slice_t *text);

#endif
