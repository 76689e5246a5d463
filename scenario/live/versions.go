package live

import (
	"os"
	"os/exec"
	"regexp"
)

// Versions names the servers and their versions.
func Versions() string {
	return "OpenLDAP " + versionIn(printed("slapd", "-VV"), slapdVersion) + ", Prosody " + versionIn(printed("prosodyctl", "about"), prosodyVersion)
}

// What the programs print of themselves. Prosody's may come after what it lacks: "Prosody
// was unable to find lua-unbound". One that was not released calls itself "Prosody trunk
// nightly build 1900" or "Prosody hg:3ac7e2a4e7b1".
var (
	slapdVersion   = regexp.MustCompile(`slapd (\d\S*)`)
	prosodyVersion = regexp.MustCompile(`(?m)^Prosody ((?:\d|trunk\b|hg:)\S*)`)
)

// versionIn takes the version out of what a program prints.
func versionIn(text []byte, pattern *regexp.Regexp) string {
	if m := pattern.FindSubmatch(text); m != nil {
		return string(m[1])
	}
	return "of unknown version"
}

// printed returns what a program prints that may be where only administrators look.
func printed(program string, args ...string) []byte {
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	if path, err := exec.LookPath("/usr/sbin/" + program); err == nil {
		cmd = exec.Command(path, args...)
	}
	out, _ := cmd.CombinedOutput()
	return out
}
