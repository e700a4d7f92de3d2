/*  doctor.c - see doctor.h. A check is a function that reads facts and writes one finding; the
 *  table at the end has the checks in their order. */
#include "tools/doctor.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S_SLOW_MS 3000    /* for the first byte */
#define S_GATHERED_MS 150 /* of the fastest test event: HAProxy gathers for 200 */
/* a heartbeat comes within this time, unless it is configured longer */
#define S_HEARTBEAT_MS 16000
#define S_SILENCE_MS 900      /* a connection that ends after so much silence has met a time-out */
#define S_CERTIFICATE_DAYS 14 /* days left when a certificate should have been renewed */
#define S_CLOCK_MS 5000       /* token-leeway */
#define S_CLOCK_WRONG_MS 60000
#define S_DAY 86400

typedef zc_doctor_facts_t s_facts_t;

__attribute__ ((format (printf, 4, 5))) static void
s_say (zc_finding_t *self, zc_doctor_verdict_t verdict, zc_advice_t advice, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    vsnprintf (self->fact, sizeof self->fact, format, args);
    va_end (args);
    self->fact[zc_text_whole (self->fact, strlen (self->fact))] = 0;
    self->verdict = verdict;
    self->advice = advice;
}

static void s_set_parameter (zc_finding_t *self, const char *text)
{
    snprintf (self->parameter, sizeof self->parameter, "%s", text);
}

static void s_ok (zc_finding_t *self, const char *text)
{
    s_say (self, ZC_DOCTOR_OK, ZC_ADVICE_NONE, "%s", text);
}

static void s_skip (zc_finding_t *self, const char *text)
{
    s_say (self, ZC_DOCTOR_SKIPPED, ZC_ADVICE_NONE, "%s", text);
}

/*  "404: Not Found", or the reason why there is no status. A first line of HTML is useless. */
static const char *s_said (const zc_doctor_try_t *attempt, char *out, size_t size)
{
    bool plain = *attempt->text && *attempt->text != '<';
    if (!attempt->head.status)
        snprintf (out, size, "%s", *attempt->text ? attempt->text : "no answer");
    else
        snprintf (out, size, "%d%s%s", attempt->head.status, plain ? ": " : "",
                  plain ? attempt->text : "");
    return out;
}

static bool s_is_stream (const zc_doctor_try_t *attempt)
{
    return attempt->head.status == 200 && strcmp (attempt->head.type, "text/event-stream") == 0;
}

/*  Whether there is a stream for further checks. */
static bool s_flows (const s_facts_t *facts)
{
    return s_is_stream (&facts->stream) && !facts->later && !facts->foreign;
}

/*  Whether a refusal says that no token came, or none that is known. */
static bool s_wants_token (const zc_doctor_try_t *attempt)
{
    return attempt->head.status == 401 && strstr (attempt->text, "a token is needed");
}

/*  The way there ------------------------------------------------------------------------------- */

static void s_connection (const s_facts_t *facts, zc_finding_t *self)
{
    if (facts->connected)
        s_say (self, ZC_DOCTOR_OK, ZC_ADVICE_NONE, "%s is connected in %ld ms", facts->host,
               facts->connect_ms);
    else if (facts->untrusted)
        s_ok (self, "something listens there");
    else if (*facts->failure)
        s_say (self, ZC_DOCTOR_FAIL, ZC_ADVICE_LISTEN, "there is no connection: %s",
               facts->failure);
    else
        s_say (self, ZC_DOCTOR_FAIL, ZC_ADVICE_LISTEN, "there is no connection within %.1f s",
               (double)facts->timeout_ms / 1000);
}

