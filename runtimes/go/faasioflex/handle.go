package faasioflex

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"faasioflex.dev/faasioflex/internal/server"
)

// handle calls functions of the form func(context.Context, Event) (any, error): the whole body is there before.
type handle func(context.Context, Event) (any, error)

func (h handle) Serve(call *server.Call, w http.ResponseWriter, r *http.Request) {
	body, err := call.ReadAll(r)
	if err != nil {
		return // the call was answered, or its client has gone
	}
	value, err := h(call, newEvent(r, body))
	if call.Cut() || err != nil && call.Over() {
		logCancelled(call, err)
		return
	}
	if err != nil {
		fail(call, w, err)
		return
	}
	made, err := toAnswer(value)
	if err != nil {
		fail(call, w, err)
		return
	}
	setHeaders(w.Header(), made)
	if made.stream != nil {
		send(call, w, made)
		return
	}
	if made.status != http.StatusNoContent && made.status != http.StatusNotModified {
		w.Header()["Content-Length"] = []string{strconv.Itoa(len(made.body))}
	}
	w.WriteHeader(made.status)
	_, _ = w.Write(made.body)
}

func newEvent(r *http.Request, body []byte) Event {
	path, query := target(r.RequestURI)
	event := Event{Method: r.Method, Host: r.Host, Path: path, RawQuery: query, Headers: r.Header, Body: body}
	if query != "" {
		event.Query = parameters(query)
	}
	return event
}

// parameters reads all of query, as the other languages do and url.ParseQuery does not: only & separates, and an escape that is
// none stays as it was sent.
func parameters(query string) url.Values {
	found := url.Values{}
	for _, piece := range strings.Split(query, "&") {
		if piece != "" {
			name, value, _ := strings.Cut(piece, "=")
			found.Add(unescape(name), unescape(value))
		}
	}
	return found
}

func unescape(text string) string {
	if !strings.ContainsAny(text, "%+") {
		return text
	}
	made := make([]byte, 0, len(text))
	for at := 0; at < len(text); at++ {
		switch {
		case text[at] == '+':
			made = append(made, ' ')
		case text[at] == '%' && at+2 < len(text):
			if one, err := hex.DecodeString(text[at+1 : at+3]); err == nil {
				made = append(made, one[0])
				at += 2
				continue
			}
			made = append(made, '%')
		default:
			made = append(made, text[at])
		}
	}
	return string(made)
}

// target is path and query as they were sent. http://host/path has its path taken out.
func target(uri string) (path, query string) {
	if !strings.HasPrefix(uri, "/") {
		_, after, found := strings.Cut(uri, "://")
		if found {
			_, after, _ = strings.Cut(after, "/")
			uri = "/" + after
		}
	}
	uri, _, _ = strings.Cut(uri, "#")
	path, query, _ = strings.Cut(uri, "?")
	return path, query
}

func setHeaders(header http.Header, made answer) {
	for name, values := range made.headers {
		header[http.CanonicalHeaderKey(name)] = append(header[http.CanonicalHeaderKey(name)], values...)
	}
	delete(header, "Content-Length")
	if header["Content-Type"] == nil {
		header["Content-Type"] = made.contentType // nil keeps net/http from guessing
	}
}

// send streams; each piece leaves at once. Status and headers go with the first.
func send(call *server.Call, w http.ResponseWriter, made answer) {
	begun := false
	err := made.stream(call, func(piece []byte) bool {
		if len(piece) == 0 {
			return !call.Over()
		}
		if !begun {
			begun = true
			w.WriteHeader(made.status)
		}
		if _, err := w.Write(piece); err != nil {
			return false
		}
		return w.(interface{ FlushError() error }).FlushError() == nil
	})
	switch {
	case call.Over():
		logCancelled(call, err)
	case err != nil && begun:
		call.Log("the function's stream failed: " + err.Error())
		panic(http.ErrAbortHandler)
	case err != nil:
		clear(w.Header())
		fail(call, w, err)
	case !begun:
		w.WriteHeader(made.status)
	}
}

func fail(call *server.Call, w http.ResponseWriter, err error) {
	var bad *BadRequest
	var unsendable *badAnswer
	switch {
	case errors.As(err, &bad):
		call.Problem(w, "bad-request", bad.Message)
	case errors.As(err, &unsendable):
		call.Log(unsendable.message)
		call.Problem(w, "function-error", unsendable.message)
	default:
		call.Log(fmt.Sprintf("the function returned an error: %v", err))
		call.Problem(w, "function-error", "the function returned an error: its log has it")
	}
}

func logCancelled(call *server.Call, err error) {
	if err == nil {
		err = call.Err()
	}
	if err == nil {
		err = context.Canceled
	}
	call.Log("the call was cancelled: " + err.Error())
}
