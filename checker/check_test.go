package checker_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"concurrency-koans/checker"
)

func TestEveryKoanGetsAnOutcomeAfterACrash(t *testing.T) {
	t.Parallel()
	c := &checker.Checker{Limits: limits}

	report, err := c.Check(context.Background(), live(t, readAnswer(t, "panic-closed-twice")))

	require.NoError(t, err)
	var got []checker.Status
	for _, k := range report.Koans {
		got = append(got, k.Status)
	}
	assert.Equal(t, []checker.Status{checker.Failed, checker.Failed, checker.Passed, checker.Passed}, got)
}

func TestTheSkeletonFailsEveryKoan(t *testing.T) {
	t.Parallel()
	p := live(t, nil)
	c := &checker.Checker{NoRace: true}

	report, err := c.Check(context.Background(), p)

	require.NoError(t, err)
	for _, k := range report.Koans {
		require.Equal(t, checker.Failed, k.Status, k.Test)
		require.Equal(t, checker.Todo, k.Diagnosis.Kind, k.Test)
	}
}

func TestAFailureThatDoesNotRepeatIsCalledFlaky(t *testing.T) {
	t.Parallel()
	// Right on one processor only. The race lane, which would decide, is left out.
	c := &checker.Checker{NoRace: true}

	report, err := c.Check(context.Background(), live(t, readAnswer(t, "flaky")))

	require.NoError(t, err)
	first, failed := report.FirstFailure()
	require.True(t, failed)
	assert.Equal(t, "TestCount", first.Test)
	assert.Equal(t, &checker.Flaky{Failed: 2, Runs: 4}, first.Flaky)
}

func TestARaceBeforeTheFailureIsHeardOnTheWayForward(t *testing.T) {
	t.Parallel()
	racy := bytes.Replace(readAnswer(t, "race-counter"), []byte("\ttotal := 0\n"), []byte("\ttotal := 0\n\tif n == 2 {\n\t\treturn total\n\t}\n"), 1)
	for _, c := range []struct {
		reached, test string
		kind          checker.Kind
	}{
		{"", "TestCountLeavesNobody", checker.Assertion},
		{"TestSend", "TestCount", checker.Race},
		{"TestCountLeavesNobody", "TestCountLeavesNobody", checker.Assertion},
	} {
		p := live(t, racy)
		p.Reached = c.reached

		report, err := new(checker.Checker).Check(context.Background(), p)

		require.NoError(t, err)
		first, failed := report.FirstFailure()
		require.True(t, failed)
		assert.Equal(t, c.test, first.Test, "reached %q", c.reached)
		assert.Equal(t, c.kind, first.Diagnosis.Kind, "reached %q", c.reached)
		assert.Equal(t, checker.Failed, report.Koans[3].Status)
	}
}

func TestSoakOfARightAnswer(t *testing.T) {
	t.Parallel()
	c := &checker.Checker{}
	s, err := c.Open(live(t, readAnswer(t, "passed")))
	require.NoError(t, err)
	defer s.Close()

	report, err := s.Soak(context.Background(), 1, 3)

	require.NoError(t, err)
	assert.True(t, report.Passed())
	assert.True(t, report.RaceChecked)
	assert.Equal(t, 6, report.SoakRuns, "three rounds in each lane")
}

func TestWithoutCgoTheFastLaneStands(t *testing.T) {
	t.Parallel()
	c := &checker.Checker{Env: append(os.Environ(), "CGO_ENABLED=0")}

	report, err := c.Check(context.Background(), live(t, readAnswer(t, "passed")))

	require.NoError(t, err)
	assert.True(t, report.Passed())
	assert.False(t, report.RaceChecked)
	assert.Contains(t, report.NoRace, "C compiler")
}

func TestCheckAllGivesTheSameVerdicts(t *testing.T) {
	t.Parallel()
	c := &checker.Checker{Limits: limits}
	names := []string{"passed", "race-counter", "deadlock-bubble", "vet-lostcancel"}
	var packages []checker.Package
	for _, n := range names {
		packages = append(packages, live(t, readAnswer(t, n)))
	}

	results := c.CheckAll(context.Background(), packages)

	for i, r := range results {
		require.NoError(t, r.Err, names[i])
		w := parseWant(t, packages[i].Replace)
		first, failed := r.Report.FirstFailure()
		require.Equal(t, w.kind != "", failed, names[i])
		if failed {
			require.Equal(t, w.kind, first.Diagnosis.Kind, names[i])
			require.Equal(t, w.test, first.Test, names[i])
		} else {
			require.True(t, r.Report.RaceChecked)
		}
	}
}

// copyLive copies the live package into a module of its own, where a test may
// change what is on disk. The folder's name has a space in it.
func copyLive(t *testing.T) checker.Package {
	t.Helper()
	p := live(t, nil)
	root := filepath.Join(t.TempDir(), "my work")
	dir := filepath.Join(root, filepath.FromSlash(p.Dir))
	require.NoError(t, os.MkdirAll(dir, 0o755))
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(p.Root, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(root, name), text, 0o644))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "live.go"), readAnswer(t, "passed"), 0o644))
	for name, text := range p.Koans {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o644))
	}
	p.Root = root
	return p
}

