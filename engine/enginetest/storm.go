package enginetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"gorm.io/gorm"

	"example.com/orderd/engine"
)

// Storms tunes Storm. The zero value works.
type Storms struct {
	Callers    int    // at once; default 16
	Duplicates int    // requests for every step; default 20
	Calm       bool   // no cut commits and no deadlocks
	Seed       uint64 // of the order of requests and of the faults; default 1
}

// Storm throws every step of enough paths to take every edge at the engine: many times at once, out
// of order, some too early, some too late, some without a key, while commits lose their answers and
// statements deadlock. Each step must be applied exactly once, each other answer must be one that
// the subject's history explains, what actions write into rows must be stored as it was written, no skipped hook may
// have had a part in it, and in the end the database must be clean.
func Storm[S any](t *testing.T, db *gorm.DB, kit Kit[S], opts Storms) {
	t.Helper()
	opts.Callers, opts.Duplicates = max(opts.Callers, 16*btoi(opts.Callers == 0)),
		max(opts.Duplicates, 20*btoi(opts.Duplicates == 0))
	opts.Seed = max(opts.Seed, 1)
	kit.prepare(t, db)
	shaken, faults := NewFaulty(db, nil)
	if opts.Calm {
		shaken = db
	}
	e, a, err := kit.engine(shaken)
	if err != nil {
		t.Fatalf("make the engine: %v", err)
	}
	if !opts.Calm {
		faults.Decide(weather(opts.Seed))
	}
	check := newStoredCheck[S](t, db)
	var answers Answers
	a = answers.Through(a)
	if kit.Existing != nil {
		stormExisting(t, db, kit, e, a, opts)
	}
	for n, p := range covering(paths(kit.Machine.Describe(), walkPathsMax)) {
		s := &storm[S]{t: t, kit: kit, e: e, a: a, p: p, n: 1_000_000 + n, opts: opts, check: check}
		s.moved = sync.NewCond(&s.mu)
		s.blow()
		if t.Failed() {
			break
		}
	}
	faults.Decide(nil)
	closeEngine(t, e)
	answers.Check(t, db)
	if kit.Existing != nil {
		checkAdopted(t, db, kit)
	}
	checkDatabase(t, db, kit)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// weather cuts one commit in ten and deadlocks one statement in fifty.
func weather(seed uint64) func(int, CallKind, string) Fault {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, seed))
	return func(_ int, kind CallKind, _ string) Fault {
		mu.Lock()
		defer mu.Unlock()
		switch n := random.IntN(100); {
		case (kind == CallCommit || kind == CallPacket) && n < 5:
			return LostAfter
		case (kind == CallCommit || kind == CallPacket) && n < 10:
			return LostBefore
		case kind == CallExec && n < 2, kind == CallPacket && n < 12:
			return Deadlock
		}
		return NoFault
	}
}

// storm is one subject's.
type storm[S any] struct {
	t    *testing.T
	kit  Kit[S]
	e    *engine.Engine
	a    engine.Applier
	p    path
	n    int
	opts Storms

	existing *existing // the row, if it was there before: its first step has happened
	check    *storedCheck[S]

	mu      sync.Mutex
	moved   *sync.Cond // broadcast whenever a step has been applied or given up
	id      string
	done    int             // steps known to have happened
	steps   int             // steps that the kit allows
	inputs  []any           // of the steps reached
	rows    map[int]*S      // as read before each step but the first, and after the last
	left    []engine.Result // that are applied, by step
	applied map[int]int     // answers applied, by step
	unknown map[int]bool    // steps of which a caller was told unknown
}

// blow sends all requests of one path in random order and checks how often each step was applied.
func (s *storm[S]) blow() {
	s.applied, s.unknown, s.steps = map[int]int{}, map[int]bool{}, len(s.p.edges)
	s.rows, s.left = map[int]*S{}, make([]engine.Result, len(s.p.edges))
	first := 0
	if s.existing != nil {
		first, s.id, s.done, s.inputs = 1, s.existing.id, 1, []any{nil}
	} else {
		s.inputs = []any{s.kit.input(*s.kit.New(s.n), s.p.edge(0))}
	}
	var tasks []int
	for i := first; i < len(s.p.edges); i++ {
		for range s.opts.Duplicates {
			tasks = append(tasks, i)
		}
	}
	random := rand.New(rand.NewPCG(s.opts.Seed, uint64(s.n)))
	random.Shuffle(len(tasks), func(i, j int) { tasks[i], tasks[j] = tasks[j], tasks[i] })
	for i := first; i < len(s.p.edges); i++ { // one caller per step who does not give up keeps the storm going
		tasks = slices.Insert(tasks, 0, i)
	}
	var callers sync.WaitGroup
	queue := make(chan int)
	for range max(s.opts.Callers, len(s.p.edges)+1) {
		callers.Go(func() {
			for i := range queue {
				s.insist(i)
			}
		})
	}
	for _, i := range tasks {
		queue <- i
	}
	close(queue)
	callers.Wait()
	s.compare()
	for i := first; i < s.steps; i++ {
		if n := s.applied[i]; n != 1 && !(n == 0 && s.unknown[i]) {
			s.t.Errorf("path %s: step %d, %s, was answered applied %d times", s.p, i+1, s.p.edge(i).Event, n)
		}
	}
}

// insist asks for a step until it has happened, as a caller whose network fails would. It asks once
// before its time, to be told so, and once more without a key when it is done.
func (s *storm[S]) insist(i int) {
	s.ask(i, s.input(i, false))
	if !s.wait(i) {
		return
	}
	for range 1000 {
		if s.ask(i, s.input(i, true)) {
			s.askKeyless(i)
			return
		}
		s.mu.Lock()
		hopeless := i >= s.steps || s.t.Failed()
		s.mu.Unlock()
		if hopeless {
			return
		}
	}
	s.t.Errorf("path %s: step %d, %s, was not answered in 1000 tries", s.p, i+1, s.p.edge(i).Event)
	s.giveUp(i)
}

