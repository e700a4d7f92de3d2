/*  http.c - see http.h. It uses libcurl's multi interface, for one transfer: a wait must end at
 *  a signal, and when the reader of our output has left, which the easy interface can't do. */
#include "tools/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "tools/tool.h"

#define S_TEXT_MAX 4096
#define S_TOKEN_MAX (100 * 1024)
#define S_CONNECT_MS 5000L
#define S_SILENT_S 75L /* a stream has a heartbeat every 15 s */
#define S_PAUSE_MS 200
#define S_PAUSE_MAX_MS 5000

struct zc_http_client {
    const zc_options_t *options;
    char *url;
    CURLM *multi;
    CURL *easy;
    struct curl_slist *fields;
    zc_http_request_t request;
    zc_http_answer_t answer;
    zc_buf_t reason;
    bool running;
    char error[CURL_ERROR_SIZE];
};

/*  The URL without a slash at its end. NULL if it can't be used. */
static char *s_base (const char *text)
{
    bool scheme = strncasecmp (text, "http://", 7) == 0 || strncasecmp (text, "https://", 8) == 0;
    if (!scheme || strpbrk (text, "?#@ ") || !zc_text_plain (text, strlen (text)))
        return NULL;
    char *url = strdup (text);
    if (!url)
        abort ();
    for (size_t len = strlen (url); len > 8 && url[len - 1] == '/';)
        url[--len] = 0;
    return url;
}

zc_http_client_t *zc_http_new (const zc_options_t *options)
{
    char *url = s_base (zc_options_text (options, "http"));
    if (!url) {
        zc_tool_misuse ("--http: expected http://HOST[:PORT][/PATH] or https://…, without a name, "
                        "password or query");
        return NULL;
    }
    zc_http_client_t *self = calloc (1, sizeof *self);
    if (!self || curl_global_init (CURL_GLOBAL_DEFAULT) != 0)
        abort ();
    self->options = options;
    self->url = url;
    self->multi = curl_multi_init ();
    self->easy = curl_easy_init ();
    if (!self->multi || !self->easy)
        abort ();
    return self;
}

void zc_http_destroy (zc_http_client_t **self_p)
{
    zc_http_client_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    zc_http_end (self);
    curl_easy_cleanup (self->easy);
    curl_multi_cleanup (self->multi);
    curl_slist_free_all (self->fields);
    curl_global_cleanup ();
    zc_buf_clear (&self->answer.text);
    zc_buf_clear (&self->reason);
    free (self->url);
    free (self);
}

const char *zc_http_url (const zc_http_client_t *self)
{
    return self->url;
}

/*  A request's head ---------------------------------------------------------------------------- */

static void s_add_field (zc_http_client_t *self, const char *field)
{
    self->fields = curl_slist_append (self->fields, field);
    if (!self->fields)
        abort ();
}

/*  Reads the token from its file, without the white space at its end. */
static int s_read_token (const char *path, zc_buf_t *token)
{
    int file = open (path, O_RDONLY | O_CLOEXEC);
    ssize_t len = file < 0 ? -1 : read (file, zc_buf_reserve (token, S_TOKEN_MAX), S_TOKEN_MAX);
    if (len < 0)
        zc_tool_say ("%s: %s", path, strerror (errno));
    if (file >= 0)
        close (file);
    if (len < 0)
        return -1;
    token->len = (size_t)len;
    token->len = strcspn (zc_buf_str (token), " \t\r\n");
    return 0;
}

static int s_add_token (zc_http_client_t *self)
{
    const char *path = zc_options_text (self->options, "token-file");
    const char *text = zc_options_text (self->options, "token");
    zc_buf_t token = ZC_BUF_INIT, field = ZC_BUF_INIT;
    int rc = 0;
    if (path)
        rc = s_read_token (path, &token);
    else if (text)
        zc_buf_adds (&token, text);
    if (rc == 0 && (path || text) && (token.len == 0 || !zc_text_plain (token.data, token.len))) {
        zc_tool_say ("%s: there is no token in it", path ? path : "ZCAST_TOKEN");
        rc = -1;
    }
    if (rc == 0 && token.len > 0) {
        zc_buf_addf (&field, "Authorization: Bearer %s", zc_buf_str (&token));
        s_add_field (self, zc_buf_str (&field));
    }
    zc_buf_clear (&token);
    zc_buf_clear (&field);
    return rc;
}

/*  An answer ----------------------------------------------------------------------------------- */

