/* SPDX-License-Identifier: ISC
 * outfile.c - --output: a reader of the file finds either the old answer or the new one, whole
 *
 * The answer goes to FILE.tmp with the process's number after it, which is then renamed to FILE.
 * What is not a regular file, such as /dev/null or a FIFO, is written to directly.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/outfile.h"
#include "cli/wsquery.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX_SIZE 32 /* of ".tmp" and a number */

static const char *shown_name = "standard output";
static const char *final_name; /* NULL: there is no file that gets a new name */
static char *new_name;
static bool is_spoilt; /* not all could be written */

/* "FILE.tmp123" */
static bool make_new_name(const char *name)
{
	size_t size = strlen(name) + SUFFIX_SIZE;
	struct wsi_text t;

	new_name = wq_alloc(NULL, NULL, 0, size);
	if (!new_name)
		return false;
	wsi_text_init(&t, new_name, size);
	wsi_put(&t, name);
	wsi_put(&t, ".tmp");
	wsi_put_u(&t, (uint64_t)getpid());
	return true;
}

static bool is_special(const char *name)
{
	struct stat st;

	return stat(name, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

/* The descriptor, or -1 and errno */
static int open_new(const char *name)
{
	struct stat st;

	if (is_special(name))
		return open(name, O_WRONLY | O_NOCTTY | O_CLOEXEC);
	if (stat(name, &st) == 0 && S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return -1;
	}
	if (!make_new_name(name)) {
		errno = ENOMEM;
		return -1;
	}
	unlink(new_name); /* of a process that was killed and had the same number */
	return open(new_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
}

int wq_outfile_open(const char *name)
{
	int fd = open_new(name), err;

	if (fd < 0)
		return errno;
	if (fd != 1 && dup2(fd, 1) < 0) {
		err = errno;
		close(fd);
		if (new_name)
			unlink(new_name);
		return err;
	}
	if (new_name)
		final_name = name;
	if (fd != 1)
		close(fd);
	shown_name = name;
	wq_process_opened(1);
	return 0;
}

const char *wq_outfile_name(void)
{
	return shown_name;
}

void wq_outfile_spoil(void)
{
	is_spoilt = true;
}

int wq_outfile_end(int status)
{
	const char *name = final_name;
	struct stat st;

	if (!name)
		return status;
	final_name = NULL;
	/* Nothing is written with -q, or of a wrong command line in most formats. */
	if (is_spoilt || fstat(1, &st) < 0 || st.st_size == 0) {
		unlink(new_name);
		return status;
	}
	if (rename(new_name, name) == 0)
		return status;
	wq_say(name, strerror(errno));
	unlink(new_name);
	return status == WQ_OK ? WQ_NO_OUTPUT : status;
}
