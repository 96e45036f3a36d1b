// Package check runs the check of a build in a second process, so that whatever happens while the function's packages are
// initialised can be told in a sentence. It is initialised before they are: they import what imports it.
package check

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime/debug"
	"strings"

	"faasioflex.dev/faasioflex/internal/settings"
)

func init() {
	if !settings.Taken.FromPlatform || settings.Taken.Checking || len(os.Args) != 2 || os.Args[1] != "--check" {
		return
	}
	program, err := os.Executable()
	if err != nil {
		fmt.Fprintf(os.Stderr, "the program cannot be found: %v\n", err)
		os.Exit(1)
	}
	child := exec.Command(program, "--check")
	child.Env = append(os.Environ(), settings.Again()...)
	var said bytes.Buffer
	child.Stdout, child.Stderr = os.Stdout, &said
	err = child.Run()
	_, _ = os.Stderr.Write(said.Bytes())
	var ended *exec.ExitError
	switch {
	case err == nil:
		os.Exit(0)
	case !errors.As(err, &ended):
		fmt.Fprintf(os.Stderr, "the program cannot be started: %v\n", err)
	case ended.ExitCode() != 1:
		fmt.Fprintln(os.Stderr, explain(said.String(), ended.String(), ownModule()))
	}
	os.Exit(1)
}

// ownModule is the function's: the program is compiled as a package of it.
func ownModule() string {
	if info, found := debug.ReadBuildInfo(); found {
		return info.Main.Path
	}
	return ""
}

var frame = regexp.MustCompile(`^\t(\S+\.go:\d+)`)

// explain makes a sentence of what Go writes when it panics.
func explain(said, ended, module string) string {
	reason, place := "", ""
	for line := range strings.Lines(said) {
		line = strings.TrimSuffix(line, "\n")
		if reason == "" {
			if text, found := strings.CutPrefix(line, "panic: "); found {
				reason = "panic: " + text
			} else if text, found := strings.CutPrefix(line, "fatal error: "); found {
				reason = text
			}
		}
		if at := frame.FindStringSubmatch(line); at != nil && place == "" && isTheirs(at[1]) {
			place = strings.TrimPrefix(at[1], module+"/")
		}
	}
	if reason == "" {
		return "the program ended while its packages were initialised: " + ended
	}
	if place != "" {
		place += ": "
	}
	return place + "the packages cannot be initialised: " + strings.TrimSpace(reason)
}

// isTheirs: with -trimpath, the standard library's files begin with the name of a package of it, and no version.
func isTheirs(file string) bool {
	first, _, _ := strings.Cut(file, "/")
	return !standard[first] && !strings.HasPrefix(file, "faasioflex.dev/faasioflex")
}

var standard = map[string]bool{
	"runtime": true, "internal": true, "reflect": true, "sync": true, "os": true, "regexp": true, "net": true, "fmt": true,
	"encoding": true, "text": true, "html": true, "time": true, "errors": true, "strings": true, "bytes": true, "log": true,
}
