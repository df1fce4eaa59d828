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
	seen := map[int]bool{}
	for i := range n {
		wg.Go(func() {
			seen[i] = true // here
		})
	}
	wg.Wait()
	return len(seen)
}
