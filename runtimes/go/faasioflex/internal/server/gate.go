package server

import "sync"

// gate has concurrency places, taken before a handler starts and given back when it has returned.
type gate struct {
	mu          sync.Mutex
	concurrency int
	active      int
	stuck       int
	doomed      bool // a call does not end: leave as soon as only such calls are left
	retiring    bool // take no new calls
	retired     func()
}

func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.active >= g.concurrency || g.retiring {
		return false
	}
	g.active++
	return true
}

func (g *gate) leave(stuck bool) {
	g.mu.Lock()
	g.active--
	if stuck { // it was given up and has ended after all; the instance goes away nevertheless
		g.stuck--
	}
	alone := g.alone()
	g.mu.Unlock()
	if alone {
		g.retired()
	}
}

// giveUp counts one more call that does not end; until only such calls are left the other places serve, because nobody
// starts a replacement before this instance has ended.
func (g *gate) giveUp() (first bool) {
	g.mu.Lock()
	g.stuck++
	first = !g.doomed
	g.doomed = true
	alone := g.alone()
	g.mu.Unlock()
	if alone {
		g.retired()
	}
	return first
}

// retire takes no new calls: the moment in which only stuck calls are left did not come by itself.
func (g *gate) retire() {
	g.mu.Lock()
	g.retiring = true
	alone := g.alone()
	g.mu.Unlock()
	if alone {
		g.retired()
	}
}

func (g *gate) alone() bool {
	if !g.doomed || g.active > g.stuck {
		return false
	}
	g.retiring = true
	return true
}

func (g *gate) stuckNow() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.stuck
}

func (g *gate) busy() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.active > g.stuck
}
