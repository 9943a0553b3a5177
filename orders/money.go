package orders

import (
	"math/bits"
	"strconv"
	"strings"
)

// AmountMax is the largest amount of money, in minor units: what every JSON reader can hold exactly.
// A sum of two amounts always fits an int64.
const AmountMax int64 = 1<<53 - 1

// addAmounts is the sum of two amounts; false if it or one of them is no amount.
func addAmounts(a, b int64) (int64, bool) {
	if !isAmount(a) || !isAmount(b) || a > AmountMax-b {
		return 0, false
	}
	return a + b, true
}

// mulAmount is a price times a quantity; false if it or one of them is no amount.
func mulAmount(price, quantity int64) (int64, bool) {
	if !isAmount(price) || !isAmount(quantity) {
		return 0, false
	}
	high, low := bits.Mul64(uint64(price), uint64(quantity))
	if high != 0 || low > uint64(AmountMax) {
		return 0, false
	}
	return int64(low), true
}

func isAmount(n int64) bool { return n >= 0 && n <= AmountMax }

// FormatMoney writes an amount for people: "19.99 EUR", "500 JPY", "-0.005 KWD". Where the currency is
// unknown it says that the number is one of minor units.
func FormatMoney(amount int64, currency string) string {
	digits, known := Exponent(currency)
	if !known {
		return strconv.FormatInt(amount, 10) + " minor units of " + currency
	}
	sign, text := "", strconv.FormatInt(amount, 10)
	if amount < 0 {
		sign, text = "-", text[1:]
	}
	if missing := digits + 1 - len(text); missing > 0 {
		text = strings.Repeat("0", missing) + text
	}
	if digits > 0 {
		text = text[:len(text)-digits] + "." + text[len(text)-digits:]
	}
	return sign + text + " " + currency
}
