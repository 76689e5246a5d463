package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLoadReportsEveryProblem(t *testing.T) {
	const keys = "known here: "
	tests := []struct {
		name  string
		files map[string]string
		env   []string
		want  []string
	}{{
		name:  "no file",
		files: map[string]string{},
		want:  []string{"config.yml: no such file or directory (ldapsync config sample > config.yml)"},
	}, {
		name:  "empty file",
		files: map[string]string{"config.yml": ""},
		want: []string{
			"config.yml: suffixes: missing (name at least one suffix to replicate)",
			"config.yml: xmpp.jid: missing (the account of this server, such as ldap1@example.org)",
			"config.yml: xmpp.password_file: missing (put the password in a file that only the daemon's user may read)",
		},
	}, {
		name:  "only comments",
		files: map[string]string{"config.yml": "# nothing\n", "conf.d/all.yml": small, "pw": "x"},
	}, {
		name:  "syntax",
		files: map[string]string{"config.yml": "xmpp: {jid: a@b\nlog: {}\n"},
		want:  []string{"config.yml:1: did not find expected ',' or '}'"},
	}, {
		name:  "two documents",
		files: map[string]string{"config.yml": "log: {}\n---\nlog: {}\n"},
		want:  []string{"config.yml:2: more than one YAML document"},
	}, {
		name:  "not a mapping",
		files: map[string]string{"config.yml": "- a\n"},
		want:  []string{"config.yml:1: want keys and values, not a list"},
	}, {
		name: "unknown keys, wrong shapes",
		files: map[string]string{"config.yml": `
xmpp:
  jdi: ldap1@example.org
  password: hunter2
  tls: yes
  direct_tls: maybe
sufixes: []
suffixes:
  - dn: [a]
    sid: many
    directory: {type: openldap, uri: "ldapi:///", uri: "ldapi:///"}
    exclude: {subtrees: ou=x}
timing: {ping: 30}
timing: {ping: 30s}
zzz: 1
`},
		want: []string{
			"config.yml:3: xmpp.jdi: unknown key (did you mean jid?)",
			"config.yml:4: xmpp.password: unknown key (" + keys + "jid, password_file, password_command, server, direct_tls, tls, muc, pubsub)",
			"config.yml:5: xmpp.tls: want keys and values, not a single value",
			`config.yml:6: xmpp.direct_tls: want true or false, not "maybe"`,
			"config.yml:7: sufixes: unknown key (did you mean suffixes?)",
			"config.yml:9: suffixes[0].dn: want a single value, not a list",
			`config.yml:10: suffixes[0].sid: want a whole number, not "many"`,
			"config.yml:11: suffixes[0].directory.uri: set twice, first in line 11",
			"config.yml:12: suffixes[0].exclude.subtrees: want a list, not a single value",
			`config.yml:13: timing.ping: not a duration such as 30s, 12h or 30d: "30"`,
			"config.yml:14: timing: set twice, first in line 13",
			"config.yml:15: zzz: unknown key (" + keys + "xmpp, suffixes, state, control, log, timing)",
		},
	}, {
		name: "values",
		files: map[string]string{"pw": "x", "ca.pem": "no", "config.yml": `
xmpp:
  jid: ldap1@example.org/home
  password_file: pw
  password_command: echo x
  server: example.org
  muc: "@"
  tls: {ca_file: ca.pem}
suffixes:
  - dn: dc=example,dc=org
    sid: 4096
    directory: {type: opendj, uri: "ldap://h", bind: magic}
  - dn: DC=Example, dc=org
    directory: {type: openldap, uri: "http://h", bind: external, bind_dn: "cn=x"}
    exclude: {subtrees: [ou=x], attributes: ["a b"]}
    join: {prefer: oldest, missing: yes}
  - dn: nonsense
    directory: {type: openldap, uri: "ldap://h:389", bind_dn: "cn=x", password_file: pw}
  - dn: o=a
    directory: {type: openldap, uri: "ldaps://h", tls: {start_tls: true}}
  - directory: {type: openldap, uri: "ldapi://x", bind: simple}
state: {dir: /nowhere/state}
log: {level: loud, format: xml}
timing: {heartbeat: 1d, ping: 1ms}
`},
		want: []string{
			`config.yml:3: xmpp.jid: "ldap1@example.org/home" has a resource (leave out the part after the slash)`,
			"config.yml:5: xmpp.password_command: set together with password_file (keep one of the two)",
			`config.yml:6: xmpp.server: "example.org" is not host:port (such as xmpp.example.org:5222)`,
			"config.yml:7: xmpp.muc: not a JID: the localpart must be larger than 0 bytes",
			"config.yml:8: xmpp.tls.ca_file: ca.pem: no certificate in PEM form",
			"config.yml:11: suffixes[0].sid: 4096 is not between 1 and 4095",
			`config.yml:12: suffixes[0].directory.bind: want external or simple, not "magic"`,
			`config.yml:12: suffixes[0].directory.type: want openldap, not "opendj"`,
			`config.yml:13: suffixes[1].dn: "DC=Example, dc=org" is suffixes[0] already`,
			"config.yml:14: suffixes[1].directory.bind_dn: not used with bind: external (remove it, or set bind: simple)",
			`config.yml:14: suffixes[1].directory.uri: unknown scheme "http" (ldapi:///, ldap://host:389 or ldaps://host:636)`,
			`config.yml:15: suffixes[1].exclude.attributes[0]: "a b" is not the name of an attribute`,
			`config.yml:15: suffixes[1].exclude.subtrees[0]: "ou=x" is not below the suffix`,
			`config.yml:16: suffixes[1].join.missing: want fill or delete, not "yes"`,
			`config.yml:16: suffixes[1].join.prefer: want room or newest, not "oldest"`,
			`config.yml:17: suffixes[2].dn: SYNTAX`,
			"config.yml:18: suffixes[2].directory.uri: the password would be sent in the clear (set tls.start_tls: true, or use ldaps://)",
			"config.yml:20: suffixes[3].directory.bind: external needs an ldapi:// address (set bind_dn and password_file, or use ldapi:///)",
			"config.yml:20: suffixes[3].directory.tls.start_tls: only for ldap:// addresses",
			"config.yml:21: suffixes[4].directory.bind_dn: missing",
			"config.yml:21: suffixes[4].directory.password_file: missing (put the password in a file that only the daemon's user may read)",
			"config.yml:21: suffixes[4].directory.uri: not the path of a socket (such as ldapi://%2Frun%2Fslapd%2Fldapi)",
			"config.yml:21: suffixes[4].dn: missing (the suffix of the database, such as dc=example,dc=org)",
			`config.yml:23: log.format: want text or json, not "xml"`,
			`config.yml:23: log.level: want debug or info or warn or error, not "loud"`,
			"config.yml:24: timing.heartbeat: 1d is not between 10ms and 1h",
			"config.yml:24: timing.ping: 1ms is not between 10ms and 1h",
		},
	}, {
		name: "two files disagree",
		files: map[string]string{"config.yml": small + "log: {level: info}\n", "pw": "x",
			"conf.d/a.yml": "log: {level: info, format: json}\n", "conf.d/b.yml": "log:\n  level: debug\n  fromat: json\n"},
		want: []string{
			"conf.d/b.yml:2: log.level: already set to info in config.yml:6 (set it in one file only)",
			"conf.d/b.yml:3: log.fromat: unknown key (did you mean format?)",
		},
	}, {
		name:  "environment",
		files: map[string]string{"config.yml": small, "pw": "x"},
		env:   []string{"LDAPSYNC_LOG_LEVLE=debug", "LDAPSYNC_TIMING_PING=soon", "LDAPSYNC_HOME=x", "LDAP=1"},
		want: []string{
			"LDAPSYNC_HOME: unknown variable (names that start with LDAPSYNC_ are settings: the key xmpp.jid is LDAPSYNC_XMPP_JID)",
			"LDAPSYNC_LOG_LEVLE: unknown variable (did you mean LDAPSYNC_LOG_LEVEL?)",
			`LDAPSYNC_TIMING_PING: timing.ping: not a duration such as 30s, 12h or 30d: "soon"`,
		},
	}, {
		name:  "environment, value",
		files: map[string]string{"config.yml": small, "pw": "x"},
		env:   []string{"LDAPSYNC_XMPP_JID=example.org"},
		want: []string{
			`LDAPSYNC_XMPP_JID: xmpp.jid: "example.org" names no account (the account of this server, such as ldap1@example.org)`,
		},
	}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := folder(t, tt.files)
			_, err := load(dir, tt.env...)
			got := problems(t, dir, err)
			for i, line := range got {
				if strings.Contains(line, "suffixes[2].dn") {
					got[i], _, _ = strings.Cut(line, ".dn: ")
					got[i] += ".dn: SYNTAX"
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestErrorHasALineForEachProblem(t *testing.T) {
	dir := folder(t, map[string]string{"config.yml": "a: 1\nb: 2\n"})
	_, err := load(dir)
	if n := strings.Count(err.Error(), "\n"); n != 1 || !strings.Contains(err.Error(), "config.yml:2: b: unknown key") {
		t.Errorf("%v", err)
	}
}
