// Command ldapsync replicates a directory server's suffixes with the other
// servers of a room. See ldapsync help.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	cmd := newRootCommand()
	code := report(os.Stderr, cmd.ExecuteContext(ctx))
	stop()
	os.Exit(code)
}
