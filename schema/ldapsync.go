package schema

// Names of the project's own definitions.
const (
	ConflictClass = "ldapsyncConflict"
	ConflictID    = "ldapsyncConflictId"
	ConflictOf    = "ldapsyncConflictOf"
	Glue          = "ldapsyncGlue"
)

// arc is the project's OID arc: 2.25 (ITU-T X.667) and the UUID
// 25e1c370-3fb0-4c29-9e20-0ec2ef96ad4b as an integer.
const arc = "2.25.50353666600349823417758945562561260875"

// LdapsyncAttributeTypes are the project's attribute types as RFC 4512
// descriptions, in the order in which a server must be given them.
var LdapsyncAttributeTypes = []string{
	"( " + arc + ".1.1 NAME '" + ConflictID + "' DESC 'entryUUID of this entry, which lost its plain name to another'" +
		" EQUALITY UUIDMatch SYNTAX 1.3.6.1.1.16.1 SINGLE-VALUE )",
	"( " + arc + ".1.2 NAME '" + ConflictOf + "' DESC 'entryUUID of the entry that holds the plain name'" +
		" EQUALITY UUIDMatch SYNTAX 1.3.6.1.1.16.1 SINGLE-VALUE )",
	"( " + arc + ".1.3 NAME '" + Glue + "' DESC 'TRUE while a deleted entry is shown for its children'" +
		" EQUALITY booleanMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.7 SINGLE-VALUE )",
}

// LdapsyncObjectClasses are the project's object classes as RFC 4512
// descriptions.
var LdapsyncObjectClasses = []string{
	"( " + arc + ".2.1 NAME '" + ConflictClass + "' DESC 'entry that a replication conflict renamed or keeps'" +
		" SUP top AUXILIARY MAY ( " + ConflictID + " $ " + ConflictOf + " $ " + Glue + " ) )",
}
