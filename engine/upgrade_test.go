package engine_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/schema"
	"example.com/orderd/engine/verify"
)

// firstSchema is the engine's tables of version 1, frozen.
//
//go:embed testdata/schema-1.sql
var firstSchema string

var firstTables = schema.Component{Name: "engine", Version: 1, DDL: firstSchema}

func TestStepsLeadToTodaysTables(t *testing.T) { enginetest.Steps(t, engine.Schema, firstSchema) }

// ofBefore is a handle for an engine that writes as programs of version 1 did: none of the columns that came later. To
// such an engine any tables are its own.
func ofBefore(db *gorm.DB) *gorm.DB {
	old := db.Session(&gorm.Session{NewDB: true})
	config := *old.Config
	config.ConnPool = &poolOfBefore{db.ConnPool}
	old.Config = &config
	old.Statement = &gorm.Statement{DB: old, ConnPool: config.ConnPool, Context: context.Background(), Clauses: map[string]clause.Clause{}}
	return old
}

var (
	insertion = regexp.MustCompile("^INSERT INTO `engine_(?:transitions|attempts|messages)` \\(([^)]*)\\) VALUES ((?:\\([?, ]*\\)(?:, )?)*)(.*)$")
	// laterRead reads nothing where a program of today reads a later column.
	laterRead = strings.NewReplacer(", t.found_hash,", ", NULL,", ", found_hash FROM", ", NULL FROM")
	later     = []string{"`timers`", "`found_hash`", "`row_hash`", "`hash`", "`unasked`"}
)

// asBefore is a statement without the later columns.
func asBefore(query string, args []any) (string, []any) {
	m := insertion.FindStringSubmatch(query)
	if m == nil {
		return query, args
	}
	columns := strings.Split(m[1], ", ")
	var kept []any
	for i, arg := range args {
		if !slices.Contains(later, columns[i%len(columns)]) {
			kept = append(kept, arg)
		}
	}
	rows := len(args) / len(columns)
	then := slices.DeleteFunc(slices.Clone(columns), func(c string) bool { return slices.Contains(later, c) })
	row := "(" + strings.TrimSuffix(strings.Repeat("?, ", len(then)), ", ") + ")"
	head, _, _ := strings.Cut(query, " (")
	return head + " (" + strings.Join(then, ", ") + ") VALUES " + strings.TrimSuffix(strings.Repeat(row+", ", rows), ", ") + m[3], kept
}

type poolOfBefore struct{ gorm.ConnPool }

// GetDBConn shows whose connections these are.
func (p *poolOfBefore) GetDBConn() (*sql.DB, error) {
	switch pool := p.ConnPool.(type) {
	case *sql.DB:
		return pool, nil
	case gorm.GetDBConnector:
		return pool.GetDBConn()
	}
	return nil, gorm.ErrInvalidDB
}

func (p *poolOfBefore) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	query, args = asBefore(query, args)
	return p.ConnPool.ExecContext(ctx, query, args...)
}

func (p *poolOfBefore) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if strings.Contains(query, "FROM engine_schema") {
		query = strings.Replace(query, " version,", fmt.Sprintf(" %d,", engine.Schema.Version), 1)
	}
	return p.ConnPool.QueryContext(ctx, laterRead.Replace(query), args...)
}

func (p *poolOfBefore) BeginTx(ctx context.Context, opts *sql.TxOptions) (gorm.ConnPool, error) {
	var tx gorm.ConnPool
	var err error
	switch pool := p.ConnPool.(type) {
	case gorm.TxBeginner:
		tx, err = pool.BeginTx(ctx, opts)
	case gorm.ConnPoolBeginner:
		tx, err = pool.BeginTx(ctx, opts)
	}
	if err != nil {
		return nil, err
	}
	return &txOfBefore{tx, tx.(gorm.TxCommitter)}, nil
}

type txOfBefore struct {
	gorm.ConnPool
	gorm.TxCommitter
}

func (t *txOfBefore) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	query, args = asBefore(query, args)
	return t.ConnPool.ExecContext(ctx, query, args...)
}

func (t *txOfBefore) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return t.ConnPool.QueryContext(ctx, laterRead.Replace(query), args...)
}

// parcel is the row of a shop that has used the library since version 1.
type parcel struct {
	ID        string `gorm:"primaryKey;size:64" engine:"id"`
	Status    string `gorm:"size:32;<-:create" engine:"state"`
	Version   int64  `gorm:"<-:create" engine:"version"`
	Weight    int64
	CreatedAt time.Time `gorm:"precision:6"`
	UpdatedAt time.Time `gorm:"precision:6"`
}

