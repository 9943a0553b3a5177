package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example.com/orderd/cmd/orderd/internal/database"
)

// A storm is many callers who all send every event of one order's life, many times each. They do not
// wait for each other: while some still ask for an event, others are events ahead.
type storm struct {
	*crowd
	callers    int
	duplicates int // of each event, by each caller

	order     atomic.Pointer[string]
	reference atomic.Pointer[string]
	happened  map[string]*atomic.Bool // events that some caller knows to have happened

	mu      sync.Mutex
	applied map[string]int // answers "applied", by event
	counts  map[string]int // all answers, by event and kind
}

// The life of an order, and where in its history each event belongs.
var (
	lifeOfAnOrder = map[string]int64{"place": 1, "pay": 2, "ship": 3, "deliver": 4, "complete": 5}
	lifeInOrder   = []string{"place", "pay", "ship", "deliver", "complete"}
)

// stormMax bounds a storm.
const stormMax = 3 * time.Minute

// The daemon is the real program here, so that the race detector slows down only the callers.
func TestAStormOfDuplicatesMovesAnOrderOnceThroughItsLife(t *testing.T) {
	eachBinary(t, func(t *testing.T, b *binary, setting, key string) {
		blowOver(t, b, setting, key, 200, b.serveMortal())
	})
}

func TestTwoDaemonsOnOneDatabaseMoveAnOrderOnceThroughItsLife(t *testing.T) {
	eachBinary(t, func(t *testing.T, b *binary, setting, key string) {
		blowOver(t, b, setting, key, 25, b.serveMortal(), b.serveMortal())
	})
}

// A small storm on a daemon in this process, for the race detector to watch.
func TestAStormInsideOneProcess(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		w := &storm{crowd: newCrowd(t, 64, "dev", s.url), callers: 64, duplicates: 5}
		w.blow(t)
		w.answers.Check(t, s.daemon.database.Gorm)
		requireClean(t, s.daemon.database.Gorm)
	})
}

// blowOver sends a storm over daemons, stops them and checks the database they leave. It returns the callers.
func blowOver(t *testing.T, b *binary, setting, key string, duplicates int, daemons ...*running) *crowd {
	t.Helper()
	var urls []string
	for _, r := range daemons {
		urls = append(urls, r.url)
	}
	w := &storm{crowd: newCrowd(t, 64, key, urls...), callers: 64, duplicates: duplicates}
	w.blow(t)
	for _, r := range daemons {
		code, log := r.stop()
		require.Equal(t, 0, code, log)
	}
	db, err := database.Create(t.Context(), setting)
	require.NoError(t, err)
	w.answers.Check(t, db.Gorm)
	requireClean(t, db.Gorm)
	require.NoError(t, db.Close())
	b.requireVerified()
	return w.crowd
}

// blow lets all callers loose and then looks at what they have left.
func (w *storm) blow(t *testing.T) {
	t.Helper()
	w.applied, w.counts, w.happened = map[string]int{}, map[string]int{}, map[string]*atomic.Bool{}
	for event := range lifeOfAnOrder {
		w.happened[event] = &atomic.Bool{}
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), stormMax, errors.New("the storm lasts too long"))
	defer cancel()
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	var callers sync.WaitGroup
	ready := make(chan struct{})
	for caller := range w.callers {
		callers.Go(func() {
			<-ready
			if err := w.live(ctx, caller); err != nil {
				giveUp(err) // the first one counts; the others stop because of it
			}
		})
	}
	began := time.Now()
	close(ready)
	callers.Wait()
	require.NoError(t, context.Cause(ctx), "answers: %v", w.counts)
	t.Logf("%d callers, %d duplicates of each event by each, %d asked again, %s: %v",
		w.callers, w.duplicates, w.retried.Load(), time.Since(began).Round(time.Millisecond), w.counts)
	w.requireOneLife(t)
}

