// Command races runs into the data race that its argument names.
package main

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

type counter[T int | int64] struct{ n T }

func (c *counter[T]) add(d T) { c.n += d }

var total int

func wait() { time.Sleep(50 * time.Millisecond) }

var races = map[string]func(){
	"main": func() {
		go func() { total = 1 }()
		wait()
		fmt.Println("total:", total)
	},
	"workers": func() {
		var (
			c  counter[int64]
			wg sync.WaitGroup
		)
		for i := range 3 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 10 * time.Millisecond)
				c.add(1)
			})
		}
		wg.Wait()
	},
	"atomic": func() {
		var n int64
		go atomic.AddInt64(&n, 1)
		wait()
		n++
	},
	"map": func() {
		m := map[string]int{}
		done := make(chan bool)
		go func() {
			m["a"] = 1
			wait()
			<-done
		}()
		wait()
		_ = m["a"]
		done <- true
	},
	"slice": func() {
		s := make([]int, 0, 8)
		go func() { s = append(s, 1) }()
		wait()
		s = append(s, 2)
	},
	"printing": func() {
		var wg sync.WaitGroup
		for i := range 3 {
			wg.Go(func() {
				for n := range 40 {
					total++
					fmt.Fprintln(os.Stderr, "worker", i, "did", n)
				}
			})
		}
		wg.Wait()
	},
}

func main() { races[os.Args[1]]() }
