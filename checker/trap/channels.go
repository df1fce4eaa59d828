package trap

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strconv"
	"strings"
)

// breaks finds breaks that leave a select and not the loop around it.
func (f *finder) breaks() {
	each(f.decl.Body, func(n ast.Node, around []ast.Node) {
		b, ok := n.(*ast.BranchStmt)
		if !ok || b.Tok != token.BREAK || b.Label != nil {
			return
		}
		left, i := nearest(around, func(n ast.Node) bool {
			switch n.(type) {
			case *ast.SelectStmt, *ast.SwitchStmt, *ast.TypeSwitchStmt:
				return true
			}
			return isLoop(n)
		})
		loop, j := nearest(around[:max(i, 0)], isLoop)
		if _, ok := left.(*ast.SelectStmt); ok && loop != nil && isLast(left, around[j+1]) {
			f.add(BreakInSelect, b, "", "This break leaves the select, not the loop around it.")
		}
	})
}

// isLast reports whether a statement is the last of a loop's body: what leaves
// it has nowhere to go but into the next round. Behind others, code may follow
// that asks how the statement was left.
func isLast(s, body ast.Node) bool {
	block, ok := body.(*ast.BlockStmt)
	return ok && block.List[len(block.List)-1].End() == s.End()
}

// receives finds receives that ask neither ctx nor whether the channel is
// closed.
func (f *finder) receives() {
	each(f.decl.Body, func(n ast.Node, around []ast.Node) {
		switch n := n.(type) {
		case *ast.RangeStmt:
			if from := text(n.X); f.takesContext(around) && f.isParameter(from, around, isChan) {
				f.add(BareReceive, n, from, fmt.Sprintf("A range over %s ends when it is closed, and not when ctx ends.", quoted(from)))
			}
		case *ast.UnaryExpr:
			if n.Op != token.ARROW {
				return
			}
			from := text(n.X)
			if inSelect(n, around) == nil && f.takesContext(around) && f.isParameter(from, around, isChan) {
				f.add(BareReceive, n, from, fmt.Sprintf("A receive from %s outside a select waits on when ctx ends.", quoted(from)))
			}
			assign, ok := around[len(around)-1].(*ast.AssignStmt)
			if !ok || len(assign.Lhs) != 1 || text(assign.Lhs[0]) == "_" || !inLoop(around) {
				return
			}
			if !isLoopVariable(from, around) && (f.isParameter(from, around, isChan) || strings.Contains(from, ".") && f.isClosed(from)) {
				f.add(ValueWithoutCheck, assign, from, fmt.Sprintf("A closed channel gives zero values without end. `%s, ok := <-%s` tells when %[2]s is closed.", text(assign.Lhs[0]), from))
			}
		}
	})
}

// isLoopVariable reports whether a range around gives the variable its values.
func isLoopVariable(name string, around []ast.Node) bool {
	for _, n := range around {
		if r, ok := n.(*ast.RangeStmt); ok && (r.Key != nil && text(r.Key) == name || r.Value != nil && text(r.Value) == name) {
			return true
		}
	}
	return false
}

// inSelect returns the select that n is the communication of a case of.
func inSelect(n ast.Node, around []ast.Node) *ast.SelectStmt {
	for i := len(around) - 1; i >= 2; i-- {
		if c, ok := around[i].(*ast.CommClause); ok {
			if c.Comm != nil && c.Comm.Pos() <= n.Pos() && n.End() <= c.Comm.End() {
				s, _ := around[i-2].(*ast.SelectStmt)
				return s
			}
			return nil
		}
		if _, ok := around[i].(*ast.FuncLit); ok {
			return nil
		}
	}
	return nil
}

// isClosed reports whether any line of the file closes a channel of this name.
func (f *finder) isClosed(channel string) (found bool) {
	ast.Inspect(f.file, func(n ast.Node) bool {
		found = found || closed(n) != "" && last(closed(n)) == last(channel)
		return !found
	})
	return found
}