static void s_tls (const s_facts_t *facts, zc_finding_t *self)
{
    long days = (long)((facts->certificate_end_s - facts->now_s) / S_DAY);
    if (!facts->tls && facts->loopback)
        s_skip (self, "the URL is plain HTTP on this machine");
    else if (!facts->tls)
        s_say (self, ZC_DOCTOR_WARN, ZC_ADVICE_TLS, "the URL is plain HTTP");
    else if (facts->has_certificate && facts->certificate_end_s <= facts->now_s)
        s_say (self, ZC_DOCTOR_FAIL, ZC_ADVICE_CERTIFICATE, "the certificate expired %ld days ago",
               -days);
    else if (facts->untrusted)
        s_say (self, ZC_DOCTOR_FAIL, ZC_ADVICE_CERTIFICATE, "the certificate is refused: %s",
               facts->failure);
    else if (!facts->has_certificate)
        s_skip (self, "no certificate was seen");
    else
        s_say (self, days < S_CERTIFICATE_DAYS ? ZC_DOCTOR_WARN : ZC_DOCTOR_OK,
               days < S_CERTIFICATE_DAYS ? ZC_ADVICE_CERTIFICATE : ZC_ADVICE_NONE,
               "the certificate is trusted, and expires in %ld days", days);
}

/*  The stream ---------------------------------------------------------------------------------- */

static void s_first_byte (const s_facts_t *facts, zc_finding_t *self)
{
    if (!facts->connected)
        s_skip (self, "there is no connection");
    else if (facts->head_ms < 0 && *facts->failure)
        s_say (self, ZC_DOCTOR_FAIL, ZC_ADVICE_WORKER, "there is no answer: %s", facts->failure);
    else if (facts->head_ms < 0)
        s_say (self, ZC_DOCTOR_FAIL, ZC_ADVICE_BUFFERING,
               "no byte of an answer has come within %.1f s: something gathers it, or the worker "
               "stands still",
               (double)facts->timeout_ms / 1000);
    else if (facts->head_ms > S_SLOW_MS)
        s_say (self, ZC_DOCTOR_WARN, ZC_ADVICE_WORKER, "the first byte took %.1f s",
               (double)facts->head_ms / 1000);
    else if (facts->first_ms < 0)
        s_say (self, ZC_DOCTOR_OK, ZC_ADVICE_NONE, "the head came after %ld ms", facts->head_ms);
    else
        s_say (self, ZC_DOCTOR_OK, ZC_ADVICE_NONE,
               "the head came after %ld ms, the first event after %ld ms", facts->head_ms,
               facts->first_ms);
}

/*  An answer that isn't a stream. */
static void s_refusal (const s_facts_t *facts, zc_finding_t *self)
{
    const zc_doctor_head_t *head = &facts->stream.head;
    char said[ZC_DOCTOR_TEXT + 16];
    zc_advice_t advice = ZC_ADVICE_NONE;
    if (head->status >= 300 && head->status < 400) {
        s_set_parameter (self, head->location);
        char *path = strstr (self->parameter, "/events");
        if (path)
            *path = 0;
        s_say (self, ZC_DOCTOR_FAIL, ZC_ADVICE_REDIRECT, "the answer is a redirect (%d) to %s",
               head->status, head->location);
        return;
    }
    if (head->status == 404 || (head->status == 200 && strcmp (head->type, "text/html") == 0))
        advice = ZC_ADVICE_PATH;
    else if (head->status == 200)
        advice = ZC_ADVICE_TYPE;
    else if (head->status == 429)
        advice = ZC_ADVICE_LIMIT;
    else if (head->status >= 500)
        advice = ZC_ADVICE_WORKER;
    else if (head->status == 403)
        advice = ZC_ADVICE_HOST;
    s_set_parameter (self, facts->host);
    s_say (self, ZC_DOCTOR_FAIL, advice, "%s/events is no stream: %s%s%s", facts->url,
           s_said (&facts->stream, said, sizeof said), *head->type ? ", " : "", head->type);
}

