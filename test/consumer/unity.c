/* SPDX-License-Identifier: ISC
 * unity.c - the single file within another one
 */
#include "ws.c"
#include "app.c"
