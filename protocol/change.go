package protocol

import (
	"strconv"
	"strings"

	"ldapsync/changelog"
	"ldapsync/xmpp/element"
)

// Names within a change are bounded by the document alone.
const anySize = 16 << 20

// changeElement writes c in the given namespace: NS, or "" for a fragment of
// a document whose default namespace is NS already.
func changeElement(space string, c *changelog.Change) *element.Element {
	e := element.New(space, "change", "seq", decimal(c.Seq), "csn", c.CSN.String(),
		"op", c.Op.String())
	if !c.ID.IsZero() {
		e.SetAttr("id", c.ID.String())
	}
	setOctets(e, "dn", c.DN)
	if seen := c.Seen.String(); seen != "" {
		e.SetAttr("seen", seen)
	}
	switch c.Op {
	case changelog.OpAdd:
		setOctets(e, "rdn", c.RDN)
		if !c.Superior.IsZero() {
			e.SetAttr("superior", c.Superior.String())
		}
	case changelog.OpModDN:
		setOctets(e, "newrdn", c.RDN)
		if c.DeleteOldRDN {
			e.SetAttr("deleteoldrdn", "1")
		}
		if c.Moved {
			e.SetAttr("newsuperior", c.Superior.String())
		}
	case changelog.OpHeartbeat:
		setOctets(e, "jid", c.JID)
		setOctets(e, "install", c.Install)
		setIDs(e, "except", c.Except)
	case changelog.OpForget:
		e.SetAttr("peer", decimal(uint64(c.Peer)))
	case changelog.OpSettle:
		e.SetAttr("records", strings.Join(c.Records, " "))
	}
	if c.Undelete {
		e.SetAttr("undelete", "1")
	}
	for _, m := range c.Mods {
		e.With(modElement(space, m))
	}
	return e
}

func modElement(space string, m changelog.Mod) *element.Element {
	e := element.New(space, "mod", "op", m.Op.String())
	setOctets(e, "attr", m.Attr)
	for _, v := range m.Values {
		e.With(octetElement(space, "v", v))
	}
	return e
}

// parseChange reads what changeElement wrote and checks that a server can
// have made it.
func parseChange(e *element.Element) (changelog.Change, error) {
	r := open(e, "change")
	c := changelog.Change{
		Seq:  r.number("seq", 1<<64-1),
		CSN:  r.csn(r.attr("csn", 64)),
		DN:   r.octets("dn", anySize),
		Seen: r.seqs("seen"),
	}
	op, ok := changelog.ParseOp(r.attr("op", 16))
	if !ok {
		r.fail("unknown operation %.20q", e.Attr("op"))
	}
	c.Op = op
	if op.Alters() || op == changelog.OpSettle {
		c.ID = r.id("id")
	}
	switch op {
	case changelog.OpAdd:
		c.RDN = r.octets("rdn", anySize)
		c.Superior = r.superior()
	case changelog.OpModDN:
		c.RDN = r.octets("newrdn", anySize)
		c.DeleteOldRDN = r.flag("deleteoldrdn")
		if c.Moved = e.Attr("newsuperior") != ""; c.Moved {
			c.Superior = r.id("newsuperior")
		}
	case changelog.OpHeartbeat:
		c.JID = r.octets("jid", changelog.MaxJID)
		c.Install = r.octets("install", changelog.MaxInstall)
		c.Except = r.ids("except", changelog.MaxExcept)
	case changelog.OpForget:
		c.Peer = r.sid("peer")
	case changelog.OpSettle:
		c.Records = strings.Split(r.attr("records", changelog.MaxRecords*(changelog.MaxRecordID+1)), " ")
	}
	c.Undelete = r.flag("undelete")
	for _, m := range r.e.All(NS, "mod") {
		c.Mods = append(c.Mods, r.mod(m))
	}
	if err := r.finish("mod"); err != nil {
		return changelog.Change{}, err
	}
	if err := c.Check(); err != nil {
		return changelog.Change{}, malformed("%v", err)
	}
	return c, nil
}

// superior reads the parent of an added entry, absent for the suffix's own.
func (r *reader) superior() changelog.ID {
	if r.e.Attr("superior") == "" {
		return changelog.ID{}
	}
	id := r.id("superior")
	if id.IsZero() {
		r.fail("superior is no entry")
	}
	return id
}

func (r *reader) mod(e *element.Element) changelog.Mod {
	mr := open(e, "mod")
	op, ok := changelog.ParseModOp(mr.attr("op", 16))
	if !ok {
		mr.fail("unknown modification %.20q", e.Attr("op"))
	}
	m := changelog.Mod{Op: op, Attr: mr.octets("attr", anySize)}
	for _, v := range e.All(NS, "v") {
		value, err := parseValue(v)
		mr.adopt(err)
		m.Values = append(m.Values, value)
	}
	r.adopt(mr.finish("v"))
	return m
}

func parseValue(e *element.Element) (string, error) {
	r := open(e, "v")
	value := e.Text
	if r.flag("b64") {
		b, err := fromBase64(value)
		r.adopt(err)
		value = string(b)
	}
	return value, r.finish()
}

// seqs reads "2:40,3:7": ascending server numbers, sequence numbers above 0.
func (r *reader) seqs(name string) changelog.Seqs {
	text := r.attr(name, int(changelog.MaxSID)*len("4095:18446744073709551615,"))
	if text == "" {
		return nil
	}
	s := changelog.Seqs{}
	for pair := range strings.SplitSeq(text, ",") {
		sid, seq, _ := strings.Cut(pair, ":")
		n, _ := strconv.ParseUint(sid, 10, 16)
		m, _ := strconv.ParseUint(seq, 10, 64)
		if !changelog.SID(n).Valid() || m == 0 {
			r.fail("%s is not a list of server and sequence numbers", name)
			return nil
		}
		s[changelog.SID(n)] = m
	}
	if s.String() != text {
		r.fail("%s is not in canonical form", name)
	}
	return s
}
