package once

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine/internal/sqldb"
)

// ErrUnknown says that a token cannot be spent: it was never issued, was issued to somebody else or
// for something else, has expired, or has been spent.
var ErrUnknown = errors.New("once: the token is unknown")

// ErrBound says that a token has been spent, or is being spent, for another request.
var ErrBound = errors.New("once: the token belongs to another request")

// TTLDefault is how long a token can be spent unless said otherwise.
const TTLDefault = time.Hour

// Binding is what a token is good for. Holder has 1 to 160 bytes, Scope 1 to 64.
type Binding struct {
	Holder string // who may spend it
	Scope  string // what it may be spent for
}

// Check refuses a binding that cannot be stored.
func (b Binding) Check() error {
	if len(b.Holder) < 1 || len(b.Holder) > 160 || len(b.Scope) < 1 || len(b.Scope) > 64 {
		return fmt.Errorf("once: a holder of %d and a scope of %d bytes, want 1 to 160 and 1 to 64", len(b.Holder), len(b.Scope))
	}
	return nil
}

// Token is one right to submit.
type Token struct {
	Text      string // what the form carries
	ExpiresAt time.Time
}

// Tokens issues submit tokens and spends them inside the transaction of the work: rolled back is
// unspent. It is safe for concurrent use.
//
// Spending is one DELETE whose row count decides. A twin waits for the row, and finds it gone when the
// first has committed, or there when the first has not. To tell a second click what the first one did,
// make the token the key of the work as well; then what was done is found by it, for ever.
type Tokens struct {
	db  *sqldb.DB
	ttl time.Duration
	cfg Config
}

// NewTokens makes Tokens on a database that engine.Migrate has prepared. ttl is how long a token can be
// spent, 0 for TTLDefault.
func NewTokens(ctx context.Context, db *gorm.DB, ttl time.Duration, cfg Config) (*Tokens, error) {
	d, err := open(ctx, db, "engine_tokens")
	if err != nil {
		return nil, err
	}
	if ttl <= 0 {
		ttl = TTLDefault
	}
	cfg.fill()
	return &Tokens{db: d, ttl: ttl, cfg: cfg}, nil
}

// Issue makes a token.
func (t *Tokens) Issue(ctx context.Context, b Binding) (Token, error) {
	if err := b.Check(); err != nil {
		return Token{}, err
	}
	token := Token{Text: t.cfg.Text(), ExpiresAt: t.cfg.Now().UTC().Add(t.ttl).Truncate(sqldb.Precision)}
	hash := sha256.Sum256([]byte(token.Text))
	_, err := t.db.Exec(ctx, "INSERT INTO engine_tokens (hash, holder, scope, expires_at) VALUES (?, ?, ?, ?)",
		hash[:], b.Holder, b.Scope, token.ExpiresAt)
	if err != nil {
		return Token{}, fmt.Errorf("issue a token: %w", err)
	}
	return token, nil
}

// Spend spends a token in the caller's transaction, or returns an error that matches ErrUnknown, after
// which the transaction can go on.
func (t *Tokens) Spend(ctx context.Context, tx *gorm.DB, text string, b Binding) error {
	joined, err := sqldb.Join(tx)
	if err != nil {
		return err
	}
	hash := sha256.Sum256([]byte(text))
	n, err := joined.Exec(ctx, "DELETE FROM engine_tokens WHERE hash = ? AND holder = ? AND scope = ? AND expires_at > ?",
		hash[:], b.Holder, b.Scope, t.cfg.Now().UTC())
	switch {
	case err != nil:
		return fmt.Errorf("spend a token: %w", err)
	case n == 0:
		return ErrUnknown
	}
	return nil
}

// Revoke deletes a holder's token. It reports whether there was one: deleting it again is no error.
func (t *Tokens) Revoke(ctx context.Context, text, holder string) (bool, error) {
	hash := sha256.Sum256([]byte(text))
	n, err := t.db.Exec(ctx, "DELETE FROM engine_tokens WHERE hash = ? AND holder = ?", hash[:], holder)
	if err != nil {
		return false, fmt.Errorf("revoke a token: %w", err)
	}
	return n > 0, nil
}

// Trim removes at most n tokens that have expired, and returns how many it has removed.
func (t *Tokens) Trim(ctx context.Context, n int) (int, error) {
	return trim(ctx, t.db, "engine_tokens", "hash", "expires_at", t.cfg.Now(), n)
}
