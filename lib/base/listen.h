/*  listen.h - listening sockets, the connections that they accept, and the names of peers. */
#ifndef ZC_LISTEN_H
#define ZC_LISTEN_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

/*  Opens a non-blocking, close-on-exec listening socket at "HOST:PORT", "[IPV6]:PORT", ":PORT"
 *  (loopback), a path, or "unix:PATH". A host with addresses of both families means its IPv4
 *  address; "[::]" means all addresses of both families, and "*" all of IPv4. A socket file is
 *  replaced where no server answers on it. A missing folder is made as zc_make_runtime_folder
 *  does. An address that is in use is tried again for a moment (zc_wait_for_end).
 *
 *  `mode` is the permissions of a socket file, such as 0660. Returns the descriptor, or -1 with
 *  one sentence in `error` that names the address, the failure, and what to do. */
int zc_listen (const char *address, unsigned mode, int backlog, char *error, size_t size);
/*  Makes the folder of a socket /run/FOLDER/NAME, or in /var/run, with mode 0755: both are empty
 *  after each boot. A missing folder elsewhere is probably a mistake. Returns -1 where the
 *  folder is elsewhere, exists, or can't be made. */
int zc_make_runtime_folder (const char *path);
/*  Waits a little, and returns true, until three seconds have passed; *waited_ms begins at 0.
 *  For an address or a file that an ending server still holds: nobody waits for the end of a
 *  server that was killed, and its processes hold all that they had until they are gone. */
bool zc_wait_for_end (unsigned *waited_ms);
/*  The number of a text such as "0660". It is above 0777 where the text isn't a file's
 *  permissions in octal. */
unsigned zc_file_mode (const char *text);
/*  Returns NULL where the address has a form that zc_listen takes, or else a description of the
 *  forms. */
const char *zc_listen_form (const char *address);
/*  Removes the socket file that zc_listen made, where the address is a path and no server
 *  listens there any more. */
void zc_unlisten (const char *address);
/*  Accepts a connection, with SOCK_NONBLOCK and SOCK_CLOEXEC. Returns the descriptor; or -1 with
 *  errno EAGAIN where no connection waits; or -1 with EMFILE or ENFILE where descriptors ran
 *  out: the caller then stops accepting for ZC_ACCEPT_PAUSE_MS, and the peers wait in the
 *  backlog. Errors that concern one peer (such as ECONNABORTED) are passed over. */
int zc_accept (int listener);
#define ZC_ACCEPT_PAUSE_MS 100
/*  The name of a connected socket's peer: "127.0.0.1:5000", "[::1]:5000" or "unix". */
void zc_peer_name (int fd, char *text, size_t size);
/*  The address of a connected socket's peer, as text; "" for a Unix socket. */
void zc_peer_address (int fd, char text[INET6_ADDRSTRLEN]);
/*  Whether the text is an IP address of this machine's loopback: 127.0.0.0/8 (RFC 6890 §2.2.2),
 *  ::1, or the first one within ::ffff:0:0/96 (RFC 4291 §2.5). */
bool zc_is_loopback (const char *address);
/*  Whether a listening socket takes TCP connections, and whether other machines can make them. */
bool zc_listens_on_tcp (int listener);
bool zc_listens_to_others (int listener);
/*  Connections that may wait in the backlog. */
#define ZC_BACKLOG 4096

#endif
