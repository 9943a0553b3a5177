package locked_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/internal/conformance"
	"example.com/orderd/engine/lock"
	"example.com/orderd/engine/lock/redislock"
	"example.com/orderd/engine/lock/zklock"
	"example.com/orderd/engine/locked"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var serial atomic.Int64

func unique() string { return fmt.Sprint(time.Now().UnixNano(), "-", serial.Add(1)) }

// lockers are those that the suite runs behind.
var lockers = map[string]func(t *testing.T, db *gorm.DB) lock.Locker{
	"always yes": func(*testing.T, *gorm.DB) lock.Locker { return enginetest.Granted{} },
	"fickle":     func(*testing.T, *gorm.DB) lock.Locker { return &fickle{} },
	"real: SQL": func(t *testing.T, db *gorm.DB) lock.Locker {
		l, err := lock.NewSQL(t.Context(), db, time.Minute, unique)
		if err != nil {
			t.Fatal(err)
		}
		return l
	},
	"real: Redis": func(t *testing.T, _ *gorm.DB) lock.Locker {
		o, err := redis.ParseURL(enginetest.Redis(t))
		if err != nil {
			t.Fatal(err)
		}
		c := redis.NewClient(o)
		t.Cleanup(func() { _ = c.Close() })
		l, err := redislock.New(c, redislock.Config{Owner: unique, Prefix: "test:" + unique() + ":"})
		if err != nil {
			t.Fatal(err)
		}
		return l
	},
	"real: ZooKeeper": func(t *testing.T, _ *gorm.DB) lock.Locker {
		l, err := zklock.Open([]string{enginetest.ZooKeeper(t)}, zklock.Config{Root: "/test-" + unique(), TTL: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(l.Close)
		return l
	},
}

// fickle grants to everybody, and loses what it has granted at once, one time in two.
type fickle struct{ asked atomic.Int64 }

func (f *fickle) Try(ctx context.Context, name string) (*lock.Lease, error) {
	l, err := enginetest.Granted{}.Try(ctx, name)
	if err == nil && f.asked.Add(1)%2 == 0 {
		err = l.Release(ctx)
	}
	return l, err
}

// What the engine promises it promises behind every lock, and no less behind one that grants everything
// to everybody: truth is the conditional update's.
func TestNothingRestsOnLocks(t *testing.T) {
	for name, open := range lockers {
		t.Run(name, func(t *testing.T) {
			for kind, fresh := range map[string]func(testing.TB) *gorm.DB{"sqlite": enginetest.SQLite, "mysql": enginetest.MySQL} {
				t.Run(kind, func(t *testing.T) {
					locker := open(t, fresh(t))
					setup := conformance.Setup{
						Open: func(t *testing.T) *gorm.DB { return fresh(t) },
						Front: func(_ *testing.T, e *engine.Engine) engine.Applier {
							return locked.New(e, locker, locked.Config{Wait: time.Minute})
						},
					}
					if strings.HasPrefix(name, "real") { // callers wait for each other: fewer of them
						conformance.Storm(t, setup, enginetest.Storms{Callers: 6, Duplicates: 4})
						return
					}
					conformance.Run(t, setup)
				})
			}
		})
	}
}

// inner remembers what reaches it and answers applied.
type inner struct {
	asked  []string
	during func()
}

func (i *inner) Apply(ctx context.Context, r engine.Request) (engine.Result, error) {
	result := i.ApplyAll(ctx, []engine.Request{r})[0]
	return result, result.Err()
}

func (i *inner) ApplyAll(_ context.Context, rs []engine.Request) []engine.Result {
	results := make([]engine.Result, len(rs))
	for n, r := range rs {
		i.asked = append(i.asked, r.ID)
		results[n] = engine.Result{Outcome: engine.Applied, ID: r.ID}
	}
	if i.during != nil {
		i.during()
	}
	return results
}

// book is a Locker in memory that notes what it is asked for.
type book struct {
	held  map[string]bool
	asked []string
	away  error
}

func (b *book) Try(ctx context.Context, name string) (*lock.Lease, error) {
	b.asked = append(b.asked, name)
	switch {
	case b.away != nil:
		return nil, b.away
	case b.held[name]:
		return nil, fmt.Errorf("%w: %s", lock.ErrHeld, name)
	}
	b.held[name] = true
	return lock.NewLease(ctx, name, 1, time.Minute, time.Now(), &page{b, name}), nil
}

type page struct {
	*book
	name string
}

func (p *page) Renew(context.Context) error { return nil }
func (p *page) Release(ctx context.Context) error {
	delete(p.held, p.name)
	return ctx.Err()
}

func request(id string) engine.Request { return engine.Request{Machine: "m", ID: id, Event: "e"} }

// The lock is held while the engine works and not longer, and also for a caller who has gone.
func TestALockIsHeldDuringTheWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		b := &book{held: map[string]bool{}}
		to := &inner{during: func() {
			if !b.held["subject:m/a"] || !b.held["subject:m/b"] || len(b.held) != 2 {
				t.Errorf("held %v", b.held)
			}
			cancel()
		}}
		creation, dry := engine.Request{Machine: "m", Event: "e"}, request("d")
		dry.DryRun = true
		results := locked.New(to, b, locked.Config{}).ApplyAll(ctx, []engine.Request{request("b"), creation, request("a"), dry, request("b")})
		for i, r := range results {
			if r.Outcome != engine.Applied {
				t.Errorf("%d: %v", i, r.Err())
			}
		}
		if len(b.held) != 0 {
			t.Errorf("still held: %v", b.held)
		}
		if got := strings.Join(b.asked, " "); got != "subject:m/a subject:m/b" {
			t.Errorf("locked %s: want each once, in one order for all", got)
		}
		if got := strings.Join(to.asked, " "); got != "b  a d b" {
			t.Errorf("applied %q", got)
		}
	})
}

