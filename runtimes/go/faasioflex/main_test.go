package faasioflex

import (
	"context"
	"net/http"
	"strings"
	"testing"
)

func TestWhatCanBeServed(t *testing.T) {
	for name, target := range map[string]any{
		"handle":  func(context.Context, Event) (any, error) { return nil, nil },
		"handler": http.NewServeMux(),
		"func":    func(http.ResponseWriter, *http.Request) {},
	} {
		if _, err := styleOf("Handle", target); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatCannotBeServedIsToldInASentence(t *testing.T) {
	var none *http.ServeMux
	for want, target := range map[string]any{
		"Handle is a func(string) string: it must be func Handle(ctx": func(string) string { return "" },
		"Handle is nil":                   nil,
		"Handle is a nil *http.ServeMux":  none,
		"Handle is a int: it must be fun": 5,
	} {
		if _, err := styleOf("Handle", target); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestOutsideOfACallThereIsAContextToo(t *testing.T) {
	call := FromContext(context.Background())
	call.Log.Info("written by a test")
	if call.RequestID != "" || call.Remaining() != 0 {
		t.Errorf("%+v", call)
	}
	if _, err := call.Secret("../x"); err == nil {
		t.Error("a path is taken for a secret's name")
	}
	if _, err := call.Token(); err == nil {
		t.Error("there is a token")
	}
}
