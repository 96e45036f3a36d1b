// The bare server for Go. Argument: a port or unix:PATH.
package main

import (
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
)

func main() {
	network, where := "tcp", "127.0.0.1:"+os.Args[1]
	if path, ok := strings.CutPrefix(os.Args[1], "unix:"); ok {
		network, where = "unix", path
	}
	listener, err := net.Listen(network, where)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Write(body)
	})))
}
