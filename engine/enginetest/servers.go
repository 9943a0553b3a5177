package enginetest

import (
	"os"
	"testing"
)

// Variables that name servers tests may use. Without them, tests that need one are skipped.
const (
	RedisEnv     = "ORDERD_TEST_REDIS"     // URL, such as redis://127.0.0.1:6379
	ZooKeeperEnv = "ORDERD_TEST_ZOOKEEPER" // address, such as 127.0.0.1:2181
)

// Redis returns the URL of a Redis, or skips the test. Other tests use it, too: names must be unique.
func Redis(tb testing.TB) string {
	tb.Helper()
	return fromEnv(tb, RedisEnv)
}

// ZooKeeper returns the address of a ZooKeeper, or skips the test. Other tests use it, too: names must
// be unique.
func ZooKeeper(tb testing.TB) string {
	tb.Helper()
	return fromEnv(tb, ZooKeeperEnv)
}

func fromEnv(tb testing.TB, name string) string {
	tb.Helper()
	value := os.Getenv(name)
	if value == "" {
		tb.Skipf("%s is not set", name)
	}
	return value
}
