/* SPDX-License-Identifier: ISC
 * upgrade.c - the opening handshake of RFC 6455 section 4: our request, the server's response, and
 * where a redirect leads
 *
 * The last four steps of ws_open are here: REQUEST, SEND, HEAD and BODY. open.c has those before
 * them.
 */
#include "ws_conn.h"
#include <string.h>

#define BEGUN_MAX 160      /* bytes of an incomplete response that a sentence shows */
#define WRONG_HEAD_MAX 600 /* bytes of a sentence about what is wrong with a head */
#define HEAD_PIECE 512     /* bytes by which the buffer for a head grows */

/* URLs */

int wsi_take_url(struct ws_conn *ws, const char *url, size_t len)
{
	struct wsi_url *u = &ws->op->url;
	struct wsi_text *t =
	    wsi_blank(ws, &ws->url, 2 * len); /* "***" is longer than some secrets */
	const char *why;

	if (!t)
		return ws->err;
	wsi_put_url(t, url, len);
	if (!wsi_room(ws, t, 0)) /* give back what was too much */
		return ws->err;
	ws->info.url = t->p;
	why = wsi_url_parse(u, url, len);
	if (!why)
		return 0;
	t = wsi_sentence(ws);
	wsi_put(t, "URL: ");
	wsi_put_url_why(t, u, url, len, why);
	wsi_put(t, ": ");
	wsi_put(t, ws->info.url);
	return wsi_fail(ws, WS_EURL);
}

bool wsi_same_origin(const struct wsi_url *a, const struct wsi_url *b)
{
	return a->secure == b->secure && a->port == b->port && wsi_same_str(a->host, b->host)
	       && wsi_same_str(a->zone, b->zone);
}

/* Moving heads */

void wsi_drop_head(struct ws_conn *ws)
{
	wsi_release(ws, &ws->head);
	ws->info.head = "";
	ws->info.head_len = 0;
}

void wsi_trace_head(const struct ws_conn *ws, int sent, const void *p, size_t len)
{
	wsi_trace(ws, sent, WS_TRACE_HEAD, p, len);
}

int wsi_send_head(struct ws_conn *ws)
{
	int r = wsi_write_out(ws, ws->head.p, &ws->head.len);

	if (r == 0 || r == WS_AGAIN)
		return r;
	return wsi_io_failed(ws, r, "");
}

/* What has come of an incomplete response. */
static struct wsi_str begun_response(const struct ws_conn *ws)
{
	struct wsi_str begun = {"", 0};

	if (ws->step == WSI_STEP_HEAD && ws->head.len > 0) {
		begun.p = ws->head.p;
		begun.len = ws->head.len;
	} else if (ws->step == WSI_STEP_PROXY) {
		begun.p = (const char *)ws->rbuf + ws->rpos;
		begun.len = ws->rend - ws->rpos;
	}
	return begun;
}

bool wsi_has_begun(const struct ws_conn *ws)
{
	return begun_response(ws).len > 0;
}

void wsi_put_begun(struct wsi_text *t, const struct ws_conn *ws)
{
	struct wsi_str begun = begun_response(ws);

	wsi_put_quoted(t, begun.p, begun.len, BEGUN_MAX);
}

void wsi_put_try_tls(struct wsi_text *t, const struct ws_conn *ws)
{
	if (!ws->op->url.secure && ws->interim == 0)
		wsi_put(t, " (if this port speaks TLS, try wss://)");
}

/* The server, or the proxy, ended the connection. */
static int response_ended(struct ws_conn *ws, int word)
{
	char detail[BEGUN_MAX + 100];
	struct wsi_text t;

	wsi_text_init(&t, detail, sizeof detail);
	if (wsi_has_begun(ws)) {
		wsi_put(&t, " within its response, which begins with ");
		wsi_put_begun(&t, ws);
	} else {
		wsi_put(&t, " without a response");
		if (ws->step == WSI_STEP_HEAD)
			wsi_put_try_tls(&t, ws);
#ifndef WS_NO_PROXY
		else
			wsi_put(&t, wsi_proxy_doubt(&ws->op->proxy));
#endif
	}
	return wsi_io_failed(ws, word, detail);
}

int wsi_read_response(struct ws_conn *ws)
{
	int r;

	ws->rend -= ws->rpos;
	memmove(ws->rbuf, ws->rbuf + ws->rpos, ws->rend);
	ws->rpos = 0;
	if (wsi_read_enough(ws)
	    || wsi_late(ws)) /* a peer that always has one more byte must not keep us */
		return WS_AGAIN;
	r = wsi_read_more(ws);
	if (r == 0 || r == WS_AGAIN)
		return r;
	if (ws->step == WSI_STEP_BODY) { /* the end of the connection ends the body */
		ws->op->body.state = 0;
		return 0;
	}
	return response_ended(ws, r);
}

