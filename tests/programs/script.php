<?php
// A PHP script under php-cgi.
header('Content-Type: text/plain; charset=utf-8');
switch ($_SERVER['PATH_INFO'] ?? '') {
case '/variables':
    foreach (['REQUEST_METHOD', 'SCRIPT_NAME', 'PATH_INFO', 'QUERY_STRING', 'CONTENT_TYPE', 'GATEWAY_INTERFACE',
        'SERVER_PROTOCOL', 'SERVER_NAME', 'REMOTE_ADDR', 'REQUEST_URI', 'SCRIPT_FILENAME', 'HTTP_HOST', 'HTTP_COOKIE',
        'HTTP_X_TEST', 'PHP_SELF'] as $name) {
        echo $name, '=', $_SERVER[$name] ?? '', "\n";
    }
    echo 'arguments=', implode(' ', $argv ?? []), "\n";
    break;
case '/form':
    echo 'name=', $_REQUEST['name'], "\nnote=", $_REQUEST['note'], "\nseen=", $_COOKIE['seen'] ?? 'never', "\n";
    break;
case '/upload':
    $file = $_FILES['file'];
    echo $file['name'], ' ', $file['size'], ' ', hash_file('sha256', $file['tmp_name']), "\n";
    break;
case '/raw':
    header('Content-Type: ' . $_SERVER['CONTENT_TYPE']);
    readfile('php://input');
    break;
case '/stream':
    header('Content-Type: application/octet-stream');
    for ($i = 0; $i < 64; $i++) echo str_repeat("\0", 65536);
    break;
case '/cookies':
    setcookie('a', '1');
    setcookie('b', '2');
    echo "baked\n";
    break;
case '/missing':
    http_response_code(404);
    echo "nothing here\n";
    break;
case '/redirect':
    header('Location: http://programs.example/there');
    break;
case '/error':
    error_log('a line for the error stream');
    http_response_code(500);
    echo "it went wrong\n";
    break;
}
