// Package zklock keeps leases in ZooKeeper, which has every change on the disks of most of its servers
// before it answers. A lease is an ephemeral node: it lives as long as the session with ZooKeeper does.
package zklock

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"example.com/orderd/engine/lock"
)

// Config tunes a Locker.
type Config struct {
	TTL  time.Duration // of the session; default lock.TTLDefault. ZooKeeper's own bounds must allow it
	Root string        // under which the nodes are; default "/orderd/locks"
}

// Locker is a lock.Locker with a session of its own.
type Locker struct {
	conn *zk.Conn
	cfg  Config
	id   string // in the names of its nodes

	mu      sync.Mutex
	alive   map[string]bool // its nodes that are leases, or may become one
	pending map[string]int  // tries under way, by folder
}

var _ lock.Locker = (*Locker)(nil)

// callMax bounds one lock or renewal.
const callMax = 2 * time.Second

// silent keeps what the client says about its connection out of the log: callers are told by errors.
type silent struct{}

func (silent) Printf(string, ...any) {}

// Open begins a session with the servers of an ensemble, each as host:port. It does not wait for it:
// while there is none, Try returns errors. Close ends the session, and all leases with it.
func Open(servers []string, cfg Config) (*Locker, error) {
	if len(servers) == 0 {
		return nil, errors.New("zklock: no servers are given")
	}
	if cfg.TTL <= 0 {
		cfg.TTL = lock.TTLDefault
	}
	if cfg.Root == "" {
		cfg.Root = "/orderd/locks"
	}
	if !strings.HasPrefix(cfg.Root, "/") || strings.HasSuffix(cfg.Root, "/") {
		return nil, fmt.Errorf("zklock: root %q, want a path that begins with / and does not end with it", cfg.Root)
	}
	conn, _, err := zk.Connect(servers, cfg.TTL, zk.WithLogger(silent{}), zk.WithLogInfo(false))
	if err != nil {
		return nil, fmt.Errorf("zklock: %w", err)
	}
	return &Locker{conn: conn, cfg: cfg, id: rand.Text(), alive: map[string]bool{}, pending: map[string]int{}}, nil
}

// Close ends the session.
func (l *Locker) Close() { l.conn.Close() }

// Try takes the lock or says that somebody else holds it. Whoever asks adds a node behind those that
// are there; the first one holds the lock, the others take theirs away again. The fence is the number
// that ZooKeeper gave to the change that made the node.
func (l *Locker) Try(ctx context.Context, name string) (*lock.Lease, error) {
	if err := lock.CheckName(name); err != nil {
		return nil, err
	}
	asked := time.Now()
	dir := l.cfg.Root + "/" + url.QueryEscape(name)
	g, err := within(ctx, func() (*grant, error) { return l.enqueue(dir) }, (*grant).drop)
	if err != nil {
		if errors.Is(err, lock.ErrHeld) {
			return nil, fmt.Errorf("%w: %s", lock.ErrHeld, name)
		}
		return nil, fmt.Errorf("lock %s: ZooKeeper: %w", name, err)
	}
	return lock.NewLease(ctx, name, g.fence, l.cfg.TTL, asked, g), nil
}

func (l *Locker) enqueue(dir string) (*grant, error) {
	l.begin(dir)
	defer l.end(dir)
	name := dir + "/lease-" + l.id + "-"
	node, err := l.conn.CreateProtectedEphemeralSequential(name, nil, zk.WorldACL(zk.PermAll))
	if errors.Is(err, zk.ErrNoNode) {
		if err = l.makeDir(dir); err == nil {
			node, err = l.conn.CreateProtectedEphemeralSequential(name, nil, zk.WorldACL(zk.PermAll))
		}
	}
	if err != nil {
		return nil, err
	}
	g := &grant{Locker: l, node: node}
	l.claim(node)
	nodes, _, err := l.conn.Children(dir)
	if err != nil {
		g.drop()
		return nil, err
	}
	mine := sequence(node)
	for _, other := range nodes {
		if sequence(other) < mine && !l.sweep(dir, other) {
			g.drop()
			return nil, lock.ErrHeld
		}
	}
	there, stat, err := l.conn.Exists(node)
	if err != nil || !there { // the session has ended meanwhile
		g.drop()
		return nil, errors.Join(err, errors.New("the session has ended"))
	}
	g.fence = stat.Czxid
	return g, nil
}

func (l *Locker) begin(dir string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending[dir]++
}

func (l *Locker) end(dir string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pending[dir]--; l.pending[dir] == 0 {
		delete(l.pending, dir)
	}
}

func (l *Locker) claim(node string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.alive[node] = true
}

func (l *Locker) disclaim(node string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.alive, node)
}

// sweep takes away a node before the caller's that is this Locker's and no lease of anybody, and reports
// whether it has. The connection broke when it was made or taken away, and the session, with which it
// would go, lived on. While another try is under way, the node may be that one's.
func (l *Locker) sweep(dir, name string) bool {
	node := dir + "/" + name
	l.mu.Lock()
	orphan := strings.Contains(name, "lease-"+l.id+"-") && !l.alive[node] && l.pending[dir] == 1
	l.mu.Unlock()
	if !orphan {
		return false
	}
	err := l.conn.Delete(node, -1)
	return err == nil || errors.Is(err, zk.ErrNoNode)
}

func (l *Locker) makeDir(dir string) error {
	for i := 1; i <= len(dir); i++ {
		if i < len(dir) && dir[i] != '/' {
			continue
		}
		_, err := l.conn.Create(dir[:i], nil, 0, zk.WorldACL(zk.PermAll))
		if err != nil && !errors.Is(err, zk.ErrNodeExists) {
			return err
		}
	}
	return nil
}

// sequence is the number at the end of a node's name; of a name that has none, the greatest.
func sequence(node string) uint64 {
	n, err := strconv.ParseUint(node[strings.LastIndexByte(node, '-')+1:], 10, 64)
	if err != nil {
		return ^uint64(0)
	}
	return n
}

// grant is one granted lease.
type grant struct {
	*Locker
	node  string
	fence int64
}

// Renew asks whether the node is still there; being asked keeps the session alive.
func (g *grant) Renew(ctx context.Context) error {
	there, err := within(ctx, func() (bool, error) {
		there, _, err := g.conn.Exists(g.node)
		return there, err
	}, nil)
	if err == nil && !there {
		g.disclaim(g.node)
		err = lock.ErrLost
	}
	return err
}

// Release takes the node away. If that fails, a later try of this Locker does it.
func (g *grant) Release(ctx context.Context) error {
	g.disclaim(g.node)
	_, err := within(ctx, func() (struct{}, error) {
		err := g.conn.Delete(g.node, -1)
		if errors.Is(err, zk.ErrNoNode) {
			err = nil
		}
		return struct{}{}, err
	}, nil)
	return err
}

// drop takes the node away as well as it can; else a later try does, or it goes with the session.
func (g *grant) drop() {
	g.disclaim(g.node)
	_ = g.conn.Delete(g.node, -1)
}

// within bounds a call of the client, which knows no contexts and waits as long as no server can be
// reached. What succeeds too late is undone.
func within[T any](ctx context.Context, call func() (T, error), undo func(T)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, callMax)
	defer cancel()
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		value, err := call()
		answers <- answer{value, err}
	}()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
		if undo != nil {
			go func() {
				if a := <-answers; a.err == nil {
					undo(a.value)
				}
			}()
		}
		var zero T
		return zero, ctx.Err()
	}
}
