/*  name.h - what a program calls itself in its reports (zmq stat): two that share a name overwrite
 *  one another's figures. */
#ifndef ZC_NAME_H
#define ZC_NAME_H

#include <stdbool.h>
#include "lib/wire/answer.h"

#define ZC_NAME_MAX 64 /* bytes of a name that an operator gives */
#define ZC_REPORT_NAME_SIZE 256

/*  1 to 64 letters, digits, '-', '_' and '.'. */
bool zc_name_valid (const char *name);

typedef struct {
    char text[ZC_REPORT_NAME_SIZE];
    const char *base; /* borrowed; "fcgi.0" */
    unsigned clashes; /* how often another program had it already */
} zc_report_name_t;

/*  BASE alone where the broker is on this machine, whose `control` endpoint is given; BASE@HOST
 *  where it is on another; BASE@GIVEN where the operator gave a name (else NULL). */
void zc_report_name_init (zc_report_name_t *self, const char *base, const char *given,
                          const char *control);
/*  What the broker answered to a report. True where that says that another
 *  program reports by this name: then it is another one from now on, BASE@HOST or BASE@HOST-PID. */
bool zc_report_name_answer (zc_report_name_t *self, const zc_answer_t *answer);

#endif
