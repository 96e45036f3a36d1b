package server

import (
	"net/http"
	"strings"
)

// Framing belongs to this server; the rest of hop-by-hop would be lies on this connection.
var framing = map[string]bool{
	"Keep-Alive": true, "Proxy-Connection": true, "Te": true, "Transfer-Encoding": true, "Upgrade": true,
}

// Who calls, as the platform verified it: functions see these.
var callers = map[string]bool{
	"X-Ffx-User": true, "X-Ffx-Groups": true, "X-Ffx-Email": true, "X-Ffx-Invocation-Id": true, "X-Ffx-Attempt": true,
}

func isPlatforms(name string) bool {
	return len(name) > 6 && strings.EqualFold(name[:6], "x-ffx-")
}

// prepare puts the headers of an answer in order: one spelling for each name, one length, nothing that is the platform's.
func (c *Call) prepare(header http.Header) {
	for name, values := range header {
		canonical := http.CanonicalHeaderKey(name)
		switch {
		case framing[canonical], isPlatforms(canonical):
			delete(header, name)
		case canonical != name:
			delete(header, name)
			header[canonical] = append(header[canonical], values...)
		}
	}
	if lengths := header["Content-Length"]; len(lengths) > 1 {
		header["Content-Length"] = lengths[:1]
	}
	if c.closes() {
		header.Set("Connection", "close")
	}
}
