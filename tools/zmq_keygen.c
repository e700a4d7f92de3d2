/*  zmq_keygen.c - `zmq keygen`: makes a CURVE certificate, for a broker or for one of its
 *  clients. zcert writes the files; the metadata has the client's rights. */
#include <czmq.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/daemon.h"
#include "lib/peer/curve.h"
#include "tools/tool.h"

static const zc_option_t s_options[] = {
    {.name = "name",
     .letter = 'n',
     .type = ZC_OPT_TEXT,
     .min = 1,
     .max = ZC_CERTIFICATE_NAME_MAX,
     .argument = "TEXT",
     .help = "who it is for, in the broker's log; default: the file's name"},
    {.name = "publish",
     .letter = 'p',
     .type = ZC_OPT_LIST,
     .min = 1,
     .max = ZC_TOPIC_MAX + 1,
     .argument = "TOPIC",
     .help = "a topic, or a prefix with a * at its end, that it may publish"},
    {.name = "subscribe",
     .letter = 'r',
     .type = ZC_OPT_BOOL,
     .preset = "no",
     .help = "it may subscribe and read history"},
    {.name = "control",
     .type = ZC_OPT_BOOL,
     .preset = "no",
     .help = "it may read and leave figures, and purge topics"},
    {.name = "worker",
     .letter = 'w',
     .type = ZC_OPT_BOOL,
     .preset = "no",
     .help = "all that zcast-fcgi, zcast-ws and zcast-redis need: all of the above"},
    {.name = "server",
     .letter = 's',
     .type = ZC_OPT_TEXT,
     .min = 1,
     .max = 4096,
     .argument = "KEY|FILE",
     .help = "of a client: its broker's public key, or public certificate"},
    ZC_OPTION_END,
};

static const zc_program_t s_program = {
    .program = "zmq keygen",
    .section = "zmq",
    .keys = "",
    .usage = "[OPTION]... FILE",
    .summary =
        "Makes a key pair: FILE is its public certificate, FILE_secret is for its owner only.",
    .epilog = "Examples:\n"
              "  zmq keygen /etc/zcast/broker\n"
              "  zmq keygen /etc/zcast/workers --worker --server /etc/zcast/broker\n"
              "  zmq keygen shop --publish 'orders/*' --server /etc/zcast/broker\n"
              "  cp /etc/zcast/workers shop /etc/zcast/clients/\n",
    .options = s_options,
    .words = 1,
};

/*  The broker's key as text. Returns false after it has said why there is none. */
static bool s_server (const char *value, char key[ZC_CURVE_TEXT])
{
    zc_certificate_t server;
    char error[512];
    if (zc_curve_key_valid (value)) {
        memcpy (key, value, ZC_CURVE_TEXT);
        return true;
    }
    if (zc_curve_read (&server, value, false, error, sizeof error) != 0) {
        zc_tool_say ("%s", error);
        return false;
    }
    memcpy (key, server.public_key, ZC_CURVE_TEXT);
    zc_certificate_clear (&server);
    return true;
}

/*  The topics of --publish with blanks between, which is the certificate's form. */
static bool s_topics (const zc_options_t *options, zc_buf_t *topics)
{
    zc_grants_t *grants = zc_grants_new ();
    const char *name, *topic;
    bool good = true;
    for (size_t i = 0; good && zc_options_item (options, "publish", i, &name, &topic); i++) {
        good = !strpbrk (topic, " \"") &&
               zc_grants_add (grants, ZC_GRANT_PUBLISH, (zc_slice_t){topic, strlen (topic)}) == 0;
        if (good)
            zc_buf_addf (topics, "%s%s", i ? " " : "", topic);
        else
            zc_tool_say (
                "--publish %s: expected a topic without blanks and quotes, or a prefix with "
                "a * at its end",
                topic);
    }
    zc_grants_destroy (&grants);
    return good;
}

static bool s_describe (const zc_options_t *options, zcert_t *certificate, const char *file)
{
    const char *name = zc_options_text (options, "name"), *slash = strrchr (file, '/');
    const char *server = zc_options_text (options, "server");
    bool worker = zc_options_bool (options, "worker");
    char key[ZC_CURVE_TEXT];
    zc_buf_t topics = ZC_BUF_INIT;
    if ((server && !s_server (server, key)) || !s_topics (options, &topics)) {
        zc_buf_clear (&topics);
        return false;
    }
    zcert_set_meta (certificate, "name", "%s", name ? name : slash ? slash + 1 : file);
    if (worker || topics.len)
        zcert_set_meta (certificate, "publish", "%s", worker ? "*" : zc_buf_str (&topics));
    if (worker || zc_options_bool (options, "subscribe"))
        zcert_set_meta (certificate, "subscribe", "yes");
    if (worker || zc_options_bool (options, "control"))
        zcert_set_meta (certificate, "control", "yes");
    if (server)
        zcert_set_meta (certificate, "server", "%s", key);
    zc_buf_clear (&topics);
    return true;
}

/*  Reads the file again: a name with a quote in it, for example, would make it unreadable. */
static bool s_check (const char *secret)
{
    zc_certificate_t one;
    char error[512];
    if (zc_curve_read (&one, secret, true, error, sizeof error) != 0) {
        zc_tool_say ("%s", error);
        return false;
    }
    zc_certificate_clear (&one);
    return true;
}

static int s_make (const zc_options_t *options, const char *file, const char *secret)
{
    if (access (file, F_OK) == 0 || access (secret, F_OK) == 0) {
        zc_tool_say ("%s is there already: a key that is in use would be lost", file);
        return ZC_EXIT_FAILURE;
    }
    zsys_handler_set (NULL);
    zcert_t *certificate = zcert_new ();
    int status = ZC_EXIT_FAILURE;
    if (!certificate)
        zc_tool_say ("this machine's libzmq has no CURVE");
    else if (s_describe (options, certificate, file)) {
        if (zcert_save_public (certificate, file) != 0 ||
            zcert_save_secret (certificate, secret) != 0)
            zc_tool_say ("%s: %s", file, strerror (errno));
        else if (s_check (secret))
            status = ZC_EXIT_OK;
        if (status == ZC_EXIT_OK) {
            printf ("%s\n", zcert_public_txt (certificate));
        } else {
            unlink (file);
            unlink (secret);
        }
    }
    zcert_destroy (&certificate);
    return status;
}

static int s_run (const zc_options_t *options)
{
    const char *file = zc_options_word (options, 0);
    zc_buf_t secret = ZC_BUF_INIT;
    if (!file)
        return zc_tool_misuse ("keygen needs the FILE to write");
    zc_buf_addf (&secret, "%s_secret", file);
    int status = s_make (options, file, zc_buf_str (&secret));
    zc_buf_clear (&secret);
    return status;
}

const zc_tool_command_t zc_tool_keygen = {&s_program, s_run};
