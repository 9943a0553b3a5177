//go:build unix

package main

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// The kinds of mutation. Each is a slip that people make, and none needs types: what does not compile is not
// taken into a list.
const (
	kindNegate   = "negate"   // the condition of if, for or a case is turned round
	kindCompare  = "compare"  // a comparison inside a larger expression is turned round
	kindBoundary = "boundary" // < and <=, > and >=
	kindLogic    = "logic"    // && and ||
	kindNot      = "not"      // a ! inside a larger expression is lost
	kindSign     = "sign"     // + and -, ++ and --, += and -=
	kindAssign   = "assign"   // the value is computed and not kept
	kindCall     = "call"     // the arguments are computed and nothing is called
	kindDefer    = "defer"    // nothing is deferred
	kindError    = "error"    // the error is made and nil is returned
	kindBool     = "bool"     // true and false are returned for each other
	kindLoop     = "loop"     // continue and break
)

var turned = map[token.Token]string{
	token.EQL: "!=", token.NEQ: "==", token.LSS: ">=", token.GEQ: "<", token.GTR: "<=", token.LEQ: ">",
}

var otherBoundary = map[token.Token]string{token.LSS: "<=", token.LEQ: "<", token.GTR: ">=", token.GEQ: ">"}

var otherLogic = map[token.Token]string{token.LAND: "||", token.LOR: "&&"}

var otherSign = map[token.Token]string{
	token.ADD: "-", token.SUB: "+", token.INC: "--", token.DEC: "++", token.ADD_ASSIGN: "-=", token.SUB_ASSIGN: "+=",
}

var otherLoop = map[token.Token]string{token.BREAK: "continue", token.CONTINUE: "break"}

func (f *finder) body(t *ast.FuncType, b *ast.BlockStmt) { f.walk(t, b) }

// walk notes the sites below a node of a function of the type t; nil outside of functions.
func (f *finder) walk(t *ast.FuncType, root ast.Node) {
	whole := map[ast.Expr]bool{} // conditions that are negated as a whole, so their outermost operator is not
	ast.Inspect(root, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			f.body(n.Type, n.Body)
			return false
		case *ast.IfStmt:
			f.condition(n.Cond, whole)
		case *ast.ForStmt:
			f.condition(n.Cond, whole)
		case *ast.SwitchStmt:
			f.cases(n, whole)
		case *ast.BinaryExpr:
			f.binary(n, whole[n])
		case *ast.UnaryExpr:
			if n.Op == token.NOT && !whole[n] {
				f.add(kindNot, n, n.Pos(), n.X.Pos(), "")
			}
		case *ast.ReturnStmt:
			f.returned(t, n)
		default:
			f.statement(n)
		}
		return true
	})
}

func (f *finder) condition(cond ast.Expr, whole map[ast.Expr]bool) {
	if cond != nil {
		whole[cond] = true
		f.add(kindNegate, cond, cond.Pos(), cond.End(), "!("+f.source(cond)+")")
	}
}

// cases negates those of a switch without a tag, which are conditions.
func (f *finder) cases(s *ast.SwitchStmt, whole map[ast.Expr]bool) {
	if s.Tag != nil {
		return
	}
	for _, clause := range s.Body.List {
		for _, cond := range clause.(*ast.CaseClause).List {
			f.condition(cond, whole)
		}
	}
}

func (f *finder) binary(b *ast.BinaryExpr, whole bool) {
	operator := func(kind, with string) {
		f.add(kind, b, b.OpPos, b.OpPos+token.Pos(len(b.Op.String())), with)
	}
	if with, ok := turned[b.Op]; ok && !whole {
		operator(kindCompare, with)
	}
	if with, ok := otherBoundary[b.Op]; ok {
		operator(kindBoundary, with)
	}
	if with, ok := otherLogic[b.Op]; ok {
		operator(kindLogic, with)
	}
	if with, ok := otherSign[b.Op]; ok {
		operator(kindSign, with)
	}
}

// returned changes the last result, which says how it went.
func (f *finder) returned(t *ast.FuncType, r *ast.ReturnStmt) {
	if t == nil || t.Results == nil || len(r.Results) == 0 || len(r.Results) != t.Results.NumFields() {
		return
	}
	types := t.Results.List
	last, ok := types[len(types)-1].Type.(*ast.Ident)
	if !ok {
		return
	}
	value := r.Results[len(r.Results)-1]
	text := f.source(value)
	switch {
	case last.Name == "error" && text != "nil":
		f.add(kindError, r, value.Pos(), value.End(), "func(...any) error { return nil }("+text+")")
	case last.Name == "bool" && text == "true":
		f.add(kindBool, r, value.Pos(), value.End(), "false")
	case last.Name == "bool" && text == "false":
		f.add(kindBool, r, value.Pos(), value.End(), "true")
	}
}

func (f *finder) statement(n ast.Node) {
	switch s := n.(type) {
	case *ast.AssignStmt:
		f.assignment(s)
	case *ast.IncDecStmt:
		f.add(kindSign, s, s.TokPos, s.End(), otherSign[s.Tok])
		f.add(kindAssign, s, s.Pos(), s.End(), "_ = "+f.source(s.X))
	case *ast.ExprStmt:
		if call, ok := s.X.(*ast.CallExpr); ok {
			f.add(kindCall, s, s.Pos(), s.End(), f.arguments(call))
		}
	case *ast.DeferStmt:
		f.add(kindDefer, s, s.Pos(), s.End(), f.arguments(s.Call))
	case *ast.BranchStmt:
		if with, ok := otherLoop[s.Tok]; ok {
			f.add(kindLoop, s, s.Pos(), s.Pos()+token.Pos(len(s.Tok.String())), with)
		}
	}
}

// assignment loses the value. A variable that is only declared this way has no mutant: it would not compile.
func (f *finder) assignment(s *ast.AssignStmt) {
	if s.Tok == token.DEFINE {
		return
	}
	if with, ok := otherSign[s.Tok]; ok {
		f.add(kindSign, s, s.TokPos, s.TokPos+token.Pos(len(s.Tok.String())), with)
	}
	blanks := strings.TrimSuffix(strings.Repeat("_, ", len(s.Lhs)), ", ")
	kept := s.Rhs
	if slices.ContainsFunc(s.Rhs, isNil) {
		kept = s.Lhs // nil has no type of its own, so the old value is looked at instead
	}
	values := f.text[f.file.Offset(kept[0].Pos()):f.file.Offset(kept[len(kept)-1].End())]
	f.add(kindAssign, s, s.Pos(), s.End(), blanks+" = "+values)
}

func isNil(e ast.Expr) bool {
	name, ok := e.(*ast.Ident)
	return ok && name.Name == "nil"
}

// arguments evaluates those of a call, so that what it names stays in use: variables, and the import of what is called.
func (f *finder) arguments(call *ast.CallExpr) string {
	var texts []string
	if _, ok := call.Fun.(*ast.SelectorExpr); ok {
		texts = append(texts, f.source(call.Fun))
	}
	for _, arg := range call.Args {
		texts = append(texts, f.source(arg))
	}
	return "_ = []any{" + strings.Join(texts, ", ") + "}"
}
