package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Nothing that is malformed may move anything, and none of it may be a fault of the daemon.
func TestBadOrders(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		item := `{"sku":"a","name":"b","quantity":1,"unit_price":100}`
		order := func(items string) string { return `{"currency":"EUR","items":[` + items + `]}` }
		for name, body := range map[string]string{
			"no body":              ``,
			"not JSON":             `{`,
			"an array":             `[]`,
			"null":                 `null`,
			"trailing data":        order(item) + `{}`,
			"a bomb":               strings.Repeat("[", 100_000),
			"too deep":             `{"currency":"EUR","items":[` + item + `],"metadata":` + strings.Repeat(`{"a":`, 70) + `1` + strings.Repeat(`}`, 70) + `}`,
			"unknown field":        `{"currency":"EUR","items":[` + item + `],"status":"paid"}`,
			"known column":         `{"currency":"EUR","items":[` + item + `],"version":9}`,
			"field in other case":  `{"Currency":"EUR","items":[` + item + `]}`,
			"duplicate field":      `{"currency":"EUR","currency":"USD","items":[` + item + `]}`,
			"duplicate, deep":      order(`{"sku":"a","name":"b","quantity":1,"quantity":2,"unit_price":100}`),
			"duplicate by escape":  `{"currency":"EUR","c\u0075rrency":"EUR","items":[` + item + `]}`,
			"invalid UTF-8":        order(`{"sku":"a","name":"` + "\xff" + `","quantity":1,"unit_price":100}`),
			"half a surrogate":     order(`{"sku":"a","name":"\ud800","quantity":1,"unit_price":100}`),
			"no items":             order(``),
			"items null":           `{"currency":"EUR","items":null}`,
			"missing quantity":     order(`{"sku":"a","name":"b","unit_price":100}`),
			"zero quantity":        order(`{"sku":"a","name":"b","quantity":0,"unit_price":100}`),
			"negative quantity":    order(`{"sku":"a","name":"b","quantity":-1,"unit_price":100}`),
			"negative price":       order(`{"sku":"a","name":"b","quantity":1,"unit_price":-1}`),
			"fraction":             order(`{"sku":"a","name":"b","quantity":1,"unit_price":1.5}`),
			"price in words":       order(`{"sku":"a","name":"b","quantity":1,"unit_price":"100"}`),
			"exponent":             order(`{"sku":"a","name":"b","quantity":1,"unit_price":1e400}`),
			"price beyond int64":   order(`{"sku":"a","name":"b","quantity":1,"unit_price":9223372036854775808}`),
			"product overflows":    order(`{"sku":"a","name":"b","quantity":1000000,"unit_price":9007199254740991}`),
			"sum overflows":        order(strings.Repeat(`{"sku":"a","name":"b","quantity":1,"unit_price":9007199254740991},`, 3) + item),
			"zero total":           order(`{"sku":"a","name":"b","quantity":1,"unit_price":0}`),
			"unknown currency":     `{"currency":"ZZZ","items":[` + item + `]}`,
			"currency in words":    `{"currency":"euro","items":[` + item + `]}`,
			"small currency":       `{"currency":"eur","items":[` + item + `]}`,
			"empty sku":            order(`{"sku":"","name":"b","quantity":1,"unit_price":100}`),
			"long name":            order(`{"sku":"a","name":"` + strings.Repeat("n", 10_000) + `","quantity":1,"unit_price":100}`),
			"thousands of items":   order(strings.Repeat(item+",", 3000) + item),
			"long customer_ref":    `{"currency":"EUR","items":[` + item + `],"customer_ref":"` + strings.Repeat("c", 5000) + `"}`,
			"metadata not a map":   `{"currency":"EUR","items":[` + item + `],"metadata":7}`,
			"customer_ref a digit": `{"currency":"EUR","items":[` + item + `],"customer_ref":7}`,
		} {
			a := s.do("POST", "/v1/orders", body, "Idempotency-Key", unique())
			require.Equal(t, 400, a.status, "%s: %s", name, a)
			refused(t, a, 400, "bad_request", "")
			require.Less(t, len(a.text), 4000, "%s: the answer repeats the request", name)
		}
		refused(t, s.do("POST", "/v1/orders", `{"a":"`+strings.Repeat("x", 300<<10)+`"}`, "Idempotency-Key", "k"), 413, "too_large", "")
		require.Empty(t, s.do("GET", "/v1/orders", "").list("data"))

		// A price of zero is legal beside others.
		free := s.do("POST", "/v1/orders", order(item+`,{"sku":"gift","name":"g","quantity":1,"unit_price":0}`), "Idempotency-Key", "k")
		require.Equal(t, 201, free.status, free)
	})
}

