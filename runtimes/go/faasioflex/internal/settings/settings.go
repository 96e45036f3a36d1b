// Package settings holds what the platform tells an instance by its environment.
package settings

import (
	"encoding/json"
	"os"
	"strconv"
	"syscall"
	"time"
)

// Settings of this instance. Descriptors are -1 where there is none.
type Settings struct {
	Handler      string
	Timeout      time.Duration
	Concurrency  int
	PayloadBytes int64   // -1 takes any size
	MemoryBytes  int64   // 0: not told
	CPU          float64 // cores; 0: not told
	Namespace    string
	Function     string
	Revision     int
	ListenFD     int
	ReportFD     int
	Port         string
	Socket       string
	FromPlatform bool // there was an FFX_CONFIG
	Checking     bool // this is the second process of a check
	config       string
	Err          error
}

type config struct {
	Handler      *string  `json:"handler"`
	TimeoutS     float64  `json:"timeout_s"`
	Concurrency  int      `json:"concurrency"`
	PayloadBytes *int64   `json:"payload_bytes"`
	MemoryBytes  *int64   `json:"memory_bytes"`
	CPU          *float64 `json:"cpu"`
}

const checking = "FFX_CHECKING"

// Again is the environment with which the second process of a check takes the same settings.
func Again() []string {
	return []string{"FFX_CONFIG=" + Taken.config, checking + "=1"}
}

// Taken when this package is initialised, which is before the function's own packages are: they see neither the
// platform's variables nor, in programs that they start, its descriptors.
var Taken = take()

func take() Settings {
	defaultPayload := int64(6 << 20)
	read := config{TimeoutS: 30, Concurrency: 10, PayloadBytes: &defaultPayload}
	text, found := os.LookupEnv("FFX_CONFIG")
	made := Settings{FromPlatform: found, config: text, Checking: os.Getenv(checking) != "", ListenFD: -1, ReportFD: -1, PayloadBytes: -1}
	if found {
		made.Err = json.Unmarshal([]byte(text), &read)
	}
	made.Timeout = time.Duration(read.TimeoutS * float64(time.Second))
	made.Concurrency = read.Concurrency
	if read.Handler != nil {
		made.Handler = *read.Handler
	}
	if read.PayloadBytes != nil {
		made.PayloadBytes = *read.PayloadBytes
	}
	if read.MemoryBytes != nil {
		made.MemoryBytes = *read.MemoryBytes
	}
	if read.CPU != nil {
		made.CPU = *read.CPU
	}
	made.Namespace = or(os.Getenv("FFX_NAMESPACE"), "local")
	made.Function = or(os.Getenv("FFX_FUNCTION"), "function")
	made.Revision, _ = strconv.Atoi(os.Getenv("FFX_REVISION"))
	made.Port, made.Socket = os.Getenv("PORT"), os.Getenv("FFX_SOCKET")
	if fds, err := strconv.Atoi(os.Getenv("LISTEN_FDS")); err == nil && fds > 0 && found {
		made.ListenFD = 3
	}
	if fd, err := strconv.Atoi(os.Getenv("FFX_REPORT_FD")); err == nil && fd > 2 {
		made.ReportFD = fd
	}
	for _, fd := range []int{made.ListenFD, made.ReportFD} {
		if fd >= 0 {
			syscall.CloseOnExec(fd)
		}
	}
	if found {
		for _, name := range []string{"FFX_CONFIG", "FFX_REPORT_FD", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", checking} {
			_ = os.Unsetenv(name)
		}
	}
	return made
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
