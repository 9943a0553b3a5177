package web

import (
	"net/http"
	"time"
)

// Received is a webhook that the demo receiver got.
type Received struct {
	At                      time.Time
	ID, Type, Subject, Body string
	Repeat                  bool // one with this id was there before
}

// Time is when, for a person.
func (r Received) Time() string { return r.At.Format("15:04:05.000 UTC") }

// ReceivedPage shows what the demo receiver got, the newest first.
func ReceivedPage(w http.ResponseWriter, latest []Received) {
	render(w, http.StatusOK, "received.html", latest)
}
