// Package report writes the pipe to the platform: one JSON object per line. Lines of the log carry the request id of
// the call that wrote them.
package report

import (
	"encoding/json"
	"os"
	"strings"
	"sync"
	"unicode/utf8"
)

// LongestLine is how many bytes of a line go into one object; longer ones are cut into pieces.
const LongestLine = 16 * 1024

// Report may be used by many goroutines. Without a descriptor (a run outside the platform) lines go to stdout and stderr.
type Report struct {
	mu   sync.Mutex
	pipe *os.File
}

type logged struct {
	Log entry `json:"log"`
}

type entry struct {
	Stream    string  `json:"stream"`
	Message   string  `json:"message"`
	RequestID *string `json:"request_id"`
}

// New reports to the descriptor fd; -1 is none.
func New(fd int) *Report {
	if fd < 0 {
		return &Report{}
	}
	return &Report{pipe: os.NewFile(uintptr(fd), "report")}
}

// Ready tells the platform that calls are taken.
func (r *Report) Ready() {
	r.write(map[string]bool{"ready": true})
}

// Line is one line of the log, without its line break. An empty requestID is a line of no call.
func (r *Report) Line(stream, message, requestID string) {
	var id *string
	if requestID != "" {
		id = &requestID
	}
	message = strings.TrimSuffix(message, "\r")
	if !utf8.ValidString(message) {
		message = strings.ToValidUTF8(message, "\uFFFD")
	}
	for len(message) > LongestLine {
		at := LongestLine
		for !utf8.RuneStart(message[at]) {
			at--
		}
		r.line(stream, message[:at], id)
		message = message[at:]
	}
	r.line(stream, message, id)
}

// Lines writes each line of text.
func (r *Report) Lines(stream, text, requestID string) {
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		r.Line(stream, line, requestID)
	}
}

func (r *Report) line(stream, message string, id *string) {
	if r.write(logged{entry{stream, message, id}}) {
		return
	}
	raw := os.Stdout
	if stream == "stderr" {
		raw = os.Stderr
	}
	_, _ = raw.WriteString(message + "\n")
}

// write tells whether there is a platform that reads.
func (r *Report) write(document any) bool {
	data, err := json.Marshal(document)
	if err != nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pipe == nil {
		return false
	}
	if _, err := r.pipe.Write(append(data, '\n')); err != nil {
		r.pipe = nil // the platform has gone; what follows goes to the raw streams
	}
	return r.pipe != nil
}
