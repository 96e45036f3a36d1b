package server

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

const lastRequests = 250 * time.Millisecond // after SIGTERM: for requests that are on their way on open connections

const goodbye = time.Second // before its timeout, for a WebSocket that is still open when the instance ends

type connState int32

const (
	isNew connState = iota
	isActive
	isIdle
	isGone
)

// counts are of connections. An active one has a request whose answer has not left.
type counts struct {
	open, active atomic.Int64
}

// connState is net/http's news of a connection.
func (s *Server) connState(of net.Conn, state http.ConnState) {
	c := of.(*conn)
	now := isGone
	switch state {
	case http.StateNew:
		s.counts.open.Add(1)
		s.open.Store(c, nil)
		return
	case http.StateActive:
		now = isActive
	case http.StateIdle:
		now = isIdle
		c.answered()
	case http.StateHijacked:
		s.gone(c)
	case http.StateClosed:
		s.gone(c)
		c.answered()
		c.silence()
	}
	before := connState(c.state.Swap(int32(now)))
	if before == isActive && now != isActive {
		s.counts.active.Add(-1)
	}
	if before != isActive && now == isActive {
		s.counts.active.Add(1)
	}
}

func (s *Server) gone(c *conn) {
	s.counts.open.Add(-1)
	s.open.Delete(c)
}

// answered is called when the whole answer has left, or the connection has gone.
func (c *conn) answered() {
	c.call.Store(nil)
	if cap(c.head) > headBytes/4 {
		c.head = nil
	}
	c.head = c.head[:0]
}

// Stop accepts no more, lets what has come in be answered, each call up to its deadline, and returns then. WebSockets go on as
// long, less the time to part.
func (s *Server) stop(listener *listener) {
	s.stopping.Store(true)
	listener.stop()
	begun := time.Now()
	end := begun.Add(s.settings.Timeout + StuckGrace)
	closed, parted := false, false
	for time.Now().Before(end) {
		waits := s.counts.active.Load() > int64(s.gate.stuckNow()) || s.gate.busy()
		if !closed && time.Since(begun) > lastRequests {
			closed = true
			s.http.SetKeepAlivesEnabled(false) // closes those without a request
		}
		if closed && !parted && time.Since(begun) > s.settings.Timeout-goodbye { // WebSockets go on until then
			parted = true
			s.hijacked.Range(func(taken, _ any) bool {
				call := taken.(*Call)
				call.cancel(context.Canceled)
				_ = call.conn.Conn.SetReadDeadline(start) // nothing more comes: most loops end by that
				return true
			})
		}
		if !waits && (closed || s.counts.open.Load() == 0) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// closes tells whether the connection ends with this answer.
func (c *Call) closes() bool { return c.server.stopping.Load() || c.closing }
