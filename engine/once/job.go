package once

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine/dberr"
	"example.com/orderd/engine/internal/sqldb"
)

// Job is something quiet that is to be done once in each period: a report, a clean-up.
type Job struct {
	Name  string        // 1 to 64 bytes
	Every time.Duration // the period; periods begin at whole multiples since year 1, UTC
	Limit time.Duration // of one run; after it another process takes over. Default 10 minutes
}

const limitDefault = 10 * time.Minute

// Jobs notes which jobs have been done. It is safe for concurrent use.
type Jobs struct {
	db  *sqldb.DB
	cfg Config
}

// NewJobs makes Jobs on a database that engine.Migrate has prepared.
func NewJobs(ctx context.Context, db *gorm.DB, cfg Config) (*Jobs, error) {
	d, err := open(ctx, db, "engine_jobs")
	if err != nil {
		return nil, err
	}
	cfg.fill()
	return &Jobs{db: d, cfg: cfg}, nil
}

// Run does a job unless it was done in this period, or another process is at it. It asks first, which is cheap and
// mostly right; where two ask at once, the primary key lets one of them claim the period. Work that fails or panics
// gives its claim back; a panic goes on. Work whose process dies is done by another after Limit, so work must not
// mind being interrupted; ctx ends after Limit, too. ran says that this call did it.
func (j *Jobs) Run(ctx context.Context, job Job, work func(ctx context.Context) error) (ran bool, err error) {
	if len(job.Name) < 1 || len(job.Name) > 64 || job.Every <= 0 {
		return false, fmt.Errorf("once: job %q every %s: want a name of 1 to 64 bytes and a period", job.Name, job.Every)
	}
	job.Limit = cmp.Or(job.Limit, limitDefault)
	now := j.cfg.Now().UTC()
	r := &run{Jobs: j, job: job, period: now.Truncate(job.Every), nonce: j.cfg.nonce()}
	if mine, err := r.claim(ctx, now); !mine || err != nil {
		return false, err
	}
	limited, cancel := context.WithTimeout(ctx, job.Limit)
	defer cancel()
	ended := false
	defer func() {
		if !ended { // by a panic, or by runtime.Goexit
			_ = r.giveBack(ctx) // else another process takes over after Limit
		}
	}()
	err = work(limited)
	ended = true
	if err != nil {
		return false, errors.Join(err, r.giveBack(ctx))
	}
	return true, r.done(ctx)
}

// run is one run of a job.
type run struct {
	*Jobs
	job    Job
	period time.Time
	nonce  int64
}

// claim takes the period for this run if nobody has it.
func (r *run) claim(ctx context.Context, now time.Time) (mine bool, err error) {
	known, done := false, false
	var other int64
	var since time.Time
	err = r.db.Each(ctx, "SELECT nonce, claimed_at, done_at IS NOT NULL FROM engine_jobs WHERE name = ? AND period = ?",
		[]any{r.job.Name, r.period}, func(rows *sql.Rows) error {
			known = true
			return rows.Scan(&other, &since, &done)
		})
	switch {
	case err != nil:
		return false, fmt.Errorf("job %s: %w", r.job.Name, err)
	case done, known && now.Sub(since) < r.job.Limit:
		return false, nil
	case known:
		n, err := r.db.Exec(ctx, `UPDATE engine_jobs SET nonce = ?, claimed_at = ?
			WHERE name = ? AND period = ? AND nonce = ? AND done_at IS NULL`, r.nonce, now, r.job.Name, r.period, other)
		return n > 0, err
	}
	_, err = r.db.Exec(ctx, "INSERT INTO engine_jobs (name, period, nonce, claimed_at) VALUES (?, ?, ?, ?)",
		r.job.Name, r.period, r.nonce, now)
	if dberr.Classify(err) == dberr.Duplicate {
		return false, nil // a twin that asked at the same time
	}
	return err == nil, err
}

// done notes the end, unless another process has taken over, and forgets all periods but the last: a
// process whose clock is a little behind may still ask for that one.
func (r *run) done(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteMax)
	defer cancel()
	_, err := r.db.Exec(ctx, "UPDATE engine_jobs SET done_at = ? WHERE name = ? AND period = ? AND nonce = ?",
		r.cfg.Now().UTC(), r.job.Name, r.period, r.nonce)
	if err == nil {
		_, err = r.db.Exec(ctx, "DELETE FROM engine_jobs WHERE name = ? AND period < ?", r.job.Name, r.period.Add(-r.job.Every))
	}
	if err != nil {
		return fmt.Errorf("job %s was done, which could not be noted: %w", r.job.Name, err)
	}
	return nil
}

// noteMax bounds noting how a run ended, for which the caller's time may be over.
const noteMax = 5 * time.Second

func (r *run) giveBack(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteMax)
	defer cancel()
	_, err := r.db.Exec(ctx, "DELETE FROM engine_jobs WHERE name = ? AND period = ? AND nonce = ? AND done_at IS NULL",
		r.job.Name, r.period, r.nonce)
	return err
}
