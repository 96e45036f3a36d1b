package faasioflex

import (
	"net/http"

	"faasioflex.dev/faasioflex/internal/server"
)

// httpHandler serves an http.Handler: it reads the request as it comes and writes the answer as it likes.
type httpHandler struct{ inner http.Handler }

func (h httpHandler) Serve(call *server.Call, w http.ResponseWriter, r *http.Request) {
	h.inner.ServeHTTP(w, r.WithContext(call))
	if call.Over() {
		logCancelled(call, nil)
	}
}
