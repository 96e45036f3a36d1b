package report

import (
	"bytes"
	"sync"
)

// LineWriter makes lines of what is written to it. The rest without a line break is sent by End.
type LineWriter struct {
	report    *Report
	stream    string
	requestID string
	mu        sync.Mutex
	partial   []byte
}

// Writer gives lines of stream ("stdout" or "stderr") the request id.
func (r *Report) Writer(stream, requestID string) *LineWriter {
	return &LineWriter{report: r, stream: stream, requestID: requestID}
}

func (w *LineWriter) Write(data []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rest := data
	for {
		line, after, found := bytes.Cut(rest, []byte{'\n'})
		if !found {
			break
		}
		w.report.Line(w.stream, string(w.partial)+string(line), w.requestID)
		w.partial, rest = w.partial[:0], after
	}
	w.partial = append(w.partial, rest...)
	if len(w.partial) > LongestLine {
		w.flush()
	}
	return len(data), nil
}

// End sends what was left without a line break.
func (w *LineWriter) End() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.partial) > 0 {
		w.flush()
	}
}

func (w *LineWriter) flush() {
	w.report.Line(w.stream, string(w.partial), w.requestID)
	w.partial = w.partial[:0]
}