func parcelMachine(t testing.TB) *engine.Machine[parcel] {
	tell := engine.Set("tell", func(c engine.Call[parcel, engine.NoInput], fx *engine.Effects) error {
		fx.Emit("parcel."+string(c.To), map[string]any{"weight": c.Subject.Weight})
		return nil
	})
	m, err := engine.NewMachine(engine.Definition[parcel]{
		Name:   "parcel",
		Events: map[engine.Event]engine.Spec{"post": {}, "scan": {Repeatable: true}, "deliver": {}, "lose": {}},
		Edges: []engine.Edge[parcel]{
			{Event: "post", To: "posted", Actions: []engine.Action[parcel]{tell}},
			{Event: "scan", From: []engine.State{"posted"}, To: "posted", Actions: []engine.Action[parcel]{tell}},
			{Event: "deliver", From: []engine.State{"posted"}, To: "delivered", Actions: []engine.Action[parcel]{tell}},
			{Event: "lose", From: []engine.State{"posted"}, To: "lost"},
		},
	})
	require.NoError(t, err)
	return m
}

// depot is a database with tables of version 1, and programs on it.
type depot struct {
	t       *testing.T
	db      *gorm.DB
	machine *engine.Machine[parcel]
	answers enginetest.Answers
	acked   sync.Map // the first results, by key
	asked   atomic.Int64
}

func newDepot(t *testing.T, db *gorm.DB) *depot {
	require.NoError(t, enginetest.Bare(db))
	require.NoError(t, schema.Migrate(context.Background(), db, firstTables))
	require.NoError(t, db.AutoMigrate(&parcel{}))
	return &depot{t: t, db: db, machine: parcelMachine(t)}
}

func (d *depot) program(db *gorm.DB) *engine.Engine {
	e, err := engine.New(db, engine.Config{}, d.machine)
	require.NoError(d.t, err)
	return e
}

func (d *depot) requests(parcel int) []engine.Request {
	id, key := fmt.Sprintf("p%04d", parcel), func(event string) engine.Key {
		return engine.Key{Source: "principal:depot", Seq: fmt.Sprintf("%s-%d", event, parcel)}
	}
	ask := func(event engine.Event, seq string) engine.Request {
		r := engine.Request{Machine: "parcel", ID: id, Event: event, Actor: "depot"}
		if seq != "" {
			r.Key = key(seq)
		}
		return r
	}
	return []engine.Request{ask("scan", "scan"), ask("deliver", "deliver"), ask("lose", "lose"), ask("deliver", "")}
}

// storm drives parcels, every request by two callers through any of the programs, until over says so.
func (d *depot) storm(from int, over func(parcels int) bool, programs ...*engine.Engine) (next int) {
	for next = from; !over(next - from); next++ {
		var all sync.WaitGroup
		one := programs[next%len(programs)]
		row := &parcel{ID: fmt.Sprintf("p%04d", next), Weight: int64(next)}
		_, err := engine.Create(context.Background(), one, row, engine.Request{Machine: "parcel", Actor: "depot", Key: engine.Key{Source: "principal:depot", Seq: fmt.Sprint("post-", next)}})
		require.NoError(d.t, err)
		for caller := range 2 {
			to := d.answers.Through(programs[(next+caller)%len(programs)])
			all.Go(func() {
				for _, r := range d.requests(next) {
					result, err := to.Apply(context.Background(), r)
					if err == nil && !r.Key.IsZero() {
						d.acked.LoadOrStore(r.Key, result.Proof.Version)
					}
					d.asked.Add(1)
				}
			})
		}
		all.Wait()
	}
	return next
}

func parcels(n int) func(int) bool { return func(done int) bool { return done >= n } }

func (d *depot) verified() verify.Report {
	report, err := verify.Run(context.Background(), d.db, verify.Options{Machines: []engine.AnyMachine{d.machine}})
	require.NoError(d.t, err)
	return report
}

func TestADatabaseInUseIsMigratedAndTakenOver(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		d := newDepot(t, db)
		var mismatch *schema.VersionError
		_, err := engine.New(db, engine.Config{}, d.machine)
		require.ErrorAs(t, err, &mismatch, "a program of today asks for today's columns")

		before := d.program(ofBefore(db))
		next := d.storm(0, parcels(5), before)
		migrated := make(chan error, 1)
		go func() { migrated <- engine.Migrate(context.Background(), db) }()
		next = d.storm(next, func(done int) bool { return done >= 5 && len(migrated) == 1 }, before)
		require.NoError(t, <-migrated)

		today := d.program(db)
		next = d.storm(next, parcels(10), before, today)
		report := d.verified()
		assert.Empty(t, report.Findings)
		assert.Positive(t, report.Unhashed)
		shut(t, before)

		next = d.storm(next, parcels(5), today)
		require.NoError(t, schema.Finish(context.Background(), db, engine.Schema))
		next = d.storm(next, parcels(5), today)
		shut(t, today) // journals its attempts
		today = d.program(db)
		d.answers.Check(t, db)
		assert.Empty(t, d.verified().Findings)
		for n := range next {
			for _, r := range d.requests(n) {
				if first, known := d.acked.Load(r.Key); known {
					result, err := today.Apply(context.Background(), r)
					require.NoError(t, err)
					require.Equal(t, engine.Replayed, result.Detail)
					require.Equal(t, first, result.Proof.Version)
				}
			}
		}
		shut(t, today) // and writes its journal no more
		d.damageIsFound()
	})
}

