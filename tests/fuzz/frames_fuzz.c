/*  The bytes that a client sends after the handshake: frames, messages, and the commands of
 *  zcast.v1. The first byte says in how large pieces the rest comes, and the result must not
 *  depend on it. The highest bit of that byte says whether permessage-deflate was negotiated.
 *  Between the pieces, another receiver takes over, as in an upgrade. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "ws/command.h"
#include "ws/frame.h"
#include "ws/receiver.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void s_command (zc_buf_t *log, const uint8_t *data, size_t len)
{
    zc_command_t command;
    if (zc_command_parse (&command, data, len, (zc_command_limits_t){10, 4096}) == 0)
        zc_answer_subscribed (log, command.ref, command.topics, command.count);
    else
        zc_answer_error (log, command.ref, (zc_slice_t){command.code, strlen (command.code)},
                         (zc_slice_t){command.error, strlen (command.error)});
    if (!zc_utf8_valid (log->data, log->len))
        abort ();
    zc_command_clear (&command);
}

static unsigned s_on_frame (void *arg, unsigned opcode, const uint8_t *data, size_t len)
{
    zc_buf_t *log = arg;
    zc_buf_addf (log, "%u %zu ", opcode, len);
    if (len > 1000)
        abort ();
    if (opcode == ZC_FRAME_TEXT) {
        if (!zc_utf8_valid (data, len))
            abort ();
        s_command (log, data, len);
    }
    return opcode == ZC_FRAME_CLOSE ? zc_close_code (data, len) : 0;
}

static void s_move (zc_receiver_t **receiver, bool deflate)
{
    zc_buf_t saved = ZC_BUF_INIT, log = ZC_BUF_INIT;
    if (!*receiver)
        return;
    zc_receiver_save (*receiver, &saved);
    zc_receiver_destroy (receiver);
    if (zc_receiver_feed (receiver, saved.data, saved.len, 1000, deflate, s_on_frame, &log) != 0 ||
        log.len > 0 || !*receiver)
        abort ();
    zc_buf_clear (&saved);
}

static unsigned s_feed (zc_buf_t *log, const uint8_t *data, size_t size, size_t step, bool deflate)
{
    zc_receiver_t *receiver = NULL;
    unsigned code = 0;
    for (size_t at = 0; at < size && code == 0; at += step) {
        size_t len = size - at < step ? size - at : step;
        uint8_t *piece = malloc (len);
        memcpy (piece, data + at, len);
        code = zc_receiver_feed (&receiver, piece, len, 1000, deflate, s_on_frame, log);
        free (piece);
        if (code == 0)
            s_move (&receiver, deflate);
    }
    zc_receiver_destroy (&receiver);
    return code;
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    zc_buf_t log = ZC_BUF_INIT, other = ZC_BUF_INIT;
    if (size == 0)
        return 0;
    bool deflate = data[0] & 0x80;
    unsigned code = s_feed (&log, data + 1, size - 1, size, deflate);
    unsigned piecewise = s_feed (&other, data + 1, size - 1, (data[0] & 0x7fu) + 1, deflate);
    if (code != piecewise || log.len != other.len ||
        (log.len > 0 && memcmp (log.data, other.data, log.len) != 0))
        abort ();
    zc_buf_clear (&log);
    zc_buf_clear (&other);
    return 0;
}
