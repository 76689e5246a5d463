package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"ldapsync/control"
)

func newForgetPeerCommand(f *flags) *cobra.Command {
	var ask control.ForgetRequest
	c := &cobra.Command{
		Use:   "forget-peer JID | forget-peer SID --name JID",
		Short: "Remove a server that does not come back",
		Long: `Forget-peer removes a server from the members of a suffix, on all servers. As long
as it is a member, the others keep for it what it may lack, however long it is
silent; ldapsync status says who holds that back. Should it come back, it is
refused, and writes its changes that nobody has to an LDIF file beside its state
file.`,
		Example: "  ldapsync forget-peer ldap3@example.org\n  ldapsync forget-peer 3 --name ldap3@example.org",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ask.Peer = args[0]
			if _, err := strconv.ParseUint(ask.Peer, 10, 16); err == nil && ask.Name == "" {
				return &usageError{text: "a sid alone is easily mistaken", hint: "give the JID of the server too: --name ldap3@example.org"}
			}
			client, err := f.dial()
			if err != nil {
				return err
			}
			done, err := client.ForgetPeer(cmd.Context(), ask)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s, sid %d, is no member any more\n", printable(done.JID), done.SID)
			return nil
		},
	}
	c.Flags().StringVar(&ask.Name, "name", "", "the `JID` of the server whose sid was given")
	c.Flags().StringVar(&ask.Suffix, "suffix", "", "`DN` of the suffix (not needed when there is one)")
	c.Flags().BoolVar(&ask.Force, "force", false, "also when it is online")
	addSocketFlag(c, f)
	return c
}