func TestKoansOnDiskDoNotCount(t *testing.T) {
	t.Parallel()
	p := copyLive(t)
	dir := filepath.Join(p.Root, filepath.FromSlash(p.Dir))
	c := &checker.Checker{NoRace: true}

	report, err := c.Check(context.Background(), p)
	require.NoError(t, err)
	require.True(t, report.Passed())
	require.Empty(t, report.TestsEdited)

	// Wrong answer, gutted koans, and a test file of the learner's own that
	// would not compile.
	require.NoError(t, os.WriteFile(filepath.Join(dir, "live.go"), readAnswer(t, "assertion-value"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "live_test.go"), []byte("package live_test\n"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "mine_test.go"), []byte("package live\n\nfunc broken( {\n"), 0o644))
	report, err = c.Check(context.Background(), p)
	require.NoError(t, err)
	require.False(t, report.Passed())
	require.Equal(t, []string{"live_test.go"}, report.TestsEdited)

	require.NoError(t, os.Remove(filepath.Join(dir, "live_test.go")))
	report, err = c.Check(context.Background(), p)
	require.NoError(t, err)
	require.False(t, report.Passed())
	require.Equal(t, []string{"live_test.go"}, report.TestsEdited)
}

func TestAMissingAnswerIsNamed(t *testing.T) {
	t.Parallel()
	p := copyLive(t)
	require.NoError(t, os.Remove(filepath.Join(p.Root, filepath.FromSlash(p.Dir), "live.go")))

	report, err := (&checker.Checker{NoRace: true}).Check(context.Background(), p)

	require.NoError(t, err)
	first, ok := report.FirstFailure()
	require.True(t, ok)
	require.Equal(t, checker.Build, first.Diagnosis.Kind)
	require.Contains(t, first.Diagnosis.Summary, "live.go")
}

func TestFaultsOfTheMachineAreErrors(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		c       *checker.Checker
		problem string
	}{
		"no go command": {&checker.Checker{Go: "no-such-go"}, "the go command is not on the PATH"},
		"no module cache and no network": {
			&checker.Checker{NoRace: true, Env: append(os.Environ(), "GOPROXY=off", "GOMODCACHE="+t.TempDir())},
			"modules are missing and may not be downloaded (GOPROXY=off)",
		},
		"build cache that cannot be written": {
			&checker.Checker{NoRace: true, Env: append(os.Environ(), "GOCACHE=/dev/null/cache")}, "",
		},
	} {
		_, err := tc.c.Check(context.Background(), live(t, readAnswer(t, "passed")))
		var env *checker.EnvironmentError
		require.ErrorAs(t, err, &env, name)
		require.NotEmpty(t, env.Remedy, name)
		if tc.problem != "" {
			require.Equal(t, tc.problem, env.Problem, name)
		}
	}
}

func TestCancellingLeavesNothingRunning(t *testing.T) {
	t.Parallel()
	answer := []byte(`package live

import (
	"context"
	"os"
	"os/exec"
)

func Send(ctx context.Context, n int) <-chan int {
	_ = os.WriteFile(os.Getenv("LIVE_STARTED"), nil, 0o600)
	_ = exec.Command("sleep", "4711").Run()
	return nil
}

func Count(n int) int { return n }
`)
	started := filepath.Join(t.TempDir(), "started")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c := &checker.Checker{NoRace: true, Env: append(os.Environ(), "LIVE_STARTED="+started)}
	done := make(chan error, 1)
	go func() {
		_, err := c.Check(ctx, live(t, answer))
		done <- err
	}()
	require.Eventually(t, func() bool { _, err := os.Stat(started); return err == nil }, time.Minute, 5*time.Millisecond)

	cancel()

	require.ErrorIs(t, <-done, context.Canceled)
	require.Eventually(t, func() bool {
		out, err := exec.Command("ps", "-A", "-o", "args=").Output()
		return err == nil && !strings.Contains(string(out), "sleep 4711")
	}, 5*time.Second, 20*time.Millisecond, "the koan's child process is gone too")
}

func TestASlowFailureEndsTheCheck(t *testing.T) {
	t.Parallel()
	answer := bytes.Replace(readAnswer(t, "passed"), []byte("\twg.Wait()\n\treturn total\n"),
		[]byte("\twg.Wait()\n\ttime.Sleep(1100 * time.Millisecond)\n\treturn total + 1\n"), 1)
	answer = bytes.Replace(answer, []byte("\t\"sync\"\n"), []byte("\t\"sync\"\n\t\"time\"\n"), 1)
	c := &checker.Checker{}

	report, err := c.Check(context.Background(), live(t, answer))

	require.NoError(t, err)
	var got []checker.Status
	for _, k := range report.Koans {
		got = append(got, k.Status)
	}
	assert.Equal(t, []checker.Status{checker.Passed, checker.Passed, checker.Failed, checker.NotReached}, got)
	first, _ := report.FirstFailure()
	assert.Equal(t, checker.Assertion, first.Diagnosis.Kind)
	assert.Nil(t, first.Flaky)
}

// TestTheFastLaneIsToldWhereTheRaceLaneDecides holds that a learner gets the
// first news of a pass, and none of a failure that is certain already.
func TestTheFastLaneIsToldWhereTheRaceLaneDecides(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		answer string
		told   int
	}{{"passed", 1}, {"assertion-value", 0}} {
		var told []checker.Report
		c := &checker.Checker{Limits: limits, Fast: func(r checker.Report) { told = append(told, r) }}

		report, err := c.Check(context.Background(), live(t, readAnswer(t, test.answer)))

		require.NoError(t, err)
		require.Len(t, told, test.told, test.answer)
		require.Equal(t, test.told == 1, report.Passed())
		for _, r := range told {
			require.True(t, r.Passed())
			require.False(t, r.RaceChecked, "nobody has looked for races yet")
		}
	}
}

func TestWarmLeavesNothingBehind(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	c := &checker.Checker{}

	require.NoError(t, c.Warm(context.Background(), live(t, nil)))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, c.Warm(ctx, live(t, nil)), context.Canceled)

	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left)
}
