package server

import (
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
)

const own = "faasioflex.dev/faasioflex"

// recovered answers for a handler that panicked; true: the connection has to be cut, by a panic that net/http knows.
func (c *Call) recovered(w *Writer, caught any) bool {
	if caught == http.ErrAbortHandler {
		return true
	}
	c.Log(fmt.Sprintf("panic: %v\n%s", caught, trace(string(debug.Stack()))))
	if c.hijacked.Load() {
		c.conn.abort()
		return false
	}
	detail := "the function panicked: its log has the trace"
	if !w.wrote {
		clear(w.Header())
		c.Problem(w, "function-error", detail)
		return false
	}
	c.Refuse("function-error", detail)
	return true
}

// trace is the part of a stack that belongs to the function: between the panic and the runtime.
func trace(stack string) string {
	_, after, found := strings.Cut(stack, "\npanic(")
	if !found {
		return stack
	}
	lines := strings.Split(after, "\n")
	if len(lines) < 2 {
		return stack
	}
	lines = lines[2:]
	for at, line := range lines {
		if strings.HasPrefix(line, own+".") || strings.HasPrefix(line, own+"/") {
			lines = lines[:at]
			break
		}
	}
	return strings.Join(lines, "\n")
}
