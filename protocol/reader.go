package protocol

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ldapsync/changelog"
	"ldapsync/xmpp/element"
)

// reader takes an element apart. The first fault sticks and is what finish
// returns; after a fault the values read are meaningless.
type reader struct {
	e    *element.Element
	read []string
	err  error
}

// open starts reading e, which must have this name.
func open(e *element.Element, local string) *reader {
	r := &reader{e: e}
	if !e.Is(NS, local) {
		r.e = element.New(NS, local)
		r.err = malformed("not a <%s>", local)
	}
	return r
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = malformed("<%s>: %s", r.e.Name.Local, fmt.Sprintf(format, args...))
	}
}

// adopt makes err, which is about a part of the element, the fault.
func (r *reader) adopt(err error) {
	if r.err == nil && err != nil {
		r.err = fmt.Errorf("<%s>: %w", r.e.Name.Local, err)
	}
}

// attr returns a plain attribute, "" where it is absent, of at most size octets.
func (r *reader) attr(name string, size int) string {
	r.read = append(r.read, name)
	v := r.e.Attr(name)
	if len(v) > size {
		r.fail("%s is longer than %d octets", name, size)
		return ""
	}
	return v
}

// octets reads what setOctets wrote.
func (r *reader) octets(name string, size int) string {
	plain, coded := r.attr(name, size), r.attr(name+b64Suffix, 2*size+4)
	if coded == "" {
		return plain
	}
	b, err := fromBase64(coded)
	if err != nil || plain != "" || len(b) > size || len(b) == 0 {
		r.fail("%s is not base64, too long or given twice", name)
	}
	return string(b)
}

// number returns a required decimal number without leading zeros.
func (r *reader) number(name string, largest uint64) uint64 {
	s := r.attr(name, 20)
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > largest || strconv.FormatUint(n, 10) != s {
		r.fail("%s is not a number in range", name)
	}
	return n
}

func (r *reader) sid(name string) changelog.SID {
	sid := changelog.SID(r.number(name, uint64(changelog.MaxSID)))
	if !sid.Valid() {
		r.fail("%s is not a server number", name)
	}
	return sid
}

func (r *reader) csn(text string) changelog.CSN {
	csn, err := changelog.ParseCSN(strings.TrimSpace(text))
	if err != nil {
		r.fail("%v", err)
	}
	return csn
}

func (r *reader) id(name string) changelog.ID {
	id, err := changelog.ParseID(r.attr(name, 36))
	if err != nil {
		r.fail("%s: %v", name, err)
	}
	return id
}

// ids returns up to most ids that stand between single spaces, nil where the
// attribute is absent.
func (r *reader) ids(name string, most int) (ids []changelog.ID) {
	text := r.attr(name, most*37)
	if text == "" {
		return nil
	}
	for word := range strings.SplitSeq(text, " ") {
		id, err := changelog.ParseID(word)
		if err != nil {
			r.fail("%s: %v", name, err)
		}
		ids = append(ids, id)
	}
	return ids
}

// flag returns a boolean that is true as "1" and false when absent.
func (r *reader) flag(name string) bool {
	v := r.attr(name, 1)
	if v != "" && v != "1" {
		r.fail("%s is neither absent nor 1", name)
	}
	return v != ""
}

// token returns a required word of lower-case letters, digits and hyphens.
func (r *reader) token(name string) string {
	v := r.attr(name, 32)
	other := func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' }
	if v == "" || strings.ContainsFunc(v, other) {
		r.fail("%s is not a word", name)
	}
	return v
}

// suffix returns the required suffix DN.
func (r *reader) suffix() string {
	s := r.octets("suffix", MaxSuffix)
	if s == "" {
		r.fail("no suffix")
	}
	return s
}

// finish refuses attributes that nobody read and text beside the children,
// so that no part of a payload is silently passed over, and returns the fault.
func (r *reader) finish(children ...string) error {
	for _, a := range r.e.Attrs {
		if a.Name.Space == "" && !slices.Contains(r.read, a.Name.Local) {
			r.fail("unknown attribute %.40q", a.Name.Local)
		}
	}
	for _, c := range r.e.Children {
		if c.Name.Space != NS || !slices.Contains(children, c.Name.Local) {
			r.fail("unknown element %.40q", c.Name.Local)
		}
	}
	if children != nil && strings.TrimSpace(r.e.Text) != "" {
		r.fail("text")
	}
	return r.err
}

func decimal[T ~uint64 | ~uint32 | ~int](n T) string { return fmt.Sprintf("%d", n) }

func flag(b bool) string {
	if b {
		return "1"
	}
	return ""
}
