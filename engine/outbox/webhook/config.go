package webhook

import (
	"cmp"
	"log/slog"
	"time"

	"example.com/orderd/engine/outbox"
)

func (c *Config) defaults() {
	c.Source = cmp.Or(c.Source, outbox.SourceDefault)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Posted == nil {
		c.Posted = func(Attempt) {}
	}
	if c.Wake == nil {
		c.Wake = func() {}
	}
}
