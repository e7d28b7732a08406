# SPDX-License-Identifier: ISC
# For GNU make and bmake. CC, CFLAGS, CPPFLAGS, LDFLAGS and LDLIBS are yours.
#	TLS=mbedtls or none     default: auto, which takes mbedTLS where the compiler finds it
#	CPPFLAGS=-DWS_NO_...    leave out parts: WS_NO_RESOLVER WS_NO_THREADS WS_NO_PROXY WS_NO_REDIRECTS
#	                        WSQUERY_NO_FORMATS
# Nothing is ever downloaded.

CFLAGS ?= -Os
AR ?= ar
PREFIX = /usr/local
BINDIR = $(PREFIX)/bin
LIBDIR = $(PREFIX)/lib
INCLUDEDIR = $(PREFIX)/include
MANDIR = $(PREFIX)/share/man
TLS = auto
MUSL_CC = musl-gcc
PYTHON = python3

HDR != ls *.h
LIB_SRC != ls sha1.c base64.c utf8.c text.c ip.c url.c frame.c handshake.c proxy.c net.c ws.c 2>/dev/null || :
PROG_SRC != ls match.c 2>/dev/null; grep -l 'include "wsquery.h"' *.c 2>/dev/null || :
TESTS != ls test/test_*.c 2>/dev/null | sed 's/\.c$$//'
VERSION != sed -n 's/.*define WS_VERSION "\(.*\)".*/\1/p' ws.h
# Before 1.0.0 the second number may break the ABI, so it is part of the name
SONAME != sed -n 's/.*define WS_VERSION "\([0-9]*\.[0-9]*\).*/libws.so.\1/p' ws.h

MBEDTLS_CFLAGS != pkg-config --cflags mbedtls mbedx509 mbedcrypto 2>/dev/null || :
MBEDTLS_LIBS != pkg-config --libs mbedtls mbedx509 mbedcrypto 2>/dev/null || echo -lmbedtls -lmbedx509 -lmbedcrypto
TLS_FOUND != case '$(TLS)' in mbedtls | none) echo '$(TLS)' ;; *) t=.probe.$$$$; \
	echo 'int main(void) { return 0; }' | $(CC) $(CPPFLAGS) $(CFLAGS) $(MBEDTLS_CFLAGS) -include mbedtls/ssl.h -x c - \
		-o $$t $(LDFLAGS) $(MBEDTLS_LIBS) 2>/dev/null && echo mbedtls || echo none; rm -f $$t ;; esac
TLS_SRC_mbedtls != ls trust.c tls.c 2>/dev/null || :
TLS_CFLAGS_mbedtls = -DWS_WITH_MBEDTLS $(MBEDTLS_CFLAGS)
TLS_LIBS_mbedtls = $(MBEDTLS_LIBS)

ALL_CFLAGS = -std=c11 -I. -pthread -ffunction-sections -fdata-sections $(TLS_CFLAGS_$(TLS_FOUND)) $(CPPFLAGS) $(CFLAGS)
ALL_LIBS = $(TLS_LIBS_$(TLS_FOUND)) $(LDLIBS)
ALL_LIB_SRC = $(LIB_SRC) $(TLS_SRC_$(TLS_FOUND))
LIB_OBJ = $(ALL_LIB_SRC:.c=.o)
LIB_LO = $(ALL_LIB_SRC:.c=.lo)
PROG_OBJ = $(PROG_SRC:.c=.o)

# Objects made with other flags are made anew: .flags changes when they do
FLAGS_NOTED != echo '$(CC) $(ALL_CFLAGS)' | cmp -s - .flags || echo '$(CC) $(ALL_CFLAGS)' > .flags

all: wsquery libws.a

.SUFFIXES: .c .o .lo
.c.o:
	$(CC) $(ALL_CFLAGS) -c -o $@ $<
.c.lo:
	$(CC) $(ALL_CFLAGS) -fPIC -fvisibility=hidden -DWS_API='__attribute__((visibility("default")))' -c -o $@ $<
.c:
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< test/libprog.a libws.a $(ALL_LIBS)

$(LIB_OBJ) $(LIB_LO) $(PROG_OBJ): $(HDR) .flags
.flags:

libws.a: $(LIB_OBJ)
	rm -f $@
	$(AR) rcs $@ $(LIB_OBJ)

libws.so: $(LIB_LO)
	$(CC) $(ALL_CFLAGS) -shared -Wl,-soname,$(SONAME) $(LDFLAGS) -o $@ $(LIB_LO) $(ALL_LIBS)

wsquery: $(PROG_OBJ) libws.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(PROG_OBJ) libws.a $(ALL_LIBS)

ws.pc: ws.pc.in ws.h .flags
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' \
		-e 's|@VERSION@|$(VERSION)|' -e 's|@LIBS@|$(ALL_LIBS)|' ws.pc.in > $@

# The program without its main, for unit tests
test/libprog.a: $(PROG_OBJ)
	rm -f $@
	$(AR) rcs $@ $(PROG_OBJ:main.o=)

$(TESTS) test/echo_server test/autobahn_testee: test/libprog.a libws.a test/check.h

demo: wsquery test/echo_server
	@sh test/demo.sh

test: all $(TESTS) test/echo_server
	@PYTHON='$(PYTHON)' sh test/run.sh $(TESTS)

unit: $(TESTS)
	@PYTHON= sh test/run.sh $(TESTS)

clean:
	rm -rf build dist
	rm -f *.o *.lo wsquery libws.a libws.so ws.pc .flags .probe.* test/libprog.a test/echo_server test/autobahn_testee \
		$(TESTS)

.PHONY: all demo test unit clean
