package report

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// Handler writes the records of log/slog as lines: level, message and attributes as key=value. The platform adds the time.
type Handler struct {
	report *Report
	id     func(context.Context) string
	sink   *sink
	text   slog.Handler
}

type sink struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

// NewHandler asks id for the request id of each record's context.
func NewHandler(report *Report, id func(context.Context) string) *Handler {
	to := &sink{}
	return &Handler{report: report, id: id, sink: to, text: slog.NewTextHandler(&to.buffer, nil)}
}

// For is the same handler for the records of one call, whatever their context.
func (h *Handler) For(requestID string) *Handler {
	return &Handler{h.report, func(context.Context) string { return requestID }, h.sink, h.text}
}

func (h *Handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.text.Enabled(ctx, level)
}

func (h *Handler) Handle(ctx context.Context, record slog.Record) error {
	record.Time = time.Time{}
	h.sink.mu.Lock()
	h.sink.buffer.Reset()
	err := h.text.Handle(ctx, record)
	line := h.sink.buffer.String()
	h.sink.mu.Unlock()
	h.report.Line("stderr", strings.TrimSuffix(line, "\n"), h.id(ctx))
	return err
}

func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Handler{h.report, h.id, h.sink, h.text.WithAttrs(attrs)}
}

func (h *Handler) WithGroup(name string) slog.Handler {
	return &Handler{h.report, h.id, h.sink, h.text.WithGroup(name)}
}
