// Command fatal ends by the fatal error of the runtime that its argument names.
package main

import (
	"os"
	"runtime"
	"sync"
	"syscall"
)

func overflow(n int) int { return overflow(n+1) + 1 }

var ends = map[string]func(){
	"deadlock": func() {
		var mu sync.Mutex
		c := make(chan int)
		go func() {
			mu.Lock()
			c <- 1
		}()
		mu.Lock()
		mu.Lock()
	},
	"goexit": func() { runtime.Goexit() },
	"unlock": func() { new(sync.Mutex).Unlock() },
	"map": func() {
		m := make(map[int]int)
		for range 4 {
			go func() {
				for {
					m[1] = 1
				}
			}()
		}
		select {}
	},
	"overflow": func() { overflow(0) },
	"memory": func() {
		// The race detector has mapped far more by now, and can go on until it
		// needs another piece.
		limit := syscall.Rlimit{Cur: 1 << 30, Max: 1 << 30}
		if err := syscall.Setrlimit(syscall.RLIMIT_AS, &limit); err != nil {
			panic(err)
		}
		var all [][]byte
		for {
			all = append(all, make([]byte, 64<<20))
		}
	},
}

func main() { ends[os.Args[1]]() }
