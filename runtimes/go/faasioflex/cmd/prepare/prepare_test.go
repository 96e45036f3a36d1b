package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	handle  = "package function\n\nfunc Handle(ctx context.Context, event faasioflex.Event) (any, error) { return nil, nil }\n"
	handler = "package function\n\nvar Handler http.Handler = nil\n"
	module  = "module example.com/shop // ours\n"
)

func prepared(t *testing.T, files map[string]string, name string) (string, error) {
	t.Helper()
	code, work, runtime := t.TempDir(), t.TempDir(), t.TempDir()
	files["go.mod"] = module
	for file, text := range files {
		if err := os.WriteFile(filepath.Join(code, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(runtime, "main.go.tmpl"), []byte("{{module}} {{handler}}"), 0o644); err != nil {
		t.Fatal(err)
	}
	err := prepare(code, work, runtime, name)
	program, _ := os.ReadFile(filepath.Join(work, "main.go"))
	return string(program), err
}

func TestWhatIsServed(t *testing.T) {
	for _, one := range []struct{ source, name, want string }{
		{handle, "", "example.com/shop Handle"},
		{handler, "", "example.com/shop Handler"},
		{handle + "var Handler = 1\n", "", "example.com/shop Handle"},
		{"package function\n\nfunc Greet(w http.ResponseWriter, r *http.Request) {}\n", "Greet", "example.com/shop Greet"},
	} {
		if got, err := prepared(t, map[string]string{"function.go": one.source}, one.name); err != nil || got != one.want {
			t.Errorf("%s: got %q, %v", one.source, got, err)
		}
	}
}

func TestTestsAndOtherSystemsDoNotCount(t *testing.T) {
	files := map[string]string{"function.go": handle, "function_test.go": "package function_test\n", "function_windows.go": "package other\n"}
	if _, err := prepared(t, files, ""); err != nil {
		t.Error(err)
	}
}

func TestWhatCannotBeServedIsToldInASentence(t *testing.T) {
	for want, one := range map[string]struct {
		files map[string]string
		name  string
	}{
		"there is no Go file":       {map[string]string{"readme": "x"}, ""},
		"function.go: the package":  {map[string]string{"function.go": "package main\n\nfunc main() {}\n"}, ""},
		"the files a.go and b.go":   {map[string]string{"a.go": "package a\n", "b.go": "package b\n"}, ""},
		"function.go uses cgo: fun": {map[string]string{"function.go": "package function\n\nimport \"C\"\n"}, ""},
		"function.go is excluded b": {map[string]string{"function.go": "//go:build never\n\npackage function\n"}, ""},
		"function_windows.go is ex": {map[string]string{"function_windows.go": "package function\n"}, ""},
		"function.go:3:8: expected": {map[string]string{"function.go": "package function\n\nfunc (\n"}, ""},
		"there is neither Handle":   {map[string]string{"function.go": "package function\n"}, ""},
		"function.go:3: Handle has": {map[string]string{"function.go": "package function\n\nfunc Handle(event any) string { return \"\" }\n"}, ""},
		"function.go:3: Handle is":  {map[string]string{"function.go": "package function\n\ntype Handle struct{}\n"}, ""},
		"the handler \"greet\" is":  {map[string]string{"function.go": handle}, "greet"},
		"there is no Greet: the co": {map[string]string{"function.go": handle}, "Greet"},
	} {
		_, err := prepared(t, one.files, one.name)
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestModules(t *testing.T) {
	for text, want := range map[string]string{
		"// x\nmodule \"a.b/c\"\n\ngo 1.24\n": "a.b/c",
		"go 1.24\n":                           "names no module",
		"module faasioflex.dev/faasioflex\n":  "is the platform's",
	} {
		file := filepath.Join(t.TempDir(), "go.mod")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		path, err := modulePath(file)
		if path != want && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: got %q, %v", text, path, err)
		}
	}
}