/* The request */

int wsi_step_request(struct ws_conn *ws)
{
	struct wsi_opening *op = ws->op;
	unsigned char nonce[WSI_NONCE_LEN];
	struct wsi_request q;
	int r = wsi_random(ws, nonce, sizeof nonce);

	if (r)
		return r;
	wsi_base64_encode(op->key, nonce, sizeof nonce);
	q.url = &op->url;
	q.key = op->key;
	q.opt = &op->opt;
	q.same_origin = ws->same_origin;
	do {
		q.out = wsi_blank(ws, &ws->head, 2 * ws->head.cap + HEAD_PIECE);
		if (!q.out)
			return ws->err;
		wsi_put_request(&q);
	} while (q.out->cut);
	wsi_trace_head(ws, 1, q.out->p, q.out->len);
	wsi_note_sent(&op->sent, q.out->p, q.out->len);
	/* The bytes of the WebSocket's own stream begin here. Some may have come with the proxy's
	 * answer. */
	ws->info.bytes_sent = 0;
	ws->info.bytes_received = ws->rend - ws->rpos;
	ws->step = WSI_STEP_SEND;
	return 0;
}

int wsi_step_send(struct ws_conn *ws)
{
	int r = wsi_send_head(ws);

	if (r)
		return r;
	wsi_release(ws, &ws->head); /* a request may be large */
	ws->step = WSI_STEP_HEAD;
	ws->read_waits = WS_POLL_READ;
	ws->need_input = true;
	/* The response takes a while: poll before the first read. */
	return ws->rpos == ws->rend ? WS_AGAIN : 0;
}

/* The response */

static int invalid(struct ws_conn *ws, const char *why)
{
	struct wsi_text *t = wsi_sentence(ws);

	wsi_put(t, "upgrade of ");
	wsi_put(t, ws->info.url);
	wsi_put(t, ": the response of ");
	wsi_put_peer(t, ws);
	if (ws->info.http_status >= 300) {
		wsi_put(t, ", HTTP ");
		wsi_put_u(t, (unsigned)ws->info.http_status);
		wsi_put(t, ",");
	}
	wsi_put(t, " is not valid: ");
	wsi_put(t, why);
	return wsi_fail(ws, WS_EHANDSHAKE);
}

/* The server refused the upgrade. wrong: what is wrong with the rest of its head, or NULL. */
static int refused(struct ws_conn *ws, const char *wrong)
{
	struct wsi_opening *op = ws->op;
	struct wsi_text *t = wsi_sentence(ws);
	struct wsi_refusal f;

	f.response = &op->response;
	f.body.p = ws->info.body;
	f.body.len = ws->info.body_len;
	f.url = &op->url;
	f.opt = &op->opt;
	f.sent = op->sent;
	wsi_put(t, "upgrade of ");
	wsi_put(t, ws->info.url);
	wsi_put(t, " refused by ");
	wsi_put_peer(t, ws);
	wsi_put(t, ": HTTP ");
	wsi_put_u(t, (unsigned)ws->info.http_status);
	ws->info.option = wsi_put_refusal(t, &f);
	if (wrong) {
		wsi_put(t, "; its response is not valid: ");
		wsi_put(t, wrong);
	}
	return wsi_fail(ws, WS_EHTTP);
}

#ifndef WS_NO_REDIRECTS
static bool is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Puts this hop's URL into ws->op->hop_url, with room for a Location after it. NULL: no memory. */
static struct wsi_text *redirect_base(struct ws_conn *ws)
{
	const struct wsi_opening *op = ws->op;
	const struct wsi_str *userinfo = &op->first.userinfo;
	struct wsi_text *url = wsi_room(ws, &ws->op->hop_url, WS_MAX_URL);
	const char *rest;

	if (!url || ws->info.redirects > 0)
		return url;
	/* Only the program's URL may have userinfo, which a relative Location must not inherit. */
	rest = userinfo->p + userinfo->len;
	if (*rest == '@')
		rest++;
	wsi_put_n(url, op->first_url, (size_t)(userinfo->p - op->first_url));
	wsi_put_n(url, rest, (size_t)(op->first.path.p + op->first.path.len - rest));
	return url;
}

