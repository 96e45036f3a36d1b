package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// body counts what is read of a request, moves its deadline, and refuses the call where it is too large or malformed.
type body struct {
	inner   io.ReadCloser
	call    *Call
	left    int64
	limited bool
	ended   bool
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.inner.Read(p)
	if n > 0 {
		b.call.extend()
		if b.left -= int64(n); b.limited && b.left < 0 {
			b.call.refuseSize()
			return 0, &http.MaxBytesError{Limit: b.call.server.settings.PayloadBytes}
		}
	}
	if err != nil {
		b.failed(err)
	}
	return n, err
}

func (b *body) failed(err error) {
	var network net.Error
	switch {
	case err == io.EOF:
		b.ended = true
	case errors.Is(err, http.ErrBodyReadAfterClose) || b.call.Cut():
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &network):
		b.call.clientGone()
	default:
		b.call.Refuse("bad-request", "the request is not HTTP/1.1: "+err.Error())
	}
}

func (b *body) Close() error { return b.inner.Close() }

func (c *Call) refuseSize() {
	c.Refuse("payload-too-large", fmt.Sprintf("the body is larger than %d bytes", c.server.settings.PayloadBytes))
}

const firstBytes = 1 << 20 // set aside at once for a body that announces so much

// ReadAll reads the whole body. Where it cannot the call has been answered.
func (c *Call) ReadAll(r *http.Request) ([]byte, error) {
	if r.ContentLength == 0 {
		return nil, nil
	}
	if r.ContentLength < 0 {
		return io.ReadAll(r.Body)
	}
	data := make([]byte, 0, min(r.ContentLength, firstBytes))
	for {
		n, err := r.Body.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if err == io.EOF {
			return data, nil
		}
		if err != nil {
			return nil, err
		}
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
	}
}

const (
	restBytes = 256 * 1024            // of a body that nobody read, for the sake of the connection
	restWait  = 20 * time.Millisecond // for it, where the answer waits behind it
)

// discard reads what a handler left of a request, so that the next one can follow on the connection. Where that is too much
// or does not come in time, the connection ends with this answer. It is done before net/http does it: that would begin to
// wait for the client's next byte beside its own reading of the next request.
func (c *conn) discard(rest io.Reader, wait time.Duration) {
	_ = c.SetReadDeadline(time.Now().Add(wait))
	n, err := io.CopyN(io.Discard, rest, restBytes)
	if n == restBytes || err != io.EOF {
		c.unread.Store(true)
	}
}

// announcesLength tells whether the head of a request in chunks had a Content-Length too: net/http takes it out. Of
// requests that were sent before the answer to the last one only a part is known; there net/http's reading holds.
func announcesLength(head []byte) bool {
	head, _, _ = bytes.Cut(head, []byte("\r\n\r\n"))
	for line := range bytes.SplitSeq(head, []byte{'\n'}) {
		name, _, found := bytes.Cut(line, []byte{':'})
		if found && bytes.EqualFold(name, []byte("Content-Length")) {
			return true
		}
	}
	return false
}
