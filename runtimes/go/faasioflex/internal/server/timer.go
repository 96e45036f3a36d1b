package server

import (
	"sync"
	"time"
)

// alarm is a connection's one timer, for the deadlines of its calls. It is not stopped when a call ends, nor set anew where it
// fires before the next one's deadline: most calls cost it nothing.
type alarm struct {
	mu    sync.Mutex
	timer *time.Timer
	at    int64 // when it fires, on the clock of now(); 0: it does not
}

// watch makes the alarm fire at the deadline of call, or before.
func (c *conn) watch(call *Call) {
	due := call.due.Load()
	c.call.Store(call)
	c.requests.Add(1)
	c.alarm.mu.Lock()
	defer c.alarm.mu.Unlock()
	if c.alarm.at == 0 || c.alarm.at > due {
		c.alarm.set(due, c.fire)
	}
}

// fire is run by the timer. Deadlines may have moved since it was set.
func (c *conn) fire() {
	c.alarm.mu.Lock()
	c.alarm.at = 0
	call := c.call.Load()
	var due int64
	if call != nil && !call.over.Load() {
		due = call.due.Load()
		if due > now() {
			c.alarm.set(due, c.fire)
			due = 0
		}
	}
	c.alarm.mu.Unlock()
	if due != 0 {
		call.expire()
	}
}

func (a *alarm) set(at int64, run func()) {
	a.at = at
	wait := time.Duration(max(at-now(), 0))
	if a.timer == nil {
		a.timer = time.AfterFunc(wait, run)
		return
	}
	a.timer.Reset(wait)
}

// silence is the end of the alarm: the connection is closed.
func (c *conn) silence() {
	c.alarm.mu.Lock()
	defer c.alarm.mu.Unlock()
	if c.alarm.timer != nil {
		c.alarm.timer.Stop()
	}
}
