package mutate

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
)

// Insert returns src with a statement at the beginning of a function, which is
// named as in "(*stamp).before" or "newest".
func Insert(name string, src []byte, function, statement string) ([]byte, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, src, 0)
	if err != nil {
		return nil, err
	}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil && nameOf(f) == function {
			at := fset.Position(f.Body.Lbrace).Offset + 1
			return append(append(append([]byte{}, src[:at]...), "\n"+statement+"\n"...), src[at:]...), nil
		}
	}
	return nil, fmt.Errorf("%s has no function %s", name, function)
}

// nameOf returns the name of a function with its receiver.
func nameOf(f *ast.FuncDecl) string {
	if f.Recv == nil || len(f.Recv.List) == 0 {
		return f.Name.Name
	}
	switch t := f.Recv.List[0].Type.(type) {
	case *ast.StarExpr:
		if id, ok := t.X.(*ast.Ident); ok {
			return "(*" + id.Name + ")." + f.Name.Name
		}
	case *ast.Ident:
		return t.Name + "." + f.Name.Name
	}
	return f.Name.Name
}
