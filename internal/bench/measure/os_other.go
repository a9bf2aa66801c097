//go:build !linux

package measure

import (
	"os"
	"time"
)

// syncData makes the file durable.
func syncData(f *os.File) error { return f.Sync() }

// cpuTime is not known here.
func cpuTime() time.Duration { return 0 }
