/*  listen.h - listening sockets, the connections they accept, and the names of peers. */
#ifndef ZC_LISTEN_H
#define ZC_LISTEN_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

/*  Opens a non-blocking, close-on-exec listening socket: "HOST:PORT", "[IPV6]:PORT", ":PORT"
 *  (loopback), a path or "unix:PATH". A name that stands for addresses of both families means the
 *  IPv4 one; "[::]" is all of either, and "*" all of IPv4. A stale socket file whose server is gone
 *  is replaced; one that answers is not. A missing folder is made as zc_make_runtime_folder does.
 *  An address that is in use is tried for a moment: see zc_wait_for_end.
 *  mode: permissions of a socket file, e.g. 0660. Returns the descriptor, or -1 with one sentence
 *  in `error` that names the address, what happened, and what to do. */
int zc_listen (const char *address, unsigned mode, int backlog, char *error, size_t size);
/*  Makes the folder of a socket /run/FOLDER/NAME (or in /var/run), with mode 0755: it is gone after
 *  each boot. Another folder that is missing is rather a mistake. Returns -1 where it is another,
 * is there, or can't be made. */
int zc_make_runtime_folder (const char *path);
/*  For what is in use by a server that may be ending: one that was killed is waited for by nobody,
 *  and its processes hold what they had until they are gone. Waits a little, and returns true,
 * until three seconds have passed; *waited_ms begins at 0. */
bool zc_wait_for_end (unsigned *waited_ms);
/*  "0660" as a number; above 0777 where the text isn't a file's permissions in octal. */
unsigned zc_file_mode (const char *text);
/*  Whether an address has a form that zc_listen takes: NULL, or what was expected. */
const char *zc_listen_form (const char *address);
/*  Removes the file of a socket made by zc_listen, if the address is one, and nobody listens there
 *  any more. */
void zc_unlisten (const char *address);
/*  accept4 with SOCK_NONBLOCK|SOCK_CLOEXEC. Returns the descriptor; -1 with errno EAGAIN when
 *  nobody waits; -1 with EMFILE/ENFILE when descriptors ran out: the caller stops accepting for a
 *  while (zc_accept_pause_ms), which leaves peers in the backlog. Transient errors of one peer
 *  (ECONNABORTED and the like) are passed over. */
int zc_accept (int listener);
#define ZC_ACCEPT_PAUSE_MS 100
/*  "127.0.0.1:5000", "[::1]:5000" or "unix" of a connected socket's peer. */
void zc_peer_name (int fd, char *text, size_t size);
/*  Its address alone, as text; "" where it has none. */
void zc_peer_address (int fd, char text[INET6_ADDRSTRLEN]);
/*  Whether an IP address as text is one of this machine's loopback: 127.0.0.0/8 (RFC 6890 §2.2.2),
 *  ::1, or the first within ::ffff:0:0/96 (RFC 4291 §2.5). */
bool zc_is_loopback (const char *address);
/*  Connections that may wait in the backlog. */
#define ZC_BACKLOG 4096

#endif
