//go:build unix

package pgtest

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"sync"
	"syscall"
)

// servant is the user that runs the server when we are root, which PostgreSQL
// refuses to be.
var servant = sync.OnceValues(func() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, fmt.Errorf("pgtest: running as root, and there is neither a user postgres nor nobody to run the server")
})

// giveAway makes a directory or a file belong to the servant.
func giveAway(dir string) error {
	who, err := servant()
	if err != nil || who == nil {
		return err
	}
	if err := os.Chown(dir, int(who.Uid), int(who.Gid)); err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	return nil
}

// unprivileged runs a command as the servant, out of reach of an interrupt
// that is meant for us.
func unprivileged() *syscall.SysProcAttr {
	who, _ := servant()
	return &syscall.SysProcAttr{Setpgid: true, Credential: who}
}

func ownSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// sendQuit asks for PostgreSQL's immediate shutdown.
func sendQuit(p *os.Process) error { return p.Signal(syscall.SIGQUIT) }

// sendFast asks for a shutdown in order that waits for nobody.
func sendFast(p *os.Process) error { return p.Signal(syscall.SIGINT) }
