package server

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

const acceptLast = 20 * time.Millisecond // for connections that wait in the backlog when no more are accepted

// Run serves until SIGTERM; the exit code.
func (s *Server) Run() (int, error) {
	inner, err := s.listen()
	if err != nil {
		return 1, err
	}
	accepting := &listener{Listener: inner, server: s, stopped: make(chan struct{})}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go s.sweep()
	s.report.Ready()
	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(accepting) }()
	select {
	case <-signals:
	case err := <-failed:
		return 1, err
	}
	s.stop(accepting)
	return 0, nil
}

// listen takes the socket that was handed in, else $PORT, else $FFX_SOCKET.
func (s *Server) listen() (net.Listener, error) {
	switch set := s.settings; {
	case set.ListenFD >= 0:
		file := os.NewFile(uintptr(set.ListenFD), "listener")
		defer file.Close() // the listener has a copy
		return net.FileListener(file)
	case set.Port != "":
		return net.Listen("tcp", ":"+set.Port)
	case set.Socket != "":
		if err := os.Remove(set.Socket); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		made, err := net.Listen("unix", set.Socket)
		if err != nil {
			return nil, err
		}
		return made, os.Chmod(set.Socket, 0o600)
	}
	return nil, fmt.Errorf("there is nothing to listen on: set LISTEN_FDS, PORT or FFX_SOCKET")
}

// listener makes connections ours, and ends by itself when it is told to.
type listener struct {
	net.Listener
	server   *Server
	stopping atomic.Bool
	stopped  chan struct{}
}

func (l *listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		if l.stopping.Load() {
			close(l.stopped)
			return nil, http.ErrServerClosed // net/http would try again after a mere timeout
		}
		return nil, err
	}
	return &conn{Conn: accepted, server: l.server}, nil
}

// stop returns when nothing is accepted any more.
func (l *listener) stop() {
	l.stopping.Store(true)
	if bounded, ok := l.Listener.(interface{ SetDeadline(time.Time) error }); ok {
		_ = bounded.SetDeadline(time.Now().Add(acceptLast))
		<-l.stopped
	}
	_ = l.Listener.Close()
}
