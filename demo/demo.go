// Package demo shows ldapsync at work: it runs a Prosody, two OpenLDAP servers
// and a daemon beside each in a temporary folder, and lets them replicate step
// by step, comparing the two directories after each.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"ldapsync/testenv/cluster"
	"ldapsync/testenv/openldap"
)

// Suffix is the suffix that the demo replicates.
const Suffix = "dc=example,dc=org"

// Options says how to run.
type Options struct {
	// Check makes the demo stop and clean up when the steps are done, instead of
	// leaving everything running until ctx ends.
	Check bool
	// Dir is where everything is kept; "" means a temporary folder that is
	// removed at the end.
	Dir string
	// Exe is the ldapsync program, "" this one.
	Exe string
	Out io.Writer
}

// stepWait bounds one step.
const stepWait = 30 * time.Second

type demo struct {
	opts Options
	out  io.Writer
	*cluster.Cluster
	a, b *cluster.Server
}

// Run shows everything and returns nil when every step ended with two equal
// directories.
func Run(ctx context.Context, opts Options) (err error) {
	d := &demo{out: opts.Out}
	if opts.Exe == "" {
		if opts.Exe, err = os.Executable(); err != nil {
			return err
		}
	}
	if opts.Dir == "" {
		if opts.Dir, err = os.MkdirTemp("", "ldapsync-demo-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(opts.Dir)) }()
	}
	d.opts = opts
	d.say("starting Prosody and two OpenLDAP servers in %s", opts.Dir)
	d.Cluster, err = cluster.Start(opts.Dir, cluster.Options{Exe: opts.Exe, Suffix: Suffix, Servers: 2, Slapd: openldap.Options{SessionLog: 10000}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	d.a, d.b = d.Servers[0], d.Servers[1]
	for _, step := range []func(context.Context) error{d.begin, d.join, d.operations, d.partition, d.admitPerson, d.status} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if opts.Check {
		d.say("all steps ended with two equal directories")
		return nil
	}
	d.invite()
	<-ctx.Done()
	return nil
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.out, "* "+format+"\n", args...) }

// people and groups are the size of the directory that is loaded.
const people, groups = 250, 20

// begin loads a directory into the first server, whose daemon founds the room.
func (d *demo) begin(context.Context) error {
	d.say("ldap1: ldapsync run; as the first it creates the room of %s and owns it", Suffix)
	if err := d.a.StartDaemon(); err != nil {
		return err
	}
	d.say("ldap1: ldapadd of a directory of %d entries", openldap.SampleEntries(people, groups))
	_, err := d.a.Slapd.LDAPAdd(openldap.SampleLDIF(Suffix, people, groups))
	return err
}

// join lets the second server in and waits until it holds everything.
func (d *demo) join(ctx context.Context) error {
	d.say("ldap2: ldapsync run; nobody has admitted it yet, so it waits")
	if err := d.b.StartDaemon(); err != nil {
		return err
	}
	d.say("ldap1: ldapsync admit %s --role master", d.b.JID)
	began := time.Now()
	err := d.until(ctx, func() string {
		if _, err := d.a.Ldapsync("admit", d.b.JID, "--role", "master"); err != nil {
			return err.Error()
		}
		return ""
	})
	if err != nil {
		return err
	}
	if err := d.equal(ctx); err != nil {
		return err
	}
	d.say("both hold the same %d entries after %.1f s: entryUUIDs, passwords, photos, timestamps and all",
		openldap.SampleEntries(people, groups), time.Since(began).Seconds())
	return nil
}

// operations makes one change of each kind, on either side.
func (d *demo) operations(ctx context.Context) error {
	steps := []struct {
		on   *cluster.Server
		what string
		ldif string
	}{
		{d.a, "add a subtree", "dn: ou=contractors,%[1]s\nchangetype: add\nobjectClass: organizationalUnit\n\ndn: ou=abroad,ou=contractors,%[1]s\nchangetype: add\nobjectClass: organizationalUnit\n"},
		{d.b, "add", "dn: uid=newcomer,ou=people,%[1]s\nchangetype: add\nobjectClass: inetOrgPerson\ncn: New Comer\nsn: Comer\nmail: new@example.org\n"},
		{d.a, "modify", "dn: uid=newcomer,ou=people,%[1]s\nchangetype: modify\nreplace: mail\nmail: newcomer@example.org\n-\nadd: title\ntitle: Engineer\n-\n"},
		{d.b, "rename", "dn: uid=newcomer,ou=people,%[1]s\nchangetype: modrdn\nnewrdn: uid=oldhand\ndeleteoldrdn: 1\n"},
		{d.b, "move into it", "dn: uid=oldhand,ou=people,%[1]s\nchangetype: moddn\nnewrdn: uid=oldhand\ndeleteoldrdn: 1\nnewsuperior: ou=abroad,ou=contractors,%[1]s\n"},
		{d.a, "move the subtree", "dn: ou=abroad,ou=contractors,%[1]s\nchangetype: moddn\nnewrdn: ou=overseas\ndeleteoldrdn: 1\nnewsuperior: ou=people,%[1]s\n"},
		{d.b, "delete", "dn: uid=oldhand,ou=overseas,ou=people,%[1]s\nchangetype: delete\n\ndn: ou=contractors,%[1]s\nchangetype: delete\n"},
	}
	for _, s := range steps {
		began := time.Now()
		if _, err := s.on.Slapd.LDAPModify(fmt.Sprintf(s.ldif, Suffix)); err != nil {
			return err
		}
		if err := d.equal(ctx); err != nil {
			return err
		}
		d.say("%s: %s; the other followed, seen after %d ms", s.on.Name, s.what, time.Since(began).Milliseconds())
	}
	return nil
}

// partition lets both sides add the same name and change the same group while
// they cannot reach each other.
func (d *demo) partition(ctx context.Context) error {
	group := fmt.Sprintf("dn: cn=both,ou=groups,%s\nchangetype: add\nobjectClass: groupOfNames\nmember: %s\n", Suffix, Suffix)
	if _, err := d.a.Slapd.LDAPModify(group); err != nil {
		return err
	}
	if err := d.equal(ctx); err != nil {
		return err
	}
	d.say("the link of ldap2 is cut; both sides add uid=twin, and a member to one group")
	d.b.Link.Cut()
	for _, s := range d.Servers {
		ldif := fmt.Sprintf("dn: uid=twin,ou=people,%[1]s\nchangetype: add\nobjectClass: inetOrgPerson\ncn: Twin of %[2]s\nsn: Twin\n\n"+
			"dn: cn=both,ou=groups,%[1]s\nchangetype: modify\nadd: member\nmember: uid=of-%[2]s,ou=people,%[1]s\n-\n", Suffix, s.Name)
		if _, err := s.Slapd.LDAPModify(ldif); err != nil {
			return err
		}
	}
	d.b.Link.Heal()
	if err := d.equal(ctx); err != nil {
		return err
	}
	d.say("healed: both members are in the group, and both twins are kept, the younger under a name of its own:")
	out, err := d.b.Slapd.LDAPSearch("(|(sn=Twin)(cn=both))", "cn", "member", "ldapsyncConflictOf")
	fmt.Fprintln(d.out, out)
	return err
}

func (d *demo) status(context.Context) error {
	for _, s := range d.Servers {
		out, err := s.Ldapsync("status")
		if err != nil {
			return err
		}
		fmt.Fprintln(d.out, out)
	}
	return nil
}

// equal waits until both directories hold the same and nothing is on its way.
func (d *demo) equal(ctx context.Context) error {
	return d.until(ctx, func() string { return cluster.Difference(d.Servers...) })
}

func (d *demo) until(ctx context.Context, check func() string) error {
	ctx, cancel := context.WithTimeout(ctx, stepWait)
	defer cancel()
	return cluster.Poll(ctx, check)
}

// invite prints what to try by hand.
func (d *demo) invite() {
	d.say("everything runs until Ctrl-C. To try:")
	for _, s := range d.Servers {
		fmt.Fprintf(d.out, "    ldapmodify -x -H %s -D '%s' -w %s\n", s.Slapd.URI, s.Slapd.AdminDN, s.Slapd.AdminPassword)
		fmt.Fprintf(d.out, "    ldapsearch -H %s -x -b '%s'\n", s.Slapd.URI, Suffix)
		fmt.Fprintf(d.out, "    %s status --config %s\n", d.opts.Exe, s.ConfigPath())
	}
	fmt.Fprintf(d.out, "  look into the room with any XMPP client, as %s with the password %s,\n  at %s with the certificate authority %s: room %s\n",
		person+"@"+cluster.Domain, personPassword, d.Prosody.Addr, d.Prosody.CAFile, Suffix+"@"+d.Prosody.MUC)
}

// person is an account for somebody who wants to look into the room.
const person, personPassword = "visitor", "look-around"

// admitPerson lets a person into the room.
func (d *demo) admitPerson(context.Context) error {
	if err := d.Prosody.AddUser(person, personPassword); err != nil {
		return err
	}
	_, err := d.a.Ldapsync("admit", person+"@"+cluster.Domain, "--role", "read-only")
	return err
}
