package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestCheckRefusesWhatTwoReadersCouldReadDifferently(t *testing.T) {
	for name, c := range map[string]struct{ data, problem string }{
		"empty":                  {``, "unexpected end"},
		"blank":                  {`  `, "unexpected end"},
		"cut off":                {`{"a":`, "unexpected end"},
		"cut off in a string":    {`{"a`, "unexpected end"},
		"cut off in an escape":   {`"\`, "in string escape code"},
		"trailing value":         {`{} {}`, "after top-level value"},
		"trailing bracket":       {`{}}`, "after top-level value"},
		"comment":                {`{} // x`, "after top-level value"},
		"byte order mark":        {"\ufeff{}", "looking for beginning of value"},
		"NaN":                    {`NaN`, "looking for beginning of value"},
		"duplicate":              {`{"a":1,"a":2}`, `name "a" twice`},
		"duplicate, deep":        {`[{"x":{"b":[{"a":1,"c":2,"a":2}]}}]`, `name "a" twice`},
		"duplicate by escape":    {`{"a":1,"\u0061":2}`, `name "a" twice`},
		"duplicate empty":        {`{"":1,"":2}`, `name "" twice`},
		"duplicate among many":   {manyNames(40, "n3"), `name "n3" twice`},
		"invalid UTF-8":          {"{\"a\":\"\xff\"}", "invalid UTF-8"},
		"overlong UTF-8":         {"\"\xc0\xaf\"", "invalid UTF-8"},
		"high surrogate alone":   {`"\ud800"`, "half of a surrogate pair"},
		"high surrogate twice":   {`"\ud800\ud800"`, "half of a surrogate pair"},
		"low surrogate alone":    {`"x\udc00"`, "half of a surrogate pair"},
		"surrogate in a name":    {`{"\udfff":1}`, "half of a surrogate pair"},
		"too deep":               {nested(65), "deeper than 64"},
		"a bomb":                 {strings.Repeat("[", 1_000_000), "deeper than 64"},
		"control char in string": {"\"\x01\"", "invalid character"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Check([]byte(c.data), Limits{})
			require.ErrorIs(t, err, ErrNotStrict)
			require.ErrorContains(t, err, c.problem)
		})
	}
}

func TestCheckTakesOrdinaryJSON(t *testing.T) {
	for _, data := range []string{
		`null`, ` 1 `, `"é\ud83d\ude00\\\""`, `{"a":{"a":{"a":1}},"A":[{"a":1},{"a":1}]}`,
		`{"a":"a","b":["a","a"],"c":"b"}`, nested(64), manyNames(1000, ""),
	} {
		require.NoError(t, Check([]byte(data), Limits{}), data)
	}
}

func TestLimits(t *testing.T) {
	require.ErrorContains(t, Check([]byte(`[[1]]`), Limits{Depth: 1}), "deeper than 1")
	require.NoError(t, Check([]byte(`[1]`), Limits{Depth: 1}))
	require.ErrorContains(t, Check([]byte(`[1]`), Limits{Bytes: 2}), "at most 2")
}

func TestDecodeWantsExactNames(t *testing.T) {
	type line struct {
		SKU string `json:"sku"`
	}
	type base struct {
		Shared int `json:"shared"`
	}
	type order struct {
		base
		Amount int64           `json:"amount"`
		Lines  []line          `json:"lines"`
		ByName map[string]line `json:"by_name"`
		Free   map[string]int  `json:"free"`
		Raw    json.RawMessage `json:"raw"`
		Hidden string          `json:"-"`
		Plain  *line
	}
	var o order
	require.NoError(t, Decode([]byte(`{"shared":1,"amount":9007199254740993,"lines":[{"sku":"a"}],
		"by_name":{"X":{"sku":"b"}},"free":{"C":1,"c":2},"raw":{"Any":1},"Plain":{"sku":"c"}}`), &o))
	require.Equal(t, int64(9007199254740993), o.Amount)
	require.Equal(t, map[string]int{"C": 1, "c": 2}, o.Free)

	for data, problem := range map[string]string{
		`{"Amount":1}`:                   `unknown field "Amount"`,
		`{"amount":1,"AMOUNT":2}`:        `unknown field "AMOUNT"`,
		`{"lines":[{"SKU":"a"}]}`:        `unknown field "SKU"`,
		`{"by_name":{"x":{"Sku":""}}}`:   `unknown field "Sku"`,
		`{"Plain":{"Sku":""}}`:           `unknown field "Sku"`,
		`{"amont":1}`:                    `unknown field "amont"`,
		`{"Hidden":"x"}`:                 `unknown field "Hidden"`,
		`{"amount":1.5}`:                 `amount: want int64`,
		`{"amount":1e400}`:               `amount: want int64`,
		`{"amount":9223372036854775808}`: `amount: want int64`,
		`{"amount":"1"}`:                 `amount: want int64`,
		`[]`:                             `want strictjson.order`,
		`{"amount":1}{}`:                 `after top-level value`,
	} {
		err := Decode([]byte(data), &order{})
		require.ErrorIs(t, err, ErrNotStrict, data)
		require.ErrorContains(t, err, problem, data)
	}
}

func TestALongObjectIsCheckedInLinearTime(t *testing.T) {
	data := []byte(manyNames(200_000, ""))
	require.NoError(t, Check(data, Limits{}))
}

// FuzzCheck holds Check against a reading of the same text by encoding/json's tokens.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{
		`{"a":1,"a":2}`, `{"a":[{"b":null}],"c":"\u0061"}`, `"\ud800"`, `[1,2]]`, "\xff", `{"\u0061":1,"a":2}`,
		nested(65), `{"a":"\"},{\"a\":"}`, `1e400`, `-0`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		err := Check(data, Limits{Depth: 8})
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Problem == "" || e.Offset > len(data) {
				t.Fatalf("%q: bad error %#v", data, err)
			}
		}
		if bytes.Contains(data, []byte(`\u`)) {
			return // the reference below replaces half surrogates where Check refuses them
		}
		if want := reference(data, 8); (want == nil) != (err == nil) {
			t.Fatalf("%q: reference says %v, Check says %v", data, want, err)
		}
	})
}

// reference is the slow way to the same answer.
func reference(data []byte, depthMax int) error {
	if !utf8.Valid(data) || !json.Valid(data) {
		return errors.New("malformed")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	type frame struct {
		names map[string]bool // nil in an array
		value bool            // the next token of an object is a value
	}
	var open []frame
	for {
		token, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		top := len(open) - 1
		if name, ok := token.(string); ok && top >= 0 && open[top].names != nil && !open[top].value {
			if open[top].names[name] {
				return fmt.Errorf("duplicate %q", name)
			}
			open[top].names[name], open[top].value = true, true
			continue
		}
		if top >= 0 {
			open[top].value = false
		}
		switch token {
		case json.Delim('{'):
			open = append(open, frame{names: map[string]bool{}})
		case json.Delim('['):
			open = append(open, frame{})
		case json.Delim('}'), json.Delim(']'):
			open = open[:top]
		}
		if len(open) > depthMax {
			return errors.New("too deep")
		}
	}
}

func nested(depth int) string {
	return strings.Repeat(`[`, depth) + strings.Repeat(`]`, depth)
}

// manyNames is an object of n names n0, n1, …, and once more the given one.
func manyNames(n int, again string) string {
	var b strings.Builder
	b.WriteString("{")
	for i := range n {
		fmt.Fprintf(&b, `"n%d":0,`, i)
	}
	if again == "" {
		again = "last"
	}
	fmt.Fprintf(&b, "%q:0}", again)
	return b.String()
}
