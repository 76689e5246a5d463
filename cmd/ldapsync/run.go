package main

import (
	"github.com/spf13/cobra"

	"ldapsync/daemon"
)

func newRunCommand(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Run the daemon until it is told to stop",
		Long: `Run replicates every suffix of the settings until SIGINT or SIGTERM; a second
signal ends it at once.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			cfg, err := f.load()
			if err != nil {
				return err
			}
			log, closeLog, err := newLogger(cfg.Log, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			defer closeLog()
			return daemon.Run(cmd.Context(), cfg, log)
		},
	}
}