/* Puts the next hop's URL into ws->op->hop_url. NULL, or why the redirect cannot be followed. */
static const char *next_hop(struct ws_conn *ws, const struct wsi_seen *location)
{
	struct wsi_opening *op = ws->op;
	struct wsi_text *url = &op->hop_url, *cause = wsi_cause(ws);
	struct wsi_url u;
	const char *why;

	if (ws->info.redirects >= op->opt.max_redirects) {
		wsi_put(cause, "over the limit of redirects, which is ");
		wsi_put_u(cause, (unsigned)op->opt.max_redirects);
		return cause->p;
	}
	if (location->count == 0)
		return "it has no Location header";
	if (location->count > 1)
		return "it has several Location headers";
	if (location->value.len == 0)
		return "its Location header is empty";
	if (!wsi_url_resolve(url, location->value.p, location->value.len) || url->len > WS_MAX_URL)
		return "its Location makes a URL of over 8192 bytes";
	why = wsi_url_parse(&u, url->p, url->len);
	if (why) {
		wsi_put_url_fault(cause, &u, url->p + url->len, why);
		return cause->p;
	}
	if (u.userinfo.len > 0)
		return "its Location has a user name in it";
	if (op->url.secure && !u.secure)
		return "its Location leads from wss:// to unencrypted ws://";
	if (op->opt.unix_socket && !wsi_same_origin(&u, &op->first))
		return "its Location leads to another origin, which is not behind this Unix socket";
	return NULL;
}

static int redirect_failed(struct ws_conn *ws, struct wsi_str location, const char *why)
{
	struct wsi_text *t = wsi_sentence(ws), shown;
	char buf[1024]; /* a long Location must not leave the cause without room */

	wsi_text_init(&shown, buf, sizeof buf);
	wsi_put_location(&shown, location.p ? location.p : "", location.len);
	wsi_put(t, "redirect from ");
	wsi_put(t, ws->info.url);
	wsi_put(t, " to \"");
	wsi_put(t, buf);
	wsi_put(t, shown.cut ? "...\" (HTTP " : "\" (HTTP ");
	wsi_put_u(t, (unsigned)ws->info.http_status);
	wsi_put(t, "): ");
	wsi_put(t, why);
	return wsi_fail(ws, WS_EREDIRECT);
}

/* Goes on to the next hop. 0 or an error. */
static int redirect(struct ws_conn *ws, const struct wsi_response *r)
{
	const struct wsi_seen *location = &r->seen[WSI_LOCATION];
	struct wsi_text *chain = &ws->op->chain;
	const char *why;

	if (!redirect_base(ws))
		return ws->err;
	why = next_hop(ws, location);
	if (why)
		return redirect_failed(ws, location->value, why);
	if (!chain->p && !wsi_blank(ws, chain, WSI_REDIRECTS_MAX))
		return ws->err;
	wsi_put(chain, ws->info.url);
	wsi_put(chain, " -> ");
	ws->info.redirects++;
	ws->info.http_status = 0;
	wsi_drop_head(ws);
	wsi_release(ws, &ws->headers);
	wsi_close_transport(ws);
	ws->interim = 0;
	ws->step = WSI_STEP_START;
	return wsi_take_url(ws, ws->op->hop_url.p, ws->op->hop_url.len);
}
#endif

/* Any final status but 101 */
static int begin_body(struct ws_conn *ws, const struct wsi_response *r)
{
	if (!wsi_room(ws, &ws->body, WS_MAX_BODY))
		return ws->err;
	wsi_body_init(&ws->op->body, r);
	ws->connect_deadline =
	    wsi_earlier(ws->connect_deadline, wsi_after_ms(wsi_now_us(ws), WS_MAX_BODY_WAIT_MS));
	ws->step = WSI_STEP_BODY;
	return 0;
}

/* 101: RFC 6455 4.1 has the rules for it. */
static int finish_opening(struct ws_conn *ws, const struct wsi_response *r)
{
	struct wsi_text *why = wsi_cause(ws), *chosen;
	const char *subprotocol;
	char accept[WSI_ACCEPT_LEN];

	wsi_accept(accept, ws->op->key);
	if (wsi_response_check(r, accept, ws->op->opt.subprotocols, &subprotocol, &ws->info.option,
	                       why)
	    < 0)
		return invalid(ws, why->p);
	if (!subprotocol && ws->op->opt.require_subprotocol) {
		ws->info.option = "subprotocols";
		return invalid(ws, "it selected none of the subprotocols that were offered");
	}
	if (subprotocol) {
		chosen = wsi_room(ws, &ws->subprotocol, strlen(subprotocol));
		if (!chosen)
			return ws->err;
		wsi_put(chosen, subprotocol);
		ws->info.subprotocol = chosen->p;
	}
	wsi_enter(ws, WS_PHASE_READY);
	ws->opened = true;
	ws->state = WSI_OPEN;
	ws->connect_deadline = WSI_NEVER;
	ws->read_waits = WS_POLL_READ;
	wsi_end_opening(ws);
	return 0;
}

