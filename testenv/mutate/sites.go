package mutate

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
)

// Kind is how a mutant differs.
type Kind string

// The kinds of mutants.
const (
	// Negate: a condition is taken for its contrary.
	Negate Kind = "negate"
	// Edge: of <, <=, > and >=, what counts when both sides are equal.
	Edge Kind = "edge"
	// Reverse: the result of a three-way comparison is turned round.
	Reverse Kind = "reverse"
)

// Site is one decision that a mutant makes otherwise.
type Site struct {
	// ID is what Variable has to be.
	ID int
	// File and Line say where it stands, Func in which function.
	File, Func string
	Line       int
	Kind       Kind
	// Text is the expression, Nth which of those in Func with the same text.
	Text string
	Nth  int
}

// Key names a site independently of line numbers.
func (s Site) Key() string {
	return fmt.Sprintf("%s %s: %s %s #%d", s.File, s.Func, s.Kind, s.Text, s.Nth)
}

// edit replaces what stands between two offsets.
type edit struct {
	from, to int
	text     string
}

// rewriting is a file on its way.
type rewriting struct {
	fset  *token.FileSet
	src   []byte
	first int
	sites []Site
	fn    string
	file  string
	seen  map[string]int
	// opens are in the order from the outermost, closes too.
	opens, closes, inner []edit
}

// Rewrite returns src with a mutant at every decision: every condition,
// comparison and truth value. Their numbers begin with first.
func Rewrite(name string, src []byte, first int) ([]byte, []Site, error) {
	r := &rewriting{fset: token.NewFileSet(), src: src, first: first, file: name, seen: map[string]int{}}
	file, err := parser.ParseFile(r.fset, name, src, 0)
	if err != nil {
		return nil, nil, err
	}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil {
			r.fn = nameOf(f)
			r.function(f.Type, f.Body)
		}
	}
	return r.result(), r.sites, nil
}

// function rewrites a body. Literals of functions inside are visited with their
// own results.
func (r *rewriting) function(typ *ast.FuncType, body *ast.BlockStmt) {
	conditions := map[ast.Expr]bool{}
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			r.function(n.Type, n.Body)
			return false
		case *ast.IfStmt:
			conditions[n.Cond] = true
		case *ast.ForStmt:
			conditions[n.Cond] = true
		case *ast.SwitchStmt:
			if n.Tag == nil {
				for _, s := range n.Body.List {
					for _, e := range s.(*ast.CaseClause).List {
						conditions[e] = true
					}
				}
			}
		case *ast.ReturnStmt:
			for i, e := range n.Results {
				if returnsBool(typ, i, len(n.Results)) {
					conditions[e] = true
				}
			}
		case *ast.UnaryExpr:
			if n.Op == token.NOT {
				conditions[n.X] = true
			}
		case *ast.ParenExpr:
			if conditions[n] {
				conditions[n.X] = true
			}
		}
		if e, ok := n.(ast.Expr); ok {
			r.expr(e, conditions)
		}
		return true
	})
}

// returnsBool reports whether result i of n is a truth value.
func returnsBool(typ *ast.FuncType, i, n int) bool {
	if typ.Results == nil {
		return false
	}
	var types []ast.Expr
	for _, f := range typ.Results.List {
		for range max(len(f.Names), 1) {
			types = append(types, f.Type)
		}
	}
	if len(types) != n {
		return false
	}
	id, ok := types[i].(*ast.Ident)
	return ok && id.Name == "bool"
}

// expr adds the mutants of one expression.
func (r *rewriting) expr(e ast.Expr, conditions map[ast.Expr]bool) {
	switch e := e.(type) {
	case *ast.BinaryExpr:
		switch e.Op {
		case token.LAND, token.LOR:
			conditions[e.X], conditions[e.Y] = true, true
		case token.EQL, token.NEQ:
			r.wrap(e, Negate, "mutantBool")
		case token.LSS, token.LEQ, token.GTR, token.GEQ:
			r.wrap(e, Negate, "mutantBool")
			r.edge(e)
		}
	case *ast.Ident:
		if conditions[e] || e.Name == "true" || e.Name == "false" {
			r.wrap(e, Negate, "mutantBool")
		}
	case *ast.CallExpr:
		if sel, ok := e.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Compare" {
			r.wrap(e, Reverse, "mutantInt")
			return
		}
		if conditions[e] {
			r.wrap(e, Negate, "mutantBool")
		}
	case *ast.SelectorExpr, *ast.IndexExpr:
		if conditions[e] {
			r.wrap(e, Negate, "mutantBool")
		}
	}
}

func (r *rewriting) offset(p token.Pos) int { return r.fset.Position(p).Offset }

// site notes a mutant of e.
func (r *rewriting) site(e ast.Expr, kind Kind) Site {
	text := strings.Join(strings.Fields(string(r.src[r.offset(e.Pos()):r.offset(e.End())])), " ")
	s := Site{ID: r.first + len(r.sites), File: r.file, Func: r.fn, Line: r.fset.Position(e.Pos()).Line, Kind: kind, Text: text}
	key := s.Key()
	r.seen[key]++
	s.Nth = r.seen[key]
	r.sites = append(r.sites, s)
	return s
}

// wrap puts e into a call.
func (r *rewriting) wrap(e ast.Expr, kind Kind, call string) {
	s := r.site(e, kind)
	from, to := r.offset(e.Pos()), r.offset(e.End())
	r.opens = append(r.opens, edit{from, from, fmt.Sprintf("%s(%d, ", call, s.ID)})
	r.closes = append(r.closes, edit{to, to, ")"})
}

// edge makes a comparison a call.
func (r *rewriting) edge(e *ast.BinaryExpr) {
	s := r.site(e, Edge)
	from, to, op := r.offset(e.Pos()), r.offset(e.End()), r.offset(e.OpPos)
	r.opens = append(r.opens, edit{from, from, fmt.Sprintf("mutantEdge(%d, ", s.ID)})
	r.inner = append(r.inner, edit{op, op + len(e.Op.String()), ","})
	r.closes = append(r.closes, edit{to, to, fmt.Sprintf(", %q)", e.Op.String())})
}

// result makes the edits. At one offset, the innermost call is closed first.
func (r *rewriting) result() []byte {
	slices.Reverse(r.closes)
	all := slices.Concat(r.closes, r.inner, r.opens)
	slices.SortStableFunc(all, func(a, b edit) int { return a.from - b.from })
	var out []byte
	at := 0
	for _, e := range all {
		out = append(append(out, r.src[at:e.from]...), e.text...)
		at = e.to
	}
	return append(out, r.src[at:]...)
}
