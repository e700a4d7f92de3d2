/*  entry.c - replies of Redis about the log.
 *
 *  A message's entry is `n` number `m` head `p` payload; an epoch's is `n` number `e`
 *  lost, broker and tail. The head is one field, because each field of an entry costs Redis as much
 * as the entry itself. */
#include "broker/log/entry.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define S_NUMBER_MAX ((uint64_t)1 << 53) /* the largest integer that Lua's numbers hold */

void zc_log_head_write (zc_buf_t *out, const char *broker, uint64_t sequence, zc_slice_t topic,
                        zc_slice_t headers)
{
    zc_buf_addf (out, "%s %" PRIu64 "\n", broker, sequence);
    zc_buf_add (out, topic.at, topic.len);
    zc_buf_addc (out, '\n');
    zc_buf_add (out, headers.at, headers.len);
}

/*  The first half of a SHA-256 of two texts and a NUL between them. */
static void s_digest (char *out, zc_slice_t first, zc_slice_t second)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *context = EVP_MD_CTX_new ();
    if (!context || EVP_DigestInit_ex (context, EVP_sha256 (), NULL) != 1 ||
        EVP_DigestUpdate (context, first.at, first.len) != 1 ||
        EVP_DigestUpdate (context, "", 1) != 1 ||
        EVP_DigestUpdate (context, second.at, second.len) != 1 ||
        EVP_DigestFinal_ex (context, digest, NULL) != 1)
        abort ();
    EVP_MD_CTX_free (context);
    for (size_t i = 0; i < ZC_LOG_NAME_SIZE / 4; i++) {
        *out++ = digits[digest[i] >> 4];
        *out++ = digits[digest[i] & 15];
    }
}

void zc_log_name (char out[ZC_LOG_NAME_SIZE], zc_slice_t topic, zc_slice_t key, zc_slice_t event,
                  zc_slice_t payload)
{
    s_digest (out, topic, key);
    s_digest (out + ZC_LOG_NAME_SIZE / 2, event, payload);
}

/*  Entries. */

static bool s_is_array (const redisReply *reply, size_t least)
{
    return reply && reply->type == REDIS_REPLY_ARRAY && reply->elements >= least;
}

static zc_slice_t s_text (const redisReply *reply, size_t index)
{
    const redisReply *one = index < reply->elements ? reply->element[index] : NULL;
    return one && one->type == REDIS_REPLY_STRING ? (zc_slice_t){one->str, (size_t)one->len}
                                                  : (zc_slice_t){"", 0};
}

const redisReply *zc_log_entries (const redisReply *reply, size_t *count)
{
    *count = 0;
    if (reply && reply->type == REDIS_REPLY_NIL)
        return reply;
    if (!s_is_array (reply, 1) || !s_is_array (reply->element[0], 2) ||
        !s_is_array (reply->element[0]->element[1], 0))
        return NULL;
    *count = reply->element[0]->element[1]->elements;
    return reply->element[0]->element[1];
}

static bool s_number (zc_slice_t text, uint64_t *number)
{
    return zc_text_u64 (text.at, text.len, S_NUMBER_MAX, number) == 0;
}

/*  Takes the part of the text before the byte `end`, and the byte, off the text. */
static bool s_take (zc_slice_t *text, char end, zc_slice_t *part)
{
    const char *at = memchr (text->at, end, text->len);
    if (!at)
        return false;
    *part = (zc_slice_t){text->at, (size_t)(at - text->at)};
    text->len -= part->len + 1;
    text->at = at + 1;
    return true;
}

static bool s_head (zc_log_entry_t *self)
{
    zc_slice_t rest = self->head, sequence;
    if (!s_take (&rest, ' ', &self->broker) || !s_take (&rest, '\n', &sequence) ||
        !s_number (sequence, &self->sequence) || !s_take (&rest, '\n', &self->topic))
        return false;
    self->headers = rest;
    return true;
}

static bool s_id (zc_slice_t text, zc_id_t *id)
{
    return zc_id_parse (text.at, text.len, id) == 0;
}