/* 1xx other than 101: another response follows. */
static int interim(struct ws_conn *ws, int status)
{
	struct wsi_text *why = wsi_cause(ws);

	ws->interim++;
	ws->head.len = 0;
	if (ws->interim <= WS_MAX_INTERIM)
		return 0;
	wsi_put(why, "over ");
	wsi_put_u(why, WS_MAX_INTERIM);
	wsi_put(why, " interim responses came, the last with HTTP ");
	wsi_put_u(why, (unsigned)status);
	return invalid(ws, why->p);
}

/* Keeps the headers for ws_header. False: no memory */
static bool keep_headers(struct ws_conn *ws, const char *fields)
{
	struct wsi_text *t = wsi_blank(ws, &ws->headers, ws->head.len);

	if (!t)
		return false;
	wsi_put_headers(t, fields);
	return wsi_room(ws, t, 0) != NULL; /* gives back what was too much */
}

/* The head is complete. */
static int judge_head(struct ws_conn *ws)
{
	struct wsi_response *r = &ws->op->response;
	struct wsi_text *head = &ws->head;

	ws->info.http_status = r->status;
	if (r->status < 200 && r->status != 101)
		return interim(ws, r->status);
	/* The report has the head from here on, whatever it means. */
	head->p[head->len] = '\0';
	ws->info.head = head->p;
	ws->info.head_len = head->len;
	if (!keep_headers(ws, r->fields))
		return ws->err;
	if (r->status == 101)
		return finish_opening(ws, r);
#ifndef WS_NO_REDIRECTS
	if (is_redirect(r->status) && ws->op->opt.max_redirects && !ws->given)
		return redirect(ws, r);
#endif
	return begin_body(ws, r);
}

/* The head is not valid. If its status line could be read and refuses the upgrade, the error is
 * still that refusal. */
static int judge_wrong_head(struct ws_conn *ws, struct wsi_text *why)
{
	const struct wsi_response *r = &ws->op->response;

	if (r->is_tls && !ws->op->url.secure)
		wsi_put(why, ": try wss://");
	if (r->status < 200)
		return invalid(ws, why->p);
	ws->info.http_status = r->status;
	if (r->status >= 300 && r->status < 400) /* its Location may be what is wrong */
		return invalid(ws, why->p);
	return refused(ws, why->p);
}

int wsi_step_head(struct ws_conn *ws)
{
	struct wsi_response *response = &ws->op->response;
	struct wsi_text *head = &ws->head, why;
	size_t n = ws->rend - ws->rpos;
	char why_buf[WRONG_HEAD_MAX];
	int r;

	if (n == 0)
		return wsi_read_response(ws);
	if (head->len == 0)
		memset(response, 0, sizeof *response);
	if (n > HEAD_PIECE) /* most of what lies after the head is not copied */
		n = HEAD_PIECE;
	if (head->len + n >= head->cap && !wsi_room(ws, head, HEAD_PIECE))
		return ws->err;
	wsi_put_n(head, ws->rbuf + ws->rpos, n);
	ws->rpos += n;
	wsi_text_init(&why, why_buf, sizeof why_buf);
	r = wsi_response_read(response, head->p, head->len, &why);
	if (r == 0)
		return 0;
	ws->rpos -= head->len - response->len; /* bytes after the head belong to the first frame */
	head->len = response->len;
	wsi_trace_head(ws, 0, head->p, head->len);
	return r > 0 ? judge_head(ws) : judge_wrong_head(ws, &why);
}

int wsi_step_body(struct ws_conn *ws)
{
	struct wsi_body *decoder = &ws->op->body;
	struct wsi_text *body = &ws->body;

	if (decoder->state && body->len < WS_MAX_BODY) {
		if (ws->rpos == ws->rend)
			return wsi_read_response(ws);
		wsi_body_feed(decoder, body, (const char *)ws->rbuf + ws->rpos,
		              ws->rend - ws->rpos);
		ws->rpos = ws->rend;
		return 0;
	}
	ws->info.body = body->p;
	ws->info.body_len = body->len;
	return refused(ws, NULL);
}
