package control_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ldapsync/control"
	"ldapsync/roles"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// fake is a Service that answers what it is told and remembers what it is
// asked.
type fake struct {
	status control.Status
	err    error

	mu    sync.Mutex
	asked []string
}

func (f *fake) note(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, fmt.Sprintf(format, args...))
}

func (f *fake) Status(context.Context) (control.Status, error) { return f.status, f.err }

func (f *fake) Admit(_ context.Context, suffix, jid string, role roles.Role) error {
	f.note("admit %q %q %s", suffix, jid, role)
	return f.err
}

func (f *fake) ForgetPeer(_ context.Context, ask control.ForgetRequest) (control.Forgotten, error) {
	f.note("forget %q %q %q %v", ask.Suffix, ask.Peer, ask.Name, ask.Force)
	return control.Forgotten{SID: 3, JID: ask.Name}, f.err
}

func (f *fake) RetryParked(_ context.Context, suffix, id string) (int, error) {
	f.note("retry %q %q", suffix, id)
	return 3, f.err
}

func (f *fake) Conflicts(_ context.Context, ask control.ConflictsRequest) (control.ConflictsPage, error) {
	f.note("conflicts %+v", ask)
	return control.ConflictsPage{Next: "x"}, f.err
}

func (f *fake) Conflict(_ context.Context, ask control.ConflictRequest) (control.Conflict, error) {
	f.note("conflict %+v", ask)
	return control.Conflict{ID: ask.ID}, f.err
}

func (f *fake) Restore(_ context.Context, ask control.RestoreRequest) (string, error) {
	f.note("restore %+v", ask)
	return "restored", f.err
}

func (f *fake) Drop(_ context.Context, ask control.DropRequest) (int, error) {
	f.note("drop %q %v", ask.IDs, ask.All)
	return 2, f.err
}

func (f *fake) DropParked(_ context.Context, suffix, id string) error {
	f.note("drop parked %q %q", suffix, id)
	return f.err
}

func (f *fake) History(_ context.Context, ask control.HistoryRequest) (control.History, error) {
	f.note("history %+v", ask)
	return control.History{Changes: []control.HistoryChange{{Mods: []control.HistoryMod{{}}}}}, f.err
}

func (f *fake) Undelete(_ context.Context, ask control.UndeleteRequest) (string, error) {
	f.note("undelete %+v", ask)
	return "back", f.err
}

func (f *fake) Withheld(_ context.Context, ask control.WithheldRequest) ([]control.Withheld, error) {
	f.note("withheld %+v", ask)
	return nil, f.err
}

func (f *fake) Release(_ context.Context, ask control.ReleaseRequest) (string, error) {
	f.note("release %+v", ask)
	return "shown", f.err
}

func (f *fake) Deleted(_ context.Context, ask control.DeletedRequest) (control.DeletedPage, error) {
	f.note("deleted %+v", ask)
	return control.DeletedPage{}, f.err
}

// serve starts a server and returns its socket; it is stopped, and checked to
// have stopped cleanly, at the end of the test.
func serve(t *testing.T, service control.Service) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "run", "control.sock")
	start(t, socket, service)
	return socket
}

func start(t *testing.T, socket string, service control.Service) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- control.Serve(ctx, socket, service) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	t.Cleanup(stop)
	for {
		if _, err := control.Dial(socket); err == nil {
			return stop
		}
		select {
		case err := <-done:
			done <- err
			t.Fatalf("serve: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
}

func dial(t *testing.T, socket string) *control.Client {
	t.Helper()
	c, err := control.Dial(socket)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func code(err error) string {
	var e *control.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// full returns a Status with every field set, to values that depend on the
// field's name alone.
func full() control.Status {
	var s control.Status
	fill(reflect.ValueOf(&s).Elem(), "status")
	return s
}

func fill(v reflect.Value, name string) {
	number := len(name)
	switch {
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), name)
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Date(2026, 11, 20, 10, 0, number, 5000000, time.FixedZone("", 3600))))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), v.Type().Field(i).Name)
		}
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), name)
	case v.Kind() == reflect.String:
		v.SetString("a " + name)
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.CanUint():
		v.SetUint(uint64(number))
	default:
		v.SetInt(int64(number))
	}
}

