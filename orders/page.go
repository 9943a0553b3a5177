package orders

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine/strictjson"
)

// Page is one part of a list, newest first.
type Page[T any] struct {
	Data       []T    `json:"data"`
	NextCursor string `json:"next_cursor,omitempty"` // "" at the end
}

// OrderPage is a page of orders.
type OrderPage = Page[Order]

// PaymentPage is a page of payments.
type PaymentPage = Page[Payment]

// FactPage is a page of facts.
type FactPage = Page[Fact]

// Bounds of a page.
const (
	limitDefault = 50
	limitMax     = 200
	cursorMax    = 512 // bytes
)

// The years that a database can compare with: MySQL's DATETIME knows these and the one after.
const (
	yearMin = 1000
	yearMax = 9998
)

// checkTime refuses a time that a database could not compare with.
func checkTime(field string, t time.Time) error {
	if year := t.UTC().Year(); year < yearMin || year > yearMax {
		return bad(field, "want a time of the years %d to %d", yearMin, yearMax)
	}
	return nil
}

// anchor is a row's place in a list: its age, then its id.
type anchor struct {
	At time.Time
	ID string
}

// listed is a row that has a place in a list.
type listed interface{ anchor() anchor }

func (o Order) anchor() anchor   { return anchor{o.CreatedAt, o.ID} }
func (p Payment) anchor() anchor { return anchor{p.CreatedAt, p.ID} }
func (f Fact) anchor() anchor    { return anchor{f.CreatedAt, f.ID} }

// cursor is an anchor as callers see it, bound to the filter it was made under.
type cursor struct {
	At     int64  `json:"a"` // Unix microseconds
	ID     string `json:"i"`
	Filter string `json:"f"`
}

// fingerprint tells filters apart. filter must not hold cursor and limit.
func fingerprint(filter any) string {
	text, _ := json.Marshal(filter) // strings and times
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

func (a anchor) cursor(filter any) string {
	text, _ := json.Marshal(cursor{At: a.At.UnixMicro(), ID: a.ID, Filter: fingerprint(filter)})
	return base64.RawURLEncoding.EncodeToString(text)
}

// ourID is what an id may look like: visible ASCII, as the columns have it.
var ourID = regexp.MustCompile(`^[!-~]{1,190}$`)

// parseCursor reads a cursor; "" is the beginning and has no anchor.
func parseCursor(text string, filter any) (*anchor, error) {
	if text == "" {
		return nil, nil
	}
	if len(text) > cursorMax {
		return nil, bad("cursor", "too long")
	}
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(text)
	var c cursor
	if err == nil {
		err = strictjson.Decode(decoded, &c)
	}
	if err != nil {
		return nil, bad("cursor", "not one of ours")
	}
	if c.Filter != fingerprint(filter) {
		return nil, bad("cursor", "made for another filter")
	}
	a := &anchor{At: time.UnixMicro(c.At).UTC(), ID: c.ID}
	if checkTime("cursor", a.At) != nil || !ourID.MatchString(a.ID) {
		return nil, bad("cursor", "not one of ours")
	}
	return a, nil
}

// limited is how many rows a page has.
func limited(n int) (int, error) {
	switch {
	case n == 0:
		return limitDefault, nil
	case n < 1 || n > limitMax:
		return 0, bad("limit", "want 1 to %d", limitMax)
	}
	return n, nil
}

// older restricts a query to what comes after an anchor, in a form that a range of an index answers.
func older(q *gorm.DB, than *anchor) *gorm.DB {
	if than == nil {
		return q
	}
	return q.Where("created_at <= ? AND (created_at < ? OR id < ?)", than.At, than.At, than.ID)
}

// list reads one page of a query.
func list[T listed](q *gorm.DB, limit int, from string, filter any) (Page[T], error) {
	limit, err := limited(limit)
	if err != nil {
		return Page[T]{}, err
	}
	after, err := parseCursor(from, filter)
	if err != nil {
		return Page[T]{}, err
	}
	page := Page[T]{Data: []T{}}
	if err := older(q, after).Order("created_at DESC, id DESC").Limit(limit + 1).Find(&page.Data).Error; err != nil {
		return Page[T]{}, err
	}
	if len(page.Data) > limit {
		page.Data = page.Data[:limit]
		page.NextCursor = page.Data[limit-1].anchor().cursor(filter)
	}
	return page, nil
}
