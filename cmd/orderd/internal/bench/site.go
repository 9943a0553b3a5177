package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/cmd/orderd/internal/database"
	"example.com/orderd/engine"
	"example.com/orderd/engine/id"
	"example.com/orderd/engine/verify"
)

// site is a database of a run's own, with the tables of all contenders.
type site struct {
	setting string
	mysql   bool
	gorm    *gorm.DB
	pool    *sql.DB
	pid     int // of the server, 0 if it is not on this machine

	rates  map[string]float64 // requests per second, by contender and callers, as last measured
	counts []count

	machines []engine.AnyMachine // of what the engine keeps here
	checks   []verify.Check
}

// count is what a contender without the engine's history says it did, and where that is to be seen.
type count struct {
	query string
	acked func() int64
}

// cleaning bounds what is done after a run, even an interrupted one.
const cleaning = 5 * time.Minute

// scratch makes a database beside the one that the setting names, which is left alone. It is gone when
// the run ends.
func (r *run) scratch(ctx context.Context) (*site, error) {
	setting, err := scratchSetting(ctx, r.DB, r.atEnd)
	if err != nil {
		return nil, err
	}
	db, err := database.Create(ctx, setting)
	if err != nil {
		return nil, err
	}
	r.atEnd(db.Close)
	s := &site{
		setting: setting, mysql: db.Gorm.Name() == "mysql", gorm: db.Gorm, pool: db.Pool,
		rates: map[string]float64{},
	}
	if s.mysql {
		s.pid = serverPID(ctx, db.Pool)
	}
	r.report.Server = db.Found.Server
	r.sites = append(r.sites, s)
	return s, nil
}

// scratchSetting makes the place and says how to open it.
func scratchSetting(ctx context.Context, setting string, atEnd func(func() error)) (string, error) {
	setting, err := database.Setting(setting)
	if err != nil {
		return "", err
	}
	if file, ok := strings.CutPrefix(setting, "sqlite:"); ok {
		folder, err := os.MkdirTemp(filepath.Dir(file), "orderd-bench-")
		if err != nil {
			return "", fmt.Errorf("a folder for the bench: %w", err)
		}
		atEnd(func() error { return os.RemoveAll(folder) })
		return "sqlite:" + filepath.Join(folder, "bench.db"), nil
	}
	named, err := database.OpenUnchecked(setting)
	if err != nil {
		return "", err
	}
	defer func() { _ = named.Close() }()
	name := id.Random("orderd_bench")
	if _, err := named.Pool.ExecContext(ctx, "CREATE DATABASE "+name+" CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"); err != nil {
		return "", fmt.Errorf("the bench works in a database of its own, so its account must be allowed to create one: %w", err)
	}
	atEnd(func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleaning)
		defer cancel()
		db, err := database.OpenUnchecked(setting)
		if err != nil {
			return err
		}
		_, err = db.Pool.ExecContext(ctx, "DROP DATABASE "+name)
		return errors.Join(err, db.Close())
	})
	return withDatabase(setting, name), nil
}

// withDatabase is a setting with another database's name in its DSN.
func withDatabase(setting, name string) string {
	slash := strings.LastIndexByte(setting, '/') // as the driver has it: in parameters a slash is written %2F
	_, params, found := strings.Cut(setting[slash:], "?")
	if found {
		params = "?" + params
	}
	return setting[:slash+1] + name + params
}

// verify checks the engine's tables, and that the others hold what their writers were told.
func (s *site) verify(ctx context.Context, report *Report) error {
	found, err := verify.Run(ctx, s.gorm, verify.Options{Machines: s.machines, Extra: s.checks, MaxFindings: 10})
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	v := &report.Verify
	v.add(found)
	for _, c := range s.counts {
		var n int64
		if err := s.pool.QueryRowContext(ctx, c.query).Scan(&n); err != nil {
			return fmt.Errorf("verify: %w", err)
		}
		if acked := c.acked(); n != acked {
			v.Findings++
			v.First = append(v.First, fmt.Sprintf("%d were acknowledged, %s says %d", acked, c.query, n))
		}
	}
	return nil
}

// What is prepared for a turn whose speed is not known yet. A turn that uses it up ends early.
const (
	firstRate  = 10_000 // requests per second
	rateMargin = 2
)

// expected is how many requests a turn may need.
func (s *site) expected(c contender, callers int, d time.Duration) int {
	rate := s.rates[rateKey(c, callers)]
	if rate == 0 {
		rate = min(firstRate, float64(1_000*callers))
	}
	return int(rateMargin*rate*d.Seconds()) + steps*callers
}

func (s *site) remember(c contender, callers int, rate float64) { s.rates[rateKey(c, callers)] = rate }

func rateKey(c contender, callers int) string { return fmt.Sprint(c.name(), " ", callers) }
