#!/bin/sh
# What a shell script can do as a CGI program: variables, a body, a status, cookies, a redirect.
case $PATH_INFO in
/variables)
	printf 'Content-Type: text/plain\n\n'
	for name in REQUEST_METHOD SCRIPT_NAME PATH_INFO QUERY_STRING CONTENT_TYPE GATEWAY_INTERFACE \
		SERVER_PROTOCOL SERVER_NAME REMOTE_ADDR REQUEST_URI SCRIPT_FILENAME HTTP_HOST HTTP_COOKIE HTTP_X_TEST; do
		eval "printf '%s=%s\n' $name \"\${$name}\""
	done
	# Servers say "no body" in three ways: not set, empty, 0.
	echo "length=${CONTENT_LENGTH:-0}"
	echo "arguments=$*"
	;;
/raw)
	printf 'Content-Type: %s\n\n' "$CONTENT_TYPE"
	head -c "${CONTENT_LENGTH:-0}"
	;;
/stream)
	printf 'Content-Type: application/octet-stream\n\n'
	head -c 4194304 /dev/zero
	;;
/cookies)
	printf 'Set-Cookie: a=1\nSet-Cookie: b=2\nContent-Type: text/plain\n\nbaked\n'
	;;
/missing)
	printf 'Status: 404 Not Found\nContent-Type: text/plain\n\nnothing here\n'
	;;
/redirect)
	printf 'Location: http://programs.example/there\n\n'
	;;
/error)
	echo 'a line for the error stream' >&2
	printf 'Status: 500 Internal Server Error\nContent-Type: text/plain\n\nit went wrong\n'
	;;
esac
