package main

import (
	"github.com/spf13/cobra"

	"ldapsync/config"
	"ldapsync/daemon"
)

func newInitCommand(f *flags) *cobra.Command {
	var again, dryRun bool
	c := &cobra.Command{
		Use:   "init",
		Short: "Check the directory and the account, and prepare this server",
		Long: `Init checks that the directory server has what replication needs and that the
account can log in, gives this installation its identity and, where the room
lets it in, takes a free sid. It says what comes next. Repeating it changes
nothing.

With --again the server begins anew: the state file is set aside and kept, and
the server joins its room as one that returns, under a new sid, with what its
directory holds. The daemon must be stopped.

With --dry-run it only says what joining would do, as LDIF and counts: what
would be published, and what would be written to the directory.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := f.load()
			if err != nil {
				return err
			}
			// What init has to say goes to standard output; the log is for what
			// goes wrong on the way.
			quiet := config.Log{Level: "warn", Format: "text"}
			if cfg.Log.Level == "debug" {
				quiet.Level = "debug"
			}
			log, closeLog, err := newLogger(quiet, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			defer closeLog()
			if dryRun {
				return daemon.Rehearse(cmd.Context(), cfg, log, again, cmd.OutOrStdout())
			}
			return daemon.Init(cmd.Context(), cfg, log, again, cmd.OutOrStdout())
		},
	}
	c.Flags().BoolVar(&again, "again", false, "set the state file aside and begin anew")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "say what joining would do, and do nothing")
	return c
}
