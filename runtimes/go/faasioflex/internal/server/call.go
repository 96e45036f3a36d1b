package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"faasioflex.dev/faasioflex/internal/report"
)

// What the client has of an answer.
const (
	waiting int32 = iota // nothing yet: it can still become a problem document
	started              // the first byte is on its way
	cut                  // answered without the handler, or nobody listens any more
)

// Call is one request and its answer. It is the context of the handler: done at the deadline, which moves on with each
// byte of the answer, when the client goes, or when the call has ended.
type Call struct {
	server      *Server
	conn        *conn
	parent      context.Context
	method      string
	timeout     time.Duration
	User        string // who calls, "" where nobody is signed in
	Groups      string // of them, joined by commas
	Email       string
	TraceParent string

	answer   atomic.Int32 // waiting, started, cut
	due      atomic.Int64 // nanoseconds on the clock of now()
	hijacked atomic.Bool
	ended    atomic.Bool // no handler runs
	gone     atomic.Bool // the client has closed its side
	over     atomic.Bool // no deadline any more: it was refused, or its connection is closed
	closing  bool        // the client wants the connection closed after this answer

	mu        sync.Mutex
	requestID string
	done      chan struct{}
	err       error
	after     map[*func()]struct{}
	holds     int // the handler, and the connection where it was taken over
	stuck     bool
	streams   map[string]*report.LineWriter

	body   body
	writer Writer
}

type callKey struct{}

// From is the call that ctx belongs to, nil for one of something else.
func From(ctx context.Context) *Call {
	found, _ := ctx.Value(callKey{}).(*Call)
	return found
}

func newCall(s *Server, c *conn, r *http.Request) *Call {
	call := &Call{server: s, conn: c, parent: r.Context(), method: r.Method, timeout: s.settings.Timeout, holds: 1, closing: r.Close}
	call.ended.Store(true)
	header := r.Header
	call.requestID = first(header["X-Request-Id"])
	call.TraceParent = first(header["Traceparent"])
	call.User, call.Groups, call.Email = first(header["X-Ffx-User"]), first(header["X-Ffx-Groups"]), first(header["X-Ffx-Email"])
	for name := range header {
		if !isPlatforms(name) || callers[name] {
			continue
		}
		if name == "X-Ffx-Timeout-S" {
			seconds, err := strconv.ParseFloat(first(header[name]), 64)
			if shorter := time.Duration(seconds * float64(time.Second)); err == nil && shorter > 0 && shorter < call.timeout {
				call.timeout = shorter
			}
		}
		delete(header, name)
	}
	call.due.Store(now() + int64(call.timeout))
	return call
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// RequestID is the platform's, else one of its own.
func (c *Call) RequestID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.requestID == "" {
		var id [8]byte
		_, _ = rand.Read(id[:])
		c.requestID = hex.EncodeToString(id[:])
	}
	return c.requestID
}

// Settings of the instance are read through here: Namespace, Function, Revision.
func (c *Call) Identity() (namespace, function string, revision int) {
	return c.server.settings.Namespace, c.server.settings.Function, c.server.settings.Revision
}

// Stream is the call's own "stdout" or "stderr": its lines carry the request id.
func (c *Call) Stream(name string) *report.LineWriter {
	id := c.RequestID()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.streams == nil {
		c.streams = map[string]*report.LineWriter{}
	}
	if c.streams[name] == nil {
		c.streams[name] = c.server.report.Writer(name, id)
	}
	return c.streams[name]
}

func (c *Call) allStreams() map[string]*report.LineWriter {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.streams
}

// Log writes lines of the log that belong to this call.
func (c *Call) Log(text string) {
	c.server.report.Lines("stderr", text, c.RequestID())
}

// Logger is the handler of log/slog whose lines belong to this call.
func (c *Call) Logger() *report.Handler {
	return c.server.logs.For(c.RequestID())
}

// Timeout is how long the call may take to its first byte.
func (c *Call) Timeout() time.Duration { return c.timeout }

// Cut tells whether the call was answered without the handler.
func (c *Call) Cut() bool { return c.answer.Load() == cut }

// Over tells whether nobody waits for the handler's answer any more.
func (c *Call) Over() bool { return c.Cut() || c.gone.Load() }

var start = time.Now()

func now() int64 { return int64(time.Since(start)) }
