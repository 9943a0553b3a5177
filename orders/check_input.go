package orders

import (
	"fmt"
	"unicode"
	"unicode/utf8"

	"example.com/orderd/engine"
)

// bad is the error for a field of what a caller sent, as the caller wrote it: "items[3].quantity".
func bad(field, format string, args ...any) error {
	return &engine.RequestError{Field: field, Problem: fmt.Sprintf(format, args...)}
}

// CheckText refuses, as an *engine.RequestError, text that is too short, too long (both in characters) or cannot be
// shown on one line.
func CheckText(field, text string, least, most int) error {
	n := utf8.RuneCountInString(text)
	switch {
	case n < least:
		return bad(field, "missing")
	case n > most:
		return bad(field, "%d characters, at most %d", n, most)
	case !utf8.ValidString(text):
		return bad(field, "not UTF-8")
	}
	for _, r := range text {
		if unicode.IsControl(r) {
			return bad(field, "has a control character")
		}
	}
	return nil
}

// CheckMoney refuses, as an *engine.RequestError, what is not a positive amount of a known currency.
func CheckMoney(amount int64, currency string) error {
	if amount < 1 || amount > AmountMax {
		return bad("amount", "want 1 to 2^53-1 minor units")
	}
	if _, known := Exponent(currency); !known {
		return bad("currency", "want an ISO 4217 code such as EUR")
	}
	return nil
}
