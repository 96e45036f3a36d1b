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

// Principal is who calls, as the platform verified it. User is an identifier that stays; Email is "" of who has none.
type Principal struct {
	User   string   `json:"user"`
	Groups []string `json:"groups"`
	Email  string   `json:"email"`
}

func principalOf(call *server.Call) *Principal {
	if call.User == "" {
		return nil
	}
	made := &Principal{User: call.User, Groups: []string{}, Email: call.Email}
	for _, name := range strings.Split(call.Groups, ",") {
		if name = strings.TrimSpace(name); name != "" {
			made.Groups = append(made.Groups, name)
		}
	}
	return made
}

// Context is what a handler may know and ask about its call. Its lines of the log carry the request id.
type Context struct {
	RequestID   string
	Namespace   string
	Function    string
	Revision    int
	Principal   *Principal // who calls, nil where nobody is signed in
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
	made.RequestID, made.Principal, made.TraceParent = call.RequestID(), principalOf(call), call.TraceParent
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

// Secret is the value of a secret that the function lists, as it is now.
func (c *Context) Secret(name string) (string, error) {
	folder := os.Getenv("FFX_SECRETS_DIR")
	if folder == "" {
		folder = "/run/ffx/secrets"
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

// Token is the function's own token, for calls of other functions. It is renewed: ask again for each call.
func (c *Context) Token() (string, error) {
	path := os.Getenv("FFX_TOKEN_FILE")
	if path == "" {
		return "", errors.New("this platform gives functions no token")
	}
	token, err := os.ReadFile(path)
	return strings.TrimSpace(string(token)), err
}
