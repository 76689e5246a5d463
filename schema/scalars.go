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
// zeros of the fraction (RFC 4517 section 3.3.13).
func generalizedTime(v string) string {
	clock, fraction, zone, ok := cutTime(v)
	if !ok {
		return v
	}
	var unit time.Duration
	switch len(clock) {
	case len("2006010215"):
		clock, unit = clock+"0000", time.Hour
	case len("200601021504"):
		clock, unit = clock+"00", time.Minute
	case len("20060102150405"):
		unit = time.Second
	default:
		return v
	}
	leap := strings.HasSuffix(clock, "60")
	if leap {
		clock = clock[:len(clock)-2] + "59"
	}
	t, err := time.Parse("20060102150405", clock)
	if err != nil {
		return v
	}
	seconds, fraction, ok := scale(fraction, unit)
	if t = t.Add(seconds - zone); !ok || t.Year() < 0 || t.Year() > 9999 {
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

// scale turns a decimal fraction of unit into whole seconds and a decimal
// fraction of a second. Fractions of hours and minutes may have nine digits.
func scale(fraction string, unit time.Duration) (time.Duration, string, bool) {
	if unit == time.Second || fraction == "" {
		return 0, fraction, true
	}
	const digits = 9
	if len(fraction) > digits {
		return 0, "", false
	}
	padded := fraction + strings.Repeat("0", digits-len(fraction))
	n, err := strconv.ParseInt(padded, 10, 64)
	if err != nil {
		return 0, "", false
	}
	billionths := n * int64(unit/time.Second)
	rest := strconv.FormatInt(billionths%1e9+1e9, 10)[1:]
	return time.Duration(billionths/1e9) * time.Second, strings.TrimRight(rest, "0"), true
}
