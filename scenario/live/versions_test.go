package live

import "testing"

// TestProsodyVersion reads what `prosodyctl about` prints.
func TestProsodyVersion(t *testing.T) {
	lacking := "\n**************************\nProsody was unable to find lua-unbound\nThis package can be obtained in the following ways:\n\n" +
		"  Debian/Ubuntu | sudo apt install lua-unbound\n\nOld DNS resolver library will be used\n" +
		"More help can be found on our website, at https://prosody.im/doc/depends\n**************************\n\n"
	for text, want := range map[string]string{
		"Prosody 0.12.3\n\n# Prosody directories\n":           "0.12.3",
		lacking + "Prosody 0.12.3\n\n# Prosody directories\n": "0.12.3",
		lacking: "of unknown version",
		"Prosody trunk nightly build 1900 (2024-01-01, 3ac7e2a4e7b1)\n": "trunk",
		"Prosody hg:3ac7e2a4e7b1\n":                                     "hg:3ac7e2a4e7b1",
		"":                                                              "of unknown version",
	} {
		if have := versionIn([]byte(text), prosodyVersion); have != want {
			t.Errorf("%q of %q", have, text)
		}
	}
	if have := versionIn([]byte("@(#) $OpenLDAP: slapd 2.5.13+dfsg-5 (Feb  8 2023 01:56:12) $"), slapdVersion); have != "2.5.13+dfsg-5" {
		t.Error(have)
	}
}
