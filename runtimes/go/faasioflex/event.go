package faasioflex

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// Event is the request. Path is what follows the function's own prefix, escapes kept. Host is not among the headers, as in
// net/http.
type Event struct {
	Method   string
	Host     string
	Path     string
	RawQuery string // undecoded
	Query    url.Values
	Headers  http.Header
	Body     []byte
}

// BadRequest is an error for which the caller gets a 400 with its message, where a handler returns it.
type BadRequest struct{ Message string }

func (e *BadRequest) Error() string { return e.Message }

// JSON reads the body into v, as json.Unmarshal does. An empty body that does not claim to be JSON leaves v as it is. The
// error is a *BadRequest: return it, and the caller is told.
func (e Event) JSON(v any) error {
	if len(e.Body) == 0 && !strings.Contains(e.Headers.Get("Content-Type"), "json") {
		return nil
	}
	if err := json.Unmarshal(e.Body, v); err != nil {
		return &BadRequest{"the body is not the JSON that is expected: " + err.Error()}
	}
	return nil
}

// Text is the body in the charset of its content type (UTF-8, US-ASCII or ISO-8859-1), else in UTF-8. The error is a
// *BadRequest.
func (e Event) Text() (string, error) {
	charset := "utf-8"
	if _, parameters, err := mime.ParseMediaType(e.Headers.Get("Content-Type")); err == nil && parameters["charset"] != "" {
		charset = strings.ToLower(parameters["charset"])
	}
	switch charset {
	case "utf-8", "utf8", "us-ascii", "ascii":
		if !utf8.Valid(e.Body) {
			return "", &BadRequest{"the body is not " + charset + " text"}
		}
		return string(e.Body), nil
	case "iso-8859-1", "latin-1", "latin1":
		letters := make([]rune, len(e.Body))
		for at, one := range e.Body {
			letters[at] = rune(one)
		}
		return string(letters), nil
	}
	return "", &BadRequest{fmt.Sprintf("the charset %q of the body is not known", charset)}
}
