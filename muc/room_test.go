package muc_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"mellium.im/xmpp/jid"

	"ldapsync/muc"
	"ldapsync/testenv/prosody"
	"ldapsync/xmpp"
	"ldapsync/xmpp/element"
)

func configForm(t *testing.T, r *room) map[string]string {
	t.Helper()
	reply, err := r.client.IQ(ctxFor(t), r.JID(), "get", element.New("http://jabber.org/protocol/muc#owner", "query"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	const data = "jabber:x:data"
	for _, f := range reply.Child("http://jabber.org/protocol/muc#owner", "query").Child(data, "x").All(data, "field") {
		name := strings.TrimPrefix(f.Attr("var"), "muc#roomconfig_")
		if v := f.Child(data, "value"); v != nil {
			out[name] = v.Text
		} else if f.Attr("type") == "boolean" {
			out[name] = "0"
		}
	}
	return out
}

func TestFirstServerCreatesAndConfigures(t *testing.T) {
	for name, extra := range map[string]string{"locked when new": "", "open when new": "muc_room_locking = false"} {
		t.Run(name, func(t *testing.T) {
			s := server(t, prosody.Options{ExtraMUC: extra})
			ann := enter(t, s, "ann")
			ann.untilState(t, muc.Joined)
			if !ann.Created() {
				t.Error("Created() is false")
			}
			if got, want := ann.JID().String(), "dc=example,dc=org@rooms.xmpp.test"; got != want {
				t.Errorf("room %s, want %s", got, want)
			}
			got := configForm(t, ann)
			for field, want := range map[string]string{
				"membersonly": "1", "moderatedroom": "1", "persistentroom": "1", "whois": "anyone",
				"changesubject": "0", "enablearchiving": "1", "roomname": suffix,
			} {
				if got[field] != want {
					t.Errorf("%s is %q, want %q", field, got[field], want)
				}
			}
			self, ok := ann.Self()
			want := muc.Occupant{
				Nick: "ann", JID: ann.client.Addr(), Affiliation: "owner", Role: "moderator",
				Payload: payload("ann 0"), Status: "status of ann", Self: true,
			}
			if diff := cmp.Diff(want, self, cmp.Comparer(jid.JID.Equal)); diff != "" || !ok {
				t.Error(diff)
			}
			if diff := cmp.Diff([]muc.Occupant{want}, ann.Occupants(), cmp.Comparer(jid.JID.Equal)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSecondServerWaitsUntilItIsAdmitted(t *testing.T) {
	s := server(t, prosody.Options{})
	ann := enter(t, s, "ann")
	ann.untilState(t, muc.Joined)
	slow := func(c *muc.Config) { c.RetryMin, c.RetryMax = time.Hour, time.Hour }
	bob := enter(t, s, "bob", slow)
	err := bob.untilState(t, muc.NotAdmitted)
	var why *muc.Error
	if !errors.Is(err, muc.ErrNotAdmitted) || !errors.As(err, &why) || !strings.Contains(why.Hint(), "ldapsync admit bob@xmpp.test") {
		t.Errorf("not admitted: %v", err)
	}
	if bob.Occupants() != nil {
		t.Error("occupants seen from outside")
	}
	// The invitation brings bob in, although his next attempt is far away.
	ann.admit(t, bare(s, "bob"), "member")
	bob.untilState(t, muc.Joined)
	if bob.Created() {
		t.Error("Created() of a room that existed")
	}
	if o := bob.untilSees(t, "ann", anything); text(o) != "ann 0" || !o.JID.Equal(ann.client.Addr()) || o.Affiliation != "owner" {
		t.Errorf("bob sees %v", o)
	}
	if o := ann.untilSees(t, "bob", anything); text(o) != "bob 0" || !o.JID.Equal(bob.client.Addr()) || o.Affiliation != "member" {
		t.Errorf("ann sees %v", o)
	}
}

// pair is a room with ann, its owner, and bob, a member.
func pair(t *testing.T, s *prosody.Server, options ...option) (ann, bob *room) {
	t.Helper()
	ann = enter(t, s, "ann", options...)
	ann.untilState(t, muc.Joined)
	ann.admit(t, bare(s, "bob"), "member")
	bob = enter(t, s, "bob", options...)
	bob.untilState(t, muc.Joined)
	ann.untilSees(t, "bob", anything)
	return ann, bob
}

func TestPayloadIsSeenOnChange(t *testing.T) {
	s := server(t, prosody.Options{})
	ann, bob := pair(t, s)
	for _, word := range []string{"one", "two"} {
		bob.SetPayload(payload(word), "at "+word)
		o := ann.untilSees(t, "bob", says(word))
		if o.Status != "at "+word || o.Payload.Attr("state") != "ready" {
			t.Errorf("ann sees %v", o)
		}
		bob.untilSees(t, "bob", says(word))
	}
}

func TestAffiliationChangesAreSeenAtOnce(t *testing.T) {
	s := server(t, prosody.Options{})
	ann, bob := pair(t, s)
	for _, affiliation := range []string{"admin", "member", "owner", "admin"} {
		ann.admit(t, bare(s, "bob"), affiliation)
		has := func(o muc.Occupant) bool { return o.Affiliation == affiliation }
		ann.untilSees(t, "bob", has)
		o := bob.untilSees(t, "bob", has)
		if !o.Self || text(o) != "bob 0" {
			t.Errorf("bob sees himself as %v", o)
		}
		got, err := ann.Affiliations(ctxFor(t))
		want := map[string]string{"ann@xmpp.test": "owner", "bob@xmpp.test": affiliation}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v %s", err, diff)
		}
	}
}

func TestMembersMayNotChangeAffiliations(t *testing.T) {
	s := server(t, prosody.Options{})
	_, bob := pair(t, s)
	if err := bob.SetAffiliation(ctxFor(t), bare(s, "eve"), "member"); !xmpp.IsCondition(err, "forbidden", "not-allowed") {
		t.Error(err)
	}
	if err := bob.SetAffiliation(ctxFor(t), bare(s, "bob"), "owner"); !xmpp.IsCondition(err, "forbidden", "not-allowed") {
		t.Error(err)
	}
	eve := enter(t, s, "eve")
	eve.untilState(t, muc.NotAdmitted)
}

func TestExpelledServerWaitsAndReturns(t *testing.T) {
	s := server(t, prosody.Options{})
	ann, bob := pair(t, s)
	for _, affiliation := range []string{"none", "outcast"} {
		ann.admit(t, bare(s, "bob"), affiliation)
		bob.untilState(t, muc.NotAdmitted)
		left := ann.until(t, "bob to leave", func(c muc.Change) bool { return c.Occupant.Nick == "bob" && c.Left })
		if left.Reason == "" || left.Occupant.Affiliation != affiliation {
			t.Errorf("left: %+v", left)
		}
		got, err := ann.Affiliations(ctxFor(t))
		if diff := cmp.Diff(map[string]string{"ann@xmpp.test": "owner"}, got); diff != "" || err != nil {
			t.Errorf("%v %s", err, diff)
		}
		ann.admit(t, bare(s, "bob"), "member")
		bob.untilState(t, muc.Joined)
		ann.untilSees(t, "bob", anything)
	}
}

func kick(t *testing.T, by *room, nick string) {
	t.Helper()
	const admin = "http://jabber.org/protocol/muc#admin"
	query := element.New(admin, "query").With(element.New(admin, "item", "nick", nick, "role", "none").
		With(element.New(admin, "reason").WithText("too loud")))
	if _, err := by.client.IQ(ctxFor(t), by.JID(), "set", query); err != nil {
		t.Fatal(err)
	}
}

func TestKickedServerReturns(t *testing.T) {
	s := server(t, prosody.Options{})
	ann, bob := pair(t, s)
	kick(t, ann, "bob")
	if err := bob.untilState(t, muc.Joining); !errors.Is(err, muc.ErrEvicted) || !strings.Contains(err.Error(), "too loud") {
		t.Error(err)
	}
	bob.untilState(t, muc.Joined)
	ann.untilSees(t, "bob", says("bob 0"))
}

// A room may forget us without telling: the self-ping notices.
func TestSelfPingNoticesSilentEviction(t *testing.T) {
	s := server(t, prosody.Options{})
	c := xmpp.New(clientConfig(t, s, "bob", ""))
	deaf := false // set and used by the handlers' goroutine
	c.HandleMessage(func(msg *element.Element) bool {
		deaf = deaf || msg.Child("urn:test", "deaf") != nil
		return false
	})
	c.HandlePresence(func(p *element.Element) bool { return deaf && p.Attr("type") == "unavailable" })
	background(t, c.Run)
	ann := enter(t, s, "ann")
	ann.untilState(t, muc.Joined)
	ann.admit(t, bare(s, "bob"), "member")
	bob := enterBy(t, s, c, func(c *muc.Config) { c.SelfPingEvery = 50 * time.Millisecond })
	bob.untilState(t, muc.Joined)
	ann.untilSees(t, "bob", anything)
	for _, st := range []*element.Element{
		element.New("jabber:client", "message", "to", c.Addr().String()).With(element.New("urn:test", "deaf")),
		element.New("jabber:client", "presence", "to", bob.JID().String()+"/bob", "type", "unavailable"),
	} {
		if err := c.Send(ctxFor(t), st); err != nil {
			t.Fatal(err)
		}
	}
	ann.until(t, "bob to leave", func(c muc.Change) bool { return c.Left })
	if err := bob.untilState(t, muc.Joining); !errors.Is(err, muc.ErrEvicted) {
		t.Error(err)
	}
	bob.untilState(t, muc.Joined)
	ann.untilSees(t, "bob", anything)
}

func TestNickInUseGetsANumber(t *testing.T) {
	s := server(t, prosody.Options{})
	same := func(c *muc.Config) { c.Nick = "ldap" }
	ann, bob := func() (*room, *room) {
		ann := enter(t, s, "ann", same)
		ann.untilState(t, muc.Joined)
		ann.admit(t, bare(s, "bob"), "admin")
		bob := enter(t, s, "bob", same)
		bob.untilState(t, muc.Joined)
		return ann, bob
	}()
	if self, _ := bob.Self(); self.Nick != "ldap-2" || !self.Self {
		t.Errorf("bob is %v", self)
	}
	ann.untilSees(t, "ldap-2", says("bob 0"))
	bob.SetPayload(payload("more"), "")
	ann.untilSees(t, "ldap-2", says("more"))
}

func TestRoomSurvivesTheServer(t *testing.T) {
	s := server(t, prosody.Options{})
	ann, bob := pair(t, s)
	bob.SetPayload(payload("latest"), "")
	ann.untilSees(t, "bob", says("latest"))
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	ann.untilState(t, muc.Offline)
	bob.untilState(t, muc.Offline)
	if ann.Occupants() != nil {
		t.Error("occupants while offline")
	}
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	ann.untilState(t, muc.Joined)
	bob.untilState(t, muc.Joined)
	ann.untilSees(t, "bob", says("latest"))
	bob.untilSees(t, "ann", anything)
	if ann.Created() || bob.Created() {
		t.Error("the room was created anew")
	}
	if self, _ := ann.Self(); self.Affiliation != "owner" {
		t.Errorf("ann is %v", self)
	}
}

func TestLeavingIsSeen(t *testing.T) {
	s := server(t, prosody.Options{})
	ann := enter(t, s, "ann")
	ann.untilState(t, muc.Joined)
	ann.admit(t, bare(s, "bob"), "member")
	c := login(t, s, "bob", "")
	m := muc.New(muc.Config{Client: c, Service: jid.MustParse(s.MUC), Suffix: suffix})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	ann.untilSees(t, "bob", anything)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	ann.until(t, "bob to leave", func(c muc.Change) bool { return c.Occupant.Nick == "bob" && c.Left && c.Reason == "" })
	if !c.Online() {
		t.Error("the session ended with the room")
	}
}

func TestTalk(t *testing.T) {
	s := server(t, prosody.Options{})
	ann, bob := pair(t, s)
	type line struct {
		nick, body string
		self       bool
	}
	heard := make(chan line, 10)
	bob.OnMessage(func(from muc.Occupant, body string, _ *element.Element) {
		heard <- line{from.Nick, body, from.Self}
	})
	if err := ann.Say(ctxFor(t), "!status"); err != nil {
		t.Fatal(err)
	}
	if got := <-heard; got != (line{"ann", "!status", false}) {
		t.Error(got)
	}
	if err := bob.Say(ctxFor(t), "fine"); err != nil {
		t.Fatal(err)
	}
	if got := <-heard; got != (line{"bob", "fine", true}) {
		t.Error(got)
	}
}

// eve sends what the room might, but only the room is believed.
func TestForgedPresenceIsIgnored(t *testing.T) {
	s := server(t, prosody.Options{})
	ann, _ := pair(t, s)
	eve := login(t, s, "eve", "dc=example,dc=org@rooms.xmpp.test")
	online := make(chan struct{})
	eve.OnOnline(func(context.Context) { close(online) })
	<-online
	const user = "http://jabber.org/protocol/muc#user"
	forged := element.New("jabber:client", "presence", "to", ann.client.Addr().String()).With(
		element.New(user, "x").With(element.New(user, "item", "affiliation", "owner", "role", "moderator", "jid", "eve@xmpp.test/x")),
		payload("forged"))
	msg := element.New("jabber:client", "message", "to", ann.client.Addr().String(), "type", "groupchat").
		With(element.New("jabber:client", "body").WithText("forged"))
	ann.OnMessage(func(from muc.Occupant, body string, _ *element.Element) { t.Errorf("%v said %q", from, body) })
	for _, st := range []*element.Element{forged, msg} {
		if err := eve.Send(ctxFor(t), st); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := eve.IQ(ctxFor(t), ann.client.Addr(), "get", element.New("urn:xmpp:ping", "ping")); err != nil {
		t.Fatal(err)
	}
	ann.SetPayload(payload("fence"), "")
	for c := (muc.Change{}); !(c.Occupant.Self && text(c.Occupant) == "fence"); {
		c = ann.until(t, "a change", func(muc.Change) bool { return true })
		if text(c.Occupant) == "forged" {
			t.Fatalf("believed %+v", c)
		}
	}
	if n := len(ann.Occupants()); n != 2 {
		t.Errorf("%d occupants", n)
	}
}
