// Go's net/http with a handler that reads the whole body and says what it saw.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

// Bytes as the tests escape them.
func escape(text string) string {
	var out strings.Builder
	for _, b := range []byte(text) {
		switch {
		case b == '\t':
			out.WriteString("\\t")
		case b == '\r':
			out.WriteString("\\r")
		case b == '\n':
			out.WriteString("\\n")
		case b == '\'' || b == '"' || b == '\\':
			out.WriteByte('\\')
			out.WriteByte(b)
		case b >= 0x20 && b < 0x7f:
			out.WriteByte(b)
		default:
			fmt.Fprintf(&out, "\\x%02x", b)
		}
	}
	if out.Len() > 300 {
		return fmt.Sprintf("%s+%d", out.String()[:40], out.Len())
	}
	return out.String()
}

func see(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	text := r.Method + " " + r.RequestURI
	if len(body) > 0 {
		text += " " + string(body)
	}
	w.Header().Set("X-Seen", escape(text))
}

func main() {
	fmt.Fprintln(os.Stderr, http.ListenAndServe(os.Args[1], http.HandlerFunc(see)))
}
