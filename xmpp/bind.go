package xmpp

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"

	"mellium.im/xmlstream"
	mellium "mellium.im/xmpp"
	"mellium.im/xmpp/jid"

	"ldapsync/xmpp/element"
)

const (
	nsClient = "jabber:client"
	nsBind   = "urn:ietf:params:xml:ns:xmpp-bind"
)

// bind asks for the configured resource (RFC 6120 section 7). mellium's own
// feature always asks for an empty one.
func (l *login) bind() mellium.StreamFeature {
	return mellium.StreamFeature{
		Name:       xml.Name{Space: nsBind, Local: "bind"},
		Necessary:  mellium.Secure | mellium.Authn,
		Prohibited: mellium.Ready,
		List: func(context.Context, xmlstream.TokenWriter, xml.StartElement) (bool, error) {
			return true, nil
		},
		Parse: func(_ context.Context, d *xml.Decoder, _ *xml.StartElement) (bool, any, error) {
			return true, nil, d.Skip()
		},
		Negotiate: func(_ context.Context, s *mellium.Session, _ any) (mellium.SessionState, io.ReadWriter, error) {
			bound, err := l.askResource(s)
			if err != nil {
				return 0, nil, fmt.Errorf("bind resource: %w", err)
			}
			l.bound = bound
			return mellium.Ready, nil, nil
		},
	}
}

func (l *login) askResource(s *mellium.Session) (jid.JID, error) {
	request := element.New(nsClient, "iq", "type", "set", "id", "bind").With(
		element.New(nsBind, "bind").With(element.New(nsBind, "resource").WithText(l.cfg.Resource)))
	if _, err := s.Conn().Write(request.Bytes()); err != nil {
		return jid.JID{}, err
	}
	r := s.TokenReader()
	defer r.Close()
	for {
		tok, err := r.Token()
		if err != nil {
			return jid.JID{}, err
		}
		start, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		reply, err := element.Decode(r, start.Copy(), element.StanzaLimits)
		if err != nil {
			return jid.JID{}, err
		}
		if !reply.Is(nsClient, "iq") || reply.Attr("id") != "bind" {
			continue
		}
		return boundAddress(reply)
	}
}

func boundAddress(reply *element.Element) (jid.JID, error) {
	if reply.Attr("type") != "result" {
		err := stanzaError(reply)
		if err.Condition == "conflict" {
			return jid.JID{}, &FatalError{ErrConflict, err}
		}
		return jid.JID{}, err
	}
	address := reply.Child(nsBind, "bind").Child(nsBind, "jid")
	if address == nil {
		return jid.JID{}, fmt.Errorf("no address in %.200s", reply)
	}
	return jid.Parse(address.Text)
}
