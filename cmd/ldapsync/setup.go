package main

import (
	"errors"

	"github.com/spf13/cobra"
)

func newSetupCommand(f *flags) *cobra.Command {
	c := &cobra.Command{Use: "setup", Short: "Print what the neighbours of this server need"}
	c.AddCommand(&cobra.Command{
		Use:   "openldap",
		Short: "Print everything the OpenLDAP database needs",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return errors.New("not built yet")
		},
	})
	return c
}
