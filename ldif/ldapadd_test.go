package ldif_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ldapsync/ldif"
)

// departures are the files of the corpus that we deliberately read differently
// than ldapadd does.
var departures = map[string]string{
	"ok/departs-two-controls":                      "ldapadd takes what follows a second control for an entry to add",
	"ok/departs-control-value-without-criticality": "RFC 2849 allows it, ldapadd does not",
	"ok/departs-base64-empty":                      "RFC 2849 allows it, ldapadd does not",
	"ok/departs-bom":                               "ldapadd loses the record after a byte order mark",
	"bad/departs-nul":                              "ldapadd loses the rest of the line and the end of it",
	"ok/departs-folded-name":                       "ldapadd puts two CRs where the fold was",
	"ok/departs-tab-before-value":                  "RFC 2849 takes only spaces away, ldapadd 2.5 tabs too",
}

// tool returns the path of a program and skips the test without it.
func tool(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/" + program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
	return path
}

// ldapadd returns what "ldapadd -n -v", which asks no server, says it would do
// with a file, and whether it accepts it.
func ldapadd(t *testing.T, file string) (said string, accepted bool) {
	t.Helper()
	cmd := exec.Command(tool(t, "ldapadd"), "-n", "-v", "-H", "ldap://127.0.0.1:9", "-f", file)
	var out bytes.Buffer
	cmd.Stdout = &out
	err := cmd.Run()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatal(err)
	}
	return out.String(), err == nil
}

func TestReadsAsLDAPAdd(t *testing.T) {
	tool(t, "ldapadd")
	files := append(corpus(t, "ok"), append(corpus(t, "lenient"), corpus(t, "bad")...)...)
	for _, file := range files {
		t.Run(name(file), func(t *testing.T) {
			said, accepted := ldapadd(t, file)
			want, wantOK := firstSpellings(said), accepted
			got, gotOK := wouldDo(t, file)
			diff := cmp.Diff(want, got)
			if departures[name(file)] != "" {
				if diff == "" && gotOK == wantOK {
					t.Error("no departure any more")
				}
				return
			}
			if gotOK != wantOK {
				t.Errorf("accepted: %t, by ldapadd: %t", gotOK, wantOK)
			}
			if diff != "" {
				t.Errorf("(-ldapadd +ours):\n%s", diff)
			}
		})
	}
}

// wouldDo is ldapadd with our Reader: it stops at the first mistake.
func wouldDo(t *testing.T, file string) (said string, accepted bool) {
	t.Helper()
	recs, errs := readFile(t, file, ldif.Lenient())
	var b strings.Builder
	for _, rec := range recs {
		if len(errs) > 0 && rec.Line > errs[0].(*ldif.Error).Line {
			break
		}
		say(&b, rec)
	}
	return b.String(), len(errs) == 0
}

// say prints a record as ldapadd does.
func say(b *strings.Builder, rec *ldif.Record) {
	switch rec.Change {
	case ldif.Content, ldif.Add:
		for _, a := range rec.Attrs {
			sayValues(b, "add", a.Name, a.Values)
		}
		fmt.Fprintf(b, "!adding new entry \"%s\"\n\n", rec.DN)
	case ldif.Modify:
		for _, m := range rec.Mods {
			sayValues(b, string(m.Op), m.Attr, m.Values)
		}
		fmt.Fprintf(b, "!modifying entry \"%s\"\n\n", rec.DN)
	case ldif.Delete:
		fmt.Fprintf(b, "!deleting entry \"%s\"\n\n", rec.DN)
	case ldif.ModDN:
		keep := ""
		if rec.DeleteOldRDN {
			keep = "do not "
		}
		fmt.Fprintf(b, "!modifying rdn of entry \"%s\"\n\tnew RDN: \"%s\" (%skeep existing values)\n\n",
			rec.DN, rec.NewRDN, keep)
	}
}

func sayValues(b *strings.Builder, op, attr string, values []string) {
	fmt.Fprintf(b, "%s %s:\n", op, strings.ToLower(attr))
	for _, v := range values {
		if strings.ContainsFunc(v, func(r rune) bool { return r > 0x7f }) {
			v = fmt.Sprintf("NOT ASCII (%d bytes)", len(v))
		}
		v, _, _ = strings.Cut(v, "\x00")
		fmt.Fprintf(b, "\t%s\n", v)
	}
}

var attrLine = regexp.MustCompile(`(?m)^(?:add|delete|replace|increment) .*:$`)

// firstSpellings evens out that ldapadd names a modification's attribute as its
// first value spells it, and we as the modification does.
func firstSpellings(said string) string {
	return attrLine.ReplaceAllStringFunc(said, strings.ToLower)
}
