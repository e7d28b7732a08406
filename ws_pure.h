/* SPDX-License-Identifier: ISC
 * ws_pure.h - layer 0, internal: functions of bytes alone. No system, no allocation; of libc memcpy, memmove, memset,
 * memcmp and strlen at most. Nothing here keeps a pointer beyond the call unless its struct shows it.
 */
#ifndef WS_PURE_H
#define WS_PURE_H
#include <stddef.h>
#include <stdint.h>

/* What goes before each internal function: hidden in a library; "static" in the single-file build */
#ifndef WSI
#if defined(__GNUC__)
#define WSI __attribute__((visibility("hidden")))
#else
#define WSI
#endif
#endif

/* text.c: a bounded string under construction. Always NUL-terminated; what does not fit is cut: .cut is then 1, .len
 * counts only what is in it, and nothing more is put in, so that it is a beginning of the whole. cap is at least 1. */
struct wsi_text {
	char *p;
	size_t cap, len;
	int cut;
};
WSI void wsi_text_init(struct wsi_text *t, char *buf, size_t cap);
WSI void wsi_put(struct wsi_text *t, const char *s);
WSI void wsi_put_n(struct wsi_text *t, const void *p, size_t len);
WSI void wsi_put_c(struct wsi_text *t, char c);
WSI void wsi_put_u(struct wsi_text *t, uint64_t v); /* decimal */
/* base: 10 to 16; the last of the digits, places of them (at most 20), stand behind a point */
WSI void wsi_put_digits(struct wsi_text *t, uint64_t v, unsigned base, int places);
WSI void wsi_put_ms(struct wsi_text *t, int64_t us); /* a duration for a person: "12 ms", "1.5 s" */
/* Bytes of a peer, for a sentence: what wsi_is_unseen, and bytes that are no UTF-8, become "?". No character is cut in
 * half. */
WSI void wsi_put_safe(struct wsi_text *t, const void *p, size_t len);
WSI int wsi_is_unseen(
    uint32_t cp); /* 1: invisible, a control, a line's end, or changes the direction of text */
/* The first line of a peer's bytes in quotation marks, at most max bytes of it, and "..." where that is not all. As
 * wsi_put_safe, but each byte of what is unsafe is shown as \xNN: a reader who looks for what is wrong must see it. */
WSI void wsi_put_quoted(struct wsi_text *t, const char *p, size_t len, size_t max);

/* Time, in microseconds of any clock that never goes back */
#define WSI_NEVER (INT64_MAX / 2) /* a time that is never reached, and can still be added to */
/* How many milliseconds there are from now to then, as poll wants them: rounded up, so that nobody wakes too early; 0 if
 * then is past; -1 if it is WSI_NEVER; at most INT_MAX */
WSI int wsi_ms_until(int64_t now_us, int64_t then_us);

/* Strings of a length, and what libc would do by locale */
struct wsi_str {
	const char *p;
	size_t len;
};
WSI int wsi_lower(int c);                                 /* ASCII */
WSI int wsi_hex(int c);                                   /* 0-15, or -1 */
WSI int wsi_same_str(struct wsi_str a, struct wsi_str b); /* 1: equal, ASCII case ignored */
WSI int wsi_is(struct wsi_str s, const char *name);       /* 1: s is that name, case ignored */
WSI int wsi_among(const char *p, size_t len,
                  const char *names); /* 0, 1 ... of "ws\0wss\0", case ignored; or -1 */
WSI const char *wsi_nth(const char *names,
                        unsigned n); /* "wss" of "ws\0wss\0\n" for 1; "" where there is none */
WSI size_t wsi_find(const char *p, size_t len, char c); /* where the first c is, or len */
/* How many bytes from p on are in the set: pairs of a range's first and last character, "09AZaz__"; "^..." is all
 * others. No range goes over from ASCII ("\x20~" and "\x80\xff" are two): char may be signed. NUL is in "^..." alone */
WSI size_t wsi_span(const char *p, size_t len, const char *set);
WSI struct wsi_str wsi_trim(const char *p, size_t len); /* without spaces and tabs around it */
WSI int wsi_number(const char *p, size_t len,
                   int max); /* decimal digits alone; -1: none, others, or over max */
WSI int wsi_digits(const char *p, size_t len, int max, int base); /* likewise, base up to 16 */
#define WSI_TCHAR "!!#'*+-.09AZ^z||~~"                            /* RFC 7230 3.2.6, for wsi_span */
/* 1: the token is an item of the list "a, b"; ASCII case is ignored */
WSI int wsi_has_token(struct wsi_str list, const char *token);

/* secret.c: whose values are secrets. They are shown as "***", and such headers go to no other origin */
WSI int wsi_is_secret_name(const char *name,
                           size_t len); /* of a URL's parameter, percent-encoded or not */
WSI int wsi_is_secret_header(const char *name, size_t len); /* of a request's header */
WSI int wsi_is_secret_response_header(const char *name, size_t len);
/* The first value in "path?query#fragment" that is a secret and not empty; .p is behind the text where there is none */
WSI struct wsi_str wsi_find_secret(const char *p, size_t len);
/* "path?query#fragment" for a sentence, as wsi_put_safe */
WSI void wsi_put_without_secrets(struct wsi_text *t, const char *p, size_t len);

/* sha1.c: RFC 3174. len < 2^29 */
WSI void wsi_sha1(unsigned char out[20], const void *p, unsigned len);

/* base64.c: RFC 4648 section 4 */
#define WSI_BASE64_LEN(n) (((n) + 2) / 3 * 4)
WSI size_t wsi_base64_encode(char *out, const void *in,
                             size_t len); /* WSI_BASE64_LEN(len) characters, no NUL */
#ifdef WS_WITH_MBEDTLS                    /* for tls.pin_sha256 */
WSI ptrdiff_t wsi_base64_decode(void *out, const char *in,
                                size_t len); /* bytes, at most len / 4 * 3; -1: not canonical
                                                                           base64 with its padding */
#endif

/* utf8.c: RFC 3629, resumable at any byte. state is 0 at the start, and again at each character's end. */
WSI size_t wsi_utf8_check(uint32_t *state, const void *p,
                          size_t len); /* bytes before the first wrong one: len if none
                                                                          is. At a wrong byte the state is spent */
/* Decodes the character at p. > 0: its length, *cp it; 0: len ends inside it; -1: p[0] begins none that is valid */
WSI int wsi_utf8_decode(uint32_t *cp, const void *p, size_t len);

/* ip.c: numeric addresses */
WSI int wsi_ip_parse(unsigned char out[16], const char *s,
                     size_t len); /* 4 (dotted quad, no leading zeros), 16 (RFC
                                                                           4291, no zone) bytes, or 0: is none */
WSI void wsi_put_ip(struct wsi_text *t, const unsigned char *addr,
                    int len); /* 4 or 16 bytes; RFC 5952, no brackets */
WSI int wsi_ip_in(const unsigned char *a, const unsigned char *b,
                  unsigned bits); /* 1: the first bits are equal */

#endif
