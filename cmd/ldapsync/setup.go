package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"ldapsync/config"
	"ldapsync/directory/openldap"
)

func newSetupCommand(f *flags) *cobra.Command {
	c := &cobra.Command{Use: "setup", Short: "Print what the neighbours of this server need"}
	c.AddCommand(newSetupOpenLDAPCommand(f))
	return c
}

func newSetupOpenLDAPCommand(f *flags) *cobra.Command {
	var o openldap.SetupOptions
	c := &cobra.Command{
		Use:   "openldap",
		Short: "Print everything the OpenLDAP database needs",
		Long: `Print everything the OpenLDAP database needs: the schema, the syncprov overlay,
the daemon's identity with its rights and limits, and indexes. Nothing is
changed; look at it and apply it with

  ldapsync setup openldap | ldapmodify -c -Y EXTERNAL -H ldapi:///

or, with --format slapd.conf, add the lines to that file. Without --suffix the
suffixes of the settings are taken.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			suffixes, err := setupSuffixes(f, o.Suffix)
			if err != nil {
				return err
			}
			for _, s := range suffixes {
				each := o
				each.Suffix = s.DN
				if each.SyncDN == "" {
					each.SyncDN = s.Directory.BindDN
				}
				text, err := openldap.SetupText(each)
				if err != nil {
					return err
				}
				fmt.Fprint(cmd.OutOrStdout(), text)
			}
			return nil
		},
	}
	c.Flags().StringVar(&o.Suffix, "suffix", "", "the suffix, instead of those of the settings")
	c.Flags().StringVar(&o.SyncDN, "identity", "", "the daemon's DN, "+openldap.DefaultSyncDN+" unless the settings say another")
	c.Flags().StringVar(&o.PasswordHash, "password-hash", "", "the identity's password as slappasswd prints it")
	c.Flags().StringVar(&o.Database, "database", "{1}mdb", "the suffix's database in cn=config")
	c.Flags().StringVar(&o.Directory, "directory", "/var/lib/ldap", "a folder that slapd may write to")
	c.Flags().StringVar(&o.Format, "format", openldap.FormatLDIF, openldap.FormatLDIF+" or "+openldap.FormatConf)
	return c
}

// setupSuffixes returns the suffixes to print for.
func setupSuffixes(f *flags, suffix string) ([]config.Suffix, error) {
	if suffix != "" {
		return []config.Suffix{{DN: suffix}}, nil
	}
	cfg, err := f.load()
	if err != nil {
		return nil, err
	}
	return cfg.Suffixes, nil
}
