package dump

import (
	"bytes"
	"time"
)

// header reads a goroutine's first line. All the other ones are indented by the
// same indent.
func (p *parser) header() (g Goroutine, indent []byte, ok bool) {
	before, ok := p.runtimeHeader(&g)
	if !ok {
		if !p.goleakHeader(&g) {
			return Goroutine{}, nil, false
		}
		before = p.line
	}
	if blank(before) {
		return g, before, true
	}
	// The first line of a log entry stands behind something else, and goleak
	// puts brackets and a space before its headers. The next line shows how
	// far the rest is indented.
	return g, indentation(p.peek()), true
}

// runtimeHeader reads the runtime's header, and returns what stands before it.
//
//	goroutine 18 [chan receive (nil chan), 2 minutes, locked to thread]:
//	goroutine 1 gp=0xc0000081e0 m=4 mp=0xc000043808 [running]:
func (p *parser) runtimeHeader(g *Goroutine) (before []byte, ok bool) {
	line, ok := bytes.CutSuffix(p.line, []byte("]:"))
	if !ok {
		return nil, false
	}
	before, line, ok = bytes.Cut(line, []byte("goroutine "))
	if !ok {
		return nil, false
	}
	id, line, ok := cutNumber(line)
	if !ok {
		return nil, false
	}
	fields, state, ok := bytes.Cut(line, []byte(" ["))
	if !ok {
		return nil, false
	}
	for field := range bytes.FieldsSeq(fields) {
		if !bytes.Contains(field, []byte("=")) {
			return nil, false // a sentence about a goroutine
		}
	}
	g.ID = id
	p.state(g, state)
	return before, true
}

// goleakHeader reads goleak's header.
//
//	[Goroutine 21 in state chan send, with main.Map[...].func1 on top of the stack:
//	 Goroutine 22 in state sleep, 1 minutes, with time.Sleep on top of the stack:
func (p *parser) goleakHeader(g *Goroutine) bool {
	line, ok := bytes.CutSuffix(p.line, []byte(" on top of the stack:"))
	if !ok {
		return false
	}
	line = bytes.TrimPrefix(bytes.TrimLeft(line, " \t"), []byte("["))
	line, ok = cut(line, "Goroutine ")
	if !ok {
		return false
	}
	id, line, ok := cutNumber(line)
	if !ok {
		return false
	}
	line, ok = cut(line, " in state ")
	if !ok {
		return false
	}
	with := bytes.LastIndex(line, []byte(", with "))
	if with < 0 {
		return false
	}
	g.ID = id
	p.state(g, line[:with])
	return true
}

// state reads what a header says between brackets. Parts that it does not know
// are dropped.
//
//	chan send
//	chan receive (nil chan), 2 minutes, locked to thread
//	sync.WaitGroup.Wait (durable), synctest bubble 1
//	select labels:{"worker": "3"}
func (p *parser) state(g *Goroutine, s []byte) {
	s, _, _ = bytes.Cut(s, []byte(" labels:{")) // quotes anything
	word, parts, _ := bytes.Cut(s, []byte(", "))
	for cutting := true; cutting; {
		switch {
		case bytes.HasSuffix(word, []byte(" (durable)")):
			g.Durable = true
		case bytes.HasSuffix(word, []byte(" (leaked)")):
			g.Leaked = true
		case bytes.HasSuffix(word, []byte(" (scan)")): // the collector is at it
		default:
			cutting = false
			continue
		}
		word = word[:bytes.LastIndexByte(word, ' ')]
	}
	g.State = p.names.get(word)

	for len(parts) > 0 {
		var part []byte
		part, parts, _ = bytes.Cut(parts, []byte(", "))
		const most = 1 << 24 // minutes are thirty years, and fit a Duration
		if n, unit, ok := cutNumber(part); ok && string(unit) == " minutes" && n < most {
			g.Waiting = time.Duration(n) * time.Minute
		} else if bubble, ok := cut(part, "synctest bubble "); ok {
			if n, rest, ok := cutNumber(bubble); ok && len(rest) == 0 {
				g.Bubble = n
			}
		}
	}
}
