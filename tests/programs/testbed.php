<?php
// A few of the answers of `testbed`, in PHP, for tests of our FastCGI client against php-fpm.
switch ($_SERVER['PATH_INFO'] ?? '') {
case '/hello':
    header('Content-Type: text/plain');
    echo 'Hello, World!';
    break;
case '/upload':
    header('Content-Type: text/plain');
    $in = fopen('php://input', 'rb');
    $count = 0;
    while (!feof($in)) $count += strlen(fread($in, 65536));
    echo $count;
    break;
case '/echo':
    header('Content-Type: ' . ($_SERVER['CONTENT_TYPE'] ?? 'text/plain'));
    $in = fopen('php://input', 'rb');
    while (!feof($in)) echo fread($in, 65536);
    break;
case '/stream':
    header('Content-Type: application/octet-stream');
    for ($i = 0; $i < 1024; $i++) echo str_repeat('x', 65536);
    break;
case '/cookies':
    header('Set-Cookie: a=1', false);
    header('Set-Cookie: b=2', false);
    break;
case '/missing':
    http_response_code(404);
    echo 'nothing here';
    break;
case '/redirect':
    header('Location: http://example.org/there');
    break;
case '/stderr':
    error_log('a line for the error stream');
    echo 'written';
    break;
default:
    header('Content-Type: application/json');
    echo json_encode(['variables' => array_filter($_SERVER, 'is_string')]);
}
