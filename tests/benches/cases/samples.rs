//! Requests and answers as they are on the wire between common clients, servers and programs.
//!
//! Holds bytes only.

/// What a command-line client sends.
pub const SHORT_GET: &[u8] =
    b"GET /hello HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n";

/// What a browser sends: 12 fields.
pub const BROWSER_GET: &[u8] = b"GET /articles/2024/11/gateways?page=2&sort=date HTTP/1.1\r\n\
Host: www.example.org\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
Accept-Language: en-GB,en;q=0.7,de;q=0.3\r\n\
Accept-Encoding: gzip, deflate, br, zstd\r\n\
Referer: http://www.example.org/articles/2024/11/\r\n\
Connection: keep-alive\r\n\
Cookie: session=9b1f6a2e4c7d4e0f8a53b7c2d1e09f46; theme=dark; seen=1731000000\r\n\
Upgrade-Insecure-Requests: 1\r\n\
If-None-Match: \"5f3-61a2b3c4d5e6f\"\r\n\
Priority: u=0, i\r\n\
Cache-Control: max-age=0\r\n\r\n";

/// A form that a browser sends, its body included.
pub const FORM_POST: &[u8] = b"POST /guestbook/sign HTTP/1.1\r\n\
Host: www.example.org\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
Content-Type: application/x-www-form-urlencoded\r\n\
Content-Length: 43\r\n\
Origin: http://www.example.org\r\n\r\n\
name=Ada+Lovelace&message=Good+day%21&ok=on";

/// The parameters that nginx sends for [`BROWSER_GET`] with its own `fastcgi_params`.
pub const PARAMS: [(&str, &str); 28] = [
    ("SCRIPT_FILENAME", "/srv/www/example.org/index.php"),
    ("QUERY_STRING", "page=2&sort=date"),
    ("REQUEST_METHOD", "GET"),
    ("CONTENT_TYPE", ""),
    ("CONTENT_LENGTH", ""),
    ("SCRIPT_NAME", "/index.php"),
    ("REQUEST_URI", "/articles/2024/11/gateways?page=2&sort=date"),
    ("DOCUMENT_URI", "/index.php"),
    ("DOCUMENT_ROOT", "/srv/www/example.org"),
    ("SERVER_PROTOCOL", "HTTP/1.1"),
    ("REQUEST_SCHEME", "http"),
    ("GATEWAY_INTERFACE", "CGI/1.1"),
    ("SERVER_SOFTWARE", "nginx/1.22.1"),
    ("REMOTE_ADDR", "203.0.113.57"),
    ("REMOTE_PORT", "52114"),
    ("SERVER_ADDR", "198.51.100.4"),
    ("SERVER_PORT", "80"),
    ("SERVER_NAME", "www.example.org"),
    ("REDIRECT_STATUS", "200"),
    ("HTTP_HOST", "www.example.org"),
    ("HTTP_USER_AGENT", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    ("HTTP_ACCEPT", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
    ("HTTP_ACCEPT_LANGUAGE", "en-GB,en;q=0.7,de;q=0.3"),
    ("HTTP_ACCEPT_ENCODING", "gzip, deflate, br, zstd"),
    ("HTTP_REFERER", "http://www.example.org/articles/2024/11/"),
    ("HTTP_CONNECTION", "keep-alive"),
    ("HTTP_COOKIE", "session=9b1f6a2e4c7d4e0f8a53b7c2d1e09f46; theme=dark; seen=1731000000"),
    ("HTTP_CACHE_CONTROL", "max-age=0"),
];

/// The request fields of [`BROWSER_GET`].
pub const FIELDS: [(&str, &str); 12] = [
    ("Host", "www.example.org"),
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
    ("Accept-Language", "en-GB,en;q=0.7,de;q=0.3"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Referer", "http://www.example.org/articles/2024/11/"),
    ("Connection", "keep-alive"),
    ("Cookie", "session=9b1f6a2e4c7d4e0f8a53b7c2d1e09f46; theme=dark; seen=1731000000"),
    ("Upgrade-Insecure-Requests", "1"),
    ("If-None-Match", "\"5f3-61a2b3c4d5e6f\""),
    ("Priority", "u=0, i"),
    ("Cache-Control", "max-age=0"),
];

/// What a PHP program answers.
pub const PROGRAM_HEAD: &[u8] = b"X-Powered-By: PHP/8.2.20\r\n\
Set-Cookie: session=9b1f6a2e4c7d4e0f8a53b7c2d1e09f46; path=/; HttpOnly; SameSite=Lax\r\n\
Set-Cookie: theme=dark; path=/\r\n\
Expires: Thu, 19 Nov 1981 08:52:00 GMT\r\n\
Cache-Control: no-store, no-cache, must-revalidate\r\n\
Pragma: no-cache\r\n\
Content-type: text/html; charset=UTF-8\r\n\r\n";

/// The date of a response.
pub const DATE: &[u8] = b"Sun, 06 Nov 1994 08:49:37 GMT";
