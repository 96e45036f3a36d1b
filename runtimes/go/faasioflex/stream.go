package faasioflex

import (
	"context"
	"io"
	"iter"
)

const readBytes = 32 * 1024

// stream gives send each piece; send tells whether there is somebody who wants more.
type stream func(ctx context.Context, send func([]byte) bool) error

// toStream is the pieces of a value that is streamed, nil for any other. Several types have the same meaning: Go tells a
// named function type from its own underlying type.
func toStream(value any) (stream, []string) {
	switch value := value.(type) {
	case io.Reader:
		return read(value), bytesType
	case chan string:
		return receive(value), textType
	case <-chan string:
		return receive(value), textType
	case chan []byte:
		return receive(value), bytesType
	case <-chan []byte:
		return receive(value), bytesType
	case iter.Seq[string]:
		return pieces(value), textType
	case func(func(string) bool):
		return pieces(value), textType
	case iter.Seq[[]byte]:
		return pieces(value), bytesType
	case func(func([]byte) bool):
		return pieces(value), bytesType
	}
	return nil, nil
}

func pieces[T string | []byte](all iter.Seq[T]) stream {
	return func(_ context.Context, send func([]byte) bool) error {
		for piece := range all {
			if !send([]byte(piece)) {
				break
			}
		}
		return nil
	}
}

// receive stops when the call is over; who sends into the channel has to watch the call's context too.
func receive[T string | []byte](from <-chan T) stream {
	return func(ctx context.Context, send func([]byte) bool) error {
		for {
			select {
			case piece, open := <-from:
				if !open || !send([]byte(piece)) {
					return nil
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

func read(from io.Reader) stream {
	return func(_ context.Context, send func([]byte) bool) error {
		if closer, ok := from.(io.Closer); ok {
			defer closer.Close()
		}
		buffer := make([]byte, readBytes)
		for {
			n, err := from.Read(buffer)
			if n > 0 && !send(buffer[:n]) || err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
		}
	}
}
