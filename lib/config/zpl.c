/*  zpl.c - see zpl.h. This check accepts less than zconfig does: a '#' that touches an unquoted
 *  value is refused, because zconfig would cut the value there in silence. */
#include "lib/config/zpl.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

static bool s_blank (char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool s_name_char (char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c && strchr ("$-_@.&+/", c));
}

static size_t s_skip_blanks (const char *line, size_t len, size_t at)
{
    while (at < len && s_blank (line[at]))
        at++;
    return at;
}

/*  The error in the part after '=', or NULL. */
static const char *s_check_value (const char *line, size_t len, size_t at)
{
    at = s_skip_blanks (line, len, at);
    if (at < len && (line[at] == '"' || line[at] == '\'')) {
        const char *end = memchr (line + at + 1, line[at], len - at - 1);
        if (!end)
            return "the closing quote is missing";
        at = s_skip_blanks (line, len, (size_t)(end - line) + 1);
        return at == len || line[at] == '#' ? NULL : "there is text after the closing quote";
    }
    const char *hash = at < len ? memchr (line + at, '#', len - at) : NULL;
    if (hash && !s_blank (hash[-1]) && hash[-1] != '=')
        return "a value with # in it needs quotes";
    return NULL;
}

/*  Suggests what a line without a name was meant to be, by the syntax of other formats. */
static const char *s_foreign (const char *line, size_t len, size_t at)
{
    switch (line[at]) {
    case '\t':
        return "indent by 4 spaces, not by tabs";
    case '[':
        return "a section is its bare name in the first column, without brackets, and its keys "
               "are indented by 4 spaces";
    case '{':
    case '}':
        return "a section has no braces: its keys are indented by 4 spaces";
    case ';':
        return "a comment begins with #";
    case '\xc2':
        if (at + 1 < len && line[at + 1] == '\xa0')
            return "a no-break space (U+00A0) only looks like one: indent by 4 spaces";
        /* fall through */
    default:
        return at + 1 < len && line[at] == '/' ? "a comment begins with #" : "expected a name";
    }
}

static const char *s_check_item (const char *line, size_t len, size_t indent)
{
    size_t at = indent;
    while (at < len && s_name_char (line[at]))
        at++;
    if (at == indent || (line[indent] == '/' && at - indent > 1 && line[indent + 1] == '/'))
        return s_foreign (line, len, indent);
    if (line[indent] == '/' || line[at - 1] == '/')
        return "a name doesn't begin or end with /";
    at = s_skip_blanks (line, len, at);
    if (at == len || line[at] == '#')
        return NULL;
    if (line[at] == '{')
        return s_foreign (line, len, at);
    return line[at] == '=' ? s_check_value (line, len, at + 1) : "expected '=' after the name";
}

/*  Checks one line, without its LF, and updates *deepest, the deepest level that the next line
 *  may have. Returns the error, or NULL. *item tells whether the line makes an item, and isn't
 *  blank or a comment. */
static const char *s_check_line (const char *line, size_t len, size_t *deepest, bool *item)
{
    *item = false;
    if (memchr (line, '\0', len))
        return "there is a NUL byte";
    if (len > ZC_ZPL_LINE_MAX)
        return "a line has at most 1024 bytes";
    while (len > 0 && s_blank (line[len - 1]))
        len--;
    size_t indent = 0;
    while (indent < len && line[indent] == ' ')
        indent++;
    if (indent == len || line[indent] == '#')
        return NULL;
    const char *wrong = s_check_item (line, len, indent);
    if (wrong)
        return wrong;
    if (indent % 4)
        return "indent by 4 spaces at a time";
    if (indent / 4 > *deepest)
        return "indented deeper than the line it belongs to allows";
    *deepest = indent / 4 + 1;
    *item = true;
    return NULL;
}

/*  Finds marks and codings that an editor has added or used. */
static const char *s_check_coding (const char *text, size_t len)
{
    if (len >= 3 && memcmp (text, "\xef\xbb\xbf", 3) == 0)
        return "the file begins with a byte order mark (BOM): save it as UTF-8 without one";
    if (len >= 2 && (memcmp (text, "\xff\xfe", 2) == 0 || memcmp (text, "\xfe\xff", 2) == 0))
        return "the file is UTF-16: save it as UTF-8, without a byte order mark (BOM)";
    return NULL;
}

/*  Blanks the comment lines of `text`, and notes the lines of the items. Returns the error with
 *  its line in *line, or NULL. */
static const char *s_check (zc_zpl_t *self, char *text, size_t len, unsigned *line)
{
    size_t deepest = 0;
    *line = 1;
    const char *coding = s_check_coding (text, len);
    if (coding)
        return coding;
    *line = 0;
    for (size_t at = 0; at < len;) {
        char *end = memchr (text + at, '\n', len - at);
        size_t line_len = end ? (size_t)(end - text) - at : len - at;
        bool item;
        ++*line;
        const char *wrong = s_check_line (text + at, line_len, &deepest, &item);
        if (!wrong && item && self->count == ZC_ZPL_ITEMS_MAX)
            wrong = "more than 10000 keys";
        if (wrong)
            return wrong;
        if (item)
            self->lines[self->count++] = *line;
        else
            memset (text + at, ' ', line_len);
        at += line_len + 1;
    }
    return NULL;
}

int zc_zpl_parse (zc_zpl_t *self, const char *text, size_t len, unsigned *line, const char **reason)
{
    zchunk_t *copy = zchunk_new (text, len);
    *self = (zc_zpl_t){NULL, malloc (ZC_ZPL_ITEMS_MAX * sizeof *self->lines), 0};
    if (!copy || !self->lines)
        abort ();
    *reason = s_check (self, (char *)zchunk_data (copy), len, line);
    if (!*reason) {
        self->root = zconfig_chunk_load (copy);
        assert (self->root);
    }
    zchunk_destroy (&copy);
    if (*reason)
        zc_zpl_clear (self);
    return *reason ? -1 : 0;
}

void zc_zpl_clear (zc_zpl_t *self)
{
    zconfig_destroy (&self->root);
    free (self->lines);
    *self = (zc_zpl_t){NULL, NULL, 0};
}
