/*  name.h - the name under which a program reports its figures (zmq stat). Two programs with the
 *  same name would overwrite each other's figures. */
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
    unsigned clashes; /* how often another program had the name already */
} zc_report_name_t;

/*  The name is BASE where the broker is on this machine, judged by its `control` endpoint;
 *  BASE@HOST where it is on another; BASE@GIVEN where the operator gave a name (else NULL). */
void zc_report_name_init (zc_report_name_t *self, const char *base, const char *given,
                          const char *control);
/*  Takes the broker's answer to a report. True where it says that another program reports under
 *  this name: from then on the name is another one, BASE@HOST or BASE@HOST-PID. */
bool zc_report_name_answer (zc_report_name_t *self, const zc_answer_t *answer);

#endif