// Who does not get the lock in time is told so, nothing is done, and the others go on.
func TestALockThatIsNotToBeHad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to, b := &inner{}, &book{held: map[string]bool{"subject:m/b": true}}
		a := locked.New(to, b, locked.Config{Wait: 3 * time.Second})
		began := time.Now()
		results := a.ApplyAll(t.Context(), []engine.Request{request("a"), request("b")})
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("it took %s", took)
		}
		if results[0].Outcome != engine.Applied || len(to.asked) != 1 {
			t.Errorf("a: %v, asked for %v", results[0].Err(), to.asked)
		}
		err := results[1].Err()
		if !errors.Is(err, engine.ErrUnavailable) || results[1].RetryAfter <= 0 || !strings.Contains(err.Error(), "somebody else holds it") {
			t.Errorf("b: %v", err)
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := a.Apply(ctx, request("b")); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, lock.ErrHeld) || errors.Is(err, engine.ErrUnavailable) {
			t.Errorf("the caller's own time: %v", err)
		}
		b.away = errors.New("no route to the lock server")
		began = time.Now()
		if _, err := a.Apply(t.Context(), request("c")); !errors.Is(err, engine.ErrUnavailable) || !strings.Contains(err.Error(), "no route") || time.Since(began) > 0 {
			t.Errorf("away: %v", err)
		}
		if len(to.asked) != 1 {
			t.Errorf("asked for %v", to.asked)
		}
	})
}

// Names of locks are bounded, whatever the subject's is.
func TestLongSubjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &book{held: map[string]bool{}}
		a := locked.New(&inner{}, b, locked.Config{})
		for _, id := range []string{strings.Repeat("x", 200), strings.Repeat("x", 201)} {
			if _, err := a.Apply(t.Context(), request(id)); err != nil {
				t.Error(err)
			}
		}
		if len(b.asked) != 2 || b.asked[0] == b.asked[1] || len(b.asked[0]) > 128 {
			t.Errorf("asked for %v", b.asked)
		}
	})
}
