/*  cors.h - the origin of the page that sent a request, and what that page may do with the answer
 *  (WHATWG Fetch §3.2, RFC 6454). No I/O. */
#ifndef ZC_CORS_H
#define ZC_CORS_H

#include "lib/config/options.h"
#include "lib/front/request.h"
#include "lib/front/response.h"

typedef struct {
    zc_slice_t origin; /* the request's; empty: none, or one that can't be repeated */
    bool given;        /* the request has an Origin, so a browser sent it */
    bool same;         /* the page is of the host that was asked */
    bool any;          /* all pages may read the answer, without credentials */
    bool listed;       /* this origin is configured by name, so its pages may send credentials */
    bool allowed;      /* allow-origin has this origin, or "*" */
} zc_cors_t;

/*  Applies the options `cors-origin` and `allow-origin` to the request's Origin. `proxied`: a
 *  proxy's word on the host that it was asked for is believed. */
zc_cors_t zc_cors_check (const zc_options_t *options, const zc_request_t *request, bool proxied);
/*  Whether the request may ask for anything. It may if no page sent it, or if the page is of the
 *  site itself, or of a configured origin. */
bool zc_cors_may_ask (const zc_cors_t *self);
/*  Whether the request's Host is an address, localhost, or one of the option `hosts`; true if there
 *  is no Host. If another name has led a page here, the page belongs to that name's owner, whatever
 *  its Origin says (DNS rebinding). */
bool zc_host_is_ours (const zc_options_t *options, const zc_request_t *request);
/*  Whether the request may change something here: no page sent it, or the page is of the site
 *  itself or of a configured origin. A browser sends another site's form without asking first. */
bool zc_cors_may_write (const zc_cors_t *self);
/*  Whether the request may open a WebSocket, on which the page may publish if clients may
 *  (`publishes`). */
bool zc_cors_may_open (const zc_cors_t *self, bool publishes);

/*  Adds the fields that let a page read the answer. */
void zc_cors_add (const zc_cors_t *self, zc_response_t *response);
/*  Adds the fields that answer a preflight, for a door that takes `methods`. */
void zc_cors_add_preflight (const zc_cors_t *self, const char *methods, zc_response_t *response);

#endif
