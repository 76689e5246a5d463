package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReport(t *testing.T) {
	tests := []struct {
		name, in, want string
		ok             bool
	}{{
		name: "pass and skip",
		in: `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"noise\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestB","Output":"    a_test.go:3: no slapd\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"--- SKIP: TestB (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p"}
{"Action":"output","Package":"q","Output":"?   \tq\t[no test files]\n"}
{"Action":"skip","Package":"q"}
`,
		want: "ok  \tp\t0.1s\n?   \tq\t[no test files]\nskipped: p TestB: a_test.go:3: no slapd\n2 packages, 0 failed; 2 tests, 1 skipped\n",
		ok:   true,
	}, {
		name: "failure",
		in: `{"Action":"output","Package":"p","Test":"TestA","Output":"    wrong\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"--- FAIL: TestA (0.00s)\n"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}
`,
		want: "    wrong\n--- FAIL: TestA (0.00s)\nFAIL\tp\t0.1s\n1 packages, 1 failed; 1 tests, 0 skipped\n",
	}, {
		name: "build failure and other lines",
		in: `go: downloading x
{"ImportPath":"p","Action":"build-output","Output":"p.go:1: syntax error\n"}
{"ImportPath":"p","Action":"build-fail"}
{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}
{"Action":"fail","Package":"p","FailedBuild":"p"}`,
		want: "go: downloading x\np.go:1: syntax error\nFAIL\tp [build failed]\n1 packages, 1 failed; 0 tests, 0 skipped\n",
	}, {
		name: "panic",
		in: `{"Action":"output","Package":"p","Test":"TestA","Output":"panic: no\n"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}
`,
		want: "FAIL\tp\t0.1s\nunfinished: p TestA\npanic: no\n1 packages, 1 failed; 0 tests, 0 skipped\n",
	}, {
		name: "nothing",
		want: "0 packages, 0 failed; 0 tests, 0 skipped\n",
	}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b strings.Builder
			r := newReport(&b)
			if err := r.read(strings.NewReader(tt.in)); err != nil {
				t.Fatal(err)
			}
			if ok := r.finish(false); ok != tt.ok {
				t.Errorf("all well: %v", ok)
			}
			if diff := cmp.Diff(tt.want, b.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSkippedTestsFailInCI(t *testing.T) {
	var b strings.Builder
	r := newReport(&b)
	in := `{"Action":"skip","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p"}`
	if err := r.read(strings.NewReader(in)); err != nil {
		t.Fatal(err)
	}
	if r.finish(true) || !r.finish(false) {
		t.Errorf("skip is not told apart:\n%s", b.String())
	}
}
