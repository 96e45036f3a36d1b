package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
)

const wanted = "func Handle(ctx context.Context, event faasioflex.Event) (any, error)"

// declared is an exported name of the function's package.
type declared struct {
	where    string // file:line
	kind     string // func, var, const, type
	function *ast.FuncType
}

type code struct{ names map[string]declared }

// look parses the package in the root of folder, as it is built here: build tags count, tests do not.
func look(folder string) (code, error) {
	settings := build.Default
	settings.CgoEnabled = false
	found, err := settings.ImportDir(folder, 0)
	var several *build.MultiplePackageError
	var none *build.NoGoError
	switch {
	case errors.As(err, &none):
		if why := leftOut(folder, found.IgnoredGoFiles); why != "" {
			return code{}, errors.New(why)
		}
		return code{}, fmt.Errorf("there is no Go file in the root of the code: write function.go with `package function` and %s", wanted)
	case errors.As(err, &several):
		return code{}, fmt.Errorf("the files %s belong to different packages (%s): use `package function` in each",
			strings.Join(several.Files, " and "), strings.Join(several.Packages, ", "))
	case err != nil:
		return code{}, errors.New(strings.ReplaceAll(oneLine(err), folder+"/", ""))
	case found.Name == "main":
		return code{}, fmt.Errorf("%s: the package is called main: write `package function`, and no func main", found.GoFiles[0])
	}
	made := code{map[string]declared{}}
	files := token.NewFileSet()
	for _, name := range found.GoFiles {
		parsed, err := parser.ParseFile(files, filepath.Join(folder, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return made, errors.New(strings.ReplaceAll(oneLine(err), folder+"/", ""))
		}
		made.add(files, parsed)
	}
	return made, nil
}

// leftOut says why none of the ignored files is built, "" where there are none.
func leftOut(folder string, ignored []string) string {
	excluded := ""
	for _, name := range ignored {
		if name[0] == '_' || name[0] == '.' { // no Go file by its name
			continue
		}
		if excluded == "" {
			excluded = name
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(folder, name), nil, parser.ImportsOnly)
		if err != nil {
			continue
		}
		for _, one := range parsed.Imports {
			if one.Path.Value == `"C"` {
				return name + " uses cgo: functions are built without it"
			}
		}
	}
	if excluded != "" {
		return excluded + " is excluded by a build constraint: functions are built for " + build.Default.GOOS + "/" + build.Default.GOARCH
	}
	return ""
}

func (c code) add(files *token.FileSet, parsed *ast.File) {
	note := func(name *ast.Ident, kind string, function *ast.FuncType) {
		if name.IsExported() {
			at := files.Position(name.Pos())
			c.names[name.Name] = declared{fmt.Sprintf("%s:%d", filepath.Base(at.Filename), at.Line), kind, function}
		}
	}
	for _, one := range parsed.Decls {
		switch one := one.(type) {
		case *ast.FuncDecl:
			if one.Recv == nil {
				note(one.Name, "func", one.Type)
			}
		case *ast.GenDecl:
			for _, spec := range one.Specs {
				switch spec := spec.(type) {
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						note(name, one.Tok.String(), nil)
					}
				case *ast.TypeSpec:
					note(spec.Name, "type", nil)
				}
			}
		}
	}
}

// choose finds what is served: the named one, else Handle, else Handler. Whether its type is right is seen when the program
// is checked; what cannot be right is said here, before it is compiled.
func (c code) choose(handler string) (string, error) {
	candidates := []string{"Handle", "Handler"}
	if handler != "" {
		if !token.IsIdentifier(handler) || !token.IsExported(handler) {
			return "", fmt.Errorf("the handler %q is not an exported name such as Handle", handler)
		}
		candidates = []string{handler}
	}
	for _, name := range candidates {
		found, exists := c.names[name]
		if !exists {
			continue
		}
		if found.kind == "type" || found.kind == "const" {
			return "", fmt.Errorf("%s: %s is a %s: it must be %s, or an http.Handler", found.where, name, found.kind, wanted)
		}
		if found.function != nil && !plausible(found.function) {
			return "", fmt.Errorf("%s: %s has other parameters or results: it must be %s, or func(http.ResponseWriter, *http.Request)",
				found.where, name, strings.Replace(wanted, "Handle", name, 1))
		}
		return name, nil
	}
	if handler != "" {
		return "", fmt.Errorf("there is no %s: the code exports %s", handler, c.list())
	}
	return "", fmt.Errorf("there is neither Handle nor Handler: write %s, or an http.Handler named Handler, or name another in `handler`", wanted)
}

func plausible(function *ast.FuncType) bool {
	results := function.Results.NumFields()
	return function.TypeParams == nil && function.Params.NumFields() == 2 && (results == 2 || results == 0)
}

func (c code) list() string {
	var names []string
	for name := range c.names {
		names = append(names, name)
	}
	if len(names) == 0 {
		return "no name"
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func oneLine(err error) string {
	return strings.Join(strings.Fields(err.Error()), " ")
}
