/* SPDX-License-Identifier: ISC
 * ws_pure.h - internal: functions that only compute: text, character classes, secrets, SHA-1,
 * base64, UTF-8, addresses
 *
 * No function here uses the operating system, allocates memory, or keeps a pointer after it
 * returns, unless its struct shows the pointer. Of libc they need memcpy, memmove, memset, memcmp
 * and strlen.
 */
#ifndef WS_PURE_H
#define WS_PURE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Stands before the declaration of every internal function. Such a function is hidden in a library,
 * and static in the single-file build. */
#ifndef WSI
#if defined(__GNUC__)
#define WSI __attribute__((visibility("hidden")))
#else
#define WSI
#endif
#endif

/* A slice of somebody else's bytes. It has no NUL at its end. */
struct wsi_str {
	const char *p;
	size_t len;
};

/* text.c: a string that is built in a buffer of fixed size. It always ends with a NUL. Text that
 * does not fit is cut off: cut is then true, and nothing more is appended, so that the buffer holds
 * a prefix of the whole. */
struct wsi_text {
	char *p;
	size_t cap; /* size of the buffer, at least 1 */
	size_t len; /* bytes in the buffer, without the NUL */
	bool cut;
};
WSI void wsi_text_init(struct wsi_text *t, char *buf, size_t cap);
WSI void wsi_put(struct wsi_text *t, const char *s);
WSI void wsi_put_n(struct wsi_text *t, const void *p, size_t len);
WSI void wsi_put_c(struct wsi_text *t, char c);
WSI void wsi_put_u(struct wsi_text *t, uint64_t v);
/* A number in a base from 10 to 16. The last `places` digits (at most 20) follow a decimal point.
 */
WSI void wsi_put_digits(struct wsi_text *t, uint64_t v, unsigned base, int places);
/* A byte as two hexadecimal digits. */
WSI void wsi_put_hex(struct wsi_text *t, unsigned byte);
/* A duration for a person to read: "12 ms", "1.5 s". */
WSI void wsi_put_ms(struct wsi_text *t, int64_t us);
/* Bytes of a peer, made safe for a terminal. Characters for which wsi_is_unseen is true and bytes
 * that are not UTF-8 become "?". A character that does not fit whole is left out. */
WSI void wsi_put_safe(struct wsi_text *t, const void *p, size_t len);
/* True for characters that are invisible, control the terminal, end a line or change the direction
 * of text. */
WSI bool wsi_is_unseen(uint32_t cp);
/* The first line of a peer's bytes in quotation marks, with "..." after max bytes. Unlike
 * wsi_put_safe, it shows each unsafe byte as \xNN, because a reader who looks for the fault needs
 * to see it. */
WSI void wsi_put_quoted(struct wsi_text *t, const char *p, size_t len, size_t max);

/* Time, in microseconds of a clock that never goes back. WSI_NEVER is never reached, and one can
 * still add to it. */
#define WSI_NEVER (INT64_MAX / 2)
/* The milliseconds from now to then, as poll takes them: rounded up, so that nobody wakes too
 * early, and at most INT_MAX. 0 if then has passed; -1 if it is WSI_NEVER. */
WSI int wsi_ms_until(int64_t now_us, int64_t then_us);
/* The earlier of two times. */
WSI int64_t wsi_earlier(int64_t a, int64_t b);

/* Classes of characters. c is a byte, 0 to 255. The locale plays no part: no byte above 127 is a
 * letter. */
typedef bool wsi_class(int c);
WSI bool wsi_is_digit(int c);
WSI bool wsi_is_hex_digit(int c);
WSI bool wsi_is_letter(int c);
WSI bool wsi_is_letter_or_digit(int c);
/* A space or a tab. */
WSI bool wsi_is_blank(int c);
/* RFC 7230 3.2.6: the characters of a token. */
WSI bool wsi_is_tchar(int c);
/* True if c is one of the characters of set. */
WSI bool wsi_is_one_of(int c, const char *set);
/* The number of bytes at p, up to the first one that is not of the class. */
WSI size_t wsi_span_if(const char *p, size_t len, wsi_class *is);

