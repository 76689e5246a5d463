package replica

import (
	"strings"

	"ldapsync/dit"
)

// meaning is what a kind of conflict is, and what can be done about it.
type meaning struct{ text, restore, byHand string }

var meanings = map[dit.Kind]meaning{
	dit.ValueSuperseded: {"a value gave way to a change made without knowing of it",
		"add the value again, in place of the other where there can be one only", ""},
	dit.RenameSuperseded: {"a rename gave way to one made without knowing of it", "rename the entry again", ""},
	dit.MoveSuperseded:   {"a move gave way to one made without knowing of it", "move the entry again", ""},
	dit.MoveSkipped:      {"a move would have put the entry below itself", "move the entry again, if that is possible now", ""},
	dit.ChangeOnDeleted: {"the entry was changed by one server and deleted by another that did not know of the change",
		"undelete the entry, with the change", ""},
	dit.DeleteSuperseded: {"the entry was restored by a server that did not know of this deletion", "delete the entry again", ""},
	dit.NameConflict: {"another entry has the name",
		"with --rename RDN: give the entry a name of its own", "or rename or delete the other entry: the plain name then comes back by itself"},
	dit.GlueShown: {"the entry is deleted and shown for what is below it",
		"undelete the entry", "or move or delete what is below it: the entry then goes by itself"},
	dit.MustRepaired: {"a removed value is shown because a class of the entry demands one",
		"", "give the attribute a value, or remove the class"},
	dit.HiddenNoClass: {"the attribute is kept and not shown because no class of the entry allows it",
		"", "add a class that allows it, or delete the attribute"},
	dit.DanglingReference: {"the value names an entry that was deleted by a server that did not know of the value",
		"undelete the entry that it names, or with --remove-value remove the value", ""},
	dit.UniquenessViolation: {"another entry was given the same value earlier",
		"with --remove-value: remove the value from this entry", "or change the value of either entry"},
	ParkedRejected: {"the directory refuses the entry", "", "mend what the directory objects to; then ldapsync parked retry"},
	ParkedFuture: {"a change from a clock that is far ahead waits until its time comes", "",
		"correct that server's clock; the change is merged by itself"},
	DeniedByRole: {"a change whose author may not write is kept and not merged", "make the change on this server", ""},
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
