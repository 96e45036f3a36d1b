package function

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"time"
)

// half promises more than it sends, and panics.
func half(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	fmt.Fprint(w, "only this")
	w.(http.Flusher).Flush()
	panic("the reason")
}

// late has written, but nothing has left, when it panics.
func late(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprint(w, "nobody sees this")
	panic("the reason")
}

// lengths sets headers past http.Header's methods.
func lengths(w http.ResponseWriter, _ *http.Request) {
	w.Header()["content-length"] = []string{"2"}
	w.Header()["Content-Length"] = []string{"2", "2"}
	w.Header()["x-ffx-overflow"] = []string{"1"}
	fmt.Fprint(w, "hi")
}

// socket is a WebSocket that sends each text back in capitals; as much of the protocol as a test needs.
func socket(w http.ResponseWriter, r *http.Request) {
	connection, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer connection.Close()
	_ = connection.SetDeadline(time.Time{})
	sum := sha1.Sum([]byte(r.Header.Get("Sec-Websocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	fmt.Fprintf(connection, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]))
	for {
		kind, message, err := frame(buffered)
		if err != nil || kind == 8 {
			_, _ = connection.Write([]byte{0x88, 0})
			return
		}
		_, _ = connection.Write(append([]byte{0x81, byte(len(message))}, bytes.ToUpper(message)...))
	}
}

// frame reads a masked frame of less than 64 KiB.
func frame(from io.Reader) (kind byte, message []byte, err error) {
	var head [2]byte
	if _, err = io.ReadFull(from, head[:]); err != nil {
		return 0, nil, err
	}
	length := int(head[1] & 0x7f)
	if length == 126 {
		var long uint16
		if err = binary.Read(from, binary.BigEndian, &long); err != nil {
			return 0, nil, err
		}
		length = int(long)
	}
	masked := make([]byte, 4+length)
	if _, err = io.ReadFull(from, masked); err != nil {
		return 0, nil, err
	}
	for at := range length {
		masked[4+at] ^= masked[at%4]
	}
	return head[0] & 0x0f, masked[4:], nil
}
