package muc_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"mellium.im/xmpp/jid"

	"ldapsync/muc"
	"ldapsync/testenv/prosody"
	"ldapsync/xmpp"
	"ldapsync/xmpp/element"
)

func TestNoServiceIsFatal(t *testing.T) {
	s := server(t, prosody.Options{NoMUC: true})
	c := login(t, s, "ann", "")
	for _, service := range []string{"rooms.xmpp.test", "pubsub.xmpp.test", "xmpp.test"} {
		r := enterBy(t, s, c, func(cfg *muc.Config) { cfg.Service = jid.MustParse(service) })
		select {
		case err := <-r.ended:
			var why *muc.Error
			if !errors.Is(err, muc.ErrNoService) || !errors.As(err, &why) || why.Hint() == "" {
				t.Errorf("%s: %v", service, err)
			}
		case <-time.After(patience):
			_, err := r.State()
			t.Errorf("%s: Run goes on: %v", service, err)
		}
	}
}

func TestMayNotCreate(t *testing.T) {
	s := server(t, prosody.Options{ExtraMUC: `restrict_room_creation = true; admins = { "ann@xmpp.test" }`})
	bob := enter(t, s, "bob")
	err := bob.untilState(t, muc.NotAdmitted)
	var why *muc.Error
	if !errors.Is(err, muc.ErrMayNotCreate) || !errors.As(err, &why) || !strings.Contains(why.Hint(), "bob@xmpp.test") {
		t.Error(err)
	}
	// Somebody else may.
	ann := enter(t, s, "ann")
	ann.untilState(t, muc.Joined)
	ann.admit(t, bare(s, "bob"), "admin")
	bob.untilState(t, muc.Joined)
}

// reconfigure sets fields of the room as a person might.
func reconfigure(t *testing.T, by *xmpp.Client, room jid.JID, pairs ...string) {
	t.Helper()
	const data, owner = "jabber:x:data", "http://jabber.org/protocol/muc#owner"
	x := element.New(data, "x", "type", "submit").With(element.New(data, "field", "var", "FORM_TYPE").
		With(element.New(data, "value").WithText("http://jabber.org/protocol/muc#roomconfig")))
	for i := 0; i+1 < len(pairs); i += 2 {
		x.With(element.New(data, "field", "var", "muc#roomconfig_"+pairs[i]).
			With(element.New(data, "value").WithText(pairs[i+1])))
	}
	if _, err := by.IQ(ctxFor(t), room, "set", element.New(owner, "query").With(x)); err != nil {
		t.Fatal(err)
	}
}

func TestUnsafeRoomIsLeft(t *testing.T) {
	for name, setting := range map[string][]string{
		"open to all":     {"membersonly", "0"},
		"hides addresses": {"whois", "moderators"},
	} {
		t.Run(name, func(t *testing.T) {
			s := server(t, prosody.Options{})
			ann, bob := pair(t, s)
			owner := login(t, s, "ann", "person")
			online := make(chan struct{}, 1)
			owner.OnState(func(bool, error) { signal(online) })
			<-online
			// While bob is in the room.
			reconfigure(t, owner, ann.JID(), setting...)
			err := bob.untilState(t, muc.Unsafe)
			if !errors.Is(err, muc.ErrUnsafe) {
				t.Error(err)
			}
			// The owner's daemon puts it right, and bob returns.
			ann.untilState(t, muc.Unsafe)
			ann.untilState(t, muc.Joined)
			bob.untilState(t, muc.Joined)
		})
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// A room that somebody else owns and keeps open is never trusted.
func TestForeignOpenRoomIsNotJoined(t *testing.T) {
	s := server(t, prosody.Options{ExtraMUC: "muc_room_locking = false"})
	eve := login(t, s, "eve", "")
	online := make(chan struct{}, 1)
	eve.OnState(func(bool, error) { signal(online) })
	<-online
	there := make(chan struct{}, 10)
	eve.HandlePresence(func(*element.Element) bool { signal(there); return true })
	join := element.New("jabber:client", "presence", "to", suffix+"@"+s.MUC+"/eve").
		With(element.New("http://jabber.org/protocol/muc", "x"))
	if err := eve.Send(ctxFor(t), join); err != nil {
		t.Fatal(err)
	}
	<-there
	bob := enter(t, s, "bob")
	if err := bob.untilState(t, muc.Unsafe); !errors.Is(err, muc.ErrUnsafe) || !strings.Contains(err.Error(), "muc_membersonly") {
		t.Error(err)
	}
	if bob.Occupants() != nil {
		t.Error("occupants of an unsafe room")
	}
}
