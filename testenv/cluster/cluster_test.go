package cluster_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"ldapsync/testenv/cluster"
)

// TestUsedFolderIsRefused: nothing is started where an earlier cluster has been.
func TestUsedFolderIsRefused(t *testing.T) {
	for _, name := range []string{"prosody", "ldap2"} {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		_, err := cluster.Start(dir, cluster.Options{Suffix: "dc=x", Servers: 2})
		var used *cluster.UsedError
		if !errors.As(err, &used) || used.Dir != dir || used.Found != name || used.Hint() == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
