// Command prepare looks at a function's code and writes the program that serves it to main.go in the folder -work. It runs
// none of that code. An error is one sentence on stderr, and exit code 1.
//
//	prepare -code FOLDER -work FOLDER -runtime FOLDER [-handler NAME]
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	code := flag.String("code", "", "the function's code, with its go.mod")
	work := flag.String("work", "", "where main.go is written")
	runtime := flag.String("runtime", "", "the folder runtimes/go")
	handler := flag.String("handler", "", "the exported name to serve: Handle, else Handler")
	flag.Parse()
	if err := prepare(*code, *work, *runtime, *handler); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func prepare(code, work, runtime, handler string) error {
	found, err := look(code)
	if err != nil {
		return err
	}
	name, err := found.choose(handler)
	if err != nil {
		return err
	}
	module, err := modulePath(filepath.Join(code, "go.mod"))
	if err != nil {
		return err
	}
	template, err := os.ReadFile(filepath.Join(runtime, "main.go.tmpl"))
	if err != nil {
		return err
	}
	program := strings.NewReplacer("{{module}}", module, "{{handler}}", name).Replace(string(template))
	if err := os.MkdirAll(work, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(work, "main.go"), []byte(program), 0o644); err != nil {
		return err
	}
	fmt.Printf("%s of module %s is served\n", name, module)
	return nil
}

const platforms = "faasioflex.dev/faasioflex"

// modulePath is the module that a go.mod names. Whatever else is in there is read by the go command.
func modulePath(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "//")
		words := strings.Fields(line)
		if len(words) != 2 || words[0] != "module" {
			continue
		}
		path := strings.Trim(words[1], "\"`")
		switch {
		case path == platforms:
			return "", fmt.Errorf("go.mod: the module %s is the platform's: give yours another name", path)
		case path != "" && !strings.ContainsAny(path, "\"`\\"):
			return path, nil
		}
	}
	return "", fmt.Errorf("go.mod names no module: begin it with the line `module function`")
}
