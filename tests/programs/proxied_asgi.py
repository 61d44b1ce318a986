# What the tests run behind uvicorn, hypercorn and daphne: the answers of tests/tests/proxied.rs, in ASGI, and an echo over WebSocket.


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (event := await receive())["type"] != "lifespan.shutdown":
            await send({"type": event["type"] + ".complete"})
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "websocket":
        await chat(receive, send)
    else:
        await page(scope, receive, send)


async def chat(receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        said = {name: event[name] for name in ("text", "bytes") if event.get(name) is not None}
        await send({"type": "websocket.send", **said})


async def page(scope, receive, send):
    path, status, fields = scope["path"], 200, [(b"content-type", b"text/plain")]
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    if path.endswith("/hello"):
        pieces = [b"Hello, World!"]
    elif path.endswith("/stream"):
        pieces = [b"x" * 65536] * 64
    elif path.endswith("/cookies"):
        pieces, fields = [], fields + [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    elif path.endswith("/seen"):
        seen = {
            "method": scope["method"],
            "path": path,
            "query": scope["query_string"].decode(),
            "scheme": scope["scheme"],
            "host": headers["host"],
            "client": headers["x-forwarded-for"],
            "forwarded": headers["forwarded"],
            "cookie": headers.get("cookie", ""),
        }
        pieces = ["".join(f"{name}: {value}\n" for name, value in seen.items()).encode()]
    elif path.endswith("/echo"):
        pieces = None
    else:
        pieces, status = [b"nothing here"], 404
    await send({"type": "http.response.start", "status": status, "headers": fields})
    more = pieces is None
    while more:
        event = await receive()
        more = event.get("more_body", False)
        await send({"type": "http.response.body", "body": event.get("body", b""), "more_body": True})
    for piece in pieces or []:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
