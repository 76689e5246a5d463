// Package config reads the administrator's settings: strict YAML, a directory
// of additions, and the environment. It refuses what it does not know and
// reports every problem at once, each with its file, line and key. It opens no
// connection.
package config

import (
	"time"
)

// DefaultPath is where Load's caller looks when nobody names a file.
const DefaultPath = "/etc/ldapsync/config.yml"

// Config is everything an administrator can set. The yaml tags are the keys;
// all paths are absolute once loaded.
type Config struct {
	XMPP     XMPP     `yaml:"xmpp"`
	Suffixes []Suffix `yaml:"suffixes"`
	State    State    `yaml:"state"`
	Control  Control  `yaml:"control"`
	Log      Log      `yaml:"log"`
	Timing   Timing   `yaml:"timing"`
}

// XMPP is the account of this directory server.
type XMPP struct {
	// JID is bare; the resource is always the same.
	JID    string `yaml:"jid"`
	Secret `yaml:",inline"`
	// Server is host:port, or "" for the SRV records of the JID's domain.
	Server string `yaml:"server,omitempty"`
	// DirectTLS starts TLS at once (XEP-0368) instead of by STARTTLS.
	DirectTLS bool    `yaml:"direct_tls,omitempty"`
	TLS       XMPPTLS `yaml:"tls,omitempty"`
	// MUC is the JID of the room service, or "" to find it by disco.
	MUC string `yaml:"muc,omitempty"`
	// PubSub is the JID of the pubsub service, or "" to find it by disco.
	PubSub string `yaml:"pubsub,omitempty"`
}

// XMPPTLS is how the XMPP server's certificate is verified.
type XMPPTLS struct {
	// CAFile holds PEM certificates to trust instead of the system's.
	CAFile string `yaml:"ca_file,omitempty"`
}

// Suffix is one replicated suffix.
type Suffix struct {
	DN string `yaml:"dn"`
	// SID is the server's number within the suffix, 1 to 4095, or 0 to take a
	// free one when the server is admitted.
	SID int `yaml:"sid,omitempty"`
	// Nick is the nickname in the room, or "" for the JID's local part.
	Nick      string    `yaml:"nick,omitempty"`
	Directory Directory `yaml:"directory"`
	Exclude   Exclude   `yaml:"exclude,omitempty"`
	// Unique names the attributes of which no two entries should have the same
	// value; entries that do are kept and listed as conflicts. It should be the
	// same on every server of the suffix.
	Unique []string `yaml:"unique,omitempty"`
	Join   Join     `yaml:"join,omitempty"`
	Forget Forget   `yaml:"forget,omitempty"`
}

// Directory says how to reach the directory server that holds a suffix.
type Directory struct {
	// Type is "openldap".
	Type string `yaml:"type"`
	// URI is ldapi://, ldap://host:port or ldaps://host:port.
	URI string `yaml:"uri"`
	// Bind is BindExternal or BindSimple.
	Bind string `yaml:"bind"`
	// BindDN and Secret belong to BindSimple.
	BindDN string `yaml:"bind_dn,omitempty"`
	Secret `yaml:",inline"`
	TLS    DirectoryTLS `yaml:"tls,omitempty"`
}

// The values of Directory.Bind.
const (
	// BindExternal takes the identity of the process (SASL EXTERNAL, ldapi only).
	BindExternal = "external"
	// BindSimple is a simple bind with a DN and a password.
	BindSimple = "simple"
)

// DirectoryTLS is TLS towards the directory server.
type DirectoryTLS struct {
	// CAFile holds PEM certificates to trust instead of the system's.
	CAFile string `yaml:"ca_file,omitempty"`
	// StartTLS upgrades an ldap:// connection (RFC 4511 section 4.14).
	StartTLS bool `yaml:"start_tls,omitempty"`
}

// Exclude names what stays local to this server.
type Exclude struct {
	// Subtrees are DNs within the suffix.
	Subtrees []string `yaml:"subtrees,omitempty"`
	// Attributes are attribute types by name or OID.
	Attributes []string `yaml:"attributes,omitempty"`
}

// Join says what becomes of the directory's entries when the server joins its
// room with data.
type Join struct {
	// Prefer is PreferRoom, which "" means too, or PreferNewest.
	Prefer string `yaml:"prefer,omitempty"`
	// Missing is MissingFill, MissingDelete or "": what it means that the
	// directory lacks entries which it held before the state file was lost. With
	// "" a few were deleted, and many are asked about.
	Missing string `yaml:"missing,omitempty"`
}

// The values of Join.Prefer.
const (
	// PreferRoom replaces entries that differ from the room's.
	PreferRoom = "room"
	// PreferNewest keeps, here and in the room, the one with the later
	// modifyTimestamp.
	PreferNewest = "newest"
)

// The values of Join.Missing.
const (
	// MissingFill writes the entries again.
	MissingFill = "fill"
	// MissingDelete deletes them everywhere.
	MissingDelete = "delete"
)

// Forget says for how long the past is kept.
type Forget struct {
	// Log is how long changes stay in the log, at least, after every member of the
	// room has them; 0 is 30 days. A server whose log goes back further can tell
	// more of the history, and nothing else depends on it.
	Log Duration `yaml:"log,omitempty"`
}

// State is where the daemon keeps what it must not lose.
type State struct {
	Dir string `yaml:"dir"`
}

// Control is the local socket that the commands talk to.
type Control struct {
	Socket string `yaml:"socket"`
}

// Log is what the daemon reports of itself.
type Log struct {
	// Level is debug, info, warn or error.
	Level string `yaml:"level"`
	// Format is text or json.
	Format string `yaml:"format"`
	// File is appended to; "" is standard error.
	File string `yaml:"file,omitempty"`
}

// Timing holds intervals that rarely need a change.
type Timing struct {
	// Heartbeat is how often an idle server repeats its presence.
	Heartbeat Duration `yaml:"heartbeat"`
	// Ping is how often the connection to the XMPP server is probed (XEP-0199).
	Ping Duration `yaml:"ping"`
	// Reconnect is the longest wait between two attempts to reach the XMPP server.
	Reconnect Duration `yaml:"reconnect"`
}

// Default returns the settings in force where nothing is set. It has neither
// account nor suffix and so is not valid by itself.
func Default() *Config {
	return &Config{
		State:   State{Dir: "/var/lib/ldapsync"},
		Control: Control{Socket: "/run/ldapsync/control.sock"},
		Log:     Log{Level: "info", Format: "text"},
		Timing:  Timing{Heartbeat: Duration(30 * time.Second), Ping: Duration(30 * time.Second), Reconnect: Duration(30 * time.Second)},
	}
}

// Load reads the file at path, the files conf.d/*.yml beside it in the order of
// their names, and the variables LDAPSYNC_... of env (KEY=value strings, as
// os.Environ returns them), and checks the whole. In the files lists add up,
// and a scalar set twice must be set to the same value; the environment
// overrides the files. Relative paths are relative to the directory of path.
//
// The error is an *Error with every problem found.
func Load(path string, env []string) (*Config, error) {
	l := newLoader(path, env)
	cfg := Default()
	for _, file := range l.files() {
		l.readFile(file, cfg)
	}
	l.readEnv(cfg)
	if l.broken {
		return nil, l.err()
	}
	l.complete(cfg)
	l.check(cfg)
	if err := l.err(); err != nil {
		return nil, err
	}
	return cfg, nil
}
