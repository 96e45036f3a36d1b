// Package function answers what every function of the conformance suite answers.
package function

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"strings"
	"time"

	"faasioflex.dev/faasioflex"
)

// Handle is one answer per path.
func Handle(ctx context.Context, event faasioflex.Event) (any, error) {
	call := faasioflex.FromContext(ctx)
	switch event.Path {
	case "/hello":
		return "hello", nil
	case "/echo":
		return event.Body, nil
	case "/count":
		return map[string]int{"bytes": len(event.Body)}, nil
	case "/request":
		return request(call, event), nil
	case "/fail":
		return nil, errors.New("the reason")
	case "/sleep":
		fmt.Fprintln(call.Stdout, "asleep")
		return nil, sleep(ctx)
	case "/spin":
		fmt.Fprintln(call.Stdout, "spinning")
		for ctx.Err() == nil {
		}
		return nil, ctx.Err()
	case "/stuck":
		for {
		}
	case "/log":
		fmt.Fprintln(call.Stdout, "one")
		fmt.Fprintln(call.Stdout, "two")
		fmt.Fprint(call.Stderr, "three")
		return nil, nil
	case "/stream":
		return stream(ctx), nil
	case "/broken":
		return broken(), nil
	case "/pieces":
		return pieces(), nil
	case "/environment":
		return environment(), nil
	case "/given":
		return given(call)
	}
	return more(ctx, event)
}

func request(call *faasioflex.Context, event faasioflex.Event) any {
	headers := map[string]string{}
	for name, values := range event.Headers {
		headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	return map[string]any{
		"method": event.Method, "path": event.Path, "query": event.RawQuery, "headers": headers, "request_id": call.RequestID,
	}
}

func given(call *faasioflex.Context) (any, error) {
	secret, err := call.Secret("db-password")
	if err != nil {
		return nil, err
	}
	token, err := call.Token()
	return map[string]any{"secret": secret, "token": token, "principal": call.Principal}, err
}

func sleep(ctx context.Context) error {
	select {
	case <-time.After(time.Minute):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func stream(ctx context.Context) iter.Seq[string] {
	return func(yield func(string) bool) {
		defer fmt.Fprintln(faasioflex.FromContext(ctx).Stdout, "the stream was closed")
		if yield("first\n") {
			_ = sleep(ctx)
		}
	}
}

func broken() iter.Seq[string] {
	return func(yield func(string) bool) {
		if yield("first\n") {
			panic("the reason")
		}
	}
}

func pieces() <-chan []byte {
	made := make(chan []byte, 64)
	for range 64 {
		made <- []byte(strings.Repeat("x", 4096))
	}
	close(made)
	return made
}

func environment() map[string]string {
	found := map[string]string{}
	for _, one := range os.Environ() {
		name, value, _ := strings.Cut(one, "=")
		found[name] = value
	}
	return found
}
