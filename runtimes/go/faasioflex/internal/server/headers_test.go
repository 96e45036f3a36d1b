package server

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestHeadersArePutInOrder(t *testing.T) {
	header := http.Header{
		"x-thing": {"a"}, "X-Thing": {"b"}, "content-length": {"2"}, "Content-Length": {"2"}, "X-Ffx-Overflow": {"1"}, "x-ffx-more": {"1"},
		"Transfer-Encoding": {"chunked"}, "keep-alive": {"x"}, "Set-Cookie": {"a", "b"},
	}
	call := &Call{server: &Server{}, closing: true}
	call.prepare(header)
	if got := slices.Sorted(maps.Keys(header)); strings.Join(got, " ") != "Connection Content-Length Set-Cookie X-Thing" {
		t.Error(got)
	}
	if len(header["X-Thing"]) != 2 || len(header["Content-Length"]) != 1 || len(header["Set-Cookie"]) != 2 {
		t.Error(header)
	}
}

const stack = `goroutine 7 [running]:
runtime/debug.Stack()
	runtime/debug/stack.go:26 +0x5e
faasioflex.dev/faasioflex/internal/server.(*Call).recovered(0xc0)
	faasioflex.dev/faasioflex/internal/server/panics.go:17 +0x1a
panic({0x6a, 0x7b})
	runtime/panic.go:783 +0x132
function.boom(...)
	function/more.go:56
function.Handle({0x7, 0xc})
	function/function.go:51 +0x9a
faasioflex.dev/faasioflex.handle.Serve(0xc0)
	faasioflex.dev/faasioflex/handle.go:24 +0x6a
net/http.serverHandler.ServeHTTP({0xc})
`

func TestATraceIsTheFunctionsOwn(t *testing.T) {
	want := "function.boom(...)\n\tfunction/more.go:56\nfunction.Handle({0x7, 0xc})\n\tfunction/function.go:51 +0x9a"
	if got := trace(stack); got != want {
		t.Errorf("got %q", got)
	}
	if got := trace("something else"); got != "something else" {
		t.Errorf("got %q", got)
	}
}
