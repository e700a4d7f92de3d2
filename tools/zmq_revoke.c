/*  zmq_revoke.c - `zmq revoke`: tokens that aren't good any more, before their end. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/base/timestamp.h"
#include "lib/wire/instruction.h"
#include "tools/tool.h"

static const zc_option_t s_options[] = {
    {.name = "subject",
     .type = ZC_OPT_TEXT,
     .min = 1,
     .max = ZC_REVOKED_MAX,
     .argument = "SUB",
     .help = "all tokens of this subject that were issued before now, and API keys of that name"},
    {.name = "key",
     .type = ZC_OPT_TEXT,
     .min = 1,
     .max = ZC_REVOKED_MAX,
     .argument = "KID",
     .help = "all tokens that the key of this id has signed, whenever"},
    {.name = "token",
     .type = ZC_OPT_TEXT,
     .min = 1,
     .max = ZC_REVOKED_MAX,
     .argument = "JTI",
     .help = "the token with this id (its claim jti)"},
    {.name = "for",
     .type = ZC_OPT_SECONDS,
     .preset = "0",
     .max = 315360000000,
     .argument = "TIME",
     .help = "how long such tokens live: afterwards the revocation is forgotten; 0: never"},
    {.name = "undo",
     .type = ZC_OPT_BOOL,
     .preset = "no",
     .help = "end the revocation: tokens that haven't expired are good again"},
    {.name = "list",
     .letter = 'l',
     .type = ZC_OPT_BOOL,
     .preset = "no",
     .help = "print the revocations in force"},
    ZC_TOOL_TIMEOUT ("5s", "how long to wait for the broker"),
    ZC_TOOL_ENDPOINTS,
    ZC_OPTION_END,
};

static const zc_program_t s_program = {
    .program = "zmq revoke",
    .section = "zmq",
    .keys = ZC_TOOL_KEYS,
    .usage = "[OPTION]... --subject SUB | --key KID | --token JTI | --list",
    .summary = "Revokes tokens: connections that came with one end within two seconds, at all "
               "workers, and none is let in with one. The broker keeps this in the file that its "
               "option revocations names.",
    .epilog = "Examples:\n"
              "  zmq revoke --subject ann --for 30d\n"
              "  zmq revoke --list\n",
    .options = s_options,
};

/*  Fills in whose tokens. Returns ZC_EXIT_OK, or after saying what is wrong another status. */
static int s_whose (const zc_options_t *options, zc_instruction_t *instruction)
{
    unsigned count = 0;
    for (zc_revoked_t what = 0; what < ZC_REVOKED_KINDS; what++) {
        const char *name = zc_options_text (options, zc_revoked_name (what));
        if (!name)
            continue;
        if (!zc_text_plain (name, strlen (name)))
            return zc_tool_misuse ("--%s: plain text, without control characters",
                                   zc_revoked_name (what));
        instruction->what = what;
        instruction->name = (zc_slice_t){name, strlen (name)};
        count++;
    }
    return count == 1 ? ZC_EXIT_OK : zc_tool_misuse ("one of --subject, --key, --token or --list");
}

static void s_ignore (void *arg, const zc_answer_t *answer)
{
    (void)arg, (void)answer;
}

static int s_instruct (const zc_options_t *options, zc_tool_link_t *link,
                       zc_instruction_t *instruction)
{
    uint64_t lives_ms = (uint64_t)zc_options_number (options, "for");
    bool undo = zc_options_bool (options, "undo");
    zc_buf_t text = ZC_BUF_INIT;
    instruction->kind = undo ? ZC_INSTRUCTION_RESTORE : ZC_INSTRUCTION_REVOKE;
    instruction->until_ms = lives_ms && !undo ? zc_wall_ms () + lives_ms : 0;
    zc_instruction_write (instruction, &text);
    zc_ask_t ask = {.verb = ZC_INSTRUCT, .json = {(char *)text.data, text.len}};
    int status = zc_tool_ask (link, &ask, s_ignore, NULL);
    zc_buf_clear (&text);
    return status;
}

static void s_print_time (const char *word, uint64_t ms)
{
    char text[32];
    if (ms) {
        zc_timestamp_format (ms, text);
        printf (" %s %s", word, text);
    }
}

static void s_print (const zc_instruction_t *one)
{
    char name[ZC_REVOKED_MAX * 4 + 1];
    name[zc_text_escape (one->name.at, one->name.len, name)] = 0;
    printf ("%s %s", zc_revoked_name (one->what), name);
    s_print_time ("since", one->at_ms);
    s_print_time ("until", one->until_ms);
    putchar ('\n');
}

static void s_listed (void *arg, const zc_answer_t *answer)
{
    zc_slice_t list = answer->listed, text;
    zc_id_t number;
    zc_instruction_t one;
    const char *error;
    (void)arg;
    while (zc_instruction_next (&list, &number, &text)) {
        if (zc_instruction_parse (&one, text, &error) != 0)
            continue;
        if (one.kind == ZC_INSTRUCTION_REVOKE)
            s_print (&one);
        zc_instruction_clear (&one);
    }
}

static int s_run (const zc_options_t *options)
{
    zc_instruction_t instruction = {0};
    zc_ask_t ask = {.verb = ZC_INSTRUCTIONS, .line = {"?", 1}};
    bool lists = zc_options_bool (options, "list");
    int status = lists ? ZC_EXIT_OK : s_whose (options, &instruction);
    if (status != ZC_EXIT_OK)
        return status;
    zc_tool_link_t *link =
        zc_tool_link_new (options, (unsigned)zc_options_number (options, "timeout"));
    if (!link)
        return ZC_EXIT_FAILURE;
    status =
        lists ? zc_tool_ask (link, &ask, s_listed, NULL) : s_instruct (options, link, &instruction);
    zc_tool_link_destroy (&link);
    return status;
}

const zc_tool_command_t zc_tool_revoke = {&s_program, s_run};
