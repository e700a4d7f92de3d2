/*  doctor_report.h - findings as text and as JSON. No I/O. */
#ifndef ZC_DOCTOR_REPORT_H
#define ZC_DOCTOR_REPORT_H

#include "lib/base/buf.h"
#include "tools/doctor.h"

/*  `server`: its lines are printed; ZC_WEB_UNKNOWN: those of all servers. */
void zc_doctor_write_text (zc_buf_t *out, const zc_doctor_facts_t *facts, zc_web_server_t server,
                           const zc_finding_t *findings, size_t count);
/*  One object: url, server, verdict, checks with id, verdict, fact, hint, lines by server. */
void zc_doctor_write_json (zc_buf_t *out, const zc_doctor_facts_t *facts, zc_web_server_t server,
                           const zc_finding_t *findings, size_t count);

#endif
