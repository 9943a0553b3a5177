package bench

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// turnOf is a turn with n answers, each after the same wait.
func turnOf(name string, callers int, n int64, wait time.Duration) sample {
	s := sample{name: name, callers: callers, n: n, took: time.Second}
	for range n {
		s.waits = append(s.waits, wait)
	}
	return s
}

func TestRatiosArePairedWithinRounds(t *testing.T) {
	slow := []sample{turnOf("slow", 1, 10, 0), turnOf("slow", 1, 100, 0), turnOf("slow", 1, 50, 0)}
	fast := []sample{turnOf("fast", 1, 30, 0), turnOf("fast", 1, 200, 0), turnOf("fast", 1, 50, 0)}
	q := quotients(fast, slow)
	assert.Equal(t, []float64{3, 2, 1}, q)
	var r Report
	r.ratio("transitions", 64, "slow", 2, q)
	assert.Equal(t, Ratio{Figure: "transitions", Callers: 64, Against: "slow", Spread: Spread{Min: 1, Median: 2, Max: 3}, Target: 2}, r.Ratios[0])
	assert.True(t, r.Ratios[0].Met())
}

func TestSpread(t *testing.T) {
	assert.Equal(t, Spread{}, spread(nil))
	assert.Equal(t, Spread{Min: 7, Median: 7, Max: 7}, spread([]float64{7}))
	assert.Equal(t, Spread{Min: 1, Median: 2.5, Max: 4}, spread([]float64{4, 1, 3, 2}))
	assert.Equal(t, Spread{Min: 1235, Median: 1235, Max: 1235}, spread([]float64{1234.56}), "four digits")
	unsorted := []float64{3, 1, 2}
	spread(unsorted)
	assert.Equal(t, []float64{3, 1, 2}, unsorted, "rounds keep their order")
}

func TestTargets(t *testing.T) {
	for _, c := range []struct {
		median, target float64
		below, met     bool
	}{
		{1, 0, false, true}, {6, 6, false, true}, {5.9, 6, false, false}, {1.3, 1.3, true, true}, {1.4, 1.3, true, false},
	} {
		assert.Equal(t, c.met, Ratio{Spread: Spread{Median: c.median}, Target: c.target, Below: c.below}.Met(), c)
	}
}

func TestQuantiles(t *testing.T) {
	var s sample
	assert.Zero(t, s.p99())
	for i := range 1000 {
		s.waits = append(s.waits, time.Duration(i+1)*time.Millisecond)
	}
	assert.InDelta(t, 500, s.p50(), 1)
	assert.InDelta(t, 990, s.p99(), 1)
	assert.InDelta(t, 999, s.p999(), 1)
}

func TestFiguresAreMediansOverRounds(t *testing.T) {
	cpu := 10 * time.Millisecond
	known := turnOf("a", 4, 100, time.Millisecond)
	known.server = &usage{cpu: &cpu, counts: true, rows: 300, bytes: 1000, flushes: 50}
	unknown := turnOf("b", 4, 100, time.Millisecond)
	half := known
	half.server = &usage{counts: true, rows: 300}
	all := figures([]sample{known, unknown, turnOf("a", 64, 10, 0), known, half})
	require.Len(t, all, 3)
	assert.Equal(t, "a", all[0].Contender)
	assert.Equal(t, []float64{100, 100, 100}, all[0].Raw)
	assert.Equal(t, 1.0, all[0].P50)
	assert.Equal(t, 3.0, *all[0].Rows)
	assert.Nil(t, all[0].ServerCPU, "one round does not know it")
	assert.Nil(t, all[1].Rows)
	assert.Equal(t, 64, all[2].Callers, "by callers first")
}

func TestEmptyListsAreListsInJSON(t *testing.T) {
	text, err := json.Marshal(&Report{})
	require.NoError(t, err)
	assert.Contains(t, string(text), `"ratios":[]`)
	assert.Contains(t, string(text), `"figures":[]`)
}
