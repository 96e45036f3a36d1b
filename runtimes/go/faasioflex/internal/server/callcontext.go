package server

import (
	"context"
	"time"
)

// Deadline is where the call is given up, if nothing more of its answer is sent before.
func (c *Call) Deadline() (time.Time, bool) {
	return start.Add(time.Duration(c.due.Load())), true
}

// Done is closed when the call is over.
func (c *Call) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.err != nil {
			close(c.done)
		}
	}
	return c.done
}

// Err is context.DeadlineExceeded past the deadline, context.Canceled where the client has gone or the call has ended.
func (c *Call) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Value finds the call itself, for From.
func (c *Call) Value(key any) any {
	if key == (callKey{}) {
		return c
	}
	return c.parent.Value(key)
}

// AfterFunc lets package context tell contexts that are made of this one, without a goroutine for each.
func (c *Call) AfterFunc(run func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		go run()
		return func() bool { return false }
	}
	if c.after == nil {
		c.after = map[*func()]struct{}{}
	}
	key := &run
	c.after[key] = struct{}{}
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		_, found := c.after[key]
		delete(c.after, key)
		return found
	}
}

// cancel makes the context done; the first reason stays.
func (c *Call) cancel(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = err
	if c.done != nil {
		close(c.done)
	}
	after := c.after
	c.after = nil
	c.mu.Unlock()
	for run := range after {
		go (*run)()
	}
}

var _ context.Context = (*Call)(nil)
