/*  zmq_completion.c - `zmq completion`: completions of commands and options for bash, zsh and
 *  fish, made from the commands' tables of options. */
#include <stdio.h>
#include <string.h>
#include "lib/base/daemon.h"
#include "tools/tool.h"

static const zc_option_t s_options[] = {ZC_OPTION_END};

static const zc_program_t s_program = {
    .program = "zmq completion",
    .usage = "bash|zsh|fish",
    .words = 1,
    .summary = "Prints the script by which a shell completes commands and options of zmq. The "
               "packages install it for all three.",
    .epilog = "Examples:\n"
              "  eval \"$(zmq completion bash)\"\n"
              "  zmq completion zsh > ~/.zfunc/_zmq\n"
              "  zmq completion fish > ~/.config/fish/completions/zmq.fish\n",
    .options = s_options,
};

/*  The options that all commands share, and that a command's own table doesn't have. */
static bool s_is_common (const zc_program_t *program, const zc_option_t *option)
{
    return strcmp (option->name, "help") == 0 || strcmp (option->name, "version") == 0 ||
           (program->section && strcmp (option->name, "config") == 0);
}

typedef void (*s_option_fn) (const char *command, const zc_option_t *option);

/*  Calls `fn` for each option of a command. */
static void s_each_option (const zc_tool_entry_t *entry, s_option_fn fn)
{
    const zc_program_t *program = entry->command->program;
    for (const zc_option_t *option = program->options; option->name; option++)
        fn (entry->name, option);
    for (const zc_option_t *option = zc_common_options; option->name; option++)
        if (s_is_common (program, option))
            fn (entry->name, option);
}

/*  Whether the option's value is the path of a file. */
static bool s_is_path (const zc_option_t *option)
{
    static const char *const names[] = {"FILE", "PATH", "FOLDER"};
    for (size_t i = 0; option->argument && i < sizeof names / sizeof *names; i++)
        if (strcmp (option->argument, names[i]) == 0)
            return true;
    return false;
}

static bool s_is_flag (const zc_option_t *option)
{
    return option->type == ZC_OPT_BOOL;
}

/*  Text within '…' of a shell, with a backslash before each of `special`. */
static void s_quoted (const char *text, const char *special)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs ("'\\'", stdout);
        else if (strchr (special, *text))
            putchar ('\\');
        putchar (*text);
    }
}

