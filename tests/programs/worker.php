<?php
// The answers of `testbed` that a PHP script can give, for tests of our FastCGI client with php-fpm and php-cgi.
ini_set('default_mimetype', '');
ini_set('default_charset', '');
header_remove('X-Powered-By');
while (ob_get_level()) ob_end_clean();

function text(int $status, string $body): void {
    http_response_code($status);
    header('Content-Type: text/plain');
    header('Content-Length: ' . strlen($body));
    echo $body;
}

function octets(int $left, int $chunk, bool $told): void {
    header('Content-Type: application/octet-stream');
    if ($told) header("Content-Length: $left");
    $block = str_repeat('x', $chunk);
    for (; $left > 0; $left -= $chunk) echo $left < $chunk ? substr($block, 0, $left) : $block;
}

// A byte that may be no UTF-8 becomes \xHH, and so a backslash two.
function escaped(string $value): string {
    return preg_replace_callback('/[\\\\]|[^ -~]/', fn ($m) => $m[0] === '\\' ? '\\\\' : sprintf('\\x%02x', ord($m[0])), $value);
}

$path = $_SERVER['PATH_INFO'] ?? '';
$in = fopen('php://input', 'rb');
switch (true) {
case $path === '' || $path === '/' || $path === '/hello':
    text(200, 'Hello, World!');
    break;
case $path === '/echo':
    header('Content-Type: ' . (($_SERVER['CONTENT_TYPE'] ?? '') ?: 'application/octet-stream'));
    header('Content-Length: ' . (int) ($_SERVER['CONTENT_LENGTH'] ?? 0));
    while (!feof($in)) echo fread($in, 65536);
    break;
case $path === '/upload':
    $count = 0;
    while (!feof($in)) $count += strlen(fread($in, 65536));
    text(200, (string) $count);
    break;
case $path === '/download':
    octets(1 << 20, 65536, true);
    break;
case preg_match('#^/bytes/(\d+)$#', $path, $match) === 1:
    octets((int) $match[1], 65536, true);
    break;
case preg_match('#^/stream/(\d+)$#', $path, $match) === 1:
    octets((int) $match[1], (int) ($_GET['chunk'] ?? 8192), false);
    break;
case str_starts_with($path, '/environ'):
    header('Content-Type: application/json');
    $variables = [];
    foreach (array_filter($_SERVER, 'is_string') as $name => $value) $variables[$name] = escaped($value);
    echo json_encode(['variables' => $variables]);
    break;
case preg_match('#^/sleep/(\d+)$#', $path, $match) === 1:
    usleep(1000 * (int) $match[1]);
    text(200, "slept $match[1] ms\n");
    break;
case $path === '/status/204' || $path === '/status/304':
    http_response_code((int) substr($path, 8));
    break;
case preg_match('#^/status/(\d+)$#', $path, $match) === 1:
    text((int) $match[1], "status $match[1]\n");
    break;
case $path === '/cookies':
    header('Set-Cookie: first=1; Path=/', false);
    header('Set-Cookie: second=2; Path=/; Expires=Wed, 01 Jan 2098 00:00:00 GMT', false);
    text(200, "two cookies\n");
    break;
case $path === '/stderr':
    error_log('testbed: a line for the error stream');
    text(200, "a line was written to the error stream\n");
    break;
case $path === '/stderr/around':
    error_log('a line before the head');
    text(200, 'the body');
    flush();
    error_log('a line behind the body');
    break;
case $path === '/length/short' || $path === '/length/long':
    header('Content-Type: text/plain');
    header('Content-Length: ' . ($path === '/length/short' ? 5 : 100));
    echo 'Hello, World!';
    break;
case $path === '/early':
    text(200, 'answered at once');
    break;
case $path === '/process':
    text(200, (string) getmypid());
    break;
default:
    text(404, "no such path\n");
}
