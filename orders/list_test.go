package orders_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/orderd/engine"
	"example.com/orderd/orders"
	"example.com/orderd/orders/provider"
)

func TestOrdersAreListedPageByPage(t *testing.T) {
	each(t, func(r *rig) {
		var want []string
		for i := range 11 {
			want = append([]string{r.place(2500).ID}, want...)
			if i%3 == 0 { // several of one age
				r.clock.Advance(time.Millisecond)
			}
		}
		for limit := 1; limit <= 12; limit++ {
			var got []string
			f := orders.OrderFilter{Limit: limit, CreatedAfter: r.clock.Now().Add(-time.Hour)}
			for {
				page, err := r.Orders(r.Context(), f)
				require.NoError(r, err)
				require.LessOrEqual(r, len(page.Data), limit)
				require.Less(r, len(got), 2*len(want), "it goes round")
				for _, o := range page.Data {
					got = append(got, o.ID)
				}
				if f.Cursor = page.NextCursor; f.Cursor == "" {
					break
				}
			}
			require.Equal(r, want, got, limit)
		}
	})
}

func TestOrderFilters(t *testing.T) {
	each(t, func(r *rig) {
		var ids []string
		for i := range 4 {
			n := oneItem(100)
			n.CustomerRef = fmt.Sprintf("c%%_%d", i/2)
			n.Items[0].SKU = fmt.Sprintf("SHOE-%d%%", i)
			o, _, err := r.Place(r.Context(), by, r.key(), n)
			require.NoError(r, err)
			ids = append(ids, o.ID)
			r.clock.Advance(time.Second)
		}
		r.event(ids[0], orders.EventCancel)
		find := func(f orders.OrderFilter) (found []int) {
			page, err := r.Orders(r.Context(), f)
			require.NoError(r, err)
			require.Empty(r, page.NextCursor)
			for _, o := range page.Data {
				for i := range ids {
					if ids[i] == o.ID {
						found = append(found, i)
					}
				}
			}
			return found
		}
		require.Equal(r, []int{3, 2, 1}, find(orders.OrderFilter{State: []engine.State{"placed"}}))
		require.Equal(r, []int{3, 2, 1, 0}, find(orders.OrderFilter{State: []engine.State{"placed", "cancelled"}}))
		require.Equal(r, []int{1, 0}, find(orders.OrderFilter{CustomerRef: "c%_0"}))
		require.Equal(r, []int{3}, find(orders.OrderFilter{CreatedAfter: r.clock.Now().Add(-2 * time.Second)}))
		require.Equal(r, []int{2}, find(orders.OrderFilter{Query: ids[2]}))
		require.Equal(r, []int{3, 2, 1, 0}, find(orders.OrderFilter{Query: ids[2][:8]}))
		require.Equal(r, []int{2}, find(orders.OrderFilter{Query: "OE-2"}))
		require.Equal(r, []int{3, 2}, find(orders.OrderFilter{Query: "%_1"}))
		require.Equal(r, []int{1}, find(orders.OrderFilter{Query: "SHOE", CustomerRef: "c%_0", State: []engine.State{"placed"}}))
		require.Empty(r, find(orders.OrderFilter{Query: "S_OE"}))
		require.Empty(r, find(orders.OrderFilter{Query: "ord_%"}))
		require.Empty(r, find(orders.OrderFilter{Query: "' OR 1=1 --"}))
	})
}

// A page of a search looks at so many orders and no more, and the next one goes on from there.
func TestASearchIsBounded(t *testing.T) {
	each(t, func(r *rig) {
		r.SetSearchMax(3)
		var want []string
		for i := range 10 {
			n := oneItem(100)
			n.CustomerRef = fmt.Sprint("c-", i%5)
			o, _, err := r.Place(r.Context(), by, r.key(), n)
			require.NoError(r, err)
			if i%5 == 0 {
				want = append([]string{o.ID}, want...)
			}
		}
		f := orders.OrderFilter{Query: "c-0"}
		var got []string
		pages := 0
		for ; pages == 0 || f.Cursor != ""; pages++ {
			require.Less(r, pages, 10)
			page, err := r.Orders(r.Context(), f)
			require.NoError(r, err)
			for _, o := range page.Data {
				got = append(got, o.ID)
			}
			f.Cursor = page.NextCursor
		}
		require.Equal(r, want, got)
		require.Equal(r, 4, pages)
	})
}

