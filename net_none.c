/* SPDX-License-Identifier: ISC
 * net_none.c - replaces sys.c, sys_words.c, resolve.c and net.c where there is no operating
 * system (WS_NO_NET)
 *
 * The program supplies io, alloc, now_us and entropy in struct ws_options. Without them,
 * everything here fails.
 */
#include "ws_net.h"
#ifdef WS_NO_NET
#include <string.h>

void *wsi_alloc(const struct wsi_mem *m, void *ptr, size_t old_len, size_t new_len)
{
	if (!m->alloc)
		return NULL;
	return m->alloc(m->user_data, ptr, old_len, new_len);
}

int64_t wsi_clock_us(void)
{
	return 0;
}

int wsi_entropy(void *buf, size_t len)
{
	(void)buf;
	(void)len;
	return -1;
}

int wsi_poll(const struct ws_pollset *set, int wake_fd)
{
	(void)set;
	(void)wake_fd;
	return -1;
}

void wsi_wake_open(int fd[2])
{
	(void)fd;
}

void wsi_wake_close(const int fd[2])
{
	(void)fd;
}

void wsi_wake(int fd)
{
	(void)fd;
}

ptrdiff_t wsi_socket_read(void *io, void *buf, size_t len)
{
	(void)io;
	(void)buf;
	(void)len;
	return WS_IO_ERROR;
}

ptrdiff_t wsi_socket_write(void *io, const void *buf, size_t len)
{
	(void)io;
	(void)buf;
	(void)len;
	return WS_IO_ERROR;
}

void wsi_socket_close(void *io)
{
	(void)io;
}

int wsi_socket_prepare(int fd)
{
	(void)fd;
	return -1;
}

void wsi_net_init(struct wsi_net *n, const struct ws_options *opt, const struct wsi_url *to)
{
	(void)opt;
	(void)to;
	memset(n, 0, sizeof *n);
}

int wsi_net_step(struct wsi_net *n, int64_t now_us)
{
	(void)n;
	(void)now_us;
	return WS_EUNSUPPORTED;
}

int64_t wsi_net_wants(const struct wsi_net *n, struct ws_pollset *set)
{
	(void)n;
	(void)set;
	return WSI_NEVER;
}

int wsi_net_put_tried(const struct wsi_net *n, struct wsi_text *t)
{
	(void)n;
	wsi_put(t, "connect: this build has no sockets: set ws_options.io");
	return WS_EUNSUPPORTED;
}

bool wsi_net_lacks_fd(const struct wsi_net *n)
{
	(void)n;
	return false;
}

void wsi_net_put_peer(const struct wsi_net *n, struct wsi_text *t)
{
	(void)n;
	(void)t;
}

void wsi_net_end(struct wsi_net *n)
{
	(void)n;
}

const char *wsi_net_check(const struct ws_options *o, const char **option, const char **value)
{
	*value = NULL;
	if (o->unix_socket) {
		*option = "unix_socket";
		return "not built in";
	}
	if (o->resolve) {
		*option = "resolve";
		return "not built in";
	}
	if (o->local_interface) {
		*option = "local_interface";
		return "not built in";
	}
	return NULL;
}
#endif
