package xmpp_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"mellium.im/xmpp/jid"

	"ldapsync/xmpp"
	"ldapsync/xmpp/element"
)

// peer is the server's end of an attached client.
type peer struct {
	net.Conn
	*xmpp.Client
	served chan error
}

func attach(t testing.TB) *peer {
	ours, theirs := net.Pipe()
	p := &peer{Conn: theirs, Client: xmpp.New(xmpp.Config{JID: jid.MustParse("ann@xmpp.test")}), served: make(chan error, 1)}
	go func() {
		p.served <- xmpp.Attach(context.Background(), p.Client, ours, jid.MustParse("ann@xmpp.test/ldapsync"))
	}()
	for !p.Online() {
		runtime.Gosched()
	}
	t.Cleanup(func() { theirs.Close() })
	return p
}

var idOf = regexp.MustCompile(` id='([A-Z0-9]+)'`)

// request makes the client ask bob, and returns the request's id.
func (p *peer) request(t testing.TB, to string) (id string, wait func() (*element.Element, error)) {
	t.Helper()
	pending := make(chan *xmpp.Pending, 1)
	go func() {
		r, err := p.Request(context.Background(), jid.MustParse(to), "get", element.New("urn:test", "q"))
		if err != nil {
			t.Error(err)
		}
		pending <- r
	}()
	line, err := bufio.NewReader(p.Conn).ReadString('>')
	if err != nil {
		t.Fatal(err)
	}
	r := <-pending
	return idOf.FindStringSubmatch(line)[1], func() (*element.Element, error) { return r.Wait(deadline(t)) }
}

func (p *peer) say(t testing.TB, format string, args ...any) {
	t.Helper()
	if _, err := fmt.Fprintf(p.Conn, format, args...); err != nil {
		t.Fatal(err)
	}
}

func TestOnlyTheOneAskedMayAnswer(t *testing.T) {
	for name, tc := range map[string]struct{ to, wrong, right string }{
		"somebody else":   {"bob@xmpp.test/x", "mallory@xmpp.test/x", "bob@xmpp.test/x"},
		"the bare one":    {"bob@xmpp.test/x", "bob@xmpp.test", "BOB@xmpp.test/x"},
		"another server":  {"rooms.xmpp.test", "xmpp.test", "rooms.xmpp.test"},
		"for our account": {"ann@xmpp.test", "rooms.xmpp.test", "ann@xmpp.test"},
		"own resource":    {"ann@xmpp.test", "ann@xmpp.test/other", "ann@xmpp.test/ldapsync"},
		"not an address":  {"xmpp.test", "@@", "xmpp.test"},
	} {
		t.Run(name, func(t *testing.T) {
			p := attach(t)
			id, wait := p.request(t, tc.to)
			p.say(t, "<iq type='result' id='%s' from='%s'><wrong xmlns='urn:test'/></iq>", id, tc.wrong)
			p.say(t, "<iq type='result' id='%s' from='%s'><right xmlns='urn:test'/></iq>", id, tc.right)
			reply, err := wait()
			if err != nil || reply.Child("urn:test", "right") == nil {
				t.Errorf("%v, %v", reply, err)
			}
		})
	}
}

func TestOwnAccountMayAnswerWithoutSender(t *testing.T) {
	p := attach(t)
	id, wait := p.request(t, "ann@xmpp.test")
	p.say(t, "<iq type='result' id='%s'/>", id)
	if _, err := wait(); err != nil {
		t.Error(err)
	}
}

func TestStanzaBeyondTheLimitsIsSkipped(t *testing.T) {
	for name, content := range map[string]string{
		"deep": strings.Repeat("<a>", 500) + strings.Repeat("</a>", 500),
		"wide": strings.Repeat("<a/>", 60_000),
		"long": strings.Repeat("x", 2<<20),
	} {
		t.Run(name, func(t *testing.T) {
			p := attach(t)
			id, wait := p.request(t, "xmpp.test")
			p.say(t, "<message>%s</message>", content)
			p.say(t, "<iq type='result' id='%s'/>", id)
			if _, err := wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestBrokenStreamsEndTheSession(t *testing.T) {
	for name, tc := range map[string]struct{ input, want string }{
		"not well-formed":  {"<message><a></b></message>", "read"},
		"unknown entity":   {"<message>&evil;</message>", "read"},
		"flood":            {"<message>" + strings.Repeat("x", xmpp.StanzaAllowance), "too much data"},
		"attribute flood":  {"<message a='" + strings.Repeat("x", xmpp.StanzaAllowance), "too much data"},
		"white space only": {strings.Repeat(" ", xmpp.StanzaAllowance+1), "too much data"},
		"closed":           {"</stream:stream>", "closed"},
		"half a stanza":    {"<message", "read"},
		"stream error":     {"<stream:error><system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>", "system-shutdown"},
		"restart":          {"<stream:stream>", "unexpected"},
	} {
		t.Run(name, func(t *testing.T) {
			p := attach(t)
			go io.Copy(io.Discard, p.Conn)
			go func() {
				io.WriteString(p.Conn, tc.input)
				p.Close()
			}()
			err := <-p.served
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("ended with %v, want %q", err, tc.want)
			}
		})
	}
}

// With handlers that hang, memory is bounded.
func TestBacklogEndsTheSession(t *testing.T) {
	p := attach(t)
	go io.Copy(io.Discard, p.Conn)
	stanza := "<message>" + strings.Repeat("x", 500_000) + "</message>"
	var err error
	for n := 0; err == nil && n < 2*xmpp.MaxQueued; n += len(stanza) {
		_, err = io.WriteString(p.Conn, stanza)
	}
	if err := <-p.served; err == nil || !strings.Contains(err.Error(), "faster than they are handled") {
		t.Error(err)
	}
	if p.Queued() > xmpp.MaxQueued {
		t.Errorf("%d bytes queued", p.Queued())
	}
}

func FuzzInboundNeverPanics(f *testing.F) {
	for _, seed := range []string{
		"<iq type='get' id='1' from='a@b/c'><ping xmlns='urn:xmpp:ping'/></iq>",
		"<iq type='set' from=''><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
		"<iq type='error' id=''><error/></iq>", "<presence from='@'/>", "<message", " ", "<a:b/>", "</a>",
		"<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, input string) {
		p := attach(t)
		go io.Copy(io.Discard, p.Conn)
		io.WriteString(p.Conn, input)
		p.Close()
		if err := <-p.served; err == nil {
			t.Error("session ended without a reason")
		}
	})
}

func TestStanzaErrorText(t *testing.T) {
	err := error(&xmpp.StanzaError{Type: "cancel", Condition: "item-not-found", App: "closed-node", Text: "gone", By: "a@b"})
	if got, want := err.Error(), "a@b answered item-not-found/closed-node: gone"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	wrapped := fmt.Errorf("ask: %w", err)
	if !xmpp.IsCondition(wrapped, "forbidden", "item-not-found") || xmpp.IsCondition(wrapped, "forbidden") || xmpp.IsCondition(errors.New("x"), "") {
		t.Error("IsCondition")
	}
}
