package schema

import (
	"strconv"
	"strings"
	"time"
)

// integer drops leading zeros and the sign of zero.
func integer(v string) string {
	digits, negative := strings.CutPrefix(v, "-")
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return v
	}
	digits = strings.TrimLeft(digits, "0")
	switch {
	case digits == "":
		return "0"
	case negative:
		return "-" + digits
	}
	return digits
}

// numericString drops the spaces (RFC 4518 section 2.6.2).
func numericString(v string) string {
	if strings.Trim(v, "0123456789 ") != "" {
		return v
	}
	return strings.ReplaceAll(v, " ", "")
}

// telephoneNumber drops spaces and hyphens (RFC 4518 section 2.6.3). Letters
// keep their case, as in OpenLDAP.
func telephoneNumber(v string) string {
	if ascii, _ := inspect(v, keepCase); !ascii {
		return v
	}
	return strings.ReplaceAll(strings.ReplaceAll(v, " ", ""), "-", "")
}

func boolean(v string) string {
	switch {
	case strings.EqualFold(v, "TRUE"):
		return "TRUE"
	case strings.EqualFold(v, "FALSE"):
		return "FALSE"
	}
	return v
}

// uuid puts the digits into lower case (RFC 4530 section 2.1).
func uuid(v string) string {
	const pattern = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
	if !fits(v, pattern) {
		return v
	}
	return lowerASCII(v)
}

// csn puts the hexadecimal digits of YYYYmmddHHMMSS.uuuuuuZ#count#sid#mod into
// lower case.
func csn(v string) string {
	const pattern = "xxxxxxxxxxxxxx.xxxxxxZ#xxxxxx#xxx#xxxxxx"
	if !fits(v, pattern) {
		return v
	}
	clock := strings.IndexByte(v, 'Z') + 1
	return v[:clock] + lowerASCII(v[clock:])
}

// fits reports whether v has a hexadecimal digit wherever pattern has an x and
// is the same elsewhere.
func fits(v, pattern string) bool {
	if len(v) != len(pattern) {
		return false
	}
	for i := range len(v) {
		c, want := v[i], pattern[i]
		hex := '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
		if want == 'x' && !hex || want != 'x' && c != want {
			return false
		}
	}
	return true
}

// generalizedTime returns the instant in UTC with seconds, without trailing
// zeros of the fraction (RFC 4517 section 3.3.13). Fractions of hours and
// minutes, which OpenLDAP takes for fractions of a second, match only
// themselves.
func generalizedTime(v string) string {
	if isPlainTime(v) {
		return v
	}
	clock, fraction, zone, ok := cutTime(v)
	if !ok {
		return v
	}
	if len(clock) != len("20060102150405") && fraction != "" {
		return v
	}
	switch len(clock) {
	case len("2006010215"):
		clock += "0000"
	case len("200601021504"):
		clock += "00"
	}
	leap := strings.HasSuffix(clock, "60")
	if leap {
		clock = clock[:len(clock)-2] + "59"
	}
	t, err := time.Parse("20060102150405", clock)
	if err != nil {
		return v
	}
	if t = t.Add(-zone); t.Year() < 0 || t.Year() > 9999 {
		return v
	}
	form := t.Format("20060102150405")
	if leap {
		form = form[:len(form)-2] + "60"
	}
	if fraction != "" {
		form += "." + fraction
	}
	return form + "Z"
}

// isPlainTime reports whether v is a time of the usual form, in UTC with seconds,
// in the first 28 days of a month: it is its own normal form.
func isPlainTime(v string) bool {
	if len(v) != len("20060102150405Z") || v[len(v)-1] != 'Z' {
		return false
	}
	for i := range len(v) - 1 {
		if v[i] < '0' || v[i] > '9' {
			return false
		}
	}
	month, day := v[4:6], v[6:8]
	return "01" <= month && month <= "12" && "01" <= day && day <= "28" && v[8:10] <= "23" && v[10:12] <= "59" && v[12:14] <= "59"
}

// cutTime splits v into the digits of the clock, those after the decimal sign
// and the distance from UTC.
func cutTime(v string) (clock, fraction string, zone time.Duration, ok bool) {
	end := strings.IndexAny(v, "Z+-")
	if end < 0 {
		return "", "", 0, false
	}
	clock = v[:end]
	if point := strings.IndexAny(clock, ".,"); point >= 0 {
		clock, fraction = clock[:point], clock[point+1:]
		if fraction == "" {
			return "", "", 0, false
		}
	}
	if strings.Trim(clock, "0123456789") != "" || strings.Trim(fraction, "0123456789") != "" {
		return "", "", 0, false
	}
	zone, ok = parseZone(v[end:])
	return clock, strings.TrimRight(fraction, "0"), zone, ok
}

// parseZone reads Z, +hh, -hh, +hhmm or -hhmm.
func parseZone(v string) (time.Duration, bool) {
	if v == "Z" {
		return 0, true
	}
	digits := v[1:]
	if len(digits) == 2 {
		digits += "00"
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	if v[0] == 'Z' || err != nil || len(digits) != 4 || n/100 > 23 || n%100 > 59 {
		return 0, false
	}
	zone := time.Duration(n/100)*time.Hour + time.Duration(n%100)*time.Minute
	if v[0] == '-' {
		zone = -zone
	}
	return zone, true
}
