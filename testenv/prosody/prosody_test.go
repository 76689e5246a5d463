package prosody_test

import (
	"crypto/tls"
	"os"
	"strings"
	"syscall"
	"testing"

	"ldapsync/testenv/prosody"
)

func TestServesVerifiedTLSOnTheSamePortsAfterRestart(t *testing.T) {
	s := prosody.StartTest(t, prosody.Options{Users: map[string]string{"ann": `p"w\ü`}})
	roots, err := s.Roots()
	if err != nil {
		t.Fatal(err)
	}
	addr := s.TLSAddr
	for _, end := range []func() error{s.Stop, s.Kill, s.Stop} {
		c, err := tls.Dial("tcp", s.TLSAddr, &tls.Config{RootCAs: roots, ServerName: s.Domain})
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		pid := s.Pid()
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if s.Pid() != 0 || syscall.Kill(pid, 0) == nil {
			t.Fatalf("process %d still runs", pid)
		}
		if err := s.Restart(); err != nil {
			t.Fatal(err)
		}
	}
	if s.TLSAddr != addr {
		t.Errorf("port changed from %s to %s", addr, s.TLSAddr)
	}
}

func TestReportsWhyItDoesNotStart(t *testing.T) {
	s, err := prosody.Start(t.TempDir(), prosody.Options{ExtraConfig: "this is not Lua"})
	if err == nil {
		_ = s.Kill()
		t.Fatal("started with a broken configuration")
	}
	if !strings.Contains(err.Error(), "prosody") {
		t.Error(err)
	}
}

func TestHashedAccounts(t *testing.T) {
	s := prosody.StartTest(t, prosody.Options{Hashed: true, Users: map[string]string{"ann": "secret"}})
	account, err := os.ReadFile(s.Dir + "/data/xmpp%2etest/accounts/ann.dat")
	if err != nil || strings.Contains(string(account), `"secret"`) {
		t.Errorf("account: %s, %v", account, err)
	}
}

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		s, err := prosody.Start(b.TempDir(), prosody.Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Kill(); err != nil {
			b.Fatal(err)
		}
	}
}