// wait blocks until all earlier steps have happened; false if the step never comes.
func (s *storm[S]) wait(i int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.done < i && i < s.steps {
		s.moved.Wait()
	}
	return i < s.steps
}

func (s *storm[S]) giveUp(i int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steps = min(s.steps, i)
	s.moved.Broadcast()
}

// input is the step's input, which is only known when the steps before it have happened. All callers
// of one step send the same.
func (s *storm[S]) input(i int, due bool) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !due || i < len(s.inputs) {
		if i < len(s.inputs) {
			return s.inputs[i]
		}
		return NotHere
	}
	row := s.load()
	if row == nil {
		return NotHere
	}
	s.rows[i] = row
	s.inputs = append(s.inputs, s.kit.input(*row, s.p.edge(i)))
	return s.inputs[i]
}

// load reads the subject's row, through the storm; nil if it cannot.
func (s *storm[S]) load() *S {
	var row *S
	err := errors.New("not read")
	for n := 0; n < 100 && err != nil; n++ {
		row, err = engine.Load[S](context.Background(), s.e, s.p.d.Name, s.id)
	}
	if err != nil {
		s.t.Errorf("read %s: %v", s.id, err)
		return nil
	}
	return row
}

// compare holds what each step left of the row against what was read after it.
func (s *storm[S]) compare() {
	if s.done == 0 {
		return
	}
	s.rows[s.done] = s.load()
	for i, result := range s.left[:s.done] {
		if s.rows[i+1] != nil && (i == 0 || s.rows[i] != nil) {
			s.check.compare(s.t, fmt.Sprintf("path %s: step %d, %s", s.p, i+1, s.p.edge(i).Event), s.rows[i], result, s.rows[i+1])
		}
	}
}

// ask sends one request for a step, pinned to the version before it, and reports whether the step
// has happened.
func (s *storm[S]) ask(i int, input any) bool {
	edge := s.p.edge(i)
	if input == NotHere {
		s.mu.Lock()
		if i < len(s.inputs) { // it is this step's turn, and the kit does not want it
			s.steps = min(s.steps, i)
			s.moved.Broadcast()
		}
		s.mu.Unlock()
		return false
	}
	id := s.subject()
	if i > 0 && id == "" {
		return false
	}
	r := engine.Request{
		Machine: s.p.d.Name, ID: id, Event: edge.Event, Input: input, Actor: "storm", IfVersion: s.before(i),
		Key: engine.Key{Source: "storm", Seq: fmt.Sprintf("%d/%d", s.n, i)},
	}
	var result engine.Result
	var err error
	if i == 0 {
		r.ID = "" // the row says which it is, or its INSERT does
		result, err = engine.Create(context.Background(), s.a, s.kit.New(s.n), r)
	} else {
		result, err = s.a.Apply(context.Background(), r)
	}
	return s.answered(i, result, err)
}

// before is the version that a step finds. A row that is not adopted has none to be pinned.
func (s *storm[S]) before(i int) int64 {
	switch {
	case s.existing == nil, s.existing.version == 0 && i > 1:
		return int64(i)
	case s.existing.version == 0:
		return 0
	}
	return s.existing.version - 1 + int64(i)
}

// subject is the id of the subject, once it has been created.
func (s *storm[S]) subject() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id
}

// answered books one answer and reports whether the step has happened.
func (s *storm[S]) answered(i int, result engine.Result, err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		if result.Outcome == engine.Applied {
			s.applied[i]++
			s.left[i] = result
		}
		if i == 0 {
			s.id = result.ID
		}
		s.done = max(s.done, i+1)
		s.moved.Broadcast()
		return true
	case errors.Is(err, engine.ErrUnknown):
		s.unknown[i] = true
	case errors.Is(err, engine.ErrUnavailable), errors.Is(err, engine.ErrConflict):
	case errors.Is(err, engine.ErrStale) && result.Detail == engine.VersionMoved && result.Version < s.before(i):
		// too early: the pinned version has not come yet
	default:
		s.t.Errorf("path %s: step %d, %s: unexplained answer %v while %d steps had happened", s.p, i+1, s.p.edge(i).Event, err, s.done)
		s.steps = min(s.steps, i)
		s.moved.Broadcast()
	}
	return false
}

// askKeyless repeats a step that has happened without its key. An event that can happen once only
// must answer already; one that needs identity must say so.
func (s *storm[S]) askKeyless(i int) {
	if i == 0 {
		return // a creation without a key is another subject
	}
	edge := s.p.edge(i)
	result, err := s.a.Apply(context.Background(), engine.Request{
		Machine: s.p.d.Name, ID: s.subject(), Event: edge.Event, Input: s.input(i, false), Actor: "storm",
	})
	var known engine.DescribedEvent
	for _, ev := range s.p.d.Events {
		if ev.Name == edge.Event {
			known = ev
		}
	}
	switch {
	case errors.Is(err, engine.ErrUnavailable), errors.Is(err, engine.ErrUnknown), errors.Is(err, engine.ErrConflict):
	case (known.Repeatable || known.Factual) && result.Detail == engine.IdentityRequired:
	case result.Outcome == engine.Already:
	default:
		s.t.Errorf("path %s: %s again without a key: got %s/%s (%v)", s.p, edge.Event, result.Outcome, result.Detail, err)
	}
}
