//go:build !linux

package openldap

import "syscall"

func dieWithParent() *syscall.SysProcAttr { return nil }
