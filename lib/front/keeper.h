/*  keeper.h - the guard of a front (front.h): tokens, API keys and rules, by lib/access; the limits
 *  of a subject; and the end of a stream whose token expires.
 *
 *  A client without a token is anyone, and has no rights object. */
#ifndef ZC_KEEPER_H
#define ZC_KEEPER_H

#include "lib/access/revocations.h"
#include "lib/front/front.h"

/*  The options that the keeper reads, including those of access.h. */
/* clang-format off */
#define ZC_KEEPER_OPTIONS                                                                         \
    ZC_ACCESS_OPTIONS,                                                                            \
    {.name = "insecure", .type = ZC_OPT_BOOL, .preset = "no",                                     \
     .help = "with tokens = open: listen where other machines can connect, and answer for any "   \
             "host"},                                                                             \
    {.name = "subject-rate", .type = ZC_OPT_NUMBER, .preset = "1000", .max = 1000000,             \
     .argument = "N",                                                                             \
     .help = "messages a second of one token's subject; 0: no limit", .reload = true},            \
    {.name = "subject-burst", .type = ZC_OPT_NUMBER, .preset = "2000", .min = 1, .max = 1000000,  \
     .argument = "N",                                                                             \
     .help = "and how many at once", .reload = true},                                             \
    {.name = "subject-connect-rate", .type = ZC_OPT_NUMBER, .preset = "20", .max = 1000000,       \
     .argument = "N",                                                                             \
     .help = "streams and WebSockets that one token's subject may open a second; 0: no limit",    \
     .reload = true},                                                                             \
    {.name = "subject-connect-burst", .type = ZC_OPT_NUMBER, .preset = "200", .min = 1,           \
     .max = 1000000, .argument = "N",                                                             \
     .help = "and how many at once", .reload = true},                                             \
    {.name = "max-connections-per-subject", .type = ZC_OPT_NUMBER, .preset = "100",               \
     .max = 1000000, .argument = "N",                                                             \
     .help = "connections of one token's subject to a process; 0: no limit", .reload = true}
/* clang-format on */

/*  For a program's verify: checks that the files which the options name can be read, and that in
 *  open mode the program listens only for connections from this machine, unless the option insecure
 *  allows others. Returns NULL, or the option that is wrong. */
const char *zc_keeper_verify (const zc_options_t *options, const char *listen, char *error,
                              size_t size);
/*  Whether other machines can connect to this listening address. */
bool zc_keeper_exposed (const char *address);
/*  The reason why clients must not come from other machines, as a part of a sentence. NULL: they
 *  may. */
const char *zc_keeper_objects (const zc_options_t *options);

typedef struct zc_keeper zc_keeper_t;
/*  The rights of one connection or request. */
typedef struct zc_rights zc_rights_t;

/*  Makes a keeper, which becomes the front's guard. If the worker has a loop, a timer of the loop
 *  watches the files and the ends of rights. NULL after logging why: the program must not serve
 *  then. */
zc_keeper_t *zc_keeper_new (zc_front_t *front);
/*  Stops the timer: for a drain, while the loop still runs. */
void zc_keeper_rest (zc_keeper_t *self);
/*  Before this call, no exchange and no rights are left, and zc_keeper_rest was called if there was
 *  a loop. */
void zc_keeper_destroy (zc_keeper_t **self_p);
/*  Applies options that were read again. If a file can't be read, this is logged, and the values in
 *  use stay. */
void zc_keeper_configure (zc_keeper_t *self);
/*  The work of the timer, for tests: reads files that changed, at most once a second, and ends
 *  clients whose rights end. `now_ms` is wall clock. */
void zc_keeper_tick (zc_keeper_t *self, uint64_t now_ms);

/*  Carries out instructions about tokens. No token is good before `duties` are known. They must not
 *  outlive the keeper's front. zc_keeper_new calls this if there is a worker. */
void zc_keeper_obey (zc_keeper_t *self, zc_duties_t *duties);

/*  Hands the exchange's rights to the caller, for a connection that outlives the exchange. NULL:
 *  the rights of anyone. */
zc_rights_t *zc_exchange_take_rights (zc_exchange_t *exchange);
/*  When the rights end, the client's transport is told ZC_GONE_EXPIRED. Does nothing for NULL. */
void zc_rights_watch (zc_rights_t *self, zc_client_t *client);
void zc_rights_release (zc_rights_t **self_p);
/*  The identity that the rights are of (borrowed). */
const zc_identity_t *zc_rights_identity (const zc_rights_t *self);
/*  The rights of an identity (taken) whose connection another process has accepted: its subject's
 *  connections are counted, and not limited. */
zc_rights_t *zc_keeper_adopt (zc_front_t *front, zc_identity_t *identity);
/*  Like zc_exchange_granted and zc_exchange_take, on a connection that outlives its exchange;
 *  `foreign` is the exchange's. */
zc_denial_t zc_keeper_may (zc_front_t *front, const zc_rights_t *rights, bool foreign,
                           zc_action_t action, const zc_slice_t *topics, size_t count);
/*  The view that the rights give of topics and selectors; see zc_access_view. Without a guard,
 *  nothing is granted. */
zc_view_t zc_keeper_view (const zc_front_t *front, const zc_rights_t *rights,
                          const zc_slice_t *topics, size_t count, zc_buf_t *text);
/*  Like zc_hub_join, zc_hub_move and zc_hub_adopt, with the view that the rights give. */
void zc_keeper_join (const zc_front_t *front, const zc_rights_t *rights, zc_client_t *client,
                     const zc_encoding_t *encoding, const zc_slice_t *topics, size_t count,
                     zc_slice_t last_id);
void zc_keeper_move (const zc_front_t *front, const zc_rights_t *rights, zc_client_t *client,
                     const zc_slice_t *topics, size_t count);
void zc_keeper_resume (const zc_front_t *front, const zc_rights_t *rights, zc_client_t *client,
                       const zc_encoding_t *encoding, const zc_slice_t *topics, size_t count,
                       zc_id_t position);
zc_denial_t zc_keeper_take (zc_front_t *front, const zc_rights_t *rights, double count);

#endif
