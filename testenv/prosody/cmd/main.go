// Command cmd runs a throw-away Prosody until it is interrupted and prints
// how to reach it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"ldapsync/testenv/prosody"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "prosody:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("prosody", flag.ExitOnError)
	dir := flags.String("dir", "", "folder for its files (default: a temporary one, removed at the end)")
	domain := flags.String("domain", "xmpp.test", "domain of the accounts")
	users := flags.String("users", "ldap1:secret,ldap2:secret", "accounts as name:password,...")
	stock := flags.Bool("stock", false, "only administrators may create pubsub nodes")
	limits := flags.String("limits", "", "Lua table for mod_limits")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *dir == "" {
		tmp, err := os.MkdirTemp("", "prosody-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(tmp)
		*dir = tmp
	} else if err := os.MkdirAll(*dir, 0o700); err != nil {
		return err
	}
	s, err := prosody.Start(*dir, prosody.Options{Domain: *domain, Users: accounts(*users), Stock: *stock, Limits: *limits})
	if err != nil {
		return err
	}
	fmt.Printf("domain=%s\nmuc=%s\npubsub=%s\nserver=%s\ndirect_tls=%s\nca=%s\ndir=%s\npid=%d\n",
		s.Domain, s.MUC, s.PubSub, s.Addr, s.TLSAddr, s.CAFile, s.Dir, s.Pid())
	<-ctx.Done()
	return s.Stop()
}

func accounts(list string) map[string]string {
	out := map[string]string{}
	for _, entry := range strings.Split(list, ",") {
		if name, password, ok := strings.Cut(entry, ":"); ok {
			out[name] = password
		}
	}
	return out
}