static void s_stream (const s_facts_t *facts, zc_finding_t *self)
{
    int status = facts->stream.head.status;
    bool busy = strncmp (facts->stream.text, ": busy", 6) == 0;
    if (!status)
        s_skip (self, "there is no answer");
    else if (status == 401 || (status == 403 && facts->has_token))
        s_skip (self, "the token decides: see there");
    else if (!s_is_stream (&facts->stream))
        s_refusal (facts, self);
    else if (facts->later)
        s_say (self, ZC_DOCTOR_FAIL, busy ? ZC_ADVICE_LIMIT : ZC_ADVICE_WORKER,
               "the stream only says when to come back: %s",
               busy ? "the worker has no room, or no broker, or stops"
                    : "the web server answers in the worker's place");
    else if (facts->foreign)
        s_say (self, ZC_DOCTOR_FAIL, ZC_ADVICE_NONE,
               "%s/events is a stream, but not one of zcast's", facts->url);
    else if (facts->stale)
        s_say (self, ZC_DOCTOR_WARN, ZC_ADVICE_WORKER, "the worker has lost its broker");
    else if (facts->flooded)
        s_say (self, ZC_DOCTOR_WARN, ZC_ADVICE_NONE, "so much came that the rest wasn't looked at");
    else
        s_say (self, ZC_DOCTOR_OK, ZC_ADVICE_NONE, "%s/events is a stream of zcast's", facts->url);
}

static void s_error_page (const s_facts_t *facts, zc_finding_t *self)
{
    char said[ZC_DOCTOR_TEXT + 16];
    int status = facts->stream.head.status;
    if (status == 429 || status >= 500)
        s_say (self, ZC_DOCTOR_FAIL, ZC_ADVICE_ERROR_PAGE, "an error is answered with %s%s%s",
               s_said (&facts->stream, said, sizeof said), *facts->stream.head.type ? ", " : "",
               facts->stream.head.type);
    else if (s_is_stream (&facts->stream) && facts->later)
        s_ok (self, "without a worker, browsers are told when to come back");
    else
        s_skip (self,
                "no error came: to see what browsers get then, stop the worker and look again");
}

static void s_buffering (const s_facts_t *facts, zc_finding_t *self)
{
    if (!s_flows (facts))
        s_skip (self, "there is no stream");
    else if (facts->first_ms < 0)
        s_say (self, ZC_DOCTOR_FAIL, ZC_ADVICE_BUFFERING,
               "the stream has begun, but no event has come within %.1f s",
               (double)facts->timeout_ms / 1000);
    else if (facts->arrived < facts->sent)
        s_say (self, ZC_DOCTOR_FAIL, ZC_ADVICE_BUFFERING,
               "of %u events that were published one by one, %u came within %.1f s", facts->sent,
               facts->arrived, (double)facts->timeout_ms / 1000);
    else if (facts->together >= 2)
        s_say (self, ZC_DOCTOR_FAIL, ZC_ADVICE_BUFFERING, "%u heartbeats came in one burst",
               facts->together + 1);
    else if (facts->sent && facts->least_ms > S_GATHERED_MS)
        s_say (self, ZC_DOCTOR_WARN, ZC_ADVICE_DELAY,
               "the fastest of %u events took %ld ms from publishing to arrival", facts->sent,
               facts->least_ms);
    else if (facts->sent)
        s_say (self, ZC_DOCTOR_OK, ZC_ADVICE_NONE,
               "%u events took %ld to %ld ms from publishing to arrival", facts->sent,
               facts->least_ms, facts->most_ms);
    else if (facts->watch.beats)
        s_say (self, ZC_DOCTOR_OK, ZC_ADVICE_NONE, "%u heartbeats came one by one",
               facts->watch.beats);
    else
        s_skip (self, "nothing came that could be timed: --send times events");
}

static void s_compression (const s_facts_t *facts, zc_finding_t *self)
{
    const char *encoding = facts->stream.head.encoding;
    if (!s_is_stream (&facts->stream))
        s_skip (self, "there is no stream");
    else if (*encoding && strcmp (encoding, "identity") != 0)
        s_say (self, ZC_DOCTOR_WARN, ZC_ADVICE_COMPRESSION,
               "the stream is compressed (Content-Encoding: %s)", encoding);
    else
        s_ok (self, "the stream isn't compressed");
}