func TestBadHeaders(t *testing.T) {
	s := onSQLite(t)
	for _, headers := range [][]string{
		{}, {"Idempotency-Key", ""}, {"Idempotency-Key", strings.Repeat("k", 256)}, {"Idempotency-Key", "a b"},
		{"Idempotency-Key", "caf\xc3\xa9"}, {"Idempotency-Key", "a", "Idempotency-Key", "a"}, {"Idempotency-Key", `"a`, "Idempotency-Key", `b"`},
		{"Idempotency-Key", "tab\tbed"},
	} {
		refused(t, s.do("POST", "/v1/orders", twoBooks, headers...), 400, "bad_request", "")
	}
	long := s.do("POST", "/v1/orders", twoBooks, "Idempotency-Key", strings.Repeat("k", 255))
	require.Equal(t, 201, long.status, long)

	id := long.str("id")
	for _, value := range []string{"1", `W/"1"`, "*", `"0"`, `"-1"`, `"x"`, `"1", "2"`, `"99999999999999999999"`, "null", ""} {
		if value == "" {
			continue // an empty header is a missing one to net/http's client
		}
		refused(t, s.event(id, "cancel", "If-Match", value), 400, "bad_request", "")
	}
	refused(t, s.event(id, "cancel", "If-Match", `"1"`, "If-Match", `"1"`), 400, "bad_request", "")
	require.Equal(t, "placed", s.do("GET", "/v1/orders/"+id, "").str("state"))
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge,
		s.do("GET", "/v1/orders", "", "X-Long", strings.Repeat("x", 1<<20)).status)
	require.Equal(t, 200, s.do("GET", "/v1/orders/"+id, "", "Content-Type", "text/nonsense; x=+").status)
	refused(t, s.do("POST", "/v1/orders", twoBooks, "Idempotency-Key", "k", "Content-Type", "text/plain"), 400, "bad_request", "")
}

func TestBadQueries(t *testing.T) {
	each(t, badQueries)
}

func badQueries(t *testing.T, s *server) {
	id := s.place()
	for _, query := range []string{
		"created_after=0000-12-31T23:59:59Z", "created_after=9999-12-31T23:59:59-10:00",
		"cursor=nonsense", "cursor=%00", "cursor=" + strings.Repeat("A", 4000), "cursor=eyJ4IjoxfQ", "limit=0", "limit=-1", "limit=201",
		"limit=many", "limit=99999999999999999999", "created_after=yesterday", "state=nonsense", "status=placed", "limit=1&limit=2", "q=%zz", "q=%ff",
		"q=" + strings.Repeat("q", 5000),
	} {
		refused(t, s.do("GET", "/v1/orders?"+query, ""), 400, "bad_request", "")
	}
	for _, path := range []string{"/v1/orders?q=ord_%C3%A9", "/v1/orders?customer_ref=%C3%A9", "/v1/payments?order_id=%C3%A9", "/v1/payments?provider=%C3%A9",
		"/v1/money-desk?order_id=%C3%A9", "/v1/money-desk?provider=%C3%A9"} {
		require.Equal(t, 200, s.do("GET", path, "").status, path)
	}
	for _, query := range []string{"dry_run=perhaps", "dry_run=true&dry_run=false", "dryrun=true"} {
		refused(t, s.do("POST", "/v1/orders/"+id+"/transitions?"+query, `{"event":"cancel"}`), 400, "bad_request", "")
	}
	for _, query := range []string{"include=everything", "cursor=x", "cursor=-1", "cursor=0", "limit=5000"} {
		refused(t, s.do("GET", "/v1/orders/"+id+"/transitions?"+query, ""), 400, "bad_request", "")
	}
	for _, path := range []string{"/v1/payments?cursor=nonsense", "/v1/payments?state=nonsense", "/v1/money-desk?cursor=nonsense", "/v1/money-desk?limit=0"} {
		refused(t, s.do("GET", path, ""), 400, "bad_request", "")
	}
	require.Equal(t, "placed", s.do("GET", "/v1/orders/"+id, "").str("state"))
}

