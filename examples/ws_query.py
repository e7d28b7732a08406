#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""usage: ws_query.py URL TEXT - a question and its answer, with ctypes and the shared library."""

import ctypes
import sys


class Answer(ctypes.Structure):  # struct ws_answer of ws.h
    _fields_ = [("connected", ctypes.c_int), ("err", ctypes.c_int), ("type", ctypes.c_int),
                ("data", ctypes.c_void_p), ("len", ctypes.c_size_t), ("error", ctypes.c_char * 256)]


lib = ctypes.CDLL("libwsquery.so.0")
url, text, answer = sys.argv[1].encode(), sys.argv[2].encode(), Answer()
# ws_query itself is in the header; NULL and 0: default options, within 10 s; 1: WS_TEXT
if lib.ws_query_sized(url, None, ctypes.c_size_t(0), 1, text, ctypes.c_size_t(len(text)), ctypes.byref(answer)):
    sys.exit(answer.error.decode())
print(ctypes.string_at(answer.data, answer.len).decode())
lib.ws_answer_free_sized(ctypes.byref(answer), None, ctypes.c_size_t(0))
