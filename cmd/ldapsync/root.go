package main

import (
	"cmp"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"ldapsync/config"
)

// flags are those of every command.
type flags struct {
	// config is the path of the settings.
	config string
	// socket is the daemon's socket, "" for the one in the settings.
	socket string
}

func newRootCommand() *cobra.Command {
	f := &flags{}
	root := &cobra.Command{
		Use:   "ldapsync",
		Short: "Replicate LDAP directories over XMPP",
		Long: `ldapsync run is a daemon beside one directory server. It replicates the server's
suffixes with all other servers that are in the suffix's XMPP room.

Exit codes: 0 ok, 1 failed, 2 usage or configuration, 3 differences, 4 open conflicts.`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.PersistentFlags().StringVar(&f.config, "config", cmp.Or(os.Getenv(config.EnvPath), config.DefaultPath), "settings `file`")
	root.AddCommand(
		newRunCommand(f), newInitCommand(f), newAdmitCommand(f), newForgetPeerCommand(f), newStatusCommand(f), newParkedCommand(f), newWithheldCommand(f),
		newConflictsCommand(f), newHistoryCommand(f), newUndeleteCommand(f),
		newConfigCommand(f), newSetupCommand(f), newSimulateCommand(), newDemoCommand(), newVersionCommand(),
	)
	root.SetFlagErrorFunc(misused)
	root.InitDefaultCompletionCmd()
	finish(root)
	return root
}

// finish makes every command tell its own failures from wrong usage, and makes
// the commands that only hold others refuse what they do not know.
func finish(c *cobra.Command) {
	if c.HasSubCommands() && c.RunE == nil {
		c.Args, c.RunE = cobra.ArbitraryArgs, runGroup
		c.SuggestionsMinimumDistance = 2
	}
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error { return misused(c, check(c, args)) }
	}
	if run := c.RunE; run != nil {
		c.RunE = func(c *cobra.Command, args []string) error { return failed(c, run(c, args)) }
	}
	for _, sub := range c.Commands() {
		finish(sub)
	}
}

func runGroup(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return c.Help()
	}
	hint := c.CommandPath() + " --help"
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean " + c.CommandPath() + " " + near[0] + "?"
	}
	return &usageError{text: fmt.Sprintf("unknown command %.40q", args[0]), hint: hint}
}

func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("unexpected argument %.40q", args[0])
	}
	return nil
}

func (f *flags) load() (*config.Config, error) { return config.Load(f.config, os.Environ()) }
