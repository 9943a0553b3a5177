// Package redistokens keeps submit tokens in Redis. A token is bound to the first request that spends
// it: a second click waits until the first has ended and then gets its answer, and a first one that
// failed gives the token back.
//
// Redis is a gate, not the truth: it may forget, and a run that outlives RunMax may meet a second one.
// So the work must have a key or a unique index behind it, for which the token itself serves well.
package redistokens

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"example.com/orderd/engine/once"
	"example.com/orderd/engine/retry"
)

// Config tunes Tokens. The zero value is good.
type Config struct {
	once.Config

	TTL    time.Duration // how long a token can be spent, and its answer be had; default once.TTLDefault
	RunMax time.Duration // how long work may take; default 30 s
	Prefix string        // of all keys; default "orderd:token:"
}

// Tokens issues and spends submit tokens. It is safe for concurrent use.
type Tokens struct {
	client redis.UniversalClient
	cfg    Config
}

// ErrAway says that Redis could not be asked. Nothing was done, except where an error says otherwise.
var ErrAway = errors.New("redistokens: Redis does not answer")

const (
	runMaxDefault = 30 * time.Second
	callMax       = 2 * time.Second // of one call to Redis, whatever the client's own settings are
	pauseMin      = 5 * time.Millisecond
	pauseMax      = 250 * time.Millisecond // between two looks at a run of somebody else
	answerMax     = 64 << 10               // bytes
)

// New makes Tokens on a client, which stays the caller's to close. The client should be one with
// ContextTimeoutEnabled, so that a Redis that hangs is noticed in time.
func New(client redis.UniversalClient, cfg Config) *Tokens {
	cfg.TTL, cfg.RunMax = cmp.Or(cfg.TTL, once.TTLDefault), cmp.Or(cfg.RunMax, runMaxDefault)
	cfg.Prefix = cmp.Or(cfg.Prefix, "orderd:token:")
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Text == nil {
		cfg.Text = rand.Text
	}
	return &Tokens{client: client, cfg: cfg}
}

// bound is a binding as it is stored: the length makes it unambiguous.
func bound(b once.Binding) string { return fmt.Sprintf("%d %s %s", len(b.Holder), b.Holder, b.Scope) }

// Issue makes a token.
func (t *Tokens) Issue(ctx context.Context, b once.Binding) (once.Token, error) {
	if err := b.Check(); err != nil {
		return once.Token{}, err
	}
	token := once.Token{Text: t.cfg.Text(), ExpiresAt: t.cfg.Now().UTC().Add(t.cfg.TTL).Truncate(time.Microsecond)}
	if _, err := t.run(ctx, issue, token.Text, bound(b), t.cfg.TTL.Milliseconds()); err != nil {
		return once.Token{}, fmt.Errorf("issue a token: %w", err)
	}
	return token, nil
}

// A token is a hash with the fields bound, state (new, running, done), request, run, until and answer.
var (
	issue = redis.NewScript(`
		redis.call('HSET', KEYS[1], 'bound', ARGV[1], 'state', 'new')
		redis.call('PEXPIRE', KEYS[1], ARGV[2])
		return ''`)

	// claim says what becomes of a click: go, wait, done and the answer, other, or unknown.
	claim = redis.NewScript(`
		local t = redis.call('HMGET', KEYS[1], 'bound', 'state', 'request', 'run', 'until', 'answer')
		local now = redis.call('TIME')
		local clock = now[1] * 1000 + math.floor(now[2] / 1000)
		if not t[1] or t[1] ~= ARGV[1] then return {'unknown'} end
		if t[2] ~= 'new' and t[3] ~= ARGV[2] then return {'other'} end
		if t[2] == 'done' then return {'done', t[6]} end
		if t[2] == 'running' and t[4] ~= ARGV[3] and clock < tonumber(t[5]) then return {'wait'} end
		redis.call('HSET', KEYS[1], 'state', 'running', 'request', ARGV[2], 'run', ARGV[3], 'until', clock + ARGV[4])
		if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[4]) then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
		return {'go'}`)

	finish = redis.NewScript(`
		if redis.call('HGET', KEYS[1], 'run') ~= ARGV[1] then return '' end
		redis.call('HSET', KEYS[1], 'state', 'done', 'answer', ARGV[2])
		redis.call('PEXPIRE', KEYS[1], ARGV[3])
		return ''`)

	giveBack = redis.NewScript(`
		if redis.call('HGET', KEYS[1], 'run') ~= ARGV[1] or redis.call('HGET', KEYS[1], 'state') ~= 'running' then return '' end
		redis.call('HSET', KEYS[1], 'state', 'new')
		redis.call('HDEL', KEYS[1], 'request', 'run', 'until')
		return ''`)

	revoke = redis.NewScript(`
		local b = redis.call('HGET', KEYS[1], 'bound')
		if not b or string.sub(b, 1, #ARGV[1]) ~= ARGV[1] or redis.call('HGET', KEYS[1], 'state') ~= 'new' then return 'no' end
		redis.call('DEL', KEYS[1])
		return 'yes'`)
)

