package openldap

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"ldapsync/directory/openldap/schema"
)

// config returns slapd.conf. The suffix is {1}mdb, as in Debian's package, and
// the database of SyncDN, if any, {2}ldif.
func (s *Server) config() (string, error) {
	var c lines
	if err := s.schemas(&c); err != nil {
		return "", err
	}
	s.global(&c)
	s.configDatabase(&c)
	s.suffixDatabase(&c)
	if !s.opts.Bare {
		s.identityDatabase(&c)
	}
	return c.String(), nil
}

type lines struct{ strings.Builder }

func (l *lines) add(format string, args ...any) { fmt.Fprintf(l, format+"\n", args...) }

func (s *Server) schemas(c *lines) error {
	dir, err := firstDir("/etc/ldap/schema", "/etc/openldap/schema", "/usr/local/etc/openldap/schema")
	if err != nil {
		return err
	}
	for _, name := range []string{"core", "cosine", "inetorgperson", "nis"} {
		c.add("include %s", filepath.Join(dir, name+".schema"))
	}
	own := s.opts.Schemas
	if !s.opts.Bare {
		own = append([]string{schema.Conf}, own...)
	}
	for i, text := range own {
		name := fmt.Sprintf("own%d.schema", i)
		if i == 0 && !s.opts.Bare {
			name = "ldapsync.schema"
		}
		if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
			return err
		}
		c.add("include %s", s.path(name))
	}
	return nil
}

func (s *Server) global(c *lines) {
	if dir, err := firstDir("/usr/lib/ldap", "/usr/lib64/openldap", "/usr/libexec/openldap"); err == nil {
		c.add("modulepath %s", dir)
		c.add("moduleload back_mdb")
		if !s.opts.Bare {
			c.add("moduleload syncprov")
		}
	}
	if s.opts.SID > 0 {
		c.add("serverID %d", s.opts.SID)
	}
	c.add("pidfile %s", s.path("slapd.pid"))
	c.add("argsfile %s", s.path("slapd.args"))
	c.add("threads 8")
	if s.opts.TLS {
		c.add("TLSCACertificateFile %s", s.path("ca.pem"))
		c.add("TLSCertificateFile %s", s.path("cert.pem"))
		c.add("TLSCertificateKeyFile %s", s.path("key.pem"))
	}
}

func (s *Server) configDatabase(c *lines) {
	c.add("database config")
	c.add("rootdn %s", ConfigDN)
	c.add("rootpw %s", s.ConfigPassword)
	c.add(`access to * by dn.exact="%s" manage by * none`, PeerDN())
}

// PeerDN is the identity of this process on LDAPI with SASL EXTERNAL.
func PeerDN() string {
	return fmt.Sprintf("gidNumber=%d+uidNumber=%d,cn=peercred,cn=external,cn=auth", os.Getgid(), os.Getuid())
}

func (s *Server) suffixDatabase(c *lines) {
	c.add("database mdb")
	c.add("suffix %q", s.Suffix)
	c.add("directory %s", s.path("db"))
	c.add("maxsize %d", int64(8)<<30) // sparse
	c.add("rootdn %q", s.AdminDN)
	c.add("rootpw %s", s.AdminPassword)
	c.add("index objectClass eq")
	c.add("index cn,uid eq")
	c.add("index uidNumber,gidNumber eq")
	c.add("index member,memberUid eq")
	if s.opts.NoSync {
		c.add("dbnosync")
	}
	if !s.opts.Bare {
		c.add("index entryUUID,entryCSN eq")
		c.add("limits dn.exact=%q size=unlimited time=unlimited", SyncDN)
		c.add("access to * by dn.exact=%q manage by * break", SyncDN)
	}
	c.add("access to attrs=userPassword by self write by anonymous auth by * none")
	if s.opts.NoAnonymous {
		c.add("access to * by self write by users read by * none")
	} else {
		c.add("access to * by self write by * read")
	}
	for _, line := range s.opts.Database {
		c.add("%s", line)
	}
	if s.opts.Bare {
		return
	}
	c.add("overlay syncprov")
	c.add("syncprov-checkpoint 100 10")
	if s.opts.SessionLog > 0 {
		c.add("syncprov-sessionlog %d", s.opts.SessionLog)
	}
}

// identityDatabase gives SyncDN a password without an entry: it is the rootdn
// of an empty database of its own.
func (s *Server) identityDatabase(c *lines) {
	c.add("database ldif")
	c.add("suffix %q", SyncDN)
	c.add("directory %s", s.path("identity"))
	c.add("rootdn %q", SyncDN)
	c.add("rootpw %s", s.SyncPassword)
}

func firstDir(dirs ...string) (string, error) {
	for _, d := range dirs {
		if st, err := os.Stat(d); err == nil && st.IsDir() {
			return d, nil
		}
	}
	return "", fmt.Errorf("none of %s is there", strings.Join(dirs, ", "))
}
