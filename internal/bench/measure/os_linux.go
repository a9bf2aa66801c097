package measure

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// syncData makes the file's content durable without its times, as databases do.
func syncData(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }

// CPUTime is what the process has used so far.
func CPUTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// tick is the unit of times in /proc, which is the same on every architecture that
// Go runs on.
const tick = 10 * time.Millisecond

// TreeTime is what a process and its children have used so far, those that have
// ended included; 0 for the process 0.
func TreeTime(pid int) (time.Duration, error) {
	if pid == 0 {
		return 0, nil
	}
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	var ticks int64
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		// What follows the name, which may hold anything: state, parent, ...
		field := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
		if len(field) < 15 {
			return 0, fmt.Errorf("measure: %s cannot be read", name)
		}
		own := filepath.Base(filepath.Dir(name)) == strconv.Itoa(pid)
		if !own && field[1] != strconv.Itoa(pid) {
			continue
		}
		times := field[11:13] // in the program and in the system
		if own {
			times = field[11:15] // and those of children that have ended
		}
		for _, t := range times {
			n, err := strconv.ParseInt(t, 10, 64)
			if err != nil {
				return 0, fmt.Errorf("measure: %s cannot be read: %w", name, err)
			}
			ticks += n
		}
	}
	return time.Duration(ticks) * tick, nil
}
