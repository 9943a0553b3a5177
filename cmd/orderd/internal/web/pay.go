package web

import (
	"net/http"

	"github.com/skip2/go-qrcode"
)

// Pay is what the page of the fake provider shows.
type Pay struct{ Order, Payment, State, Reference, Amount string }

// Open reports whether the payment still waits for an answer.
func (p Pay) Open() bool { return p.State == "created" || p.State == "pending" || p.State == "unknown" }

// PayPage shows the page of the fake provider.
func PayPage(w http.ResponseWriter, p Pay) { render(w, http.StatusOK, "pay.html", p) }

// QR answers with a text as a QR code in SVG. Any site may show it.
func QR(w http.ResponseWriter, text string) error {
	code, err := qrcode.New(text, qrcode.Medium)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
	_, _ = w.Write(qrSVG(code.Bitmap())) // the browser may have gone
	return nil
}