static void s_cache (const s_facts_t *facts, zc_finding_t *self)
{
    const zc_doctor_head_t *head = &facts->stream.head;
    if (!s_is_stream (&facts->stream))
        s_skip (self, "there is no stream");
    else if (head->aged)
        s_say (self, ZC_DOCTOR_FAIL, ZC_ADVICE_CACHE, "a cache has answered: there is a field Age");
    else if (!head->no_cache)
        s_say (self, ZC_DOCTOR_FAIL, ZC_ADVICE_CACHE,
               "caches may keep the stream (Cache-Control%s%s)",
               *head->cache ? ": " : " is missing", head->cache);
    else if (!head->no_transform)
        s_say (self, ZC_DOCTOR_WARN, ZC_ADVICE_CACHE,
               "proxies may compress the stream (Cache-Control: %s, without no-transform)",
               head->cache);
    else
        s_say (self, ZC_DOCTOR_OK, ZC_ADVICE_NONE, "Cache-Control: %s", head->cache);
}

static void s_accel (const s_facts_t *facts, zc_finding_t *self)
{
    if (!s_is_stream (&facts->stream))
        s_skip (self, "there is no stream");
    else if (!facts->stream.head.unbuffered)
        s_say (self, ZC_DOCTOR_WARN, ZC_ADVICE_ACCEL, "the field X-Accel-Buffering: no is missing");
    else
        s_ok (self, "X-Accel-Buffering: no");
}

/*  Time-outs ----------------------------------------------------------------------------------- */

/*  `expected_ms`: within this time a heartbeat comes, as the other connection shows; 0: nothing
 *  shows it. */
static void s_watched (const zc_doctor_watch_t *watch, const char *beats, zc_advice_t cut,
                       long expected_ms, zc_finding_t *self)
{
    double seconds = (double)watch->watched_ms / 1000;
    if (watch->ended && watch->silent_ms >= S_SILENCE_MS)
        s_say (self, ZC_DOCTOR_FAIL, cut, "it was ended after %.1f s of silence",
               (double)watch->silent_ms / 1000);
    else if (watch->ended)
        s_say (self, ZC_DOCTOR_FAIL, cut, "it was ended after %.1f s, though something came",
               seconds);
    else if (watch->beats)
        s_say (self, ZC_DOCTOR_OK, ZC_ADVICE_NONE,
               "%u %s came, after at most %.1f s of silence: no time-out on the way is shorter",
               watch->beats, beats, (double)watch->beat_ms / 1000);
    else if (expected_ms && watch->watched_ms > expected_ms)
        s_say (self, ZC_DOCTOR_FAIL, ZC_ADVICE_HEARTBEAT,
               "no %s came within %.1f s, though they do on the other connection", beats, seconds);
    else if (watch->watched_ms >= S_HEARTBEAT_MS)
        s_say (self, ZC_DOCTOR_WARN, ZC_ADVICE_HEARTBEAT, "no %s came within %.1f s", beats,
               seconds);
    else
        s_say (self, ZC_DOCTOR_SKIPPED, ZC_ADVICE_NONE,
               "no %s came within %.1f s: --seconds 40 waits longer", beats, seconds);
}

/*  Twice the time between two heartbeats, and a second. */
static long s_expected (const zc_doctor_watch_t *other)
{
    return other->beats >= 2 ? 2 * other->beat_ms + 1000 : 0;
}

static void s_idle (const s_facts_t *facts, zc_finding_t *self)
{
    if (!s_flows (facts) || facts->first_ms < 0)
        s_skip (self, "there is no stream");
    else if (facts->expired)
        s_skip (self, "the stream ended with its token");
    else if (facts->flooded)
        s_skip (self, "there was no silence");
    else
        s_watched (&facts->watch, "heartbeats", ZC_ADVICE_IDLE, s_expected (&facts->socket_watch),
                   self);
}

