package settings

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
)

const (
	memoryShare = 0.9 // of the limit for Go's heap; the rest is for what Go does not count
	growth      = 400 // percent that the heap may grow before it is collected: the small heap of a function would be too often
)

// Bound lets Go's own scheduler and collector know the limits. A function's own GOMAXPROCS, GOGC and GOMEMLIMIT stand. In a sandbox
// Go does not see its cgroup, so it cannot find them itself; the rule for cores is Go's: rounded up, at least two.
func Bound(set Settings) {
	if set.CPU > 0 && os.Getenv("GOMAXPROCS") == "" {
		cores := max(2, int(math.Ceil(set.CPU)))
		runtime.GOMAXPROCS(min(cores, runtime.NumCPU()))
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(growth)
	}
	if set.MemoryBytes > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(float64(set.MemoryBytes) * memoryShare))
	}
}
