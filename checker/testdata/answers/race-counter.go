// want: race TestCount

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
	total := 0
	for range n {
		wg.Go(func() {
			total++ // here
		})
	}
	wg.Wait()
	return total
}