static void s_socket_idle (const s_facts_t *facts, zc_finding_t *self)
{
    if (!facts->accepted || facts->malformed)
        s_skip (self, "there is no WebSocket");
    else if (facts->code / 1000 == 4 && facts->socket_watch.beats == 0)
        s_skip (self, "the WebSocket was refused");
    else if (facts->code)
        s_say (self, ZC_DOCTOR_FAIL, facts->code == 4401 ? ZC_ADVICE_TOKEN : ZC_ADVICE_NONE,
               "it was closed: %u%s%s", facts->code, *facts->reason ? ": " : "", facts->reason);
    else
        s_watched (&facts->socket_watch, "pings", ZC_ADVICE_SOCKET_IDLE, s_expected (&facts->watch),
                   self);
}

/*  What a page needs --------------------------------------------------------------------------- */

static void s_connections (const s_facts_t *facts, zc_finding_t *self)
{
    if (!facts->connected)
        s_skip (self, "there is no connection");
    else if (facts->version >= 20)
        s_say (self, ZC_DOCTOR_OK, ZC_ADVICE_NONE, "HTTP/%d: a browser has 100 streams and more",
               facts->version / 10);
    else if (!facts->tls && facts->loopback)
        s_skip (self, "the URL is plain HTTP on this machine: a browser has six streams to a host");
    else
        s_say (self, ZC_DOCTOR_WARN, ZC_ADVICE_HTTP2,
               "HTTP/1.1: a browser has six connections to a host, and the seventh tab waits");
}

static void s_preflight (const s_facts_t *facts, zc_finding_t *self)
{
    const zc_doctor_head_t *head = &facts->preflight.head;
    char said[ZC_DOCTOR_TEXT + 16];
    if (head->status < 200 || head->status > 299 || !head->origins)
        s_say (self, ZC_DOCTOR_FAIL, ZC_ADVICE_CORS_HEADERS,
               "the preflight (OPTIONS) is refused: %s",
               s_said (&facts->preflight, said, sizeof said));
    else if (!head->allows_last_id || !head->allows_token)
        s_say (self, ZC_DOCTOR_FAIL, ZC_ADVICE_CORS_HEADERS,
               "the preflight doesn't allow the field %s",
               head->allows_last_id ? "Authorization" : "Last-Event-ID");
    else
        s_say (self, ZC_DOCTOR_OK, ZC_ADVICE_NONE, "pages of %s may read the stream",
               facts->origin);
}

static void s_cors (const s_facts_t *facts, zc_finding_t *self)
{
    const zc_doctor_head_t *head = &facts->cross.head;
    char said[ZC_DOCTOR_TEXT + 16];
    s_set_parameter (self, facts->origin);
    if (!*facts->origin)
        s_skip (self, "--origin https://PAGE looks whether pages of another site may read");
    else if (!facts->cross.tried)
        s_skip (self, "there is no stream");
    else if (head->origins > 1)
        s_say (self, ZC_DOCTOR_FAIL, ZC_ADVICE_CORS_TWICE,
               "there are %u fields Access-Control-Allow-Origin", head->origins);
    else if (head->origins == 0 || !s_is_stream (&facts->cross))
        s_say (self, ZC_DOCTOR_FAIL, ZC_ADVICE_CORS, "pages of %s may not read: %s", facts->origin,
               head->status == 200 ? "there is no Access-Control-Allow-Origin"
                                   : s_said (&facts->cross, said, sizeof said));
    else if (strcmp (head->origin, "*") != 0 && strcmp (head->origin, facts->origin) != 0)
        s_say (self, ZC_DOCTOR_FAIL, ZC_ADVICE_CORS,
               "pages of %s may not read (Access-Control-Allow-Origin: %s)", facts->origin,
               head->origin);
    else
        s_preflight (facts, self);
}

