package schema_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ldapsync/schema"
)

func TestParseAttributeType(t *testing.T) {
	const up = "( 1.1 NAME 'up' EQUALITY caseIgnoreMatch SYNTAX 1.9{64} SINGLE-VALUE USAGE directoryOperation )"
	tests := map[string]struct {
		in   string
		want schema.AttributeType
	}{
		"bare":    {"(1.2)", schema.AttributeType{OID: "1.2"}},
		"several": {"( 1.2 NAME ( 'a' 'B' ) )", schema.AttributeType{OID: "1.2", Names: []string{"a", "B"}}},
		"all fields": {
			"( 1.2 NAME 'a' DESC '(a $ b)' OBSOLETE EQUALITY x ORDERING y SUBSTR z SYNTAX 1.3{8} SINGLE-VALUE COLLECTIVE NO-USER-MODIFICATION USAGE dSAOperation X-ORIGIN ( 'me' 'you' ) X-ORDERED 'VALUES' )",
			schema.AttributeType{OID: "1.2", Names: []string{"a"}, Equality: "x", Syntax: "1.3", SingleValue: true, Operational: true, ReadOnly: true},
		},
		"numbered":         {"{12}( 1.2 NAME 'a' )", schema.AttributeType{OID: "1.2", Names: []string{"a"}}},
		"OID with a macro": {"( Arc:7 NAME 'a' )", schema.AttributeType{OID: "Arc:7", Names: []string{"a"}}},
		"user usage":       {"( 1.2 USAGE userApplications )", schema.AttributeType{OID: "1.2"}},
		"quoted syntax":    {"( 1.2 SYNTAX '1.3' )", schema.AttributeType{OID: "1.2", Syntax: "1.3"}},
		"line breaks":      {"(\n\t1.2\n\tNAME\t'a'\n)\n", schema.AttributeType{OID: "1.2", Names: []string{"a"}}},
		"inherits": {
			"( 1.2 SUP UP )",
			schema.AttributeType{OID: "1.2", Superior: "UP", Equality: "caseIgnoreMatch", Syntax: "1.9"},
		},
		"inherits by OID, has its own syntax": {
			"( 1.2 SUP 1.1 SYNTAX 1.3 )",
			schema.AttributeType{OID: "1.2", Superior: "1.1", Equality: "caseIgnoreMatch", Syntax: "1.3"},
		},
		"unknown superior": {"( 1.2 SUP nobody )", schema.AttributeType{OID: "1.2", Superior: "nobody"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := schema.Parse([]string{tt.in, up}, nil)
			if err != nil {
				t.Fatal(err)
			}
			got := s.Attribute(tt.want.OID)
			ignored := cmpopts.IgnoreFields(schema.AttributeType{}, "Definition")
			if diff := cmp.Diff(&tt.want, got, ignored, cmpopts.IgnoreUnexported(schema.AttributeType{})); diff != "" {
				t.Error(diff)
			}
			if strings.HasPrefix(got.Definition, "{") || !strings.HasPrefix(got.Definition, "(") {
				t.Errorf("definition %q", got.Definition)
			}
		})
	}
}

func TestParseObjectClass(t *testing.T) {
	types := []string{"( 1.1 NAME ( 'cn' 'commonName' ) )", "( 1.2 NAME 'sn' )"}
	classes := []string{
		"{0}( 2.0 NAME 'top' ABSTRACT MUST objectClass )",
		"{1}( 2.1 NAME 'person' DESC 'x' SUP top STRUCTURAL MUST ( SN $ commonName ) MAY ( b $ A ) X-NDS 'y' )",
		"{2}( 2.2 NAME ( 'both' 'Two' ) OBSOLETE SUP ( PERSON $ 2.3 ) MAY ( sn $ b $ c ) )",
		"{3}( 2.3 NAME 'aux' AUXILIARY SUP missing MUST c )",
	}
	want := []*schema.ObjectClass{
		{OID: "2.3", Names: []string{"aux"}, Kind: schema.Auxiliary, Superiors: []string{"missing"}, Must: []string{"c"}},
		{
			OID: "2.2", Names: []string{"both", "Two"}, Superiors: []string{"PERSON", "2.3"},
			Must: []string{"c", "cn", "objectclass", "sn"}, May: []string{"a", "b"},
		},
		{
			OID: "2.1", Names: []string{"person"}, Superiors: []string{"top"},
			Must: []string{"cn", "objectclass", "sn"}, May: []string{"a", "b"},
		},
		{OID: "2.0", Names: []string{"top"}, Kind: schema.Abstract, Must: []string{"objectclass"}},
	}
	s, err := schema.Parse(types, classes)
	if err != nil {
		t.Fatal(err)
	}
	var got []*schema.ObjectClass
	for c := range s.ObjectClasses() {
		got = append(got, c)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(schema.ObjectClass{}, "Definition"),
		cmpopts.IgnoreUnexported(schema.ObjectClass{})); diff != "" {
		t.Error(diff)
	}
}

