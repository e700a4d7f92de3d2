/*  http.c - see http.h. It uses libcurl's multi interface, for one transfer: a wait must end at
 *  a signal, and when the reader of our output has left, which the easy interface can't do. */
#include "tools/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
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
    bool beside; /* `multi` is another client's */
    int also_fd;
    CURL *easy;
    struct curl_slist *fields;
    zc_http_request_t request;
    zc_http_answer_t answer;
    zc_buf_t reason;
    bool running;
    bool attached; /* to `multi`: a raw connection is, also when its request is over */
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

static zc_http_client_t *s_new (const zc_options_t *options, char *url)
{
    zc_http_client_t *self = calloc (1, sizeof *self);
    if (!self || curl_global_init (CURL_GLOBAL_DEFAULT) != 0)
        abort ();
    self->options = options;
    self->url = url;
    self->also_fd = -1;
    self->easy = curl_easy_init ();
    if (!self->easy)
        abort ();
    return self;
}

zc_http_client_t *zc_http_new (const zc_options_t *options, const char *option, const char *text)
{
    char *url = s_base (text);
    if (!url) {
        zc_tool_misuse ("%s: expected http://HOST[:PORT][/PATH] or https://…, without a name, "
                        "password or query",
                        option);
        return NULL;
    }
    zc_http_client_t *self = s_new (options, url);
    self->multi = curl_multi_init ();
    if (!self->multi)
        abort ();
    return self;
}