// closed names the channel that a call closes.
func closed(n ast.Node) string {
	if s, ok := n.(*ast.ExprStmt); ok {
		n = s.X
	}
	if call, ok := n.(*ast.CallExpr); ok && len(call.Args) == 1 && text(call.Fun) == "close" {
		return text(call.Args[0])
	}
	return ""
}

// sends finds sends outside a select where there is a ctx to listen to.
func (f *finder) sends() {
	each(f.decl.Body, func(n ast.Node, around []ast.Node) {
		send, ok := n.(*ast.SendStmt)
		if !ok || inSelect(n, around) != nil || !f.takesContext(around) || f.isBuffered(text(send.Chan)) || f.isReceived(text(send.Chan), f.decl) {
			return
		}
		f.add(BareSend, send, text(send.Chan), fmt.Sprintf("A send on %s outside a select waits on when ctx ends.", quoted(text(send.Chan))))
	})
}

// isReceived reports whether root has a receive from, or a range over, a
// channel of this name.
func (f *finder) isReceived(channel string, root ast.Node) (found bool) {
	ast.Inspect(root, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.UnaryExpr:
			found = found || n.Op == token.ARROW && last(text(n.X)) == last(channel)
		case *ast.RangeStmt:
			found = found || last(text(n.X)) == last(channel)
		}
		return !found
	})
	return found
}

// isBuffered reports whether the declared function makes the channel with room,
// or, of a field, any line of the file.
func (f *finder) isBuffered(channel string) (found bool) {
	var root ast.Node = f.decl
	if strings.Contains(channel, ".") {
		root = f.file
	}
	ast.Inspect(root, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for i, l := range n.Lhs {
				if i < len(n.Rhs) && last(text(l)) == last(channel) && roomOf(n.Rhs[i]) != "" {
					found = true
				}
			}
		case *ast.KeyValueExpr:
			if text(n.Key) == last(channel) && roomOf(n.Value) != "" {
				found = true
			}
		}
		return !found
	})
	return found
}

// roomOf is the room that an expression makes a channel with, "" if it makes
// none or one without room.
func roomOf(e ast.Expr) string {
	call, ok := e.(*ast.CallExpr)
	if !ok || text(call.Fun) != "make" || len(call.Args) != 2 || !isChan(call.Args[0]) {
		return ""
	}
	return text(call.Args[1])
}

// selects finds selects that never wait, and those that give up by themselves.
func (f *finder) selects() {
	each(f.decl.Body, func(n ast.Node, around []ast.Node) {
		s, ok := n.(*ast.SelectStmt)
		if !ok {
			return
		}
		var sent string
		var fallback *ast.CommClause
		for _, stmt := range s.Body.List {
			c := stmt.(*ast.CommClause)
			if c.Comm == nil {
				fallback = c
			}
			if send, ok := c.Comm.(*ast.SendStmt); ok {
				sent = text(send.Value)
			}
			each(c, func(n ast.Node, _ []ast.Node) {
				if x, sel := called(n); c.Comm != nil && x == "time" && sel == "After" && n.Pos() >= c.Comm.Pos() && n.End() <= c.Comm.End() {
					if wait := n.(*ast.CallExpr).Args[0]; isLiteralTime(wait) {
						f.add(LiteralTimeout, c, "", fmt.Sprintf("After %s this select gives up by itself.", quoted(text(wait))))
					}
				}
			})
		}
		if fallback == nil {
			return
		}
		if sent != "" && sent != "struct{}{}" && !strings.HasPrefix(f.decl.Name.Name, "Try") && !leaves(fallback.Body) && !counts(fallback) {
			f.add(DefaultOnSend, fallback, sent, fmt.Sprintf("With this default the select does not wait: %s is dropped when nobody is ready to receive it.", quoted(sent)))
		}
		if inLoop(around) && !leaves(fallback.Body) {
			f.add(DefaultInLoop, fallback, "", "With this default the select never waits, so the loop around it spins.")
		}
	})
}

