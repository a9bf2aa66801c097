//go:build !unix

package pgtest

import (
	"os"
	"syscall"
)

func giveAway(string) error              { return nil }
func unprivileged() *syscall.SysProcAttr { return nil }
func ownSession() *syscall.SysProcAttr   { return nil }
func sendQuit(p *os.Process) error       { return p.Kill() }
func sendFast(p *os.Process) error       { return p.Kill() }
