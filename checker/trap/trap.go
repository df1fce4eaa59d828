// Package trap finds in a Go source what people write who are new to
// concurrency, and do not mean: a break that leaves the select instead of the
// loop, an Add inside the goroutine, a return that leaves a mutex locked.
//
// What it says is true of the source, as far as names tell without types.
// Whether it explains a failure is for the caller to judge.
package trap

import (
	"bytes"
	"go/ast"
	"go/printer"
	"go/token"
	"slices"
	"strings"
)

// A Name is what a trap is called.
type Name string

// The traps.
const (
	AddInside         Name = "add-inside"          // WaitGroup.Add in the goroutine that it counts
	BareReceive       Name = "bare-receive"        // a receive that does not listen to ctx
	BareSend          Name = "bare-send"           // a send that does not listen to ctx
	BigBuffer         Name = "big-buffer"          // a channel with room for all
	BreakInSelect     Name = "break-in-select"     // a break that leaves the select only
	CloseOnOnePath    Name = "close-on-one-path"   // a return that comes before the close
	ComparedError     Name = "compared-error"      // == where errors.Is is meant
	CopiedLock        Name = "copied-lock"         // a mutex or WaitGroup that is passed by value
	CountedOnce       Name = "counted-once"        // Add(1) for many goroutines
	DefaultInLoop     Name = "default-in-loop"     // a select that never waits, in a loop
	DefaultOnSend     Name = "default-on-send"     // a select that drops what it cannot send
	DeferredCancel    Name = "deferred-cancel"     // a cancel that comes before the goroutines have worked
	DoneInGo          Name = "done-in-go"          // Done in a function that WaitGroup.Go runs
	DoneTwice         Name = "done-twice"          // two calls of Done for one goroutine
	DroppedError      Name = "dropped-error"       // the error of a callback, not looked at
	EndsGoroutine     Name = "ends-goroutine"      // runtime.Goexit
	ErrorInText       Name = "error-in-text"       // fmt.Errorf without %w
	HeldWhileWaiting  Name = "held-while-waiting"  // a wait with a mutex locked
	IfAroundWait      Name = "if-around-wait"      // Cond.Wait under an if
	KeptContext       Name = "kept-context"        // the ctx of a call, kept for after the call
	LiteralTimeout    Name = "literal-timeout"     // a select that gives up after a while of its own
	LostCancel        Name = "lost-cancel"         // context.WithCancel, and cancel thrown away
	NeverClosed       Name = "never-closed"        // a channel that is ranged over and never closed
	NeverDone         Name = "never-done"          // Add without any Done
	NeverReceived     Name = "never-received"      // a channel that is sent on and never received from
	NeverMade         Name = "never-made"          // a channel variable or field without make
	NeverMentioned    Name = "never-mentioned"     // a function parameter that is not used
	NeverUnlocked     Name = "never-unlocked"      // Lock without any Unlock in the function
	OffByOne          Name = "off-by-one"          // i <= n from 0
	OwnContext        Name = "own-context"         // context.Background where there is a ctx
	PrintInLoop       Name = "print-in-loop"       // a print in a loop
	PullWithoutStop   Name = "pull-without-stop"   // iter.Pull whose stop is never called
	RecoverAroundLoop Name = "recover-around-loop" // a recover after which a loop is over
	RecoverTooDeep    Name = "recover-too-deep"    // recover in a function that a deferred one calls
	ReturnsLocked     Name = "returns-locked"      // a return that leaves a mutex locked
	Shadowed          Name = "shadowed"            // := where = is meant
	SharedVariable    Name = "shared-variable"     // one loop variable for all goroutines
	Sleeps            Name = "sleeps"              // time.Sleep
	UnlockTwice       Name = "unlock-twice"        // Unlock beside a deferred Unlock
	WaitsInOwnGroup   Name = "waits-in-own-group"  // WaitGroup.Wait in a goroutine that it counts
	ValueWithoutCheck Name = "value-without-ok"    // a receive in a loop that does not ask for the close
)

// A Trap is one place.
type Trap struct {
	Name Name
	Line int
	Func string // the declared function around the line
	On   string // the channel, mutex, WaitGroup or variable that it is about; may be ""
	Says string // a sentence about the line
}

// Find returns the traps of a file in the order of their lines. Only text,
// names and structure are looked at.
func Find(fset *token.FileSet, file *ast.File) []Trap {
	f := &finder{fset: fset, file: file}
	for _, d := range file.Decls {
		if decl, ok := d.(*ast.FuncDecl); ok && decl.Body != nil && !isUnwritten(decl) {
			f.decl = decl
			f.breaks()
			f.receives()
			f.sends()
			f.selects()
			f.closes()
			f.groups()
			f.locks()
			f.contexts()
			f.errors()
			f.variables()
			f.loops()
			f.recovers()
		}
	}
	f.channels()
	slices.SortStableFunc(f.traps, func(a, b Trap) int { return a.Line - b.Line })
	return f.traps
}

// isUnwritten reports whether all that a function does is to panic.
func isUnwritten(decl *ast.FuncDecl) bool {
	if len(decl.Body.List) != 1 {
		return false
	}
	s, ok := decl.Body.List[0].(*ast.ExprStmt)
	if !ok {
		return false
	}
	call, ok := s.X.(*ast.CallExpr)
	return ok && text(call.Fun) == "panic"
}

