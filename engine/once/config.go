package once

import (
	"context"
	crand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine/internal/sqldb"
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

// open takes over a handle, and says at once where the table is missing. It is one of the engine's.
func open(ctx context.Context, db *gorm.DB, table string) (*sqldb.DB, error) {
	d, err := sqldb.Wrap(ctx, db)
	if err != nil {
		return nil, err
	}
	info, err := d.Describe(ctx, table)
	if err == nil && info.Kind == "" {
		err = fmt.Errorf("once: the table %s does not exist: call engine.Migrate first", table)
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}
