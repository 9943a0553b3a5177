package telemetry

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"example.com/orderd/engine/outbox"
	"example.com/orderd/engine/outbox/webhook"
)

// background counts what the daemon does without being asked.
type background struct {
	registry prometheus.Registerer

	handed  *prometheus.CounterVec
	lag     *prometheus.HistogramVec
	parked  prometheus.Counter
	posts   *prometheus.CounterVec
	postLag prometheus.Histogram
	fired   prometheus.Counter
	late    prometheus.Histogram
	failed  *prometheus.CounterVec
}

func newBackground(to prometheus.Registerer) background {
	b := background{
		registry: to,
		handed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orderd_messages_total", Help: "Messages handed to sinks, by what became of them.",
		}, []string{"sink", "result"}),
		lag: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "orderd_message_lag_seconds", Help: "Time from a transition to a sink having its message.", Buckets: seconds,
		}, []string{"sink"}),
		parked: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "orderd_messages_parked_total", Help: "Messages that were given up until a person decides.",
		}),
		posts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orderd_webhook_posts_total", Help: "Posts to webhook endpoints, by what came of them.",
		}, []string{"result"}),
		postLag: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "orderd_webhook_post_seconds", Help: "Time that a webhook endpoint took to answer.", Buckets: seconds,
		}),
		fired: prometheus.NewCounter(prometheus.CounterOpts{Name: "orderd_timers_fired_total",
			Help: "Timers that caused a transition."}),
		late: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "orderd_timer_late_seconds", Help: "Time from a timer being due to its transition.", Buckets: seconds,
		}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orderd_job_failures_total", Help: "Steps of background jobs that failed and are tried again.",
		}, []string{"job"}),
	}
	to.MustRegister(b.handed, b.lag, b.parked, b.posts, b.postLag, b.fired, b.late, b.failed)
	return b
}

// Handed counts one batch at one sink.
func (b *background) Handed(h outbox.Handed) {
	b.handed.WithLabelValues(h.Sink, "taken").Add(float64(len(h.Lags)))
	b.handed.WithLabelValues(h.Sink, "failed").Add(float64(h.Failed))
	lag := b.lag.WithLabelValues(h.Sink)
	for _, d := range h.Lags {
		lag.Observe(d.Seconds())
	}
}

// Parked counts one message that was given up.
func (b *background) Parked(outbox.Message) { b.parked.Inc() }

// Posted counts one post to an endpoint.
func (b *background) Posted(a webhook.Attempt) {
	result := "delivered"
	if a.Problem != "" {
		result = "failed"
	}
	b.posts.WithLabelValues(result).Inc()
	b.postLag.Observe(a.Took.Seconds())
}

// Fired counts one timer.
func (b *background) Fired(_ string, late time.Duration) {
	b.fired.Inc()
	b.late.Observe(late.Seconds())
}

// JobFailed counts one failed step.
func (b *background) JobFailed(job string) { b.failed.WithLabelValues(job).Inc() }

// Bounds of asking the database for a gauge.
const (
	backlogMax   = 2 * time.Second
	backlogEvery = 5 * time.Second // however often somebody looks
)

// Backlog exports how many messages wait, as read tells.
func (b *background) Backlog(read func(context.Context) (outbox.Backlog, error)) {
	var mu sync.Mutex
	var known outbox.Backlog
	var at time.Time
	now := func() outbox.Backlog {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(at) > backlogEvery {
			ctx, cancel := context.WithTimeout(context.Background(), backlogMax)
			defer cancel()
			if got, err := read(ctx); err == nil {
				known = got
			}
			at = time.Now()
		}
		return known
	}
	for status, count := range map[outbox.Status]func(outbox.Backlog) int{
		outbox.Pending:  func(b outbox.Backlog) int { return b.Pending },
		outbox.Retrying: func(b outbox.Backlog) int { return b.Retrying },
		outbox.Parked:   func(b outbox.Backlog) int { return b.Parked },
	} {
		b.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "orderd_messages_waiting", Help: "Messages that are not sent.", ConstLabels: prometheus.Labels{"status": string(status)},
		}, func() float64 { return float64(count(now())) }))
	}
}
