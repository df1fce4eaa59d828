// Command minutes waits for so long that the runtime says how long.
package main

import (
	"runtime"
	"time"
)

func main() {
	go func() { <-make(chan int) }()
	go func() {
		runtime.LockOSThread()
		select {}
	}()
	time.Sleep(100 * time.Millisecond)
	runtime.GC() // the collector is what notes since when a goroutine waits
	time.Sleep(2*time.Minute + time.Second)
	panic("enough")
}