// live is what one caller does.
func (w *storm) live(ctx context.Context, caller int) error {
	for range w.duplicates {
		if err := w.place(ctx); err != nil {
			return err
		}
	}
	if err := w.startPayment(ctx); err != nil {
		return err
	}
	for i := range w.duplicates {
		if err := w.capture(ctx); err != nil {
			return err
		}
		if (caller+i)%16 == 0 { // too early, unless others are far ahead
			if _, err := w.ask(ctx, "complete", "Idempotency-Key", fmt.Sprintf("early-%d-%d", caller, i)); err != nil {
				return err
			}
		}
	}
	for _, event := range []string{"ship", "deliver", "complete"} {
		if err := w.untilItHappens(ctx, event); err != nil {
			return err
		}
		for i := 1; i < w.duplicates; i++ {
			if _, err := w.ask(ctx, event, w.identity(event, caller, i)...); err != nil {
				return err
			}
			if (caller+i)%16 == 0 {
				if err := w.tooLate(ctx, caller, i); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// identity is how the i-th duplicate says which request it is.
func (w *storm) identity(event string, caller, i int) []string {
	switch i % 5 {
	case 0:
		return nil
	case 1:
		return []string{"Idempotency-Key", fmt.Sprintf("%s-%d-%d", event, caller, i)} // its own
	case 2:
		return []string{"If-Match", fmt.Sprintf("%q", fmt.Sprint(lifeOfAnOrder[event]-1))} // what held just before
	case 3:
		return []string{"If-Match", `"1"`} // long gone
	}
	return []string{"Idempotency-Key", event} // the same for all callers
}

func (w *storm) place(ctx context.Context) error {
	a, err := w.post(ctx, "/v1/orders", twoBooks, "Idempotency-Key", "place")
	if err != nil {
		return err
	}
	w.count("place", a)
	if a.status != http.StatusCreated && (a.status != http.StatusOK || a.str("detail") != "replayed") {
		return fmt.Errorf("place: unexplained %s", a)
	}
	return one(&w.order, a.str("id"), a)
}

func (w *storm) startPayment(ctx context.Context) error {
	a, err := w.post(ctx, "/v1/orders/"+*w.order.Load()+"/payments", `{"provider":"standard"}`, "Idempotency-Key", "payment")
	if err != nil {
		return err
	}
	w.count("start payment", a)
	if a.status != http.StatusCreated && (a.status != http.StatusOK || a.str("detail") != "replayed") {
		return fmt.Errorf("start payment: unexplained %s", a)
	}
	return one(&w.reference, a.str("reference"), a)
}

// one holds that all answers name the same subject.
func one(known *atomic.Pointer[string], name string, a answer) error {
	known.CompareAndSwap(nil, &name)
	if first := *known.Load(); first != name {
		return fmt.Errorf("another one besides %s: %s", first, a)
	}
	return nil
}

// capture is the provider's report that the order is paid.
func (w *storm) capture(ctx context.Context) error {
	a, err := w.report(ctx, captured("tx-storm", *w.reference.Load(), 2500, "EUR"))
	if err != nil {
		return err
	}
	w.count("callback", a)
	if a.status != http.StatusOK {
		return fmt.Errorf("callback: unexplained %s", a)
	}
	return nil
}

// untilItHappens asks for an event with the key that all callers share. A payment that is kept but
// not yet decided lets it be early.
func (w *storm) untilItHappens(ctx context.Context, event string) error {
	for {
		happened, err := w.ask(ctx, event, "Idempotency-Key", event)
		if happened || err != nil {
			return err
		}
		if err := w.capture(ctx); err != nil {
			return err
		}
		if err := sleep(ctx, retryPause); err != nil {
			return err
		}
	}
}

// ask asks for an event and reports whether it has happened, by this call or before. It accepts only
// answers that the order's history explains.
func (w *storm) ask(ctx context.Context, event string, headers ...string) (happened bool, err error) {
	before := w.happened[event].Load()
	a, err := w.event(ctx, event, "", headers...)
	if err != nil {
		return false, err
	}
	pinned := len(headers) > 0 && headers[0] == "If-Match"
	switch kind := w.count(event, a); {
	case a.status == http.StatusOK && (kind == "applied" || kind == "already/replayed" || kind == "already/same_state" || kind == "already/superseded"):
		w.happened[event].Store(true)
		proof, _ := a.body["transition"].(map[string]any)
		now, _ := a.body["version"].(float64)
		if proof["event"] != event || proof["version"] != float64(lifeOfAnOrder[event]) || now < float64(lifeOfAnOrder[event]) {
			return false, fmt.Errorf("%s: the proof is another transition: %s", event, a)
		}
		return true, nil
	case a.status == http.StatusConflict && kind == "early/" && !before && a.header.Get("Retry-After") != "":
	case a.status == http.StatusPreconditionFailed && kind == "stale/version" && pinned:
	default:
		return false, fmt.Errorf("%s %v: unexplained %s", event, headers, a)
	}
	return false, nil
}

// late is what a shipped order refuses for ever.
var late = []struct {
	event, input, key string // key "own" stands for one of the caller's own
	want              string
	status            int
}{
	{"cancel", "", "", "stale/passed", http.StatusConflict},
	{"expire", "", "", "stale/passed", http.StatusConflict},
	{"cancel", "", "own", "stale/passed", http.StatusConflict},
	{"pay", `,"input":{"amount":2500,"currency":"EUR"}`, "own", "stale/passed", http.StatusConflict},
	{"cancel", "", "place", "conflict/key_reused", http.StatusUnprocessableEntity},
}

// tooLate asks for one thing that is late.
func (w *storm) tooLate(ctx context.Context, caller, i int) error {
	l := late[i%len(late)]
	var headers []string
	switch l.key {
	case "":
	case "own":
		headers = []string{"Idempotency-Key", fmt.Sprintf("late-%d-%d", caller, i)}
	default:
		headers = []string{"Idempotency-Key", l.key}
	}
	a, err := w.event(ctx, l.event, l.input, headers...)
	if err != nil {
		return err
	}
	if kind := w.count(l.event+" again", a); kind != l.want || a.status != l.status {
		return fmt.Errorf("%s %v: unexplained %s", l.event, headers, a)
	}
	return nil
}

func (w *storm) event(ctx context.Context, event, input string, headers ...string) (answer, error) {
	return w.post(ctx, "/v1/orders/"+*w.order.Load()+"/transitions", fmt.Sprintf(`{"event":%q%s}`, event, input), headers...)
}

// count books an answer and names its kind.
func (w *storm) count(event string, a answer) string {
	kind := a.str("outcome")
	switch detail := a.str("detail"); {
	case a.status >= http.StatusBadRequest:
		kind = a.str("code") + "/" + a.str("detail_code")
	case detail != "":
		kind += "/" + detail
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[fmt.Sprintf("%s: %d %s", event, a.status, kind)]++
	if kind == "applied" {
		w.applied[event]++
	}
	return kind
}

// requireOneLife holds what is left of the storm against one quiet life.
func (w *storm) requireOneLife(t *testing.T) {
	t.Helper()
	for _, event := range []string{"place", "start payment", "ship", "deliver", "complete"} {
		assert.Equal(t, 1, w.applied[event], "answers applied to %s", event)
	}
	path := "/v1/orders/" + *w.order.Load()
	history, err := w.get(t.Context(), path+"/transitions")
	require.NoError(t, err)
	var happened []string
	for i, item := range history.list("data") {
		step := item.(map[string]any)
		happened = append(happened, step["event"].(string))
		require.EqualValues(t, i+1, step["version"])
	}
	require.Equal(t, lifeInOrder, happened)

	order, err := w.get(t.Context(), path)
	require.NoError(t, err)
	require.Equal(t, "completed", order.str("state"))
	require.EqualValues(t, 2500, order.body["paid_amount"])
	all, err := w.get(t.Context(), "/v1/orders")
	require.NoError(t, err)
	require.Len(t, all.list("data"), 1)
	payments, err := w.get(t.Context(), "/v1/payments")
	require.NoError(t, err)
	require.Len(t, payments.list("data"), 1)
	require.Equal(t, "captured", payments.list("data")[0].(map[string]any)["state"])
	desk, err := w.get(t.Context(), "/v1/money-desk")
	require.NoError(t, err)
	require.Empty(t, desk.list("data"))
}