/*  A command's words that aren't options; NULL: anything. */
static const char *s_words (const char *command)
{
    static const char *const words[][2] = {{"token", "make show check api-key"},
                                           {"bench", "publish fanout latency"},
                                           {"completion", "bash zsh fish"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp (words[i][0], command) == 0)
            return words[i][1];
    return NULL;
}

static const char s_headers[] = "ttl= private= retry= content-type=";
static const char s_since[] = "earliest last: id:";

/*  The values that an option is likely to have, with spaces between; NULL: not known. */
static const char *s_values (const char *command, const zc_option_t *option)
{
    if (strcmp (option->name, "header") == 0)
        return s_headers;
    if (strcmp (option->name, "since") == 0 && strcmp (command, "sub") == 0)
        return s_since;
    return NULL;
}

/*  bash ------------------------------------------------------------------------------------------
 */

static void s_bash_option (const char *command, const zc_option_t *option)
{
    (void)command;
    printf (" --%s", option->name);
}

static void s_bash_value (const char *command, const zc_option_t *option)
{
    const char *values = s_values (command, option);
    if (s_is_flag (option))
        return;
    printf ("    %s\\ --%s", command, option->name);
    if (option->letter)
        printf (" | %s\\ -%c", command, option->letter);
    if (values)
        printf (") words='%s' ;;\n", values);
    else
        puts (s_is_path (option) ? ") files=1 ;;" : ") return ;;");
}

/*  The word before the completed one may be an option with a value, even where bash takes the '='
 *  between them for a word. */
static const char s_bash_head[] =
    "# bash completion for zmq(1), made by `zmq completion bash` -*- shell-script -*-\n"
    "_zmq()\n{\n"
    "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
    "    local words='' options='' files='' command=1\n"
    "    COMPREPLY=()\n"
    "    if [ \"$word\" = = ]; then\n"
    "        word=''\n"
    "    elif [ \"$before\" = = ]; then\n"
    "        before=${COMP_WORDS[COMP_CWORD-2]}\n"
    "    fi\n"
    "    # zmq --context NAME COMMAND; bash takes the = of --context=NAME for a word\n"
    "    if [ \"${COMP_WORDS[1]}\" = --context ]; then\n"
    "        command=3\n"
    "        [ \"${COMP_WORDS[2]-}\" = = ] && command=4\n"
    "    fi\n"
    "    if [ \"$before\" = --context ] || { [ \"${COMP_WORDS[command]-}\" = context ] && "
    "[[ $word != -* ]] && [ \"$COMP_CWORD\" -gt \"$command\" ]; }; then\n"
    "        words=$(cd \"${XDG_CONFIG_HOME:-$HOME/.config}/zcast/contexts\" 2>/dev/null && "
    "ls | sed -n 's/^\\([A-Za-z0-9._-]*\\)\\.conf$/\\1/p')\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
    "        return\n"
    "    fi\n";

static const char s_bash_tail[] =
    "    if [ -n \"$files\" ]; then\n"
    "        compopt -o filenames 2>/dev/null\n"
    "        mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
    "        return\n"
    "    fi\n"
    "    [[ $word == -* ]] && words=$options\n"
    "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
    "    [[ ${COMPREPLY[0]-} == *[=:] ]] && compopt -o nospace 2>/dev/null\n"
    "    return 0\n"
    "}\n"
    "complete -F _zmq zmq\n";

static void s_bash_commands (void)
{
    for (size_t i = 0; zc_tool_entries[i].name; i++)
        printf ("%s ", zc_tool_entries[i].name);
}

/*  What a command takes: its options, or words of its own. */
static void s_bash_command (const zc_tool_entry_t *entry)
{
    const char *words = s_words (entry->name);
    printf ("    %s)\n        options='", entry->name);
    s_each_option (entry, s_bash_option);
    puts ("'");
    if (words)
        printf ("        words=${words:-'%s'}\n", words);
    puts ("        ;;");
}

static void s_bash (void)
{
    fputs (s_bash_head, stdout);
    fputs ("    if [ \"$COMP_CWORD\" -eq \"$command\" ]; then\n"
           "        words='",
           stdout);
    s_bash_commands ();
    puts ("' options='--context --help --version'\n"
          "        [ -n \"$word\" ] || words=\"$words $options\"\n"
          "    else\n"
          "    case \"${COMP_WORDS[command]} $before\" in");
    for (size_t i = 0; zc_tool_entries[i].name; i++)
        if (zc_tool_entries[i].command)
            s_each_option (&zc_tool_entries[i], s_bash_value);
    puts ("    esac\n"
          "    case ${COMP_WORDS[command]} in");
    for (size_t i = 0; zc_tool_entries[i].name; i++)
        if (zc_tool_entries[i].command)
            s_bash_command (&zc_tool_entries[i]);
    fputs ("    help) words='", stdout);
    s_bash_commands ();
    puts ("' ;;\n"
          "    esac\n"
          "    fi");
    fputs (s_bash_tail, stdout);
}

/*  zsh -------------------------------------------------------------------------------------------
 */

#define S_ZSH_SPECIAL "[]:\\"

static void s_zsh_option (const char *command, const zc_option_t *option)
{
    const char *values = s_values (command, option);
    fputs (" \\\n            ", stdout);
    if (option->type == ZC_OPT_LIST)
        fputs ("\\*", stdout);
    if (option->letter)
        printf ("{-%c%s,--%s%s}", option->letter, s_is_flag (option) ? "" : "+", option->name,
                s_is_flag (option) ? "" : "=");
    else
        printf ("--%s%s", option->name, s_is_flag (option) ? "" : "=");
    fputs ("'[", stdout);
    s_quoted (option->help, S_ZSH_SPECIAL);
    putchar (']');
    if (!s_is_flag (option)) {
        putchar (':');
        s_quoted (option->argument, S_ZSH_SPECIAL);
        putchar (':');
        if (values)
            printf ("(%s)", values);
        else
            fputs (s_is_path (option) ? "_files" : " ", stdout);
    }
    putchar ('\'');
}

static void s_zsh (void)
{
    puts ("#compdef zmq\n"
          "# zsh completion for zmq(1), made by `zmq completion zsh`\n"
          "_zmq() {\n"
          "    local -a commands\n"
          "    commands=(");
    for (size_t i = 0; zc_tool_entries[i].name; i++) {
        printf ("        '%s:", zc_tool_entries[i].name);
        s_quoted (zc_tool_entries[i].summary, S_ZSH_SPECIAL);
        puts ("'");
    }
    puts ("    )\n"
          "    if [[ $words[2] == --context ]] && (( CURRENT > 3 )); then\n"
          "        shift 2 words\n"
          "        (( CURRENT -= 2 ))\n"
          "    elif [[ $words[2] == --context=* ]] && (( CURRENT > 2 )); then\n"
          "        shift words\n"
          "        (( CURRENT-- ))\n"
          "    fi\n"
          "    if (( CURRENT == 2 )); then\n"
          "        _describe command commands\n"
          "        return\n"
          "    fi\n"
          "    local command=$words[2]\n"
          "    shift words\n"
          "    (( CURRENT-- ))\n"
          "    case $command in");
    for (size_t i = 0; zc_tool_entries[i].name; i++) {
        const char *words = s_words (zc_tool_entries[i].name);
        if (!zc_tool_entries[i].command)
            continue;
        printf ("    %s)\n        _arguments -s", zc_tool_entries[i].name);
        s_each_option (&zc_tool_entries[i], s_zsh_option);
        if (words)
            printf (" \\\n            '*:word:(%s)'", words);
        puts ("\n        ;;");
    }
    puts ("    help) _describe command commands ;;\n"
          "    esac\n"
          "}\n"
          "if [ \"$funcstack[1]\" = _zmq ]; then\n"
          "    _zmq \"$@\"\n"
          "else\n"
          "    compdef _zmq zmq\n"
          "fi");
}

/*  fish ------------------------------------------------------------------------------------------
 */

static void s_fish_text (const char *text)
{
    putchar ('\'');
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            putchar ('\\');
        putchar (*text);
    }
    putchar ('\'');
}

