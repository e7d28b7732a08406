/* SPDX-License-Identifier: ISC
 * cancel.c - ws_cancel: another thread, or a signal handler, ends the waiting of a call
 *
 * The flag alone says that there is something to cancel. The wake-up descriptors only make a call
 * look at it: a wake-up without the flag means nothing, so an old one does no harm. ws_cancel sets
 * the flag before it wakes, and a waiting call empties the descriptor before it looks, so none is
 * missed.
 *
 * A ws_send that has already taken a part of a message returns the number of bytes. The flag then
 * stays set for the next call.
 */
#include "ws_conn.h"

void wsi_cancel_init(struct ws_conn *ws)
{
	ws->canceled = 0;
	ws->wake[0] = ws->wake[1] = -1;
	if (!ws->nonblock && !ws->own_io)
		wsi_wake_open(ws->wake);
}

int ws_cancel(struct ws_conn *ws)
{
	ws->canceled = 1;
	if (ws->wake[1] < 0)
		return WS_EIO;
	wsi_wake(ws->wake[1]);
	return 0;
}

bool wsi_canceled(struct ws_conn *ws)
{
	return ws->canceled != 0;
}

int wsi_told(struct ws_conn *ws, int r)
{
	if (r == WS_ETIMEOUT)
		wsi_silence_told(ws);
	if (r != WS_AGAIN && r != WS_ECANCELED)
		return r;
	if (!wsi_canceled(ws))
		return r;
	/* A ws_cancel that comes between these two lines is merged with this one: what its thread
	 * did before calling it is visible when this call returns. */
	ws->canceled = 0;
	if (!ws->err)
		ws->why = "the call was canceled (ws_cancel)";
	return WS_ECANCELED;
}
