/*  log_line.c - the log in JSON. Each member is written whole or not at all, and two bytes are kept
 *  back for the end, so that the object is never cut. */
#include "lib/base/log_line.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S_MARK '\x1f'
#define S_TAIL 2 /* "}" and a NUL, or an LF */

static zc_slice_t s_word (zc_slice_t *names)
{
    const char *blank = names->len ? memchr (names->at, ' ', names->len) : NULL;
    zc_slice_t word = {names->at, blank ? (size_t)(blank - names->at) : names->len};
    size_t step = word.len + (blank ? 1 : 0);
    names->at += step;
    names->len -= step;
    return word;
}

void zc_log_event (const char **format, zc_slice_t *event, zc_slice_t *names)
{
    *event = (zc_slice_t){"other", 5};
    *names = (zc_slice_t){"", 0};
    const char *end = **format == S_MARK ? strchr (*format + 1, S_MARK) : NULL;
    if (!end)
        return;
    *names = (zc_slice_t){*format + 1, (size_t)(end - *format) - 1};
    *event = s_word (names);
    *format = end + 1;
}

void zc_log_line_begin (zc_log_line_t *self)
{
    self->text[0] = '{';
    self->len = 1;
}

static size_t s_room (const zc_log_line_t *self)
{
    return sizeof self->text - S_TAIL - self->len;
}

static void s_add (zc_log_line_t *self, const char *bytes, size_t len)
{
    memcpy (self->text + self->len, bytes, len);
    self->len += len;
}

/*  Begins a member. False, with nothing written, if it and `more` bytes have no room. */
static bool s_name (zc_log_line_t *self, zc_slice_t name, size_t more)
{
    if (s_room (self) < name.len + 4 + more)
        return false;
    if (self->len > 1)
        s_add (self, ",", 1);
    s_add (self, "\"", 1);
    s_add (self, name.at, name.len);
    s_add (self, "\":", 2);
    return true;
}

/*  One character as JSON has it. As in the log's text, nothing is left as it is that a terminal
 *  could obey. Returns the length, at most 6. */
static size_t s_escape (uint32_t code, const char *bytes, size_t len, char *out)
{
    if (len == 0)
        return (size_t)sprintf (out, "\xef\xbf\xbd");
    if (code == '"' || code == '\\')
        return (size_t)sprintf (out, "\\%c", (char)code);
    if (code == '\n' || code == '\r' || code == '\t')
        return (size_t)sprintf (out, "\\%c", code == '\n' ? 'n' : code == '\r' ? 'r' : 't');
    if (code < 0x20 || (code >= 0x7f && code <= 0x9f) || zc_text_turns (code))
        return (size_t)sprintf (out, "\\u%04" PRIx32, code);
    memcpy (out, bytes, len);
    return len;
}

/*  Writes as much text as fits in `max` bytes, of which the last three may be "...". */
static void s_string (zc_log_line_t *self, zc_slice_t text, size_t max)
{
    size_t begin = self->len, whole = begin; /* whole: where it can be cut */
    for (size_t i = 0, step; i < text.len; i += step ? step : 1) {
        char piece[8];
        uint32_t code = 0;
        step = zc_utf8_next (text.at + i, text.len - i, &code);
        size_t len = s_escape (code, text.at + i, step, piece);
        if (self->len - begin + len > max) {
            self->len = whole;
            s_add (self, "...", 3);
            return;
        }
        s_add (self, piece, len);
        if (self->len - begin + 3 <= max)
            whole = self->len;
    }
}

void zc_log_line_text (zc_log_line_t *self, zc_slice_t name, zc_slice_t text, size_t max)
{
    const size_t least = 32; /* bytes of a text; fewer say nothing */
    if (!s_name (self, name, 2 + least))
        return;
    size_t room = s_room (self) - 2;
    s_add (self, "\"", 1);
    s_string (self, text, max < room ? max : room);
    s_add (self, "\"", 1);
}