zc_http_client_t *zc_http_new_beside (const zc_http_client_t *first)
{
    zc_http_client_t *self = s_new (first->options, strdup (first->url));
    if (!self->url)
        abort ();
    self->multi = first->multi;
    self->beside = true;
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
    if (!self->beside)
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

int zc_http_token (zc_http_client_t *self, zc_buf_t *token)
{
    const char *path = zc_options_text (self->options, "token-file");
    const char *text = zc_options_text (self->options, "token");
    int rc = 0;
    if (path)
        rc = s_read_token (path, token);
    else if (text)
        zc_buf_adds (token, text);
    if (rc == 0 && (path || text) &&
        (token->len == 0 || !zc_text_plain (token->data, token->len))) {
        zc_tool_say ("%s: there is no token in it", path ? path : "ZCAST_TOKEN");
        rc = -1;
    }
    return rc;
}

static int s_add_token (zc_http_client_t *self)
{
    zc_buf_t token = ZC_BUF_INIT, field = ZC_BUF_INIT;
    int rc = zc_http_token (self, &token);
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

static size_t s_head (char *bytes, size_t one, size_t len, void *arg)
{
    (void)one;
    zc_http_client_t *self = arg;
    return self->request.field_fn (self->request.arg, bytes, len) ? len : CURL_WRITEFUNC_ERROR;
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
    self->running = false;
    if (!self->request.raw || !answer->whole)
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

static void s_set_look (zc_http_client_t *self)
{
    const zc_http_request_t *request = &self->request;
    if (request->look) {
        curl_easy_setopt (self->easy, CURLOPT_ACCEPT_ENCODING, "");
        curl_easy_setopt (self->easy, CURLOPT_CERTINFO, 1L);
    }
    if (request->raw) {
        curl_easy_setopt (self->easy, CURLOPT_CONNECT_ONLY, 1L);
        curl_easy_setopt (self->easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    }
    if (request->unverified) {
        curl_easy_setopt (self->easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt (self->easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

static void s_set (zc_http_client_t *self, const char *url)
{
    const zc_http_request_t *request = &self->request;
    const char *ca = zc_options_text (self->options, "ca");
    curl_easy_reset (self->easy);
    curl_easy_setopt (self->easy, CURLOPT_URL, url);
    curl_easy_setopt (self->easy, CURLOPT_PRIVATE, self);
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
    if (request->method)
        curl_easy_setopt (self->easy, CURLOPT_CUSTOMREQUEST, request->method);
    if (request->field_fn) {
        curl_easy_setopt (self->easy, CURLOPT_HEADERFUNCTION, s_head);
        curl_easy_setopt (self->easy, CURLOPT_HEADERDATA, self);
    }
    s_set_look (self);
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
    if (!request->anonymous && !request->unverified && !request->raw && s_add_token (self) != 0)
        return -1;
    zc_buf_addf (&url, "%s%s", self->url, request->path);
    s_set (self, zc_buf_str (&url));
    zc_buf_clear (&url);
    curl_multi_add_handle (self->multi, self->easy);
    self->running = self->attached = true;
    return 0;
}

static zc_http_client_t *s_client_of (CURL *easy)
{
    char *client = NULL;
    curl_easy_getinfo (easy, CURLINFO_PRIVATE, &client);
    return (zc_http_client_t *)(void *)client;
}

void zc_http_also (zc_http_client_t *self, int fd)
{
    self->also_fd = fd;
}

bool zc_http_turn (zc_http_client_t *self, long ms, bool output)
{
    int running = 0, left;
    curl_multi_perform (self->multi, &running);
    if (running || !self->running) {
        struct curl_waitfd fds[3] = {{zc_tool_stop_fd (), CURL_WAIT_POLLIN, 0}};
        unsigned count = 1;
        if (output)
            fds[count++] = (struct curl_waitfd){STDOUT_FILENO, 0, 0};
        if (self->also_fd >= 0)
            fds[count++] = (struct curl_waitfd){self->also_fd, CURL_WAIT_POLLIN, 0};
        curl_multi_poll (self->multi, fds, count, (int)ms, NULL);
        if (output)
            zc_tool_end_unread ();
        curl_multi_perform (self->multi, &running);
    }
    CURLMsg *message;
    while ((message = curl_multi_info_read (self->multi, &left)))
        if (message->msg == CURLMSG_DONE)
            s_finish (s_client_of (message->easy_handle), message->data.result);
    return self->running;
}

void zc_http_end (zc_http_client_t *self)
{
    if (self->attached)
        curl_multi_remove_handle (self->multi, self->easy);
    self->running = self->attached = false;
}

/*  The connection ------------------------------------------------------------------------------ */

/*  The end of the server's own certificate, of which libcurl gives the PEM text. */
static bool s_certificate_end (zc_http_client_t *self, int64_t *end_s)
{
    static const char begin[] = "Cert:";
    struct curl_certinfo *chain = NULL;
    struct tm tm;
    X509 *certificate = NULL;
    curl_easy_getinfo (self->easy, CURLINFO_CERTINFO, &chain);
    struct curl_slist *line = chain && chain->num_of_certs > 0 ? chain->certinfo[0] : NULL;
    for (; line && !certificate; line = line->next)
        if (strncmp (line->data, begin, sizeof begin - 1) == 0) {
            BIO *text = BIO_new_mem_buf (line->data + sizeof begin - 1, -1);
            certificate = PEM_read_bio_X509 (text, NULL, NULL, NULL);
            BIO_free (text);
        }
    bool good = certificate && ASN1_TIME_to_tm (X509_get0_notAfter (certificate), &tm) == 1;
    if (good)
        *end_s = (int64_t)timegm (&tm);
    X509_free (certificate);
    return good;
}

static long s_ms (zc_http_client_t *self, CURLINFO info)
{
    curl_off_t us = 0;
    curl_easy_getinfo (self->easy, info, &us);
    return (long)((us + 999) / 1000);
}

void zc_http_look (zc_http_client_t *self, zc_http_look_t *look)
{
    static const int versions[][2] = {{CURL_HTTP_VERSION_1_0, 10},
                                      {CURL_HTTP_VERSION_1_1, 11},
                                      {CURL_HTTP_VERSION_2_0, 20},
                                      {CURL_HTTP_VERSION_3, 30}};
    long version = 0;
    curl_off_t connect_us = 0;
    *look = (zc_http_look_t){0};
    curl_easy_getinfo (self->easy, CURLINFO_HTTP_VERSION, &version);
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++)
        if (version == versions[i][0])
            look->version = versions[i][1];
    curl_easy_getinfo (self->easy, CURLINFO_CONNECT_TIME_T, &connect_us);
    look->connected = connect_us > 0;
    look->connect_ms = s_ms (self, CURLINFO_CONNECT_TIME_T);
    look->has_certificate = s_certificate_end (self, &look->certificate_end_s);
}

int zc_http_fd (zc_http_client_t *self)
{
    curl_socket_t fd = CURL_SOCKET_BAD;
    curl_easy_getinfo (self->easy, CURLINFO_ACTIVESOCKET, &fd);
    return (int)fd;
}

bool zc_http_write (zc_http_client_t *self, const void *bytes, size_t len)
{
    const char *at = bytes;
    size_t sent;
    while (len > 0) {
        if (curl_easy_send (self->easy, at, len, &sent) != CURLE_OK)
            return false;
        at += sent;
        len -= sent;
    }
    return true;
}

long zc_http_read (zc_http_client_t *self, void *bytes, size_t size)
{
    size_t got = 0;
    CURLcode code = curl_easy_recv (self->easy, bytes, size, &got);
    return code == CURLE_AGAIN ? 0 : code != CURLE_OK || got == 0 ? -1 : (long)got;
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
