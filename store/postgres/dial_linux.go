package postgres

import (
	"syscall"
	"time"
)

// tcpUserTimeoutOption is TCP_USER_TIMEOUT of linux/tcp.h.
const tcpUserTimeoutOption = 18

// tcpUserTimeout has the kernel give up a connection when sent data is not
// acknowledged for so long: a vanished server is noticed in seconds, not in a
// quarter of an hour.
func tcpUserTimeout(d time.Duration) func(network, address string, c syscall.RawConn) error {
	return func(network, _ string, c syscall.RawConn) error {
		if len(network) < 3 || network[:3] != "tcp" {
			return nil
		}
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeoutOption, int(d.Milliseconds()))
		})
		if err != nil {
			return err
		}
		return failed
	}
}
