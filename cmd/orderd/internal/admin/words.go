package admin

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"example.com/orderd/cmd/orderd/internal/words"
	"example.com/orderd/engine"
	"example.com/orderd/orders"
	"example.com/orderd/orders/provider"
)

// label is a name of the machine for people: partly_paid reads "Partly paid".
func label[T ~string](name T) string {
	text := words.Plain(name)
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:]
}

// tone is the colour of a state: what waits, what moves, what is well, what is over.
func tone(s engine.State) string {
	switch s {
	case orders.OrderPlaced, orders.OrderPartlyPaid:
		return "tone-wait"
	case orders.OrderPaid, orders.OrderPartlyShipped, orders.OrderShipped:
		return "tone-move"
	case orders.OrderDelivered, orders.OrderCompleted, orders.PaymentCaptured:
		return "tone-good"
	case orders.OrderReturning, orders.OrderRefunding, orders.FactDesk:
		return "tone-back"
	}
	return "tone-over"
}

// factText is what a fact says, in words: "payment captured".
func factText(kind provider.Kind) string { return strings.ReplaceAll(words.Plain(kind), ".", " ") }

// outcomeTone is the colour of an outcome.
func outcomeTone(o engine.Outcome) string {
	switch o {
	case engine.Applied:
		return "tone-good"
	case engine.Already:
		return "tone-move"
	case engine.Early, engine.Stale:
		return "tone-wait"
	}
	return "tone-bad"
}

// exact is a time to the second, for people.
func exact(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04:05 UTC") }

// machineTime is a time for the attribute datetime.
func machineTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// relative is a time as seen from now: "5 min ago", "in 2 h".
func relative(t, now time.Time) string {
	d := now.Sub(t)
	if d < 0 {
		return "in " + span(-d)
	}
	if d < 10*time.Second {
		return "just now"
	}
	return span(d) + " ago"
}

// span is a duration by its greatest unit.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d < 60*day:
		return fmt.Sprintf("%d days", d/day)
	case d < 2*365*day:
		return fmt.Sprintf("%d months", d/(30*day))
	}
	return fmt.Sprintf("%d years", d/(365*day))
}

// count is "1 transition" or "2 transitions".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
