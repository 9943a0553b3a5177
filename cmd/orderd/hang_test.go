package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"example.com/orderd/cmd/orderd/internal/database"
	"example.com/orderd/engine/enginetest"
)

// tunnel leads to a database server until it is frozen: then nothing passes any more, and no
// connection is closed, as when a server or a network hangs.
type tunnel struct {
	net.Listener
	network, target string

	mu     sync.Mutex
	frozen chan struct{}
	gone   bool // lets nobody in
	conns  []net.Conn
	all    sync.WaitGroup
}

func newTunnel(t *testing.T, network, target string) *tunnel {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &tunnel{Listener: l, network: network, target: target, frozen: make(chan struct{})}
	p.all.Go(p.accept)
	return p
}

func (p *tunnel) accept() {
	for {
		near, err := p.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		gone := p.gone
		p.mu.Unlock()
		if gone {
			_ = near.Close()
			continue
		}
		far, err := new(net.Dialer).Dial(p.network, p.target)
		if err != nil {
			_ = near.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, near, far)
		p.mu.Unlock()
		p.all.Go(func() { p.pass(near, far) })
		p.all.Go(func() { p.pass(far, near) })
	}
}

// pass copies until one end closes or the tunnel is frozen.
func (p *tunnel) pass(to, from net.Conn) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		select {
		case <-p.frozen:
			return
		default:
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				_ = to.Close()
			}
			return
		}
	}
}

func (p *tunnel) freeze() { close(p.frozen) }

// cut breaks all connections and lets nobody in until mend, as when a server is down.
func (p *tunnel) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}

func (p *tunnel) mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = false
}

// end cuts everything off.
func (p *tunnel) end() {
	_ = p.Close()
	p.mu.Lock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.all.Wait()
}

// A database that hangs, rather than refuses, must not make callers hang.
func TestAHangingDatabaseIsAnsweredInTime(t *testing.T) {
	cfg, err := mysql.ParseDSN(enginetest.MySQLDSN(t))
	require.NoError(t, err)
	p := newTunnel(t, cfg.Net, cfg.Addr)
	cfg.Net, cfg.Addr = "tcp", p.Addr().String()
	s := start(t, "mysql:"+cfg.FormatDSN(), func(c *config) { c.patience = time.Second })
	t.Cleanup(p.end) // before the daemon, which would wait for its connections

	order := s.place()
	p.freeze()
	for _, ask := range []func() answer{
		func() answer {
			return s.do("POST", "/v1/orders/"+order+"/transitions", `{"event":"cancel"}`, "Idempotency-Key", "k")
		},
		func() answer { return s.do("GET", "/v1/orders/"+order, "") },
		func() answer { return s.do("POST", "/v1/orders", twoBooks, "Idempotency-Key", unique()) },
	} {
		began := time.Now()
		a := ask()
		if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
			t.Errorf("got %s", a)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the answer took %s", took)
		}
	}
}

// The database goes away for a while, in the middle of everything, and comes back: every job fails, goes
// on by itself, and no message is lost.
func TestADatabaseThatIsGoneForAWhileLosesNoMessage(t *testing.T) {
	cfg, err := mysql.ParseDSN(enginetest.MySQLDSN(t))
	require.NoError(t, err)
	direct := "mysql:" + cfg.FormatDSN()
	p := newTunnel(t, cfg.Net, cfg.Addr)
	cfg.Net, cfg.Addr = "tcp", p.Addr().String()
	s := start(t, "mysql:"+cfg.FormatDSN(), toLoopback, func(c *config) { c.patience = 2 * time.Second })
	t.Cleanup(p.end)
	s.work()
	in := receiver(t)
	made := s.do("POST", "/v1/webhook-endpoints", fmt.Sprintf(`{"url":%q,"events":["*"]}`, in.URL))
	require.Equal(t, 201, made.status, made)

	s.place()
	eventually(t, "the first message arrives", func() bool { in.mu.Lock(); defer in.mu.Unlock(); return len(in.got) > 0 })
	stop := make(chan struct{})
	var callers sync.WaitGroup
	for caller := range 8 {
		callers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default: // whatever it is answered: the key is asked again by nobody
					s.do("POST", "/v1/orders", twoBooks, "Idempotency-Key", fmt.Sprintf("%d-%d", caller, n))
				}
			}
		})
	}
	failures := func() (n int) {
		for line := range strings.Lines(s.do("GET", "/metrics", "").text) {
			if _, value, found := strings.Cut(line, "orderd_job_failures_total{"); found {
				one, err := strconv.Atoi(strings.TrimSpace(value[strings.LastIndexByte(value, ' '):]))
				require.NoError(t, err)
				n += one
			}
		}
		return n
	}
	for range 3 {
		eventually(t, "something is on its way", func() bool { in.mu.Lock(); defer in.mu.Unlock(); return len(in.got) > 5 })
		before := failures()
		p.cut()
		eventually(t, "the jobs notice", func() bool { return failures() >= before+8 })
		p.mend()
		in.mu.Lock()
		in.got = nil
		in.mu.Unlock()
	}
	close(stop)
	callers.Wait()
	db, err := database.Open(t.Context(), direct)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	count := func(query string) (n int) {
		require.NoError(t, db.Pool.QueryRowContext(t.Context(), query).Scan(&n))
		return n
	}
	eventually(t, "everything is sent", func() bool {
		return count("SELECT COUNT(*) FROM engine_messages WHERE status <> 'sent'") == 0 &&
			count("SELECT COUNT(*) FROM webhook_deliveries WHERE status <> 'delivered'") == 0
	})
	require.Equal(t, count("SELECT COUNT(*) FROM engine_messages"), count("SELECT COUNT(DISTINCT message) FROM webhook_deliveries"))
	requireClean(t, db.Gorm)
}
