#!/usr/bin/python3
"""A few of the answers of `testbed`, in Python, for tests of our CGI host."""
import json
import os
import sys

path = os.environ.get("PATH_INFO", "")
out = sys.stdout.buffer


def start(*lines):
    out.write("".join(line + "\r\n" for line in lines).encode() + b"\r\n")


def body():
    left = int(os.environ.get("CONTENT_LENGTH") or 0)
    while left > 0:
        block = sys.stdin.buffer.read(min(left, 65536))
        if not block:
            break
        left -= len(block)
        yield block


if path == "/hello":
    start("Content-Type: text/plain")
    out.write(b"Hello, World!")
elif path == "/upload":
    count = sum(len(block) for block in body())
    start("Content-Type: text/plain")
    out.write(str(count).encode())
elif path == "/echo":
    start("Content-Type: " + os.environ.get("CONTENT_TYPE", "text/plain"))
    for block in body():
        out.write(block)
elif path == "/stream":
    start("Content-Type: application/octet-stream")
    for _ in range(1024):
        out.write(b"x" * 65536)
elif path == "/cookies":
    start("Content-Type: text/plain", "Set-Cookie: a=1", "Set-Cookie: b=2")
elif path == "/missing":
    start("Status: 404 Not Found", "Content-Type: text/plain")
    out.write(b"nothing here")
elif path == "/redirect":
    start("Location: http://example.org/there")
elif path == "/stderr":
    print("a line for the error stream", file=sys.stderr)
    start("Content-Type: text/plain")
    out.write(b"written")
else:
    start("Content-Type: application/json")
    out.write(json.dumps({"variables": dict(os.environ)}).encode())
