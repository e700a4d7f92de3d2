/*  name.c - see name.h. On the machine of the broker, names are as short as possible. If two
 *  programs share a name, as two instances on one machine may, the broker tells them. */
#include "lib/peer/name.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/config/options.h"

bool zc_name_valid (const char *name)
{
    size_t len = strlen (name);
    return len >= 1 && len <= ZC_NAME_MAX &&
           strspn (name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
               len;
}

/*  A host's name may have any bytes; those that aren't plain are replaced, for the sake of
 *  tables. */
static void s_host (char host[HOST_NAME_MAX + 1])
{
    if (gethostname (host, HOST_NAME_MAX) != 0)
        host[0] = 0;
    host[ZC_NAME_MAX] = 0;
    if (!zc_name_valid (host))
        strcpy (host, "unnamed");
}

void zc_report_name_init (zc_report_name_t *self, const char *base, const char *given,
                          const char *control)
{
    char host[HOST_NAME_MAX + 1];
    self->base = base;
    self->clashes = 0;
    s_host (host);
    if (given)
        snprintf (self->text, sizeof self->text, "%s@%s", base, given);
    else if (zc_endpoint_exposed (control))
        snprintf (self->text, sizeof self->text, "%s@%s", base, host);
    else
        snprintf (self->text, sizeof self->text, "%s", base);
}

bool zc_report_name_answer (zc_report_name_t *self, const zc_answer_t *answer)
{
    if (!zc_answer_is_error (answer, "name"))
        return false;
    char host[HOST_NAME_MAX + 1], before[ZC_REPORT_NAME_SIZE];
    strcpy (before, self->text);
    s_host (host);
    if (self->clashes++ == 0 && !strchr (before, '@'))
        snprintf (self->text, sizeof self->text, "%s@%s", self->base, host);
    else
        snprintf (self->text, sizeof self->text, "%s@%s-%d", self->base, host, (int)getpid ());
    zc_warn (ZC_EVENT ("name.taken before name", "another program reports to the broker as %s: "
                                                 "from now on this one is %s (name gives another)"),
             before, self->text);
    return true;
}