static bool s_epoch (zc_log_entry_t *self)
{
    zc_slice_t rest = self->head, lost;
    zc_id_t tail;
    if (!s_take (&rest, ' ', &lost) || !s_take (&rest, ' ', &self->broker) || !s_id (rest, &tail))
        return false;
    self->lost = !zc_slice_is (lost, "0");
    return true;
}

static zc_entry_kind_t s_kind (zc_log_entry_t *self, const redisReply *fields)
{
    if (!zc_slice_is (s_text (fields, 0), "n") || !s_number (s_text (fields, 1), &self->number) ||
        self->number == 0)
        return ZC_ENTRY_FOREIGN;
    if (fields->elements == 4 && zc_slice_is (s_text (fields, 2), "e")) {
        self->head = s_text (fields, 3);
        return s_epoch (self) ? ZC_ENTRY_EPOCH : ZC_ENTRY_FOREIGN;
    }
    self->head = s_text (fields, 3);
    self->payload = s_text (fields, 5);
    return fields->elements == 6 && zc_slice_is (s_text (fields, 2), "m") &&
                   zc_slice_is (s_text (fields, 4), "p") && s_head (self)
               ? ZC_ENTRY_MESSAGE
               : ZC_ENTRY_FOREIGN;
}

/*  Redis' counters have 64 bits, those of positions 20. */
static int s_beyond (zc_slice_t text, zc_id_t *id)
{
    zc_slice_t ms;
    uint64_t counter, number;
    if (!s_take (&text, '-', &ms) || zc_text_u64 (ms.at, ms.len, UINT64_MAX, &number) != 0 ||
        zc_text_u64 (text.at, text.len, UINT64_MAX, &counter) != 0)
        return -1;
    *id = number > zc_id_ms (ZC_ID_MAX) ? ZC_ID_MAX
                                        : zc_id_from_ms (number) + ((1u << ZC_ID_COUNTER_BITS) - 1);
    return 0;
}

int zc_log_entry_parse (zc_log_entry_t *self, const redisReply *entries, size_t index,
                        zc_slice_t *raw)
{
    static const zc_slice_t none = {"", 0};
    *self = (zc_log_entry_t){
        .head = none, .broker = none, .topic = none, .headers = none, .payload = none};
    const redisReply *entry = index < entries->elements ? entries->element[index] : NULL;
    if (!s_is_array (entry, 2) || !s_is_array (entry->element[1], 0))
        return -1;
    *raw = s_text (entry, 0);
    if (!s_id (*raw, &self->id))
        return s_beyond (*raw, &self->id);
    self->kind = s_kind (self, entry->element[1]);
    return 0;
}

/*  Answers. */

static const char *const s_statuses[ZC_LOG_STATUSES] = {
    [ZC_LOG_OK] = "ok",           [ZC_LOG_GONE] = "gone",
    [ZC_LOG_RUN] = "run",         [ZC_LOG_LOST] = "lost",
    [ZC_LOG_BATCH] = "batch",     [ZC_LOG_WAIT] = "wait",
    [ZC_LOG_TYPE] = "type",       [ZC_LOG_STRANGE] = "strange",
    [ZC_LOG_VERSION] = "version", [ZC_LOG_SETTINGS] = "settings",
    [ZC_LOG_FUTURE] = "future",   [ZC_LOG_NONSENSE] = "",
};

static bool s_join (zc_log_answer_t *self, const redisReply *reply)
{
    zc_slice_t place = s_text (reply, 5);
    self->line = s_text (reply, 1);
    self->run = s_text (reply, 2);
    self->placed = !zc_slice_is (place, "-1");
    return self->line.len && self->run.len && s_number (s_text (reply, 3), &self->number) &&
           s_id (s_text (reply, 4), &self->last) &&
           (!self->placed || s_number (place, &self->place)) &&
           s_id (s_text (reply, 6), &self->before) &&
           s_number (s_text (reply, 7), &self->before_number) &&
           s_number (s_text (reply, 8), &self->batch);
}

