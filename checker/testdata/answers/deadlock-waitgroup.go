// want: deadlock TestCount

package live

import (
	"context"
	"sync"
)

func Send(ctx context.Context, n int) <-chan int {
	out := make(chan int)
	go func() {
		defer close(out)
		for v := range n {
			select {
			case out <- v:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

func Count(n int) int {
	var wg sync.WaitGroup
	wg.Add(n + 1)
	for range n {
		go wg.Done()
	}
	wg.Wait() // here
	return n
}