/* The position of the first c, or len. */
WSI size_t wsi_find(const char *p, size_t len, char c);
/* The position of the first byte that is one of the characters of set, or len. */
WSI size_t wsi_find_any(const char *p, size_t len, const char *set);
WSI int wsi_lower(int c);
/* The value of a hexadecimal digit, or -1. */
WSI int wsi_hex(int c);
/* Comparisons that ignore the case of ASCII letters. */
WSI bool wsi_same_str(struct wsi_str a, struct wsi_str b);
WSI bool wsi_is(struct wsi_str s, const char *name);
/* True if the list "a, b" has that token. */
WSI bool wsi_has_token(struct wsi_str list, const char *token);
/* Without the blanks around it. */
WSI struct wsi_str wsi_trim(const char *p, size_t len);
/* A host name without the final dot of the root, which certificates do not have. */
WSI struct wsi_str wsi_drop_dots(struct wsi_str name);
/* The value of a string of decimal digits. -1 if it is empty, has another character, or is over
 * max. */
WSI int wsi_number(const char *p, size_t len, int max);
/* The same for a base of up to 16. */
WSI int wsi_digits(const char *p, size_t len, int max, int base);

/* secret.c: which values are secrets. They are shown as "***", and such headers are not sent to
 * another origin. */
/* The name of a URL's parameter, percent-encoded or not. */
WSI bool wsi_is_secret_name(const char *name, size_t len);
/* The name of a header of a request, or of a response. */
WSI bool wsi_is_secret_header(const char *name, size_t len);
WSI bool wsi_is_secret_response_header(const char *name, size_t len);
/* The first value in "path?query#fragment" that is a secret and not empty. If there is none, .p
 * points after the text and .len is 0. */
WSI struct wsi_str wsi_find_secret(const char *p, size_t len);
/* Appends "path?query#fragment" as wsi_put_safe does, with each secret as "***". */
WSI void wsi_put_without_secrets(struct wsi_text *t, const char *p, size_t len);

/* sha1.c: RFC 3174. len is less than 2^29. */
WSI void wsi_sha1(unsigned char out[20], const void *p, unsigned len);

/* base64.c: RFC 4648 section 4. Writes WSI_BASE64_LEN(len) characters and no NUL, and returns their
 * number. */
#define WSI_BASE64_LEN(n) (((n) + 2) / 3 * 4)
WSI size_t wsi_base64_encode(char *out, const void *in, size_t len);
#ifdef WS_WITH_MBEDTLS
/* Returns the number of bytes, at most len / 4 * 3; -1 if the text is not canonical base64 with its
 * padding. out may be the same as in. */
WSI ptrdiff_t wsi_base64_decode(void *out, const char *in, size_t len);
#endif

/* utf8.c: RFC 3629. The check can stop and go on after any byte. *state is 0 at the start, and 0
 * again after each whole character. Returns the number of bytes before the first wrong one, or len.
 * After a wrong byte *state has no meaning. */
WSI size_t wsi_utf8_check(uint32_t *state, const void *p, size_t len);
/* The quickest check of a short text, which is mostly ASCII */
WSI bool wsi_is_ascii(const void *p, size_t len);
/* Decodes the character at p into *cp and returns its length. 0: the text ends inside the
 * character. -1: no valid character begins at p. */
WSI int wsi_utf8_decode(uint32_t *cp, const void *p, size_t len);

#define WSI_IP_MAX 16 /* bytes of the longest address, which is that of IPv6 */
/* ip.c: numeric addresses. Returns 4 for an IPv4 address (dotted quad without leading zeros), 16
 * for an IPv6 address (RFC 4291, without a zone), and 0 for anything else. */
WSI int wsi_ip_parse(unsigned char out[WSI_IP_MAX], const char *s, size_t len);
/* Appends an address of 4 or 16 bytes as in RFC 5952, without brackets. */
WSI void wsi_put_ip(struct wsi_text *t, const unsigned char *addr, int len);
/* True if the first bits of both addresses are equal. */
WSI bool wsi_ip_in(const unsigned char *a, const unsigned char *b, unsigned bits);

#endif