void zc_log_answer_parse (zc_log_answer_t *self, zc_log_verb_t verb, const redisReply *reply)
{
    static const zc_slice_t none = {"", 0};
    *self = (zc_log_answer_t){.status = ZC_LOG_NONSENSE, .detail = none, .line = none, .run = none};
    if (!s_is_array (reply, 1))
        return;
    zc_slice_t word = s_text (reply, 0);
    for (zc_log_status_t i = 0; i < ZC_LOG_NONSENSE; i++)
        if (zc_slice_is (word, s_statuses[i]))
            self->status = i;
    self->detail = s_text (reply, 1);
    if (self->status == ZC_LOG_WAIT && !s_number (self->detail, &self->wait_ms))
        self->status = ZC_LOG_NONSENSE;
    if (self->status != ZC_LOG_OK)
        return;
    bool good = verb == ZC_LOG_JOIN ? s_join (self, reply)
                : verb == ZC_LOG_APPEND
                    ? reply->elements == 3 && s_number (s_text (reply, 2), &self->number)
                    : s_number (self->detail, &self->number);
    if (!good)
        self->status = ZC_LOG_NONSENSE;
}

int zc_log_told_next (zc_slice_t *detail, zc_log_told_t *told)
{
    if (detail->len == 0)
        return 0;
    const char *blank = memchr (detail->at, ' ', detail->len);
    zc_slice_t one = {detail->at, blank ? (size_t)(blank - detail->at) : detail->len};
    size_t digits = 0;
    while (digits < one.len && one.at[digits] >= '0' && one.at[digits] <= '9')
        digits++;
    size_t used = one.len + (blank != NULL);
    *detail = (zc_slice_t){detail->at + used, detail->len - used};
    if (digits == one.len || (one.at[digits] != '=' && one.at[digits] != '!') ||
        !s_number ((zc_slice_t){one.at, digits}, &told->index) ||
        !s_id ((zc_slice_t){one.at + digits + 1, one.len - digits - 1}, &told->id))
        return -1;
    told->conflict = one.at[digits] == '!';
    return 1;
}

/*  The server. */

/*  Whether a version is 6.2 or later: XTRIM knows MINID since then. */
static bool s_new_enough (zc_slice_t version)
{
    zc_slice_t major, minor;
    uint64_t first, second;
    if (!s_take (&version, '.', &major) || !s_take (&version, '.', &minor) ||
        !s_number (major, &first) || !s_number (minor, &second))
        return false;
    return first > 6 || (first == 6 && second >= 2);
}

const char *zc_log_server_parse (zc_log_server_t *self, const redisReply *reply)
{
    static const zc_slice_t none = {"", 0};
    *self = (zc_log_server_t){none, none, none, none};
    if (!reply || reply->type != REDIS_REPLY_STRING)
        return "its answer to INFO makes no sense";
    zc_slice_t rest = {reply->str, (size_t)reply->len}, line, name;
    while (s_take (&rest, '\n', &line)) {
        if (line.len && line.at[line.len - 1] == '\r')
            line.len--;
        if (!s_take (&line, ':', &name))
            continue;
        zc_slice_t *field = zc_slice_is (name, "run_id")             ? &self->run
                            : zc_slice_is (name, "role")             ? &self->role
                            : zc_slice_is (name, "maxmemory_policy") ? &self->policy
                            : zc_slice_is (name, "redis_version")    ? &self->version
                                                                     : NULL;
        if (field)
            *field = line;
    }
    if (self->run.len == 0 || self->run.len > ZC_LOG_RUN_MAX)
        return "its answer to INFO has no run_id";
    if (!s_new_enough (self->version))
        return "it is too old for the log, which needs Redis 6.2 or Valkey";
    if (!zc_slice_is (self->role, "master"))
        return "it is a replica: give the master's address";
    if (!zc_slice_is (self->policy, "noeviction"))
        return "it may evict the log: its maxmemory-policy must be noeviction";
    return NULL;
}
