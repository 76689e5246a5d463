package ldif

import (
	"errors"
	"fmt"
)

// check returns why rec cannot be written.
func check(rec *Record) error {
	switch rec.Change {
	case Content, Add, Delete, Modify, ModDN:
	default:
		return fmt.Errorf("unknown change %q", rec.Change)
	}
	if len(rec.Controls) > 0 && rec.Change == Content {
		return errors.New("controls without a change")
	}
	if len(rec.Attrs) > 0 && rec.Change != Content && rec.Change != Add {
		return fmt.Errorf("attributes in a %s", rec.Change)
	}
	if len(rec.Mods) > 0 && rec.Change != Modify {
		return errors.New("modifications without a modify")
	}
	if (rec.NewRDN != "" || rec.DeleteOldRDN || rec.NewSuperior != nil) && rec.Change != ModDN {
		return errors.New("a new name without a moddn")
	}
	for _, c := range rec.Controls {
		if !validOID(c.OID) {
			return fmt.Errorf("control %q is not an OID", c.OID)
		}
	}
	for _, a := range rec.Attrs {
		if err := checkAttribute(a); err != nil {
			return err
		}
	}
	for _, m := range rec.Mods {
		if err := checkMod(m); err != nil {
			return err
		}
	}
	return nil
}

func checkAttribute(a Attribute) error {
	if !validName(a.Name) || reserved[lower(a.Name)] {
		return fmt.Errorf("%q is not an attribute description", a.Name)
	}
	if len(a.Values) == 0 {
		return fmt.Errorf("attribute %s without values", a.Name)
	}
	return nil
}

func checkMod(m Mod) error {
	if !validName(m.Attr) {
		return fmt.Errorf("%q is not an attribute description", m.Attr)
	}
	switch m.Op {
	case ModDelete, ModReplace:
	case ModAdd, ModIncrement:
		if len(m.Values) == 0 {
			return fmt.Errorf("%s of %s without a value", m.Op, m.Attr)
		}
	default:
		return fmt.Errorf("unknown modification %q", m.Op)
	}
	return nil
}
