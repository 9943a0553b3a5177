package main

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/outbox"
)

// fence is the greatest fence that has written under a job's lease.
func (s *server) fence(job string) (fence int64) {
	s.t.Helper()
	err := s.daemon.database.Gorm.Raw("SELECT COALESCE(MAX(fence), 0) FROM engine_leases WHERE name = ?", job).Scan(&fence).Error
	require.NoError(s.t, err)
	return fence
}

// With ZooKeeper, jobs are shared out by its leases, and the database knows the fence of whoever works:
// when a daemon ends, another takes over with a greater one.
func TestZooKeeperGrantsTheLeasesOfJobs(t *testing.T) {
	zookeeper := enginetest.ZooKeeper(t) + "/test-" + unique()
	onZooKeeper := func(c *config) { toLoopback(c); c.secrets.zookeeper = zookeeper }
	one := start(t, "mysql:"+enginetest.MySQLDSN(t), onZooKeeper)
	first, err := one.daemon.startWorker(t.Context())
	require.NoError(t, err)
	heard(t, one)
	before := one.fence(outbox.RelayName)
	require.Positive(t, before)

	two := start(t, one.daemon.db, onZooKeeper)
	two.work()
	first.Close()
	in := receiver(t)
	require.Equal(t, 201, two.do("POST", "/v1/webhook-endpoints", fmt.Sprintf(`{"url":%q,"events":["order.*"]}`, in.URL)).status)
	order := two.place()
	eventually(t, "the other one delivers", func() bool { return slices.Equal(in.types(order), []string{"order.placed"}) })
	require.Greater(t, two.fence(outbox.RelayName), before)
	requireClean(t, two.daemon.database.Gorm)
}

// Without ZooKeeper no job runs, and the log says why; orders are placed and paid all the same, and
// their messages wait.
func TestWithoutZooKeeperJobsWait(t *testing.T) {
	mute, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, answers nothing
	require.NoError(t, err)
	defer func() { _ = mute.Close() }()
	s := start(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"), func(c *config) { c.secrets.zookeeper = mute.Addr().String() })
	w, err := s.daemon.startWorker(t.Context())
	require.NoError(t, err)
	s.pay(s.place())
	eventually(t, "the log says why", func() bool { return strings.Contains(s.log.String(), "lock outbox: ZooKeeper") })
	require.NotEmpty(t, s.do("GET", "/v1/messages?status=pending", "").list("data"))
	require.Zero(t, s.fence(outbox.RelayName))

	began := time.Now()
	w.Close()
	require.Less(t, time.Since(began), 10*time.Second)
}
