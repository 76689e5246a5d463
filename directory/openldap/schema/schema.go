// Package schema carries ldapsync's own schema in OpenLDAP's two file
// formats. The definitions are those of ldapsync/schema; a test holds the two
// equal.
package schema

import _ "embed"

// Conf is the schema for slapd.conf's include directive.
//
//go:embed ldapsync.schema
var Conf string

// LDIF is the schema as the entry to add below cn=schema,cn=config.
//
//go:embed ldapsync.ldif
var LDIF string
