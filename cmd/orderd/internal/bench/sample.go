package bench

import (
	"slices"
	"time"
)

// sample is one contender's turn.
type sample struct {
	name    string
	callers int
	pool    int // connections, 0 where there is no choice
	n       int64
	took    time.Duration
	waits   []time.Duration // of all requests, sorted
	client  time.Duration   // CPU time of this process, and of the daemon where there is one
	server  *usage          // nil where unknown
}

func (s sample) perSecond() float64 { return float64(s.n) / s.took.Seconds() }

func (s sample) quantile(q float64) float64 {
	if len(s.waits) == 0 {
		return 0
	}
	return s.waits[min(len(s.waits)-1, int(q*float64(len(s.waits))))].Seconds() * 1000
}

func (s sample) p50() float64  { return s.quantile(.5) }
func (s sample) p99() float64  { return s.quantile(.99) }
func (s sample) p999() float64 { return s.quantile(.999) }

// each is an amount per request.
func (s sample) each(amount float64) float64 { return amount / float64(max(1, s.n)) }

func (s sample) clientCPU() float64 { return s.each(micros(s.client)) }

func (s sample) serverCPU() *float64 {
	if s.server == nil || s.server.cpu == nil {
		return nil
	}
	v := s.each(micros(*s.server.cpu))
	return &v
}

func (s sample) rows() *float64 {
	return s.counted(func(u *usage) float64 { return u.rows })
}

func (s sample) bytes() *float64 {
	return s.counted(func(u *usage) float64 { return u.bytes })
}

func (s sample) flushes() *float64 {
	return s.counted(func(u *usage) float64 { return u.flushes })
}

func (s sample) counted(of func(*usage) float64) *float64 {
	if s.server == nil || !s.server.counts {
		return nil
	}
	v := s.each(of(s.server))
	return &v
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// quotients divides the rates of two contenders round by round.
func quotients(a, b []sample) []float64 {
	var q []float64
	for i := range min(len(a), len(b)) {
		q = append(q, a[i].perSecond()/b[i].perSecond())
	}
	return q
}

func sorted(waits []time.Duration) []time.Duration {
	slices.Sort(waits)
	return waits
}
