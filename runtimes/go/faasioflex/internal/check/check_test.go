package check

import "testing"

const panicked = `panic: no database [recovered, repanicked]

goroutine 1 [running]:
net/http.NewRequest(...)
	net/http/request.go:850 +0x1d
example.com/shop.init.0()
	example.com/shop/store.go:12 +0x2a
`

func TestAPanicIsToldWithItsPlace(t *testing.T) {
	for said, want := range map[string]string{
		panicked: "store.go:12: the packages cannot be initialised: panic: no database [recovered, repanicked]",
		"fatal error: all goroutines are asleep - deadlock!\n": "the packages cannot be initialised: all goroutines are asleep - deadlock!",
		"": "the program ended while its packages were initialised: exit status 3",
	} {
		if got := explain(said, "exit status 3", "example.com/shop"); got != want {
			t.Errorf("got %q", got)
		}
	}
}
