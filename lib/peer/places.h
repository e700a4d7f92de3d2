/*  places.h - the brokers that a program knows, and when it is to go on at the next of them. A
 * state machine without I/O or clock: its owner reports what happens, and moves its connections.
 *
 *  Brokers share one log, so all of them give the same positions: to the owner the move is a
 *  connection that broke and came back. */
#ifndef ZC_PLACES_H
#define ZC_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/config/options.h"

#define ZC_PLACES_LOOK_MS 500 /* how often a broker that is silent is asked for a sign of life */

typedef struct zc_places zc_places_t;

/*  The endpoints in a value of type ZC_OPT_ENDPOINTS. */
size_t zc_places_count (const char *list);

/*  Whether the options `subscribe` and `control` have as many endpoints. Returns NULL, or the
 * option that is wrong, with a sentence in `error`. */
const char *zc_places_verify (const zc_options_t *options, char *error, size_t size);

/*  Two lists, whose endpoints belong together in order; a program without SUB gives `control` as
 *  both. NULL if there isn't the same number of them. */
zc_places_t *zc_places_new (const char *subscribe, const char *control, uint64_t now_ms);
void zc_places_destroy (zc_places_t **self_p);

/*  The endpoints of the present broker; borrowed until zc_places_move. */
const char *zc_places_subscribe (const zc_places_t *self);
const char *zc_places_control (const zc_places_t *self);
bool zc_places_several (const zc_places_t *self);

/*  The connection came up, or was lost. */
void zc_places_connected (zc_places_t *self, bool connected, uint64_t now_ms);
/*  The broker has answered that it is complete; or that it is behind. */
void zc_places_good (zc_places_t *self);
void zc_places_behind (zc_places_t *self, uint64_t now_ms);
/*  Whether the broker is to be asked for a sign of life now; then it was asked. */
bool zc_places_asks (zc_places_t *self, uint64_t now_ms);
/*  It has answered, or the question was given up. */
void zc_places_heard (zc_places_t *self);
/*  Bytes last moved then: its answer may be behind a large one. */
void zc_places_moved (zc_places_t *self, uint64_t moved_ms);

/*  Whether the present broker is gone, silent or behind, and there is another one. */
bool zc_places_leaves (const zc_places_t *self, uint64_t now_ms);
/*  Goes on to the next one. */
void zc_places_move (zc_places_t *self, uint64_t now_ms);

#endif
