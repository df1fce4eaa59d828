package testdata

import (
	"sync"
	"time"
)

type store struct {
	mu     sync.Mutex
	cond   *sync.Cond
	full   bool
	values chan int
	load   func() int
}

func (s store) copied() {} // trap: copied-lock

func (s *store) leavesLocked() int {
	s.mu.Lock()
	if s.full {
		return 0 // trap: returns-locked
	}
	s.mu.Unlock()
	return 1
}

func (s *store) leavesUnlocked() int {
	s.mu.Lock()
	if s.full {
		s.mu.Unlock()
		return 0
	}
	switch {
	case s.full:
		s.mu.Unlock()
	default:
		s.mu.Unlock()
	}
	return 1
}

func (s *store) forgotten() {
	s.mu.Lock() // trap: never-unlocked
	s.full = true
}

func (s *store) waitsLocked(ch chan int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch <- 1                 // trap: held-while-waiting
	<-ch                    // trap: held-while-waiting
	time.Sleep(time.Second) // trap: held-while-waiting // trap: sleeps
	s.load()                // trap: held-while-waiting
	select {                // trap: held-while-waiting
	case <-ch:
	}
	select {
	case <-ch:
	default:
	}
	go func() { ch <- 1 }()
}

func (s *store) waitsUnlocked(ch chan int) {
	s.mu.Lock()
	s.full = true
	s.mu.Unlock()
	ch <- 1
}

func (s *store) unlocksTwice() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.Unlock() // trap: unlock-twice
}

func (s *store) unlocksForAMoment() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.Unlock()
	s.mu.Lock()
}

func (s *store) asksOnce() {
	s.cond = sync.NewCond(&s.mu)
	if s.full { // trap: if-around-wait
		s.cond.Wait()
	}
	for s.full {
		s.cond.Wait()
	}
}
