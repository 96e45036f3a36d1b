package faasioflex

import (
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"testing"
)

func event(contentType, body string) Event {
	return Event{Method: "POST", Path: "/", Headers: http.Header{"Content-Type": {contentType}}, Body: []byte(body)}
}

func TestJSONReadsTheBody(t *testing.T) {
	var got struct{ Name string }
	if err := event("", `{"name": "Ada"}`).JSON(&got); err != nil || got.Name != "Ada" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestJSONOfAnEmptyBody(t *testing.T) {
	got := "untouched"
	if err := event("text/plain", "").JSON(&got); err != nil || got != "untouched" {
		t.Errorf("got %q, %v", got, err)
	}
	if err := event("application/json", "").JSON(&got); err == nil {
		t.Error("an empty body that claims to be JSON is taken for it")
	}
}

func TestWhatIsNotJSONIsABadRequest(t *testing.T) {
	var bad *BadRequest
	var number int
	for _, body := range []string{"{", `"text"`} {
		if err := event("application/json", body).JSON(&number); !errors.As(err, &bad) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestTextFollowsTheCharset(t *testing.T) {
	for _, one := range []struct{ contentType, body, want string }{
		{"", "grün", "grün"},
		{"text/plain; charset=UTF-8", "grün", "grün"},
		{"text/plain; charset=iso-8859-1", "gr\xfcn", "grün"},
	} {
		if got, err := event(one.contentType, one.body).Text(); err != nil || got != one.want {
			t.Errorf("%s: got %q, %v", one.contentType, got, err)
		}
	}
}

func TestTextThatCannotBeRead(t *testing.T) {
	var bad *BadRequest
	for contentType, body := range map[string]string{"text/plain": "gr\xfcn", "text/plain; charset=klingon": "x"} {
		if _, err := event(contentType, body).Text(); !errors.As(err, &bad) {
			t.Errorf("%s: %v", contentType, err)
		}
	}
}

func TestTargetKeepsEscapes(t *testing.T) {
	for uri, want := range map[string][2]string{
		"/a%2fb?x=%20&y": {"/a%2fb", "x=%20&y"},
		"/":              {"/", ""},
		"/a?b?c#d":       {"/a", "b?c"},
		"http://h/p?q":   {"/p", "q"},
		"http://h":       {"/", ""},
		"*":              {"*", ""},
	} {
		if path, query := target(uri); path != want[0] || query != want[1] {
			t.Errorf("%s: got %q, %q", uri, path, query)
		}
	}
}

func TestParametersDropNothing(t *testing.T) {
	for query, want := range map[string]url.Values{
		"a=1;b=2&c=3":       {"a": {"1;b=2"}, "c": {"3"}},
		"a=%zz&b=%C3%BC%":   {"a": {"%zz"}, "b": {"ü%"}},
		"a=1&a=2&&b&c==":    {"a": {"1", "2"}, "b": {""}, "c": {"="}},
		"%61+b=x%20y+z%2&=": {"a b": {"x y z%2"}, "": {""}},
	} {
		if got := parameters(query); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v", query, got)
		}
	}
}
