package faasioflex

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
)

// Response is an answer with its status (0 is 200) and headers. Body is anything that a handler may return, nil for none.
type Response struct {
	Body    any
	Status  int
	Headers http.Header
}

// badAnswer is what cannot be sent; the caller may see the message.
type badAnswer struct{ message string }

func (e *badAnswer) Error() string { return e.message }

// answer is ready to send. stream is set instead of body where the body comes in pieces.
type answer struct {
	status      int
	headers     http.Header
	contentType []string
	body        []byte
	stream      stream
}

var (
	jsonType  = []string{"application/json"}
	textType  = []string{"text/plain; charset=utf-8"}
	bytesType = []string{"application/octet-stream"}
)

func toAnswer(value any) (answer, error) {
	switch value := value.(type) {
	case nil:
		return answer{status: http.StatusNoContent}, nil
	case Response:
		return value.answer()
	case *Response:
		if value == nil {
			return answer{status: http.StatusNoContent}, nil
		}
		return value.answer()
	}
	return content(value)
}

func (r Response) answer() (answer, error) {
	made := answer{}
	if r.Body != nil {
		var err error
		if made, err = content(r.Body); err != nil {
			return made, err
		}
	}
	made.status, made.headers = r.Status, r.Headers
	if made.status == 0 {
		made.status = http.StatusOK
	}
	if made.status < 200 || made.status > 599 {
		return made, &badAnswer{fmt.Sprintf("the status %d is not a number from 200 to 599", made.status)}
	}
	return made, checkHeaders(r.Headers)
}

func content(value any) (answer, error) {
	switch value := value.(type) {
	case string:
		return answer{status: http.StatusOK, contentType: textType, body: []byte(value)}, nil
	case []byte:
		return answer{status: http.StatusOK, contentType: bytesType, body: value}, nil
	case Response, *Response:
		return answer{}, &badAnswer{"the body of a Response is a Response"}
	case error:
		return answer{}, &badAnswer{fmt.Sprintf("an error (%T) was returned as the value: return it as the error", value)}
	}
	if found, contentType := toStream(value); found != nil {
		return answer{status: http.StatusOK, contentType: contentType, stream: found}, nil
	}
	switch reflect.TypeOf(value).Kind() {
	case reflect.String:
		return content(reflect.ValueOf(value).String())
	case reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return answer{}, &badAnswer{fmt.Sprintf(
			"a handler may return what is JSON, a string, []byte, nil, a Response, an io.Reader, or a channel or iter.Seq of string or []byte, not %T", value)}
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return answer{}, &badAnswer{"the value is not JSON: " + strings.TrimPrefix(err.Error(), "json: ")}
	}
	return answer{status: http.StatusOK, contentType: jsonType, body: bytes.TrimSuffix(text.Bytes(), []byte{'\n'})}, nil
}
