/* SPDX-License-Identifier: ISC
 * net_none.c - what stands in for net.c where there is no operating system (WS_NO_NET)
 *
 * The program gives io, alloc, now_us and entropy in struct ws_options; nothing here does anything of its own.
 */
#include "ws_net.h"
#ifdef WS_NO_NET
#include <string.h>

WSI void *wsi_alloc(const struct wsi_mem *m, void *ptr, size_t old_len, size_t new_len)
{
	return m->alloc ? m->alloc(m->user_data, ptr, old_len, new_len) : NULL;
}

WSI int64_t wsi_clock_us(void)
{
	return 0;
}

WSI int wsi_entropy(void *buf, size_t len)
{
	(void)buf;
	(void)len;
	return -1;
}

WSI int wsi_poll(const struct ws_pollset *set)
{
	(void)set;
	return -1;
}

WSI ptrdiff_t wsi_socket_read(void *io, void *buf, size_t len)
{
	(void)io;
	(void)buf;
	(void)len;
	return WS_IO_ERROR;
}

WSI ptrdiff_t wsi_socket_write(void *io, const void *buf, size_t len)
{
	(void)io;
	(void)buf;
	(void)len;
	return WS_IO_ERROR;
}

WSI void wsi_socket_close(void *io)
{
	(void)io;
}

WSI int wsi_socket_prepare(int fd)
{
	(void)fd;
	return -1;
}

WSI void wsi_net_init(struct wsi_net *n, const struct ws_options *opt, const struct wsi_url *to)
{
	(void)opt;
	(void)to;
	memset(n, 0, sizeof *n);
}

WSI int wsi_net_step(struct wsi_net *n, int64_t now_us)
{
	(void)n;
	(void)now_us;
	return WS_EUNSUPPORTED;
}

WSI int64_t wsi_net_wants(const struct wsi_net *n, struct ws_pollset *set)
{
	(void)n;
	(void)set;
	return WSI_NEVER;
}

WSI int wsi_net_put_tried(const struct wsi_net *n, struct wsi_text *why)
{
	(void)n;
	wsi_put(why, "connect: this build has no sockets: give it an io");
	return WS_EUNSUPPORTED;
}

WSI void wsi_net_put_peer(const struct wsi_net *n, const struct wsi_net_addr *a, struct wsi_text *t)
{
	(void)n;
	(void)a;
	(void)t;
}

WSI void wsi_net_end(struct wsi_net *n)
{
	(void)n;
}

WSI const char *wsi_net_check(const struct ws_options *o, const char **option, const char **value)
{
	*option = o->resolve ? "resolve" : "local_interface";
	*value = NULL;
	return o->resolve || o->local_interface ? "not built in" : NULL;
}
#endif
