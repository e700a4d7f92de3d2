# Fills a manual page in: the version, a line @OPTIONS@ by what PROGRAM --help=man says (file `options`), a line @TAIL@ by what all pages
# end with (file `tail`), and a line @KEYS@ by the options of all programs (files in `keys`, "SECTION:FILE …") as keys of zcast.conf;
# a line @COMMAND NAME@ by the options of a command of zmq (file `commands`-NAME.options). In all of it @SYSCONFDIR@ and @DOCDIR@ stand for
# the folders of configuration and of documents (`sysconfdir`, `docdir`).

BEGIN { gsub (/-/, "\\-", sysconfdir); gsub (/-/, "\\-", docdir) }

function put (line)
{
    gsub (/@SYSCONFDIR@/, sysconfdir, line)
    gsub (/@DOCDIR@/, docdir, line)
    print line
}

function copy (path,    line)
{
    while ((getline line < path) > 0)
        put(line)
    close (path)
}

# Options as keys: without dashes, without short forms, without those of the command line alone.
function copy_keys (path,    line, item, name)
{
    item = ""
    while ((getline line < path) > 0) {
        if (line == ".TP" || line ~ /^\.SH/) {
            printf "%s", item
            item = line ~ /^\.SH/ ? "" : line "\n"
        } else if (line ~ /^\\fB/) {
            name = line
            sub (/^\\fB\\-.\\fR, /, "", name)
            sub (/^\\fB\\-\\-/, "\\fB", name)
            if (!sub (/\\fR=\\fI/, "\\fR = \\fI", name))
                name = name " = \\fIyes\\fR|\\fIno\\fR"
            item = name ~ /^\\fB(config|check|help|version)\\fR/ ? "" : item name "\n"
        } else if (item != "") {
            item = item line "\n"
        }
    }
    printf "%s", item
    close (path)
}

# The options of a command of zmq, under the page's own heading.
function copy_command (path,    line)
{
    while ((getline line < path) > 0)
        if (line !~ /^\.SH/)
            print line
    close (path)
}

/^@COMMAND [a-z]+@$/ { copy_command(commands "-" substr($2, 1, length($2) - 1) ".options"); next }
/^@OPTIONS@$/ { copy(options); next }
/^@TAIL@$/ { copy(tail); next }
/^@KEYS@$/ {
    count = split(keys, pair, " ")
    for (i = 1; i <= count; i++) {
        split(pair[i], part, ":")
        print ".SS " part[1]
        copy_keys(part[2])
    }
    next
}
/^\.TH/ { sub(/"zcast"/, "\"zcast " version "\"") }
{ put($0) }
