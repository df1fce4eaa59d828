// Command panics ends by the panic that its argument names.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
)

type point struct{ X, Y int }

type failure struct{ Code int }

func (f failure) Error() string { return fmt.Sprintf("failure %d\nsee above", f.Code) }

type label string

var ends = map[string]func(){
	"todo":      func() { panic("TODO(1): make Map send its results") },
	"multiline": func() { panic("first line\nsecond line\n\nfourth line") },
	"error":     func() { panic(fmt.Errorf("saving: %w", errors.New("disk full"))) },
	"failure":   func() { panic(failure{7}) },
	"struct":    func() { panic(point{1, 2}) },
	"string":    func() { panic(label("two\nlines")) },
	"nil":       func() { panic(nil) },
	"deref": func() {
		var p *point
		p.X = 1
	},
	"index": func() {
		var s []int
		s[len(os.Args)] = 1
	},
	"closed": func() {
		c := make(chan int)
		close(c)
		c <- 1
	},
	"waitgroup": func() {
		var wg sync.WaitGroup
		defer wg.Done()
		panic("first")
	},
	"nested": func() {
		defer func() {
			defer func() { panic("third") }()
			panic("second\nof two lines")
		}()
		panic("first")
	},
	"recovered": func() {
		defer func() { panic(fmt.Sprint("wrapped: ", recover())) }()
		panic("first")
	},
	"repanicked": func() {
		defer func() { panic(recover()) }()
		panic("first")
	},
	"fatal": func() {
		defer new(sync.Mutex).Unlock()
		panic("first")
	},
	// A panic that the program survives and prints by itself is none of the
	// runtime's, even though it looks like one.
	"survived": func() {
		defer func() {
			fmt.Printf("panic: %v\n\n%s\n", recover(), debug.Stack())
			os.Exit(1)
		}()
		panic("first")
	},
	"unfinished": func() {
		fmt.Fprintln(os.Stderr, "panic: only printed")
		fmt.Fprint(os.Stderr, "working... ")
		panic("real")
	},
	"goroutine": func() {
		go func() { panic("in a goroutine of its own") }()
		select {}
	},
}

func main() { ends[os.Args[1]]() }
