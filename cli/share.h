/* SPDX-License-Identifier: ISC
 * share.h - what several queries share, so that it is read once
 */
#ifndef WQ_SHARE_H
#define WQ_SHARE_H
#include <stdbool.h>

struct wq_options;
struct ws_options;

/* Sets lib->tls.trust, if several queries can share what this one trusts. secure: its URL is a wss://
 * one. The files are read within lib->timeout_ms and lib->connect_timeout_ms. */
void wq_share_trust(struct wq_options *o, struct ws_options *lib, bool secure);
/* Drops what is shared, because files of it could not be read: the next query reads them again. */
void wq_share_no_trust(struct wq_options *o);

#endif
