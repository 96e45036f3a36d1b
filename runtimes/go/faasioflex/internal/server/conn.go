package server

import (
	"bytes"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"

	"faasioflex.dev/faasioflex/internal/problem"
)

const (
	pieceBytes = 256 * 1024 // of one write, after which the deadline moves on
	lingerTime = 5 * time.Second
	headBytes  = 16 * 1024 // kept of a request's head
)

// conn is a connection under net/http. It knows whether the first byte of an answer has left, lets the deadline answer in
// the handler's place, and turns net/http's own plain-text refusals into problem documents.
type conn struct {
	net.Conn
	server                *Server
	call                  atomic.Pointer[Call] // nil between two requests
	alarm                 alarm
	head                  []byte      // what was read since the last answer; only used between two requests
	lingering             atomic.Bool // it was answered and is closed when the client has read that
	reading               atomic.Int32
	unread                atomic.Bool // a part of the last request will not be read: nothing can follow it
	refused               bool
	readBound, writeBound atomic.Bool  // a deadline is set
	state                 atomic.Int32 // a connState
	requests              atomic.Int64
	seen                  int64 // requests at the sweeper's last round
	quiet                 int   // rounds of the sweeper since the last request
}

func (c *conn) Read(p []byte) (int, error) {
	c.reading.Add(1)
	defer c.reading.Add(-1)
	if c.lingering.Load() || c.unread.Load() {
		return 0, net.ErrClosed
	}
	n, err := c.Conn.Read(p)
	call := c.call.Load()
	switch {
	case call == nil:
		if len(c.head) < headBytes {
			c.head = append(c.head, p[:n]...)
		}
	case c.lingering.Load():
		return 0, net.ErrClosed
	case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
		call.clientGone() // net/http reads on, a byte at most, while the handler runs
	case call.hijacked.Load():
		call.extend()
	}
	return n, err
}

func (c *conn) Write(p []byte) (int, error) {
	call := c.call.Load()
	switch {
	case call == nil:
		return c.refuse(p)
	case !call.hijacked.Load() && isInformational(p) && call.answer.Load() == waiting:
		return c.Conn.Write(p)
	case !call.claim():
		return 0, net.ErrClosed
	}
	written := 0
	for {
		if !call.ended.Load() {
			call.extend()
		}
		piece := p[written:min(len(p), written+pieceBytes)]
		n, err := c.Conn.Write(piece)
		written += n
		if err != nil || written == len(p) {
			return written, err
		}
	}
}

func isInformational(p []byte) bool {
	return len(p) > 12 && p[9] == '1' && bytes.HasPrefix(p, []byte("HTTP/1.1 1"))
}

// refuse is called with what net/http says of a request that it could not read.
func (c *conn) refuse(p []byte) (int, error) {
	if c.refused {
		return len(p), nil
	}
	c.refused = true
	line, _, _ := bytes.Cut(p, []byte("\r\n"))
	made := problem.New("bad-request", "the request is not HTTP/1.1: "+reason(line), "")
	if bytes.HasPrefix(line, []byte("HTTP/1.1 431")) {
		made = problem.New("headers-too-large", "the headers are larger than 128 KiB", "")
	}
	c.answerAndClose(made.Raw(true))
	return len(p), nil
}

// reason takes what follows "HTTP/1.1 400 " and, where there is more, "Bad Request: ".
func reason(line []byte) string {
	if len(line) > 13 {
		line = line[13:]
	}
	if _, more, found := bytes.Cut(line, []byte(": ")); found {
		line = more
	}
	return string(line)
}

// answerAndClose sends an answer beside net/http. The rest of the request is read for a while: a connection that is closed
// with unread bytes takes the answer with it.
func (c *conn) answerAndClose(answer []byte) {
	if c.lingering.Swap(true) {
		return
	}
	if call := c.call.Load(); call != nil {
		call.closed()
	}
	_ = c.Conn.SetWriteDeadline(time.Now().Add(lingerTime))
	_, _ = c.Conn.Write(answer)
	c.linger()
}

func (c *conn) linger() {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	go c.drain()
}

func (c *conn) drain() {
	for c.reading.Load() > 0 { // whoever waits for more of the request is told that there is none
		_ = c.Conn.SetReadDeadline(start)
		time.Sleep(time.Millisecond)
	}
	_ = c.Conn.SetReadDeadline(time.Now().Add(lingerTime))
	rest := make([]byte, 16*1024)
	for {
		if _, err := c.Conn.Read(rest); err != nil {
			_ = c.Conn.Close()
			return
		}
	}
}

// abort closes it in the middle of an answer.
func (c *conn) abort() {
	if call := c.call.Load(); call != nil {
		call.closed()
	}
	_ = c.Conn.Close()
}

// Close is called by net/http, and by a handler that has taken the connection over.
func (c *conn) Close() error {
	if c.lingering.Load() {
		return nil
	}
	if call := c.call.Load(); call != nil {
		call.closed()
	}
	if c.unread.Load() && !c.lingering.Swap(true) {
		c.linger()
		return nil
	}
	return c.Conn.Close()
}

// SetReadDeadline is net/http's; while it lingers the deadline is ours.
func (c *conn) SetReadDeadline(at time.Time) error {
	if c.lingering.Load() || at.IsZero() && !c.readBound.Load() {
		return nil // net/http takes back, at each request, what it never set
	}
	c.readBound.Store(!at.IsZero())
	return c.Conn.SetReadDeadline(at)
}

func (c *conn) SetWriteDeadline(at time.Time) error {
	if c.lingering.Load() || at.IsZero() && !c.writeBound.Load() {
		return nil
	}
	c.writeBound.Store(!at.IsZero())
	return c.Conn.SetWriteDeadline(at)
}

func (c *conn) SetDeadline(at time.Time) error {
	if c.lingering.Load() {
		return nil
	}
	c.readBound.Store(!at.IsZero())
	c.writeBound.Store(!at.IsZero())
	return c.Conn.SetDeadline(at)
}
