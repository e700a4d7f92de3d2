/*  update.c - see update.h. */
#include "lib/wire/update.h"

#include <string.h>

void zc_update_add (zc_buf_t *list, size_t begin, zc_slice_t topic)
{
    if (list->len > begin)
        zc_buf_addc (list, ' ');
    for (size_t i = 0; i < topic.len; i++) {
        if (topic.at[i] == ' ' || topic.at[i] == '%')
            zc_buf_adds (list, topic.at[i] == ' ' ? "%20" : "%25");
        else
            zc_buf_addc (list, topic.at[i]);
    }
}

/*  Decodes the only two escapes that there are. */
static bool s_decode (zc_slice_t item, char *text, zc_slice_t *topic)
{
    size_t len = 0;
    for (size_t i = 0; i < item.len; i++) {
        char byte = item.at[i];
        if (byte == '%') {
            zc_slice_t escape = {item.at + i, item.len - i < 3 ? item.len - i : 3};
            bool space = zc_slice_is (escape, "%20");
            if (!space && !zc_slice_is (escape, "%25"))
                return false;
            byte = space ? ' ' : '%';
            i += 2;
        }
        if (len == ZC_TOPIC_MAX)
            return false;
        text[len++] = byte;
    }
    *topic = (zc_slice_t){text, len};
    return true;
}

bool zc_update_next (zc_slice_t *list, char *text, zc_slice_t *topic)
{
    if (list->len == 0)
        return false;
    const char *end = memchr (list->at, ' ', list->len);
    zc_slice_t item = {list->at, end ? (size_t)(end - list->at) : list->len};
    list->at += item.len + (end != NULL);
    list->len -= item.len + (end != NULL);
    *topic = item;
    if (item.len > 0 && memchr (item.at, '%', item.len) && !s_decode (item, text, topic))
        return false;
    return topic->len > 0 && topic->len <= ZC_TOPIC_MAX;
}

bool zc_update_names (zc_slice_t list, zc_slice_t topic)
{
    char text[ZC_TOPIC_MAX];
    zc_slice_t item;
    while (zc_update_next (&list, text, &item))
        if (zc_slice_compare (item, topic) == 0)
            return true;
    return false;
}
