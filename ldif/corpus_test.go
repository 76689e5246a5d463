package ldif_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ldapsync/ldif"
)

// The corpus: testdata/ok is LDIF, testdata/lenient is only what ldapadd takes
// for it, testdata/bad is refused. Beside each file stands what becomes of it:
// .golden is what the Writer makes of the records, .err the errors.

var update = flag.Bool("update", false, "rewrite the golden files")

// sameRecord compares records wherever they stand.
var sameRecord = cmp.Options{
	cmpopts.IgnoreFields(ldif.Record{}, "Line"),
	cmpopts.EquateEmpty(),
}

func corpus(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", dir, "*.ldif"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus in %s: %v", dir, err)
	}
	return files
}

func name(file string) string {
	return filepath.Base(filepath.Dir(file)) + "/" + strings.TrimSuffix(filepath.Base(file), ".ldif")
}

// readFile returns the records of a file and the mistakes between them.
func readFile(t *testing.T, file string, opts ...ldif.Option) ([]*ldif.Record, []error) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return readAll(ldif.NewReader(f, opts...))
}

func readAll(r *ldif.Reader) (recs []*ldif.Record, errs []error) {
	for rec, err := range r.All() {
		if err != nil {
			errs = append(errs, err)
		} else {
			recs = append(recs, rec)
		}
	}
	return recs, errs
}

func write(t *testing.T, recs []*ldif.Record) []byte {
	t.Helper()
	var b bytes.Buffer
	w := ldif.NewWriter(&b)
	for _, rec := range recs {
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func errorLines(errs []error) []byte {
	var b bytes.Buffer
	for _, err := range errs {
		fmt.Fprintln(&b, err)
	}
	return b.Bytes()
}

func TestCorpusAccepted(t *testing.T) {
	for _, file := range corpus(t, "ok") {
		t.Run(name(file), func(t *testing.T) {
			recs, errs := readFile(t, file)
			if len(errs) > 0 {
				t.Fatal(errs)
			}
			text := write(t, recs)
			golden(t, strings.TrimSuffix(file, ".ldif")+".golden", text)
			again, errs := readAll(ldif.NewReader(bytes.NewReader(text)))
			if len(errs) > 0 {
				t.Fatal(errs)
			}
			if diff := cmp.Diff(recs, again, sameRecord); diff != "" {
				t.Errorf("written and read again (-want +got):\n%s", diff)
			}
			lenient, errs := readFile(t, file, ldif.Lenient())
			if diff := cmp.Diff(recs, lenient); diff != "" || len(errs) > 0 {
				t.Errorf("lenient reads it differently (%v):\n%s", errs, diff)
			}
		})
	}
}

func TestCorpusRefused(t *testing.T) {
	for _, file := range append(corpus(t, "lenient"), corpus(t, "bad")...) {
		t.Run(name(file), func(t *testing.T) {
			_, errs := readFile(t, file, ldif.WithName(filepath.Base(file)))
			if len(errs) == 0 {
				t.Fatal("accepted")
			}
			golden(t, strings.TrimSuffix(file, ".ldif")+".err", errorLines(errs))
			for _, err := range errs {
				var e *ldif.Error
				if !errors.As(err, &e) {
					t.Errorf("%v is not an *ldif.Error", err)
				}
			}
			_, errs = readFile(t, file, ldif.Lenient())
			if lenient := strings.HasPrefix(name(file), "lenient/"); lenient != (len(errs) == 0) {
				t.Errorf("lenient: %v", errs)
			}
		})
	}
}

// TestGoesOn reads the records around one that is wrong.
func TestGoesOn(t *testing.T) {
	recs, errs := readFile(t, "testdata/bad/in-the-middle.ldif")
	if len(recs) != 2 || len(errs) != 1 || recs[0].Line != 1 || recs[1].Line != 7 {
		t.Fatalf("records %v, errors %v", recs, errs)
	}
}

func TestEndIsSticky(t *testing.T) {
	r := ldif.NewReader(strings.NewReader("dn: cn=x\ncn: x"))
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := r.Next(); err != io.EOF {
			t.Fatalf("got %v, want io.EOF", err)
		}
	}
}