func TestParseRefuses(t *testing.T) {
	chain := make([]string, 1200)
	for i := range chain {
		var may strings.Builder
		for j := range 1000 {
			fmt.Fprintf(&may, " $ a%dx%d", i, j)
		}
		chain[i] = fmt.Sprintf("( 2.%d SUP 2.%d MAY ( x%s ) )", i, i+1, may.String())
	}
	tests := map[string]struct{ types, classes []string }{
		"nothing":              {types: []string{""}},
		"no parenthesis":       {types: []string{"1.2 NAME 'broken'"}},
		"no OID":               {types: []string{"( )"}},
		"no end":               {types: []string{"( 1.2 NAME 'broken'"}},
		"a tail":               {types: []string{"( 1.2 ) broken"}},
		"a second parenthesis": {types: []string{"( 1.2 ) )"}},
		"unknown field":        {types: []string{"( 1.2 BROKEN )"}},
		"class field":          {types: []string{"( 1.2 MUST cn )"}},
		"quoted field":         {types: []string{"( 1.2 'NAME' 'broken' )"}},
		"open quote":           {types: []string{"( 1.2 NAME 'broken )"}},
		"open list":            {types: []string{"( 1.2 NAME ( 'broken' "}},
		"nested list":          {types: []string{"( 1.2 NAME ( 'broken' ( 'b' ) ) )"}},
		"no value":             {types: []string{"( 1.2 EQUALITY )"}},
		"own superior":         {types: []string{"( 1.2 NAME 'broken' SUP broken )"}},
		"superiors in a ring":  {types: []string{"( 1.2 SUP 1.3 )", "( 1.3 SUP 1.4 )", "( 1.4 SUP 1.2 )"}},
		"very long":            {types: []string{"( 1.2 NAME '" + strings.Repeat("broken", 20_000) + "' )"}},
		"very many":            {types: make([]string, 30_000)},
		"class: type field":    {classes: []string{"( 1.2 EQUALITY broken )"}},
		"class: own superior":  {classes: []string{"( 1.2 SUP 1.2 )"}},
		"class: ring":          {classes: []string{"( 1.2 SUP 1.3 )", "( 1.3 SUP ( 1.4 $ 1.2 ) )"}},
		"class: no list":       {classes: []string{"( 1.2 MUST ) )"}},
		"classes: very large":  {classes: chain},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := schema.Parse(tt.types, tt.classes)
			if !errors.Is(err, schema.ErrDefinition) {
				t.Fatalf("got %v", err)
			}
			if len(err.Error()) > 300 {
				t.Errorf("an error of %d octets", len(err.Error()))
			}
		})
	}
	_, err := schema.Parse([]string{"( 1.2 NAME 'fine' )", "( 1.3 NAME 'broken' EQUALITY )"}, nil)
	if err == nil || !strings.Contains(err.Error(), "'broken'") || !strings.Contains(err.Error(), "EQUALITY") {
		t.Errorf("the error does not name the definition: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, def := range append(schema.LdapsyncAttributeTypes, schema.LdapsyncObjectClasses...) {
		f.Add(def, def)
	}
	f.Add("{0}( 1.1 NAME ( 'a' 'B;x' ) SUP a SYNTAX 1{2} X-Y ( 'z' ) )", "( 1.2 NAME 'b' SUP ( b $ c ) MUST ( a $ b ) )")
	f.Fuzz(func(t *testing.T, attributeType, class string) {
		s, err := schema.Parse([]string{attributeType, "( 1.1 NAME 'a' SUP 1.2 )"}, []string{class, "( 1.2 NAME 'b' SUP c )"})
		if err != nil {
			if !errors.Is(err, schema.ErrDefinition) {
				t.Fatal(err)
			}
			return
		}
		for a := range s.AttributeTypes() {
			for _, name := range append(a.Names, a.OID) {
				canonical := s.Canonical(name)
				if again := s.Canonical(canonical); again != canonical {
					t.Fatalf("%q becomes %q becomes %q", name, canonical, again)
				}
			}
		}
	})
}
