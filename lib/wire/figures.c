/*  figures.c - see figures.h. Each struct and its table are made from the same rows, so neither
 *  can lack one. */
#include "lib/wire/figures.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define S_NAME_MAX 64 /* bytes of a member's name */

#define S_ROW(type, member, name, metric, kind, unit, help) \
    {name, metric, kind, unit, help, offsetof (type, member)},
#define S_BROKER(member, ...) S_ROW (zc_broker_figures_t, member, __VA_ARGS__)
#define S_WORKER(member, ...) S_ROW (zc_worker_figures_t, member, __VA_ARGS__)
#define S_FRONT(member, ...) S_ROW (zc_front_figures_t, member, __VA_ARGS__)
#define S_WS(member, ...) S_ROW (zc_ws_figures_t, member, __VA_ARGS__)
#define S_FCGI(member, ...) S_ROW (zc_fcgi_figures_t, member, __VA_ARGS__)
#define S_BRIDGE(member, ...) S_ROW (zc_bridge_figures_t, member, __VA_ARGS__)
#define S_RELAY(member, ...) S_ROW (zc_relay_figures_t, member, __VA_ARGS__)

const zc_figure_t zc_broker_figures[] = {ZC_BROKER_FIGURES (S_BROKER){.name = NULL}};
const zc_figure_t zc_worker_figures[] = {ZC_WORKER_FIGURES (S_WORKER){.name = NULL}};
const zc_figure_t zc_front_figures[] = {ZC_FRONT_FIGURES (S_FRONT){.name = NULL}};
const zc_figure_t zc_ws_figures[] = {ZC_WS_FIGURES (S_WS){.name = NULL}};
const zc_figure_t zc_fcgi_figures[] = {ZC_FCGI_FIGURES (S_FCGI){.name = NULL}};
const zc_figure_t zc_bridge_figures[] = {ZC_BRIDGE_FIGURES (S_BRIDGE){.name = NULL}};
const zc_figure_t zc_relay_figures[] = {ZC_RELAY_FIGURES (S_RELAY){.name = NULL}};

/*  The object that has the last part of a name; *name becomes that part. If the object is
 *  missing, it is made, or without `make` NULL is returned. */
static json_t *s_parent (json_t *object, const char **name, bool make)
{
    for (const char *dot; object && (dot = strchr (*name, '.')); *name = dot + 1) {
        char part[S_NAME_MAX];
        snprintf (part, sizeof part, "%.*s", (int)(dot - *name), *name);
        json_t *member = json_object_get (object, part);
        if (!member && make && (member = json_object ()))
            json_object_set_new (object, part, member);
        object = member;
    }
    return object;
}

static const json_t *s_find (const json_t *object, const char *name)
{
    json_t *parent = s_parent ((json_t *)(uintptr_t)object, &name, false);
    const json_t *value = json_object_get (parent, name);
    return json_is_number (value) ? value : NULL;
}

void zc_figures_write (const zc_figure_t *table, const void *figures, json_t *to)
{
    for (const zc_figure_t *row = table; row->name; row++) {
        uint64_t value;
        const char *name = row->name;
        memcpy (&value, (const char *)figures + row->offset, sizeof value);
        json_t *parent = s_parent (to, &name, true);
        json_object_set_new (parent, name,
                             row->unit == ZC_MS ? json_real ((double)value / 1000)
                                                : json_integer ((json_int_t)value));
    }
}

/*  A number that doesn't fit comes from a program that reports nonsense. */
static uint64_t s_whole (double value)
{
    return value >= 0x1p64 ? UINT64_MAX : value > 0 ? (uint64_t)value : 0;
}

void zc_figures_read (const zc_figure_t *table, void *figures, const json_t *from)
{
    for (const zc_figure_t *row = table; row->name; row++) {
        double number = json_number_value (s_find (from, row->name));
        uint64_t value = s_whole (row->unit == ZC_MS ? number * 1000 : number);
        memcpy ((char *)figures + row->offset, &value, sizeof value);
    }
}

bool zc_figure_value (const zc_figure_t *figure, const json_t *from, double *value)
{
    const json_t *found = s_find (from, figure->name);
    *value = json_number_value (found) * (figure->unit == ZC_US ? 1e-6 : 1);
    return found != NULL;
}
