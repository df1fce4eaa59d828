// want: crash TestCount

package live

import (
	"context"
	"log"
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
	log.Fatal("no idea") // here
	return n
}
