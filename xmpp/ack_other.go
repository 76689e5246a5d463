//go:build !linux

package xmpp

import "net"

// quickAck does nothing where the kernel has no such option.
func quickAck(net.Conn) {}
