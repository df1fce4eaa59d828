// want: build TestSend

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

func count(n int) int { // here
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
	return total
}
