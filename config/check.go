package config

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"mellium.im/xmpp/jid"

	"ldapsync/changelog"
)

// Bounds of what can be set.
const (
	minInterval = Duration(10 * time.Millisecond)
	maxInterval = Duration(time.Hour)
	// maxSocket is what fits in a sockaddr_un of Linux.
	maxSocket = 107
)

func (l *loader) check(cfg *Config) {
	l.checkXMPP(&cfg.XMPP)
	l.checkSuffixes(cfg.Suffixes)
	l.checkRest(cfg)
}

func (l *loader) checkXMPP(x *XMPP) {
	switch j, err := jid.Parse(x.JID); {
	case x.JID == "":
		l.refuse("xmpp.jid", "the account of this server, such as ldap1@example.org", "missing")
	case err != nil:
		l.refuse("xmpp.jid", "", "not a JID: %v", err)
	case j.Localpart() == "":
		l.refuse("xmpp.jid", "the account of this server, such as ldap1@example.org", "%.80q names no account", x.JID)
	case j.Resourcepart() != "":
		l.refuse("xmpp.jid", "leave out the part after the slash", "%.80q has a resource", x.JID)
	}
	l.checkSecret("xmpp", x.Secret, true)
	if x.Server != "" {
		l.checkServer(x.Server)
	}
	l.checkCA("xmpp.tls.ca_file", x.TLS.CAFile)
	l.checkService("xmpp.muc", x.MUC)
	l.checkService("xmpp.pubsub", x.PubSub)
}

func (l *loader) checkServer(server string) {
	host, port, err := net.SplitHostPort(server)
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n == 0 || host == "" {
		l.refuse("xmpp.server", "such as xmpp.example.org:5222", "%.80q is not host:port", server)
	}
}

func (l *loader) checkService(key, service string) {
	if service == "" {
		return
	}
	if _, err := jid.Parse(service); err != nil {
		l.refuse(key, "", "not a JID: %v", err)
	}
}

// checkSecret checks that one password can be had. It reads files, but runs no
// command.
func (l *loader) checkSecret(key string, s Secret, required bool) {
	switch {
	case s.PasswordFile != "" && s.PasswordCommand != "":
		l.refuse(key+".password_command", "keep one of the two", "set together with password_file")
	case s.PasswordFile != "":
		if _, err := s.Password(context.Background()); err != nil {
			l.refuse(key+".password_file", hintOf(err), "%s", reason(err))
		}
	case s.PasswordCommand == "" && required:
		l.refuse(key+".password_file", "put the password in a file that only the daemon's user may read", "missing")
	}
}

func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// reason is err with what the operating system did left out of a path error.
func reason(err error) string {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return fmt.Sprintf("%s: %v", pe.Path, pe.Err)
	}
	return err.Error()
}

func (l *loader) checkCA(key, file string) {
	if file == "" {
		return
	}
	b, err := readLimited(file)
	switch {
	case err != nil:
		l.refuse(key, "", "%s", reason(err))
	case !x509.NewCertPool().AppendCertsFromPEM(b):
		l.refuse(key, "", "%s: no certificate in PEM form", file)
	}
}

func (l *loader) checkRest(cfg *Config) {
	for key, path := range map[string]string{"state.dir": cfg.State.Dir, "control.socket": cfg.Control.Socket} {
		if path == "" {
			l.refuse(key, "", "empty")
		}
	}
	if len(cfg.Control.Socket) > maxSocket {
		l.refuse("control.socket", "", "path longer than %d bytes", maxSocket)
	}
	l.oneOf("log.level", cfg.Log.Level, "debug", "info", "warn", "error")
	l.oneOf("log.format", cfg.Log.Format, "text", "json")
	for key, d := range map[string]Duration{"timing.heartbeat": cfg.Timing.Heartbeat, "timing.ping": cfg.Timing.Ping, "timing.reconnect": cfg.Timing.Reconnect} {
		if d < minInterval || d > maxInterval {
			l.refuse(key, "", "%s is not between %s and %s", d, minInterval, maxInterval)
		}
	}
}

func (l *loader) oneOf(key, value string, known ...string) {
	if !slices.Contains(known, value) {
		l.refuse(key, "", "want %s, not %.40q", strings.Join(known, " or "), value)
	}
}

func (l *loader) checkSID(key string, sid int) {
	if sid != 0 && (sid < 1 || sid > int(changelog.MaxSID)) {
		l.refuse(key, "", "%d is not between 1 and %d", sid, changelog.MaxSID)
	}
}
