/*  The bytes of a connection. The first byte says how the rest is cut; cut and whole must give
 *  the same result. */
#include <stdlib.h>
#include <string.h>

#include "broker/meter.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    const zc_meter_limits_t limits = {5, 1000, 3};
    if (size == 0)
        return 0;
    size_t piece = data[0] ? data[0] : 1;
    data++;
    size--;
    zc_meter_t whole = {0}, cut = {0};
    zc_meter_result_t all = zc_meter_read (&whole, &limits, data, size), some = ZC_METER_GOOD;
    for (size_t at = 0; at < size && some == ZC_METER_GOOD; at += piece)
        some = zc_meter_read (&cut, &limits, data + at, size - at < piece ? size - at : piece);
    if (all != some || (all == ZC_METER_GOOD && memcmp (&whole, &cut, sizeof whole) != 0))
        abort ();
    if (all == ZC_METER_GOOD && (whole.frames > limits.frames || whole.bytes > limits.bytes ||
                                 whole.subscriptions > limits.subscriptions))
        abort ();
    return 0;
}
