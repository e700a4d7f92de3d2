/*  cors.h - whose pages a request came from, and what they may do with the answer (WHATWG Fetch
 *  §3.2, RFC 6454). No I/O. */
#ifndef ZC_CORS_H
#define ZC_CORS_H

#include "lib/config/options.h"
#include "lib/front/request.h"
#include "lib/front/response.h"

typedef struct {
    zc_slice_t origin; /* the request's Origin; empty: none, or none that can be repeated */
    bool given;        /* it has one, so a browser sent it */
    bool same;         /* a page of the host that was asked */
    bool any;          /* all pages may read, without credentials */
    bool listed;       /* this origin is configured by name, which lets it send credentials */
    bool allowed;      /* allow-origin has it, or "*" */
    bool limited;      /* allow-origin has something */
    bool configured;   /* it has, or cors-origin */
} zc_cors_t;

/*  What the options `cors-origin` and `allow-origin` say about the request's Origin. `proxied`:
 * what a proxy says of the host that it was asked for is believed. */
zc_cors_t zc_cors_check (const zc_options_t *options, const zc_request_t *request, bool proxied);
/*  Whether it may ask for anything: it is no page's, or a page's of the site itself, or one that is
 *  configured. Where nobody needs a token (`open`) and no origin is configured, any page may: it is
 *  given what anybody may have. */
bool zc_cors_may_ask (const zc_cors_t *self, bool open);
/*  Whether the request's Host is an address, localhost, or among the option `hosts`; also where it
 *  has none. A page that another name has led here is of that name's owner, whatever its Origin
 * says (DNS rebinding). */
bool zc_host_is_ours (const zc_options_t *options, const zc_request_t *request);
/*  Whether it may change something here: it is no page's, or a page's of the site itself, or one
 *  that is configured. A browser sends another site's form without asking first. */
bool zc_cors_may_write (const zc_cors_t *self);
/*  Whether it may open a WebSocket, which the browser asks nobody for. Whoever only reads gets what
 *  anybody may have; who may publish has to be the site itself, or configured. */
bool zc_cors_may_open (const zc_cors_t *self, bool publishes);

/*  Adds the fields that let a page read the answer. */
void zc_cors_add (const zc_cors_t *self, zc_response_t *response);
/*  Adds what a preflight asks, for a door that takes `methods`. */
void zc_cors_add_preflight (const zc_cors_t *self, const char *methods, zc_response_t *response);

#endif
