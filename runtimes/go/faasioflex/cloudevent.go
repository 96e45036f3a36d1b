package faasioflex

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/url"
	"strings"
)

// CloudEvent is one of CloudEvents 1.0. Time is RFC 3339 text; Data is JSON, text or bytes, as DataContentType says.
type CloudEvent struct {
	SpecVersion     string
	ID              string
	Source          string
	Type            string
	Subject         string
	Time            string
	DataContentType string
	DataSchema      string
	Extensions      map[string]any
	Data            []byte
}

const structured = "application/cloudevents+json"

// JSON reads Data into v.
func (c *CloudEvent) JSON(v any) error {
	if err := json.Unmarshal(c.Data, v); err != nil {
		return &BadRequest{"the data of the CloudEvent is not the JSON that is expected: " + err.Error()}
	}
	return nil
}

// CloudEvent is the event that the request carries, in binary or structured mode; nil where it carries none. The error, for
// one that claims to be a CloudEvent and is not, is a *BadRequest.
func (e Event) CloudEvent() (*CloudEvent, error) {
	contentType := e.Headers.Get("Content-Type")
	mediaType, _, _ := mime.ParseMediaType(contentType)
	var found *CloudEvent
	var err error
	switch {
	case mediaType == structured:
		found, err = readStructured(e.Body)
	case e.Headers.Get("Ce-Specversion") != "":
		found, err = e.readBinary(contentType)
	default:
		return nil, nil
	}
	if err != nil {
		return nil, &BadRequest{"the request is not a CloudEvent: " + err.Error()}
	}
	return found, nil
}

func (e Event) readBinary(contentType string) (*CloudEvent, error) {
	attributes := map[string]any{}
	for name, values := range e.Headers {
		if attribute, found := strings.CutPrefix(strings.ToLower(name), "ce-"); found && len(values) > 0 {
			value, err := url.PathUnescape(values[0])
			if err != nil {
				return nil, fmt.Errorf("the header %s has a broken escape", name)
			}
			attributes[attribute] = value
		}
	}
	if contentType != "" {
		attributes["datacontenttype"] = contentType
	}
	return made(attributes, e.Body)
}

func readStructured(body []byte) (*CloudEvent, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return nil, err
	}
	var data []byte = members["data"]
	if encoded, found := members["data_base64"]; found {
		var text string
		if err := json.Unmarshal(encoded, &text); err != nil {
			return nil, errors.New("data_base64 is not text")
		}
		decoded, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("data_base64: %w", err)
		}
		data = decoded
	}
	attributes := map[string]any{}
	for name, member := range members {
		var value any
		if name != "data" && name != "data_base64" && json.Unmarshal(member, &value) == nil && value != nil {
			attributes[name] = value
		}
	}
	return made(attributes, data)
}

func made(attributes map[string]any, data []byte) (*CloudEvent, error) {
	event := &CloudEvent{Data: data}
	known := []struct {
		name     string
		to       *string
		required bool
	}{
		{"specversion", &event.SpecVersion, true}, {"id", &event.ID, true}, {"source", &event.Source, true},
		{"type", &event.Type, true}, {"subject", &event.Subject, false}, {"time", &event.Time, false},
		{"datacontenttype", &event.DataContentType, false}, {"dataschema", &event.DataSchema, false},
	}
	for _, one := range known {
		value, found := attributes[one.name]
		text, isText := value.(string)
		if one.required && text == "" {
			return nil, fmt.Errorf("the attribute %s is missing", one.name)
		}
		if found && !isText {
			return nil, fmt.Errorf("the attribute %s is not text", one.name)
		}
		*one.to = text
		delete(attributes, one.name)
	}
	if !strings.HasPrefix(event.SpecVersion, "1.") {
		return nil, fmt.Errorf("specversion %s is not 1.x", event.SpecVersion)
	}
	event.Extensions = attributes
	return event, nil
}
