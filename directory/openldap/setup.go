package openldap

import (
	"cmp"
	"fmt"
	"strings"

	files "ldapsync/directory/openldap/schema"
)

// Formats of SetupText.
const (
	// FormatLDIF changes cn=config: ldapmodify -c -Y EXTERNAL -H ldapi:///.
	FormatLDIF = "ldif"
	// FormatConf is lines for slapd.conf.
	FormatConf = "slapd.conf"
)

// SetupOptions say what SetupText is for.
type SetupOptions struct {
	Suffix string
	// SyncDN is the daemon's identity, "" for cn=ldapsync. One that ends in
	// cn=external,cn=auth is a user of the system on ldapi; one below the
	// suffix an entry that is there already; any other gets an empty
	// database of its own, whose rootdn it is.
	SyncDN string
	// PasswordHash is what slappasswd makes of the identity's password; "" for a
	// placeholder.
	PasswordHash string
	// Database is the RDN of the suffix's database in cn=config; "" for {1}mdb.
	Database string
	// Directory is one where slapd may write; "" for /var/lib/ldap. Nothing is
	// written there.
	Directory string
	// Format is FormatLDIF, also when empty, or FormatConf.
	Format string
}

// DefaultSyncDN is the identity of the daemon unless another is chosen.
const DefaultSyncDN = "cn=ldapsync"

// SetupText returns everything that slapd has to be given for ldapsync, for
// people to read and apply. What is there already is refused as such and does
// no harm; ldapmodify -c goes on after it.
func SetupText(o SetupOptions) (string, error) {
	o.SyncDN = cmp.Or(o.SyncDN, DefaultSyncDN)
	o.PasswordHash = cmp.Or(o.PasswordHash, "{SSHA}replace-by-the-output-of-slappasswd")
	o.Database = cmp.Or(o.Database, "{1}mdb")
	o.Directory = cmp.Or(o.Directory, "/var/lib/ldap")
	for _, v := range []string{o.Suffix, o.SyncDN, o.PasswordHash, o.Database, o.Directory} {
		if strings.ContainsAny(v, "\n\r\"\\") {
			return "", fmt.Errorf("%q cannot stand in slapd's configuration", v)
		}
	}
	switch o.Format {
	case "", FormatLDIF:
		return o.ldif(), nil
	case FormatConf:
		return o.conf(), nil
	}
	return "", fmt.Errorf("unknown format %q: %s or %s", o.Format, FormatLDIF, FormatConf)
}

func (o SetupOptions) systemUser() bool {
	return strings.HasSuffix(strings.ToLower(o.SyncDN), ",cn=external,cn=auth")
}

func (o SetupOptions) inSuffix() bool {
	return strings.HasSuffix(strings.ToLower(o.SyncDN), ","+strings.ToLower(o.Suffix))
}

func (o SetupOptions) limits() string {
	return fmt.Sprintf(`dn.exact="%s" size=unlimited time=unlimited`, o.SyncDN)
}

func (o SetupOptions) access() string {
	return fmt.Sprintf(`to * by dn.exact="%s" manage by * break`, o.SyncDN)
}

// identityNote says where the identity comes from.
func (o SetupOptions) identityNote() string {
	switch {
	case o.systemUser():
		return "# The daemon's identity is a user of this system: " + o.SyncDN + ".\n"
	case o.inSuffix():
		return "# The daemon's identity is the entry " + o.SyncDN + ". It has to be there, with a\n" +
			"# userPassword, and is replicated like any other.\n"
	}
	return "# The daemon's identity: the rootdn of an empty database, so that it is no entry\n# and not replicated.\n"
}

func (o SetupOptions) ldif() string {
	db := "olcDatabase=" + o.Database + ",cn=config"
	var b strings.Builder
	record := func(comment string, lines ...string) {
		b.WriteString(comment + strings.Join(lines, "\n") + "\n\n")
	}
	b.WriteString("# What ldapsync needs of slapd for " + o.Suffix + ". Apply it on the server as root:\n" +
		"#   ldapmodify -c -Y EXTERNAL -H ldapi:/// -f this-file\n\n")
	_, entry, _ := strings.Cut(strings.TrimSpace(files.LDIF), "\n\n")
	first, rest, _ := strings.Cut(entry, "\n")
	record("# Marks of entries that a replication conflict touched.\n", first, "changetype: add", rest)
	record("# What reports changes (RFC 4533).\n",
		"dn: cn=module,cn=config", "changetype: add", "objectClass: olcModuleList", "cn: module", "olcModuleLoad: syncprov")
	record("", "dn: olcOverlay=syncprov,"+db, "changetype: add", "objectClass: olcOverlayConfig",
		"objectClass: olcSyncProvConfig", "olcOverlay: syncprov", "olcSpCheckpoint: 100 10")
	switch {
	case o.systemUser(), o.inSuffix():
		b.WriteString(o.identityNote() + "\n")
	default:
		record(o.identityNote(), "dn: olcDatabase=ldif,cn=config", "changetype: add", "objectClass: olcDatabaseConfig",
			"objectClass: olcLdifConfig", "olcDatabase: ldif", "olcSuffix: "+o.SyncDN, "olcDbDirectory: "+o.Directory,
			"olcRootDN: "+o.SyncDN, "olcRootPW: "+o.PasswordHash)
	}
	modify := func(comment, attr, value string) {
		record(comment, "dn: "+db, "changetype: modify", "add: "+attr, attr+": "+value)
	}
	modify("# Its rights: everything, before any other rule.\n", "olcAccess", "{0}"+o.access())
	modify("# It reads the whole suffix.\n", "olcLimits", "{0}"+o.limits())
	modify("# It looks entries up by these.\n", "olcDbIndex", "entryUUID eq")
	modify("", "olcDbIndex", "entryCSN eq")
	return strings.TrimSuffix(b.String(), "\n")
}

func (o SetupOptions) conf() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# What ldapsync needs in slapd.conf for %s.", o.Suffix)
	line("\n# With the other include lines, after ldapsync.schema was copied there:")
	line("include /etc/ldap/schema/ldapsync.schema")
	line("\n# With the other moduleload lines:")
	line("moduleload syncprov")
	line("\n# In the database of the suffix, the access rule before any other:")
	line("access %s", o.access())
	line("limits %s", o.limits())
	line("index entryUUID,entryCSN eq")
	line("\n# At the end of that database, what reports changes (RFC 4533):")
	line("overlay syncprov")
	line("syncprov-checkpoint 100 10")
	b.WriteString("\n" + o.identityNote())
	if !o.systemUser() && !o.inSuffix() {
		line("database ldif")
		line(`suffix "%s"`, o.SyncDN)
		line("directory %s", o.Directory)
		line(`rootdn "%s"`, o.SyncDN)
		line("rootpw %s", o.PasswordHash)
	}
	return b.String()
}
