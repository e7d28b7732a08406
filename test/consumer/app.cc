// SPDX-License-Identifier: ISC
// app.cc - the same in C++, with a connection and callbacks: usage: app URL TEXT
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include "ws.h"

namespace
{
struct Counter {
	long blocks = 0;
};

void *allocate(void *user_data, void *ptr, std::size_t, std::size_t new_len)
{
	Counter *c = static_cast<Counter *>(user_data);
	if (new_len == 0) {
		c->blocks -= ptr != nullptr;
		std::free(ptr);
		return nullptr;
	}
	void *p = std::realloc(ptr, new_len);
	c->blocks += p != nullptr && ptr == nullptr;
	return p;
}

struct Free {
	void operator()(struct ws_conn *ws) const
	{
		ws_free(ws);
	}
};

int ask(const char *url, const std::string &text, Counter *counter)
{
	struct ws_options opt = {};
	opt.timeout_ms = 5000;
	opt.alloc = allocate;
	opt.user_data = counter;
	std::unique_ptr<struct ws_conn, Free> ws(ws_new(url, &opt));
	struct ws_msg msg;
	if (!ws)
		return 1;
	if (ws_open(ws.get()) != WS_OK
	    || ws_send(ws.get(), WS_TEXT, text.data(), text.size()) != static_cast<std::ptrdiff_t>(text.size())
	    || ws_recv(ws.get(), &msg) != WS_OK) {
		std::cerr << ws_errmsg(ws.get()) << '\n';
		return 1;
	}
	std::cout << std::string(static_cast<const char *>(msg.data), msg.len) << '\n';
	return ws_close(ws.get(), 1000, nullptr) != WS_OK;
}
} // namespace

int main(int argc, char **argv)
{
	Counter counter;
	if (argc != 3)
		return 64;
	int status = ask(argv[1], argv[2], &counter);
	if (counter.blocks != 0) {
		std::cerr << counter.blocks << " blocks were not freed\n";
		return 1;
	}
	return status;
}
