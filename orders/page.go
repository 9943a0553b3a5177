package orders

import (
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine/keyset"
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

// checkTime refuses a time that a database could not compare with.
func checkTime(field string, t time.Time) error {
	if year := t.UTC().Year(); year < keyset.YearMin || year > keyset.YearMax {
		return bad(field, "want a time of the years %d to %d", keyset.YearMin, keyset.YearMax)
	}
	return nil
}

// newest is the order of every list: by age, then by id.
var newest = keyset.List{keyset.Time("created_at"), keyset.ID("id", 190)}

// listed is a row that has a place in a list.
type listed interface{ place() []any }

func (o Order) place() []any   { return []any{o.CreatedAt, o.ID} }
func (p Payment) place() []any { return []any{p.CreatedAt, p.ID} }
func (f Fact) place() []any    { return []any{f.CreatedAt, f.ID} }

// list reads one page of a query.
func list[T listed](q *gorm.DB, part keyset.Part) (Page[T], error) {
	page := Page[T]{Data: []T{}}
	if err := q.Where(part.Where, part.Args...).Order(part.Order).Limit(part.Limit + 1).Find(&page.Data).Error; err != nil {
		return Page[T]{}, err
	}
	page.Data, page.NextCursor = keyset.Cut(part, page.Data, T.place)
	return page, nil
}
