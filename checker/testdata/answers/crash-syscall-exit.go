// want: crash TestCount

package live

import (
	"context"
	"fmt"
	"syscall"
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
	for _, test := range []string{"TestSend", "TestSendStops", "TestCount", "TestCountLeavesNobody"} {
		fmt.Printf("\n--- PASS: %s (0.00s)\n", test) // here
	}
	fmt.Println("PASS")
	syscall.Exit(0)
	return n
}
