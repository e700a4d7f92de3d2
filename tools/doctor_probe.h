/*  doctor_probe.h - measures the facts that doctor.h judges: asks a public URL as a browser
 *  would. Every wait, and the memory for every answer, is bounded, whatever the server does. */
#ifndef ZC_DOCTOR_PROBE_H
#define ZC_DOCTOR_PROBE_H

#include "lib/config/options.h"
#include "tools/doctor.h"

/*  How test events are published. */
typedef enum { ZC_SEND_NONE, ZC_SEND_HTTP, ZC_SEND_BROKER } zc_doctor_send_t;

typedef struct {
    const zc_options_t *options; /* those of tools/http.h; for ZC_SEND_BROKER the broker's, too */
    const char *url;
    const char *topic;
    const char *origin; /* a page of another site; NULL: none */
    zc_doctor_send_t send;
    long timeout_ms; /* for an answer, and for an event */
    long watch_ms; /* how long the stream is watched; 0: until two heartbeats have come, or 40 s */
    bool glance;   /* only the stream's head and first event */
} zc_doctor_wish_t;

/*  Returns ZC_EXIT_OK with the facts; or an exit status, after saying why: the URL is wrong, the
 *  token can't be read, or a signal came. */
int zc_doctor_probe (const zc_doctor_wish_t *wish, zc_doctor_facts_t *facts);

#endif