// counts reports whether a case counts something: who counts what is dropped
// means to drop it.
func counts(c *ast.CommClause) (found bool) {
	ast.Inspect(c, func(n ast.Node) bool {
		_, step := n.(*ast.IncDecStmt)
		_, sel := called(n)
		found = found || step || sel == "Add"
		return !found
	})
	return found
}

// leaves reports whether statements end in leaving the function or the loop.
func leaves(list []ast.Stmt) bool {
	if len(list) == 0 {
		return false
	}
	switch s := list[len(list)-1].(type) {
	case *ast.ReturnStmt:
		return true
	case *ast.BranchStmt:
		return s.Label != nil || s.Tok == token.GOTO
	case *ast.ExprStmt:
		call, ok := s.X.(*ast.CallExpr)
		return ok && text(call.Fun) == "panic"
	}
	return false
}

// isLiteralTime reports whether a duration is made of numbers and the units of
// package time alone.
func isLiteralTime(e ast.Expr) bool {
	literal := false
	plain := true
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			literal = true
		case *ast.SelectorExpr:
			literal = literal || text(n.X) == "time"
			plain = plain && text(n.X) == "time"
			return false
		case *ast.Ident, *ast.CallExpr:
			plain = false
		}
		return true
	})
	return literal && plain
}

// closes finds closes that a return passes by.
func (f *finder) closes() {
	each(f.decl.Body, func(n ast.Node, around []ast.Node) {
		call, ok := n.(*ast.CallExpr)
		channel := closed(n)
		if !ok || channel == "" || len(around) < 2 {
			return
		}
		if _, ok := around[len(around)-1].(*ast.ExprStmt); !ok {
			return // deferred, or the whole of a goroutine
		}
		body := f.decl.Body
		for _, a := range around {
			if lit, ok := a.(*ast.FuncLit); ok {
				body = lit.Body
			}
		}
		if around[len(around)-2] != body || strings.Contains(channel, "[") {
			return // it belongs to one round of a loop, or to one case
		}
		if waitsAfter(body, call.Pos()) {
			return // the close is what those are waiting for who are waited for
		}
		if before := returnWithout(body, channel, call.Pos()); before != nil {
			f.add(CloseOnOnePath, call, channel, fmt.Sprintf("The return on line %d leaves without closing %s; a deferred close is done on every way out.", f.line(before), quoted(channel)))
		}
	})
}

// waitsAfter reports whether a statement of the function body, after pos, waits
// for a WaitGroup or the like.
func waitsAfter(body *ast.BlockStmt, pos token.Pos) (found bool) {
	for _, s := range body.List {
		if s.Pos() > pos {
			each(s, func(n ast.Node, _ []ast.Node) {
				_, sel := called(n)
				found = found || sel == "Wait"
			})
		}
	}
	return found
}

// returnWithout returns a return of the function body, before pos and after the
// channel, or what it is a field of, has been made, that no close of the channel goes directly before.
func returnWithout(body *ast.BlockStmt, channel string, pos token.Pos) (found ast.Node) {
	made := body.Pos()
	owner, _, _ := strings.Cut(channel, ".")
	ast.Inspect(body, func(n ast.Node) bool {
		if a, ok := n.(*ast.AssignStmt); ok && a.Pos() < pos && slices.ContainsFunc(a.Lhs, func(e ast.Expr) bool { return text(e) == channel || text(e) == owner }) {
			made = a.Pos()
		}
		return true
	})
	ast.Inspect(body, func(n ast.Node) bool {
		var list []ast.Stmt
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.BlockStmt:
			list = n.List
		case *ast.CommClause:
			list = n.Body
		case *ast.CaseClause:
			list = n.Body
		}
		for i, s := range list {
			if r, ok := s.(*ast.ReturnStmt); ok && found == nil && r.Pos() < pos && r.Pos() > made {
				if i == 0 || closed(list[i-1]) != channel {
					found = r
				}
			}
		}
		return true
	})
	return found
}

