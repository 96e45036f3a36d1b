package faasioflex

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"faasioflex.dev/faasioflex/internal/server"
	"faasioflex.dev/faasioflex/internal/settings"
)

// Context is what a handler may know and ask about its call. Its lines of the log carry the request id.
type Context struct {
	RequestID   string
	Namespace   string
	Function    string
	Revision    int
	Principal   string // who calls, where the platform knows
	TraceParent string
	Log         *slog.Logger // level INFO and above
	Stdout      io.Writer    // lines of the log, as those of os.Stdout, which has no request id
	Stderr      io.Writer
	ctx         context.Context
}

// FromContext tells about the call of ctx: that which a handler was given, that of an http.Request, or one made of them.
// Outside of a call, in a test, it has no request id and writes to the test's own streams.
func FromContext(ctx context.Context) *Context {
	set := settings.Taken
	made := &Context{Namespace: set.Namespace, Function: set.Function, Revision: set.Revision, ctx: ctx}
	call := server.From(ctx)
	if call == nil {
		made.Log, made.Stdout, made.Stderr = slog.Default(), os.Stdout, os.Stderr
		return made
	}
	made.RequestID, made.Principal, made.TraceParent = call.RequestID(), call.Principal, call.TraceParent
	made.Log = slog.New(call.Logger())
	made.Stdout, made.Stderr = call.Stream("stdout"), call.Stream("stderr")
	return made
}

// Deadline is when the call is given up; the zero time where there is no such moment.
func (c *Context) Deadline() time.Time {
	at, _ := c.ctx.Deadline()
	return at
}

// Remaining is how long until the deadline, at least 0.
func (c *Context) Remaining() time.Duration {
	return max(0, time.Until(c.Deadline()))
}

var secretName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// Secret is the value of a secret that the function lists.
func (c *Context) Secret(name string) (string, error) {
	folder := os.Getenv("FFX_SECRETS_DIR")
	if folder == "" {
		folder = "/ffx/secrets"
	}
	if !secretName.MatchString(name) {
		return "", fmt.Errorf("the function has no secret %q: list it under secrets", name)
	}
	value, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		return "", fmt.Errorf("the function has no secret %q: list it under secrets", name)
	}
	return string(value), nil
}

// Token is the function's own token, for calls of other functions.
func (c *Context) Token() (string, error) {
	path := os.Getenv("FFX_TOKEN_FILE")
	if path == "" {
		return "", errors.New("this platform gives functions no token")
	}
	token, err := os.ReadFile(path)
	return strings.TrimSpace(string(token)), err
}
