// The answers of `testbed` that a Go program on net/http/fcgi can give, for tests of our FastCGI client. It serves as many
// connections as come, and several requests on each.
package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/fcgi"
	"os"
	"regexp"
	"strconv"
	"syscall"
	"time"
)

var route = regexp.MustCompile(`^(/[a-z]*(?:/[a-z]+)?)(?:/(\d+))?$`)

func text(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	io.WriteString(w, body)
}

func octets(w http.ResponseWriter, left int, told bool) {
	w.Header().Set("Content-Type", "application/octet-stream")
	if told {
		w.Header().Set("Content-Length", strconv.Itoa(left))
	}
	block := make([]byte, 65536)
	for at := range block {
		block[at] = 'x'
	}
	for left > 0 {
		here := len(block)
		if left < here {
			here = left
		}
		w.Write(block[:here])
		left -= here
	}
}

func answer(w http.ResponseWriter, r *http.Request) {
	parts := route.FindStringSubmatch(r.URL.Path[len("/app"):])
	if parts == nil {
		text(w, 404, "no such path\n")
		return
	}
	number, _ := strconv.Atoi(parts[2])
	switch parts[1] {
	case "/", "/hello":
		text(w, 200, "Hello, World!")
	case "/echo":
		kind := r.Header.Get("Content-Type")
		if kind == "" {
			kind = "application/octet-stream"
		}
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
		io.Copy(w, r.Body)
	case "/upload":
		count, _ := io.Copy(io.Discard, r.Body)
		text(w, 200, strconv.FormatInt(count, 10))
	case "/download":
		octets(w, 1<<20, true)
	case "/bytes":
		octets(w, number, true)
	case "/stream":
		octets(w, number, false)
	case "/sleep":
		time.Sleep(time.Duration(number) * time.Millisecond)
		text(w, 200, fmt.Sprintf("slept %d ms\n", number))
	case "/status":
		if number == 204 || number == 304 {
			w.WriteHeader(number)
		} else {
			text(w, number, fmt.Sprintf("status %d\n", number))
		}
	case "/cookies":
		w.Header().Add("Set-Cookie", "first=1; Path=/")
		w.Header().Add("Set-Cookie", "second=2; Path=/; Expires=Wed, 01 Jan 2098 00:00:00 GMT")
		text(w, 200, "two cookies\n")
	case "/fail/after":
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, "the first part\n")
		w.(http.Flusher).Flush()
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "/length/short", "/length/long":
		length := "5"
		if parts[1] == "/length/long" {
			length = "100"
		}
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Length", length)
		io.WriteString(w, "Hello, World!")
	case "/early":
		text(w, 200, "answered at once")
	case "/process":
		text(w, 200, strconv.Itoa(os.Getpid()))
	default:
		text(w, 404, "no such path\n")
	}
}

func main() {
	// Nobody's listener: the one that is descriptor 0.
	if err := fcgi.Serve(nil, http.HandlerFunc(answer)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