// channels finds, in the whole file, channels that nobody makes or closes, and
// those with a great deal of room.
func (f *finder) channels() {
	for _, d := range f.file.Decls {
		f.decl, _ = d.(*ast.FuncDecl)
		each(d, func(n ast.Node, around []ast.Node) {
			switch n := n.(type) {
			case *ast.CallExpr:
				if room, err := strconv.Atoi(roomOf(n)); err == nil && room >= 50 {
					f.add(BigBuffer, n, "", fmt.Sprintf("This channel has room for %d values that nobody has asked for yet.", room))
				}
			case *ast.RangeStmt:
				from := text(n.X)
				typ := f.fieldType(last(from))
				if strings.Contains(from, ".") && typ != nil && isChan(typ) && !f.isClosed(from) {
					f.add(NeverClosed, n, from, fmt.Sprintf("No line closes %s, so this loop has no end.", quoted(from)))
				}
			case *ast.SendStmt:
				to := text(n.Chan)
				typ := f.fieldType(last(to))
				if strings.Contains(to, ".") && typ != nil && isChan(typ) && !f.isReceived(to, f.file) {
					f.add(NeverReceived, n, to, fmt.Sprintf("No line receives from %s, so its room is never given back.", quoted(to)))
				}
			case *ast.ValueSpec:
				if f.decl == nil || n.Type == nil || !isChan(n.Type) || len(n.Values) > 0 {
					return
				}
				for _, id := range n.Names {
					if !f.assigned(id.Name, f.decl) {
						f.add(NeverMade, n, id.Name, fmt.Sprintf("The channel %s is declared here and never made.", quoted(id.Name)))
					}
				}
			case *ast.CompositeLit:
				f.unmadeFields(n)
			}
		})
	}
	f.decl = nil
}

// unmadeFields finds channels that a struct literal leaves out and nobody sets.
func (f *finder) unmadeFields(lit *ast.CompositeLit) {
	typ := lit.Type
	if index, ok := typ.(*ast.IndexExpr); ok {
		typ = index.X
	}
	if index, ok := typ.(*ast.IndexListExpr); ok {
		typ = index.X
	}
	id, ok := typ.(*ast.Ident)
	if !ok {
		return
	}
	s := f.structType(id.Name)
	if s == nil {
		return
	}
	set := map[string]bool{}
	for _, e := range lit.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			return // without names, all of them are given
		}
		set[text(kv.Key)] = true
	}
	for _, field := range s.Fields.List {
		for _, name := range field.Names {
			if isChan(field.Type) && !set[name.Name] && !f.assigned(name.Name, f.file) {
				f.add(NeverMade, lit, name.Name, fmt.Sprintf("%s is made here without its channel %s, and no line makes that.", id.Name, quoted(name.Name)))
			}
		}
	}
}

func (f *finder) structType(name string) (found *ast.StructType) {
	ast.Inspect(f.file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok && spec.Name.Name == name {
			found, _ = spec.Type.(*ast.StructType)
		}
		return found == nil
	})
	return found
}

// assigned reports whether =, a literal or the & operator gives a variable or field of
// this name a value below root.
func (f *finder) assigned(name string, root ast.Node) (found bool) {
	ast.Inspect(root, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, l := range n.Lhs {
				found = found || n.Tok == token.ASSIGN && last(text(l)) == name
			}
		case *ast.UnaryExpr:
			found = found || n.Op == token.AND && last(text(n.X)) == name
		case *ast.KeyValueExpr:
			found = found || text(n.Key) == name // another literal of the type
		case *ast.RangeStmt:
			for _, l := range []ast.Expr{n.Key, n.Value} {
				found = found || n.Tok == token.ASSIGN && l != nil && text(l) == name
			}
		}
		return !found
	})
	return found
}
