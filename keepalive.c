/* SPDX-License-Identifier: ISC
 * keepalive.c - ws_options.ping_interval_ms: finds out whether a silent peer is still there
 *
 * When nothing came for an interval, a ping goes out. Any byte that comes afterwards is a sign of
 * life, and so is a byte that the peer takes while the transport is full: a peer that is busy with
 * our long message cannot answer a ping that waits behind it. Without such a sign within another
 * interval, the call that waits returns WS_ETIMEOUT. Then counting starts again, so that a program
 * that makes the same call again waits for two intervals more.
 *
 * The silence is judged only after a read that found nothing: what came while the program was busy
 * elsewhere counts.
 */
#include "ws_conn.h"
#include <string.h>

/* The payload of our pings. A pong that echoes it is not handed out. */
static const char ping_payload[] = "ping_interval_ms";

void wsi_heard(struct ws_conn *ws)
{
	ws->quiet_since = wsi_now_us(ws);
	ws->ping_unanswered = false;
}

/* Pings can be sent, and are wanted. */
static bool keeps_alive(const struct ws_conn *ws)
{
	return ws->ping_interval_ms > 0 && ws->state == WSI_OPEN && !ws->close_sent;
}

int64_t wsi_keepalive_due(const struct ws_conn *ws)
{
	if (!keeps_alive(ws))
		return WSI_NEVER;
	return wsi_after_ms(ws->quiet_since, ws->ping_interval_ms);
}

static int peer_is_silent(struct ws_conn *ws)
{
	struct wsi_text *t = wsi_sentence(ws);

	wsi_put(t, "receive from ");
	wsi_put_peer(t, ws);
	wsi_put(t, " timed out: nothing came for ");
	wsi_put_ms(t, wsi_now_us(ws) - ws->info.last_received_us);
	if (ws->send_len > 0)
		wsi_put(t, ", and the peer does not read what is sent to it");
	else
		wsi_put(t, ", not even an answer to a ping");
	ws->silent = true;
	return wsi_fail(ws, WS_ETIMEOUT);
}

int wsi_keepalive(struct ws_conn *ws)
{
	int64_t due = wsi_keepalive_due(ws), now;

	if (due == WSI_NEVER)
		return 0;
	now = wsi_now_us(ws);
	if (now < due)
		return 0;
	/* A frame that the program has left unfinished may hold our ping back. That is not the
	 * peer's fault. */
	if (ws->ping_unanswered && !(ws->ping_waits && ws->send_len == 0))
		return peer_is_silent(ws);
	ws->ping_unanswered = ws->ping_waits = true;
	ws->quiet_since = now;
	return 0;
}

void wsi_ping_sent(struct ws_conn *ws)
{
	ws->ping_waits = false;
	ws->quiet_since = wsi_now_us(ws); /* the ping may have waited */
}

void wsi_silence_told(struct ws_conn *ws)
{
	if (!ws->silent)
		return;
	ws->silent = false;
	wsi_heard(ws);
}

void wsi_make_ping(struct wsi_control *c)
{
	c->opcode = WSI_PING;
	c->len = sizeof ping_payload - 1;
	memcpy(c->data, ping_payload, sizeof ping_payload - 1);
}

bool wsi_answers_keepalive(const struct ws_conn *ws, const void *pong, size_t len)
{
	return ws->ping_interval_ms > 0 && len == sizeof ping_payload - 1
	       && memcmp(pong, ping_payload, len) == 0;
}
