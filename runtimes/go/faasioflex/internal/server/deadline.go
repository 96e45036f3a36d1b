package server

import (
	"context"
	"fmt"
	"time"

	"faasioflex.dev/faasioflex/internal/problem"
)

// StuckGrace is how long a handler may take to end when its context is done.
const StuckGrace = time.Second

// extend moves the deadline: something happened.
func (c *Call) extend() {
	c.due.Store(now() + int64(c.timeout))
}

// expire is called when the deadline has passed.
func (c *Call) expire() {
	detail := fmt.Sprintf("the function took longer than %g s", c.timeout.Seconds())
	c.giveUp(context.DeadlineExceeded, "deadline-exceeded", detail)
}

// claim is asked before a byte of the handler's answer is sent; false: the call was answered otherwise.
func (c *Call) claim() bool {
	return c.answer.CompareAndSwap(waiting, started) || c.answer.Load() == started
}

// Refuse answers with a problem document and closes the connection, or cuts the connection where the answer has begun.
// It may be called beside the handler. The context is done with reason afterwards.
func (c *Call) Refuse(code, detail string) {
	c.giveUp(context.Canceled, code, detail)
}

func (c *Call) giveUp(reason error, code, detail string) {
	switch {
	case c.answer.CompareAndSwap(waiting, cut):
		c.conn.answerAndClose(problem.New(code, detail, c.RequestID()).Raw(c.method != "HEAD"))
	case c.conn.call.Load() == c && c.answer.CompareAndSwap(started, cut):
		c.conn.abort()
	}
	c.cancel(reason)
	c.expectEnd()
}

// clientGone is run when the client closes its side of the connection while the handler runs.
func (c *Call) clientGone() {
	if c.ended.Load() || c.gone.Swap(true) {
		return
	}
	c.cancel(context.Canceled)
	c.expectEnd()
}

// expectEnd makes the instance retire where the handler does not return a while after its deadline.
func (c *Call) expectEnd() {
	after := max(0, time.Duration(c.due.Load()-now())) + StuckGrace
	time.AfterFunc(after, func() {
		c.mu.Lock()
		given := c.ended.Load() || c.stuck || c.server.stopping.Load()
		c.stuck = c.stuck || !given
		c.mu.Unlock()
		if !given {
			c.Log("a call (" + c.RequestID() + ") did not end when it was cancelled: this instance is replaced when its other calls have ended")
			c.server.giveUpOn()
		}
	})
}

// finish is called when the handler has returned. Its place is free, unless it took the connection over: then when that
// is closed.
func (c *Call) finish() {
	c.ended.Store(true)
	for _, stream := range c.allStreams() {
		stream.End()
	}
	c.cancel(context.Canceled)
	c.release()
}

// take is called when a handler takes the connection over.
func (c *Call) take() {
	c.mu.Lock()
	c.holds++
	c.mu.Unlock()
	c.hijacked.Store(true)
	c.server.hijacked.Store(c, struct{}{})
}

// closed is called when the connection is closed; the second time does nothing.
func (c *Call) closed() {
	if c.hijacked.Swap(false) {
		c.over.Store(true)
		c.server.hijacked.Delete(c)
		c.release()
	}
}

func (c *Call) release() {
	c.mu.Lock()
	c.holds--
	free, stuck := c.holds == 0, c.stuck
	c.mu.Unlock()
	if free {
		c.server.gate.leave(stuck)
	}
}