void zc_log_line_number (zc_log_line_t *self, zc_slice_t name, const char *digits)
{
    if (s_name (self, name, strlen (digits)))
        s_add (self, digits, strlen (digits));
}

/*  One conversion of printf: %[flags][width][.precision][length]letter. */
typedef struct {
    bool starred, limited; /* a precision: an argument, or any */
    long precision;
    char length; /* 0, 'l', 'L' (long long), 'z'; shorter ones are passed as int */
    char letter;
} s_conversion_t;

/*  The position behind the next conversion, or NULL. */
static const char *s_next (const char *at, s_conversion_t *to)
{
    while ((at = strchr (at, '%')) && at[1] == '%')
        at += 2;
    if (!at)
        return NULL;
    *to = (s_conversion_t){0};
    at += 1 + strspn (at + 1, "-+ #0123456789");
    if (*at == '.') {
        to->limited = true;
        to->starred = *++at == '*';
        to->precision = to->starred ? 0 : strtol (at, NULL, 10);
        at += to->starred ? 1 : strspn (at, "0123456789");
    }
    for (; *at && strchr ("hlz", *at); at++)
        if (*at != 'h')
            to->length = *at == 'z' ? 'z' : to->length == 'l' ? 'L' : 'l';
    to->letter = *at;
    return *at ? at + 1 : at;
}

/*  Arguments that the callee takes are gone for the caller only if they are passed so. */
typedef struct {
    va_list list;
} s_args_t;

static void s_signed (s_args_t *args, char length, char *digits, size_t size)
{
    long long value = length == 'L'   ? va_arg (args->list, long long)
                      : length == 'l' ? va_arg (args->list, long)
                      : length == 'z' ? (long long)va_arg (args->list, size_t)
                                      : va_arg (args->list, int);
    snprintf (digits, size, "%lld", value);
}

static void s_unsigned (s_args_t *args, char length, char *digits, size_t size)
{
    unsigned long long value = length == 'L'   ? va_arg (args->list, unsigned long long)
                               : length == 'l' ? va_arg (args->list, unsigned long)
                               : length == 'z' ? va_arg (args->list, size_t)
                                               : va_arg (args->list, unsigned);
    snprintf (digits, size, "%llu", value);
}

static zc_slice_t s_text (s_args_t *args, const s_conversion_t *form)
{
    long most = form->starred ? va_arg (args->list, int) : form->precision;
    const char *text = va_arg (args->list, const char *);
    if (!text)
        return (zc_slice_t){"", 0};
    bool limited = form->limited && most >= 0;
    return (zc_slice_t){text, limited ? strnlen (text, (size_t)most) : strlen (text)};
}

void zc_log_line_fields (zc_log_line_t *self, zc_slice_t names, const char *format, va_list args)
{
    s_args_t rest;
    s_conversion_t form;
    va_copy (rest.list, args);
    while (names.len > 0 && (format = s_next (format, &form))) {
        zc_slice_t name = s_word (&names), text = {NULL, 0};
        char digits[24] = "";
        if (form.letter == 's')
            text = s_text (&rest, &form);
        else if (form.letter == 'c')
            text = (zc_slice_t){digits, (size_t)sprintf (digits, "%c", va_arg (rest.list, int))};
        else if (form.letter == 'd' || form.letter == 'i')
            s_signed (&rest, form.length, digits, sizeof digits);
        else if (form.letter == 'u' || form.letter == 'x')
            s_unsigned (&rest, form.length, digits, sizeof digits);
        else
            break;
        if (zc_slice_is (name, "-"))
            continue;
        if (text.at)
            zc_log_line_text (self, name, text, ZC_LOG_FIELD_MAX);
        else
            zc_log_line_number (self, name, digits);
    }
    va_end (rest.list);
}

void zc_log_line_end (zc_log_line_t *self)
{
    self->text[self->len++] = '}';
    self->text[self->len] = 0;
}
