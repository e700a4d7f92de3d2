/*  cgi.h - zcast-fcgi as a plain CGI program (RFC 3875): one process, one client, on stdout. */
#ifndef ZC_CGI_H
#define ZC_CGI_H

#include "lib/config/options.h"

/*  Whether a web server started this process for one request. */
bool zc_cgi_wanted (void);
/*  Whether the words of the command line may come from the query (RFC 3875 §4.4): they must not
 *  be taken for options. */
bool zc_cgi_words_are_foreign (void);
/*  Answers the request, until the client leaves. Returns the exit status. */
int zc_cgi_run (zc_options_t *options);

#endif
