// Package redislock keeps leases in Redis: fast, and gone when that Redis is. A second Redis that takes
// over may not know of a lease that the first one granted; the fence of the lease is for that, too.
package redislock

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/redis/go-redis/v9"

	"example.com/orderd/engine/lock"
)

// Config tunes a Locker.
type Config struct {
	TTL    time.Duration // of a lease, unless it is renewed; default lock.TTLDefault
	Owner  func() string // makes unique names of holders
	Prefix string        // of all keys; default "orderd:lock:"
}

// Locker is a lock.Locker.
type Locker struct {
	client redis.UniversalClient
	cfg    Config
}

var _ lock.Locker = (*Locker)(nil)

// callMax bounds one call to Redis, whatever the client's own settings are.
const callMax = 2 * time.Second

// New makes a Locker on a client, which stays the caller's to close. The client should be one with
// ContextTimeoutEnabled, so that a Redis that hangs is noticed in time.
func New(client redis.UniversalClient, cfg Config) (*Locker, error) {
	if cfg.Owner == nil {
		return nil, errors.New("redislock: Owner must be given")
	}
	if cfg.TTL <= 0 {
		cfg.TTL = lock.TTLDefault
	}
	if cfg.Prefix == "" {
		cfg.Prefix = "orderd:lock:"
	}
	return &Locker{client: client, cfg: cfg}, nil
}

// take grants a lease and returns its fence, or nothing if somebody has it. The fence is never behind
// the clock, so that it grows even after Redis has forgotten everything; a call that the client repeats
// because an answer was lost finds its own lease.
var take = redis.NewScript(`
	local holder = redis.call('GET', KEYS[1])
	if holder == ARGV[1] then
		redis.call('PEXPIRE', KEYS[1], ARGV[2])
		return redis.call('GET', KEYS[2])
	elseif holder then
		return ''
	end
	local now = redis.call('TIME')
	local clock = now[1] * 1000000 + now[2]
	local fence = string.format('%.0f', math.max((tonumber(redis.call('GET', KEYS[2])) or 0) + 1, clock))
	redis.call('SET', KEYS[2], fence)
	redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
	return fence`)

var renew = redis.NewScript(`
	if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
	return redis.call('PEXPIRE', KEYS[1], ARGV[2])`)

var release = redis.NewScript(`
	if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
	return redis.call('DEL', KEYS[1])`)

// Try takes the lock or says that somebody else holds it.
func (l *Locker) Try(ctx context.Context, name string) (*lock.Lease, error) {
	if err := lock.CheckName(name); err != nil {
		return nil, err
	}
	asked := time.Now()
	key := l.cfg.Prefix + "{" + url.QueryEscape(name) + "}" // both keys of a name in one slot of a cluster
	g := &grant{Locker: l, keys: []string{key, key + ":fence"}, owner: l.cfg.Owner()}
	text, err := g.run(ctx, take, g.owner, l.cfg.TTL.Milliseconds()).Text()
	if err != nil {
		return nil, fmt.Errorf("lock %s: Redis: %w", name, err)
	}
	if text == "" {
		return nil, fmt.Errorf("%w: %s", lock.ErrHeld, name)
	}
	var fence int64
	if _, err := fmt.Sscan(text, &fence); err != nil {
		return nil, fmt.Errorf("lock %s: Redis: the fence is %q", name, text)
	}
	return lock.NewLease(ctx, name, fence, l.cfg.TTL, asked, g), nil
}

// grant is one granted lease.
type grant struct {
	*Locker
	keys  []string
	owner string
}

func (g *grant) run(ctx context.Context, script *redis.Script, args ...any) *redis.Cmd {
	ctx, cancel := context.WithTimeout(ctx, callMax)
	defer cancel()
	return script.Run(ctx, g.client, g.keys, args...)
}

// Renew prolongs the lease.
func (g *grant) Renew(ctx context.Context) error {
	n, err := g.run(ctx, renew, g.owner, g.cfg.TTL.Milliseconds()).Int()
	if err == nil && n == 0 {
		err = lock.ErrLost
	}
	return err
}

// Release lets others take the lock.
func (g *grant) Release(ctx context.Context) error {
	return g.run(ctx, release, g.owner).Err()
}
