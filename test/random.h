/* SPDX-License-Identifier: ISC
 * random.h - pseudo-random numbers (xorshift), the same in each run
 */
#ifndef TEST_RANDOM_H
#define TEST_RANDOM_H
#include <stddef.h>
#include <stdint.h>

#define RNG_SEED 88172645463325252u /* any number but 0 */

static uint64_t rng_state = RNG_SEED;

/* A number from 0 to n - 1 */
static inline unsigned below(size_t n)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return (unsigned)((rng_state >> 20) % n);
}
#endif
