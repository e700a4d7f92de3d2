/*  intake.h - bounds on what connections bring into libzmq, where it has none of its own:
 * descriptors that are out, messages of endless frames, subscriptions without number.
 *
 *  The calls of the C library by which libzmq listens, accepts and receives are ours in this
 * program: what a program defines comes before the C library's, for shared libraries too. They do
 * what they are called for, and look. There is one intake in a process, as there is one C library.
 */
#ifndef ZC_INTAKE_H
#define ZC_INTAKE_H

#include "broker/acceptors.h"
#include "broker/meter.h"

/*  What an endpoint is for. */
typedef enum {
    ZC_INTAKE_NONE = -1,
    ZC_INTAKE_CONTROL,
    ZC_INTAKE_SUBSCRIBE,
    ZC_INTAKE_PUBLISH,
    ZC_INTAKE_ROLES,
} zc_intake_role_t;

/*  Looks from now on. The acceptors (borrowed) rest when there is no descriptor to accept with. */
void zc_intake_start (zc_acceptors_t *acceptors);
/*  Before the acceptors are destroyed. */
void zc_intake_stop (void);
/*  For connections of such endpoints, those that there are, too. All zero: no bounds. */
void zc_intake_limit (zc_intake_role_t role, const zc_meter_limits_t *limits);
/*  What this thread listens on from now on is such an endpoint; NONE: of no interest. */
void zc_intake_bind (zc_intake_role_t role);
/*  The connections that were cut so far, since they had sent more than they may. Where there are
 * more than `*seen`, tells of the last one in `text` and sets *seen. */
bool zc_intake_cut (uint64_t *seen, char *text, size_t size);

#endif
