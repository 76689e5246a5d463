package replica

import (
	"strings"

	"ldapsync/dit"
)

// meaning is what a kind of conflict is, and what can be done about it.
type meaning struct {
	text, restore, byHand string
	// option is what restoring it takes besides its id; rename and remove say which
	// options mean something.
	option         string
	rename, remove bool
	// lost and won are what the changes did, where that is always the same.
	lost, won string
}

var meanings = map[dit.Kind]meaning{
	dit.ValueSuperseded: {
		text:    "a value gave way to a change made without knowing of it",
		restore: "add the value again, in place of the other where there can be one only",
	},
	dit.RenameSuperseded: {text: "a rename gave way to one made without knowing of it", restore: "rename the entry again"},
	dit.MoveSuperseded:   {text: "a move gave way to one made without knowing of it", restore: "move the entry again"},
	dit.MoveSkipped:      {text: "a move would have put the entry below itself", restore: "move the entry again, if that is possible now"},
	dit.ChangeOnDeleted: {
		text:    "the entry was changed by one server and deleted by another that did not know of the change",
		restore: "undelete the entry, with the change", rename: true, won: "delete",
	},
	dit.DeleteSuperseded: {
		text:    "the entry was restored by a server that did not know of this deletion",
		restore: "delete the entry again", lost: "delete", won: "undelete",
	},
	dit.NameConflict: {
		text:    "another entry has the name",
		restore: "with --rename RDN: give the entry a name of its own", option: "--rename RDN", rename: true,
		byHand: "or rename or delete the other entry: the plain name then comes back by itself",
	},
	dit.GlueShown: {
		text:    "the entry is deleted and shown for what is below it",
		restore: "undelete the entry", rename: true, lost: "delete",
		byHand: "or move or delete what is below it: the entry then goes by itself",
	},
	dit.MustRepaired: {
		text:   "a removed value is shown because a class of the entry demands one",
		byHand: "give the attribute a value, or remove the class",
	},
	dit.HiddenNoClass: {
		text:   "the attribute is kept and not shown because no class of the entry allows it",
		byHand: "add a class that allows it, or delete the attribute",
	},
	dit.DanglingReference: {
		text:    "the value names an entry that was deleted by a server that did not know of the value",
		restore: "undelete the entry that it names, or with --remove-value remove the value", rename: true, remove: true, won: "delete",
	},
	dit.UniquenessViolation: {
		text:    "another entry was given the same value earlier",
		restore: "with --remove-value: remove the value from this entry", option: "--remove-value", remove: true,
		byHand: "or change the value of either entry",
	},
	ParkedRejected: {text: "the directory refuses the entry", byHand: "mend what the directory objects to; then ldapsync parked retry"},
	ParkedFuture: {
		text:   "a change from a clock that is far ahead waits until its time comes",
		byHand: "correct that server's clock; the change is merged by itself",
	},
	DeniedByRole: {text: "a change whose author may not write is kept and not merged", restore: "make the change on this server"},
}

// secrets are the attributes whose values are not shown unless asked for.
var secrets = map[string]bool{
	"userpassword": true, "authpassword": true, "sambantpassword": true, "sambalmpassword": true, "sambapasswordhistory": true,
	"krbprincipalkey": true, "pwdhistory": true, "unicodepwd": true, "olcrootpw": true, "goauthtotpsecret": true, "oathsecret": true,
}

// IsSecret reports whether an attribute holds passwords or keys. Options do not
// matter.
func IsSecret(attr string) bool {
	base, _, _ := strings.Cut(strings.ToLower(attr), ";")
	return secrets[base]
}
