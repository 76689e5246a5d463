package prosody

import (
	"fmt"
	"os"
	"strings"
)

// openCreate lets every user create nodes on the pubsub service.
const openCreate = `local service = module:depends("pubsub").service;
for _, affiliation in ipairs({ "none", "member", "publisher" }) do
	service.config.capabilities[affiliation].create = true;
end
`

func (s *Server) config() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	path := func(name string) string { return quoteLua(s.Dir + "/" + name) }

	line("run_as_root = %t", os.Getuid() == 0)
	line("pidfile = %s; data_path = %s; plugin_paths = { %s }", path("prosody.pid"), path("data"), path("plugins"))
	line(`interfaces = { "127.0.0.1" }`)
	line("c2s_ports = { %d }; c2s_direct_tls_ports = { %d }; proxy65_ports = { %d }", s.ports.c2s, s.ports.tls, s.ports.proxy)
	line("http_ports = {}; https_ports = {}; s2s_ports = {}; s2s_direct_tls_ports = {}")
	line(`log = { info = "*console" }`)
	line("ssl = { certificate = %s; key = %s; cafile = %s }", path("server.crt"), path("server.key"), path("ca.crt"))
	s.option(line, "c2s_require_encryption", "true")
	modules := `"roster"; "saslauth"; "tls"; "disco"; "posix"; "ping"; "pep"; "blocklist"; "carbons"; "smacks"; "time"; "version"`
	if s.options.Limits != "" {
		modules += `; "limits"`
		line("limits = %s", s.options.Limits)
	}
	line("modules_enabled = { %s }", modules)
	s.option(line, "modules_disabled", `{ "s2s" }`)
	if s.options.Hashed {
		line(`authentication = "internal_hashed"; password_hash = "SHA-256"`)
	} else {
		line(`authentication = "internal_plain"`)
	}
	line(`storage = "internal"; archive_expires_after = "never"`)
	line("%s", s.options.ExtraConfig)
	s.hosts(line)
	return b.String()
}

// option sets what ExtraConfig does not; Prosody refuses a second value.
func (s *Server) option(line func(string, ...any), name, value string) {
	if !strings.Contains(s.options.ExtraConfig, name) {
		line("%s = %s", name, value)
	}
}

func (s *Server) hosts(line func(string, ...any)) {
	proxy := "proxy." + s.Domain
	line("VirtualHost %s", quoteLua(s.Domain))
	line("disco_items = { { %s } }", strings.Join(quoteAll(s.MUC, s.PubSub, proxy), " }; { "))
	if s.MUC != "" {
		line("Component %s \"muc\"", quoteLua(s.MUC))
		line(`modules_enabled = { "muc_mam" }`)
		line("%s", s.options.ExtraMUC)
	}
	if s.PubSub != "" {
		line("Component %s \"pubsub\"", quoteLua(s.PubSub))
		if !s.options.Stock {
			line(`modules_enabled = { "pubsub_open_create" }; expose_publisher = true; pubsub_max_items = 10000`)
		}
		line("%s", s.options.ExtraPubSub)
	}
	line("Component %s \"proxy65\"", quoteLua(proxy))
	line(`proxy65_address = "127.0.0.1"`)
}

func quoteAll(names ...string) []string {
	var out []string
	for _, n := range names {
		if n != "" {
			out = append(out, quoteLua(n))
		}
	}
	return out
}

// quoteLua writes a Lua string; decimal escapes are safe for every byte.
func quoteLua(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			fmt.Fprintf(&b, "\\%03d", c)
		} else {
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
