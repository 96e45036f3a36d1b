// Package function answers what every function of the conformance suite answers, as an http.Handler.
package function

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"faasioflex.dev/faasioflex"
)

// Handler is an ordinary one.
var Handler http.Handler = routes()

func routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("/hello", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "hello")
	})
	mux.HandleFunc("/echo", echo)
	mux.HandleFunc("/count", func(w http.ResponseWriter, r *http.Request) {
		counted, err := io.Copy(io.Discard, r.Body)
		if err == nil {
			answer(w, map[string]int64{"bytes": counted})
		}
	})
	mux.HandleFunc("/request", request)
	mux.HandleFunc("/fail", func(http.ResponseWriter, *http.Request) { panic("the reason") })
	mux.HandleFunc("/sleep", func(_ http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(faasioflex.FromContext(r.Context()).Stdout, "asleep")
		sleep(r)
	})
	mux.HandleFunc("/spin", func(_ http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(faasioflex.FromContext(r.Context()).Stdout, "spinning")
		for r.Context().Err() == nil {
		}
	})
	mux.HandleFunc("/stuck", func(http.ResponseWriter, *http.Request) {
		for {
		}
	})
	mux.HandleFunc("/log", func(_ http.ResponseWriter, r *http.Request) {
		call := faasioflex.FromContext(r.Context())
		fmt.Fprint(call.Stdout, "one\ntwo\n")
		fmt.Fprint(call.Stderr, "three")
	})
	mux.HandleFunc("/stream", stream)
	mux.HandleFunc("/broken", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "first\n")
		w.(http.Flusher).Flush()
		panic("the reason")
	})
	mux.HandleFunc("/pieces", func(w http.ResponseWriter, _ *http.Request) {
		for range 64 {
			fmt.Fprint(w, strings.Repeat("x", 4096))
		}
	})
	mux.HandleFunc("/given", func(w http.ResponseWriter, r *http.Request) {
		call := faasioflex.FromContext(r.Context())
		secret, _ := call.Secret("db-password")
		token, _ := call.Token()
		answer(w, map[string]any{"secret": secret, "token": token, "principal": call.Principal})
	})
	mux.HandleFunc("/environment", func(w http.ResponseWriter, _ *http.Request) {
		found := map[string]string{}
		for _, one := range os.Environ() {
			name, value, _ := strings.Cut(one, "=")
			found[name] = value
		}
		answer(w, found)
	})
	mux.HandleFunc("/socket", socket)
	mux.HandleFunc("/half", half)
	mux.HandleFunc("/late", late)
	mux.HandleFunc("/lengths", lengths)
	return mux
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

func echo(w http.ResponseWriter, r *http.Request) {
	part := make([]byte, 8192)
	for {
		n, err := r.Body.Read(part)
		_, _ = w.Write(part[:n])
		if err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
	}
}

func request(w http.ResponseWriter, r *http.Request) {
	headers := map[string]string{}
	for name, values := range r.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	answer(w, map[string]any{
		"method": r.Method, "path": r.URL.EscapedPath(), "query": r.URL.RawQuery, "headers": headers,
		"root_path": r.Header.Get("X-Forwarded-Prefix"), "request_id": faasioflex.FromContext(r.Context()).RequestID,
	})
}

func sleep(r *http.Request) {
	select {
	case <-time.After(time.Minute):
	case <-r.Context().Done():
	}
}

func stream(w http.ResponseWriter, r *http.Request) {
	defer fmt.Fprintln(faasioflex.FromContext(r.Context()).Stdout, "the stream was closed")
	w.Header().Set("Content-Type", "text/plain")
	fmt.Fprint(w, "first\n")
	w.(http.Flusher).Flush()
	sleep(r)
}
