/*  handover.h - the dialogue of a process with its successor, which takes over its clients
 *  (doc/upgrade.md).
 *
 *  It is made of frames of tagged fields (tagged.h). No I/O. */
#ifndef ZC_HANDOVER_H
#define ZC_HANDOVER_H

#include "lib/base/buf.h"
#include "lib/base/text.h"
#include "lib/wire/id.h"

/*  The version of this format. A process hands its clients only to a successor with the same
 *  version: any new field or kind makes another version. */
#define ZC_HANDOVER_VERSION 2
#define ZC_HANDOVER_FRAME_MAX (4u << 20) /* bytes after the length */
#define ZC_HANDOVER_ADDRESS_MAX 64

typedef enum {
    ZC_HANDOVER_HELLO = 1, /* successor: it runs; `number` is its version */
    ZC_HANDOVER_OFFER,     /* predecessor: `text` is the line of its positions, or empty */
    ZC_HANDOVER_CHANNEL,   /* predecessor: clients have `topics` in `encoding` */
    ZC_HANDOVER_PREPARE,   /* predecessor: these were all channels */
    ZC_HANDOVER_READY,     /* successor: it follows all these topics */
    ZC_HANDOVER_CLIENT,    /* predecessor: one client, whose descriptor comes along */
    ZC_HANDOVER_DONE,      /* predecessor: these were `number` clients */
    ZC_HANDOVER_TAKEN,     /* successor: it has them all, and waits */
    ZC_HANDOVER_COMMIT,    /* predecessor: they are the successor's now */
    ZC_HANDOVER_REFUSED,   /* either: nothing more is handed over; `text` says why */
} zc_handover_kind_t;
#define ZC_HANDOVER_KINDS (ZC_HANDOVER_REFUSED + 1)

/*  The protocol of a client's connection. */
typedef enum {
    ZC_HANDOVER_STREAM = 1,
    ZC_HANDOVER_WEBSOCKET,
    ZC_HANDOVER_FASTCGI
} zc_handover_protocol_t;

enum {
    ZC_HANDOVER_DEFLATE = 1,    /* permessage-deflate was negotiated */
    ZC_HANDOVER_CHUNKED = 2,    /* its stream goes in chunks */
    ZC_HANDOVER_IDENTITY = 4,   /* it came with a token or an API key */
    ZC_HANDOVER_COOKIE = 8,     /* which was a cookie */
    ZC_HANDOVER_FOREIGN = 16,   /* it reached us by a name that isn't ours */
    ZC_HANDOVER_SELECTIVE = 32, /* of a channel: its view (lib/access/grants.h) is selective */
};

/*  A frame. Slices are borrowed. Lists have LF between their items. */
typedef struct {
    zc_handover_kind_t kind;
    uint64_t number;
    zc_slice_t text;
    zc_slice_t encoding; /* zc_encoding_t's name */
    zc_slice_t topics;   /* a list, with names of selectors; a client may have none */
    /*  Of a client. */
    uint64_t protocol;   /* zc_handover_protocol_t */
    uint64_t mode;       /* of a WebSocket; the program's */
    uint64_t flags;      /* ZC_HANDOVER_… */
    uint64_t position;   /* the client is complete up to here once it has `unsent` */
    zc_slice_t unsent;   /* bytes to be sent to it first */
    zc_slice_t received; /* bytes from it that aren't whole yet */
    uint64_t unheard;    /* bytes that followed the request of a stream */
    zc_slice_t last_id;  /* with which its first subscription resumes */
    zc_slice_t address;  /* by which its connections are counted */
    zc_slice_t peer;     /* the client that a proxy names */
    uint64_t port;       /* of that */
    uint64_t client;     /* its id */
    /*  Of a FastCGI request: its id, whether its body isn't complete (1) and its connection is to
     *  be kept (2), and the bytes that a record still owes. */
    uint64_t request, request_flags, owed_header, owed_content;
    /*  Of its identity. */
    zc_slice_t subject, token_id, key_id;
    uint64_t issued_ms, expires_ms; /* expires_ms: 0 for never */
    zc_slice_t publish, subscribe;  /* lists of grants; `subscribe` of a channel: its view's */
    zc_slice_t limit_key;           /* names the subject to limits */
} zc_handover_t;

/*  Appends a frame. */
void zc_handover_write (zc_buf_t *out, const zc_handover_t *self);
/*  Parses the frame at the beginning of `bytes`. Returns its length; 0 if more bytes are needed;
 *  -1 with one sentence in *error if it is malformed. Slices borrow from `bytes`. */
long zc_handover_read (zc_handover_t *self, const void *bytes, size_t len, const char **error);
/*  Takes the next item from a list. Returns false at the end. */
bool zc_handover_next (zc_slice_t *list, zc_slice_t *item);

#endif
