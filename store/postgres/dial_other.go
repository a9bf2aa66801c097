//go:build !linux

package postgres

import (
	"syscall"
	"time"
)

// tcpUserTimeout has no portable form; keep-alives remain.
func tcpUserTimeout(time.Duration) func(network, address string, c syscall.RawConn) error { return nil }
