package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"sync"

	tea "charm.land/bubbletea/v2"
	"github.com/spf13/cobra"

	"concurrency-koans/lessons"
)

func (a *app) watchCommand() *cobra.Command {
	var plain bool
	c := &cobra.Command{
		Use:   "watch [LESSON]",
		Short: "The verdict on every save, beside your editor",
		Long: `Watch checks LESSON, or the current one, each time you save its file, and shows
the verdict beside your editor. The keys are named at the foot of the screen.

Without a terminal, or with --plain, it writes the verdicts line by line, for
scripts and screen readers; it then goes on by itself to the next lesson after a
pass, unless a LESSON is named, and ends when every lesson has passed.`,
		Args:              a.args(0, 1),
		ValidArgsFunction: a.completeLesson,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.watch(cmd.Context(), args, plain)
		},
	}
	c.Flags().BoolVar(&plain, "plain", false, "write line by line, without a screen")
	return c
}

// watch follows a lesson, on a screen where there is one.
func (a *app) watch(ctx context.Context, args []string, plain bool) error {
	l, done, err := a.watched(args)
	if err != nil {
		return err
	}
	if plain || !a.hasScreen() {
		if done {
			a.sayAllPassed()
			return nil
		}
		return a.watchPlain(ctx, l, len(args) > 0)
	}
	return a.watchScreen(ctx, newDesk(a), l)
}

// watched is the lesson that the first argument names, or the current one; when
// all have passed it is the last, and done.
func (a *app) watched(args []string) (l lessons.Lesson, done bool, err error) {
	if len(args) > 0 {
		l, err = a.lesson(args[0])
		return l, false, err
	}
	l, done, err = a.current()
	if err == nil && done {
		l = a.book.lessons[len(a.book.lessons)-1]
	}
	return l, done, err
}

// hasScreen reports whether there is a terminal to read keys from and to draw on.
func (a *app) hasScreen() bool {
	_, in := a.world.terminalOf(a.world.stdin)
	return in && a.out.file != nil
}

// watchScreen shows the screen until the learner leaves it, or ctx ends. Then
// the terminal is as it was, and nothing of what was started is left.
func (a *app) watchScreen(ctx context.Context, d *desk, l lessons.Lesson) error {
	// Ctrl-C is a key here. What comes as a signal is meant for the editor that
	// the learner has opened: it is sent to all who share the terminal.
	signal.Reset(os.Interrupt)
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)

	outer := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	d.crash = cancel
	a.out.links = a.world.showsLinks()
	in, ok := a.world.stdin.(*os.File)
	if !ok {
		return errors.New("reading keys: the input is no file")
	}
	state := newWatch(a, l)
	state.standing = a.standing()
	p := tea.NewProgram(
		&screenLoop{ctx: ctx, state: state, desk: d},
		tea.WithContext(ctx),
		tea.WithInput(&terminal{File: in, closed: func() { cancel(errTerminalClosed) }}),
		tea.WithOutput(a.world.stdout),
		tea.WithEnvironment(a.world.env),
		tea.WithColorProfile(a.out.colors.Profile),
		tea.WithoutSignalHandler(), // ctx tells of signals
	)
	var wg sync.WaitGroup
	wg.Go(func() { d.run(ctx) })
	wg.Go(func() { d.inbox.run(ctx, func(event any) { p.Send(event) }) })
	_, err := p.Run()
	cause := context.Cause(ctx)
	cancel(nil)
	wg.Wait()

	var f *fault
	switch {
	case errors.As(cause, &f):
		return &exit{status: exitUnchecked, problem: wordsFault, remedy: remedyFault, err: f}
	case errors.Is(err, tea.ErrProgramPanic): // Bubble Tea has printed what it was
		return &exit{status: exitUnchecked, problem: wordsFault, remedy: remedyFault}
	case outer.Err() != nil:
		return context.Cause(outer)
	case errors.Is(cause, errTerminalClosed):
		return errUnchecked // there is nobody to tell
	}
	return err
}

// A terminal is what keys are read from.
type terminal struct {
	*os.File        // and no narrower type, or a read of it could not be cancelled
	closed   func() // is called when it was closed
}

var errTerminalClosed = errors.New("the terminal was closed")

// Read implements [io.Reader]. A terminal whose window was closed reads as an
// empty file, which Bubble Tea would wait at for ever.
func (t *terminal) Read(p []byte) (int, error) {
	n, err := t.File.Read(p)
	if errors.Is(err, io.EOF) || n == 0 && err == nil {
		t.closed()
	}
	return n, err
}

// A screenLoop is a watch as Bubble Tea runs it: it carries the orders out.
type screenLoop struct {
	ctx   context.Context // of what orders start
	state watch
	desk  *desk
}

// Init implements [tea.Model].
func (s *screenLoop) Init() tea.Cmd {
	s.state.begin(s.state.lesson)
	orders := s.state.orders
	s.state.orders = nil
	return tea.Batch(tea.RequestBackgroundColor, s.carryOut(orders))
}

// Update implements [tea.Model].
func (s *screenLoop) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	var orders []order
	s.state, orders = s.state.next(msg)
	return s, s.carryOut(orders)
}

func (s *screenLoop) carryOut(orders []order) tea.Cmd {
	var cmds []tea.Cmd
	for _, o := range orders {
		switch o := o.(type) {
		case quit:
			cmds = append(cmds, tea.Quit)
		case suspend:
			if !hasShell() {
				s.state, _ = s.state.next(answered{wordsNoShell})
				continue
			}
			cmds = append(cmds, func() tea.Msg {
				s.desk.halt(s.ctx)
				return tea.SuspendMsg{}
			})
		case edit:
			cmds = append(cmds, s.edit(o))
		default:
			if event := s.desk.carryOut(o); event != nil {
				_, cmd := s.Update(event)
				cmds = append(cmds, cmd)
			}
		}
	}
	return tea.Batch(cmds...)
}

// edit gives the terminal to the learner's editor.
func (s *screenLoop) edit(o edit) tea.Cmd {
	a := s.desk.app
	cmd := a.world.editor(s.ctx, a.book.path(o.file), o.line)
	if cmd == nil {
		return func() tea.Msg { return answered{wordsNoEditor} }
	}
	return tea.ExecProcess(cmd, func(err error) tea.Msg {
		if err != nil {
			return answered{"Your editor could not be run: " + plain(err.Error())}
		}
		return answered{}
	})
}

// View implements [tea.Model].
func (s *screenLoop) View() tea.View {
	v := tea.NewView(s.state.view())
	v.AltScreen = true
	return v
}
