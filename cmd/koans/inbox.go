package main

import (
	"context"
	"sync"
)

// An inbox holds events until the loop that they are for takes them. Whoever
// puts one in does not wait: the loop may stand still for as long as the
// learner's editor has the terminal.
type inbox struct {
	filled chan struct{} // holds a token when there may be events

	mu     sync.Mutex
	events []any // guarded by mu
}

func newInbox() *inbox { return &inbox{filled: make(chan struct{}, 1)} }

func (b *inbox) put(event any) {
	b.mu.Lock()
	b.events = append(b.events, event)
	b.mu.Unlock()
	select {
	case b.filled <- struct{}{}:
	default:
	}
}

// run delivers the events in their order until ctx ends.
func (b *inbox) run(ctx context.Context, deliver func(any)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.filled:
		}
		b.mu.Lock()
		events := b.events
		b.events = nil
		b.mu.Unlock()
		for _, e := range events {
			if ctx.Err() != nil {
				return
			}
			deliver(e)
		}
	}
}
