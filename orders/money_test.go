package orders

import (
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/currency"
	"pgregory.net/rapid"
)

func TestAmountsNeverOverflow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		any64 := rapid.OneOf(rapid.Int64(), rapid.Int64Range(0, 10), rapid.Int64Range(AmountMax-10, AmountMax+10), rapid.Int64Range(0, 1<<27))
		a, b := any64.Draw(t, "a"), any64.Draw(t, "b")
		hold := func(got int64, fits bool, exact *big.Int) {
			most := big.NewInt(AmountMax)
			want := a >= 0 && b >= 0 && a <= AmountMax && b <= AmountMax && exact.Cmp(most) <= 0
			require.Equal(t, want, fits)
			if fits {
				require.Equal(t, exact.Int64(), got)
			}
		}
		sum, fits := addAmounts(a, b)
		hold(sum, fits, new(big.Int).Add(big.NewInt(a), big.NewInt(b)))
		product, fits := mulAmount(a, b)
		hold(product, fits, new(big.Int).Mul(big.NewInt(a), big.NewInt(b)))
	})
}

func TestFormatMoney(t *testing.T) {
	for _, c := range []struct {
		amount   int64
		currency string
		want     string
	}{
		{1999, "EUR", "19.99 EUR"}, {5, "EUR", "0.05 EUR"}, {0, "EUR", "0.00 EUR"}, {-5, "EUR", "-0.05 EUR"}, {-1999, "EUR", "-19.99 EUR"},
		{500, "JPY", "500 JPY"}, {0, "JPY", "0 JPY"}, {1, "KWD", "0.001 KWD"}, {12345, "CLF", "1.2345 CLF"},
		{AmountMax, "USD", "90071992547409.91 USD"}, {-1 << 63, "EUR", "-92233720368547758.08 EUR"},
		{7, "ZZZ", "7 minor units of ZZZ"},
	} {
		require.Equal(t, c.want, FormatMoney(c.amount, c.currency))
	}
}

func known(code string) bool {
	_, known := Exponent(code)
	return known
}

func TestCurrencies(t *testing.T) {
	require.Len(t, exponents, 165)
	// golang.org/x/text knows what was in use when its data were made.
	younger := strings.Fields("MRU SLE UYW VED VES XAD XCG ZWG")
	for code := range exponents {
		require.Len(t, code, 3)
		_, err := currency.ParseISO(code)
		require.Equal(t, slices.Contains(younger, code), err != nil, code)
	}
	gone := strings.Fields("ANG BGN CUC HRK MRO SLL VEF")
	for tender := currency.Query(); tender.Next(); {
		code := tender.Unit().String()
		require.Equal(t, slices.Contains(gone, code), !known(code), code)
	}
	for code, want := range map[string]int{"EUR": 2, "JPY": 0, "KRW": 0, "BHD": 3, "CLF": 4, "ISK": 0, "UGX": 0, "MGA": 2, "CLP": 0} {
		digits, known := Exponent(code)
		require.True(t, known)
		require.Equal(t, want, digits, code)
	}
	for _, code := range []string{"", "eur", "EURO", "ZZZ", "XXX", "XTS", "XAU", "DEM", "HRK", "EUR "} {
		_, known := Exponent(code)
		require.False(t, known, code)
	}
}
