package main

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"example.com/orderd/engine/enginetest"
)

// tunnel leads to a database server until it is frozen: then nothing passes any more, and no
// connection is closed, as when a server or a network hangs.
type tunnel struct {
	net.Listener
	network, target string

	mu     sync.Mutex
	frozen chan struct{}
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