func (t *Tokens) run(ctx context.Context, script *redis.Script, token string, args ...any) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, callMax)
	defer cancel()
	answer, err := script.Run(ctx, t.client, []string{t.cfg.Prefix + "{" + token + "}"}, args...).Result()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	return answer, nil
}

// Spend does work with a token: once for all clicks that carry it. request says what is asked for, and
// a click that asks for something else with the same token is answered with once.ErrBound. The click
// that comes first does the work; the others wait for it, as long as ctx lets them, and get its answer
// with first false. Work that fails gives the token back, and one that waited does it instead.
//
// The answer has at most 64 KiB. An error of Redis after the work was done is not returned: then the
// next click does the work again, and the key behind it decides.
func (t *Tokens) Spend(ctx context.Context, token string, b once.Binding, request string,
	work func(context.Context) ([]byte, error)) (answer []byte, first bool, err error) {
	id := rand.Text()
	for look := 1; ; look++ {
		verdict, answer, err := t.claim(ctx, token, b, request, id)
		if err != nil {
			return nil, false, fmt.Errorf("spend a token: %w", err)
		}
		switch verdict {
		case "go":
			answer, err := t.work(ctx, token, id, work)
			return answer, err == nil, err
		case "done":
			return []byte(answer), false, nil
		case "other":
			return nil, false, once.ErrBound
		case "unknown":
			return nil, false, once.ErrUnknown
		}
		if err := retry.Sleep(ctx, retry.Doubled(pauseMin, pauseMax, look)); err != nil {
			return nil, false, fmt.Errorf("wait for who spends the token: %w", err)
		}
	}
}

func (t *Tokens) claim(ctx context.Context, token string, b once.Binding,
	request, id string) (verdict, answer string, err error) {
	hash := sha256.Sum256([]byte(request)) // to compare it is enough, and Redis keeps no customer's data
	said, err := t.run(ctx, claim, token, bound(b), hex.EncodeToString(hash[:]), id, t.cfg.RunMax.Milliseconds())
	if err != nil {
		return "", "", err
	}
	words, ok := said.([]any)
	if !ok || len(words) == 0 {
		return "", "", fmt.Errorf("redis answers %v", said)
	}
	verdict, _ = words[0].(string)
	if len(words) > 1 {
		answer, _ = words[1].(string)
	}
	return verdict, answer, nil
}

// work does the work within RunMax and notes how it ended, even if the caller has gone.
func (t *Tokens) work(ctx context.Context, token, id string,
	work func(context.Context) ([]byte, error)) (answer []byte, err error) {
	after := context.WithoutCancel(ctx)
	done := false
	defer func() {
		if !done { // it failed or panicked
			if _, failed := t.run(after, giveBack, token, id); failed != nil && err != nil {
				err = errors.Join(err, failed)
			}
		}
	}()
	limited, cancel := context.WithTimeout(ctx, t.cfg.RunMax)
	defer cancel()
	if answer, err = work(limited); err != nil {
		return nil, err
	}
	done = true
	if len(answer) > answerMax {
		return answer, nil // whoever comes next does it again
	}
	_, _ = t.run(after, finish, token, id, answer, t.cfg.TTL.Milliseconds())
	return answer, nil
}

// Revoke deletes a holder's token that is not spent. It reports whether there was one: deleting it again is no error.
func (t *Tokens) Revoke(ctx context.Context, token, holder string) (bool, error) {
	said, err := t.run(ctx, revoke, token, fmt.Sprintf("%d %s ", len(holder), holder))
	if err != nil {
		return false, fmt.Errorf("revoke a token: %w", err)
	}
	return said == "yes", nil
}
