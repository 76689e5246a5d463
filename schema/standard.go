package schema

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
)

var (
	//go:embed standard_attributes.txt
	standardAttributes string
	//go:embed standard_classes.txt
	standardClasses string
)

// Standard returns the built-in schema: the attribute types and classes of RFC
// 4512, 4519, 4523, 4524, 2079, 2247, 2307, 2798 and 1274, the operational
// attributes that servers keep, and the project's own definitions. It serves
// tests, the simulator and servers whose schema cannot be read.
func Standard() *Schema { return standard() }

var standard = sync.OnceValue(func() *Schema {
	types := slices.Concat(tableOf(standardAttributes, typeRow), LdapsyncAttributeTypes)
	classes := slices.Concat(tableOf(standardClasses, classRow), LdapsyncObjectClasses)
	s, err := Parse(types, classes)
	if err != nil {
		panic(fmt.Sprintf("built-in schema: %v", err))
	}
	return s
})

// tableOf turns the rows of a table into descriptions.
func tableOf(table string, row func(columns []string) string) []string {
	var list []string
	for line := range strings.Lines(table) {
		columns := strings.Fields(line)
		if len(columns) > 0 && columns[0] != "#" {
			list = append(list, row(columns))
		}
	}
	return list
}

// syntaxArc is where RFC 4517 registers its syntaxes.
const syntaxArc = "1.3.6.1.4.1.1466.115.121.1."

// standardRules are the abbreviations of standard_attributes.txt: the equality
// rule and the syntax usual with it.
var standardRules = map[string]struct{ equality, syntax string }{
	"-":     {"", ""},
	"bit":   {"bitStringMatch", "6"},
	"bool":  {"booleanMatch", "7"},
	"ce":    {"caseExactMatch", "15"},
	"ce5":   {"caseExactIA5Match", "26"},
	"cert":  {"certificateExactMatch", "8"},
	"ci":    {"caseIgnoreMatch", "15"},
	"ci5":   {"caseIgnoreIA5Match", "26"},
	"csn":   {"CSNMatch", "1.3.6.1.4.1.4203.666.11.2.1"},
	"dn":    {"distinguishedNameMatch", "12"},
	"first": {"objectIdentifierFirstComponentMatch", "3"},
	"int":   {"integerMatch", "27"},
	"list":  {"caseIgnoreListMatch", "41"},
	"num":   {"numericStringMatch", "36"},
	"octet": {"octetStringMatch", "40"},
	"oid":   {"objectIdentifierMatch", "38"},
	"paddr": {"presentationAddressMatch", "43"},
	"pinfo": {"protocolInformationMatch", "42"},
	"tel":   {"telephoneNumberMatch", "50"},
	"time":  {"generalizedTimeMatch", "24"},
	"uniq":  {"uniqueMemberMatch", "34"},
	"uuid":  {"UUIDMatch", "1.3.6.1.1.16.1"},
}

var standardFlags = map[string]string{
	"single": "SINGLE-VALUE",
	"fixed":  "NO-USER-MODIFICATION",
	"op":     "USAGE directoryOperation",
	"dsa":    "USAGE dSAOperation",
	"dist":   "USAGE distributedOperation",
}

func typeRow(columns []string) string {
	names, oid, what, flags := columns[0], columns[1], columns[2], columns[3:]
	what, syntax, _ := strings.Cut(what, "/")
	b := opening(oid, names)
	if superior, ok := strings.CutPrefix(what, "<"); ok {
		b = append(b, "SUP", superior)
	} else {
		rule := standardRules[what]
		if rule.equality != "" {
			b = append(b, "EQUALITY", rule.equality)
		}
		if syntax == "" {
			syntax = rule.syntax
		}
	}
	if syntax != "" && !strings.Contains(syntax, ".") {
		syntax = syntaxArc + syntax
	}
	if syntax != "" {
		b = append(b, "SYNTAX", syntax)
	}
	for _, flag := range flags {
		b = append(b, standardFlags[flag])
	}
	return strings.Join(append(b, ")"), " ")
}

// standardAddress is what most classes for people and places have in common.
var standardAddress = strings.Fields(`destinationIndicator facsimileTelephoneNumber internationaliSDNNumber
	physicalDeliveryOfficeName postalAddress postalCode postOfficeBox preferredDeliveryMethod registeredAddress
	street telephoneNumber teletexTerminalIdentifier telexNumber x121Address`)

func classRow(columns []string) string {
	names, oid, kind := columns[0], columns[1], columns[2]
	fields := map[string][]string{}
	field := ""
	for _, c := range columns[3:] {
		switch c {
		case "SUP", "MUST", "MAY":
			field = c
		case "@address":
			fields[field] = append(fields[field], standardAddress...)
		default:
			fields[field] = append(fields[field], c)
		}
	}
	b := opening(oid, names)
	b = append(b, group("SUP", fields)...)
	b = append(b, strings.ToUpper(kind))
	b = append(b, group("MUST", fields)...)
	b = append(b, group("MAY", fields)...)
	return strings.Join(append(b, ")"), " ")
}

func opening(oid, names string) []string {
	return []string{"(", oid, "NAME", "( '" + strings.ReplaceAll(names, ",", "' '") + "' )"}
}

func group(field string, fields map[string][]string) []string {
	if len(fields[field]) == 0 {
		return nil
	}
	return []string{field, "( " + strings.Join(fields[field], " $ ") + " )"}
}
