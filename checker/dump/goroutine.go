package dump

import (
	"bytes"
	"slices"
	"time"
)

// A Goroutine is one goroutine of a dump.
type Goroutine struct {
	ID int

	// State says what the goroutine does or waits for, in the runtime's words:
	// "running", "chan send", "select (no cases)", "sync.Mutex.Lock". It is
	// without the parts that the next four fields hold.
	State string
	// Waiting is for how long, in whole minutes: the runtime prints no less,
	// and it notes the beginning only when it collects garbage.
	Waiting time.Duration
	// Durable means that only its own bubble can wake the goroutine.
	Durable bool
	// Leaked means that the runtime has proved that nothing can wake it.
	Leaked bool
	// Bubble numbers the synctest bubble that the goroutine belongs to, 0 for
	// none.
	Bubble int

	// Frames is the stack, innermost call first, with the runtime's own frames
	// if they were printed. It is nil if the runtime could not walk the stack.
	Frames []Frame
	// Elided counts the frames that the runtime left out in the middle of
	// Frames, for a stack of more than a hundred.
	Elided int

	// CreatedBy is the go statement that started the goroutine, and Creator the
	// goroutine that executed it. They are zero where they were not printed,
	// as for the main goroutine. For a goroutine that a WaitGroup started,
	// CreatedBy is inside of the method Go.
	CreatedBy Frame
	Creator   int
}

// Goroutines returns all the goroutines whose stacks stand in text, in order,
// no matter what printed them. One without a frame is left out, since a program
// may print a line like a goroutine's header, too, unless the runtime says
// that it could not walk the stack.
func Goroutines(text []byte) []Goroutine {
	p := newParser(text)
	var all []Goroutine
	for p.scan() {
		if g, ok := p.goroutine(); ok {
			all = append(all, g)
		}
	}
	return all
}

// goroutine reads the goroutine whose header is the current line, if it is one.
func (p *parser) goroutine() (Goroutine, bool) {
	g, indent, ok := p.header()
	if !ok {
		return Goroutine{}, false
	}
	ok = p.stack(&g, indent)
	return g, ok
}

// stack reads the lines after a header: the frames, two lines each, and the go
// statement. It ends behind them, and reports whether there was anything.
//
//	main.f(0x1)
//		/work/main.go:12 +0x1d
//	created by main.main in goroutine 1
//		/work/main.go:31 +0x2e
func (p *parser) stack(g *Goroutine, indent []byte) (found bool) {
	p.frames = p.frames[:0]
	defer func() {
		if len(p.frames) > 0 {
			g.Frames = slices.Clone(p.frames)
		}
	}()

	function := "" // whose position is still to come
	for p.scan() {
		if blank(p.line) {
			break
		}
		if _, _, ok := p.header(); ok || p.crashing() {
			p.unscan()
			break
		}
		line, ok := bytes.CutPrefix(p.line, indent)
		if !ok {
			continue
		}
		if where, ok := cut(line, "\t"); ok {
			if string(where) == "goroutine running on other thread; stack unavailable" {
				found = true
			}
			file, number, ok := p.position(where)
			switch {
			case !ok:
			case g.CreatedBy.Func != "":
				g.CreatedBy.File, g.CreatedBy.Line = file, number
				return true
			case function != "":
				p.frames = append(p.frames, Frame{function, file, number})
				function, found = "", true
			}
			continue
		}
		if name, creator, ok := p.createdBy(line); ok {
			g.CreatedBy.Func, g.Creator = name, creator
			function, found = "", true
		} else if n, ok := elided(line); ok {
			g.Elided += n
		} else if name, ok := p.function(line); ok {
			function = name
		}
	}
	return found
}

// createdBy reads the line about the go statement. What the runtime starts
// by itself, the function of a time.AfterFunc, has no creator.
//
//	created by main.main in goroutine 1
//	created by time.goFunc
func (p *parser) createdBy(line []byte) (name string, creator int, ok bool) {
	line, ok = cut(line, "created by ")
	if !ok {
		return "", 0, false
	}
	function, id, _ := bytes.Cut(line, []byte(" in goroutine "))
	creator, _, _ = cutNumber(id)
	name, ok = p.name(function)
	return name, creator, ok
}

// elided reads the line in place of the middle of a deep stack.
//
//	...106 frames elided...
func elided(line []byte) (n int, ok bool) {
	line, ok = cut(line, "...")
	if !ok {
		return 0, false
	}
	n, line, ok = cutNumber(line)
	return n, ok && string(line) == " frames elided..."
}
