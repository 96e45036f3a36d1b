// Package problem makes the platform's own answers: RFC 9457 problem documents.
package problem

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// Problem is an answer of the runtime itself. Its headers are ready to be set.
type Problem struct {
	Code     string
	Status   int
	Overflow bool // the gateway may try elsewhere
	Body     []byte
}

type kind struct {
	status int
	title  string
}

var kinds = map[string]kind{
	"bad-request":       {400, "The request cannot be read"},
	"payload-too-large": {413, "Too large"},
	"headers-too-large": {431, "The request's headers are too large"},
	"instance-full":     {429, "Too many calls"},
	"function-error":    {500, "The function failed"},
	"deadline-exceeded": {504, "The deadline has passed"},
}

// New is the problem of that code; an empty requestID is null.
func New(code, detail, requestID string) Problem {
	known := kinds[code]
	id := "null"
	if requestID != "" {
		id = quote(requestID)
	}
	body := fmt.Sprintf(
		`{"type": "https://faasioflex.dev/problems/%s", "title": %s, "status": %d, "detail": %s, "code": "%s", "request_id": %s}`,
		code, quote(known.title), known.status, quote(detail), code, id)
	return Problem{Code: code, Status: known.status, Overflow: code == "instance-full", Body: []byte(body)}
}

// Set puts the problem's headers into an answer.
func (p Problem) Set(header http.Header) {
	header.Set("Content-Type", "application/problem+json")
	header.Set("Content-Length", strconv.Itoa(len(p.Body)))
	if p.Overflow {
		header.Set("X-Ffx-Overflow", "1")
		header.Set("Retry-After", "1")
	}
}

// Raw is the whole answer as bytes, for a connection that is closed after it. withBody is false for HEAD.
func (p Problem) Raw(withBody bool) []byte {
	head := fmt.Appendf(nil,
		"HTTP/1.1 %d %s\r\nContent-Type: application/problem+json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n",
		p.Status, http.StatusText(p.Status), len(p.Body))
	if !withBody {
		return head
	}
	return append(head, p.Body...)
}

// quote makes a JSON string; text that is not UTF-8 has its broken bytes replaced.
func quote(text string) string {
	data, err := json.Marshal(text)
	if err != nil {
		return `""`
	}
	return string(data)
}
