package faasioflex

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"os"
	"reflect"
	"slices"

	_ "faasioflex.dev/faasioflex/internal/check"
	"faasioflex.dev/faasioflex/internal/report"
	"faasioflex.dev/faasioflex/internal/server"
	"faasioflex.dev/faasioflex/internal/settings"
)

// Main is called by the program that a build makes; functions have no use for it. It serves target, which the function's
// package exports as name, or with the argument --check only looks at it. It does not return.
func Main(name string, target any) {
	set := settings.Taken
	style, err := styleOf(name, target)
	if err == nil && set.Err != nil {
		err = fmt.Errorf("FFX_CONFIG cannot be read: %w", set.Err)
	}
	if err == nil && set.Handler != "" && set.Handler != name {
		err = fmt.Errorf("this build serves %s and not the handler %s: build it again", name, set.Handler)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if slices.Contains(os.Args[1:], "--check") {
		os.Exit(0)
	}
	settings.Bound(set)
	to := report.New(set.ReportFD)
	made := server.New(set, to, style)
	slog.SetDefault(slog.New(made.Logs()))
	log.SetOutput(to.Writer("stderr", ""))
	code, err := made.Run()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

const wanted = "func Handle(ctx context.Context, event faasioflex.Event) (any, error), or an http.Handler named Handler"

// styleOf finds out how target wants to be called.
func styleOf(name string, target any) (server.Style, error) {
	switch found := target.(type) {
	case func(context.Context, Event) (any, error):
		return handle(found), nil
	case func(http.ResponseWriter, *http.Request):
		return httpHandler{http.HandlerFunc(found)}, nil
	case http.Handler:
		if value := reflect.ValueOf(found); value.Kind() == reflect.Pointer && value.IsNil() {
			return nil, fmt.Errorf("%s is a nil %T when the program starts: give it a value where it is declared", name, found)
		}
		return httpHandler{found}, nil
	case nil:
		return nil, fmt.Errorf("%s is nil when the program starts: give it a value where it is declared", name)
	}
	return nil, fmt.Errorf("%s is a %T: it must be %s", name, target, wanted)
}
