package seal_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"example.com/orderd/engine/internal/seal"
)

var at = time.Date(2026, 11, 25, 8, 30, 0, 123456000, time.UTC)

// Seals are stored: should one of these ever differ, every database would look damaged.
func TestSealsStayWhatTheyWere(t *testing.T) {
	tr := seal.Transition{
		Machine: "order", Subject: "ord_1", Version: 2, Event: "pay", From: "placed", To: "paid", Source: "principal:x", Seq: "1",
		Fingerprint: []byte{1, 2}, Nonce: 7, Actor: "ada", Reason: "why", Input: []byte(`{"amount":1}`), Messages: 1,
		MachineVersion: "abc", At: at, Found: []byte{3}, Row: []byte{4},
	}
	m := seal.Message{Machine: "order", Subject: "ord_1", Version: 2, Ordinal: 1, Type: "order.paid", Data: []byte(`{}`), CreatedAt: at}
	a := seal.Attempt{
		ID: []byte{1}, Machine: "order", Subject: "ord_1", Event: "pay", Source: "call", Fingerprint: []byte{1, 2}, Actor: "ada",
		Outcome: "stale", Detail: "passed", State: "paid", Version: 2, Proof: 2, FirstAt: at,
	}
	assert.Equal(t, "8e3de73aa6b2f675a1cc91a5395bd36c", fmt.Sprintf("%x", tr.Sum()))
	assert.Equal(t, "cbb1800457b32794dc6acd21267a8969", fmt.Sprintf("%x", m.Sum()))
	assert.Equal(t, "c86ac1b013bb8fddace46f897d635b53", fmt.Sprintf("%x", a.Sum()))
}

// What is the same to a database has the same seal, and nothing else has.
func TestASealTellsValuesApart(t *testing.T) {
	of := func(f func(s *seal.Sealer)) seal.Sum {
		s := seal.New()
		f(s)
		return s.Sum()
	}
	different := map[seal.Sum]string{}
	for name, f := range map[string]func(s *seal.Sealer){
		"nothing":       func(*seal.Sealer) {},
		"null":          func(s *seal.Sealer) { s.Null() },
		"empty":         func(s *seal.Sealer) { s.Text("") },
		"zero":          func(s *seal.Sealer) { s.Int(0) },
		"zero as float": func(s *seal.Sealer) { s.Bits(0) },
		"epoch":         func(s *seal.Sealer) { s.Time(time.UnixMicro(0)) },
		"ab, c":         func(s *seal.Sealer) { s.Text("ab"); s.Text("c") },
		"a, bc":         func(s *seal.Sealer) { s.Text("a"); s.Text("bc") },
		"abc":           func(s *seal.Sealer) { s.Text("abc") },
		"a microsecond": func(s *seal.Sealer) { s.Time(time.UnixMicro(1)) },
	} {
		sum := of(f)
		assert.Empty(t, different[sum], name)
		different[sum] = name
	}
	elsewhere := time.FixedZone("elsewhere", 3*3600)
	same := of(func(s *seal.Sealer) { s.Time(at.In(elsewhere).Add(999)) })
	assert.Equal(t, of(func(s *seal.Sealer) { s.Time(at) }), same, "zone and nanoseconds are not stored")
	assert.Equal(t, of(func(s *seal.Sealer) { s.Text("x") }), of(func(s *seal.Sealer) { s.Bytes([]byte("x")) }))
	assert.Equal(t, of(func(s *seal.Sealer) { s.Null() }), of(func(s *seal.Sealer) { s.Maybe(nil) }))
	assert.Equal(t, of(func(s *seal.Sealer) { s.Text("") }), of(func(s *seal.Sealer) { s.Maybe([]byte{}) }))
}

func BenchmarkTransition(b *testing.B) {
	tr := seal.Transition{
		Machine: "order", Subject: "ord_01JQZX3V9N8K7M6P5R4T3W2Y1A", Version: 2, Event: "pay", From: "placed", To: "paid",
		Source: "principal:checkout", Seq: "01JQZX3V9N8K7M6P5R4T3W2Y1A", Fingerprint: make([]byte, 32), Actor: "checkout",
		Input: []byte(`{"amount":2599,"currency":"EUR"}`), Messages: 1, MachineVersion: "0123456789abcdef0123456789abcdef",
		At: at, Found: make([]byte, 16), Row: make([]byte, 16),
	}
	b.ReportAllocs()
	for b.Loop() {
		tr.Sum()
	}
}
