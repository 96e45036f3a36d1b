// Package server is the HTTP/1.1 server of an instance: net/http with the platform's rules for concurrency, deadlines,
// sizes, refusals and ends.
package server

import (
	"context"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"faasioflex.dev/faasioflex/internal/problem"
	"faasioflex.dev/faasioflex/internal/report"
	"faasioflex.dev/faasioflex/internal/settings"
)

const (
	// Retired is the exit code that asks for a replacement: a call does not end.
	Retired     = 75
	headerBytes = 128 * 1024
	flushWait   = 500 * time.Millisecond
)

// Style is how calls reach the function. It returns when the function has. The context of the call is the call, not that
// of the request.
type Style interface {
	Serve(call *Call, w http.ResponseWriter, r *http.Request)
}

// Server serves one function.
type Server struct {
	settings settings.Settings
	report   *report.Report
	logs     *report.Handler
	style    Style
	gate     gate
	http     *http.Server
	counts   counts
	stopping atomic.Bool
	open     sync.Map // *conn, those of net/http
	hijacked sync.Map // *Call
}

type connKey struct{}

// New serves style; nothing listens yet.
func New(set settings.Settings, to *report.Report, style Style) *Server {
	s := &Server{settings: set, report: to, style: style}
	s.logs = report.NewHandler(to, func(ctx context.Context) string {
		if call := From(ctx); call != nil {
			return call.RequestID()
		}
		return ""
	})
	s.gate = gate{concurrency: set.Concurrency, retired: s.leaveRetired}
	s.http = &http.Server{
		Handler:                      s,
		MaxHeaderBytes:               headerBytes,
		DisableGeneralOptionsHandler: true, // OPTIONS * is the function's too
		ErrorLog:                     log.New(to.Writer("stderr", ""), "", 0),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		},
		ConnState: s.connState,
	}
	return s
}

// Logs is the handler of log/slog for the whole process.
func (s *Server) Logs() *report.Handler { return s.logs }

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := r.Context().Value(connKey{}).(*conn)
	call := newCall(s, c, r)
	c.watch(call)
	if able, ok := w.(interface{ EnableFullDuplex() error }); ok {
		_ = able.EnableFullDuplex() // an answer may begin, and end, before the body has been read
	}
	limit := s.settings.PayloadBytes
	switch {
	case r.ContentLength < 0 && announcesLength(c.head):
		call.Refuse("bad-request", "the request is not HTTP/1.1: it has a Content-Length and a Transfer-Encoding")
	case limit >= 0 && r.ContentLength > limit:
		call.refuseSize()
	case !s.gate.enter():
		call.over.Store(true)
		call.Problem(w, "instance-full", "this instance is full: try again")
		if r.ContentLength != 0 {
			_ = http.NewResponseController(w).Flush()
			c.discard(r.Body, lingerTime)
		}
	default:
		s.admitted(call, w, r)
	}
}

func (s *Server) admitted(call *Call, w http.ResponseWriter, r *http.Request) {
	rest, answer := &call.body, &call.writer
	*rest = body{inner: r.Body, call: call, left: s.settings.PayloadBytes, limited: s.settings.PayloadBytes >= 0}
	*answer = Writer{inner: w, call: call}
	if r.ContentLength != 0 {
		r.Body = rest
	}
	call.ended.Store(false)
	defer func() {
		caught := recover()
		aborted := caught != nil && call.recovered(answer, caught)
		if r.ContentLength != 0 && !rest.ended && !aborted && !call.Cut() && !call.hijacked.Load() {
			call.conn.discard(rest.inner, restWait)
		}
		call.finish()
		if aborted {
			panic(http.ErrAbortHandler)
		}
	}()
	s.style.Serve(call, answer, r)
}

// giveUpOn is told of a call that does not end: this instance leaves when the others have ended, and at last anyhow.
func (s *Server) giveUpOn() {
	if s.gate.giveUp() {
		time.AfterFunc(s.settings.Timeout, s.gate.retire)
		time.AfterFunc(2*s.settings.Timeout+StuckGrace, func() { os.Exit(Retired) })
	}
}

// leaveRetired ends the process; answers that are written already go out first.
func (s *Server) leaveRetired() {
	go func() {
		end := time.Now().Add(flushWait)
		for time.Now().Before(end) && s.counts.active.Load() > int64(s.gate.stuckNow()) {
			time.Sleep(5 * time.Millisecond)
		}
		os.Exit(Retired)
	}()
}

// Problem answers with a problem document by way of net/http, so that the connection may go on.
func (c *Call) Problem(w http.ResponseWriter, code, detail string) {
	made := problem.New(code, detail, c.RequestID())
	c.prepare(w.Header())
	made.Set(w.Header())
	w.WriteHeader(made.Status)
	_, _ = w.Write(made.Body)
}
