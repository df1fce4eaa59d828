// Command sigquit sends itself the signal that asks for every stack.
package main

import (
	"runtime"
	"syscall"
	"time"
)

func main() {
	go func() { <-make(chan int) }()
	// Any thread may get the signal, and shows its own goroutine's stack. So
	// there has to be more than one that the runtime cannot stop.
	runtime.GOMAXPROCS(4)
	for range 2 {
		go func() {
			for {
			}
		}()
	}
	time.AfterFunc(100*time.Millisecond, func() {
		syscall.Kill(syscall.Getpid(), syscall.SIGQUIT)
	})
	select {}
}
