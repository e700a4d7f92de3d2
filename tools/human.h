/*  human.h - figures and text as people read them. No I/O. */
#ifndef ZC_HUMAN_H
#define ZC_HUMAN_H

#define ZC_HUMAN_SIZE 32 /* bytes that each `text` holds */

/*  Each writes into `text`, and returns it. */
const char *zc_human_count (double value, char *text); /* 1,234,567 */
const char *zc_human_bytes (double value, char *text); /* 1.5 MiB */
/*  A duration in seconds: "90 s", "12 min", "3 h 5 min", "4 d 2 h". */
const char *zc_human_duration (double seconds, char *text);

/*  A copy of a text, with a '?' for each character that a terminal might obey. The caller frees
 *  it. */
char *zc_human_shown (const char *text);
/*  The columns that a text takes on a terminal. */
int zc_human_width (const char *text);

#endif
