/*  close.h - the codes of close frames (RFC 6455 §7.4). */
#ifndef ZC_CLOSE_H
#define ZC_CLOSE_H

/*  Close codes (RFC 6455 §7.4.1; 1012 and 1013 are in the IANA registry, and
 *  4000 and above is for applications). */
enum {
    ZC_CLOSE_NORMAL = 1000,
    ZC_CLOSE_AWAY = 1001,
    ZC_CLOSE_PROTOCOL = 1002,
    ZC_CLOSE_NO_STATUS = 1005, /* never on the wire */
    ZC_CLOSE_NOT_UTF8 = 1007,  /* also: compressed data that is broken */
    ZC_CLOSE_POLICY = 1008,
    ZC_CLOSE_TOO_BIG = 1009,
    ZC_CLOSE_INTERNAL = 1011,
    ZC_CLOSE_RESTART = 1012,
    ZC_CLOSE_LATER = 1013,
    ZC_CLOSE_REFUSED = 4000, /* ours: and the status that HTTP would have answered */
};

#endif