static void s_resume (const s_facts_t *facts, zc_finding_t *self)
{
    char said[ZC_DOCTOR_TEXT + 16];
    switch (facts->resumed) {
    case ZC_RESUME_NOT_TRIED:
        s_skip (self, s_flows (facts) && facts->first_ms >= 0 ? "the stream gave no position yet"
                                                              : "there is no stream");
        break;
    case ZC_RESUME_REFUSED:
        s_say (self, ZC_DOCTOR_FAIL, ZC_ADVICE_NONE, "coming back with an id is refused: %s",
               s_said (&facts->resume, said, sizeof said));
        break;
    case ZC_RESUME_CONTINUED:
        s_ok (self, "coming back with the last id, the stream is continued");
        break;
    case ZC_RESUME_GAP:
        s_say (self, ZC_DOCTOR_FAIL, ZC_ADVICE_HISTORY,
               "coming back at once with the last id, there is a gap");
        break;
    case ZC_RESUME_IGNORED:
    case ZC_RESUME_LOST:
        s_say (self, ZC_DOCTOR_FAIL, ZC_ADVICE_LAST_ID,
               "coming back with a last id, no verdict came%s",
               facts->resumed == ZC_RESUME_LOST
                   ? ": Last-Event-ID is lost on the way, since the id in the URL works"
                   : "");
        break;
    case ZC_RESUME_SILENT:
        s_say (self, ZC_DOCTOR_FAIL, ZC_ADVICE_BUFFERING,
               "coming back with the last id, no event came within %.1f s",
               (double)facts->timeout_ms / 1000);
        break;
    }
}

/*  A WebSocket that was refused, by status or, once it was open, by a close code. */
static void s_socket_refused (const s_facts_t *facts, zc_finding_t *self)
{
    char said[ZC_DOCTOR_TEXT + 16];
    int status = facts->accepted ? (int)facts->code - 4000 : facts->socket.head.status;
    zc_advice_t advice = status == 404   ? ZC_ADVICE_SOCKET_PATH
                         : status == 403 ? ZC_ADVICE_HOST
                         : status == 401 ? ZC_ADVICE_TOKEN
                         : status == 429 ? ZC_ADVICE_LIMIT
                         : status >= 500 ? ZC_ADVICE_WORKER
                                         : ZC_ADVICE_UPGRADE;
    s_set_parameter (self, facts->host);
    if (status == 403 && *facts->origin) {
        advice = ZC_ADVICE_ALLOW_ORIGIN;
        s_set_parameter (self, facts->origin);
    }
    if (facts->accepted)
        s_say (self, ZC_DOCTOR_FAIL, advice, "%s/ws is refused: %u: %s", facts->url, facts->code,
               facts->reason);
    else
        s_say (self, status == 404 ? ZC_DOCTOR_WARN : ZC_DOCTOR_FAIL, advice,
               "%s/ws is no WebSocket: %s", facts->url, s_said (&facts->socket, said, sizeof said));
}

static void s_socket (const s_facts_t *facts, zc_finding_t *self)
{
    if (!facts->socket.tried)
        s_skip (self, "there is no connection");
    else if (!facts->accepted && facts->socket.head.status == 101)
        s_say (self, ZC_DOCTOR_FAIL, ZC_ADVICE_UPGRADE,
               "the upgrade is answered with a wrong Sec-WebSocket-Accept");
    else if (!facts->accepted || (facts->code / 1000 == 4 && facts->socket_watch.beats == 0))
        s_socket_refused (facts, self);
    else if (facts->malformed)
        s_say (self, ZC_DOCTOR_FAIL, ZC_ADVICE_UPGRADE,
               "what came after the upgrade are no frames");
    else
        s_say (self, ZC_DOCTOR_OK, ZC_ADVICE_NONE, "%s/ws is a WebSocket (%s)", facts->url,
               *facts->socket.head.protocol ? facts->socket.head.protocol : "no sub-protocol");
}

/*  Tokens: a bad one is refused wherever tokens are checked, so a refusal shows that its field
 *  arrives. */
