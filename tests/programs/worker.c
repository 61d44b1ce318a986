/* The answers of `testbed` that a C program on libfcgi can give, for tests of our FastCGI client. */
#include <fcgiapp.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char block[65536];
static FCGX_Request request;

static const char *variable(const char *name) {
    const char *value = FCGX_GetParam(name, request.envp);
    return value ? value : "";
}

static void text(int status, const char *body) {
    FCGX_FPrintF(request.out, "Status: %d Text\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", status,
                 (int)strlen(body), body);
}

static void octets(long left, long chunk, int told) {
    FCGX_PutS("Content-Type: application/octet-stream\r\n", request.out);
    if (told) FCGX_FPrintF(request.out, "Content-Length: %ld\r\n", left);
    FCGX_PutS("\r\n", request.out);
    for (long here; left > 0; left -= here) {
        here = left < chunk ? left : chunk;
        if (FCGX_PutStr(block, (int)here, request.out) != here) return;
    }
}

static void echo(void) {
    const char *type = variable("CONTENT_TYPE"), *length = variable("CONTENT_LENGTH");
    FCGX_FPrintF(request.out, "Content-Type: %s\r\nContent-Length: %s\r\n\r\n", *type ? type : "application/octet-stream",
                 *length ? length : "0");
    char piece[16384];
    for (int got; (got = FCGX_GetStr(piece, sizeof piece, request.in)) > 0;)
        if (FCGX_PutStr(piece, got, request.out) != got) return;
}

static void upload(void) {
    char piece[16384], count[32];
    long sum = 0;
    for (int got; (got = FCGX_GetStr(piece, sizeof piece, request.in)) > 0;) sum += got;
    snprintf(count, sizeof count, "%ld", sum);
    text(200, count);
}

/* A string of JSON; a byte that may be no UTF-8 becomes \xHH, and so a backslash two. */
static void json(const char *string, size_t length) {
    FCGX_PutChar('"', request.out);
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)string[i];
        if (byte == '"') FCGX_PutS("\\\"", request.out);
        else if (byte == '\\') FCGX_PutS("\\\\\\\\", request.out);
        else if (byte < 32 || byte > 126) FCGX_FPrintF(request.out, "\\\\x%02x", byte);
        else FCGX_PutChar(byte, request.out);
    }
    FCGX_PutChar('"', request.out);
}

static void environment(void) {
    FCGX_PutS("Content-Type: application/json\r\n\r\n{\"variables\":{", request.out);
    for (char **entry = request.envp; *entry; entry++) {
        size_t name = strcspn(*entry, "=");
        if (entry != request.envp) FCGX_PutChar(',', request.out);
        json(*entry, name);
        FCGX_PutChar(':', request.out);
        json(*entry + name + 1, strlen(*entry + name + 1));
    }
    FCGX_PutS("}}", request.out);
}

static void answer(const char *path) {
    char number[64];
    const char *chunk = strstr(variable("QUERY_STRING"), "chunk=");
    if (!strcmp(path, "/") || !strcmp(path, "/hello")) text(200, "Hello, World!");
    else if (!strcmp(path, "/echo")) echo();
    else if (!strcmp(path, "/upload")) upload();
    else if (!strcmp(path, "/download")) octets(1 << 20, sizeof block, 1);
    else if (!strncmp(path, "/bytes/", 7)) octets(atol(path + 7), sizeof block, 1);
    else if (!strncmp(path, "/stream/", 8)) octets(atol(path + 8), chunk ? atol(chunk + 6) : 8192, 0);
    else if (!strncmp(path, "/environ", 8)) environment();
    else if (!strncmp(path, "/sleep/", 7)) {
        usleep((useconds_t)atol(path + 7) * 1000);
        snprintf(number, sizeof number, "slept %ld ms\n", atol(path + 7));
        text(200, number);
    } else if (!strcmp(path, "/status/204") || !strcmp(path, "/status/304")) {
        FCGX_FPrintF(request.out, "Status: %s\r\n\r\n", path + 8);
    } else if (!strncmp(path, "/status/", 8)) {
        snprintf(number, sizeof number, "status %d\n", atoi(path + 8));
        text(atoi(path + 8), number);
    } else if (!strcmp(path, "/cookies")) {
        FCGX_PutS("Content-Type: text/plain\r\nContent-Length: 12\r\nSet-Cookie: first=1; Path=/\r\n"
                  "Set-Cookie: second=2; Path=/; Expires=Wed, 01 Jan 2098 00:00:00 GMT\r\n\r\ntwo cookies\n",
                  request.out);
    } else if (!strcmp(path, "/stderr")) {
        FCGX_PutS("testbed: a line for the error stream\n", request.err);
        text(200, "a line was written to the error stream\n");
    } else if (!strcmp(path, "/stderr/around")) {
        FCGX_PutS("a line before the head\n", request.err);
        FCGX_FFlush(request.err);
        text(200, "the body");
        FCGX_FFlush(request.out);
        FCGX_PutS("a line behind the body\n", request.err);
    } else if (!strncmp(path, "/length/", 8)) {
        FCGX_FPrintF(request.out, "Content-Type: text/plain\r\nContent-Length: %d\r\n\r\nHello, World!",
                     !strcmp(path + 8, "short") ? 5 : 100);
    } else if (!strcmp(path, "/fail/after")) {
        FCGX_PutS("Content-Type: text/plain\r\n\r\nthe first part\n", request.out);
        FCGX_FFlush(request.out);
        _exit(3);
    } else if (!strcmp(path, "/early")) {
        text(200, "answered at once");
    } else if (!strcmp(path, "/process")) {
        snprintf(number, sizeof number, "%d", (int)getpid());
        text(200, number);
    } else text(404, "no such path\n");
}

int main(void) {
    memset(block, 'x', sizeof block);
    FCGX_Init();
    FCGX_InitRequest(&request, 0, 0);
    while (FCGX_Accept_r(&request) >= 0) {
        const char *path = variable("PATH_INFO");
        answer(*path ? path : "/");
        FCGX_Finish_r(&request);
    }
    return 0;
}
