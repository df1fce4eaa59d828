// want: assertion TestCount

package live

import (
	"context"
	"runtime"
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

func Count(n int) int { // here
	var (
		mu    sync.Mutex
		wg    sync.WaitGroup
		total int
	)
	for range n {
		wg.Go(func() {
			mu.Lock()
			defer mu.Unlock()
			total++
		})
	}
	wg.Wait()
	if runtime.GOMAXPROCS(0) > 1 {
		return total + 1
	}
	return total
}
