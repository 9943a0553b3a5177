package zklock_test

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"go.uber.org/goleak"
	"gorm.io/gorm"

	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/lock"
	"example.com/orderd/engine/lock/zklock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, addr, root string, ttl time.Duration) *zklock.Locker {
	t.Helper()
	l, err := zklock.Open([]string{addr}, zklock.Config{TTL: ttl, Root: root})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func TestConformance(t *testing.T) {
	addr := enginetest.ZooKeeper(t)
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		root := fmt.Sprintf("/test-%d", time.Now().UnixNano())
		conn, _, err := zk.Connect([]string{addr}, 10*time.Second, zk.WithLogInfo(false))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(conn.Close)
		enginetest.Lockers(t, db, func(t *testing.T, ttl time.Duration) lock.Locker { return open(t, addr, root, ttl) },
			func(t *testing.T, name string) func() { // as when the session of the holder has ended
				dir := root + "/" + url.QueryEscape(name)
				thief, err := conn.Create(dir+"/thief-", nil, zk.FlagSequence, zk.WorldACL(zk.PermAll))
				if err != nil {
					t.Fatal(err)
				}
				nodes, _, err := conn.Children(dir)
				if err != nil {
					t.Fatal(err)
				}
				for _, node := range nodes {
					if path := dir + "/" + node; path != thief {
						if err := conn.Delete(path, -1); err != nil {
							t.Fatal(err)
						}
					}
				}
				return func() {
					if err := conn.Delete(thief, -1); err != nil {
						t.Fatal(err)
					}
				}
			})
	})
}

// Who goes away leaves nothing: the lease ends with the session.
func TestALeaseEndsWithItsSession(t *testing.T) {
	addr, root := enginetest.ZooKeeper(t), fmt.Sprintf("/test-%d", time.Now().UnixNano())
	dead, err := zklock.Open([]string{addr}, zklock.Config{TTL: time.Minute, Root: root})
	if err != nil {
		t.Fatal(err)
	}
	lease, err := dead.Try(t.Context(), "job")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lease.Release(t.Context()) }()
	dead.Close()
	next, err := lock.Lock(t.Context(), open(t, addr, root, time.Minute), "job")
	if err != nil {
		t.Fatal(err)
	}
	if next.Fence() <= lease.Fence() {
		t.Errorf("fence %d after %d", next.Fence(), lease.Fence())
	}
	_ = next.Release(t.Context())
}

// A node that a broken connection has left behind in a session that lives on does not hold the lock: the
// Locker whose it is takes it away.
func TestAnOrphanIsSweptAway(t *testing.T) {
	addr, root := enginetest.ZooKeeper(t), fmt.Sprintf("/test-%d", time.Now().UnixNano())
	conn, _, err := zk.Connect([]string{addr}, 10*time.Second, zk.WithLogInfo(false))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	l, other := open(t, addr, root, 10*time.Second), open(t, addr, root, 10*time.Second)
	lease, err := l.Try(t.Context(), "job")
	if err != nil {
		t.Fatal(err)
	}
	nodes, _, err := conn.Children(root + "/job")
	if err != nil || len(nodes) != 1 {
		t.Fatal(nodes, err)
	}
	name := nodes[0][:strings.LastIndexByte(nodes[0], '-')+1]
	if _, err := conn.Create(root+"/job/"+name, nil, zk.FlagEphemeral|zk.FlagSequence, zk.WorldACL(zk.PermAll)); err != nil {
		t.Fatal(err)
	}
	for _, who := range []lock.Locker{l, other} {
		if _, err := who.Try(t.Context(), "job"); !errors.Is(err, lock.ErrHeld) {
			t.Errorf("while it is held: %v", err)
		}
	}
	if err := lease.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	next, err := l.Try(t.Context(), "job")
	if err != nil {
		t.Fatal(err)
	}
	_ = next.Release(t.Context())
}

// Without ZooKeeper nobody gets a lock, and is told so in time: neither a grant nor ErrHeld.
func TestWithoutZooKeeperThereIsNoLock(t *testing.T) {
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
			l := open(t, addr, "/test", 2*time.Second)
			began := time.Now()
			lease, err := l.Try(t.Context(), "job")
			if lease != nil || err == nil || errors.Is(err, lock.ErrHeld) {
				t.Errorf("%v, %v", lease, err)
			}
			if took := time.Since(began); took > 4*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// What cannot work is refused at once.
func TestBadConfigs(t *testing.T) {
	for name, f := range map[string]func() (*zklock.Locker, error){
		"no servers":    func() (*zklock.Locker, error) { return zklock.Open(nil, zklock.Config{}) },
		"relative root": func() (*zklock.Locker, error) { return zklock.Open([]string{"h:1"}, zklock.Config{Root: "locks"}) },
		"slash at end":  func() (*zklock.Locker, error) { return zklock.Open([]string{"h:1"}, zklock.Config{Root: "/locks/"}) },
	} {
		if _, err := f(); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
