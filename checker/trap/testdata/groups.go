package testdata

import "sync"

func addInside() {
	var group sync.WaitGroup
	for range 3 {
		go func() {
			group.Add(1) // trap: add-inside
			defer group.Done()
		}()
	}
	group.Wait()
}

func addRight() {
	var group sync.WaitGroup
	for range 3 {
		group.Add(1)
		go func() {
			defer group.Done()
			var inner sync.WaitGroup
			inner.Add(1)
			go inner.Done()
			inner.Wait()
		}()
	}
	group.Wait()
}

func countedOnce() {
	var group sync.WaitGroup
	group.Add(1) // trap: counted-once
	for range 3 {
		go func() {
			defer group.Done()
		}()
	}
	group.Wait()
}

func doneInGo() {
	var group sync.WaitGroup
	group.Go(func() {
		defer group.Done() // trap: done-in-go
	})
	group.Wait()
}

func doneTwice() {
	var group sync.WaitGroup
	group.Add(1)
	go func() {
		defer group.Done()
		group.Done() // trap: done-twice
	}()
	group.Wait()
}

func neverDone() {
	var lonely sync.WaitGroup
	lonely.Add(1) // trap: never-done
	go func() {}()
	lonely.Wait()
}

func waitsForItself(out chan int) {
	var group sync.WaitGroup
	group.Go(func() {
		group.Wait() // trap: waits-in-own-group
		close(out)
	})
}

func waitsBeside(out chan int) {
	var group sync.WaitGroup
	group.Go(func() {})
	go func() {
		group.Wait()
		close(out)
	}()
}

func byValue(group sync.WaitGroup) { // trap: copied-lock
	group.Wait()
}

func byPointer(group *sync.WaitGroup) { group.Wait() }
