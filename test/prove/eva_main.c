/* SPDX-License-Identifier: ISC
 * eva_main.c - for Frama-C's Eva: the pure functions on any bytes of any length up to the buffer's,
 * with any state that they can have left behind. test/prove/run starts each.
 */
#include "ws_proto.h"
#include "__fc_builtin.h"

/* Entry points, one for each file */
void prove_utf8(void);
void prove_base64(void);
void prove_sha1(void);
void prove_frame(void);

/* Length by length where Eva has to know how two counters hang together; what is given are then the
 * last bytes of a buffer, as is the room, so that one more is outside
 */
#define N 64
static unsigned char in[N], out[2 * N];
static size_t len;

static void any_input(void)
{
	Frama_C_make_unknown((char *)in, sizeof in);
	len = Frama_C_size_t_interval(0, N);
}

void prove_utf8(void)
{
	uint32_t state = Frama_C_unsigned_int_interval(0, UINT32_MAX), cp;

	any_input();
	wsi_utf8_check(&state, in, len);
	wsi_utf8_decode(&cp, in, len);
}

void prove_base64(void)
{
	static char encoded[WSI_BASE64_LEN(N)];
	size_t n;

	any_input();
	for (n = 0; n <= N; n++) {
		wsi_base64_encode(encoded + sizeof encoded - WSI_BASE64_LEN(n), in + N - n, n);
		wsi_base64_decode(out + sizeof out - n / 4 * 3, (const char *)in + N - n, n);
	}
}

void prove_sha1(void)
{
	size_t n;

	any_input();
	for (n = 0; n <= N; n++)
		wsi_sha1(out + sizeof out - 20, in + N - n, (unsigned)n);
}

void prove_frame(void)
{
	struct wsi_frame f;
	unsigned char head[WSI_FRAME_HEAD_MAX];

	any_input();
	if (!wsi_frame_decode(&f, in, len) && f.head)
		wsi_frame_encode(head, f.b0, f.len, 0);
	wsi_frame_encode(head, in[0], Frama_C_unsigned_long_long_interval(0, UINT64_MAX), in);
	wsi_mask(in, in, len, in + 4);
	wsi_mask(out, in, len, in + 4);
}
