package faasioflex

import (
	"fmt"
	"net/http"
	"strings"
)

// checkHeaders refuses what HTTP does not allow; net/http would leave it out without a word.
func checkHeaders(headers http.Header) error {
	for name, values := range headers {
		if name == "" || strings.IndexFunc(name, notInName) >= 0 {
			return &badAnswer{fmt.Sprintf("%q is not a header's name", name)}
		}
		for _, value := range values {
			if strings.IndexFunc(value, isControl) >= 0 {
				return &badAnswer{fmt.Sprintf("the value of the header %s holds a line break or control character", name)}
			}
		}
	}
	return nil
}

func notInName(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	}
	return !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}

func isControl(r rune) bool {
	return r < ' ' && r != '\t' || r == 0x7f
}
