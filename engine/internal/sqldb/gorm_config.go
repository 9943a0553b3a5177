package sqldb

import (
	"errors"
	"maps"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// GormConfig is the configuration to open a database with: a user's, if not nil, but for what would contradict the
// engine, which is refused, all at once. Whatever clock it has, times are those that are stored: UTC, cut to
// Precision. The user's own is not changed.
func GormConfig(user *gorm.Config) (*gorm.Config, error) {
	c := gorm.Config{SkipDefaultTransaction: true, Logger: logger.Discard}
	if user != nil {
		c = *user
	}
	var problems []error
	for _, p := range []struct {
		wrong bool
		text  string
	}{
		{c.DryRun, "DryRun: nothing would ever be written; use db.Session(&gorm.Session{DryRun: true}) where you want to look at SQL"},
		{c.PrepareStmt, "PrepareStmt: its cached statements wait for connections that transactions hold, and then for ever; " +
			"use db.Session(&gorm.Session{PrepareStmt: true}) for single queries that are worth it"},
		{c.ConnPool != nil, "ConnPool: Open makes the connections, with the settings that the engine needs; for a pool of " +
			"your own call gorm.Open"},
		{c.Dialector != nil, "Dialector: Open makes it; leave it out"},
	} {
		if p.wrong {
			problems = append(problems, errors.New("gorm.Config."+p.text))
		}
	}
	now := c.NowFunc
	if now == nil {
		now = time.Now
	}
	c.NowFunc = func() time.Time { return now().UTC().Truncate(Precision) }
	c.DisableAutomaticPing = true
	c.Plugins, c.ClauseBuilders = maps.Clone(c.Plugins), maps.Clone(c.ClauseBuilders) // gorm adds to them
	return &c, errors.Join(problems...)
}
