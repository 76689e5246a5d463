package config

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// EnvPrefix starts the name of every variable that is a setting: the key
// xmpp.tls.ca_file is LDAPSYNC_XMPP_TLS_CA_FILE.
const EnvPrefix = "LDAPSYNC_"

// EnvPath is the variable that names the settings file; it is not a setting.
const EnvPath = EnvPrefix + "CONFIG"

// readEnv overrides the scalars outside lists that env sets.
func (l *loader) readEnv(cfg *Config) {
	known := envFields(reflect.ValueOf(cfg).Elem(), "")
	for _, name := range slices.Sorted(maps.Keys(l.env)) {
		if !strings.HasPrefix(name, EnvPrefix) || name == EnvPath {
			continue
		}
		at := place{file: name}
		l.rank[name] = len(l.rank)
		setting, ok := known[name]
		if !ok {
			l.broken = true
			l.report(at, "", "unknown variable", suggestEnv(name, known))
			continue
		}
		if err := setScalar(setting.value, l.env[name]); err != nil {
			l.broken = true
			l.report(at, setting.key, err.Error(), "")
			continue
		}
		l.places[setting.key] = at
	}
}

func suggestEnv(name string, known map[string]envField) string {
	if s := suggest(name, slices.Sorted(maps.Keys(known))); strings.HasPrefix(s, "did") {
		return s
	}
	return "names that start with " + EnvPrefix + " are settings: the key xmpp.jid is " + EnvPrefix + "XMPP_JID"
}

type envField struct {
	key   string
	value reflect.Value
}

// envFields returns the scalars outside lists by the name of their variable.
func envFields(v reflect.Value, key string) map[string]envField {
	out := map[string]envField{}
	for name, f := range fields(v) {
		path := joinKey(key, name)
		switch {
		case isScalar(f.Type()):
			out[EnvPrefix+strings.ToUpper(strings.ReplaceAll(path, ".", "_"))] = envField{path, f}
		case f.Kind() == reflect.Struct:
			maps.Copy(out, envFields(f, path))
		}
	}
	return out
}
