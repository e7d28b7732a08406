/* SPDX-License-Identifier: ISC
 * sys_words.c - what the error numbers of the operating system mean: an error of ws.h, and words
 *
 * The words begin with those of strerror(3), because people search for them. strerror itself is
 * not thread-safe on every system.
 */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* EHOSTDOWN, ENONET */
#endif
#ifndef _DARWIN_C_SOURCE
#define _DARWIN_C_SOURCE
#endif
#include "ws_net.h"
#ifndef WS_NO_NET
#include <errno.h>

static const struct wsi_errno_words errno_words[] = {
    {ECONNREFUSED, WS_EREFUSED, "Connection refused"},
    {ETIMEDOUT, WS_EUNREACHABLE, "Connection timed out"},
    {ENETUNREACH, WS_EUNREACHABLE, "Network is unreachable"},
    {EHOSTUNREACH, WS_EUNREACHABLE, "No route to host"},
    {ENETDOWN, WS_EUNREACHABLE, "Network is down"},
    {EHOSTDOWN, WS_EUNREACHABLE, "Host is down"},
#ifdef ENONET
    {ENONET, WS_EUNREACHABLE, "Machine is not on the network"},
#endif
    {EADDRNOTAVAIL, WS_EUNREACHABLE,
     "Cannot assign requested address: no local address or port is free for it"},
    {EADDRINUSE, WS_EUNREACHABLE, "Address already in use"},
    {EAFNOSUPPORT, WS_EUNREACHABLE, "Address family not supported by this system"},
    {EPFNOSUPPORT, WS_EUNREACHABLE, "Protocol family not supported by this system"},
    {EPROTONOSUPPORT, WS_EUNREACHABLE, "Protocol not supported by this system"},
    {ENOENT, WS_EUNREACHABLE, "No such file or directory"},
    {ENOTDIR, WS_EUNREACHABLE, "Not a directory: a part of the path is a file"},
    {ELOOP, WS_EUNREACHABLE, "Too many levels of symbolic links"},
    {EPROTOTYPE, WS_EUNREACHABLE, "Protocol wrong type for socket: it is not a stream socket"},
    {ECONNRESET, WS_ERESET, "Connection reset by peer"},
    {ECONNABORTED, WS_ERESET, "Connection aborted"},
    {ENETRESET, WS_ERESET, "Network dropped connection on reset"},
    {EPIPE, WS_ERESET, "Broken pipe"},
    {EACCES, WS_EIO, "Permission denied"},
    {EPERM, WS_EIO, "Operation not permitted: a firewall or a sandbox on this machine forbids it"},
    {ENOSYS, WS_EIO, "Function not implemented: a sandbox on this machine may forbid it"},
    {EMFILE, WS_EIO, "Too many open files: this process has reached its limit (ulimit -n)"},
    {ENFILE, WS_EIO, "Too many open files in system"},
    {ENOBUFS, WS_EIO, "No buffer space available"},
    {ENOMEM, WS_EIO, "Cannot allocate memory"},
    {EAGAIN, WS_EIO, "Resource temporarily unavailable"},
    {EINVAL, WS_EIO, "Invalid argument: the system does not accept this address"},
    {ENAMETOOLONG, WS_EIO, "File name too long"},
    {ENODEV, WS_EIO, "No such device"},
    {ENXIO, WS_EIO, "No such device or address"},
    {EIO, WS_EIO, "Input/output error"},
    {EBADF, WS_EIO, "Bad file descriptor: something closed our socket"},
    {ENOTSOCK, WS_EIO, "Socket operation on non-socket: something replaced our socket"},
    {EISCONN, WS_EIO, "Transport endpoint is already connected"},
    {EALREADY, WS_EIO, "Operation already in progress"},
    {EPROTO, WS_EIO, "Protocol error"},
    {ENOPROTOOPT, WS_EIO, "Protocol not available"},
    {EOPNOTSUPP, WS_EIO, "Operation not supported"},
};
static const struct wsi_errno_words unexpected_errno = {0, WS_EIO, "unexpected system error"};

const struct wsi_errno_words *wsi_errno_words(int system_errno)
{
	size_t i;

	for (i = 0; i < sizeof errno_words / sizeof errno_words[0]; i++)
		if (errno_words[i].system_errno == system_errno)
			return &errno_words[i];
	return &unexpected_errno;
}

bool wsi_errno_is_no_fd(int system_errno)
{
	return system_errno == EMFILE || system_errno == ENFILE;
}
#endif
