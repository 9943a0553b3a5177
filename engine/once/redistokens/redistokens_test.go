package redistokens_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/once"
	"example.com/orderd/engine/once/redistokens"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var order = once.Binding{Holder: "principal:shop", Scope: "order"}

func connect(t *testing.T, url string) *redis.Client {
	t.Helper()
	o, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	o.ContextTimeoutEnabled = true
	c := redis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func tokens(t *testing.T, cfg redistokens.Config) (*redistokens.Tokens, *redis.Client) {
	t.Helper()
	c := connect(t, enginetest.Redis(t))
	cfg.Prefix = fmt.Sprintf("test:%s:%d:", t.Name(), time.Now().UnixNano())
	return redistokens.New(c, cfg), c
}

func issue(t *testing.T, ts *redistokens.Tokens) string {
	t.Helper()
	token, err := ts.Issue(t.Context(), order)
	if err != nil {
		t.Fatal(err)
	}
	return token.Text
}

// Sixteen clicks at once: one does the work, the others wait for it and get its answer.
func TestASecondClickWaitsForTheFirstAndGetsItsAnswer(t *testing.T) {
	ts, _ := tokens(t, redistokens.Config{})
	token := issue(t, ts)
	var runs, firsts, waiting atomic.Int64
	const clicks = 16
	var all sync.WaitGroup
	for range clicks {
		all.Go(func() {
			waiting.Add(1)
			answer, first, err := ts.Spend(t.Context(), token, order, "two books", func(context.Context) ([]byte, error) {
				runs.Add(1)
				for waiting.Load() < clicks { // the work lasts until everybody has clicked
					<-time.After(time.Millisecond)
				}
				return []byte("ord_1"), nil
			})
			if string(answer) != "ord_1" || err != nil {
				t.Errorf("%q, %v", answer, err)
			}
			if first {
				firsts.Add(1)
			}
		})
	}
	all.Wait()
	if runs.Load() != 1 || firsts.Load() != 1 {
		t.Errorf("%d runs, %d firsts", runs.Load(), firsts.Load())
	}
}

// A first click that fails gives the token back: one that waited does the work instead.
func TestAFailedFirstGivesTheTokenBack(t *testing.T) {
	ts, _ := tokens(t, redistokens.Config{})
	token := issue(t, ts)
	broken := errors.New("the card was refused")
	started, second := make(chan struct{}), make(chan error)
	var runs atomic.Int64
	go func() {
		<-started
		_, first, err := ts.Spend(t.Context(), token, order, "two books", func(context.Context) ([]byte, error) {
			runs.Add(1)
			return nil, nil
		})
		if !first {
			err = errors.Join(err, errors.New("it did not do the work"))
		}
		second <- err
	}()
	_, _, err := ts.Spend(t.Context(), token, order, "two books", func(context.Context) ([]byte, error) {
		close(started)
		return nil, broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if err := <-second; err != nil || runs.Load() != 1 {
		t.Errorf("the second: %v, %d runs", err, runs.Load())
	}
	// A panic gives it back, too.
	token = issue(t, ts)
	func() {
		defer func() { _ = recover() }()
		_, _, _ = ts.Spend(t.Context(), token, order, "x", func(context.Context) ([]byte, error) { panic("on purpose") })
	}()
	if _, first, err := ts.Spend(t.Context(), token, order, "y", func(context.Context) ([]byte, error) { return nil, nil }); !first || err != nil {
		t.Errorf("after a panic: %t, %v", first, err)
	}
}

// A token is good for its holder, its scope, its request and its time.
func TestATokenIsBound(t *testing.T) {
	ts, c := tokens(t, redistokens.Config{})
	token := issue(t, ts)
	work := func(context.Context) ([]byte, error) { return []byte("done"), nil }
	if _, _, err := ts.Spend(t.Context(), token, order, "two books", work); err != nil {
		t.Fatal(err)
	}
	for name, click := range map[string]struct {
		token, request string
		b              once.Binding
		want           error
	}{
		"another request": {token, "three books", order, once.ErrBound},
		"another holder":  {token, "two books", once.Binding{Holder: "principal:thief", Scope: "order"}, once.ErrUnknown},
		"another scope":   {token, "two books", once.Binding{Holder: "principal:shop", Scope: "transfer"}, once.ErrUnknown},
		"never issued":    {"nothing", "two books", order, once.ErrUnknown},
	} {
		if _, _, err := ts.Spend(t.Context(), click.token, click.b, click.request, work); !errors.Is(err, click.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if answer, first, err := ts.Spend(t.Context(), token, order, "two books", work); string(answer) != "done" || first || err != nil {
		t.Errorf("the same again: %q, %t, %v", answer, first, err)
	}
	keys, err := c.Keys(t.Context(), "*"+token+"*").Result()
	if err != nil || len(keys) != 1 {
		t.Fatalf("%q, %v", keys, err)
	}
	if ttl := c.PTTL(t.Context(), keys[0]).Val(); ttl <= 0 || ttl > once.TTLDefault {
		t.Errorf("it lives for %s", ttl)
	}
	if _, err := ts.Issue(t.Context(), once.Binding{}); err == nil {
		t.Error("a token for nobody was issued")
	}
}

// A run whose process died holds the token no longer than RunMax.
func TestADeadRunIsTakenOver(t *testing.T) {
	ts, c := tokens(t, redistokens.Config{RunMax: 300 * time.Millisecond})
	token := issue(t, ts)
	keys, err := c.Keys(t.Context(), "*"+token+"*").Result()
	if err != nil || len(keys) != 1 {
		t.Fatalf("%q, %v", keys, err)
	}
	// What a process leaves that dies at work.
	if err := c.HSet(t.Context(), keys[0], "state", "running", "request", fmt.Sprintf("%x", sha256.Sum256([]byte("x"))), "run", "dead", "until", time.Now().Add(300*time.Millisecond).UnixMilli()).Err(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	_, first, err := ts.Spend(t.Context(), token, order, "x", func(context.Context) ([]byte, error) { return nil, nil })
	if took := time.Since(began); !first || err != nil || took < 200*time.Millisecond || took > 5*time.Second {
		t.Errorf("%t, %v, after %s", first, err, took)
	}
}

// Who waits does so no longer than its context lets it.
func TestWaitingIsBounded(t *testing.T) {
	ts, _ := tokens(t, redistokens.Config{})
	token := issue(t, ts)
	_, _, err := ts.Spend(t.Context(), token, order, "x", func(context.Context) ([]byte, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, _, err := ts.Spend(ctx, token, order, "x", func(context.Context) ([]byte, error) { return nil, errors.New("twice") })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		return nil, nil
	})
	if err != nil {
		t.Error(err)
	}
}

// Deleting is idempotent: a second time succeeds too, and says that nothing was left.
func TestRevokingATokenTwice(t *testing.T) {
	ts, _ := tokens(t, redistokens.Config{})
	token := issue(t, ts)
	for i, want := range []struct {
		holder string
		there  bool
	}{{"principal:thief", false}, {"principal:shop", true}, {"principal:shop", false}} {
		if there, err := ts.Revoke(t.Context(), token, want.holder); there != want.there || err != nil {
			t.Errorf("%d: %t, %v", i, there, err)
		}
	}
	if _, _, err := ts.Spend(t.Context(), token, order, "x", nil); !errors.Is(err, once.ErrUnknown) {
		t.Errorf("spent after being revoked: %v", err)
	}
}

// Without Redis no token is issued or spent, and the caller is told so in time.
func TestWithoutRedisNothingIsSpent(t *testing.T) {
	mute, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, answers nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mute.Close() }()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()
	for name, addr := range map[string]string{"refuses": gone.Addr().String(), "hangs": mute.Addr().String()} {
		t.Run(name, func(t *testing.T) {
			ts := redistokens.New(connect(t, "redis://"+addr), redistokens.Config{})
			began := time.Now()
			_, _, err := ts.Spend(t.Context(), "token", order, "x", func(context.Context) ([]byte, error) {
				t.Error("the work was done")
				return nil, nil
			})
			if !errors.Is(err, redistokens.ErrAway) {
				t.Errorf("spend: %v", err)
			}
			if _, err := ts.Issue(t.Context(), order); !errors.Is(err, redistokens.ErrAway) {
				t.Errorf("issue: %v", err)
			}
			if took := time.Since(began); took > 6*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// Redis is told which request a token is bound to, and not what is in it.
func TestRedisKeepsNoRequest(t *testing.T) {
	ts, c := tokens(t, redistokens.Config{})
	token := issue(t, ts)
	_, _, err := ts.Spend(t.Context(), token, order, "for Ada, Main Street 1", func(ctx context.Context) ([]byte, error) {
		keys, err := c.Keys(ctx, "*"+token+"*").Result()
		if err != nil || len(keys) != 1 {
			t.Errorf("%v, %v", keys, err)
		}
		for _, key := range keys {
			for field, value := range c.HGetAll(ctx, key).Val() {
				if strings.Contains(value, "Ada") {
					t.Errorf("%s is %q", field, value)
				}
			}
		}
		return nil, nil
	})
	if err != nil {
		t.Error(err)
	}
}
