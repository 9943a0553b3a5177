// Package cli is the command line beside the server: the tools of an operator, which work on the
// database directly.
package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"

	"example.com/orderd/cmd/orderd/internal/database"
	"example.com/orderd/engine"
	"example.com/orderd/engine/schema"
	"example.com/orderd/orders"
)

// The exit codes of every command.
const (
	ExitDone      = 0 // done, or already done
	ExitNo        = 1 // the answer is no: refused, not found, or findings
	ExitUsage     = 2 // the command line is wrong
	ExitTrouble   = 3 // could not be tried: settings, files, the database
	ExitUncertain = 4 // the database did not answer the commit; repeat it with the same key
)

// ExitHelp is how help explains them.
const ExitHelp = "Exit codes: 0 done, 1 refused, not found or findings, 2 wrong command line, " +
	"3 settings or database in the way, 4 outcome unknown (repeat with the same --key)."

// ErrNo is the answer no; ErrTold is it as well, when everything about it has been printed.
var (
	ErrNo   = errors.New("no")
	ErrTold = fmt.Errorf("told: %w", ErrNo)
)

// noError is the answer no in words.
type noError string

func (e noError) Error() string { return string(e) }

func (noError) Unwrap() error { return ErrNo }

func no(format string, args ...any) error { return noError(fmt.Sprintf(format, args...)) }

// Tell prints a command's error: a line for a person, or one JSON object, always where errors go.
func Tell(w io.Writer, g Globals, err error) {
	if err == nil || errors.Is(err, ErrTold) {
		return
	}
	if !g.JSON {
		_, _ = fmt.Fprintln(w, "orderd:", err) // where would one complain?
		return
	}
	told := struct {
		Error    string         `json:"error"`
		Outcome  engine.Outcome `json:"outcome,omitempty"`
		Detail   engine.Detail  `json:"detail,omitempty"`
		ExitCode int            `json:"exit_code"`
	}{Error: err.Error(), ExitCode: ExitCode(err)}
	var outcome *engine.Error
	if errors.As(err, &outcome) {
		told.Outcome, told.Detail = outcome.Result.Outcome, outcome.Result.Detail
	}
	_ = json.NewEncoder(w).Encode(told)
}

// usageError is a mistake on the command line that only the command could find.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usage(err error) error { return usageError{err} }

// ExitCode is the exit code of a command's error.
func ExitCode(err error) int {
	var outcome *engine.Error
	var wrong usageError
	switch {
	case err == nil:
		return ExitDone
	case errors.As(err, &wrong), errors.Is(err, engine.ErrBadRequest):
		return ExitUsage
	case errors.Is(err, engine.ErrUnknown):
		return ExitUncertain
	case errors.Is(err, engine.ErrUnavailable):
		return ExitTrouble
	case errors.Is(err, ErrNo), errors.As(err, &outcome):
		return ExitNo
	}
	return ExitTrouble
}

// Globals are the settings of every command.
type Globals struct {
	DB   string `name:"db" env:"ORDERD_DB" placeholder:"SETTING" help:"Database: sqlite:FILE, or mysql: and a go-sql-driver DSN, or @FILE that holds either (${env})."`
	JSON bool   `name:"json" help:"Print JSON."`

	Packets string `name:"packets" env:"ORDERD_PACKETS" enum:"auto,off" default:"auto" help:"auto: whole transactions go to a server of the MySQL family in one packet where it keeps them atomic, which Galera does not; off: never (${env})."`
}

// Env is what a command runs in.
type Env struct {
	Context context.Context
	Out     io.Writer
	Now     func() time.Time
	Schema  schema.Component // the daemon's own tables
}

// open opens the database and checks that it is migrated, except for what the caller checks itself.
func (e *Env) open(g *Globals) (*database.Database, error) {
	return database.Open(e.Context, g.DB, database.Packets(g.Packets))
}

// shop opens the database with engine and shop on it.
func (e *Env) shop(g *Globals) (*session, error) {
	db, err := e.open(g)
	if err != nil {
		return nil, err
	}
	s := &session{Database: db}
	if s.engine, err = engine.New(db.Gorm, engine.Config{Now: e.Now}, orders.Machines()...); err == nil {
		s.shop, err = orders.New(db.Gorm, s.engine, s.engine, orders.Config{})
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// session is an open shop.
type session struct {
	*database.Database
	engine *engine.Engine
	shop   *orders.Shop
}

const closeMax = 10 * time.Second

func (s *session) close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeMax)
	defer cancel()
	_ = s.engine.Close(ctx) // loses at most the count of a repeated attempt
	_ = s.Close()
}

// print writes v as JSON, or lets text write it for a person.
func (e *Env) print(g *Globals, v any, text func(w *tabwriter.Writer)) error {
	if g.JSON {
		out := json.NewEncoder(e.Out)
		out.SetEscapeHTML(false)
		out.SetIndent("", "  ")
		return out.Encode(v)
	}
	var table bytes.Buffer // its writer cannot fail
	w := tabwriter.NewWriter(&table, 0, 4, 2, ' ', 0)
	text(w)
	_ = w.Flush()
	for line := range strings.Lines(table.String()) {
		if _, err := fmt.Fprintln(e.Out, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// say writes cells of one row, safe for a terminal.
func say(w io.Writer, cells ...any) {
	texts := make([]string, len(cells))
	for i, c := range cells {
		texts[i] = printable(fmt.Sprint(c))
	}
	_, _ = fmt.Fprintln(w, strings.Join(texts, "\t")) // tabwriter keeps its error until Flush
}

// printable replaces what a terminal would obey: names and reasons are other people's text.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 {
			return '\ufffd'
		}
		return r
	}, s)
}

var notInPrincipal = regexp.MustCompile(`[^a-zA-Z0-9._-]`)

// person is who sits at the terminal.
func person() orders.Caller {
	name := os.Getenv("USER")
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	name = notInPrincipal.ReplaceAllString(name, "_")
	name = name[:min(len(name), 64)]
	if name == "" {
		name = "unknown"
	}
	return orders.Caller{Principal: "cli:" + name, Actor: "cli:" + name}
}

func date(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000000") }

func dateOr(t *time.Time, none string) string {
	if t == nil {
		return none
	}
	return date(*t)
}
