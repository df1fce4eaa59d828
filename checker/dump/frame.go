package dump

import "bytes"

// A Frame is one call on a stack.
type Frame struct {
	// Func is the function's name as the runtime prints it, without arguments
	// and with the type arguments left out:
	// "concurrency-koans/lessons/01-pipeline.Map[...].func1".
	// A panic that was under way is the function "panic".
	Func string
	File string
	Line int
}

// function reads the line of a frame that names the function. A line that only
// resembles it, because the program printed "done (3)", is none.
//
//	main.(*queue[...]).put(0xc000012345, {0x4a0e60?, 0x1})
//	main.(*counter[go.shape.int64]).add()
func (p *parser) function(line []byte) (string, bool) {
	// Arguments are numbers, braces and dots, so that the last parenthesis is
	// theirs and not that of a receiver.
	open := bytes.LastIndexByte(line, '(')
	if open < 0 || line[len(line)-1] != ')' {
		return "", false
	}
	return p.name(line[:open])
}

// name checks and copies a function's name. The race detector spells out type
// arguments, which can hold spaces; like the runtime, name does not.
//
//	main.(*queue[...]).put
//	main.Map[go.shape.int,go.shape.struct { main.x int }].func1
func (p *parser) name(b []byte) (string, bool) {
	first, last := bytes.IndexByte(b, '['), bytes.LastIndexByte(b, ']')
	if 0 < first && first < last && string(b[first:last+1]) != "[...]" {
		b = append(append(b[:first:first], "[...]"...), b[last+1:]...)
	}
	if bytes.ContainsAny(b, " \t") || bytes.IndexByte(b, '.') < 0 && string(b) != "panic" {
		return "", false
	}
	return p.names.get(b), true
}

// position reads the line of a frame that says where, without its indentation.
//
//	/work/lessons/01-pipeline/pipeline.go:21 +0x5c
//	/work/lessons/01-pipeline/pipeline.go:21 +0x17 fp=0xc00005fcf0 sp=0xc00005fcd8 pc=0x489897
func (p *parser) position(line []byte) (file string, number int, ok bool) {
	for _, offset := range []string{" +0x", " fp=0x"} {
		if i := bytes.LastIndex(line, []byte(offset)); i >= 0 {
			line = line[:i]
		}
	}
	colon := bytes.LastIndexByte(line, ':') // a path of Windows has one more
	if colon <= 0 {
		return "", 0, false
	}
	number, rest, ok := cutNumber(line[colon+1:])
	if !ok || len(rest) > 0 && rest[0] != ' ' {
		return "", 0, false
	}
	return p.names.get(line[:colon]), number, true
}
