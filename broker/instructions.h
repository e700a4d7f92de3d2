/*  instructions.h - what the broker has told all workers to do (doc/protocol.md), by number. Workers ask
 *  for those that they haven't heard. What is old, or too much, is forgotten. No I/O. */
#ifndef ZC_INSTRUCTIONS_H
#define ZC_INSTRUCTIONS_H

#include "lib/wire/answer.h"
#include "lib/wire/instruction.h"

/*  With a log, instructions are messages of this topic there, which aren't published. */
#define ZC_INSTRUCTIONS_TOPIC "$zcast/instructions"

typedef struct zc_instructions zc_instructions_t;

zc_instructions_t *zc_instructions_new (void);
void zc_instructions_destroy (zc_instructions_t **self_p);

/*  Takes one in (copied). `number` is above all before. */
void zc_instructions_take (zc_instructions_t *self, zc_id_t number, zc_slice_t text,
                           uint64_t now_ms);
/*  Those up to this number may be lost. */
void zc_instructions_lose (zc_instructions_t *self, zc_id_t number);
/*  Appends to a list (zc_instruction_next) those after `since`. Returns the number after which the list
 *  begins: `since`; or ZC_ID_NONE if some after that are forgotten: then these are all that count. */
zc_id_t zc_instructions_list (const zc_instructions_t *self, zc_id_t since, zc_buf_t *list);
/*  The last number. */
zc_id_t zc_instructions_head (const zc_instructions_t *self);
/*  Forgets those that are too old. */
void zc_instructions_turn (zc_instructions_t *self, uint64_t now_ms);

#endif
