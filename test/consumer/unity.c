/* SPDX-License-Identifier: ISC
 * unity.c - the single file, included in another one
 */
#include "ws.c"
#include "app.c"
