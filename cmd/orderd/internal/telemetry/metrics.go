package telemetry

import (
	"database/sql"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"example.com/orderd/engine"
	"example.com/orderd/engine/batch"
)

// Metrics counts what the daemon does. Every label comes from a closed list, so that no caller can
// make the daemon keep more series. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	requests     *prometheus.CounterVec
	requestTime  *prometheus.HistogramVec
	httpRequests *prometheus.CounterVec
	httpTime     *prometheus.HistogramVec
	refusedKeys  prometheus.Counter
	callbacks    *prometheus.CounterVec
	settled      *prometheus.CounterVec
	batchSize    prometheus.Histogram
	batchTime    prometheus.Histogram
	background

	known map[string]map[engine.Event]bool // by machine; filled before the first request
}

// other stands for names that no machine has.
const other = "other"

// seconds are the buckets of all durations: a commit takes about a millisecond, a time-out seconds.
var seconds = []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10}

// NewMetrics makes the daemon's metrics in a registry of their own.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orderd_requests_total", Help: "Requests to the engine, by their answer.",
		}, []string{"machine", "event", "outcome", "detail"}),
		requestTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "orderd_request_seconds", Help: "Time from a request to the engine to its answer.", Buckets: seconds,
		}, []string{"machine", "outcome"}),
		httpRequests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orderd_http_requests_total", Help: "HTTP requests, by route and status.",
		}, []string{"route", "status"}),
		httpTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "orderd_http_request_seconds", Help: "Time to the end of an HTTP answer.", Buckets: seconds,
		}, []string{"route"}),
		refusedKeys: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "orderd_unauthorized_total", Help: "HTTP requests without a valid key.",
		}),
		callbacks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orderd_callbacks_total", Help: "Payment callbacks, by provider and what became of them.",
		}, []string{"provider", "answer"}),
		settled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orderd_settle_passes_total", Help: "Passes over facts that a crash left undecided.",
		}, []string{"result"}),
		batchSize: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "orderd_batch_requests", Help: "Requests that shared a batch.", Buckets: prometheus.ExponentialBuckets(1, 2, 10),
		}),
		batchTime: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "orderd_batch_seconds", Help: "Time of a batch from its first statement to its answers.", Buckets: seconds,
		}),
		known: map[string]map[engine.Event]bool{},
	}
	m.background = newBackground(m.registry)
	m.registry.MustRegister(m.requests, m.requestTime, m.httpRequests, m.httpTime, m.refusedKeys,
		m.callbacks, m.settled, m.batchSize, m.batchTime, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Know takes over the names that may become labels. It must be called before the first request.
func (m *Metrics) Know(machines []engine.Description) {
	for _, d := range machines {
		events := map[engine.Event]bool{}
		for _, e := range d.Events {
			events[e.Name] = true
		}
		m.known[d.Name] = events
	}
}

// Watch exports the statistics of a connection pool.
func (m *Metrics) Watch(pool *sql.DB) {
	m.registry.MustRegister(collectors.NewDBStatsCollector(pool, "orderd"))
}

// Observe counts one answer of the engine.
func (m *Metrics) Observe(o engine.Observation) {
	machine, event := o.Result.Machine, o.Result.Event
	if machine == "" {
		machine, event = o.Request.Machine, o.Request.Event
	}
	events, known := m.known[machine]
	if !known {
		machine = other
	}
	if !events[event] {
		event = other
	}
	outcome := o.Result.Outcome
	if outcome == "" {
		outcome = "fault"
	}
	m.requests.WithLabelValues(machine, string(event), string(outcome), string(o.Result.Detail)).Inc()
	m.requestTime.WithLabelValues(machine, string(outcome)).Observe(o.Took.Seconds())
}

// Batch counts one batch.
func (m *Metrics) Batch(o batch.Observation) {
	m.batchSize.Observe(float64(o.Size))
	m.batchTime.Observe(o.Took.Seconds())
}

// Queue exports how many requests wait for a batch.
func (m *Metrics) Queue(waiting func() int) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "orderd_batch_waiting", Help: "Requests that wait for a batch.",
	}, func() float64 { return float64(waiting()) }))
}

// HTTP counts one answered HTTP request; route is a registered pattern or "".
func (m *Metrics) HTTP(route, _ string, status int, took time.Duration) {
	if route == "" {
		route = other
	}
	m.httpRequests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	m.httpTime.WithLabelValues(route).Observe(took.Seconds())
}

// RefusedKey counts one request without a valid key.
func (m *Metrics) RefusedKey() { m.refusedKeys.Inc() }

// Callback counts one callback; provider is one that the daemon knows.
func (m *Metrics) Callback(provider string, status int) {
	m.callbacks.WithLabelValues(provider, strconv.Itoa(status)).Inc()
}

// Settled counts one pass over undecided facts.
func (m *Metrics) Settled(err error) {
	result := "ok"
	if err != nil {
		result = "failed"
	}
	m.settled.WithLabelValues(result).Inc()
}

// Handler serves /metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 5 * time.Second})
}
