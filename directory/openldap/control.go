package openldap

import (
	asn1 "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"ldapsync/changelog"
	"ldapsync/directory/ber"
)

// OIDs of controls and extended operations.
const (
	oidManageDsaIT = "2.16.840.1.113730.3.4.2"   // RFC 3296
	oidRelax       = "1.3.6.1.4.1.4203.666.5.12" // draft-zeilenga-ldap-relax
	oidPostRead    = "1.3.6.1.1.13.2"            // RFC 4527
	oidAssert      = "1.3.6.1.1.12"              // RFC 4528
	oidSync        = "1.3.6.1.4.1.4203.1.9.1.1"  // RFC 4533
)

// control is a request control, critical unless it is optional. Unlike go-ldap's
// it tells an empty value from none.
type control struct {
	oid      string
	value    string
	hasValue bool
	optional bool
}

var (
	manageDsaIT = control{oid: oidManageDsaIT}
	relax       = control{oid: oidRelax}
	// postReadCSN asks for the entryCSN that a write gave its entry. Who may not
	// read that gets none.
	postReadCSN = control{oidPostRead, string(ber.Element(ber.Sequence, ber.String(ber.OctetString, attrCSN))), true, true}
)

// ifCSN makes a write depend on the entry's entryCSN: an equalityMatch filter
// (RFC 4511 section 4.5.1).
func ifCSN(csn changelog.CSN) control {
	return control{oid: oidAssert, value: equality(attrCSN, csn.String()), hasValue: true}
}

func equality(attr, value string) string {
	return string(ber.Element(ber.Context|ber.Constructed|3,
		ber.String(ber.OctetString, attr), ber.String(ber.OctetString, value)))
}

// GetControlType implements ldap.Control.
func (c control) GetControlType() string { return c.oid }

// String implements ldap.Control.
func (c control) String() string { return c.oid }

// Encode implements ldap.Control.
func (c control) Encode() *asn1.Packet { return asn1.DecodePacket(c.bytes()) }

func (c control) bytes() []byte {
	var value []byte
	if c.hasValue {
		value = ber.String(ber.OctetString, c.value)
	}
	return ber.Element(ber.Sequence, ber.String(ber.OctetString, c.oid), ber.Bool(!c.optional), value)
}

var _ ldap.Control = control{}
