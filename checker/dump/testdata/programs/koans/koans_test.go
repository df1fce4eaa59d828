// Package koans fails as the tests of a lesson do, one way for each test.
package koans

import (
	"fmt"
	"runtime/debug"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// Map is the usual pipeline stage, without anybody who closes its output.
func Map[T, U any](in <-chan T, f func(T) U) <-chan U {
	out := make(chan U)
	go func() {
		for v := range in {
			out <- f(v)
		}
	}()
	return out
}

func leak() {
	in := make(chan int, 1)
	in <- 1
	Map(in, func(n int) string { return fmt.Sprint(n) })
	Map(make(chan int), func(n int) int { return n })
}

func TestTodo(t *testing.T) { panic("TODO(1): start the workers") }

func TestLeak(t *testing.T) {
	leak()
	goleak.VerifyNone(t)
}

func TestLeakRequired(t *testing.T) {
	leak()
	require.NoError(t, goleak.Find(), "nobody may wait any more")
}

func TestLogged(t *testing.T) {
	t.Log(string(debug.Stack()))
	t.Log("stack:\n" + string(debug.Stack()))
	t.Fail()
}

func TestTimeout(t *testing.T) {
	t.Run("inner", func(t *testing.T) { <-make(chan int) })
}

func TestRace(t *testing.T) {
	n := 0
	done := make(chan bool)
	go func() {
		n = 1
		time.Sleep(50 * time.Millisecond)
		done <- true
	}()
	time.Sleep(10 * time.Millisecond)
	n = 2
	<-done
	t.Log(n)
}

func TestBubbleDeadlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var wg sync.WaitGroup
		c := make(chan int)
		wg.Go(func() { c <- 1 })
		wg.Go(func() {
			select {
			case <-c:
			case <-make(chan int):
			}
			<-c
		})
		wg.Wait()
	})
}

func TestBubbleLeak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := make(chan int)
		go func() { c <- 1 }()
	})
}

func TestBubbleMutex(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		mu.Lock()
		go func() { <-make(chan int) }()
		go time.Sleep(time.Hour)
		mu.Lock()
	})
}