func TestBadTransitions(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		id := s.place()
		path := "/v1/orders/" + id + "/transitions"
		for i, body := range []string{
			``, `{}`, `{"event":""}`, `{"event":null}`, `{"event":7}`, `{"event":"cancel","when":"now"}`, `{"event":"cancel","event":"ship"}`,
			`{"event":"cancel","input":{"a":1}}`, `{"event":"cancel"} x`, `{"event":"` + strings.Repeat("e", 5000) + `"}`,
			`{"event":"cancel","reason":"` + strings.Repeat("r", 5000) + `"}`, `{"event":"cancel","reason":"` + "\xfe" + `"}`,
			`{"event":"pay"}`, `{"event":"pay","input":{}}`, `{"event":"pay","input":{"amount":-1,"currency":"EUR"}}`,
			`{"event":"pay","input":{"amount":0,"currency":"EUR"}}`, `{"event":"pay","input":{"amount":2500,"currency":"ZZZ"}}`,
			`{"event":"pay","input":{"amount":2500,"currency":"EUR","tip":1}}`, `{"event":"pay","input":{"amount":2500,"amount":2500,"currency":"EUR"}}`,
			`{"event":"pay","input":{"Amount":2500,"currency":"EUR"}}`, `{"event":"pay","input":{"amount":2500.0,"currency":"EUR"}}`,
			`{"event":"pay","input":{"amount":1e400,"currency":"EUR"}}`, `{"event":"pay","input":{"amount":99999999999999999999,"currency":"EUR"}}`,
			`{"event":"pay","input":"2500"}`, `{"event":"pay","input":[]}`, strings.Repeat(`{"a":`, 40_000),
		} {
			a := s.do("POST", path, body, "Idempotency-Key", fmt.Sprint("bad-", i))
			require.Equal(t, 400, a.status, "%.200s: %s", body, a)
			refused(t, a, 400, "bad_request", "")
		}
		// Names that no event can have are events that do not exist.
		for _, event := range []string{"nonsense", "CANCEL", "can cel", "cancel;drop table orders", "état", "../cancel", "adopt"} {
			refused(t, s.event(id, event, "Idempotency-Key", unique()), 422, "illegal", "unknown_event")
		}
		for _, id := range []string{"ord_x", "nonsense", "%00", "%27%20OR%201=1", strings.Repeat("x", 5000), "%ff", "..%2f..", "0"} {
			for _, call := range []answer{
				s.do("GET", "/v1/orders/"+id, ""), s.event(id, "cancel"), s.do("GET", "/v1/orders/"+id+"/transitions", ""),
				s.do("GET", "/v1/orders/"+id+"/allowed-events", ""), s.do("GET", "/v1/payments/"+id, ""),
				s.do("POST", "/v1/orders/"+id+"/payments", `{"provider":"standard"}`, "Idempotency-Key", unique()),
			} {
				require.Contains(t, []int{400, 404}, call.status, "%.100s: %s", id, call)
			}
		}
		order := s.do("GET", "/v1/orders/"+id, "")
		require.Equal(t, "placed", order.str("state"))
		require.EqualValues(t, 1, order.body["version"])
		require.Len(t, s.do("GET", path, "").list("data"), 1)
	})
}

func TestBadPayments(t *testing.T) {
	s := onSQLite(t)
	path := "/v1/orders/" + s.place() + "/payments"
	for _, body := range []string{
		``, `{}`, `{"provider":""}`, `{"provider":"stripe"}`, `{"provider":"manual"}`, `{"provider":"fake","amount":0}`,
		`{"provider":"fake","amount":-1}`, `{"provider":"fake","amount":1.5}`, `{"provider":"fake","amount":9223372036854775808}`,
		`{"provider":"fake","currency":"USD"}`, `{"provider":"fake","provider":"fake"}`,
	} {
		a := s.do("POST", path, body, "Idempotency-Key", unique())
		require.Equal(t, 400, a.status, "%s: %s", body, a)
		refused(t, a, 400, "bad_request", "")
	}
	require.Empty(t, s.do("GET", "/v1/payments", "").list("data"))
}

// Who sends too much is told so, also on a connection that ends after the answer: nobody is cut off.
func TestTooMuchIsAnsweredAndNotCutOff(t *testing.T) {
	s := onSQLite(t)
	large := `{"a":"` + strings.Repeat("x", 1<<20) + `"}`
	for range 20 {
		refused(t, s.do("POST", "/v1/orders", large, "Idempotency-Key", "k"), 413, "too_large", "")
		refused(t, s.callback(large), 413, "too_large", "")
	}
}
