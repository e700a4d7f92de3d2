/*  duties.h - what the broker tells this worker to do: the instructions that it has heard so far,
 * and those that carry them out. No I/O: the owner sends the question, and hands over the answer.
 */
#ifndef ZC_DUTIES_H
#define ZC_DUTIES_H

#include "lib/wire/answer.h"
#include "lib/wire/instruction.h"
#include "lib/wire/line.h"

typedef struct {
    zc_mark_t heard; /* the last instruction; its line is unknown before the first answer */
    bool known;      /* all that was told before has been heard; or the broker is too old to tell */
    uint64_t count;  /* instructions that were carried out */
    uint64_t odd;    /* and those that weren't understood */
    struct {
        void *arg;
        void (*fn) (void *arg, const zc_instruction_t *instruction);
    } hooks[ZC_INSTRUCTION_KINDS];
    /*  Instructions begin, or end; `whole`: they are all that count. NULL: nobody listens. */
    void (*around) (void *arg, bool begin, bool whole);
    void *around_arg;
} zc_duties_t;

/*  Who carries out instructions of this kind. */
void zc_duties_set (zc_duties_t *self, zc_instruction_kind_t kind,
                    void (*fn) (void *arg, const zc_instruction_t *instruction), void *arg);
/*  The question to ask now and then, on any connection to any broker. Borrowed from *self. */
void zc_duties_ask (const zc_duties_t *self, zc_ask_t *ask);
/*  The answer to it: carries out what is new. */
void zc_duties_hear (zc_duties_t *self, const zc_answer_t *answer);
/*  All is to be told again: instructions that meant clients which have only come now may have been
 *  heard already. */
void zc_duties_again (zc_duties_t *self);

#endif
