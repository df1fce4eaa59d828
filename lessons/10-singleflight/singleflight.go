// Package singleflight is the tenth lesson: many ask for the same thing at the
// same time, one works, and all get the answer. Replace each TODO with code, one
// step at a time, and give the two types the fields they need.
//
// Contexts and functions passed in are not nil. Where ctx's error is returned,
// that is ctx.Err() or context.Cause(ctx). Keys are compared as the keys of a map
// are; one that does not equal itself, as a NaN, must not be used.
package singleflight

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrGoexit is the error of a function that called runtime.Goexit, and so has
// neither returned nor panicked.
var ErrGoexit = errors.New("singleflight: function called runtime.Goexit")

// PanicError is the error of a function that panicked.
type PanicError struct {
	Value any    // what it panicked with
	Stack []byte // where it did so, as debug.Stack prints it
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("singleflight: function panicked: %v", e.Value)
}

// Unwrap returns Value if that is an error, so that errors.Is and errors.As
// see the cause.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Group keeps those who ask for the same key at the same time from doing the same
// work. The zero Group is ready for use; it must not be copied after that. All
// its methods may be called from any goroutine. There is no Close: a Group in
// which nothing is under way does nothing, and remembers nothing.
type Group[K comparable, V any] struct {
	// your fields here
}

// Do returns what fn returns, value and error, and sees to it that for a key
// only one function is under way at a time. If none is, Do calls fn, in a
// goroutine of its own, and waits for it: a run begins. If one is, Do joins that
// run: it waits for it to end, gets the same value and the same error, and its
// own fn is never called.
//
// Once any caller has got its result, the run is over for everybody: a call that
// begins later never gets that result, be it a value or an error. It begins a
// new run, or joins one that somebody else has begun since.
//
// shared is true if more than one caller was waiting for the run when it ended,
// and then it is true for each of them, also for the one that began the run.
//
// What is under way for one key holds up no other key. So fn may call Do for
// another key. It must not do so for its own: it would wait for itself.
//
// If fn panics, every caller gets a zero V and the same *PanicError, with what fn
// panicked with, and where. If fn calls runtime.Goexit, every caller gets a zero
// V and ErrGoexit. In either case shared is as always, and the key is free: the
// next call begins a new run.
func (g *Group[K, V]) Do(key K, fn func() (V, error)) (v V, shared bool, err error) {
	panic("TODO(1): join the run that is under way for key, or begin one; wait for its end")
}

// Forget lets go of the run that is under way for key: the next call begins a
// new one and does not join it. Who has joined it already goes on waiting for it
// and gets its result. When it ends, a newer run for the key is not touched: that
// one stays under way, and can be joined. Runs for other keys are not touched,
// either.
//
// If none is under way for key, Forget does nothing. It never waits, and fn may
// call it, also for its own key.
func (g *Group[K, V]) Forget(key K) {
	panic("TODO(4): let go of the run, and see to it that its end does not touch a newer one")
}

// DoContext is Do for those who cannot wait for ever, and for an fn that listens
// to its context. In one Group, both take part in the same runs; Do is a caller
// who never gives up.
//
// If ctx ends while DoContext waits, it leaves: it returns a zero V, false, and
// ctx's error at that moment, and leaves nothing running behind, apart from fn.
// That is so for every caller, also for the one that began the run, and changes
// nothing for the others, except that those who have left do not count for
// shared. If the run and ctx end at the same moment, it may be one or the other.
// A ctx that has ended before the call begins nothing and joins nothing,
// also if a run is just about to end: DoContext returns ctx's error at once.
//
// The context that fn gets has the values of the ctx of the caller that began the
// run, and no more of it: neither its deadline nor its end. It ends when the last
// caller has left, which asks fn to stop, also if the run has been forgotten. From
// then on the run cannot be joined: the next call for the key begins a new one,
// even if fn has not listened and goes on. What such an fn returns in the end, or
// panics with, is dropped, and a newer run for the key is not touched. Its context
// ends as well once fn is over, in whichever way: it may have returned, panicked
// or called runtime.Goexit.
func (g *Group[K, V]) DoContext(ctx context.Context, key K, fn func(context.Context) (V, error)) (v V, shared bool, err error) {
	panic("TODO(5): as Do, with a ctx for each caller; count them, and when the last one leaves, end fn's context")
}

// Cache remembers what has been loaded, for a while, and loads what it does not
// remember, once for all who ask. Make one with NewCache: the zero Cache is of no
// use. Its method may be called from any goroutine. There is no Close, for there
// is nothing to stop.
type Cache[K comparable, V any] struct {
	// your fields here
}

// NewCache makes a cache that gets its values from load, and remembers each for
// ttl, counted from the moment at which load returned it. With a ttl of zero or
// less it remembers nothing; those who ask at the same time share a load all the
// same. NewCache panics if load is nil.
//
// A value whose time is up is never returned, but it takes up memory until its
// key is loaded again: there is one value for each key, and keys are not
// forgotten.
func NewCache[K comparable, V any](ttl time.Duration, load func(ctx context.Context, key K) (V, error)) *Cache[K, V] {
	panic("TODO(6): refuse a nil load; otherwise return a cache that remembers nothing yet")
}

// Get returns the value for key. If it is remembered, Get returns it at once,
// even if ctx has ended. If not, Get calls load, or joins the load of the key that
// is under way, and returns what that returns, value and error.
//
// Loads are runs in the sense of Group. What DoContext says of fn and its
// context, of callers that leave, of panics and of runtime.Goexit, goes for load
// and for Get; and no load holds up a Get for another key, remembered or not.
//
// A load that succeeds is remembered before any Get returns its value, so that
// load is never called for a key whose value is remembered. A load that fails, in
// whichever way, is not remembered: the next Get calls load again. Nor is one that
// everybody had left by the time it ended.
func (c *Cache[K, V]) Get(ctx context.Context, key K) (V, error) {
	panic("TODO(6): return what is remembered; otherwise load, once for all who ask, and remember it")
}
