package dump

import "bytes"

// A Crash is how the runtime says that it ends the program.
type Crash struct {
	// Failure is the first one, and so the cause of the others.
	Failure
	// Later are the panics and fatal errors of deferred calls, in order, while
	// the first panic unwound the stack.
	Later []Failure
	// Goroutines are the ones that were printed. The first one is where the
	// panic or the fatal error happened, unless the error is about the whole
	// program.
	Goroutines []Goroutine
}

// FindCrash returns the first crash in text, and whether there is one.
//
// A program can print a line like the runtime's, and often does, about a panic
// that it has recovered. So only what the stacks of a crash follow is one: with
// GOTRACEBACK=none there are none.
func FindCrash(text []byte) (Crash, bool) {
	p := newParser(text)
	for p.scan() {
		if crash, ok := p.crash(); ok {
			return crash, true
		}
	}
	return Crash{}, false
}

// crash reads the crash whose first line is the current one, if it is one.
// Otherwise the scan goes on behind what cannot be part of another one.
func (p *parser) crash() (Crash, bool) {
	if failure, ok := lastWords(p.line); ok {
		return Crash{Failure: failure}, true
	}
	if failure, ok := p.signal(); ok {
		return Crash{Failure: failure, Goroutines: p.rest(nil)}, true
	}
	failures, ok := p.failures()
	if !ok {
		return Crash{}, false
	}
	crash := Crash{Failure: failures[0]}
	if len(failures) > 1 {
		crash.Later = failures[1:]
	}
	if g, ok := p.goroutine(); ok {
		if len(g.Frames) > 0 && g.Frames[0].Func == "runtime/debug.Stack" {
			return Crash{}, false // the program has printed all this by itself
		}
		crash.Goroutines = append(crash.Goroutines, g)
	}
	crash.Goroutines = p.rest(crash.Goroutines)
	return crash, true
}

// failures reads the panics and fatal errors up to the first line of the stacks,
// which becomes the current one. It reports whether there is such a line.
//
//	panic: first
//		panic: second
//	[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x4a2822]
//
//	goroutine 1 [running]:
func (p *parser) failures() ([]Failure, bool) {
	// How many lines of the program itself may come in between. Until the
	// runtime has stopped them, other goroutines go on printing.
	const maxForeign = 16

	kind, message, ok := failureIn(p.line)
	if !ok {
		return nil, false
	}
	var (
		indent    = indentation(p.line)
		all       = chain{{kind, bytes.Clone(message)}}
		foreign   = 0
		separated = false // by an empty line from what comes next
	)
	for foreign <= maxForeign && p.scan() {
		line, indented := bytes.CutPrefix(p.line, indent)
		more, continued := cut(line, "\t")
		switch {
		case indented && continued && !separated:
			all.extend(more)
		case blank(p.line):
			separated = true
		case indented && separated && p.stacks(line):
			return all.failures(), true
		case p.anotherCrash():
			p.unscan() // and what came so far was the program's
			return nil, false
		default:
			foreign++
			separated = false
		}
	}
	return nil, false
}

// stacks reports whether the stacks of a crash can begin with the current line,
// which is line but for its indentation.
//
//	goroutine 1 [running]:
//	runtime stack:
func (p *parser) stacks(line []byte) bool {
	var g Goroutine
	before, ok := p.runtimeHeader(&g)
	return ok && blank(before) || string(line) == "runtime stack:"
}

// rest appends the goroutines up to the next crash. With GOTRACEBACK=crash each
// thread of the program adds its own, as if it had got a signal.
func (p *parser) rest(all []Goroutine) []Goroutine {
	for p.scan() {
		if p.crashing() {
			break
		}
		if g, ok := p.goroutine(); ok {
			all = append(all, g)
		}
	}
	return all
}

// anotherCrash reports whether the current line makes a better first line of a
// crash than an earlier one: of what looks like one, the last is nearest to the
// stacks.
func (p *parser) anotherCrash() bool {
	_, _, failed := failureIn(p.line)
	_, final := lastWords(p.line)
	return failed || final || p.crashing()
}

// crashing reports whether the current line looks like the first one of a crash.
func (p *parser) crashing() bool {
	if _, ok := p.signal(); ok {
		return true
	}
	_, _, ok := failure(bytes.TrimLeft(p.line, " \t"))
	return ok
}

// chain collects failures of which more lines can follow.
type chain []struct {
	kind    Kind
	message []byte
}

// extend adds a line, without its indentation, to the last failure. A line that
// begins another one does so, even though a message may have such a line, too.
func (c *chain) extend(line []byte) {
	if kind, message, ok := failure(line); ok {
		*c = append(*c, chain{{kind, bytes.Clone(message)}}...)
		return
	}
	last := &(*c)[len(*c)-1].message
	*last = append(append(*last, '\n'), line...)
}

func (c chain) failures() []Failure {
	all := make([]Failure, len(c))
	for i, f := range c {
		message, recovered := cutRecovered(f.message)
		all[i] = Failure{f.kind, string(message), recovered}
	}
	return all
}
