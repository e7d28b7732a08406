/* SPDX-License-Identifier: ISC
 * eva_string.h - for Frama-C's Eva: what the library uses of string.h, in place of Frama-C's own
 *
 * Frama-C's own header does not let memmove and the others take 0 bytes at the end of an array. C
 * allows that (C11 7.24.1).
 */
#ifndef __FC_STRING_H_
#define __FC_STRING_H_
#include <stddef.h>
typedef struct {
	long long integer;
	long double real;
} max_align_t; /* not in the headers of Frama-C 25 */
/*@ requires dest: dest != \null && \valid((char *)dest + (0 .. n - 1));
  @ requires src: src != \null && \valid_read((char *)src + (0 .. n - 1));
  @ requires separation: \separated((char *)dest + (0 .. n - 1), (char *)src + (0 .. n - 1));
  @ assigns ((char *)dest)[0 .. n - 1] \from ((char *)src)[0 .. n - 1];
  @ assigns \result \from dest;
  @ ensures \result == dest;
  @*/
void *memcpy(void *restrict dest, const void *restrict src, size_t n);
/*@ requires dest: dest != \null && \valid((char *)dest + (0 .. n - 1));
  @ requires src: src != \null && \valid_read((char *)src + (0 .. n - 1));
  @ assigns ((char *)dest)[0 .. n - 1] \from ((char *)src)[0 .. n - 1];
  @ assigns \result \from dest;
  @ ensures \result == dest;
  @*/
void *memmove(void *dest, const void *src, size_t n);
/*@ requires dest: dest != \null && \valid((char *)dest + (0 .. n - 1));
  @ assigns ((char *)dest)[0 .. n - 1] \from c;
  @ assigns \result \from dest;
  @ ensures \result == dest;
  @*/
void *memset(void *dest, int c, size_t n);
/*@ requires a: a != \null && \valid_read((char *)a + (0 .. n - 1));
  @ requires b: b != \null && \valid_read((char *)b + (0 .. n - 1));
  @ assigns \result \from ((char *)a)[0 .. n - 1], ((char *)b)[0 .. n - 1];
  @*/
int memcmp(const void *a, const void *b, size_t n);
/*@ assigns \result \from s[0 ..]; */
size_t strlen(const char *s);
#endif
