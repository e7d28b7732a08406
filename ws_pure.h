/* SPDX-License-Identifier: ISC
 * ws_pure.h - layer 0, internal: functions of bytes alone. No system, no allocation; of libc memcpy, memmove, memset
 * and memcmp at most. Nothing here keeps a pointer beyond the call unless its struct shows it.
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

/* text.c: a bounded string under construction. Always NUL-terminated if cap > 0; what does not fit is cut: .cut is then
 * 1, .len counts only what is in it, and nothing more is put in, so that it is a beginning of the whole. */
struct wsi_text {
	char *p;
	size_t cap, len;
	int cut;
};
WSI void wsi_text_init(struct wsi_text *t, char *buf, size_t cap);
WSI void wsi_put(struct wsi_text *t, const char *s);
WSI void wsi_put_n(struct wsi_text *t, const void *p, size_t len);
WSI void wsi_put_c(struct wsi_text *t, char c);
WSI void wsi_put_u(struct wsi_text *t, uint64_t v);                   /* decimal */
WSI void wsi_put_ms(struct wsi_text *t, int64_t us);                  /* a duration for a person: "12 ms", "1.5 s" */
WSI void wsi_put_safe(struct wsi_text *t, const void *p, size_t len); /* bytes of a peer, for a sentence: controls, DEL,
                                                                         line ends, marks of direction and what is not
                                                                         UTF-8 as "?"; no character is cut in half */
/* Strings without libc */
WSI size_t wsi_strlen(const char *s);
WSI int wsi_lower(int c);                                               /* ASCII */
WSI int wsi_same(const char *a, size_t a_len, const char *lit);         /* 1: equal, ASCII case ignored */
WSI int wsi_is_tchar(int c);                                            /* RFC 7230 3.2.6 */
WSI int wsi_is_token(const char *s, size_t len);                        /* one tchar at least */
WSI int wsi_has_token(const char *list, size_t len, const char *token); /* "a, b": case ignored */

/* sha1.c: RFC 3174 */
struct wsi_sha1 {
	uint32_t h[5];
	uint64_t len;
	unsigned char block[64];
};
WSI void wsi_sha1_init(struct wsi_sha1 *s);
WSI void wsi_sha1_update(struct wsi_sha1 *s, const void *p, size_t len);
WSI void wsi_sha1_final(struct wsi_sha1 *s, unsigned char out[20]);

/* base64.c: RFC 4648 section 4 */
#define WSI_BASE64_LEN(n) (((n) + 2) / 3 * 4)
WSI size_t wsi_base64_encode(char *out, const void *in, size_t len);    /* WSI_BASE64_LEN(len) characters, no NUL */
WSI ptrdiff_t wsi_base64_decode(void *out, const char *in, size_t len); /* bytes, at most len / 4 * 3; -1: not canonical
                                                                           base64 with its padding */

/* utf8.c: RFC 3629, resumable at any byte. state is 0 at the start, and again at each character's end. */
WSI size_t wsi_utf8_check(uint32_t *state, const void *p, size_t len); /* bytes before the first wrong one: len if none
                                                                          is. At a wrong byte the state is spent */
/* Decodes the character at p. > 0: its length, *cp it; 0: len ends inside it; -1: p[0] begins none that is valid */
WSI int wsi_utf8_decode(uint32_t *cp, const void *p, size_t len);

/* ip.c: numeric addresses */
WSI int wsi_ip_parse(unsigned char out[16], const char *s, size_t len); /* 4 (dotted quad, no leading zeros), 16 (RFC
                                                                           4291, no zone) bytes, or 0: is none */
WSI void wsi_put_ip(struct wsi_text *t, const unsigned char *addr, int len); /* 4 or 16 bytes; RFC 5952, no brackets */
WSI int wsi_ip_in(const unsigned char *a, const unsigned char *b, int len, unsigned bits); /* 1: first bits are equal */

#endif
