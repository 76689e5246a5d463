package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"ldapsync/control"
	"ldapsync/roles"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ldapsync": main})
}

// TestScripts runs the program as a person at a shell would. A script has more
// commands: "daemon SOCKET FILE" answers on a socket with the status in a JSON
// file (and what a second one says of conflicts) until the script ends, "exits CODE PROGRAM ..." is exec with an exit
// code, and there is chmod.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"daemon": startDaemon, "chmod": chmod, "exits": exits,
		},
	})
}

func chmod(ts *testscript.TestScript, _ bool, args []string) {
	var mode os.FileMode
	_, err := fmt.Sscanf(args[0], "%o", &mode)
	ts.Check(errors.Join(err, os.Chmod(ts.MkAbs(args[1]), mode)))
}

func exits(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

func startDaemon(ts *testscript.TestScript, _ bool, args []string) {
	socket := ts.MkAbs(args[0])
	var s fakeService
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &s.status))
	if len(args) > 2 {
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[2])), &s.journal))
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- control.Serve(ctx, socket, &s) }()
	ts.Defer(func() {
		cancel()
		if err := <-done; err != nil {
			ts.Logf("daemon: %v", err)
		}
	})
	for {
		if _, err := control.Dial(socket); err == nil {
			return
		}
		select {
		case err := <-done:
			done <- err
			ts.Fatalf("daemon: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
}

// fakeService answers with one status, takes up two parked entries, and lets no
// stranger in.
type fakeService struct {
	status  control.Status
	journal journalFile
}

func (s *fakeService) Status(context.Context) (control.Status, error) { return s.status, nil }

func (s *fakeService) Admit(_ context.Context, suffix, jid string, role roles.Role) error {
	switch {
	case suffix == "dc=nowhere":
		return &control.Error{Text: "no suffix dc=nowhere here", HintText: "ldapsync status lists them", Code: control.CodeRequest}
	case jid == "stranger@example.org":
		return errors.New("the room said no,\nand \x1b[31mmeant it")
	case role == roles.ReadOnly && jid != "ldap3@example.org":
		return errors.New("unexpected request")
	}
	return nil
}

func (s *fakeService) ForgetPeer(_ context.Context, ask control.ForgetRequest) (control.Forgotten, error) {
	if !ask.Force {
		return control.Forgotten{}, &control.Error{Text: "remove server 3: it is in the room", HintText: "stop it first, or add --force", Code: control.CodeFailed}
	}
	return control.Forgotten{SID: 3, JID: cmp.Or(ask.Name, ask.Peer)}, nil
}

func (s *fakeService) RetryParked(_ context.Context, _, id string) (int, error) {
	switch {
	case strings.HasSuffix(id, "f"):
		return 0, &control.Error{Text: id + " is not parked", HintText: "ldapsync parked list shows what is", Code: control.CodeRequest}
	case id != "":
		return 1, nil
	}
	return 2, nil
}
