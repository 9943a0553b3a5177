package once

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine/dberr"
	"example.com/orderd/engine/internal/sqldb"
)

// Inbox lets one consumer work on each message once: it notes the message in the transaction of the
// work. Work that drives a subject needs none, because there the key {consumer, message} does the same.
// It is safe for concurrent use.
type Inbox struct {
	consumer string
	db       *sqldb.DB
	cfg      Config
}

// NewInbox makes the inbox of a consumer, whose name has 1 to 64 bytes, on a database that
// engine.Migrate has prepared.
func NewInbox(ctx context.Context, db *gorm.DB, consumer string, cfg Config) (*Inbox, error) {
	if len(consumer) < 1 || len(consumer) > 64 {
		return nil, fmt.Errorf("once: a consumer's name of %d bytes, want 1 to 64", len(consumer))
	}
	d, err := open(ctx, db, "engine_inbox")
	if err != nil {
		return nil, err
	}
	cfg.fill()
	return &Inbox{consumer: consumer, db: d, cfg: cfg}, nil
}

// messageMax bounds the id of a message, in bytes.
const messageMax = 512

// Do runs work in a transaction of its own, unless the message has been worked on. Work that returns
// an error is rolled back, and the message can be delivered again. Work may run several times until a
// transaction of it commits, and must use the handle it is given. done says that this call did it.
//
// When a COMMIT gets no answer, Do runs once more: it then finds what that commit has left. An error
// that says so even then leaves it open; delivering the message again settles it.
func (b *Inbox) Do(ctx context.Context, message string, work func(tx *gorm.DB) error) (done bool, err error) {
	nonce := b.cfg.nonce()
	try := func() error {
		return b.db.Retry(ctx, func(tx *sqldb.Tx) error {
			first, err := b.note(ctx, tx, message, nonce)
			if err != nil {
				return err
			}
			if done = first; !first {
				done, err = b.mine(ctx, tx, message, nonce)
				return err
			}
			return work(tx.Gorm(ctx))
		})
	}
	err = try()
	if commit, ok := errors.AsType[*dberr.CommitError](err); ok && commit.Unknown {
		if err = try(); dberr.Classify(err).Transient() {
			err = errors.Join(commit, err) // still open: nothing was settled
		}
	}
	return done && err == nil, err
}

// First notes a message in the caller's transaction and reports whether it was not noted before. A twin
// waits until the transaction of the first has ended.
func (b *Inbox) First(ctx context.Context, tx *gorm.DB, message string) (bool, error) {
	joined, err := sqldb.Join(tx)
	if err != nil {
		return false, err
	}
	return b.note(ctx, joined, message, b.cfg.nonce())
}

// note asks nothing before it inserts: the primary key decides.
func (b *Inbox) note(ctx context.Context, tx *sqldb.Tx, message string, nonce int64) (bool, error) {
	if len(message) < 1 || len(message) > messageMax {
		return false, fmt.Errorf("once: the id of a message has %d bytes, want 1 to %d", len(message), messageMax)
	}
	insert := "INSERT IGNORE" // lengths are checked above: nothing else than a duplicate is ignored
	if tx.Dialect() == sqldb.SQLite {
		insert = "INSERT OR IGNORE"
	}
	n, err := tx.Exec(ctx, insert+" INTO engine_inbox (consumer, message, nonce, at) VALUES (?, ?, ?, ?)",
		b.consumer, message, nonce, b.cfg.Now().UTC())
	if err != nil {
		return false, fmt.Errorf("note a message: %w", err)
	}
	return n > 0, nil
}

// mine reports whether a message was noted by this very call, in a commit that got no answer.
func (b *Inbox) mine(ctx context.Context, tx *sqldb.Tx, message string, nonce int64) (mine bool, err error) {
	err = tx.Each(ctx, "SELECT 1 FROM engine_inbox WHERE consumer = ? AND message = ? AND nonce = ?",
		[]any{b.consumer, message, nonce}, func(*sql.Rows) error { mine = true; return nil })
	return mine, err
}

// Trim forgets at most n messages that were worked on longer ago than keep, and returns how many. A
// message that is delivered after that has its effect again, so keep is longer than anybody redelivers.
func (b *Inbox) Trim(ctx context.Context, keep time.Duration, n int) (int, error) {
	return trim(ctx, b.db, "engine_inbox", "consumer, message", "at", b.cfg.Now().Add(-keep), n)
}
