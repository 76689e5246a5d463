package main

import (
	"github.com/spf13/cobra"

	"ldapsync/control"
)

// addSocketFlag gives a command that talks to the daemon the flag --socket.
func addSocketFlag(c *cobra.Command, f *flags) {
	c.PersistentFlags().StringVar(&f.socket, "socket", "", "control `socket` of the daemon (default: as in the settings)")
}

// dial reaches the daemon; the settings are not read where a socket is named.
func (f *flags) dial() (*control.Client, error) {
	if f.socket != "" {
		return control.Dial(f.socket)
	}
	cfg, err := f.load()
	if err != nil {
		return nil, err
	}
	return control.Dial(cfg.Control.Socket)
}
