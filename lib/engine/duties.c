/*  duties.c - instructions may be told twice, as after zc_duties_again; carrying one out a second
 * time changes nothing. */
#include "lib/engine/duties.h"

#include "lib/base/log.h"

void zc_duties_set (zc_duties_t *self, zc_instruction_kind_t kind,
                    void (*fn) (void *arg, const zc_instruction_t *instruction), void *arg)
{
    self->hooks[kind].fn = fn;
    self->hooks[kind].arg = arg;
}

void zc_duties_ask (const zc_duties_t *self, zc_ask_t *ask)
{
    bool known = zc_line_known (&self->heard.line);
    *ask = (zc_ask_t){.verb = ZC_INSTRUCTIONS,
                      .since = known ? self->heard.position : ZC_ID_NONE,
                      .line = known ? zc_line_slice (&self->heard.line) : (zc_slice_t){"?", 1}};
}

static void s_carry_out (zc_duties_t *self, zc_slice_t text)
{
    static zc_log_limit_t limit;
    zc_instruction_t instruction;
    const char *error;
    if (zc_instruction_parse (&instruction, text, &error) != 0) {
        self->odd++;
        zc_log_limited (
            &limit, ZC_LOG_WARN,
            ZC_EVENT ("instruction.odd error", "the broker's instruction isn't understood: %s"),
            error);
        return;
    }
    self->count++;
    if (self->hooks[instruction.kind].fn)
        self->hooks[instruction.kind].fn (self->hooks[instruction.kind].arg, &instruction);
    zc_instruction_clear (&instruction);
}

void zc_duties_hear (zc_duties_t *self, const zc_answer_t *answer)
{
    zc_slice_t list = answer->listed, text;
    zc_id_t number;
    if (zc_answer_is_error (answer, "verb"))
        self->known = true; /* an older broker, which tells nobody anything */
    bool whole = answer->since == ZC_ID_NONE;
    bool stale = !whole && !zc_line_known (&self->heard.line); /* asked before zc_duties_again */
    if (answer->kind != ZC_OK || stale || zc_line_parse (&self->heard.line, answer->line) != 0)
        return;
    if (self->around)
        self->around (self->around_arg, true, whole);
    while (zc_instruction_next (&list, &number, &text))
        s_carry_out (self, text);
    if (self->around)
        self->around (self->around_arg, false, whole);
    self->heard.position = answer->head;
    self->known = true;
}

void zc_duties_again (zc_duties_t *self)
{
    self->heard = (zc_mark_t){0};
}
