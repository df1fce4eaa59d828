package dump

import "bytes"

// A Race is one report of the race detector.
type Race struct {
	// Accesses are the two that nothing orders, the newer one first.
	Accesses [2]Access
	// Location says what was accessed, in the detector's words, if it does:
	// "Heap block of size 16 at 0x00c0000a6028 allocated by main goroutine".
	Location string
}

// An Access is one side of a race. The detector does not say whether it was
// atomic, but a Stack whose innermost frame is in sync/atomic does.
type Access struct {
	Write bool
	// Goroutine is the detector's own number for the goroutine, 0 for the main
	// goroutine. It has nothing to do with the ID of a [Goroutine].
	Goroutine int
	// Finished means that the goroutine had ended when the race was found.
	Finished bool
	// Stack is the stack of the access, innermost call first. It is nil if the
	// detector has forgotten it.
	Stack []Frame
	// CreatedAt is the stack of the go statement that started the goroutine,
	// nil for the main goroutine. Package sync is compiled without the
	// detector's help, so that the stack of a WaitGroup's Go goes on with the
	// caller of its caller.
	CreatedAt []Frame
}

// Races returns all the reports of data races in text, in order. A report of
// which not both accesses can be read, because the text ends in its middle,
// is left out.
func Races(text []byte) []Race {
	p := newParser(text)
	var all []Race
	for p.scan() {
		if before, ok := raceHeader(p.line); ok {
			if race, ok := p.race(indentation(before)); ok {
				all = append(all, race)
			}
		}
	}
	return all
}

// raceHeader reads the first line of a report, but for the rule before it. The
// detector writes it in pieces, so that the program's own text may precede it.
//
//	WARNING: DATA RACE
func raceHeader(line []byte) (before []byte, ok bool) {
	return bytes.CutSuffix(line, []byte("WARNING: DATA RACE"))
}

// race reads a report up to the rule that ends it. Its sections are a line and
// a stack each; all of their lines begin with indent.
//
//	Write at 0x00c000094dc8 by goroutine 9:
//	  main.main()
//	      /work/main.go:65 +0x110
func (p *parser) race(indent []byte) (Race, bool) {
	var (
		race     Race
		accesses int
		created  []Access // what the report says about goroutines
		stack    *[]Frame // of the current section, nil if it does not matter
		function string   // whose position is still to come
	)
	for p.scan() {
		if bytes.HasSuffix(p.line, []byte("==================")) {
			break
		}
		if _, ok := raceHeader(p.line); ok {
			p.unscan()
			break
		}
		if blank(p.line) {
			// Whatever section comes next, it is another one.
			stack, function = nil, ""
			continue
		}
		line, ok := bytes.CutPrefix(p.line, indent)
		if !ok {
			continue
		}
		if where, ok := cut(line, "      "); ok {
			if file, number, ok := p.position(where); ok && function != "" && stack != nil {
				*stack = append(*stack, Frame{function, file, number})
				function = ""
			}
			continue
		}
		if call, ok := cut(line, "  "); ok {
			if name, ok := p.function(call); ok {
				function = name
			}
			continue
		}
		if access, ok := access(line); ok {
			stack, function = nil, ""
			if accesses < len(race.Accesses) {
				race.Accesses[accesses] = access
				stack = &race.Accesses[accesses].Stack
			}
			accesses++
		} else if goroutine, ok := creation(line); ok {
			created = append(created, goroutine)
			stack, function = &created[len(created)-1].CreatedAt, ""
		} else if location(line) {
			race.Location = string(bytes.TrimSuffix(line, []byte(":")))
			stack = nil
		}
	}
	for i := range race.Accesses {
		access := &race.Accesses[i]
		for _, goroutine := range created {
			if goroutine.Goroutine == access.Goroutine {
				access.Finished, access.CreatedAt = goroutine.Finished, goroutine.CreatedAt
			}
		}
	}
	return race, accesses == len(race.Accesses)
}

// access reads the line above the stack of an access.
//
//	Write at 0x00c000094dc8 by goroutine 9:
//	Previous read at 0x000000624358 by main goroutine:
func access(line []byte) (Access, bool) {
	words, line, ok := bytes.Cut(line, []byte(" at 0x"))
	if !ok {
		return Access{}, false
	}
	_, line, _ = bytes.Cut(line, []byte(" "))
	line, ok = cut(line, "by ")
	if !ok {
		return Access{}, false
	}
	var a Access
	switch string(words) {
	case "Write", "Previous write":
		a.Write = true
	case "Read", "Previous read":
	default:
		return Access{}, false
	}
	if string(line) == "main goroutine:" {
		return a, true
	}
	line, ok = cut(line, "goroutine ")
	if !ok {
		return Access{}, false
	}
	a.Goroutine, line, ok = cutNumber(line)
	return a, ok && string(line) == ":"
}

// creation reads the line above the stack of a go statement.
//
//	Goroutine 9 (running) created at:
//	Goroutine 10 (finished) created at:
func creation(line []byte) (Access, bool) {
	line, ok := cut(line, "Goroutine ")
	if !ok {
		return Access{}, false
	}
	id, line, ok := cutNumber(line)
	if !ok {
		return Access{}, false
	}
	status, ok := bytes.CutSuffix(line, []byte(" created at:"))
	return Access{Goroutine: id, Finished: string(status) == " (finished)"}, ok
}

// location reports whether line says what was accessed. The detector knows how
// to, although Go does not tell it enough by default.
//
//	Heap block of size 16 at 0x00c0000a6028 allocated by goroutine 7:
//	Global var main.total of size 8 at 0x000000624358 declared at /work/main.go:21
func location(line []byte) bool {
	return bytes.HasPrefix(line, []byte("Heap block of size ")) ||
		bytes.HasPrefix(line, []byte("Global var "))
}
