package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ldapsync/config"
)

// folder writes files into a new directory and returns its path. Every file
// is readable by its owner alone.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func load(dir string, env ...string) (*config.Config, error) {
	return config.Load(filepath.Join(dir, "config.yml"), env)
}

// problems returns the text of every problem, with dir left out.
func problems(t *testing.T, dir string, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	var e *config.Error
	if !errors.As(err, &e) {
		t.Fatalf("%T: %v", err, err)
	}
	var out []string
	for _, p := range e.Problems {
		line := p.String()
		if p.Hint != "" {
			line += " (" + p.Hint + ")"
		}
		out = append(out, strings.ReplaceAll(line, dir+"/", ""))
	}
	return out
}

const small = `
xmpp: {jid: ldap1@example.org, password_file: pw}
suffixes:
  - dn: dc=example,dc=org
    directory: {type: openldap, uri: "ldapi:///"}
`

func TestLoadDefaults(t *testing.T) {
	dir := folder(t, map[string]string{"config.yml": small, "pw": "secret\n"})
	got, err := load(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := &config.Config{
		XMPP: config.XMPP{JID: "ldap1@example.org", Secret: config.Secret{PasswordFile: filepath.Join(dir, "pw")}},
		Suffixes: []config.Suffix{{
			DN:        "dc=example,dc=org",
			Directory: config.Directory{Type: "openldap", URI: "ldapi:///", Bind: config.BindExternal},
		}},
		State:   config.State{Dir: "/var/lib/ldapsync"},
		Control: config.Control{Socket: "/run/ldapsync/control.sock"},
		Log:     config.Log{Level: "info", Format: "text"},
		Timing: config.Timing{
			Heartbeat: config.Duration(30 * time.Second),
			Ping:      config.Duration(30 * time.Second),
			Reconnect: config.Duration(30 * time.Second),
		},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(config.Secret{})); diff != "" {
		t.Error(diff)
	}
	if pw, err := got.XMPP.Password(t.Context()); pw != "secret" || err != nil {
		t.Errorf("password %q, %v", pw, err)
	}
}

func TestLoadEverything(t *testing.T) {
	dir := folder(t, map[string]string{
		"config.yml": `
xmpp:
  jid: ldap1@example.org
  password_command: echo secret
  server: "127.0.0.1:5222"
  direct_tls: true
  muc: rooms.example.org
  pubsub: pubsub.example.org
suffixes:
  - dn: dc=example,dc=org
    sid: 7
    nick: one
    directory:
      type: openldap
      uri: ldap://slapd.example.org
      bind_dn: cn=sync,dc=example,dc=org
      password_file: pw
      tls: {start_tls: true}
    exclude: {subtrees: ["OU=Local, dc=Example,dc=org"], attributes: [userCertificate, 2.5.4.3]}
    join: {prefer: newest, missing: fill}
    forget: {log: 90d}
state: {dir: state}
control: {socket: run/control.sock}
log: {level: debug, format: json, file: log.json}
timing: {heartbeat: 100ms, ping: 1m, reconnect: 5s}
`,
		"conf.d/more.yml": `
suffixes:
  - {dn: "o=more", directory: {type: openldap, uri: "ldapi://%2Frun%2Fldapi"}}
`,
		"pw": "secret",
	})
	got, err := load(dir, "LDAPSYNC_XMPP_MUC=muc.example.org", "LDAPSYNC_LOG_LEVEL=warn", "HOME=/root", "LDAPSYNC_CONFIG=x")
	if err != nil {
		t.Fatal(err)
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	want := &config.Config{
		XMPP: config.XMPP{
			JID: "ldap1@example.org", Secret: config.Secret{PasswordCommand: "echo secret"},
			Server: "127.0.0.1:5222", DirectTLS: true, MUC: "muc.example.org", PubSub: "pubsub.example.org",
		},
		Suffixes: []config.Suffix{{
			DN: "dc=example,dc=org", SID: 7, Nick: "one",
			Directory: config.Directory{
				Type: "openldap", URI: "ldap://slapd.example.org", Bind: config.BindSimple,
				BindDN: "cn=sync,dc=example,dc=org", Secret: config.Secret{PasswordFile: in("pw")},
				TLS: config.DirectoryTLS{StartTLS: true},
			},
			Exclude: config.Exclude{
				Subtrees: []string{"OU=Local, dc=Example,dc=org"}, Attributes: []string{"userCertificate", "2.5.4.3"},
			},
			Join:   config.Join{Prefer: config.PreferNewest, Missing: config.MissingFill},
			Forget: config.Forget{Log: config.Duration(90 * 24 * time.Hour)},
		}, {
			DN: "o=more",
			Directory: config.Directory{
				Type: "openldap", URI: "ldapi://%2Frun%2Fldapi", Bind: config.BindExternal,
			},
		}},
		State:   config.State{Dir: in("state")},
		Control: config.Control{Socket: in("run/control.sock")},
		Log:     config.Log{Level: "warn", Format: "json", File: in("log.json")},
		Timing:  config.Timing{Heartbeat: config.Duration(100 * time.Millisecond), Ping: config.Duration(time.Minute), Reconnect: config.Duration(5 * time.Second)},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(config.Secret{})); diff != "" {
		t.Error(diff)
	}
}

func TestSampleIsValid(t *testing.T) {
	dir := folder(t, map[string]string{"pw": "secret"})
	text := strings.ReplaceAll(config.Sample(), "/etc/ldapsync/xmpp-password", "pw")
	if err := os.WriteFile(filepath.Join(dir, "config.yml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := load(dir); err != nil {
		t.Fatal(err)
	}
}

// TestSampleExplainsEveryKey takes the comments off the keys of the sample, so
// that a key it misspells is refused, and expects every known key in it.
func TestSampleExplainsEveryKey(t *testing.T) {
	all := config.Config{
		XMPP: config.XMPP{
			JID: "x", Secret: config.Secret{PasswordFile: "x", PasswordCommand: "x"}, Server: "x", DirectTLS: true,
			TLS: config.XMPPTLS{CAFile: "x"}, MUC: "x", PubSub: "x",
		},
		Suffixes: []config.Suffix{{
			DN: "x", SID: 1, Nick: "x",
			Directory: config.Directory{BindDN: "x", TLS: config.DirectoryTLS{CAFile: "x", StartTLS: true}},
			Exclude:   config.Exclude{Subtrees: []string{"x"}, Attributes: []string{"x"}},
		}},
		Log: config.Log{File: "x"},
	}
	for line := range strings.Lines(all.Show()) {
		key, _, found := strings.Cut(strings.TrimLeft(line, " -"), ":")
		if found && !strings.Contains(config.Sample(), key+":") {
			t.Errorf("the sample does not explain %s", key)
		}
	}
}

func TestShowIsLoadable(t *testing.T) {
	dir := folder(t, map[string]string{"config.yml": small + `
    exclude: {attributes: [mail]}
timing: {ping: 90s}
`, "pw": "secret\n"})
	first, err := load(dir)
	if err != nil {
		t.Fatal(err)
	}
	again := folder(t, map[string]string{"config.yml": first.Show()})
	second, err := load(again)
	if err != nil {
		t.Fatalf("%v\n%s", err, first.Show())
	}
	if diff := cmp.Diff(first, second, cmpopts.IgnoreUnexported(config.Secret{})); diff != "" {
		t.Error(diff)
	}
}

func TestShowHidesPasswordCommands(t *testing.T) {
	dir := folder(t, map[string]string{"config.yml": strings.Replace(small, "password_file: pw", "password_command: echo hunter2", 1)})
	cfg, err := load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if text := cfg.Show(); strings.Contains(text, "hunter2") || !strings.Contains(text, "password_command: (not shown)") {
		t.Errorf("shown:\n%s", text)
	}
	if cfg.XMPP.PasswordCommand != "echo hunter2" {
		t.Errorf("Show changed the settings: %q", cfg.XMPP.PasswordCommand)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(small)
	f.Add(config.Sample())
	f.Add("a: &a [*a]\nxmpp: *a")
	f.Add("? {x: y}\n: z\n--- b")
	f.Add("suffixes: [{<<: {dn: x}}]\nlog: !!binary aGk=")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(dir, "config.yml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := config.Load(path, nil)
		if (cfg == nil) == (err == nil) {
			t.Fatalf("%v, %v", cfg, err)
		}
	})
}
