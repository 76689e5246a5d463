package mutate_test

import (
	"go/format"
	"testing"

	"ldapsync/testenv/mutate"
)

func TestRewrite(t *testing.T) {
	const src = `package p

func (s *set) less(a, b int) bool {
	if s.on && !s.off(a) {
		return a < b
	}
	for _, x := range s.list {
		if strings.Compare(x, "") == 0 || (x == "y") {
			return true
		}
	}
	return s.off(b)
}
`
	const want = `package p

func (s *set) less(a, b int) bool {
	if mutantBool(5, s.on) && !mutantBool(6, s.off(a)) {
		return mutantBool(7, mutantEdge(8, a, b, "<"))
	}
	for _, x := range s.list {
		if mutantBool(9, mutantInt(10, strings.Compare(x, "")) == 0) || (mutantBool(11, x == "y")) {
			return mutantBool(12, true)
		}
	}
	return mutantBool(13, s.off(b))
}
`
	out, sites, err := mutate.Rewrite("p.go", []byte(src), 5)
	if err != nil {
		t.Fatal(err)
	}
	if pretty, err := format.Source(out); err != nil || string(pretty) != want {
		t.Errorf("%v\n%s", err, pretty)
	}
	if len(sites) != 9 {
		t.Fatalf("%d sites", len(sites))
	}
	if key := sites[3].Key(); key != "p.go (*set).less: edge a < b #1" || sites[3].ID != 8 || sites[3].Line != 5 {
		t.Errorf("site %q %+v", key, sites[3])
	}
}

func TestInsert(t *testing.T) {
	out, err := mutate.Insert("p.go", []byte("package p\n\nfunc f() int { return 1 }\n"), "f", "if mutantIs(1) { return 2 }")
	if want := "package p\n\nfunc f() int {\nif mutantIs(1) { return 2 }\n return 1 }\n"; err != nil || string(out) != want {
		t.Errorf("%q, %v", out, err)
	}
	if _, err := mutate.Insert("p.go", []byte("package p\n"), "f", ""); err == nil {
		t.Error("a function that is not there")
	}
}
