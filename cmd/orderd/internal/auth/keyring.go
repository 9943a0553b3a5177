package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"sync"
	"time"
)

// ErrUnauthorized says that a key is malformed, unknown, expired or revoked; which of these, it
// does not say.
var ErrUnauthorized = errors.New("no valid key")

// Keys finds a stored key by its id; ErrNoKey if there is none. A Store does.
type Keys interface {
	Find(ctx context.Context, id string) (Key, error)
}

const (
	cacheLife = time.Second // also how long a revoked key may still work
	cacheMax  = 4096        // keys; a shop has a handful
)

// Keyring tells whose key a text is. It keeps what it found for a second, so that a busy caller
// costs one look-up per second. It is safe for concurrent use.
type Keyring struct {
	keys Keys
	now  func() time.Time
	dev  [sha256.Size]byte
	has  bool // a development key

	mu    sync.Mutex
	cache map[[sha256.Size]byte]cached
}

type cached struct {
	key   Key
	until time.Time
}

// NewKeyring makes a keyring. devKey, unless empty, is accepted as well, as the principal "dev" with
// every role: it is for a daemon that only the developer's own machine can reach.
func NewKeyring(keys Keys, now func() time.Time, devKey string) *Keyring {
	return &Keyring{
		keys: keys, now: now, dev: sha256.Sum256([]byte(devKey)), has: devKey != "",
		cache: map[[sha256.Size]byte]cached{},
	}
}

// Cached is Verify as far as it needs no look-up; false if it does.
func (r *Keyring) Cached(text string) (Principal, bool) {
	sum := sha256.Sum256([]byte(text))
	if r.has && subtle.ConstantTimeCompare(sum[:], r.dev[:]) == 1 {
		return Principal{ID: "dev", KeyID: "dev", Roles: Roles}, true
	}
	now := r.now()
	r.mu.Lock()
	hit, found := r.cache[sum]
	r.mu.Unlock()
	if !found || !now.Before(hit.until) || !hit.key.Good(now) {
		return Principal{}, false
	}
	return hit.key.speaker(), true
}

// Verify returns the principal that a key's text speaks for. It matches ErrUnauthorized if the key
// is no good; any other error is the database's.
func (r *Keyring) Verify(ctx context.Context, text string) (Principal, error) {
	if p, ok := r.Cached(text); ok {
		return p, nil
	}
	id, secret, ok := split(text)
	if !ok {
		return Principal{}, ErrUnauthorized
	}
	key, err := r.keys.Find(ctx, id)
	if err != nil && !errors.Is(err, ErrNoKey) {
		return Principal{}, err
	}
	// An unknown id is compared as well, with a hash that nothing has, so that it takes as long.
	now := r.now()
	if !key.opensWith(secret) || err != nil || !key.Good(now) {
		return Principal{}, ErrUnauthorized
	}
	r.remember(sha256.Sum256([]byte(text)), cached{key: key, until: now.Add(cacheLife)})
	return key.speaker(), nil
}

func (r *Keyring) remember(sum [sha256.Size]byte, hit cached) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.cache) >= cacheMax {
		clear(r.cache) // cheaper than order, and it costs one look-up per key
	}
	r.cache[sum] = hit
}

func (k Key) speaker() Principal { return Principal{ID: k.Principal, KeyID: k.ID, Roles: k.Roles} }
