# What the tests run behind gunicorn: the answers of tests/tests/proxied.rs, in WSGI.


def app(environ, start_response):
    path = environ["PATH_INFO"]
    status, fields, body = "200 OK", [("Content-Type", "text/plain")], []
    if path.endswith("/hello"):
        body = [b"Hello, World!"]
    elif path.endswith("/echo"):
        body = iter(lambda: environ["wsgi.input"].read(65536), b"")
    elif path.endswith("/stream"):
        body = (b"x" * 65536 for _ in range(64))
    elif path.endswith("/cookies"):
        fields += [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    elif path.endswith("/seen"):
        seen = {
            "method": environ["REQUEST_METHOD"],
            "path": environ["SCRIPT_NAME"] + path,
            "query": environ["QUERY_STRING"],
            "scheme": environ["wsgi.url_scheme"],
            "host": environ["HTTP_HOST"],
            "client": environ["HTTP_X_FORWARDED_FOR"],
            "forwarded": environ["HTTP_FORWARDED"],
            "cookie": environ.get("HTTP_COOKIE", ""),
        }
        body = ["".join(f"{name}: {value}\n" for name, value in seen.items()).encode()]
    else:
        status, body = "404 Not Found", [b"nothing here"]
    start_response(status, fields)
    return body
