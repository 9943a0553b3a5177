package enginetest

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"example.com/orderd/engine"
	"example.com/orderd/engine/internal/left"
)

// storedCheck holds that what actions write into rows comes to be stored.
type storedCheck[S any] struct {
	db     *gorm.DB
	schema *schema.Schema
	fields []*schema.Field // whose columns are the engine's alone to write
}

func newStoredCheck[S any](tb testing.TB, db *gorm.DB) *storedCheck[S] {
	tb.Helper()
	parsed, err := schema.Parse(new(S), &sync.Map{}, db.NamingStrategy)
	if err != nil {
		tb.Fatalf("read the row type: %v", err)
	}
	c := &storedCheck[S]{db: db, schema: parsed}
	for _, f := range parsed.Fields {
		if f.DBName != "" && f.AutoUpdateTime == 0 && f.Readable && f.Tag.Get("engine") != "shared" {
			c.fields = append(c.fields, f)
		}
	}
	return c
}

// compare fails the test for each column that a transition wrote and that is stored as something else, or that a hook
// which transitions skip would have made something else of. before and stored are what was read before and after it;
// a creation has no before. A hook of a creation may store what it likes.
func (c *storedCheck[S]) compare(tb testing.TB, what string, before *S, result engine.Result, stored *S) {
	tb.Helper()
	has, ok := left.Of(result).(*S)
	if !ok || has == nil || stored == nil || before == nil && (c.schema.BeforeCreate || c.schema.BeforeSave) {
		return
	}
	had := before
	if had == nil {
		had = new(S)
	}
	for _, f := range c.fields {
		if differs(f, had, has) && differs(f, has, stored) {
			tb.Errorf("%s: column %s of %s was written as %s and is stored as %s: the write is lost, or what is stored cannot be "+
				"read back; where an Exec or the database writes the column as well, tag its field `engine:\"shared\"`",
				what, f.DBName, c.schema.Table, shownColumn(f, has), shownColumn(f, stored))
		}
	}
	if before != nil {
		c.hooks(tb, what, before, has)
	}
}

// hooks holds that hooks which transitions skip would not have changed what is stored. Where AfterFind may turn back
// what they do, as when they seal a column, that goes for a column that the transition wrote, and for one of which
// they would have made something else before.
func (c *storedCheck[S]) hooks(tb testing.TB, what string, before, has *S) {
	tb.Helper()
	if !c.schema.BeforeSave && !c.schema.BeforeUpdate {
		return
	}
	hookedBefore, err := c.hooked(before)
	if err != nil {
		return
	}
	hooked, err := c.hooked(has)
	again, errAgain := c.hooked(has) // they may draw something
	if err = errors.Join(err, errAgain); err != nil {
		tb.Errorf("%s: a hook of %T, which transitions skip, would have failed: %v", what, has, err)
		return
	}
	for _, f := range c.fields {
		matters := !c.schema.AfterFind || differs(f, before, has) || differs(f, hookedBefore, hooked) && !differs(f, hooked, again)
		if matters && differs(f, has, hooked) {
			tb.Errorf("%s: column %s of %s is stored as %s: a hook of %T, which transitions skip, would have made it %s",
				what, f.DBName, c.schema.Table, shownColumn(f, has), has, shownColumn(f, hooked))
		}
	}
}

// hooked is a row as the hooks before an update leave it, whose SQL is not run.
func (c *storedCheck[S]) hooked(row *S) (*S, error) {
	own := *row
	tx := c.db.Session(&gorm.Session{DryRun: true, NewDB: true}).Model(&own)
	tx.Statement.Dest, tx.Statement.Schema, tx.Statement.ReflectValue = &own, c.schema, reflect.ValueOf(&own).Elem()
	if h, ok := any(&own).(interface{ BeforeSave(tx *gorm.DB) error }); ok && c.schema.BeforeSave {
		if err := h.BeforeSave(tx); err != nil {
			return nil, fmt.Errorf("BeforeSave: %w", err)
		}
	}
	if h, ok := any(&own).(interface{ BeforeUpdate(tx *gorm.DB) error }); ok && c.schema.BeforeUpdate {
		if err := h.BeforeUpdate(tx); err != nil {
			return nil, fmt.Errorf("BeforeUpdate: %w", err)
		}
	}
	return &own, nil
}

// differs reports whether a column of two rows holds different things, as far as a database may tell.
func differs[S any](f *schema.Field, a, b *S) bool {
	own, other := *a, *b
	has, had := fieldOf(f, &own), fieldOf(f, &other)
	switch {
	case reflect.DeepEqual(has.Interface(), had.Interface()):
		return false
	case has.Kind() == reflect.String:
		return storedAs(has.String()) != storedAs(had.String())
	case has.Kind() == reflect.Bool, has.CanInt(), has.CanUint():
		return true
	}
	x, errX := columnOf(f, a)
	y, errY := columnOf(f, b)
	return errX == nil && errY == nil && !sameStored(x, y)
}

// fieldOf makes what the field is in, so it takes a copy.
func fieldOf[S any](f *schema.Field, row *S) reflect.Value {
	return f.ReflectValueOf(context.Background(), reflect.ValueOf(row))
}

// columnOf is what the database is given for a field.
func columnOf[S any](f *schema.Field, row *S) (driver.Value, error) {
	own := *row
	v, _ := f.ValueOf(context.Background(), reflect.ValueOf(&own))
	if u := reflect.ValueOf(v); u.IsValid() && u.CanUint() {
		return strconv.FormatUint(u.Uint(), 10), nil // may be more than a driver.Value holds
	}
	return driver.DefaultParameterConverter.ConvertValue(v)
}

func shownColumn[S any](f *schema.Field, row *S) string {
	v, err := columnOf(f, row)
	if b, ok := v.([]byte); ok {
		v = string(b)
	}
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%.200q", fmt.Sprint(v))
}

// sameStored reports whether a column may hold two values as the same. Columns round times, down to days, and
// numbers; they drop spaces at the end.
func sameStored(a, b driver.Value) bool {
	x, xIsTime := a.(time.Time)
	y, yIsTime := b.(time.Time)
	if xIsTime && yIsTime {
		day := func(t time.Time) bool { return t.Equal(t.Truncate(24 * time.Hour)) }
		return x.Sub(y).Abs() <= time.Second || (day(x) || day(y)) && x.Sub(y).Abs() < 24*time.Hour
	}
	text, other := storedAs(a), storedAs(b)
	if text == other {
		return a == nil == (b == nil)
	}
	n, errN := strconv.ParseFloat(text, 64)
	m, errM := strconv.ParseFloat(other, 64)
	if errN != nil || errM != nil {
		return false
	}
	_, isInt := a.(int64)
	return !isInt && math.Abs(n-m) <= 1e-6*math.Max(math.Abs(n), math.Abs(m))
}

func storedAs(v driver.Value) string {
	switch v := v.(type) {
	case nil:
		return ""
	case []byte:
		return strings.TrimRight(string(v), " ")
	case string:
		return strings.TrimRight(v, " ")
	}
	return fmt.Sprint(v)
}
