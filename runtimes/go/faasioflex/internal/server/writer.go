package server

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"time"
)

// Writer is the answer as a handler sees it: net/http's, whose headers are put in order before they are sent.
type Writer struct {
	inner http.ResponseWriter
	call  *Call
	wrote bool // the status is settled
}

func (w *Writer) Header() http.Header { return w.inner.Header() }

func (w *Writer) WriteHeader(status int) {
	if !w.wrote && status >= 200 {
		w.wrote = true
		w.call.prepare(w.inner.Header())
	}
	w.inner.WriteHeader(status)
}

func (w *Writer) Write(p []byte) (int, error) {
	w.begin()
	return w.inner.Write(p)
}

func (w *Writer) WriteString(text string) (int, error) {
	w.begin()
	return io.WriteString(w.inner, text)
}

func (w *Writer) begin() {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
}

// Flush sends what was written.
func (w *Writer) Flush() { _ = w.FlushError() }

func (w *Writer) FlushError() error {
	w.begin()
	return http.NewResponseController(w.inner).Flush()
}

// Hijack gives the connection away, for WebSockets. The call's deadline is then the time without a byte either way.
func (w *Writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	taken, buffered, err := http.NewResponseController(w.inner).Hijack()
	if err == nil {
		w.wrote = true
		w.call.take()
	}
	return taken, buffered, err
}

func (w *Writer) SetReadDeadline(at time.Time) error {
	return http.NewResponseController(w.inner).SetReadDeadline(at)
}

func (w *Writer) SetWriteDeadline(at time.Time) error {
	return http.NewResponseController(w.inner).SetWriteDeadline(at)
}

func (w *Writer) EnableFullDuplex() error { return nil } // it is
