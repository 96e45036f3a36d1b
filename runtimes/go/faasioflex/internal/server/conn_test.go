package server

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestAQuietConnectionIsClosedAfterManyRounds(t *testing.T) {
	ours, theirs := net.Pipe()
	c := &conn{Conn: ours}
	c.requests.Add(1)
	rounds := 0
	for ; rounds < 2*quietMost; rounds++ {
		if rounds == 3 {
			c.requests.Add(1) // a request begins the count anew
		}
		c.look()
	}
	if _, err := theirs.Write([]byte("x")); err == nil {
		t.Error("it is still open")
	}
}

func TestABusyConnectionIsNotClosed(t *testing.T) {
	ours, theirs := net.Pipe()
	c := &conn{Conn: ours}
	c.state.Store(int32(isActive))
	for range 2 * quietMost {
		c.look()
	}
	go theirs.Write([]byte("x"))
	if n, err := ours.Read(make([]byte, 1)); n != 1 {
		t.Error(err)
	}
}

func TestRefusalsOfNetHTTPBecomeProblems(t *testing.T) {
	for said, want := range map[string][2]string{
		"HTTP/1.1 400 Bad Request: missing required Host header\r\nConnection: close\r\n\r\n400": {"400", "missing required Host header"},
		"HTTP/1.1 431 Request Header Fields Too Large\r\n\r\n431":                                {"431", "headers-too-large"},
		"HTTP/1.1 505 HTTP Version Not Supported: unsupported protocol version\r\n\r\n":          {"400", "unsupported protocol version"},
	} {
		ours, theirs := net.Pipe()
		go (&conn{Conn: ours}).Write([]byte(said))
		answer, err := http.ReadResponse(bufio.NewReader(theirs), nil)
		if err != nil {
			t.Fatal(err)
		}
		text := make([]byte, answer.ContentLength)
		_, _ = answer.Body.Read(text)
		if !strings.HasPrefix(answer.Status, want[0]) || !strings.Contains(string(text), want[1]) || !answer.Close {
			t.Errorf("%q: %s %s", said, answer.Status, text)
		}
		theirs.Close()
	}
}

func TestAnnouncedLengths(t *testing.T) {
	for head, want := range map[string]bool{
		"POST / HTTP/1.1\r\ncontent-length: 3\r\nTransfer-Encoding: chunked\r\n\r\n":         true,
		"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\ncontent-length: 3\r\n":         false,
		"POST / HTTP/1.1\r\nX: Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n": false,
	} {
		if announcesLength([]byte(head)) != want {
			t.Errorf("%q", head)
		}
	}
}
