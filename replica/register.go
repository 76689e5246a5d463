package replica

import (
	"slices"
	"sort"

	"ldapsync/changelog"
)

// register is what an attribute of an entry that has one value was set to, as far as
// the log tells, and what it is now.
type register struct {
	now setting
	// by are the newest settings of each server, in their order.
	by map[changelog.SID][]setting
	// since is the time since which none is missing there.
	since changelog.CSN
}

// setting is a value and the change that set it.
type setting struct {
	changelog.Mark
	value string
}

// maxSettings is how many settings of one server are kept, at least.
const maxSettings = 1000

func newRegister(since changelog.CSN) register {
	return register{by: map[changelog.SID][]setting{}, since: since}
}

// set takes notice that a change has set the attribute.
func (r *register) set(c *changelog.Change, value string) {
	list := append(r.by[c.SID()], setting{changelog.Mark{Seq: c.Seq, CSN: c.CSN}, value})
	if len(list) > 2*maxSettings {
		list = slices.Delete(list, 0, maxSettings)
		if r.since.Before(list[0].CSN) {
			r.since = list[0].CSN
		}
	}
	r.by[c.SID()] = list
}

// before returns what the attribute was in the directory of the author of a change when
// that made it: the newest it had seen. It returns "" and false where it may have seen
// a newer one of which nothing is left.
func (r *register) before(c *changelog.Change) (value string, certain bool) {
	var newest setting
	if knew(c, r.now.Mark) {
		newest, certain = r.now, true
	}
	for _, list := range r.by {
		n := sort.Search(len(list), func(i int) bool { return !knew(c, list[i].Mark) })
		if n > 0 && newest.CSN.Before(list[n-1].CSN) {
			newest = list[n-1]
			certain = !newest.CSN.Before(r.since)
		}
	}
	if !certain {
		return "", false
	}
	return newest.value, true
}

// knew reports whether the author of c had another change when it made it.
func knew(c *changelog.Change, of changelog.Mark) bool {
	if of.CSN.SID == c.SID() {
		return of.Seq < c.Seq
	}
	return of.Seq > 0 && c.Seen.Covers(of.CSN.SID, of.Seq)
}