// TestStatusContract keeps the keys and forms of status --json: the golden file
// may get new keys, but no key may go or change.
func TestStatusContract(t *testing.T) {
	for name, status := range map[string]control.Status{
		"full": full(), "empty": {}, "bare": {Suffixes: []control.SuffixStatus{{DN: "dc=example,dc=org"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := dial(t, serve(t, &fake{status: status})).Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			b, err := json.MarshalIndent(got, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+".json", append(b, '\n'))
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestRequests(t *testing.T) {
	f := &fake{}
	c := dial(t, serve(t, f))
	if err := c.Admit(t.Context(), "dc=x", "a@b", roles.ReadOnly); err != nil {
		t.Error(err)
	}
	if n, err := c.RetryParked(t.Context(), "", "some-id"); n != 3 || err != nil {
		t.Error(n, err)
	}
	page, err := c.Conflicts(t.Context(), control.ConflictsRequest{Suffix: "dc=x", Kinds: []string{"glue"}, Name: "cn=a", Limit: 3, After: "y", ShowSecrets: true})
	if err != nil || page.Next != "x" || page.Conflicts == nil || page.Counts == nil {
		t.Error(page, err)
	}
	if found, err := c.Conflict(t.Context(), control.ConflictRequest{ID: "3f"}); found.ID != "3f" || err != nil {
		t.Error(found, err)
	}
	if done, err := c.Restore(t.Context(), control.RestoreRequest{ID: "3f", Rename: "cn=b", RemoveValue: true}); done != "restored" || err != nil {
		t.Error(done, err)
	}
	if n, err := c.Drop(t.Context(), control.DropRequest{IDs: []string{"a", "b"}}); n != 2 || err != nil {
		t.Error(n, err)
	}
	if err := c.DropParked(t.Context(), "dc=x", "some-id"); err != nil {
		t.Error(err)
	}
	if h, err := c.History(t.Context(), control.HistoryRequest{Name: "cn=a"}); len(h.Changes) != 1 || h.Changes[0].Mods[0].Values == nil || err != nil {
		t.Error(h, err)
	}
	if done, err := c.Undelete(t.Context(), control.UndeleteRequest{Name: "cn=a"}); done != "back" || err != nil {
		t.Error(done, err)
	}
	if page, err := c.Deleted(t.Context(), control.DeletedRequest{Base: "cn=a"}); page.Deleted == nil || err != nil {
		t.Error(page, err)
	}
	if list, err := c.Withheld(t.Context(), control.WithheldRequest{Suffix: "dc=x"}); list == nil || err != nil {
		t.Error(list, err)
	}
	if done, err := c.Release(t.Context(), control.ReleaseRequest{Entry: "some-id", Below: "cn=a"}); done != "shown" || err != nil {
		t.Error(done, err)
	}
	ask := control.ForgetRequest{Suffix: "dc=x", Peer: "3", Name: "a@b", Force: true}
	if done, err := c.ForgetPeer(t.Context(), ask); done != (control.Forgotten{SID: 3, JID: "a@b"}) || err != nil {
		t.Error(done, err)
	}
	want := []string{
		`admit "dc=x" "a@b" read-only`, `retry "" "some-id"`,
		`conflicts {Suffix:dc=x Kinds:[glue] Name:cn=a Since:0001-01-01 00:00:00 +0000 UTC Limit:3 After:y ShowSecrets:true}`,
		`conflict {Suffix: ID:3f ShowSecrets:false}`, `restore {Suffix: ID:3f Rename:cn=b RemoveValue:true}`,
		`drop ["a" "b"] false`, `drop parked "dc=x" "some-id"`, `history {Suffix: Name:cn=a Limit:0 After: ShowSecrets:false}`,
		`undelete {Suffix: Name:cn=a Rename:}`, `deleted {Suffix: Base:cn=a Limit:0 After:}`,
		`withheld {Suffix:dc=x}`, `release {Suffix: Entry:some-id Below:cn=a}`,
		`forget "dc=x" "3" "a@b" true`,
	}
	if diff := cmp.Diff(want, f.asked); diff != "" {
		t.Error(diff)
	}
}

type hinted struct{}

func (hinted) Error() string { return "no" }
func (hinted) Hint() string  { return "ask again" }

func TestErrorsCrossTheSocket(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want control.Error
	}{
		{"plain", errors.New("broken"), control.Error{Text: "broken", Code: control.CodeFailed}},
		{"hint", fmt.Errorf("admit: %w", hinted{}), control.Error{Text: "admit: no", HintText: "ask again", Code: control.CodeFailed}},
		{"typed", fmt.Errorf("admit: %w", &control.Error{Text: "no such suffix", HintText: "see status", Code: control.CodeRequest}),
			control.Error{Text: "admit: no such suffix", HintText: "see status", Code: control.CodeRequest}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, serve(t, &fake{err: tt.err}))
			_, statusErr := c.Status(t.Context())
			_, retryErr := c.RetryParked(t.Context(), "", "")
			for _, err := range []error{statusErr, c.Admit(t.Context(), "", "a@b", roles.Master), retryErr} {
				var got *control.Error
				if !errors.As(err, &got) {
					t.Fatalf("%T %v", err, err)
				}
				if diff := cmp.Diff(tt.want, *got); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestSocketIsPrivateAndGoesAway(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "control.sock")
	stop := start(t, socket, &fake{})
	st, err := os.Stat(socket)
	if err != nil || st.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("%v, %v", st, err)
	}
	stop()
	if _, err := os.Stat(socket); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket stays behind: %v", err)
	}
	if _, err := control.Dial(socket); code(err) != control.CodeNotRunning {
		t.Errorf("dial afterwards: %v", err)
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "control.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := control.Dial(socket); code(err) != control.CodeNotRunning {
		t.Errorf("dial a stale socket: %v", err)
	}
	start(t, socket, &fake{})
}

func TestSecondDaemonIsRefused(t *testing.T) {
	socket := serve(t, &fake{})
	err := control.Serve(t.Context(), socket, &fake{})
	if code(err) != control.CodeInUse || !strings.Contains(err.Error(), socket) {
		t.Errorf("%v", err)
	}
	if _, err := dial(t, socket).Status(t.Context()); err != nil {
		t.Errorf("the first daemon suffers: %v", err)
	}
}

func TestOtherFilesAreLeftAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "control.sock")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := control.Serve(t.Context(), file, &fake{}); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("%v", err)
	}
	if b, err := os.ReadFile(file); string(b) != "precious" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestMalformedRequestsAreRefused(t *testing.T) {
	f := &fake{}
	socket := serve(t, f)
	client := http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
	defer client.CloseIdleConnections()
	tests := []struct{ method, path, body, want string }{
		{"POST", "/v0/admit", `{"jid":"a@b","role":"king"}`, `role "king"`},
		{"POST", "/v0/admit", `{"jid":"a@b","role":"master","x":1}`, "unknown field"},
		{"POST", "/v0/admit", `not JSON`, "read the request"},
		{"POST", "/v0/retry", `{"id":"` + strings.Repeat("x", 1<<17) + `"}`, "too large"},
		{"POST", "/v0/status", "", "does not know POST /v0/status"},
		{"GET", "/v9/status", "", "does not know GET /v9/status"},
	}
	for _, tt := range tests {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, "http://x"+tt.path, bytes.NewReader([]byte(tt.body)))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var e control.Error
		err = json.NewDecoder(resp.Body).Decode(&e)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusBadRequest || e.Code != control.CodeRequest || !strings.Contains(e.Text, tt.want) {
			t.Errorf("%s %s: %d %+v %v", tt.method, tt.path, resp.StatusCode, e, err)
		}
	}
	if len(f.asked) > 0 {
		t.Errorf("the daemon was asked %q", f.asked)
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "control.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusTeapot)
		}
		fmt.Fprint(w, "hello")
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	c := dial(t, socket)
	if _, err := c.Status(t.Context()); code(err) != control.CodeFailed || !strings.Contains(err.Error(), "read the daemon's answer") {
		t.Error(err)
	}
	if err := c.Admit(t.Context(), "", "a@b", roles.Master); code(err) != control.CodeFailed || !strings.Contains(err.Error(), "418") {
		t.Error(err)
	}
}
