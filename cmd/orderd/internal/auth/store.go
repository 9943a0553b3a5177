package auth

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine/txn"
)

// ErrNoKey says that there is no key with such an id.
var ErrNoKey = errors.New("no such key")

// Store keeps the keys in the table orderd_keys. It is safe for concurrent use.
type Store struct{ db *gorm.DB }

// NewStore makes a store on a migrated database.
func NewStore(db *gorm.DB) *Store { return &Store{db: db} }

const selectKeys = `SELECT id, principal, name, roles, secret_hash, created_at, expires_at, revoked_at FROM orderd_keys`

// Add stores a new key.
func (s *Store) Add(ctx context.Context, k Key) error {
	err := txn.Run(ctx, s.db, func(tx *gorm.DB) error {
		return tx.Exec(`INSERT INTO orderd_keys
			(id, principal, name, roles, secret_hash, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			k.ID, k.Principal, k.Name, joinRoles(k.Roles), k.hash[:], k.CreatedAt, k.ExpiresAt).Error
	})
	if err != nil {
		return fmt.Errorf("store key %s: %w", k.ID, err)
	}
	return nil
}

// Find returns the key with an id; ErrNoKey if there is none.
func (s *Store) Find(ctx context.Context, id string) (Key, error) {
	keys, err := s.read(ctx, selectKeys+` WHERE id = ?`, id)
	switch {
	case err != nil:
		return Key{}, fmt.Errorf("find key: %w", err)
	case len(keys) == 0:
		return Key{}, ErrNoKey
	}
	return keys[0], nil
}

// listMax bounds a listing; a shop has a handful of keys.
const listMax = 1000

// List returns the keys, oldest first, of one principal or of all ("").
func (s *Store) List(ctx context.Context, principal string) ([]Key, error) {
	query, args := selectKeys, []any{}
	if principal != "" {
		query, args = query+` WHERE principal = ?`, append(args, principal)
	}
	keys, err := s.read(ctx, fmt.Sprintf("%s ORDER BY created_at, id LIMIT %d", query, listMax), args...)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	return keys, nil
}

// Revoke ends a key at a time and returns it, and whether this call ended it. A key that is revoked
// already keeps its first time. Running daemons follow within a second.
func (s *Store) Revoke(ctx context.Context, id string, now time.Time) (k Key, ended bool, err error) {
	err = txn.Run(ctx, s.db, func(tx *gorm.DB) error {
		done := tx.Exec(`UPDATE orderd_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL`, now, id)
		ended = done.RowsAffected > 0
		return done.Error
	})
	if err != nil {
		return Key{}, false, fmt.Errorf("revoke key %s: %w", id, err)
	}
	k, err = s.Find(ctx, id)
	return k, ended, err
}

func (s *Store) read(ctx context.Context, query string, args ...any) ([]Key, error) {
	var keys []Key
	err := txn.Each(s.db.WithContext(ctx), query, args, func(rows *sql.Rows) error {
		var k Key
		var roles string
		var hash []byte
		var expires, revoked sql.NullTime
		if err := rows.Scan(&k.ID, &k.Principal, &k.Name, &roles, &hash, &k.CreatedAt, &expires, &revoked); err != nil {
			return err
		}
		if copy(k.hash[:], hash) != len(k.hash) {
			return fmt.Errorf("key %s: the stored hash has %d bytes", k.ID, len(hash))
		}
		for role := range strings.SplitSeq(roles, ",") {
			k.Roles = append(k.Roles, Role(role))
		}
		k.ExpiresAt, k.RevokedAt = timeOf(expires), timeOf(revoked)
		keys = append(keys, k)
		return nil
	})
	return keys, err
}

func timeOf(t sql.NullTime) *time.Time {
	if !t.Valid {
		return nil
	}
	utc := t.Time.UTC()
	return &utc
}

func joinRoles(roles []Role) string {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	return strings.Join(names, ",")
}
