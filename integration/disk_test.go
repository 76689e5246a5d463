package integration_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestFullDisk lets the state file reach the limit of its size in the middle of
// a load: the daemon must end and say so, and nothing may be lost.
func TestFullDisk(t *testing.T) {
	s := newSite(t)
	s.load(s.a, 10, 1)
	s.join()
	s.must(s.a.StopDaemon())
	// The unit of bash's limit is 1024 octets; a new state file has 16 MB.
	args := append([]string{"-c", `ulimit -f 17000; exec "$@"`, "bash"}, s.a.Command("run").Args...)
	cmd := exec.Command("bash", args...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	s.must(cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	_, err := s.a.Slapd.LDAPAdd(photos(150, 60_000))
	s.must(err)
	select {
	case err := <-ended:
		if err == nil {
			t.Error("the daemon ended as if all were well")
		}
	case <-time.After(60 * time.Second):
		_ = cmd.Process.Kill()
		t.Fatalf("the daemon goes on with a full disk:\n%s", out.String())
	}
	if !strings.Contains(out.String(), "ldapsync: run: ") || !strings.Contains(out.String(), "file too large") {
		t.Errorf("no clear line:\n%s", out.String())
	}
	s.start(s.a)
	s.equal()
	if out, err := s.b.Slapd.LDAPSearch("(sn=photo)", "1.1"); err != nil || strings.Count(out, "dn:") != 150 {
		t.Errorf("%d of 150 arrived, %v", strings.Count(out, "dn:"), err)
	}
}

// photos is LDIF of n people with a photo of some octets each.
func photos(n, size int) string {
	var ldif strings.Builder
	for i := range n {
		photo := bytes.Repeat([]byte{0xff, byte(i), 0x00}, size/3)
		fmt.Fprintf(&ldif, "dn: uid=photo%d,ou=people,%s\nobjectClass: inetOrgPerson\ncn: x\nsn: photo\njpegPhoto:: %s\n\n",
			i, suffix, base64.StdEncoding.EncodeToString(photo))
	}
	return ldif.String()
}
