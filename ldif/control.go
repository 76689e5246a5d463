package ldif

import "strings"

// blank is what C calls space.
const blank = " \t\n\v\f\r"

// control parses the value of a control: line, an OID, the criticality and a
// value-spec, of which the last two are optional.
func (p *fields) control(f field) (Control, error) {
	end := strings.IndexAny(f.value, blank+":")
	if end < 0 {
		end = len(f.value)
	}
	c := Control{OID: f.value[:end]}
	if !validOID(c.OID) {
		return Control{}, wrong(f.line, "control: %q is not an OID", c.OID)
	}
	rest := strings.TrimLeft(f.value[end:], blank)
	c.Critical, rest = criticality(rest)
	rest = strings.TrimLeft(rest, blank)
	if rest == "" {
		return c, nil
	}
	if rest[0] != ':' {
		return Control{}, wrong(f.line, "control: neither true, false nor a value after the OID")
	}
	value, err := p.value([]byte(rest[1:]), f.line)
	if err != nil {
		return Control{}, err
	}
	c.Value = &value
	return c, nil
}

func criticality(s string) (critical bool, rest string) {
	for _, word := range []string{"true", "false"} {
		if len(s) >= len(word) && lower(s[:len(word)]) == word {
			return word == "true", s[len(word):]
		}
	}
	return false, s
}
