/* SPDX-License-Identifier: ISC
 * process.h - this process: signals, clock, waiting, and reads and writes that never block for long
 */
#ifndef WQ_PROCESS_H
#define WQ_PROCESS_H
#include "ws_pure.h"
#include <poll.h>

#define WQ_NEVER WSI_NEVER

void wq_process_init(void);
int wq_signal(void); /* SIGINT, SIGTERM, or 0: none came */
int64_t wq_now_us(void);
int wq_wait(struct pollfd *p, unsigned n, int64_t until_us,
            bool watch); /* p has room for one more; watch: signals end it */

/* From start to stop SIGALRM comes every 10 ms and ends what blocks. Pairs may lie within one
 * another. */
void wq_tick_start(void);
void wq_tick_stop(void);
void wq_tick_look(void (*look)(
    void)); /* to be called at each tick, from the handler, where other ticks may come */

void wq_process_opened(int fd); /* it has been opened: wq_is_closed(fd) is false from now on */
bool wq_is_closed(int fd);      /* descriptor 0, 1 or 2, and closed when the program began */
/* As read and write, but they block for about 10 ms at most: then EINTR, or what was done by
 * then */
ptrdiff_t wq_read(int fd, void *buf, size_t len);
ptrdiff_t wq_write(int fd, const void *buf, size_t len);

#endif
