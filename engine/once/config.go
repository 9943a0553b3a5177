package once

import (
	crand "crypto/rand"
	"math/rand/v2"
	"time"
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