static int s_status (zc_http_client_t *self)
{
    long status = 0;
    curl_easy_getinfo (self->easy, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

static bool s_right_type (zc_http_client_t *self)
{
    const char *type = NULL, *want = self->request.type;
    curl_easy_getinfo (self->easy, CURLINFO_CONTENT_TYPE, &type);
    return !want || (type && strncasecmp (type, want, strlen (want)) == 0);
}

static size_t s_body (char *bytes, size_t one, size_t len, void *arg)
{
    (void)one;
    zc_http_client_t *self = arg;
    if (self->request.fn && s_status (self) == 200 && s_right_type (self))
        return self->request.fn (self->request.arg, bytes, len) ? len : CURL_WRITEFUNC_ERROR;
    zc_buf_t *text = &self->answer.text;
    size_t room = S_TEXT_MAX - text->len;
    zc_buf_add (text, bytes, len < room ? len : room);
    return len;
}

static void s_keep_reason (zc_http_client_t *self)
{
    zc_http_answer_t *answer = &self->answer;
    zc_buf_t *reason = &self->reason;
    reason->len = 0;
    size_t len = strcspn (zc_buf_str (&answer->text), "\r\n");
    if (answer->status)
        zc_buf_addf (reason, "%d%s", answer->status, len ? ": " : "");
    zc_buf_add (reason, answer->text.data, len);
}

static void s_finish (zc_http_client_t *self, CURLcode code)
{
    curl_off_t seconds = 0;
    zc_http_answer_t *answer = &self->answer;
    curl_easy_getinfo (self->easy, CURLINFO_RETRY_AFTER, &seconds);
    answer->status = s_status (self);
    answer->retry_after_ms = seconds > 0 && seconds < 86400 ? (long)seconds * 1000 : 0;
    answer->whole = code == CURLE_OK;
    if (code != CURLE_OK) {
        answer->text.len = 0;
        zc_buf_adds (&answer->text, *self->error ? self->error : curl_easy_strerror (code));
    }
    answer->hopeless = code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
                       code == CURLE_URL_MALFORMAT;
    s_keep_reason (self);
    zc_http_end (self);
}

zc_http_answer_t *zc_http_answer (zc_http_client_t *self)
{
    return &self->answer;
}

const char *zc_http_reason (zc_http_client_t *self)
{
    return zc_buf_str (&self->reason);
}

/*  The request --------------------------------------------------------------------------------- */

static void s_set (zc_http_client_t *self, const char *url)
{
    const zc_http_request_t *request = &self->request;
    const char *ca = zc_options_text (self->options, "ca");
    curl_easy_reset (self->easy);
    curl_easy_setopt (self->easy, CURLOPT_URL, url);
    curl_easy_setopt (self->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt (self->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt (self->easy, CURLOPT_USERAGENT, "zmq");
    curl_easy_setopt (self->easy, CURLOPT_ERRORBUFFER, self->error);
    curl_easy_setopt (self->easy, CURLOPT_CONNECTTIMEOUT_MS, S_CONNECT_MS);
    curl_easy_setopt (self->easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt (self->easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt (self->easy, CURLOPT_LOW_SPEED_TIME, S_SILENT_S);
    curl_easy_setopt (self->easy, CURLOPT_HTTPHEADER, self->fields);
    curl_easy_setopt (self->easy, CURLOPT_WRITEFUNCTION, s_body);
    curl_easy_setopt (self->easy, CURLOPT_WRITEDATA, self);
    if (ca)
        curl_easy_setopt (self->easy, CURLOPT_CAINFO, ca);
    if (request->body) {
        curl_easy_setopt (self->easy, CURLOPT_POSTFIELDS, request->body->at);
        curl_easy_setopt (self->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body->len);
    }
}

int zc_http_begin (zc_http_client_t *self, const zc_http_request_t *request)
{
    zc_buf_t url = ZC_BUF_INIT;
    curl_slist_free_all (self->fields);
    self->fields = NULL;
    self->request = *request;
    self->answer.status = 0;
    self->answer.whole = self->answer.hopeless = false;
    self->answer.text.len = 0;
    self->error[0] = 0;
    for (size_t i = 0; i < request->field_count; i++)
        s_add_field (self, request->fields[i]);
    if (request->body)
        s_add_field (self, "Expect:"); /* libcurl would send its own, and wait for the answer */
    if (s_add_token (self) != 0)
        return -1;
    zc_buf_addf (&url, "%s%s", self->url, request->path);
    s_set (self, zc_buf_str (&url));
    zc_buf_clear (&url);
    curl_multi_add_handle (self->multi, self->easy);
    self->running = true;
    return 0;
}

bool zc_http_turn (zc_http_client_t *self, long ms, bool output)
{
    int running = 0, left;
    curl_multi_perform (self->multi, &running);
    if (running || !self->running) {
        struct curl_waitfd fds[2] = {{zc_tool_stop_fd (), CURL_WAIT_POLLIN, 0},
                                     {STDOUT_FILENO, 0, 0}};
        curl_multi_poll (self->multi, fds, output ? 2 : 1, (int)ms, NULL);
        if (output)
            zc_tool_end_unread ();
        curl_multi_perform (self->multi, &running);
    }
    CURLMsg *message;
    while ((message = curl_multi_info_read (self->multi, &left)))
        if (message->msg == CURLMSG_DONE)
            s_finish (self, message->data.result);
    return self->running;
}

void zc_http_end (zc_http_client_t *self)
{
    if (self->running)
        curl_multi_remove_handle (self->multi, self->easy);
    self->running = false;
}

void zc_http_encode (zc_http_client_t *self, zc_buf_t *out, zc_slice_t text)
{
    char *encoded =
        /* a length of 0 would mean strlen */
        text.len ? curl_easy_escape (self->easy, text.at, (int)text.len) : NULL;
    if (encoded)
        zc_buf_adds (out, encoded);
    curl_free (encoded);
}

bool zc_http_may_pass (const zc_http_answer_t *answer)
{
    int status = answer->status;
    bool later = status == 429 || (status >= 502 && status <= 504);
    return !answer->hopeless && (later || status == 0);
}

long zc_http_pause_ms (const zc_http_answer_t *answer, unsigned attempt)
{
    if (answer->retry_after_ms)
        return answer->retry_after_ms;
    long ms = S_PAUSE_MS << (attempt < 5 ? attempt : 5);
    return ms < S_PAUSE_MAX_MS ? ms : S_PAUSE_MAX_MS;
}