func TestWrongFiltersAreNamed(t *testing.T) {
	r := onSQLite(t)
	for range 3 {
		r.place(100)
	}
	page, err := r.Orders(r.Context(), orders.OrderFilter{Limit: 1})
	require.NoError(t, err)
	cursor := page.NextCursor
	for _, c := range []struct {
		field string
		f     orders.OrderFilter
	}{
		{"limit", orders.OrderFilter{Limit: -1}}, {"limit", orders.OrderFilter{Limit: 201}},
		{"state", orders.OrderFilter{State: []engine.State{"nonsense"}}}, {"state", orders.OrderFilter{State: make([]engine.State, 13)}},
		{"q", orders.OrderFilter{Query: strings.Repeat("q", 191)}}, {"q", orders.OrderFilter{Query: "\xff"}},
		{"customer_ref", orders.OrderFilter{CustomerRef: "a\x00"}},
		{"cursor", orders.OrderFilter{Cursor: "nonsense"}}, {"cursor", orders.OrderFilter{Cursor: "\x00"}}, {"cursor", orders.OrderFilter{Cursor: "eyJ4IjoxfQ"}},
		{"cursor", orders.OrderFilter{Cursor: strings.Repeat("A", 4000)}}, {"cursor", orders.OrderFilter{Cursor: cursor + "A"}},
		{"cursor", orders.OrderFilter{Cursor: cursor, CustomerRef: "c"}}, {"cursor", orders.OrderFilter{Cursor: cursor, State: []engine.State{"paid"}}},
		{"cursor", orders.OrderFilter{Cursor: cursor, Query: "x"}},
		{"cursor", orders.OrderFilter{Cursor: forged(t, cursor, 0, math.MaxInt64)}}, {"cursor", orders.OrderFilter{Cursor: forged(t, cursor, 0, math.MinInt64)}},
		{"cursor", orders.OrderFilter{Cursor: forged(t, cursor, 1, "ord_\u00e9")}}, {"cursor", orders.OrderFilter{Cursor: forged(t, cursor, 1, "")}},
		{"created_after", orders.OrderFilter{CreatedAfter: time.Date(0, 12, 31, 0, 0, 0, 0, time.UTC)}},
		{"created_after", orders.OrderFilter{CreatedAfter: time.Date(999, 12, 31, 23, 59, 59, 0, time.UTC)}},
		{"created_after", orders.OrderFilter{CreatedAfter: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}},
		{"created_after", orders.OrderFilter{CreatedAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -10*3600))}},
	} {
		_, err := r.Orders(r.Context(), c.f)
		var wrong *engine.RequestError
		require.True(t, errors.As(err, &wrong), "%+v: %v", c.f, err)
		require.Equal(t, c.field, wrong.Field)
	}
	_, err = r.Orders(r.Context(), orders.OrderFilter{Cursor: cursor, Limit: 2})
	require.NoError(t, err, "the limit may change")
	for _, year := range []int{1000, 9998} { // the first and the last that databases compare with
		_, err = r.Orders(r.Context(), orders.OrderFilter{CreatedAfter: time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC)})
		require.NoError(t, err, year)
	}
	_, err = r.Payments(r.Context(), orders.PaymentFilter{State: []engine.State{"paid"}})
	require.ErrorIs(t, err, engine.ErrBadRequest)
	_, err = r.Payments(r.Context(), orders.PaymentFilter{Cursor: cursor})
	require.ErrorIs(t, err, engine.ErrBadRequest)
	_, err = r.MoneyDesk(r.Context(), orders.DeskFilter{Reason: "nonsense"})
	require.ErrorIs(t, err, engine.ErrBadRequest)
}

// forged is a cursor of ours with one of its columns changed.
func forged(t *testing.T, cursor string, column int, value any) string {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	require.NoError(t, err)
	var fields struct {
		Key    []any  `json:"k"`
		Filter string `json:"f"`
	}
	require.NoError(t, json.Unmarshal(text, &fields))
	fields.Key[column] = value
	text, err = json.Marshal(map[string]any{"k": fields.Key, "f": fields.Filter})
	require.NoError(t, err)
	return base64.RawURLEncoding.EncodeToString(text)
}

func TestPaymentsAndDeskAreListed(t *testing.T) {
	each(t, func(r *rig) {
		a, b := r.place(2500), r.place(2500)
		p, q := r.start(a.ID, 1000), r.start(a.ID, 0)
		r.start(b.ID, 0)
		r.accept(captured("tx-1", p))
		short := captured("tx-2", q)
		short.Amount = 1
		r.accept(short)
		short.Provider, short.Kind = "fake", provider.Refunded
		r.accept(short)
		count := func(f orders.PaymentFilter) int {
			page, err := r.Payments(r.Context(), f)
			require.NoError(r, err)
			return len(page.Data)
		}
		require.Equal(r, 3, count(orders.PaymentFilter{}))
		require.Equal(r, 2, count(orders.PaymentFilter{OrderID: a.ID, Provider: "standard"}))
		require.Equal(r, 1, count(orders.PaymentFilter{State: []engine.State{orders.PaymentCaptured}}))
		require.Zero(r, count(orders.PaymentFilter{Provider: "fake"}))
		desk := func(f orders.DeskFilter) int {
			page, err := r.MoneyDesk(r.Context(), f)
			require.NoError(r, err)
			return len(page.Data)
		}
		require.Equal(r, 2, desk(orders.DeskFilter{}))
		require.Equal(r, 1, desk(orders.DeskFilter{Reason: orders.DeskShort, OrderID: a.ID}))
		require.Equal(r, 1, desk(orders.DeskFilter{Provider: "fake"}))
		page, err := r.MoneyDesk(r.Context(), orders.DeskFilter{Limit: 1})
		require.NoError(r, err)
		page, err = r.MoneyDesk(r.Context(), orders.DeskFilter{Limit: 1, Cursor: page.NextCursor})
		require.NoError(r, err)
		require.Len(r, page.Data, 1)
		require.Empty(r, page.NextCursor)

		empty, err := r.Orders(r.Context(), orders.OrderFilter{CustomerRef: "nobody"})
		require.NoError(r, err)
		text, err := json.Marshal(empty)
		require.NoError(r, err)
		require.JSONEq(r, `{"data":[]}`, string(text))
	})
}
