package dump_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"concurrency-koans/checker/dump"
)

func TestFindCrash(t *testing.T) {
	type failures []dump.Failure
	panicked := func(message string) dump.Failure { return dump.Failure{Message: message} }
	recovered := func(message string) dump.Failure { return dump.Failure{Message: message, Recovered: true} }
	fatal := func(message string) dump.Failure {
		return dump.Failure{Kind: dump.FatalError, Message: message}
	}
	quit := dump.Failure{Kind: dump.Signal, Message: "SIGQUIT: quit"}

	for name, want := range map[string]failures{
		"panics-todo.plain":       {panicked("TODO(1): make Map send its results")},
		"panics-multiline.plain":  {panicked("first line\nsecond line\n\nfourth line")},
		"panics-error.plain":      {panicked("saving: disk full")},
		"panics-failure.plain":    {panicked("failure 7\nsee above")},
		"panics-string.plain":     {panicked("main.label(\"two\nlines\")")},
		"panics-nil.plain":        {panicked("panic called with nil argument")},
		"panics-deref.plain":      {panicked("runtime error: invalid memory address or nil pointer dereference")},
		"panics-index.plain":      {panicked("runtime error: index out of range [2] with length 0")},
		"panics-closed.plain":     {panicked("send on closed channel")},
		"panics-waitgroup.plain":  {panicked("first"), panicked("sync: negative WaitGroup counter")},
		"panics-nested.plain":     {panicked("first"), panicked("second\nof two lines"), panicked("third")},
		"panics-recovered.plain":  {recovered("first"), panicked("wrapped: first")},
		"panics-repanicked.plain": {recovered("first")},
		"panics-fatal.plain":      {panicked("first"), fatal("sync: unlock of unlocked mutex")},
		"panics-unfinished.plain": {panicked("real")},
		"panics-goroutine.plain":  {panicked("in a goroutine of its own")},
		"panics-survived.plain":   nil,
		"koans-Logged.plain":      nil,
		"koans-Leak.plain":        nil,
		"races-map.race":          nil,

		"koans-Todo.plain":           {recovered("TODO(1): start the workers")},
		"koans-Timeout.plain":        {panicked("test timed out after 1s\nrunning tests:\n\tTestTimeout (1s)\n\tTestTimeout/inner (1s)")},
		"koans-Timeout.race":         {panicked("test timed out after 1s\nrunning tests:\n\tTestTimeout (1s)\n\tTestTimeout/inner (1s)")},
		"koans-BubbleDeadlock.plain": {recovered("deadlock: all goroutines in bubble are blocked")},
		"koans-BubbleDeadlock.race":  {recovered("deadlock: all goroutines in bubble are blocked")},
		"koans-BubbleLeak.plain":     {recovered("deadlock: main bubble goroutine has exited but blocked goroutines remain")},
		"koans-BubbleMutex.plain":    {fatal("all goroutines are asleep - deadlock!")},

		"fatal-deadlock.plain": {fatal("all goroutines are asleep - deadlock!")},
		"fatal-goexit.plain":   {fatal("no goroutines (main called runtime.Goexit) - deadlock!")},
		"fatal-unlock.plain":   {fatal("sync: unlock of unlocked mutex")},
		"fatal-unlock.race":    {fatal("sync: unlock of unlocked mutex")},
		"fatal-map.plain":      {fatal("concurrent map writes")},
		"fatal-map.race":       {fatal("concurrent map writes")},
		"fatal-overflow.plain": {fatal("stack overflow")},
		"fatal-overflow.race":  {fatal("stack overflow")},
		"fatal-memory.plain":   {fatal("out of memory")},
		"fatal-memory.race":    {fatal("too many address space collisions for -race mode")},

		"sigquit.plain":       {quit},
		"sigquit.plain.crash": {quit},
		"sigquit.race":        {quit},
		"sigquit.race.crash":  {quit},
		"waits.plain":         {panicked("enough")},
		"waits.plain.crash":   {panicked("enough")},
		"waits.race.all":      {panicked("enough")},
	} {
		t.Run(name, func(t *testing.T) {
			crash, ok := dump.FindCrash(recording(t, name))
			if want == nil {
				require.False(t, ok)
				require.Zero(t, crash)
				return
			}
			require.True(t, ok)
			require.Equal(t, want, append(failures{crash.Failure}, crash.Later...))
			require.Equal(t, name != "fatal-goexit.plain", len(crash.Goroutines) > 0)
		})
	}
}

func TestCrashGoroutines(t *testing.T) {
	top := func(name string) string {
		crash, _ := dump.FindCrash(recording(t, name))
		require.NotEmpty(t, crash.Goroutines, name)
		return crash.Goroutines[0].Frames[0].Func
	}
	require.Equal(t, "main.init.func18.1", top("panics-goroutine.plain"))
	require.Equal(t, "internal/sync.fatal", top("fatal-unlock.plain"))
	require.Equal(t, "runtime.throw", top("fatal-memory.plain"))

	// Of several crashes that follow each other the first one ends where the
	// next begins.
	text := recording(t, "panics-todo.plain")
	want, _ := dump.FindCrash(text)
	got, _ := dump.FindCrash(append(append([]byte("ok\n"), text...), recording(t, "sigquit.plain")...))
	require.Equal(t, want, got)
}

func TestFindCrashAmongText(t *testing.T) {
	const stack = "\n\ngoroutine 1 [running]:\nmain.main()\n\t/work/x.go:3 +0x1d\nexit status 2\n"
	interleaved := strings.Repeat("worker 3 done\n", 10)

	for name, test := range map[string]struct {
		text string
		want string // empty for none
	}{
		"printed":             {"panic: no\n", ""},
		"printed with quotes": {"got \"panic: no\"\nfatal error: no\n\nFAIL\n", ""},
		"printed long before": {"panic: no\n" + strings.Repeat("\nworker 3 done\n", 20) + stack, ""},
		"printed before":      {"panic: no\n" + interleaved + "panic: yes" + stack, "yes"},
		"with a stack":        {"panic: no\ngoroutine 1 [running]:\nmain.main()\n\t/work/x.go:3 +0x1d\n", ""},
		"unfinished line":     {"working... panic: yes" + stack, "yes"},
		"other goroutines":    {"panic: yes\n" + interleaved + stack, "yes"},
		"value with blanks":   {"panic: yes\n\t\n\t \tno [recovered]" + stack, "yes\n\n \tno"},
		"value with brackets": {"panic: yes [recovered, again] [x]" + stack, "yes [recovered, again] [x]"},
		"empty value":         {"panic: \n\tyes" + stack, "\nyes"},
		"twice":               {"fatal error: yes\nfatal error: yes" + stack, "yes"},
		"registers":           {"panic: yes\n[signal SIGBUS: bus error code=0x2 addr=0x1 pc=0x2]" + stack, "yes"},
		"runtime's own stack": {"fatal error: yes\n\nruntime stack:\nruntime.throw()\n\t/r.go:1" + stack, "yes"},
		"signal printed":      {"SIGQUIT: quit\nnow" + stack, ""},
		"limit of the race detector": {
			"ok\nrace: limit on 8128 simultaneously alive goroutines is exceeded, dying\n",
			"race: limit on 8128 simultaneously alive goroutines is exceeded, dying",
		},
	} {
		t.Run(name, func(t *testing.T) {
			crash, ok := dump.FindCrash([]byte(test.text))
			require.Equal(t, test.want != "", ok)
			require.Equal(t, test.want, crash.Message)
		})
	}
}
