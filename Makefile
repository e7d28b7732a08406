# SPDX-License-Identifier: ISC
# For GNU make and bmake. CC, CFLAGS, CPPFLAGS, LDFLAGS and LDLIBS are yours.
#	TLS=mbedtls or none     default: auto, which uses mbedTLS if the compiler finds it
#	CPPFLAGS=-DWS_NO_...    leave out parts: WS_NO_RESOLVER WS_NO_THREADS WS_NO_PROXY WS_NO_REDIRECTS
#	                        WSQUERY_NO_FORMATS
#	MUSL_CC=, MBEDTLS_SRC=  for make static
#	TEST_CFLAGS=            more flags for the test programs; -O0 builds them in a quarter of the time
# Nothing is ever downloaded.

CFLAGS ?= -Os
PREFIX = /usr/local
BINDIR = $(PREFIX)/bin
LIBDIR = $(PREFIX)/lib
INCLUDEDIR = $(PREFIX)/include
MANDIR = $(PREFIX)/share/man
# Shells whose completions are installed, and where. RUN is what runs a program that was built for another machine
COMPLETION = bash zsh fish
BASHDIR = $(PREFIX)/share/bash-completion/completions
ZSHDIR = $(PREFIX)/share/zsh/site-functions
FISHDIR = $(PREFIX)/share/fish/vendor_completions.d
RUN =
TLS = auto
MUSL_CC = musl-gcc
PYTHON = python3
INSTALL = install
PKG_CONFIG = pkg-config

# On Linux bmake adds -nostdinc -idirafter $(DESTDIR)/usr/include when DESTDIR is given. The build needs the headers.
USER_CPPFLAGS = $(CPPFLAGS:-nostdinc=)

HDR = ws.h ws_pure.h ws_proto.h ws_net.h ws_tls.h ws_mbedtls.h ws_conn.h $(CLI_HDR)
CLI_HDR != ls cli/*.h
LIB_SRC = text.c sha1.c base64.c utf8.c ip.c secret.c url.c url_show.c frame.c header.c request.c response.c refusal.c proxy.c no_proxy.c \
	sys.c sys_words.c resolve.c net.c net_none.c conn.c copy.c check.c upgrade.c open.c keepalive.c buffer.c cancel.c transport.c send.c recv.c ws.c
PROG_SRC = main.c cli/options.c cli/optable.c cli/optcheck.c cli/optfiles.c cli/values.c cli/help.c cli/complete.c cli/env.c cli/input.c \
	cli/many.c cli/list.c cli/share.c cli/progress.c \
	cli/loop.c cli/task.c cli/tries.c cli/follow.c cli/stream.c cli/lines.c cli/print.c cli/query.c cli/setup.c cli/dialogue.c cli/failure.c cli/store.c \
	cli/result.c cli/nagios.c cli/prometheus.c cli/trace.c cli/json.c cli/out.c cli/process.c \
	cli/watchdog.c cli/memory.c cli/why.c cli/pattern.c cli/match.c cli/capture.c cli/expand.c cli/pings.c cli/suggest.c cli/outfile.c
TEST_HDR != ls test/*.h
# A compiler without <stdatomic.h> (tcc) builds without threads, and without the tests over real sockets
NO_ATOMICS != echo | $(CC) $(CFLAGS) -include stdatomic.h -E - >/dev/null 2>&1 || echo -DWS_NO_THREADS
TESTS != tests=$$(ls test/test_*.c test/cli/test_*.c 2>/dev/null); [ -z '$(NO_ATOMICS)' ] || tests=$$(grep -L 'net\.h"' $$tests </dev/null); \
	echo "$$tests" | sed 's/\.c$$//'
SCRIPTS != ls test/test-*.sh 2>/dev/null || :
VERSION != sed -n 's/.*define WS_VERSION "\(.*\)".*/\1/p' ws.h
# The number in the shared library's name. It grows when programs must be compiled again
ABI = 0

MBEDTLS_CFLAGS != $(PKG_CONFIG) --cflags mbedtls mbedx509 mbedcrypto 2>/dev/null || :
MBEDTLS_LIBS != $(PKG_CONFIG) --libs mbedtls mbedx509 mbedcrypto 2>/dev/null || echo -lmbedtls -lmbedx509 -lmbedcrypto
TLS_FOUND != case '$(TLS)' in mbedtls | none) echo '$(TLS)' ;; *) t=.probe.$$$$; \
	echo 'int main(void) { return 0; }' | $(CC) $(USER_CPPFLAGS) $(CFLAGS) $(MBEDTLS_CFLAGS) -include mbedtls/ssl.h -x c - \
		-o $$t $(LDFLAGS) $(MBEDTLS_LIBS) 2>/dev/null && echo mbedtls || echo none; rm -f $$t ;; esac
