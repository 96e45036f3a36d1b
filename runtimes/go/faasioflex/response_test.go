package faasioflex

import (
	"context"
	"errors"
	"io"
	"iter"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
)

type named string

func TestWhatBecomesWhichAnswer(t *testing.T) {
	for name, one := range map[string]struct {
		value       any
		status      int
		contentType []string
		body        string
	}{
		"nil":             {nil, 204, nil, ""},
		"text":            {"hi", 200, textType, "hi"},
		"named text":      {named("hi"), 200, textType, "hi"},
		"bytes":           {[]byte("hi"), 200, bytesType, "hi"},
		"map":             {map[string]any{"b": "<", "a": 1}, 200, jsonType, `{"a":1,"b":"<"}`},
		"slice":           {[]int{1, 2}, 200, jsonType, "[1,2]"},
		"struct":          {struct{ A int }{1}, 200, jsonType, `{"A":1}`},
		"pointer":         {&struct{ A int }{1}, 200, jsonType, `{"A":1}`},
		"number":          {1.5, 200, jsonType, "1.5"},
		"bool":            {true, 200, jsonType, "true"},
		"response":        {Response{Body: "hi", Status: 201}, 201, textType, "hi"},
		"response's zero": {&Response{}, 200, nil, ""},
	} {
		got, err := toAnswer(one.value)
		if err != nil || got.status != one.status || !slices.Equal(got.contentType, one.contentType) || string(got.body) != one.body {
			t.Errorf("%s: got %+v (%s), %v", name, got, got.body, err)
		}
	}
}

func TestWhatCannotBeSent(t *testing.T) {
	var bad *badAnswer
	for name, value := range map[string]any{
		"func": func() {}, "chan of numbers": make(chan int), "no number": math.NaN(), "error": errors.New("x"),
		"status": Response{Status: 99}, "nested": Response{Body: Response{}}, "func within": map[string]any{"a": func() {}},
		"name":  Response{Headers: http.Header{"a b": {"x"}}},
		"value": Response{Headers: http.Header{"A": {"x\r\ny"}}},
	} {
		if got, err := toAnswer(value); !errors.As(err, &bad) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

func TestWhatIsStreamed(t *testing.T) {
	words := []string{"a", "b"}
	texts := make(chan string, 2)
	texts <- "a"
	texts <- "b"
	close(texts)
	parts := make(chan []byte, 1)
	parts <- []byte("ab")
	close(parts)
	for name, value := range map[string]any{
		"reader": strings.NewReader("ab"), "chan": texts, "receive only": (<-chan []byte)(parts), "seq": slices.Values(words),
		"seq of bytes": iter.Seq[[]byte](func(yield func([]byte) bool) { yield([]byte("ab")) }),
		"func":         func(yield func(string) bool) { _ = yield("a") && yield("b") },
	} {
		got, err := toAnswer(value)
		if err != nil || got.stream == nil {
			t.Errorf("%s: got %+v, %v", name, got, err)
			continue
		}
		var sent strings.Builder
		if err := got.stream(context.Background(), func(piece []byte) bool { sent.Write(piece); return true }); err != nil || sent.String() != "ab" {
			t.Errorf("%s: sent %q, %v", name, sent.String(), err)
		}
	}
}

type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

func TestAReaderIsClosedAndItsErrorTold(t *testing.T) {
	broken := errors.New("broken")
	from := &closing{Reader: io.MultiReader(strings.NewReader("a"), failing{broken})}
	run, _ := toStream(from)
	if err := run(context.Background(), func([]byte) bool { return true }); !errors.Is(err, broken) || !from.closed {
		t.Errorf("%v, closed: %v", err, from.closed)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestAChannelIsLeftWhenTheCallIsOver(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	run, _ := toStream(make(chan string))
	if err := run(ctx, func([]byte) bool { return true }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