// A finder looks at one declared function after the other.
type finder struct {
	fset  *token.FileSet
	file  *ast.File
	decl  *ast.FuncDecl
	traps []Trap
}

func (f *finder) add(name Name, at ast.Node, on, says string) {
	in := ""
	if f.decl != nil {
		in = f.decl.Name.Name
	}
	f.traps = append(f.traps, Trap{Name: name, Line: f.line(at), Func: in, On: on, Says: says})
}

func (f *finder) line(n ast.Node) int { return f.fset.Position(n.Pos()).Line }

// text prints a node as its author wrote it, in one line.
func text(n ast.Node) string {
	var b bytes.Buffer
	if err := printer.Fprint(&b, token.NewFileSet(), n); err != nil {
		return ""
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// quoted is how a piece of source stands in a sentence.
func quoted(source string) string { return "`" + source + "`" }

// each calls visit for every node below root, root included, with the nodes
// around it, outermost first.
func each(root ast.Node, visit func(n ast.Node, around []ast.Node)) {
	var around []ast.Node
	ast.Inspect(root, func(n ast.Node) bool {
		if n == nil {
			around = around[:len(around)-1]
			return false
		}
		visit(n, around)
		around = append(around, n)
		return true
	})
}

// eachCall calls visit for every call of a method or function of a package:
// x is what stands before the dot, sel what stands behind it.
func eachCall(root ast.Node, visit func(call *ast.CallExpr, x, sel string, around []ast.Node)) {
	each(root, func(n ast.Node, around []ast.Node) {
		if call, ok := n.(*ast.CallExpr); ok {
			if x, sel := called(call); sel != "" {
				visit(call, x, sel, around)
			}
		}
	})
}

// called takes a call apart: "p.mu", "Lock" of p.mu.Lock().
func called(n ast.Node) (x, sel string) {
	if s, ok := n.(*ast.ExprStmt); ok {
		n = s.X
	}
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return "", ""
	}
	fun := call.Fun
	if index, ok := fun.(*ast.IndexExpr); ok {
		fun = index.X
	}
	s, ok := fun.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	return text(s.X), s.Sel.Name
}

// last is what stands behind the last dot: "queue" of p.queue. It is how a
// field is known whatever the receiver is called.
func last(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// nearest returns the innermost node around that is of one of the kinds asked
// for, and its index; it does not look out of a function literal.
func nearest(around []ast.Node, wanted func(ast.Node) bool) (ast.Node, int) {
	for i := len(around) - 1; i >= 0; i-- {
		if wanted(around[i]) {
			return around[i], i
		}
		if _, ok := around[i].(*ast.FuncLit); ok {
			return nil, -1
		}
	}
	return nil, -1
}

func isLoop(n ast.Node) bool {
	switch n.(type) {
	case *ast.ForStmt, *ast.RangeStmt:
		return true
	}
	return false
}

func inLoop(around []ast.Node) bool {
	loop, _ := nearest(around, isLoop)
	return loop != nil
}

// goroutine returns the innermost function literal around that a go statement
// starts, or WaitGroup.Go and the like.
func goroutine(around []ast.Node) *ast.FuncLit {
	for i := len(around) - 1; i >= 2; i-- {
		lit, ok := around[i].(*ast.FuncLit)
		if !ok {
			continue
		}
		call, ok := around[i-1].(*ast.CallExpr)
		if !ok {
			return nil
		}
		if _, ok := around[i-2].(*ast.GoStmt); ok && call.Fun == lit {
			return lit
		}
		if _, sel := called(call); sel == "Go" {
			return lit
		}
	}
	return nil
}

// parameters are those of the declared function and of the literals around.
func (f *finder) parameters(around []ast.Node) (all []*ast.Field) {
	all = append(all, f.decl.Type.Params.List...)
	for _, n := range around {
		if lit, ok := n.(*ast.FuncLit); ok {
			all = append(all, lit.Type.Params.List...)
		}
	}
	return all
}

// takesContext reports whether the function at hand is given a context that
// has a name.
func (f *finder) takesContext(around []ast.Node) bool {
	for _, p := range f.parameters(around) {
		if text(p.Type) == "context.Context" && len(p.Names) > 0 && p.Names[0].Name != "_" {
			return true
		}
	}
	return false
}

// isParameter reports whether name is a parameter whose type is of the kind
// asked for.
func (f *finder) isParameter(name string, around []ast.Node, kind func(ast.Expr) bool) bool {
	for _, p := range f.parameters(around) {
		for _, id := range p.Names {
			if id.Name == name {
				return kind(p.Type)
			}
		}
	}
	return false
}

func isChan(e ast.Expr) bool {
	_, ok := e.(*ast.ChanType)
	return ok
}

// fieldType returns the type of a field of one of the file's structs, nil if
// none has it.
func (f *finder) fieldType(name string) (typ ast.Expr) {
	ast.Inspect(f.file, func(n ast.Node) bool {
		if s, ok := n.(*ast.StructType); ok {
			for _, field := range s.Fields.List {
				for _, id := range field.Names {
					if id.Name == name {
						typ = field.Type
					}
				}
			}
		}
		return typ == nil
	})
	return typ
}
