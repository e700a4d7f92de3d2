/*  doctor.h - judges the measurements of `zmq doctor` and `zmq ping --through` at a public URL:
 *  facts in, findings out. No I/O and no clock. */
#ifndef ZC_DOCTOR_H
#define ZC_DOCTOR_H

#include "tools/doctor_advice.h"
#include "tools/doctor_head.h"
#include "tools/doctor_socket.h"

#define ZC_DOCTOR_TEXT 200  /* bytes of a text from outside, escaped */
#define ZC_DOCTOR_EVENTS 5  /* test events that are published */
#define ZC_DOCTOR_NEVER -1L /* of a time in ms: it didn't happen */

/*  One request and the beginning of its answer. */
typedef struct {
    bool tried;
    zc_doctor_head_t head;     /* status 0: none came */
    char text[ZC_DOCTOR_TEXT]; /* the first line of a body that is no stream; without a head, why
                                  not */
} zc_doctor_try_t;

/*  A stream or a WebSocket that was watched. Times in ms. */
typedef struct {
    long watched_ms;
    unsigned beats; /* events, frames: after the first one */
    long beat_ms;   /* the longest time between two of them */
    bool ended;     /* before it was left */
    long silent_ms; /* how long nothing had come then */
} zc_doctor_watch_t;

/*  The result of Last-Event-ID. */
typedef enum {
    ZC_RESUME_NOT_TRIED, /* the stream gave no id */
    ZC_RESUME_REFUSED,   /* no stream: `resume` says why */
    ZC_RESUME_CONTINUED,
    ZC_RESUME_GAP,
    ZC_RESUME_IGNORED, /* no verdict, also when the URL had the id */
    ZC_RESUME_LOST,    /* no verdict, but one when the URL had the id */
    ZC_RESUME_SILENT,  /* no event came */
} zc_doctor_resume_t;

typedef struct {
    /*  The URL, and the options. */
    char url[ZC_DOCTOR_TEXT];    /* without a slash at its end */
    char host[ZC_DOCTOR_TEXT];   /* HOST[:PORT] */
    char origin[ZC_DOCTOR_TEXT]; /* --origin; "": not given */
    bool tls, loopback, has_token, asked_seconds;
    long timeout_ms; /* for an answer */

    /*  The connection. */
    bool connected;
    bool untrusted;               /* TLS: the certificate was refused */
    char failure[ZC_DOCTOR_TEXT]; /* why there is no connection */
    long connect_ms;
    int version; /* of HTTP: 10, 11, 20, 30; 0: not known */
    bool has_certificate;
    int64_t certificate_end_s, now_s; /* seconds since 1970 */

    /*  The stream. */
    zc_doctor_try_t stream;
    long head_ms, first_ms; /* from the request to the head, to the first event */
    bool foreign;           /* the event isn't a zcast's */
    bool later;             /* it only told when to come back, and ended */
    bool expired, stale;    /* zcast.end, zcast.stale */
    bool flooded;           /* more bytes came than are read */
    zc_doctor_watch_t watch;
    unsigned together; /* heartbeats that came in one piece with the one before */

    /*  Further requests. */
    zc_doctor_resume_t resumed;
    zc_doctor_try_t resume;
    zc_doctor_try_t anonymous, wrong_token; /* the stream without a token, and with a bad one */
    zc_doctor_try_t cross, preflight;       /* from a page of `origin` */
    unsigned sent, arrived;                 /* test events */
    long least_ms, most_ms;                 /* from publishing to arrival */
    zc_doctor_try_t publish;                /* the request that was refused */

    /*  The WebSocket. */
    zc_doctor_try_t socket;
    bool accepted;  /* 101, with the right Sec-WebSocket-Accept */
    bool malformed; /* what came then were no frames */
    zc_doctor_watch_t socket_watch;
    unsigned code; /* of its close frame; 0: none */
    char reason[ZC_DOCTOR_TEXT];

    int64_t clock_ms; /* Date less this machine's clock in the middle of the request */
    bool has_clock;
} zc_doctor_facts_t;

typedef enum {
    ZC_DOCTOR_OK,
    ZC_DOCTOR_SKIPPED,
    ZC_DOCTOR_WARN,
    ZC_DOCTOR_FAIL
} zc_doctor_verdict_t;

typedef struct {
    const char *id; /* "buffering"; static */
    zc_doctor_verdict_t verdict;
    char fact[400];      /* one sentence: what was measured, or why it was skipped */
    zc_advice_t advice;  /* ZC_ADVICE_NONE: there is nothing to change */
    char parameter[256]; /* of the advice */
} zc_finding_t;

#define ZC_DOCTOR_CHECKS 20 /* findings at most */
/*  Judges the facts. Returns how many findings there are, in the order of the checks. */
size_t zc_doctor_judge (const zc_doctor_facts_t *facts, zc_finding_t findings[ZC_DOCTOR_CHECKS]);
bool zc_doctor_is_check (const char *id);
/*  The worst of the findings; ZC_DOCTOR_OK where nothing is wrong. */
zc_doctor_verdict_t zc_doctor_worst (const zc_finding_t *findings, size_t count);
/*  "ok", "skipped", "warn", "fail". */
const char *zc_doctor_verdict_name (zc_doctor_verdict_t verdict);

/*  For a monitoring system (monitoring-plugins.org, "Plugin Output for Nagios"): appends one line
 *  with performance data, without its end, and returns 0 OK, 1 WARNING or 2 CRITICAL. A first event
 *  that takes longer than `warn_ms` is a warning. */
int zc_doctor_ping (const zc_doctor_facts_t *facts, long warn_ms, zc_buf_t *line);

#endif
