package config

import (
	_ "embed"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

//go:embed sample.yml
var sample string

// Sample returns a settings file with every key explained.
func Sample() string { return sample }

const notShown = "(not shown)"

// Show returns the settings in force as YAML. A password command is left out,
// since its text may hold a password.
func (c *Config) Show() string {
	shown := *c
	hide(&shown.XMPP.Secret)
	shown.Suffixes = slices.Clone(c.Suffixes)
	for i := range shown.Suffixes {
		hide(&shown.Suffixes[i].Directory.Secret)
	}
	b, err := yaml.Marshal(&shown)
	if err != nil {
		return fmt.Sprintf("# %v\n", err)
	}
	return string(b)
}

func hide(s *Secret) {
	if s.PasswordCommand != "" {
		s.PasswordCommand = notShown
	}
}
