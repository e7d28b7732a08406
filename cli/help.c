/* SPDX-License-Identifier: ISC
 * help.c - the texts of --help and --version
 */
#include "ws.h"
#include "cli/help.h"
#include "cli/out.h"

static const char *const help_sections[] = {
    "usage: wsquery [OPTION]... URL...\n"
    "Open a WebSocket, send, receive, close, and print one JSON object for each URL\n"
    "(ws://..., wss://..., or @FILE to read it from a file).\n"
    "\n"
    "Steps, in the order given. The answer is the next message after them, so two -d\n"
    "need -n 2, and a server that greets first needs -e GREETING before the -d:\n"
    "  -d, --data TEXT           send TEXT, a file (@FILE) or standard input (@-)\n"
    "      --data-raw TEXT       send TEXT; @ is not special\n"
    "      --data-expand TEXT    send TEXT with ${1} to ${9} replaced by the groups\n"
    "                            of the -e before it, ${0} by its message; $$ is $\n"
    "  -B, --binary              send data as binary messages\n"
    "  -e, --expect PATTERN      receive until a message matches (POSIX extended)\n"
    "      --fail-on PATTERN     end with status 3 when a message matches\n"
    "  -n, --count N             receive N messages after the last step (1)\n"
    "      --check               test the connection only; same as --count 0\n"
    "  -p, --ping; --every SEC   first ping the server, or send -n N pings, SEC apart\n",
    "Following (after the steps, print each message as it arrives):\n"
    "  -F, --follow              until the server closes, or with -n N until N came\n"
    "  -l, --lines               follow, and send each line of standard input\n"
    "      --until PATTERN       follow until a message matches\n"
    "      --idle-timeout SEC    fail if no message arrives for SEC (no limit)\n"
    "      --ping-interval SEC   ping a silent server; fail if it stays silent (30)\n"
    "  -m, --max-time SEC        end successfully after SEC; without -F same as -t\n",
    "Time (SEC is 2, 0.5, 500ms, 1m or 1h; 0 is no limit, or no waiting):\n"
    "  -t, --timeout SEC         one deadline for a try (10); with -F, for its steps\n"
    "      --connect-timeout SEC  limit for opening the WebSocket (no limit)\n"
    "      --close-timeout SEC   how long to wait for the server's close frame (1)\n"
    "      --retry N; --retry-delay SEC  try N more times, SEC apart (1)\n"
    "      --wait SEC            keep trying for SEC: one deadline for all tries\n",
    "Several URLs (all options apply to each of them):\n"
    "      --from FILE           read more URLs, one per line; - is standard input\n"
    "      --jobs N              ask N of them at a time (64)\n"
    "      --no-progress         do not show the progress on a terminal\n",
    "Request:\n"
    "      --max-message BYTES   limit of a message, and of all that are kept (1M)\n"
    "  -H, --header 'NAME: VALUE'  add or replace a header; 'NAME:' removes it; @FILE\n"
    "  -b, --cookie STRING       Cookie header. -b, -H, -u, --bearer, -x and --pass\n"
    "                            take @FILE, which keeps a secret in a file\n"
    "  -A, --user-agent STRING   User-Agent header\n"
    "      --origin URL; --host NAME  Origin header; Host header (the URL's host)\n"
    "  -s, --subprotocol NAME    offer a subprotocol; may be repeated\n"
    "  -u, --user USER:PASSWORD  Basic authentication\n"
    "      --bearer TOKEN        Bearer authentication\n"
    "      --max-redirs N        follow up to N redirects (3)\n",
    "Network:\n"
    "  -x, --proxy URL           http, socks4, socks4a, socks5 or socks5h; '': none\n"
    "      --noproxy LIST        hosts, .domains, CIDR blocks, host:port; *: all\n"
    "  -4, --ipv4; -6, --ipv6    use only this address family\n"
    "      --unix-socket PATH    connect to a Unix socket instead of TCP\n"
    "      --resolve HOST:PORT:ADDR  use ADDR for HOST and PORT\n"
    "      --interface NAME      send from this network interface or address\n"
    "      --keepalive SEC       interval of TCP keep-alive probes\n",
    "TLS:\n"
    "  -k, --insecure            do not verify the server's certificate\n"
    "      --cacert FILE; --capath DIR  trust the certificates in FILE or DIR\n"
    "      --cert FILE; --key FILE  client certificate and its private key\n"
    "      --pass PHRASE         passphrase of the key\n"
    "      --server-name NAME    name for SNI and verification\n"
    "      --no-check-hostname   verify the certificate chain but not the host name\n"
    "      --tls-min VER; --tls-max VER  lowest and highest version: 1.2 or 1.3\n"
    "      --ciphers LIST        cipher suites, by their IANA or mbedTLS names\n"
    "      --pinnedpubkey sha256//BASE64  the server's public key must match\n"
    "      --cert-expiry DAYS    fail if it expires within DAYS; nagios: WARN,CRIT\n",
    "Output:\n"
    "      --no-utf8-check       accept any bytes in received text\n"
    "  -D, --details             add the details object\n"
    "  -f, --format FORMAT       json, raw, nagios or prometheus\n"
    "  -q, --quiet               print nothing; only set the exit status\n"
    "  -v, --verbose             show connecting, handshake and frames on stderr\n"
    "  -o, --output FILE         print to FILE, which is replaced in one step\n"
    "  -w, --warning RANGE; -c, --critical RANGE  for nagios: alert above this\n"
    "                            total time, or outside 1:5, or inside @1:5\n"
    "      --label NAME=VALUE    for prometheus: add this label to each sample\n"
    "  -h, --help; -V, --version  show this help; the version and what was built in\n",
    "\n"
    "Exit status: 0 success, 1 no connection, 3 connected but then something asked\n"
    "for did not happen, 64 wrong command line, 74 stdout could not be written,\n"
    "130 SIGINT, 143 SIGTERM. The nagios format has its own: 0, 1, 2, 3.\n",
};

void wq_put_help(struct wq_out *out)
{
	size_t i;

	for (i = 0; i < sizeof help_sections / sizeof *help_sections; i++)
		wq_out(out, help_sections[i]);
}

void wq_put_version(struct wq_out *out)
{
	static const struct {
		enum ws_feature feature;
		const char *name;
	} features[] = {{WS_HAS_TLS, " tls"},
	                {WS_HAS_RESOLVER, " resolver"},
	                {WS_HAS_THREADS, " threads"},
	                {WS_HAS_PROXY, " proxies"},
	                {WS_HAS_REDIRECTS, " redirects"}};
	size_t i;

	wq_out(out, "wsquery ");
	wq_out(out, ws_version());
	wq_out(out, "\nbuilt in:");
	for (i = 0; i < sizeof features / sizeof *features; i++)
		if (ws_features() & features[i].feature)
			wq_out(out, features[i].name);
#ifndef WSQUERY_NO_FORMATS
	wq_out(out, " nagios prometheus");
#endif
	wq_out(out, "\n");
}
