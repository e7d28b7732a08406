/* SPDX-License-Identifier: ISC
 * random.c - random bytes for mbedTLS's PSA, from the system: by itself, mbedTLS with musl would
 * open /dev/random, which a container or a chroot may not have
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>
#include <psa/crypto.h>

static size_t read_urandom(uint8_t *out, size_t len) /* Linux before 3.17 */
{
	int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	size_t done = 0;
	ssize_t n = 0;

	while (fd >= 0 && done < len
	       && ((n = read(fd, out + done, len - done)) > 0 || (n < 0 && errno == EINTR)))
		done += n > 0 ? (size_t)n : 0;
	if (fd >= 0)
		close(fd);
	return done;
}

psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *context,
                                             uint8_t *out, size_t len, size_t *out_len)
{
	size_t done = 0;
	ssize_t n;

	(void)context;
	while (done < len) {
		n = getrandom(out + done, len - done, 0);
		if (n > 0)
			done += (size_t)n;
		else if (n < 0 && errno == ENOSYS)
			done += read_urandom(out + done, len - done);
		if (n == 0 || (n < 0 && errno != EINTR))
			break;
	}
	*out_len = done;
	return done == len ? PSA_SUCCESS : PSA_ERROR_INSUFFICIENT_ENTROPY;
}
