//go:build unix

package main

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
)

// identity says which mutation is meant without a line number, so that it survives a change elsewhere in the
// package, even a move to another file.
type identity struct {
	Package string // its folder, from the top of the module
	Func    string // the function or method, or the variable, that the place stands in
	Kind    string // of the mutation; see kinds.go
	N       int    // counts from 1 among places of the same function, kind and text
	Text    string // what is changed, in one line and cut to textLimit
}

const textLimit = 100

func (i identity) String() string {
	return fmt.Sprintf("%s\t%s\t%s\t%d\t%s", i.Package, i.Func, i.Kind, i.N, i.Text)
}

// site is a place of the source with the edit that mutates it.
type site struct {
	identity
	File       string // from the top of the module
	Line       int
	text       string // of the file as it was read
	start, end int    // bytes of it
	with       string
}

// mutated is the file's text after the edit. Who edits the file meanwhile would get something else tested.
func (s site) mutated(top string) (string, error) {
	text, err := os.ReadFile(filepath.Join(top, s.File))
	if err != nil {
		return "", err
	}
	if string(text) != s.text {
		return "", fmt.Errorf("%s has changed meanwhile", s.File)
	}
	return s.text[:s.start] + s.with + s.text[s.end:], nil
}

// sites finds every place of a package that can be mutated, in the order of its files and lines.
func sites(top, pkg string) ([]site, error) {
	dir := filepath.Join(top, pkg)
	listed, err := build.ImportDir(dir, 0)
	if err != nil {
		return nil, fmt.Errorf("read package %s: %w", pkg, err)
	}
	var found []site
	seen := map[identity]int{}
	for _, name := range listed.GoFiles {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, text, parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("read package %s: %w", pkg, err)
		}
		f := finder{text: string(text), file: fset.File(file.Pos())}
		for _, decl := range file.Decls {
			f.decl(decl)
		}
		for _, s := range f.found {
			s.Package, s.File = pkg, filepath.Join(pkg, name)
			seen[s.identity]++
			s.N = seen[s.identity]
			found = append(found, s)
		}
	}
	return found, nil
}

// finder collects the sites of one file, all but what the package adds to their identity.
type finder struct {
	text  string
	file  *token.File
	where string // the function that is being read
	found []site
}

func (f *finder) decl(decl ast.Decl) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Body != nil {
			f.where = funcName(d)
			f.body(d.Type, d.Body)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			if v, ok := spec.(*ast.ValueSpec); ok && d.Tok == token.VAR {
				f.where = v.Names[0].Name
				for _, value := range v.Values {
					f.walk(nil, value)
				}
			}
		}
	}
}

// funcName is Name, or Receiver.Name of a method.
func funcName(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return d.Name.Name
	}
	t := d.Recv.List[0].Type
	for {
		switch inner := t.(type) {
		case *ast.StarExpr:
			t = inner.X
		case *ast.IndexExpr:
			t = inner.X
		case *ast.IndexListExpr:
			t = inner.X
		case *ast.Ident:
			return inner.Name + "." + d.Name.Name
		default:
			return d.Name.Name
		}
	}
}

// add notes an edit of the text from one position to another. What names it is the text of a whole node.
func (f *finder) add(kind string, named ast.Node, from, to token.Pos, with string) {
	text := []rune(strings.Join(strings.Fields(f.source(named)), " "))
	if len(text) > textLimit {
		text = text[:textLimit]
	}
	f.found = append(f.found, site{
		identity: identity{Func: f.where, Kind: kind, Text: string(text)},
		Line:     f.file.Line(from), text: f.text, start: f.file.Offset(from), end: f.file.Offset(to), with: with,
	})
}

func (f *finder) source(n ast.Node) string {
	return f.text[f.file.Offset(n.Pos()):f.file.Offset(n.End())]
}
