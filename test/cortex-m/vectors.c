/* SPDX-License-Identifier: ISC
 * vectors.c - the vector table of an emulated Cortex-M (QEMU's mps2 boards, 4 MiB of memory from
 * address 0)
 */
#include <stdint.h>

#define MEMORY_END 0x400000

void _start(void);
extern const uintptr_t vectors[16];

/* The stack, the reset handler, and at 3 the handler of hard faults: a fault starts it again, and
 * the test sees its first line twice. */
__attribute__((section(".vectors")))
const uintptr_t vectors[16] = {MEMORY_END, (uintptr_t)_start, 0, (uintptr_t)_start};