TLS_SRC_mbedtls = trust.c der.c chain.c tls_port.c tls_words.c tls_trust.c tls_config.c tls_verdict.c tls_wire.c tls.c
TLS_CFLAGS_mbedtls = -DWS_WITH_MBEDTLS $(MBEDTLS_CFLAGS)
TLS_LIBS_mbedtls = $(MBEDTLS_LIBS)

ALL_CFLAGS = -std=c11 -I. -pthread -ffunction-sections -fdata-sections $(TLS_CFLAGS_$(TLS_FOUND)) $(NO_ATOMICS) $(USER_CPPFLAGS) \
	$(CFLAGS)
ALL_LIBS = $(TLS_LIBS_$(TLS_FOUND)) $(LDLIBS)
ALL_LIB_SRC = $(LIB_SRC) $(TLS_SRC_$(TLS_FOUND))
LIB_OBJ = $(ALL_LIB_SRC:.c=.o)
LIB_LO = $(ALL_LIB_SRC:.c=.lo)
PROG_OBJ = $(PROG_SRC:.c=.o)

# .flags changes when the flags do, so that objects are built again
FLAGS_NOTED != f='$(CC) $(ALL_CFLAGS) $(MUSL_CC) $(MBEDTLS_SRC)'; echo "$$f" | cmp -s - .flags || echo "$$f" > .flags

all: wsquery libwsquery.a

.SUFFIXES: .c .o .lo
.c.o:
	$(CC) $(ALL_CFLAGS) -c -o $@ $<
.c.lo:
	$(CC) $(ALL_CFLAGS) -fPIC -fvisibility=hidden -DWS_API='__attribute__((visibility("default")))' -c -o $@ $<
.c:
	$(CC) $(ALL_CFLAGS) $(TEST_CFLAGS) $(LDFLAGS) -o $@ $< test/libprog.a libwsquery.a $(ALL_LIBS)

$(LIB_OBJ) $(LIB_LO) $(PROG_OBJ): $(HDR) .flags
.flags:

libwsquery.a: $(LIB_OBJ)
	rm -f $@
	$(AR) rcs $@ $(LIB_OBJ)

# -Bsymbolic-functions: the library's own calls never reach a function of that name in the program
libwsquery.so: $(LIB_LO)
	$(CC) $(ALL_CFLAGS) -shared -Wl,-soname,libwsquery.so.$(ABI),-Bsymbolic-functions $(LDFLAGS) -o $@ $(LIB_LO) $(ALL_LIBS)

wsquery: $(PROG_OBJ) libwsquery.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(PROG_OBJ) libwsquery.a $(ALL_LIBS)

wsquery.pc: wsquery.pc.in
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' \
		-e 's|@VERSION@|$(VERSION)|' -e 's|@LIBS@|$(ALL_LIBS)|' wsquery.pc.in > $@

# One static program for an empty container. It needs musl-gcc (or MUSL_CC). With the sources of mbedTLS in
# MBEDTLS_SRC=DIRECTORY, which are only read, it also supports wss://
STATIC = -std=c11 -I. -Os -flto=auto -fno-inline-functions-called-once -ffunction-sections -fdata-sections \
	-fno-asynchronous-unwind-tables -fno-pie -no-pie -static -s \
	-Wl,--gc-sections,-z,noseparate-code,-z,norelro,--build-id=none $(USER_CPPFLAGS)
STATIC_KIND != [ -z '$(MBEDTLS_SRC)' ] || echo _tls
STATIC_LIB_tls = build/static/libmbedtls.a
STATIC_TLS_tls = -DWS_WITH_MBEDTLS -DMBEDTLS_CONFIG_FILE='"tls-static/mbedtls_config.h"' -isystem '$(MBEDTLS_SRC)/include' \
	$(TLS_SRC_mbedtls)
static: build/static/wsquery
build/static/wsquery: $(LIB_SRC) $(PROG_SRC) $(TLS_SRC_mbedtls) $(HDR) $(STATIC_LIB$(STATIC_KIND)) .flags
	mkdir -p build/static
	$(MUSL_CC) $(STATIC) -o $@ $(LIB_SRC) $(PROG_SRC) $(STATIC_TLS$(STATIC_KIND)) $(STATIC_LIB$(STATIC_KIND))