static void s_fish_option (const char *command, const zc_option_t *option)
{
    const char *values = s_values (command, option);
    printf ("complete -c zmq -n '__fish_seen_subcommand_from %s' -l %s", command, option->name);
    if (option->letter)
        printf (" -s %c", option->letter);
    if (!s_is_flag (option))
        fputs (s_is_path (option) ? " -r -F" : " -x", stdout);
    if (values)
        printf (" -a '%s'", values);
    fputs (" -d ", stdout);
    s_fish_text (option->help);
    putchar ('\n');
}

static void s_fish (void)
{
    puts ("# fish completion for zmq(1), made by `zmq completion fish`\n"
          "complete -c zmq -f");
    for (size_t i = 0; zc_tool_entries[i].name; i++) {
        printf ("complete -c zmq -n __fish_use_subcommand -a %s -d ", zc_tool_entries[i].name);
        s_fish_text (zc_tool_entries[i].summary);
        putchar ('\n');
    }
    for (size_t i = 0; zc_tool_entries[i].name; i++) {
        const char *words = s_words (zc_tool_entries[i].name);
        if (words)
            printf ("complete -c zmq -n '__fish_seen_subcommand_from %s' -a '%s'\n",
                    zc_tool_entries[i].name, words);
        if (zc_tool_entries[i].command)
            s_each_option (&zc_tool_entries[i], s_fish_option);
    }
}

static int s_run (const zc_options_t *options)
{
    static const struct {
        const char *name;
        void (*write) (void);
    } shells[] = {{"bash", s_bash}, {"zsh", s_zsh}, {"fish", s_fish}};
    const char *shell = zc_options_word (options, 0);
    if (!shell)
        return zc_tool_misuse ("which shell? bash, zsh or fish");
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++)
        if (strcmp (shell, shells[i].name) == 0) {
            shells[i].write ();
            return ZC_EXIT_OK;
        }
    return zc_tool_misuse ("'%s' is no shell that is known: bash, zsh or fish", shell);
}

const zc_tool_command_t zc_tool_completion = {&s_program, s_run};
