package openldap

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// ToolError is a client tool that failed.
type ToolError struct {
	Tool string
	// Code is the tool's exit code, which is the LDAP result code where the
	// server gave one.
	Code int
	// Output is what it printed to standard error.
	Output string
}

func (e *ToolError) Error() string { return fmt.Sprintf("%s: exit %d: %s", e.Tool, e.Code, e.Output) }

// Run runs one of OpenLDAP's client tools against the server, with input as its
// standard input and without an identity; args name one, or another server by
// -H. It returns the standard output, also beside an error.
func (s *Server) Run(input, tool string, args ...string) (string, error) {
	if !hasFlag(args, "-H") {
		args = append([]string{"-H", s.URI}, args...)
	}
	cmd := exec.Command(tool, args...)
	cmd.Env = append(os.Environ(), "LDAPNOINIT=1")
	if s.CAFile != "" {
		cmd.Env = append(os.Environ(), "LDAPTLS_CACERT="+s.CAFile)
	}
	cmd.Stdin = strings.NewReader(input)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = &ToolError{Tool: tool, Code: exit.ExitCode(), Output: strings.TrimSpace(errs.String())}
	}
	return out.String(), err
}

func hasFlag(args []string, flag string) bool { return slices.Contains(args, flag) }

// asAdmin runs a tool with the suffix's rootdn, unless args bind otherwise.
func (s *Server) asAdmin(input, tool string, args ...string) (string, error) {
	if !hasFlag(args, "-D") && !hasFlag(args, "-Y") {
		args = append([]string{"-x", "-D", s.AdminDN, "-w", s.AdminPassword}, args...)
	}
	return s.Run(input, tool, args...)
}

// LDAPAdd adds the entries of ldif.
func (s *Server) LDAPAdd(ldif string, args ...string) (string, error) {
	return s.asAdmin(ldif, "ldapadd", args...)
}

// LDAPModify makes the changes of ldif.
func (s *Server) LDAPModify(ldif string, args ...string) (string, error) {
	return s.asAdmin(ldif, "ldapmodify", args...)
}

// LDAPDelete deletes the entries that args name.
func (s *Server) LDAPDelete(args ...string) (string, error) {
	return s.asAdmin("", "ldapdelete", args...)
}

// LDAPPasswd sets a password: -s and the password, then the DN.
func (s *Server) LDAPPasswd(args ...string) (string, error) {
	return s.asAdmin("", "ldappasswd", args...)
}

// LDAPSearch searches the suffix, or what -b names, and prints LDIF without
// comments and folded lines.
func (s *Server) LDAPSearch(args ...string) (string, error) {
	if !hasFlag(args, "-b") {
		args = append([]string{"-b", s.Suffix}, args...)
	}
	return s.asAdmin("", "ldapsearch", append([]string{"-LLL", "-o", "ldif-wrap=no"}, args...)...)
}

// ConfigModify makes the changes of ldif, in cn=config.
func (s *Server) ConfigModify(ldif string) (string, error) {
	return s.LDAPModify(ldif, "-x", "-D", ConfigDN, "-w", s.ConfigPassword)
}

// SyncFrom makes the server a consumer of peers by OpenLDAP's own replication
// (refreshAndPersist) and a provider with multi-provider, so that servers that
// name each other replicate both ways. Their SIDs have to differ.
func (s *Server) SyncFrom(peers ...*Server) error {
	var l lines
	l.add("dn: olcDatabase={1}mdb,cn=config\nchangetype: modify\nreplace: olcSyncrepl")
	for i, p := range peers {
		l.add(`olcSyncrepl: {%d}rid=%03d provider=%s bindmethod=simple binddn="%s" credentials=%s searchbase="%s" `+
			`type=refreshAndPersist retry="1 +"`, i, i+1, p.URI, p.AdminDN, p.AdminPassword, s.Suffix)
	}
	l.add("-\nreplace: olcMultiProvider\nolcMultiProvider: TRUE")
	_, err := s.ConfigModify(l.String())
	return err
}

// Dump returns every entry of the suffix as LDIF for comparing two servers:
// user attributes, entryUUID, and the names and times of creation and of the
// last modification; entries, attributes and values sorted.
func (s *Server) Dump() (string, error) {
	out, err := s.LDAPSearch("-M", "(objectClass=*)", "*", "entryUUID",
		"creatorsName", "createTimestamp", "modifiersName", "modifyTimestamp")
	if err != nil {
		return "", err
	}
	return canonical(out), nil
}

// canonical sorts the entries of LDIF without comments and folded lines, and
// the lines of each.
func canonical(ldif string) string {
	entries := strings.Split(strings.TrimSpace(ldif), "\n\n")
	for i, e := range entries {
		dn, rest, _ := strings.Cut(e, "\n")
		entries[i] = dn + "\n" + sorted(strings.Split(rest, "\n"), "\n")
	}
	return sorted(entries, "\n\n") + "\n"
}

func sorted(parts []string, sep string) string {
	slices.Sort(parts)
	return strings.Join(parts, sep)
}
