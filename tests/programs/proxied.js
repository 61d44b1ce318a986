// What the tests run in Node: the answers of tests/tests/proxied.rs, and an echo over WebSocket, by hand.
const { createHash } = require("node:crypto");
const { createServer } = require("node:http");

const server = createServer((request, response) => {
  const [path, query = ""] = request.url.split("?");
  response.setHeader("Content-Type", "text/plain");
  if (path.endsWith("/hello")) {
    response.end("Hello, World!");
  } else if (path.endsWith("/echo")) {
    request.pipe(response);
  } else if (path.endsWith("/hints")) {
    response.writeEarlyHints({ link: "</style.css>; rel=preload; as=style" });
    response.end("hinted");
  } else if (path.endsWith("/stream")) {
    for (let piece = 0; piece < 64; piece++) response.write(Buffer.alloc(65536, "x"));
    response.end();
  } else if (path.endsWith("/cookies")) {
    response.setHeader("Set-Cookie", ["a=1", "b=2"]);
    response.end();
  } else if (path.endsWith("/seen")) {
    const { host, cookie = "", forwarded } = request.headers;
    const seen = {
      method: request.method, path, query, scheme: request.headers["x-forwarded-proto"], host,
      client: request.headers["x-forwarded-for"], forwarded, cookie,
    };
    response.end(Object.entries(seen).map(([name, value]) => `${name}: ${value}\n`).join(""));
  } else {
    response.statusCode = 404;
    response.end("nothing here");
  }
});

server.on("upgrade", (request, socket) => {
  const key = request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  const accept = createHash("sha1").update(key).digest("base64");
  socket.write(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  let buffer = Buffer.alloc(0);
  socket.on("error", () => socket.destroy());
  socket.on("data", (data) => {
    buffer = Buffer.concat([buffer, data]);
    for (;;) {
      // Frames of clients are masked; the lengths of 8 bytes are left out (RFC 6455 §5.2).
      const long = (buffer[1] & 0x7f) === 126 ? 2 : 0;
      if (buffer.length < 6 + long) return;
      const length = long ? buffer.readUInt16BE(2) : buffer[1] & 0x7f;
      const start = 6 + long;
      if (buffer.length < start + length) return;
      const mask = buffer.subarray(start - 4, start);
      const data = Buffer.from(buffer.subarray(start, start + length).map((byte, at) => byte ^ mask[at % 4]));
      const head = Buffer.from(buffer.subarray(0, 2 + long));
      head[1] &= 0x7f;
      socket.write(Buffer.concat([head, data]));
      if ((head[0] & 0x0f) === 8) socket.end();
      buffer = buffer.subarray(start + length);
    }
  });
});

server.listen(Number(process.argv[2]), "127.0.0.1");
