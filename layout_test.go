package ldapsync_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// mayImport is the map of the house: what each package may import of the
// others. "*" is everything but the commands. Whoever adds a package adds it
// here, and thinks about whom it must not know.
var mayImport = map[string]string{
	// They stand alone.
	"dn": "", "ldif": "", "lookup": "", "octets": "", "roles": "", "xmpp/element": "",
	"directory/ber": "", "directory/openldap/schema": "", "scripts/testreport": "", "scripts/mutants": "testenv/mutate",
	// What is replicated.
	"changelog": "octets",
	"schema":    "dn lookup",
	"dit":       "changelog dn lookup octets schema",
	"dit/naive": "changelog dit dn",
	"members":   "changelog lookup octets",
	"scenario":  "changelog dit dn ldif schema",
	// XMPP, which knows no directory.
	"xmpp":     "xmpp/element",
	"protocol": "changelog octets xmpp/element",
	"muc":      "changelog roles xmpp xmpp/element",
	"pubsub":   "xmpp xmpp/element",
	// Directories, which know no XMPP.
	"directory":               "changelog dn schema",
	"directory/memory":        "changelog directory dn lookup schema",
	"directory/directorytest": "changelog directory dn schema",
	"directory/openldap":      "changelog directory directory/ber directory/openldap/schema dn ldif octets schema",
	// One suffix.
	"store":   "changelog directory dit dn lookup members octets schema",
	"image":   "changelog directory dn schema store",
	"plan":    "changelog directory dn image schema store",
	"replica": "changelog directory dit dn image ldif members octets plan protocol roles schema store",
	// Many servers of one suffix, without any network.
	"simulate":        "changelog directory directory/memory dit dit/naive dn ldif replica roles schema store",
	"simulate/series": "simulate",
	"simulate/soak":   "simulate simulate/series",
	// One server.
	"config":  "changelog dn",
	"control": "roles",
	"daemon":  "*", "demo": "*", "cmd/ldapsync": "*",
	// Servers to test with.
	"testenv/cluster":  "control testenv/netproxy testenv/openldap testenv/prosody",
	"testenv/mutate":   "",
	"scenario/live":    "changelog control dit dn scenario schema testenv/cluster testenv/openldap",
	"testenv/netproxy": "", "testenv/prosody": "", "testenv/prosody/cmd": "testenv/prosody",
	"testenv/openldap": "directory/openldap/schema",
	"bench":            "*",
}

// onlyIn names, for modules of others, the folders that may know them.
var onlyIn = map[string][]string{
	"mellium.im/":         {"xmpp", "muc", "pubsub", "config", "daemon", "cmd"},
	"github.com/go-ldap/": {"directory/openldap", "scenario/live", "bench"},
	"go.etcd.io/bbolt":    {"changelog", "store"},
	"github.com/spf13/":   {"cmd"},
	"go.yaml.in/":         {"config", "scenario"},
}

const (
	module = "ldapsync/"
	// maxLines is where a file has become too much to hold in one's head.
	maxLines = 500
)

// source is one Go file: its folder, its name and what it imports.
type source struct {
	dir, name string
	imports   []string
	lines     int
}

func (s source) isTest() bool { return strings.HasSuffix(s.name, "_test.go") }

func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	err := fs.WalkDir(os.DirFS("."), ".", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && file != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(file, ".go"):
			return nil
		}
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, b, parser.ImportsOnly)
		if err != nil {
			return err
		}
		s := source{dir: path.Dir(file), name: path.Base(file), lines: strings.Count(string(b), "\n")}
		for _, i := range parsed.Imports {
			name, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			s.imports = append(s.imports, name)
		}
		out = append(out, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 10 {
		t.Fatalf("%d files found", len(out))
	}
	return out
}

func TestImportsPointOneWay(t *testing.T) {
	for _, s := range sources(t) {
		allowed, known := mayImport[s.dir]
		if !known && !s.isTest() {
			t.Errorf("%s is not on the map of packages in layout_test.go", s.dir)
			continue
		}
		for _, i := range s.imports {
			name, ours := strings.CutPrefix(i, module)
			switch {
			case !ours:
			case strings.HasPrefix(name, "cmd/"):
				t.Errorf("%s/%s imports the command %s", s.dir, s.name, name)
			case s.isTest() || allowed == "*" || name == s.dir:
			case !slices.Contains(strings.Fields(allowed), name):
				t.Errorf("%s/%s imports %s; %s may import only %q", s.dir, s.name, name, s.dir, allowed)
			}
		}
	}
}

// TestModulesStayInTheirFolders keeps, among others, XMPP and LDAP libraries
// out of dit, changelog, ldif, roles, dn and schema.
func TestModulesStayInTheirFolders(t *testing.T) {
	for _, s := range sources(t) {
		for _, i := range s.imports {
			for prefix, folders := range onlyIn {
				if strings.HasPrefix(i, prefix) && !s.isTest() && !within(s.dir, folders) {
					t.Errorf("%s/%s imports %s, which belongs in %s", s.dir, s.name, i, strings.Join(folders, ", "))
				}
			}
		}
	}
}

func within(dir string, folders []string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return dir == f || strings.HasPrefix(dir, f+"/") })
}

func TestMapHasNoCycles(t *testing.T) {
	const busy, done = 1, 2
	state := map[string]int{}
	var visit func(name string)
	visit = func(name string) {
		if state[name] == busy {
			t.Errorf("%s may import itself by way of others", name)
		}
		if state[name] != 0 {
			return
		}
		state[name] = busy
		for _, next := range strings.Fields(mayImport[name]) {
			if _, known := mayImport[next]; !known && next != "*" {
				t.Errorf("%s may import %s, which is not on the map", name, next)
			}
			visit(next)
		}
		state[name] = done
	}
	for name := range mayImport {
		visit(name)
	}
}

func TestFilesStaySmall(t *testing.T) {
	for _, s := range sources(t) {
		if s.lines > maxLines && !s.isTest() {
			t.Errorf("%s/%s has %d lines, more than %d", s.dir, s.name, s.lines, maxLines)
		}
	}
}
