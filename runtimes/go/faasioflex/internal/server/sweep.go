package server

import "time"

const (
	sweepEvery = 5 * time.Second
	quietMost  = 16 // rounds without a request; Envoy leaves an idle connection long before
)

// sweep closes connections that have been idle, or in the middle of a request's head, for 75 to 80 s. Once in a while for all
// of them: a timer of its own for each would cost every call.
func (s *Server) sweep() {
	for range time.Tick(sweepEvery) {
		s.open.Range(func(key, _ any) bool {
			key.(*conn).look()
			return true
		})
	}
}

// look counts the rounds in which the connection has not been busy.
func (c *conn) look() {
	seen := c.requests.Load()
	if connState(c.state.Load()) == isActive || seen != c.seen {
		c.quiet, c.seen = 0, seen
		return
	}
	if c.quiet++; c.quiet >= quietMost {
		_ = c.Conn.Close()
	}
}
