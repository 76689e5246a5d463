package openldap

import (
	"bufio"
	"fmt"
	"net"

	"ldapsync/changelog"
	"ldapsync/directory/ber"
)

// Protocol operations of a search (RFC 4511 section 4.5).
const (
	searchRequest    = ber.Application | ber.Constructed | 3
	searchEntry      = ber.Application | ber.Constructed | 4
	searchDone       = ber.Application | ber.Constructed | 5
	searchReference  = ber.Application | ber.Constructed | 19
	intermediate     = ber.Application | ber.Constructed | 25
	responseControls = ber.Context | ber.Constructed

	oidSyncState = "1.3.6.1.4.1.4203.1.9.1.2"
	oidSyncInfo  = "1.3.6.1.4.1.4203.1.9.1.4"
)

// syncState is a Sync State's state (RFC 4533 section 2.3).
type syncState uint8

const (
	statePresent syncState = iota
	stateAdd
	stateModify
	stateDelete
)

// syncMessage is one message of a content synchronisation: exactly one of
// entry, set, end and newCookie, or nothing where the message does not matter.
type syncMessage struct {
	entry *syncEntry
	set   *syncIDSet
	// end closes a phase of the refresh.
	end *syncPhaseEnd
	// cookie is what came with any of them.
	cookie []byte
}

// syncEntry is an entry with its state; a deleted one has no attributes.
type syncEntry struct {
	state syncState
	id    changelog.ID
	dn    string
	attrs []syncAttribute
}

type syncAttribute struct {
	name   string
	values []string
}

// syncIDSet lists entries that are present, or deleted.
type syncIDSet struct {
	deletes bool
	ids     []changelog.ID
}

// syncPhaseEnd is a refreshPresent, or refreshDelete when deletes is set; done
// says that the refresh is over.
type syncPhaseEnd struct{ deletes, done bool }

// stream reads the messages of one search.
type stream struct {
	r   *bufio.Reader
	buf []byte
}

func newStream(conn net.Conn) *stream { return &stream{r: bufio.NewReaderSize(conn, 64<<10)} }

// next returns the contents of the next message.
func (s *stream) next() (string, error) {
	body, err := ber.ReadMessage(s.r, s.buf[:0], maxMessage)
	if err != nil {
		return "", err
	}
	if cap(body) <= 1<<20 { // a large one is not kept for the small ones
		s.buf = body
	}
	return string(body), nil
}

// parseSyncMessage reads the contents of an LDAPMessage. The result of the search
// is an error, a successful one too: a persistent search has none. What it
// returns shares memory with contents.
func parseSyncMessage(contents string) (*syncMessage, error) {
	c := ber.NewCursor(contents)
	c.Int(ber.Integer)
	op, body := c.Any()
	if c.Err() != nil {
		return nil, c.Err()
	}
	m := &syncMessage{}
	b := ber.NewCursor(body)
	switch op {
	case searchEntry:
		return m, m.readEntry(b, c)
	case intermediate:
		return m, m.readIntermediate(b)
	case searchReference:
		return m, nil
	case searchDone, extendedResponse: // the latter is a notice of disconnection
		if err := readResult(b); err != nil {
			return nil, err
		}
		return nil, errEnded
	}
	return nil, fmt.Errorf("%w: unexpected response %#x", ber.ErrMalformed, op)
}

// readEntry reads a SearchResultEntry and the message's controls.
func (m *syncMessage) readEntry(b, message *ber.Cursor) (err error) {
	if m.entry, err = parseEntry(b); err != nil {
		return err
	}
	return m.readState(message)
}

// parseEntry reads a SearchResultEntry (RFC 4511 section 4.5.2).
func parseEntry(b *ber.Cursor) (*syncEntry, error) {
	e := &syncEntry{dn: b.Bytes(ber.OctetString)}
	attrs := b.Enter(ber.Sequence)
	for attrs.More() {
		a := attrs.Enter(ber.Sequence)
		attr := syncAttribute{name: a.Bytes(ber.OctetString)}
		values := a.Enter(ber.Set)
		for values.More() {
			attr.values = append(attr.values, values.Bytes(ber.OctetString))
		}
		if err := first(values, a); err != nil {
			return nil, err
		}
		e.attrs = append(e.attrs, attr)
	}
	return e, first(attrs, b)
}

// readState reads the Sync State control: SEQUENCE { state ENUMERATED,
// entryUUID OCTET STRING, cookie OCTET STRING OPTIONAL }.
func (m *syncMessage) readState(message *ber.Cursor) error {
	controls := message.Enter(responseControls)
	for controls.More() {
		c := controls.Enter(ber.Sequence)
		oid := c.Bytes(ber.OctetString)
		c.Bool(false)
		if oid != oidSyncState {
			continue
		}
		v := ber.NewCursor(c.Bytes(ber.OctetString)).Enter(ber.Sequence)
		m.entry.state = syncState(v.Int(ber.Enumerated))
		id := v.Bytes(ber.OctetString)
		m.readCookie(v)
		if err := first(v, c); err != nil {
			return err
		}
		return wrap(m.entry.dn, readID(&m.entry.id, id))
	}
	if controls.Err() != nil {
		return controls.Err()
	}
	return fmt.Errorf("%w: entry without its state", ber.ErrMalformed)
}

func readID(id *changelog.ID, octets string) error {
	if len(octets) != len(id) {
		return fmt.Errorf("%w: entryUUID of %d octets", ber.ErrMalformed, len(octets))
	}
	copy(id[:], octets)
	return nil
}

func (m *syncMessage) readCookie(c *ber.Cursor) {
	if c.Is(ber.OctetString) {
		m.cookie = []byte(c.Bytes(ber.OctetString))
	}
}

// readIntermediate reads a Sync Info message (RFC 4533 section 2.5), and lets
// others be.
func (m *syncMessage) readIntermediate(b *ber.Cursor) error {
	if !b.Is(ber.Context) || b.Bytes(ber.Context) != oidSyncInfo {
		return b.Err()
	}
	info := ber.NewCursor(b.Bytes(ber.Context | 1))
	tag, body := info.Any()
	if err := first(info, b); err != nil {
		return err
	}
	c := ber.NewCursor(body)
	switch tag {
	case ber.Context:
		m.cookie = []byte(body)
	case ber.Context | ber.Constructed | 1, ber.Context | ber.Constructed | 2:
		m.readCookie(c)
		m.end = &syncPhaseEnd{deletes: tag&0x1f == 1, done: c.Bool(true)}
	case ber.Context | ber.Constructed | 3:
		m.readCookie(c)
		return m.readSet(c)
	default:
		return fmt.Errorf("%w: unknown sync info %#x", ber.ErrMalformed, tag)
	}
	return c.Err()
}

func (m *syncMessage) readSet(c *ber.Cursor) error {
	set := &syncIDSet{deletes: c.Bool(false)}
	ids := c.Enter(ber.Set)
	for ids.More() {
		var id changelog.ID
		octets := ids.Bytes(ber.OctetString)
		if ids.Err() != nil {
			break
		}
		if err := readID(&id, octets); err != nil {
			return err
		}
		set.ids = append(set.ids, id)
	}
	m.set = set
	return first(ids, c)
}

// first returns the first error of the cursors.
func first(cursors ...*ber.Cursor) error {
	for _, c := range cursors {
		if c.Err() != nil {
			return c.Err()
		}
	}
	return nil
}
