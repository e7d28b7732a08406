/* SPDX-License-Identifier: ISC
 * guard.h - places bytes directly before or after an inaccessible page
 *
 * Reading or writing one byte too many then ends the test, with any compiler and without a
 * sanitizer. It needs _POSIX_C_SOURCE 200809L.
 */
#ifndef GUARD_H
#define GUARD_H
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define GUARD_ROOM ((size_t)1 << 17) /* a multiple of every page size */

/* GUARD_ROOM bytes between two such pages */
static inline unsigned char *guard_room(void)
{
	static unsigned char *room;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int zero;
	void *p;

	if (room)
		return room;
	zero = open("/dev/zero", O_RDWR);
	p = mmap(NULL, GUARD_ROOM + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0);
	close(zero);
	if (p == MAP_FAILED)
		abort();
	room = (unsigned char *)p + page;
	if (mprotect(p, page, PROT_NONE) != 0 || mprotect(room + GUARD_ROOM, page, PROT_NONE) != 0)
		abort();
	return room;
}

/* A copy of the bytes that ends where the page after the room begins; it lives until the next call
 */
static inline void *guard_after(const void *p, size_t len)
{
	unsigned char *copy = guard_room() + GUARD_ROOM - len;

	if (len > 0)
		memmove(copy, p, len);
	return copy;
}

/* A copy of the bytes that begins where the page before the room ends */
static inline void *guard_before(const void *p, size_t len)
{
	if (len > 0)
		memmove(guard_room(), p, len);
	return guard_room();
}
#endif
