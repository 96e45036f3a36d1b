package function

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"

	"faasioflex.dev/faasioflex"
)

// more is what only the tests of this language ask.
func more(ctx context.Context, event faasioflex.Event) (any, error) {
	switch event.Path {
	case "/panic":
		return boom(event), nil
	case "/goroutine":
		go func() { panic("in a goroutine") }()
		return nil, sleep(ctx)
	case "/slog":
		slog.InfoContext(ctx, "with context", "key", "a value")
		slog.Info("without context")
		log.Print("by package log")
		faasioflex.FromContext(ctx).Log.With("who", "Ada").Warn("of the call")
		fmt.Println("by fmt")
		return nil, nil
	case "/json":
		var asked struct{ Name string }
		if err := event.JSON(&asked); err != nil {
			return nil, fmt.Errorf("asked: %w", err)
		}
		return asked.Name, nil
	case "/cloudevent":
		return event.CloudEvent()
	case "/reader":
		return io.NopCloser(strings.NewReader("read\n")), nil
	case "/response":
		headers := http.Header{"Set-Cookie": {"a=1", "b=2"}, "X-Ffx-Overflow": {"1"}, "content-length": {"99"}}
		return faasioflex.Response{Body: map[string]int{"a": 1}, Status: 201, Headers: headers}, nil
	case "/bad-header":
		return faasioflex.Response{Headers: http.Header{"X-Split": {"a\r\nX-More: b"}}}, nil
	case "/func":
		return func() {}, nil
	case "/struct":
		return struct {
			Name string `json:"name"`
		}{"<Ada>"}, nil
	case "/number":
		return 3.5, nil
	case "/limits":
		return map[string]int64{"memory_bytes": debug.SetMemoryLimit(-1), "cores": int64(runtime.GOMAXPROCS(0))}, nil
	case "/descriptors":
		listed, err := exec.CommandContext(ctx, "ls", "/proc/self/fd").Output()
		return listed, err
	}
	return faasioflex.Response{Status: 404}, nil
}

func boom(event faasioflex.Event) any {
	panic("the reason of " + event.Path)
}
