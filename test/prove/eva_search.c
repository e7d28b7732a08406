/* SPDX-License-Identifier: ISC
 * eva_search.c - for Frama-C's Eva and for CBMC: the searches of the real text.c, beside what eva_models.c and
 * cbmc_models.c have in place of the rest
 */
#define wsi_text_init real_text_init
#define wsi_put real_put
#define wsi_put_n real_put_n
#define wsi_put_c real_put_c
#define wsi_put_u real_put_u
#define wsi_put_digits real_put_digits
#define wsi_put_hex real_put_hex
#define wsi_put_safe real_put_safe
#define wsi_put_quoted real_put_quoted
#define wsi_same_str real_same_str
#define wsi_is real_is
#define wsi_has_token real_has_token
#define wsi_number real_number
#define wsi_digits real_digits
#define wsi_is_unseen real_is_unseen
#include "text.c"
