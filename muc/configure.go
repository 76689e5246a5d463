package muc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ldapsync/xmpp/element"
)

const formRoomConfig = nsMUC + "#roomconfig"

// setting is one field of the room's configuration. vital ones decide whether
// the room is safe.
type setting struct {
	field  string
	values []string
	vital  bool
}

// settings are what a room has to be. Servers name archiving differently; only
// fields that a server offers are submitted, since ejabberd refuses a form with
// an unknown one.
func settings(suffix string) []setting {
	const f = "muc#roomconfig_"
	return []setting{
		{f + "membersonly", []string{"1"}, true},
		{f + "whois", []string{"anyone"}, true},
		{f + "persistentroom", []string{"1"}, true},
		{f + "moderatedroom", []string{"1"}, true},
		{f + "passwordprotectedroom", []string{"0"}, false},
		{f + "allowinvites", []string{"0"}, false},
		{f + "allowmemberinvites", []string{"0"}, false},
		{f + "changesubject", []string{"0"}, false},
		{f + "presencebroadcast", []string{"moderator", "participant", "visitor"}, false},
		{f + "enablearchiving", []string{"1"}, false},
		{"mam", []string{"1"}, false},
		{f + "roomname", []string{suffix}, false},
	}
}

// secure makes the room what it has to be if we own it, and else checks it.
func (r *Room) secure(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	r.mu.Lock()
	created, owner := r.created, r.occupants[r.self].Affiliation == "owner"
	r.mu.Unlock()
	err := r.check(ctx)
	if !created && (err == nil || !owner || !errors.Is(err, ErrUnsafe)) {
		return err
	}
	if !created {
		r.log.Warn("the room was not as it has to be, configuring it", "err", err)
	}
	if err := r.configure(ctx); err != nil {
		return r.fail(ErrUnsafe, err)
	}
	return r.check(ctx)
}

// check asks the room whether only members may enter and everybody sees who
// everybody is.
func (r *Room) check(ctx context.Context) error {
	d, err := r.cfg.Client.DiscoInfo(ctx, r.jid, "")
	if err != nil {
		return r.fail(ErrNotJoined, err)
	}
	var missing []string
	for _, feature := range []string{"muc_membersonly", "muc_nonanonymous"} {
		if !d.Has(feature) {
			missing = append(missing, feature)
		}
	}
	if missing != nil {
		return r.fail(ErrUnsafe, fmt.Errorf("it lacks %s", strings.Join(missing, ", ")))
	}
	return nil
}

// configure submits the settings and reads them back (XEP-0045 section 10.2).
func (r *Room) configure(ctx context.Context) error {
	offered, err := r.form(ctx)
	if err != nil {
		return fmt.Errorf("read the room's configuration: %w", err)
	}
	x := element.New(nsData, "x", "type", "submit").With(field("FORM_TYPE", formRoomConfig))
	var submitted []setting
	for _, s := range settings(r.cfg.Suffix) {
		if _, ok := offered[s.field]; ok {
			submitted = append(submitted, s)
			x.With(field(s.field, s.values...))
		} else if s.vital {
			return fmt.Errorf("the service does not offer %s", s.field)
		}
	}
	if _, err := r.cfg.Client.IQ(ctx, r.jid, "set", element.New(nsOwner, "query").With(x)); err != nil {
		return fmt.Errorf("configure the room: %w", err)
	}
	have, err := r.form(ctx)
	if err != nil {
		return fmt.Errorf("read the room's configuration back: %w", err)
	}
	return r.compare(submitted, have)
}

func (r *Room) compare(want []setting, have map[string][]string) error {
	for _, s := range want {
		if same(s.values, have[s.field]) {
			continue
		}
		if s.vital {
			return fmt.Errorf("the service keeps %s at %q", s.field, have[s.field])
		}
		r.log.Warn("the service does not take a setting", "field", s.field, "want", s.values, "have", have[s.field])
	}
	return nil
}

func same(want, have []string) bool {
	return slices.Equal(canonical(want), canonical(have))
}

// canonical makes the two spellings of a boolean (XEP-0004 section 3.3) one,
// and an absent one false.
func canonical(values []string) []string {
	out := make([]string, 0, len(values))
	for _, v := range values {
		switch v {
		case "true":
			v = "1"
		case "false", "":
			v = "0"
		}
		out = append(out, v)
	}
	if len(out) == 0 {
		out = append(out, "0")
	}
	slices.Sort(out)
	return out
}

// form reads the configuration: the values of each field offered.
func (r *Room) form(ctx context.Context) (map[string][]string, error) {
	reply, err := r.cfg.Client.IQ(ctx, r.jid, "get", element.New(nsOwner, "query"))
	if err != nil {
		return nil, err
	}
	out := map[string][]string{}
	for _, f := range reply.Child(nsOwner, "query").Child(nsData, "x").All(nsData, "field") {
		if f.Attr("var") == "" || f.Attr("type") == "fixed" {
			continue
		}
		values := []string{}
		for _, v := range f.All(nsData, "value") {
			values = append(values, v.Text)
		}
		out[f.Attr("var")] = values
	}
	return out, nil
}

func field(name string, values ...string) *element.Element {
	f := element.New(nsData, "field", "var", name)
	for _, v := range values {
		f.With(element.New(nsData, "value").WithText(v))
	}
	return f
}