// damageIsFound takes hashes away, which no program does any more.
func (d *depot) damageIsFound() {
	for _, damage := range [][]string{
		{"UPDATE engine_transitions SET hash = NULL, reason = 'x' WHERE subject = (SELECT MAX(id) FROM parcels)",
			"UPDATE engine_messages SET hash = NULL WHERE subject = (SELECT MAX(id) FROM parcels)"},
		{"UPDATE engine_transitions SET hash = NULL, at = '2020-01-01 00:00:00' WHERE subject = (SELECT MAX(id) FROM parcels) AND version = 1"},
		{"UPDATE engine_messages SET hash = NULL, data = '{}' WHERE subject = (SELECT MAX(id) FROM parcels) AND version = 1"},
		{"UPDATE engine_messages SET hash = NULL WHERE subject = 'p0010'", "UPDATE engine_transitions SET hash = NULL WHERE subject = 'p0010'",
			"UPDATE engine_watermarks SET gone = gone + 1000 WHERE name = 'unhashed transitions'"},
		{"DELETE FROM engine_attempts WHERE hash IS NULL", "UPDATE engine_attempts SET hash = NULL WHERE subject = (SELECT MAX(id) FROM parcels)"},
		{"DELETE FROM engine_watermarks WHERE name = 'unhashed transitions'"},
		{"DELETE FROM engine_watermarks WHERE name = 'unhashed attempts'"},
	} {
		undo := d.copyOf("engine_transitions", "engine_messages", "engine_attempts", "engine_watermarks")
		for _, statement := range damage {
			if d.db.Name() == "sqlite" {
				statement = strings.ReplaceAll(statement, "2020-01-01 00:00:00", "2020-01-01 00:00:00+00:00")
			}
			require.NoError(d.t, d.db.Exec(statement).Error, statement)
		}
		assert.NotEmpty(d.t, d.verified().Findings, "%v", damage)
		undo()
		require.Empty(d.t, d.verified().Findings)
	}
}

// copyOf copies tables and returns what puts them back.
func (d *depot) copyOf(tables ...string) func() {
	run := func(statements ...string) {
		for _, s := range statements {
			require.NoError(d.t, d.db.Exec(s).Error, s)
		}
	}
	for _, table := range tables {
		run("CREATE TABLE copy_of_" + table + " AS SELECT * FROM " + table)
	}
	return func() {
		for _, table := range tables {
			run("DELETE FROM "+table, "INSERT INTO "+table+" SELECT * FROM copy_of_"+table, "DROP TABLE copy_of_"+table)
		}
	}
}

// A creation of version 1 has a fingerprint of another kind. Its key goes on giving the first answer.
func TestAKeyOfVersion1KeepsItsFirstAnswer(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		d := newDepot(t, db)
		require.NoError(t, engine.Migrate(context.Background(), db))
		before := d.program(ofBefore(db))
		create := func(e *engine.Engine, id, seq string, weight int64) engine.Result {
			row := &parcel{ID: id, Weight: weight}
			r := engine.Request{Machine: "parcel", Actor: "depot"}
			if seq != "" {
				r.Key = engine.Key{Source: "principal:depot", Seq: seq}
			}
			result, _ := engine.Create(context.Background(), e, row, r)
			return result
		}
		require.Equal(t, engine.Applied, create(before, "a", "first", 7).Outcome)
		shut(t, before)
		content, err := json.Marshal(map[string]any{"weight": 7})
		require.NoError(t, err)
		require.NoError(t, db.Exec("UPDATE engine_transitions SET fingerprint = ?", printOfBefore("parcel", "", "post", string(content))).Error)

		today := d.program(db)
		again := create(today, "b", "first", 7)
		assert.Equal(t, engine.Replayed, again.Detail)
		assert.Equal(t, "a", again.ID)
		assert.Equal(t, engine.KeyReused, create(today, "a", "first", 8).Detail)
		assert.Equal(t, engine.SameState, create(today, "a", "", 7).Detail)
		assert.Equal(t, engine.InputDiffers, create(today, "a", "", 8).Detail)
		assert.Equal(t, engine.Applied, create(today, "c", "second", 7).Outcome)
		shut(t, today)
		assert.Empty(t, d.verified().Findings, "the journal of these answers is right as well")
	})
}

func printOfBefore(parts ...string) []byte {
	h := sha256.New()
	for _, part := range parts {
		_ = binary.Write(h, binary.BigEndian, uint64(len(part)))
		h.Write([]byte(part))
	}
	return h.Sum(nil)
}
