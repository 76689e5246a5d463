package ldif

// parser makes a Record of the fields of one record.
type parser struct {
	*fields
	all  []field
	next int
	// at finds the attribute of a name in the record being made.
	at map[string]int
}

// record returns nil if there is no record in the fields.
func (p *parser) record() (*Record, error) {
	p.next = 0
	dn, err := p.dn()
	if dn == nil || err != nil {
		return nil, err
	}
	rec := &Record{Line: dn.line, DN: dn.value}
	if err := p.controls(rec); err != nil {
		return nil, err
	}
	if err := p.change(rec); err != nil {
		return nil, err
	}
	return rec, nil
}

// peek returns the next field, or nil at the end.
func (p *parser) peek() *field {
	if p.next == len(p.all) {
		return nil
	}
	return &p.all[p.next]
}

// take returns the next field if it is called key, and else nil.
func (p *parser) take(key string) *field {
	f := p.peek()
	if f == nil || f.name.key != key {
		return nil
	}
	p.next++
	return f
}

// lastLine is the line to name when something is missing at the end.
func (p *parser) lastLine() int { return p.all[len(p.all)-1].line }

// dn moves behind the dn: line and returns it, or nil if there is none.
func (p *parser) dn() (*field, error) {
	if v := p.take("version"); v != nil && v.value != "1" {
		if err := p.odd(v.line, "version %q is not 1", v.value); err != nil {
			return nil, err
		}
	}
	if f := p.take("include"); f != nil {
		return nil, wrong(f.line, "include: is not supported")
	}
	begin := p.next
	for f := p.peek(); f != nil; f = p.peek() {
		p.next++
		if f.name.key != "dn" {
			continue
		}
		if p.next-1 > begin {
			return f, p.odd(p.all[begin].line, "line before the dn: of the record")
		}
		return f, nil
	}
	if begin == len(p.all) {
		return nil, nil
	}
	return nil, p.odd(p.all[begin].line, "no dn: in the record; is an empty line before it?")
}

func (p *parser) controls(rec *Record) error {
	for f := p.take("control"); f != nil; f = p.take("control") {
		c, err := p.control(*f)
		if err != nil {
			return err
		}
		rec.Controls = append(rec.Controls, c)
	}
	return nil
}

func (p *parser) change(rec *Record) error {
	f := p.take("changetype")
	if f == nil {
		if len(rec.Controls) > 0 {
			rec.Change = Add // only a change has controls
		}
		return p.attributes(rec)
	}
	switch lower(f.value) {
	case "add":
		rec.Change = Add
		return p.attributes(rec)
	case "delete":
		rec.Change = Delete
		return p.end()
	case "modify":
		rec.Change = Modify
		return p.mods(rec)
	case "modrdn", "moddn", "rename":
		rec.Change = ModDN
		return p.modDN(rec)
	}
	return wrong(f.line, "unknown changetype %q", f.value)
}

// end refuses what follows the last line a change can have.
func (p *parser) end() error {
	if f := p.peek(); f != nil {
		return wrong(f.line, "line after the end of the change")
	}
	return nil
}

// attributes reads the rest of the record as an entry.
func (p *parser) attributes(rec *Record) error {
	clear(p.at)
	for f := p.peek(); f != nil; f = p.peek() {
		p.next++
		if err := p.attributeName(f); err != nil {
			return err
		}
		i, ok := p.at[f.name.key]
		if !ok {
			i = len(rec.Attrs)
			p.at[f.name.key] = i
			rec.Attrs = append(rec.Attrs, Attribute{Name: f.name.text})
		}
		rec.Attrs[i].Values = append(rec.Attrs[i].Values, f.value)
	}
	return nil
}

func (p *parser) attributeName(f *field) error {
	if f.dash {
		return wrong(f.line, "\"-\" in an entry")
	}
	if reserved[f.name.key] {
		return p.odd(f.line, "%s: in an entry; is an empty line missing before it?", f.name.text)
	}
	return p.description(f.line, f.name.text)
}

func (p *parser) description(line int, text string) error {
	if !validName(text) {
		return p.odd(line, "%q is not an attribute description", text)
	}
	return nil
}

// mods reads the rest of the record as modifications.
func (p *parser) mods(rec *Record) error {
	for f := p.peek(); f != nil; f = p.peek() {
		p.next++
		m, err := p.mod(f)
		if err != nil {
			return err
		}
		if len(m.Values) == 0 && (m.Op == ModAdd || m.Op == ModIncrement) {
			if err := p.odd(f.line, "%s of %s without a value", m.Op, m.Attr); err != nil {
				return err
			}
			continue
		}
		rec.Mods = append(rec.Mods, m)
	}
	return nil
}

// mod reads the modification that begins with f, up to the "-" that ends it;
// the last of a record may go without.
func (p *parser) mod(f *field) (Mod, error) {
	m := Mod{Op: ModOp(f.name.key), Attr: f.value}
	switch m.Op {
	case ModAdd, ModDelete, ModReplace, ModIncrement:
	default:
		return m, wrong(f.line, "expected add:, delete:, replace: or increment:")
	}
	if err := p.description(f.line, m.Attr); err != nil {
		return m, err
	}
	key := lower(m.Attr)
	for f := p.peek(); f != nil; f = p.peek() {
		p.next++
		if f.dash {
			break
		}
		if f.name.key != key {
			return m, wrong(f.line, "%s: in the modification of %s", f.name.text, m.Attr)
		}
		m.Values = append(m.Values, f.value)
	}
	return m, nil
}

func (p *parser) modDN(rec *Record) error {
	rdn := p.take("newrdn")
	if rdn == nil {
		return p.missing("newrdn")
	}
	rec.NewRDN = rdn.value
	old := p.take("deleteoldrdn")
	if old == nil {
		return p.missing("deleteoldrdn")
	}
	if old.value != "0" && old.value != "1" {
		if err := p.odd(old.line, "deleteoldrdn %q is neither 0 nor 1", old.value); err != nil {
			return err
		}
	}
	rec.DeleteOldRDN = old.value == "" || old.value[0] != '0'
	if sup := p.take("newsuperior"); sup != nil {
		dn := sup.value
		rec.NewSuperior = &dn
		if f := p.peek(); f != nil && p.lenient {
			p.next++
		}
	}
	return p.end()
}

func (p *parser) missing(what string) error {
	if f := p.peek(); f != nil {
		return wrong(f.line, "expected %s:", what)
	}
	return wrong(p.lastLine(), "expected %s: after this line", what)
}
