package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"ldapsync/config"
)

func newConfigCommand(f *flags) *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Check and show the settings"}
	c.AddCommand(&cobra.Command{
		Use:   "check",
		Short: "Report everything that is wrong with the settings",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := f.load()
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: ok, %d suffix(es) as %s\n", f.config, len(cfg.Suffixes), cfg.XMPP.JID)
			return nil
		},
	}, &cobra.Command{
		Use:   "show",
		Short: "Print the settings in force, defaults included, as YAML",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := f.load()
			if err != nil {
				return err
			}
			fmt.Fprint(cmd.OutOrStdout(), cfg.Show())
			return nil
		},
	}, &cobra.Command{
		Use:   "sample",
		Short: "Print a settings file with every key explained",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			fmt.Fprint(cmd.OutOrStdout(), config.Sample())
			return nil
		},
	})
	return c
}
