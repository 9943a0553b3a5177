package once

import (
	"context"
	crand "crypto/rand"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine/internal/sqldb"
	"example.com/orderd/engine/schema"
)

// Config is what the parts of this package share. The zero value is good.
type Config struct {
	Now  func() time.Time // default time.Now
	Text func() string    // makes what cannot be guessed: at most 128 of [0-9A-Za-z_]; default 26 characters
	Rand func() uint64    // tells one call from another; default math/rand/v2
}

func (c *Config) fill() {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Text == nil {
		c.Text = crand.Text
	}
	if c.Rand == nil {
		c.Rand = rand.Uint64
	}
}

// nonce is positive, as the engine's.
func (c *Config) nonce() int64 { return int64(c.Rand() >> 1) }

// open takes over a handle, and says at once where the tables are missing. They are the engine's, which this package
// knows nothing of: it says with engine.New whether it can use their version.
func open(ctx context.Context, db *gorm.DB) (*sqldb.DB, error) {
	d, err := sqldb.Wrap(ctx, db)
	if err != nil {
		return nil, err
	}
	there, err := schema.List(ctx, db)
	if err == nil && !slices.ContainsFunc(there, func(i schema.Installed) bool { return i.Component == "engine" }) {
		err = errors.New("once: the engine's tables are not installed: call engine.Migrate first")
	}
	return d, err
}
