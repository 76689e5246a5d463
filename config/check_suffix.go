package config

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"

	"ldapsync/dn"
)

func (l *loader) checkSuffixes(suffixes []Suffix) {
	if len(suffixes) == 0 {
		l.refuse("suffixes", "name at least one suffix to replicate", "missing")
	}
	first := map[string]string{}
	for i := range suffixes {
		s, key := &suffixes[i], fmt.Sprintf("suffixes[%d]", i)
		base := l.checkSuffixDN(key+".dn", s.DN)
		if name := base.Key(folding{}); base != nil {
			if other, twice := first[name]; twice {
				l.refuse(key+".dn", "", "%q is %s already", s.DN, other)
			}
			first[name] = key
		}
		l.checkSID(key+".sid", s.SID)
		l.checkDirectory(key+".directory", &s.Directory)
		l.checkExclude(key+".exclude", base, &s.Exclude)
		l.checkAttributes(key+".unique", s.Unique)
		l.checkWord(key+".join.prefer", s.Join.Prefer, PreferRoom, PreferNewest)
		l.checkWord(key+".join.missing", s.Join.Missing, MissingFill, MissingDelete)
	}
}

// checkWord takes one of two words, or none.
func (l *loader) checkWord(key, word, one, other string) {
	if word != "" && word != one && word != other {
		l.refuse(key, "", "want %s or %s, not %.40q", one, other, word)
	}
}

// checkSuffixDN returns the name, or nil when it is reported.
func (l *loader) checkSuffixDN(key, text string) dn.DN {
	name, err := dn.Parse(text)
	switch {
	case text == "":
		l.refuse(key, "the suffix of the database, such as dc=example,dc=org", "missing")
		return nil
	case err != nil:
		l.refuse(key, "", "%v", err)
		return nil
	}
	return name
}

func (l *loader) checkDirectory(key string, d *Directory) {
	if d.Type != "openldap" {
		l.refuse(key+".type", "", "want openldap, not %.40q", d.Type)
	}
	scheme := l.checkURI(key, d)
	switch d.Bind {
	case BindExternal:
		l.checkExternal(key, scheme, d)
	case BindSimple:
		l.checkSimple(key, d)
	default:
		l.refuse(key+".bind", "", "want %s or %s, not %.40q", BindExternal, BindSimple, d.Bind)
	}
	if d.TLS.StartTLS && scheme != "ldap" && scheme != "" {
		l.refuse(key+".tls.start_tls", "", "only for ldap:// addresses")
	}
	l.checkCA(key+".tls.ca_file", d.TLS.CAFile)
}

func (l *loader) checkExternal(key, scheme string, d *Directory) {
	if scheme != "ldapi" && scheme != "" {
		l.refuse(key+".bind", "set bind_dn and password_file, or use ldapi:///", "external needs an ldapi:// address")
	}
	if d.BindDN != "" {
		l.refuse(key+".bind_dn", "remove it, or set bind: simple", "not used with bind: external")
	}
	if d.set() {
		l.refuse(key+".password_file", "remove it, or set bind_dn", "not used with bind: external")
	}
}

func (l *loader) checkSimple(key string, d *Directory) {
	if d.BindDN == "" {
		l.refuse(key+".bind_dn", "", "missing")
	} else if _, err := dn.Parse(d.BindDN); err != nil {
		l.refuse(key+".bind_dn", "", "%v", err)
	}
	l.checkSecret(key, d.Secret, true)
}

// checkURI returns the scheme, or "" when the address is reported.
func (l *loader) checkURI(key string, d *Directory) string {
	bad := func(hint, format string, args ...any) string {
		l.refuse(key+".uri", hint, format, args...)
		return ""
	}
	const forms = "ldapi:///, ldap://host:389 or ldaps://host:636"
	u, err := url.Parse(d.URI)
	switch {
	case d.URI == "":
		return bad(forms, "missing")
	case strings.HasPrefix(d.URI, "ldapi://"):
		return l.checkLDAPI(key, d.URI)
	case err != nil:
		return bad(forms, "not an address")
	case u.Scheme != "ldap" && u.Scheme != "ldaps":
		return bad(forms, "unknown scheme %.40q", u.Scheme)
	case u.Hostname() == "":
		return bad(forms, "no host")
	case u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return bad(forms, "more than a scheme, a host and a port")
	case u.Scheme == "ldap" && d.Bind == BindSimple && !d.TLS.StartTLS && !loopback(u.Hostname()):
		return bad("set tls.start_tls: true, or use ldaps://", "the password would be sent in the clear")
	}
	return u.Scheme
}

// checkLDAPI takes ldapi:// alone or with the path of a socket, whose slashes
// are written %2F; a slash may follow.
func (l *loader) checkLDAPI(key, uri string) string {
	escaped := strings.TrimSuffix(strings.TrimPrefix(uri, "ldapi://"), "/")
	socket, err := url.PathUnescape(escaped)
	if err != nil || strings.Contains(escaped, "/") || socket != "" && !strings.HasPrefix(socket, "/") {
		l.refuse(key+".uri", "such as ldapi://%2Frun%2Fslapd%2Fldapi", "not the path of a socket")
		return ""
	}
	return "ldapi"
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// attributeType is a descr or numericoid (RFC 4512 section 1.4).
var attributeType = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9-]*|[0-9]+(\.[0-9]+)+)$`)

func (l *loader) checkExclude(key string, base dn.DN, x *Exclude) {
	for i, text := range x.Subtrees {
		at := fmt.Sprintf("%s.subtrees[%d]", key, i)
		name, err := dn.Parse(text)
		switch {
		case err != nil:
			l.refuse(at, "", "%v", err)
		case base != nil && !name.IsBelow(base, folding{}):
			l.refuse(at, "", "%q is not below the suffix", text)
		}
	}
	l.checkAttributes(key+".attributes", x.Attributes)
}

func (l *loader) checkAttributes(key string, names []string) {
	for i, text := range names {
		if !attributeType.MatchString(text) {
			l.refuse(fmt.Sprintf("%s[%d]", key, i), "", "%.40q is not the name of an attribute", text)
		}
	}
}

// folding compares names without a schema: case and repeated spaces do not
// count.
type folding struct{}

func (folding) Canonical(attr string) string { return strings.ToLower(attr) }

func (folding) Normalise(_, value string) string {
	return strings.ToLower(strings.Join(strings.Fields(value), " "))
}
