package openldap

import "syscall"

// dieWithParent also keeps the terminal's Ctrl-C away from the child: who
// started it ends it.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