static void s_token_given (const s_facts_t *facts, zc_finding_t *self)
{
    char said[ZC_DOCTOR_TEXT + 16];
    int status = facts->stream.head.status;
    if (s_wants_token (&facts->stream))
        s_say (self, ZC_DOCTOR_FAIL, ZC_ADVICE_TOKEN_HEADER, "the token doesn't arrive: %s",
               s_said (&facts->stream, said, sizeof said));
    else if (status == 401 || status == 403)
        s_say (self, ZC_DOCTOR_FAIL, ZC_ADVICE_TOKEN, "the token is refused: %s",
               s_said (&facts->stream, said, sizeof said));
    else if (facts->expired)
        s_say (self, ZC_DOCTOR_FAIL, ZC_ADVICE_TOKEN, "the token expired while the stream ran");
    else if (!s_is_stream (&facts->stream))
        s_skip (self, "there is no stream");
    else if (!facts->anonymous.tried)
        s_ok (self, "the token is not refused");
    else if (facts->anonymous.head.status == 401)
        s_ok (self, "a token is needed, and this one is accepted");
    else if (facts->wrong_token.head.status == 401)
        s_ok (self, "the token is accepted; the topic is public, too");
    else
        s_say (
            self, ZC_DOCTOR_WARN, ZC_ADVICE_TOKEN_HEADER,
            "the stream is the same without a token and with a bad one: there are no token-keys, "
            "or the token doesn't arrive");
}

static void s_token (const s_facts_t *facts, zc_finding_t *self)
{
    if (facts->has_token)
        s_token_given (facts, self);
    else if (facts->stream.head.status == 401 && s_wants_token (&facts->wrong_token))
        s_say (self, ZC_DOCTOR_FAIL, ZC_ADVICE_TOKEN_HEADER,
               "a token is needed, and one that is sent doesn't arrive");
    else if (facts->stream.head.status == 401)
        s_say (self, ZC_DOCTOR_FAIL, ZC_ADVICE_NONE,
               "a token is needed: --token-file FILE, and --topic for one that it grants");
    else if (!s_is_stream (&facts->stream))
        s_skip (self, "there is no stream");
    else if (facts->wrong_token.head.status == 401)
        s_ok (self, "the topic is public; a bad token is refused, so that tokens do arrive");
    else
        s_skip (self, "the topic is public, and no token was given (--token-file)");
}

static void s_clock (const s_facts_t *facts, zc_finding_t *self)
{
    int64_t off = facts->clock_ms < 0 ? -facts->clock_ms : facts->clock_ms;
    if (!facts->has_clock) {
        s_skip (self, "no answer has a field Date");
        return;
    }
    if (off <= S_CLOCK_MS)
        s_ok (self, "the server's clock is less than 5 s off this machine's");
    else
        s_say (self, off > S_CLOCK_WRONG_MS ? ZC_DOCTOR_FAIL : ZC_DOCTOR_WARN, ZC_ADVICE_CLOCK,
               "the server's clock is %.0f s %s this machine's", (double)off / 1000,
               facts->clock_ms < 0 ? "behind" : "ahead of");
}

static void s_publish (const s_facts_t *facts, zc_finding_t *self)
{
    char said[ZC_DOCTOR_TEXT + 16];
    if (facts->publish.tried)
        s_say (self, ZC_DOCTOR_FAIL,
               facts->publish.head.status == 401 || facts->publish.head.status == 403
                   ? ZC_ADVICE_PUBLISH
                   : ZC_ADVICE_WORKER,
               "test events can't be published: %s", s_said (&facts->publish, said, sizeof said));
    else if (facts->sent)
        s_say (self, ZC_DOCTOR_OK, ZC_ADVICE_NONE, "%u test events were taken", facts->sent);
    else
        s_skip (self, "nothing was published: --send publishes test events");
}

/*  All of it ----------------------------------------------------------------------------------- */

