package main

import (
	"github.com/spf13/cobra"

	"ldapsync/demo"
)

func newDemoCommand() *cobra.Command {
	var opts demo.Options
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show two throw-away servers replicate",
		Long: `Demo starts Prosody, two OpenLDAP servers and a daemon beside each in a
temporary folder, shows step by step what they do, and leaves everything running
until Ctrl-C with lines to try by hand. It needs prosody, slapd and ldap-utils
installed; no running service is touched.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts.Out = cmd.OutOrStdout()
			return demo.Run(cmd.Context(), opts)
		},
	}
	c.Flags().BoolVar(&opts.Check, "check", false, "run unattended, verify every step, clean up and end")
	c.Flags().StringVar(&opts.Dir, "dir", "", "keep everything in this `folder` (default: a temporary one)")
	return c
}
