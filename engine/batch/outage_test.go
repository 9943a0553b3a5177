//go:build linux

package batch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/batch"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/mysqldb"
	"example.com/orderd/internal/outage"
)

const (
	outageCallers = 12
	outageBatch   = 64               // requests that one more caller asks in one call
	outageMax     = 2 * time.Minute  // until something that is waited for
	answerMax     = 12 * time.Second // patience and settling, and what a busy machine adds
	patience      = 3 * time.Second
	askAgain      = 20 * time.Millisecond
)

// Whatever is wrong with the database, each request gets an answer of the table, in time; nothing that was
// promised is lost, nothing is done twice, and all goes on by itself when the database is back.
func TestAnOutageIsAnsweredInTimeAndLosesNothing(t *testing.T) {
	for _, o := range outage.All {
		t.Run(o.Name, func(t *testing.T) {
			for _, front := range []string{"engine", "batcher"} {
				t.Run(front, func(t *testing.T) {
					t.Parallel() // a server with a full disk looks only once a minute whether it still is
					through(t, outage.Start(t, o.Binlog), o, front == "batcher")
				})
			}
		})
	}
}

func through(t *testing.T, server *outage.Server, o outage.Outage, batched bool) {
	db, err := mysqldb.Open(server.DSN(patience))
	if err != nil {
		t.Fatal(err)
	}
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	if err := errors.Join(engine.Migrate(t.Context(), db), db.AutoMigrate(&meter{})); err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(db, engine.Config{Settle: patience}, meterMachine(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close(context.Background()) })
	p := &people{t: t, stop: make(chan struct{})}
	if p.a = p.answers.Through(e); batched {
		p.own = true
		p.a = p.answers.Through(started(t, e, batch.Config{Patience: patience, Deadline: patience}))
	}
	meters(t, e, outageBatch)
	p.live(server, o)
	p.answers.Check(t, db)
	if sum := amounts(t, db); sum != p.keys.Load() {
		t.Errorf("the meters show %d, and %d keys were asked with until they had succeeded", sum, p.keys.Load())
	}
	clean(t, db, &p.answers)
}

// people ask until each request has succeeded, and then the next.
type people struct {
	t       *testing.T
	a       engine.Applier
	own     bool // the Applier has deadlines of its own
	answers enginetest.Answers
	stop    chan struct{}

	keys atomic.Int64
	good [outageCallers + 1]atomic.Int64 // successes, by caller
	bad  atomic.Int64
}

func (p *people) live(server *outage.Server, o outage.Outage) {
	var all sync.WaitGroup
	for caller := range outageCallers + 1 {
		all.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-p.stop:
					return
				default:
				}
				rs := []engine.Request{read(name((caller+n)%outageBatch), fmt.Sprintf("%d-%d", caller, n))}
				if caller == outageCallers {
					for i := 1; i < outageBatch; i++ {
						rs = append(rs, read(name(i), fmt.Sprintf("%d-%d-%d", caller, n, i)))
					}
				}
				if p.keys.Add(int64(len(rs))); !p.insist(caller, rs) {
					return
				}
			}
		})
	}
	p.until("everybody is at work", p.everybody(3))
	bad := p.bad.Load()
	end := o.Begin(server)
	if o.Slows {
		p.until("it goes on slowly", p.everybody(2))
	} else {
		p.until("the outage is noticed", func() bool { return p.bad.Load() > bad+outageCallers })
	}
	end()
	p.until("all goes on", p.everybody(3))
	close(p.stop)
	all.Wait()
	p.t.Logf("%d keys, %d answers that were no success", p.keys.Load(), p.bad.Load())
}

// everybody tells when each caller has had so many successes more.
func (p *people) everybody(more int64) func() bool {
	var from [outageCallers + 1]int64
	for i := range p.good {
		from[i] = p.good[i].Load()
	}
	return func() bool {
		for i := range p.good {
			if p.good[i].Load() < from[i]+more {
				return false
			}
		}
		return true
	}
}

func (p *people) until(what string, holds func() bool) {
	p.t.Helper()
	deadline := time.After(outageMax)
	ticker := time.NewTicker(askAgain)
	defer ticker.Stop()
	for !holds() && !p.t.Failed() {
		select {
		case <-ticker.C:
		case <-deadline:
			p.t.Errorf("waited in vain until %s", what)
		}
	}
}

// insist asks until all requests have succeeded, and holds each answer against the table and the clock.
func (p *people) insist(caller int, rs []engine.Request) bool {
	for !p.t.Failed() {
		ctx, cancel := context.WithCancel(context.Background())
		if !p.own {
			ctx, cancel = context.WithTimeout(context.Background(), patience)
		}
		began := time.Now()
		results := p.a.ApplyAll(ctx, rs)
		took := time.Since(began)
		cancel()
		if took > answerMax {
			p.t.Errorf("an answer took %s", took)
		}
		var again []engine.Request
		for i, r := range results {
			err := r.Err()
			switch {
			case err == nil:
				continue
			case errors.Is(err, engine.ErrUnavailable), errors.Is(err, engine.ErrUnknown), r.Detail == engine.LostRace:
			case !p.own && r.Outcome == "" && errors.Is(err, context.DeadlineExceeded): // the caller's own
			default:
				p.t.Errorf("that is no answer to an outage: %v", err)
			}
			again = append(again, rs[i])
		}
		if rs = again; len(rs) == 0 {
			p.good[caller].Add(1)
			return true
		}
		p.bad.Add(1)
		select {
		case <-time.After(askAgain): // what the answers want
		case <-p.t.Context().Done():
		}
	}
	return false
}

// An outage is nobody's fault, so no culprit is looked for: the batch is tried as often as one request is.
func TestAnOutageCostsABatchNoMoreTriesThanARequest(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		if err := db.AutoMigrate(&meter{}); err != nil {
			t.Fatal(err)
		}
		broken, calls := enginetest.NewFaulty(db, nil)
		e, err := engine.New(broken, engine.Config{}, meterMachine(t))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			calls.Decide(nil)
			_ = e.Close(context.Background())
		})
		meters(t, e, outageBatch)
		gone := func(int, enginetest.CallKind, string) enginetest.Fault { return enginetest.LostBefore }
		var counts []int
		for _, n := range []int{1, outageBatch} {
			var rs []engine.Request
			for i := range n {
				rs = append(rs, read(name(i), fmt.Sprintf("%d-%d", n, i)))
			}
			calls.Decide(gone)
			for _, r := range e.ApplyAll(t.Context(), rs) {
				if !errors.Is(r.Err(), engine.ErrUnavailable) {
					t.Errorf("%s: %v", r.ID, r.Err())
				}
			}
			counts = append(counts, calls.Calls())
		}
		if slices.Max(counts) > 2*counts[0] {
			t.Errorf("one request made %d calls, and %d made %d", counts[0], outageBatch, counts[1])
		}
	})
}
