package faasioflex

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"
)

func TestBinaryMode(t *testing.T) {
	request := event("application/json", `{"a": 1}`)
	for name, value := range map[string]string{
		"Ce-Specversion": "1.0", "Ce-Id": "7", "Ce-Source": "/shop", "Ce-Type": "order.made", "Ce-Subject": "caf%C3%A9", "Ce-Tenant": "acme",
	} {
		request.Headers.Set(name, value)
	}
	got, err := request.CloudEvent()
	if err != nil || got == nil {
		t.Fatal(got, err)
	}
	if got.ID != "7" || got.Subject != "café" || got.Extensions["tenant"] != "acme" || got.DataContentType != "application/json" {
		t.Errorf("got %+v", got)
	}
	var data map[string]int
	if err := got.JSON(&data); err != nil || data["a"] != 1 {
		t.Errorf("data %v, %v", data, err)
	}
}

func TestStructuredMode(t *testing.T) {
	members := map[string]any{
		"specversion": "1.0", "id": "7", "source": "/shop", "type": "order.made", "time": "2026-01-02T03:04:05Z", "tenant": 5,
		"data_base64": "aGk=",
	}
	body, _ := json.Marshal(members)
	got, err := event("application/cloudevents+json; charset=utf-8", string(body)).CloudEvent()
	if err != nil || string(got.Data) != "hi" || got.Time != "2026-01-02T03:04:05Z" || got.Extensions["tenant"] != 5.0 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestAnOrdinaryRequestCarriesNone(t *testing.T) {
	if got, err := event("application/json", "{}").CloudEvent(); got != nil || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestWhatClaimsToBeACloudEventAndIsNot(t *testing.T) {
	var bad *BadRequest
	requests := map[string]Event{
		"not JSON":    event(structured, "{"),
		"no id":       event(structured, `{"specversion": "1.0", "source": "s", "type": "t"}`),
		"version":     event(structured, `{"specversion": "0.3", "id": "1", "source": "s", "type": "t"}`),
		"subject":     event(structured, `{"specversion": "1.0", "id": "1", "source": "s", "type": "t", "subject": 5}`),
		"base64":      event(structured, `{"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data_base64": "?"}`),
		"binary, no":  {Headers: http.Header{"Ce-Specversion": {"1.0"}}},
		"bad escapes": {Headers: http.Header{"Ce-Specversion": {"1.0"}, "Ce-Id": {"%zz"}}},
	}
	for name, request := range requests {
		if got, err := request.CloudEvent(); !errors.As(err, &bad) {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}
