// Command waits blocks goroutines in every way that the runtime has a word for,
// and then panics so that it prints them.
package main

import (
	"runtime"
	"sync"
	"time"
)

type queue[T any] struct{ items chan T }

func (q *queue[T]) put(item T) { q.items <- item }

func locked(mu sync.Locker) {
	mu.Lock()
	runtime.KeepAlive(mu)
}

func descend(depth int, wait func()) {
	if depth == 0 {
		wait()
		return
	}
	descend(depth-1, wait)
	runtime.KeepAlive(depth)
}

func main() {
	var (
		mu   sync.Mutex
		rw   sync.RWMutex
		wg   sync.WaitGroup
		none chan int
	)
	mu.Lock()
	rw.Lock()
	wg.Add(1)
	cond := sync.NewCond(new(sync.Mutex))

	q := &queue[string]{items: make(chan string)}
	go q.put("never read")
	go func() { <-make(chan int) }()
	go func() { <-none }()
	go func() { none <- 1 }()
	go func() {
		select {
		case <-none:
		case <-make(chan int):
		}
	}()
	go func() { select {} }()
	go func() {
		runtime.LockOSThread()
		select {}
	}()
	go locked(&mu)
	go locked(&rw)
	go locked(rw.RLocker())
	go wg.Wait()
	wg.Go(func() { select {} })
	go func() {
		cond.L.Lock()
		cond.Wait()
	}()
	go time.Sleep(time.Hour)
	go descend(200, func() { select {} })
	go func() {
		for {
			runtime.KeepAlive(q)
		}
	}()
	time.AfterFunc(0, func() { select {} })

	time.Sleep(100 * time.Millisecond)
	panic("enough")
}
