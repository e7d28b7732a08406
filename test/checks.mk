# SPDX-License-Identifier: ISC
# Included by the Makefile: checks that take longer than make test.

# The Autobahn test suite against test/autobahn_testee
autobahn: test/autobahn_testee
	sh test/autobahn.sh test/autobahn_testee

# The same random conversations through this library, wsproto and websockets (Debian: python3-wsproto, python3-websockets)
CONVERSATIONS = 2000
SEED = 1
differential: libwsquery.a
	mkdir -p build
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o build/differential-client test/differential/client.c libwsquery.a $(ALL_LIBS)
	$(PYTHON) test/differential/compare.py --count $(CONVERSATIONS) --seed $(SEED) build/differential-client

# Each fuzz target with libFuzzer (clang) for FUZZ_SECONDS, two at a time; with FUZZ="text ws" only these
FUZZ_SECONDS = 60
FUZZ =
fuzz:
	MBEDTLS_CFLAGS='$(MBEDTLS_CFLAGS)' MBEDTLS_LIBS='$(MBEDTLS_LIBS)' sh test/fuzz/run $(FUZZ_SECONDS) $(FUZZ)

# Which lines and branches of the library the unit tests run, and those of the program over TLS
coverage:
	$(PYTHON) test/coverage.py -v

# One process queries, streams and reconnects against misbehaving servers; its memory must not grow
SOAK_SECONDS = 3600
soak: libwsquery.a
	mkdir -p build
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o build/soak test/soak/soak.c libwsquery.a $(ALL_LIBS)
	PYTHON='$(PYTHON)' sh test/soak/run build/soak $(SOAK_SECONDS)

# Every system call and every allocation fails once, under sanitizers: test/cli/ci_faults.py. FAULTS is the tree in build/.
# With that of another run with the same flags, as CC=gcc FAULTS=sanitize-gcc, the program is not compiled again
FAULTS = faults
FAULTY = socket socketpair pipe eventfd bind connect setsockopt getsockopt shutdown poll fstat stat lseek \
	nanosleep getrandom read write send malloc realloc getaddrinfo pthread_create fcntl open
faults:
	sh test/variant.sh $(FAULTS) CC='$(CC)' CFLAGS='$(SANITIZE)' TLS='$(TLS)' all faulty
	WSQUERY=$$PWD/build/$(FAULTS)/wsquery FAULTY_WSQUERY=$$PWD/build/$(FAULTS)/faulty-wsquery \
		FAULTY_CLIENT=$$PWD/build/$(FAULTS)/faulty-client $(PYTHON) -m pytest -q -p no:cacheprovider $(PYTEST_ARGS) test/cli/ci_faults.py
faulty: $(PROG_OBJ) libwsquery.a
	$(CC) $(ALL_CFLAGS) -c -o faults.o test/faults/faults.c
	set --; for f in $(FAULTY); do set -- "$$@" "-Wl,--wrap=$$f"; done; \
		$(CC) $(ALL_CFLAGS) $(LDFLAGS) "$$@" -o faulty-wsquery $(PROG_OBJ) faults.o libwsquery.a $(ALL_LIBS) && \
		$(CC) $(ALL_CFLAGS) $(LDFLAGS) "$$@" -o faulty-client test/faults/client.c faults.o libwsquery.a $(ALL_LIBS)

# make test under AddressSanitizer, UndefinedBehaviorSanitizer and LeakSanitizer
SANITIZE = -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
check-sanitizers:
	sh test/variant.sh sanitize-gcc CC=gcc CFLAGS='$(SANITIZE)' TLS='$(TLS)' PYTHON='$(PYTHON)' test
	sh test/variant.sh sanitize-clang CC=clang CFLAGS='$(SANITIZE)' TLS='$(TLS)' PYTHON='$(PYTHON)' test

# Makes small faults in FILES, one at a time, for SECONDS, and prints those that no unit test notices
FILES = $(ALL_LIB_SRC)
SECONDS = 600
SAMPLE = 1000000
SEED = 1
mutate:
	nice -n 19 $(PYTHON) test/mutate.py --seconds $(SECONDS) --sample $(SAMPLE) --seed $(SEED) --cc '$(CC)' --cflags '$(TLS_CFLAGS_$(TLS_FOUND)) $(USER_CPPFLAGS)' \
		--libs '$(ALL_LIBS)' --sources '$(ALL_LIB_SRC) $(PROG_SRC:main.c=)' $(FILES)

# The unit tests for other machines, under qemu-user. Debian: qemu-user-static, gcc-TRIPLET, libc6-dev-ARCHITECTURE-cross
CROSS = arm-linux-gnueabihf s390x-linux-gnu
check-cross:
	for triplet in $(CROSS); do sh test/cross.sh $$triplet || exit; done

.PHONY: fuzz check-cross autobahn differential coverage soak faults faulty check-sanitizers mutate
