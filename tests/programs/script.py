#!/usr/bin/python3
"""A WSGI application on the standard library's CGIHandler."""
from urllib.parse import parse_qs
from wsgiref.handlers import CGIHandler
import sys

NAMES = """REQUEST_METHOD SCRIPT_NAME PATH_INFO QUERY_STRING CONTENT_TYPE GATEWAY_INTERFACE SERVER_PROTOCOL SERVER_NAME
REMOTE_ADDR REQUEST_URI SCRIPT_FILENAME HTTP_HOST HTTP_COOKIE HTTP_X_TEST wsgi.url_scheme wsgi.run_once""".split()


def body(environ):
    return environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))


def application(environ, start_response):
    path = environ.get("PATH_INFO", "")
    plain = [("Content-Type", "text/plain; charset=utf-8")]
    if path == "/variables":
        start_response("200 OK", plain)
        return [f"{name}={environ.get(name, '')}\n".encode("latin-1") for name in NAMES] + [f"arguments={sys.argv[1:]}".encode()]
    if path == "/form":
        text = body(environ).decode() if environ["REQUEST_METHOD"] == "POST" else environ["QUERY_STRING"]
        form = parse_qs(text)
        start_response("200 OK", plain)
        return [f"{name}={form[name][0]}\n".encode() for name in ("name", "note")]
    if path == "/raw":
        start_response("200 OK", [("Content-Type", environ["CONTENT_TYPE"])])
        return [body(environ)]
    if path == "/stream":
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return (bytes(65536) for _ in range(64))
    if path == "/cookies":
        start_response("200 OK", plain + [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
        return [b"baked\n"]
    if path == "/redirect":
        start_response("302 Found", [("Location", "http://programs.example/there")])
        return []
    if path == "/error":
        print("a line for the error stream", file=environ["wsgi.errors"])
        # CGIHandler writes the traceback to the error stream and answers 500.
        raise RuntimeError("it went wrong")
    start_response("404 Not Found", plain)
    return [b"nothing here\n"]


if __name__ == "__main__":
    CGIHandler().run(application)
