// Package dump reads what the Go runtime and the race detector print when a
// program goes wrong: the stacks of goroutines ([Goroutines]), the reports of
// data races ([Races]), and the panic or fatal error that ended the program
// ([FindCrash]). It reads goleak's reports of leaked goroutines, too.
//
// The text may be the whole output of a program. What is none of the runtime's
// is skipped, before, between and, line by line, inside of what is. A dump may
// stand indented, as testing and testify indent what a test logs.
//
// None of it is a format that Go promises to keep. So no function returns an
// error or panics: wording that this package does not know is left out, and
// never taken for something else. Reading takes time linear in the text, and
// nothing that is returned refers to it.
package dump

// parser holds what the functions that read one rule of the grammar share.
type parser struct {
	lines
	names names

	// frames is where a stack grows until its length is known.
	frames []Frame
}

func newParser(text []byte) *parser {
	return &parser{lines: lines{text: text}, names: make(names)}
}

// names holds one copy of each name of a text. A dump of ten thousand
// goroutines mentions some dozens of functions: strings cut out of the text
// would keep all of its megabytes in memory, and a copy for each frame would
// double them.
type names map[string]string

func (n names) get(b []byte) string {
	if s, ok := n[string(b)]; ok { // does not allocate
		return s
	}
	s := string(b)
	n[s] = s
	return s
}
