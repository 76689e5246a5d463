package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"mellium.im/xmpp/jid"

	"ldapsync/roles"
)

func newAdmitCommand(f *flags) *cobra.Command {
	var roleName, suffix string
	c := &cobra.Command{
		Use:   "admit JID --role master|read-only",
		Short: "Let another server into the room of a suffix",
		Long: `Admit gives the account JID a role in the room of a suffix. It works on a server
that owns the room: the first one that ran, or one that was made a controller.`,
		Example: "  ldapsync admit ldap2@example.org --role master",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			address, err := jid.Parse(args[0])
			if err != nil || address.Localpart() == "" {
				return &usageError{text: fmt.Sprintf("%q is not the JID of an account", args[0]), hint: "such as ldap2@example.org"}
			}
			role, err := roles.ParseRole(roleName)
			if err != nil {
				return &usageError{text: err.Error(), hint: "--role master or --role read-only"}
			}
			client, err := f.dial()
			if err != nil {
				return err
			}
			if err := client.Admit(cmd.Context(), suffix, address.Bare().String(), role); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is %s now\n", address.Bare(), role)
			return nil
		},
	}
	c.Flags().StringVar(&roleName, "role", "", "master, read-only or controller")
	c.Flags().StringVar(&suffix, "suffix", "", "`DN` of the suffix (not needed when there is one)")
	addSocketFlag(c, f)
	return c
}