static const struct {
    const char *id;
    void (*check) (const s_facts_t *facts, zc_finding_t *finding);
} s_checks[] = {
    {"connection", s_connection},
    {"tls", s_tls},
    {"first-byte", s_first_byte},
    {"stream", s_stream},
    {"error-page", s_error_page},
    {"publish", s_publish},
    {"buffering", s_buffering},
    {"compression", s_compression},
    {"cache", s_cache},
    {"accel", s_accel},
    {"idle", s_idle},
    {"resume", s_resume},
    {"connections", s_connections},
    {"cors", s_cors},
    {"token", s_token},
    {"websocket", s_socket},
    {"websocket-idle", s_socket_idle},
    {"clock", s_clock},
};
#define S_CHECKS (sizeof s_checks / sizeof *s_checks)
_Static_assert(S_CHECKS <= ZC_DOCTOR_CHECKS, "ZC_DOCTOR_CHECKS");

size_t zc_doctor_judge (const zc_doctor_facts_t *facts, zc_finding_t findings[ZC_DOCTOR_CHECKS])
{
    for (size_t i = 0; i < S_CHECKS; i++) {
        findings[i] = (zc_finding_t){.id = s_checks[i].id};
        s_checks[i].check (facts, &findings[i]);
    }
    return S_CHECKS;
}

bool zc_doctor_is_check (const char *id)
{
    for (size_t i = 0; i < S_CHECKS; i++)
        if (strcmp (id, s_checks[i].id) == 0)
            return true;
    return false;
}

zc_doctor_verdict_t zc_doctor_worst (const zc_finding_t *findings, size_t count)
{
    zc_doctor_verdict_t worst = ZC_DOCTOR_OK;
    for (size_t i = 0; i < count; i++)
        if (findings[i].verdict > worst && findings[i].verdict != ZC_DOCTOR_SKIPPED)
            worst = findings[i].verdict;
    return worst;
}

const char *zc_doctor_verdict_name (zc_doctor_verdict_t verdict)
{
    static const char *const names[] = {"ok", "skipped", "warn", "fail"};
    return names[verdict];
}

/*  For a monitoring system --------------------------------------------------------------------- */

static void s_add_figures (const s_facts_t *facts, long warn_ms, zc_buf_t *line)
{
    zc_buf_adds (line, " |");
    if (facts->connected)
        zc_buf_addf (line, " connect=%.3fs;;;0", (double)facts->connect_ms / 1000);
    if (facts->first_ms >= 0)
        zc_buf_addf (line, " first_event=%.3fs;%.3f;%.3f;0", (double)facts->first_ms / 1000,
                     (double)warn_ms / 1000, (double)facts->timeout_ms / 1000);
    if (facts->has_certificate)
        zc_buf_addf (line, " certificate_days=%" PRId64 ";%d:;0:",
                     (facts->certificate_end_s - facts->now_s) / S_DAY, S_CERTIFICATE_DAYS);
}

int zc_doctor_ping (const zc_doctor_facts_t *facts, long warn_ms, zc_buf_t *line)
{
    static const char *const names[] = {"OK", "WARNING", "CRITICAL"};
    zc_finding_t findings[ZC_DOCTOR_CHECKS];
    size_t count = zc_doctor_judge (facts, findings);
    zc_doctor_verdict_t worst = zc_doctor_worst (findings, count);
    int status = worst == ZC_DOCTOR_FAIL ? 2 : worst == ZC_DOCTOR_WARN;
    bool slow = status == 0 && facts->first_ms > warn_ms;
    status += slow;
    zc_buf_addf (line, "ZCAST %s - ", names[status]);
    if (status == 0 || slow)
        zc_buf_addf (line, "%s gives the first event after %ld ms", facts->url, facts->first_ms);
    for (size_t i = 0; status && !slow && i < count; i++)
        if (findings[i].verdict == worst) {
            zc_buf_addf (line, "%s: %s", findings[i].id, findings[i].fact);
            break;
        }
    for (size_t i = 0; i < line->len; i++) /* what follows it would be taken for figures */
        if (line->data[i] == '|')
            line->data[i] = '/';
    s_add_figures (facts, warn_ms, line);
    return status;
}
