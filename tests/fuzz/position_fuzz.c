/*  The file of the last position, of any bytes: it is read as it was written, or as empty. After
 *  that it says what was stored. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "broker/history/position.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static zc_position_t *s_open (int fd)
{
    char path[64], error[256];
    snprintf (path, sizeof path, "/proc/self/fd/%d", fd);
    zc_position_t *position = zc_position_new (path, error, sizeof error);
    if (!position)
        abort ();
    return position;
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    int fd = memfd_create ("position", MFD_CLOEXEC);
    if (fd < 0 || write (fd, data, size) != (ssize_t)size)
        abort ();
    zc_position_t *position = s_open (fd);
    zc_id_t reserved = zc_position_reserved (position), lost = zc_position_lost (position);
    zc_position_destroy (&position, reserved);
    position = s_open (fd);
    if (zc_position_reserved (position) != reserved || zc_position_lost (position) != lost)
        abort ();
    zc_position_lose (position, lost + 1);
    zc_position_destroy (&position, reserved / 2);
    position = s_open (fd);
    if (zc_position_reserved (position) != reserved / 2 || zc_position_lost (position) != lost + 1)
        abort ();
    zc_position_destroy (&position, ZC_ID_NONE);
    close (fd);
    return 0;
}
