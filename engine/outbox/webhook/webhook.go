// Package webhook delivers messages to endpoints over HTTP as Standard Webhooks: signed, with an id
// that stays the same, tried again for more than a day. Each endpoint has its own pace: one that is
// slow or down holds up no other.
package webhook

import (
	"context"
	_ "embed" // the tables
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine/internal/sqldb"
	"example.com/orderd/engine/outbox"
	"example.com/orderd/engine/schema"
)

//go:embed schema.sql
var schemaSQL string

// Schema is the tables of webhooks.
var Schema = schema.Component{Name: "webhook", Version: 1, DDL: schemaSQL}

// Migrate creates the tables where they are missing, as engine.Migrate does.
func Migrate(ctx context.Context, db *gorm.DB) error {
	return schema.Migrate(ctx, db, Schema)
}

// Config is what Webhooks need. NewID and Random must be given.
type Config struct {
	Guard  Guard  // which addresses may be posted to; the zero value allows public ones
	Source string // of events; default outbox.SourceDefault
	NewID  func(prefix string) string
	Random func(n int) []byte // bytes that nobody can guess, for secrets
	Now    func() time.Time   // default time.Now
	Rand   func() float64     // jitter in [0,1); default math/rand
	Logger *slog.Logger       // default slog.Default
	Posted func(a Attempt)    // told of every post
	Wake   func()             // told when there is something to deliver
}

// Webhooks are the endpoints, and what is delivered to them. It is safe for concurrent use.
type Webhooks struct {
	db     *sqldb.DB
	cfg    Config
	client *http.Client

	life context.Context // of posts: ends with Close
	end  context.CancelFunc
	mu   sync.Mutex
	busy map[string]bool // endpoints that are being posted to
	runs int64
	ran  map[string]int64 // by endpoint: the number of its last run
	all  sync.WaitGroup
}

var _ outbox.Sink = (*Webhooks)(nil)

// Bounds of a post.
const (
	postMax      = 15 * time.Second
	headerMax    = 16 << 10 // bytes of an answer's header
	answerMax    = 64 << 10 // bytes of an answer's body that are read
	answerKept   = 1024     // characters of it that are kept
	idleConns    = 4        // per endpoint
	idleTime     = 30 * time.Second
	dialMax      = 5 * time.Second
	handshakeMax = 5 * time.Second
)

// New makes Webhooks on a database that Migrate has prepared. Close ends them.
func New(ctx context.Context, db *gorm.DB, cfg Config) (*Webhooks, error) {
	d, err := sqldb.Wrap(ctx, db)
	if err != nil {
		return nil, err
	}
	if err := schema.Check(ctx, db, Schema); err != nil {
		return nil, err
	}
	if cfg.NewID == nil || cfg.Random == nil {
		return nil, fmt.Errorf("webhook: NewID and Random must be given")
	}
	cfg.defaults()
	dialer := &net.Dialer{Timeout: dialMax, Control: cfg.Guard.control}
	w := &Webhooks{
		db: d, cfg: cfg, busy: map[string]bool{}, ran: map[string]int64{},
		client: &http.Client{
			Timeout: postMax,
			// A proxy would hide where a connection leads to; a redirect would change it.
			Transport: &http.Transport{
				Proxy: nil, DialContext: dialer.DialContext, TLSHandshakeTimeout: handshakeMax, MaxResponseHeaderBytes: headerMax,
				MaxIdleConnsPerHost: idleConns, IdleConnTimeout: idleTime, ForceAttemptHTTP2: true,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	w.life, w.end = context.WithCancel(context.WithoutCancel(ctx))
	return w, nil
}

// Close ends posts that are under way, which will be made again, and waits for them. From then on Step returns
// engine.ErrClosed; endpoints and deliveries may still be read and written. Closing again is no error.
func (w *Webhooks) Close() {
	w.mu.Lock()
	w.end()
	w.mu.Unlock()
	w.all.Wait()
	w.client.CloseIdleConnections()
}