build/static/libmbedtls.a: tls-static/build.sh tls-static/mbedtls_config.h tls-static/random.c .flags
	CC='$(MUSL_CC)' sh tls-static/build.sh '$(MBEDTLS_SRC)' build/static

build/completion/bash build/completion/zsh build/completion/fish: wsquery
	mkdir -p build/completion
	$(RUN) ./wsquery --completion $(@F) >$@.new
	mv $@.new $@

# The header is <wsquery/ws.h>, so that it does not collide with another ws.h
install: all libwsquery.so wsquery.pc $(COMPLETION:%=build/completion/%)
	$(INSTALL) -d -m 755 $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(INCLUDEDIR)/wsquery \
		$(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man3
	$(INSTALL) -m 755 wsquery $(DESTDIR)$(BINDIR)/wsquery
	$(INSTALL) -m 644 libwsquery.a $(DESTDIR)$(LIBDIR)/libwsquery.a
	$(INSTALL) -m 755 libwsquery.so $(DESTDIR)$(LIBDIR)/libwsquery.so.$(ABI)
	ln -sf libwsquery.so.$(ABI) $(DESTDIR)$(LIBDIR)/libwsquery.so
	$(INSTALL) -m 644 wsquery.pc $(DESTDIR)$(LIBDIR)/pkgconfig/wsquery.pc
	$(INSTALL) -m 644 ws.h $(DESTDIR)$(INCLUDEDIR)/wsquery/ws.h
	$(INSTALL) -m 644 wsquery.1 $(DESTDIR)$(MANDIR)/man1/wsquery.1
	$(INSTALL) -m 644 libwsquery.3 $(DESTDIR)$(MANDIR)/man3/libwsquery.3
	for shell in $(COMPLETION); do \
		case $$shell in bash) to=$(BASHDIR)/wsquery ;; zsh) to=$(ZSHDIR)/_wsquery ;; fish) to=$(FISHDIR)/wsquery.fish ;; esac; \
		$(INSTALL) -d -m 755 $(DESTDIR)$${to%/*} && $(INSTALL) -m 644 build/completion/$$shell $(DESTDIR)$$to || exit; \
	done

uninstall:
	rm -f $(DESTDIR)$(BINDIR)/wsquery $(DESTDIR)$(LIBDIR)/libwsquery.a $(DESTDIR)$(LIBDIR)/libwsquery.so \
		$(DESTDIR)$(LIBDIR)/libwsquery.so.$(ABI) $(DESTDIR)$(LIBDIR)/pkgconfig/wsquery.pc \
		$(DESTDIR)$(INCLUDEDIR)/wsquery/ws.h $(DESTDIR)$(MANDIR)/man1/wsquery.1 $(DESTDIR)$(MANDIR)/man3/libwsquery.3 \
		$(DESTDIR)$(BASHDIR)/wsquery $(DESTDIR)$(ZSHDIR)/_wsquery $(DESTDIR)$(FISHDIR)/wsquery.fish
	rmdir $(DESTDIR)$(INCLUDEDIR)/wsquery 2>/dev/null || :

# The library as one ws.c and one ws.h, in dist. With PREFIX_SYMBOLS=foo_ the linker sees foo_ws_open and so on
dist:
	PREFIX_SYMBOLS='$(PREFIX_SYMBOLS)' sh make-dist.sh

# The program without its main, for unit tests
test/libprog.a: $(PROG_OBJ)
	rm -f $@
	$(AR) rcs $@ $(PROG_OBJ:main.o=)

$(TESTS) test/echo_server test/autobahn_testee: test/libprog.a libwsquery.a
$(TESTS): $(TEST_HDR)

demo: wsquery test/echo_server
	@sh test/demo.sh

test: all $(TESTS) test/echo_server
	@CC='$(CC)' CFLAGS='$(CFLAGS)' PYTHON='$(PYTHON)' sh test/run.sh $(TESTS) $(SCRIPTS)

unit: $(TESTS)
	@PYTHON= RUN='$(RUN)' sh test/run.sh $(TESTS)

clean:
	rm -rf build dist
	rm -f *.o *.lo cli/*.o wsquery libwsquery.a libwsquery.so wsquery.pc .flags .probe.* test/libprog.a test/echo_server \
		test/autobahn_testee $(TESTS)

.PHONY: all wsquery.pc static install uninstall dist demo test unit clean

include test/checks.mk
include bench/bench.mk
