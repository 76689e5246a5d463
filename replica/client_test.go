package replica_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ldapsync/changelog"
	"ldapsync/store"
)

// page is a listener that hears of the changes of one entry, and what they are
// expected to say of their clients.
type page struct {
	*listener
	seq  map[changelog.SID]uint64
	want []string
}

var paged = changelog.ID{7}

func newPage(t *testing.T) *page {
	return &page{listener: newListener(t), seq: map[changelog.SID]uint64{}}
}

// by lets a server, which has seen so much, make a change of which by is said.
func (p *page) by(by string, sid changelog.SID, seen changelog.Seqs, c changelog.Change) {
	p.t.Helper()
	p.seq[sid]++
	c.ID, c.Seen = paged, seen
	p.hear(sid, p.seq[sid], c)
	if c.Op == changelog.OpModify && notable(c) == 0 {
		return
	}
	p.want = append(p.want, by)
}

// notable counts the modifications that are told of.
func notable(c changelog.Change) (n int) {
	for _, m := range c.Mods {
		if m.Attr != "modifiersName" && m.Attr != "modifyTimestamp" {
			n++
		}
	}
	return n
}

// stamps are what a directory notes: the name, unless it is "", and the present second.
func (p *page) stamps(name string) []changelog.Mod {
	mods := []changelog.Mod{replace("modifyTimestamp", p.now.UTC().Format("20060102150405Z"))}
	if name != "" {
		mods = append(mods, replace("modifiersName", name))
	}
	return mods
}

// add lets server 2 add the entry, as cn=admin, a second ago.
func (p *page) add() {
	p.t.Helper()
	var mods []changelog.Mod
	for _, m := range append(p.stamps("cn=admin"), replace("objectClass", "person"), replace("cn", "x"), replace("sn", "x")) {
		m.Op = changelog.ModAdd
		mods = append(mods, m)
	}
	p.by("cn=admin", 2, nil, changelog.Change{Op: changelog.OpAdd, RDN: "cn=x", DN: "cn=x," + suffix, Superior: changelog.ID{1}, Mods: mods})
	p.now = p.now.Add(time.Second)
}

func modified(stamps ...changelog.Mod) changelog.Change {
	return changelog.Change{Op: changelog.OpModify, Mods: append(stamps, replace("description", "d"))}
}

// tells fails unless the history names the clients as expected.
func (p *page) tells() {
	p.t.Helper()
	told, err := p.History(paged.String(), false, 0, "")
	var got []string
	for _, h := range told.Changes {
		got = append(got, h.By)
	}
	if d := cmp.Diff(p.want, got); err != nil || d != "" {
		p.t.Errorf("the clients are %v %s", err, d)
	}
}

// later lets a moment of the same second pass.
func (p *page) later() { p.now = p.now.Add(time.Millisecond) }

// TestClientsOfOneSecond promises that changes which a client makes within one second,
// which its directory does not note anew, are its own.
func TestClientsOfOneSecond(t *testing.T) {
	p := newPage(t)
	p.add()
	p.by("uid=editor", 2, nil, modified(p.stamps("uid=editor")...))
	for range 2 {
		p.later()
		p.by("uid=editor", 2, nil, modified())
	}
	p.later()
	p.by("uid=other", 2, nil, modified(replace("modifiersName", "uid=other")))
	p.later()
	p.by("uid=other", 2, nil, modified())
	p.now = p.now.Add(time.Second)
	p.by("uid=other", 2, nil, modified(p.stamps("")...))
	p.later()
	p.by("", 2, nil, changelog.Change{Op: changelog.OpDelete})
	p.later()
	back := changelog.Change{Op: changelog.OpModDN, RDN: "cn=y", Undelete: true}
	p.by("", 2, nil, back) // a command's, and the next, too
	p.now = p.now.Add(time.Second)
	p.by("", 2, nil, modified())
	p.tells()
}

// TestClientsThatServersKnewOf promises that a name which a change does not mention is
// the last that its author had heard of, not the last that there was.
func TestClientsThatServersKnewOf(t *testing.T) {
	p := newPage(t)
	p.add()
	p.by("uid=editor", 2, nil, modified(p.stamps("uid=editor")...))
	p.by("cn=admin", 3, changelog.Seqs{2: 1}, modified(p.stamps("")...))
	p.later()
	p.by("uid=editor", 2, nil, modified())
	p.by("cn=admin", 3, changelog.Seqs{2: 1}, modified())
	p.now = p.now.Add(time.Second)
	p.by("uid=editor", 3, changelog.Seqs{2: 3}, modified(p.stamps("")...))
	p.tells()
}

// TestClientsOfRenames promises that a rename has the client that the change behind it
// names, which only says so.
func TestClientsOfRenames(t *testing.T) {
	p := newPage(t)
	p.add()
	rename := changelog.Change{Op: changelog.OpModDN, RDN: "cn=y"}
	second := func(by string, mods ...changelog.Mod) { // made of the same report
		p.seq[2]++
		c := changelog.Change{Op: changelog.OpModify, ID: paged, Mods: mods, Seq: p.seq[2], CSN: changelog.CSN{Time: p.now.UnixMicro(), Count: 1, SID: 2}}
		p.receive(c)
		if notable(c) > 0 {
			p.want = append(p.want, by)
		}
	}
	p.by("uid=editor", 2, nil, rename)
	second("", p.stamps("uid=editor")...)
	p.later()
	p.by("uid=editor", 2, nil, rename) // in one second with the last
	p.later()
	p.by("uid=other", 2, nil, modified(replace("modifiersName", "uid=other")))
	p.now = p.now.Add(time.Second)
	p.by("uid=other", 2, nil, rename)
	second("", p.stamps("")...)
	p.now = p.now.Add(time.Second)
	p.by("", 2, nil, rename) // by whom is not known of two who came before the directory was read
	second("uid=editor", append(p.stamps("uid=editor"), replace("description", "e"))...)
	p.now = p.now.Add(time.Second)
	p.by("", 2, nil, rename) // a command's
	p.tells()
}

// TestClientsBeyondTheLog promises that a name which was noted before the log begins is
// still told of where it has stayed, and is not guessed where it may have been another.
func TestClientsBeyondTheLog(t *testing.T) {
	p := newPage(t)
	p.add()
	p.by("uid=editor", 2, nil, modified(p.stamps("uid=editor")...))
	trim := func(sid changelog.SID, seq uint64) {
		t.Helper()
		err := p.store.Update(func(tx *store.Tx) error {
			_, err := tx.Log.Trim(sid, seq, 100)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	p.now = p.now.Add(time.Second)
	p.by("uid=editor", 2, nil, modified(p.stamps("")...))
	p.by("", 3, changelog.Seqs{2: 1}, modified(p.stamps("")...)) // who knew the other only
	p.later()
	p.by("uid=editor", 2, nil, modified())
	trim(2, 2)
	p.want = p.want[2:]
	p.tells()

	p.now = p.now.Add(time.Second)
	p.by("uid=other", 3, changelog.Seqs{2: 4}, modified(p.stamps("uid=other")...))
	p.want[0], p.want[2] = "", "" // the name that had stayed is not there any more
	p.tells()
	p.now = p.now.Add(time.Second)
	p.by("", 2, nil, modified(p.stamps("")...)) // has not heard of it
	p.tells()
}
