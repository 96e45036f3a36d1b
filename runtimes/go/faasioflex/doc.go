// Package faasioflex is what a function in Go sees of FaaSioFlex.
//
// A function is a package with one of two exported names:
//
//	func Handle(ctx context.Context, event faasioflex.Event) (any, error)
//	var Handler http.Handler // or func Handler(w http.ResponseWriter, r *http.Request)
//
// What Handle returns is the answer: a string is text, []byte bytes, nil no content, a [Response] has a status and headers
// of its own; an io.Reader, a channel or an iter.Seq of string or []byte is streamed; everything else is JSON. An error or a
// panic is a 500 for the caller and a line of the log. [FromContext] tells what the platform knows of the call.
package faasioflex
