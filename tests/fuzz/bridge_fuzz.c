/*  bridge_fuzz.c - bytes from Redis, or from the operator of the bridge: the envelope of another
 *  site, whose headers the broker then accepts or refuses, a URL, a channel's name. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "lib/redis/address.h"
#include "bridge/envelope.h"
#include "bridge/glob.h"
#include "bridge/mapping.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void s_envelope (zc_slice_t bytes)
{
    zc_buf_t headers = ZC_BUF_INIT;
    zc_slice_t site, line, payload;
    if (zc_envelope_read (bytes, &site, &line, &headers, &payload)) {
        assert (line.len == 0 ||
                (line.at >= bytes.at && line.at + line.len <= bytes.at + bytes.len));
        assert (zc_site_valid (site.at, site.len));
        assert (payload.at >= bytes.at && payload.at + payload.len == bytes.at + bytes.len);
        zc_message_t message;
        zc_slice_t lines = {zc_buf_str (&headers), headers.len};
        if (zc_publish_parse (&message, (zc_slice_t){"t", 1}, payload, lines, SIZE_MAX) == 0)
            assert (message.key.len > 0);
    }
    zc_buf_clear (&headers);
}

static void s_url (const char *text)
{
    zc_address_t address;
    char error[128];
    if (zc_address_parse (text, &address, error, sizeof error) == 0)
        assert (address.shown &&
                (address.path || address.sentinel_count > 0 || (address.host && address.port > 0)));
    zc_address_clear (&address);
}

static void s_channel (zc_slice_t channel, const char *text)
{
    char error[128];
    zc_buf_t topic = ZC_BUF_INIT;
    zc_mapping_t *mapping = zc_mapping_new ("a{channel}", error, sizeof error);
    if (zc_mapping_add (mapping, text, true, error, sizeof error) == 0) {
        bool pattern;
        const char *name = zc_mapping_name (mapping, 0, &pattern);
        if (zc_mapping_topic (mapping, (zc_slice_t){name, strlen (name)}, true, channel, &topic) ==
            0)
            assert (zc_topic_valid (topic.data, topic.len));
    }
    zc_slice_t parts[ZC_GLOB_STARS], pattern = {text, strlen (text)};
    if (zc_glob_match (pattern, channel, parts))
        for (size_t i = 0; i < zc_glob_stars (pattern); i++)
            assert (parts[i].at >= channel.at &&
                    parts[i].at + parts[i].len <= channel.at + channel.len);
    assert (zc_glob_match ((zc_slice_t){"*", 1}, channel, parts) && parts[0].len == channel.len);
    zc_buf_clear (&topic);
    zc_mapping_destroy (&mapping);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    char *text = malloc (size + 1);
    if (!text)
        return 0;
    memcpy (text, data, size);
    text[size] = 0;
    s_envelope ((zc_slice_t){text, size});
    s_url (text);
    s_channel ((zc_slice_t){text, size}, text);
    free (text);
    return 0;
}
