package api

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// describeOthers puts into the document what is served without a key, and not by huma.
func (a *api) describeOthers() {
	problems := func(responses map[string]*huma.Response, statuses ...int) map[string]*huma.Response {
		a.describeProblems(responses, statuses)
		return responses
	}
	text := func(schema *huma.Schema, contentType string) map[string]*huma.MediaType {
		return map[string]*huma.MediaType{contentType: {Schema: schema}}
	}
	path := func(name, doc string) []*huma.Param {
		return []*huma.Param{{Name: name, In: "path", Required: true, Description: doc, Schema: &huma.Schema{Type: "string"}}}
	}
	document := a.huma.OpenAPI()
	document.AddOperation(&huma.Operation{
		OperationID: "take-callback", Method: http.MethodPost, Path: "/v1/callbacks/{provider}",
		Tags: []string{"payments"}, Summary: "What a payment provider reports.",
		Description: "Verified by the provider's own signature over the raw body; no key. Success means that the fact is " +
			"committed: repeats, late and contradicting reports get it as well. A provider that is off is not found. Anything " +
			"else asks the provider to send it again.",
		Parameters: path("provider", "The provider, such as standard."),
		RequestBody: &huma.RequestBody{Required: true, Description: "As the provider sends it, at most 256 KiB.",
			Content: text(&huma.Schema{Type: "object"}, "application/json")},
		Responses: problems(map[string]*huma.Response{"200": {Description: "The fact is committed."}},
			http.StatusBadRequest, http.StatusUnauthorized, http.StatusNotFound, http.StatusRequestEntityTooLarge,
			http.StatusInternalServerError, http.StatusServiceUnavailable),
	})
	document.AddOperation(&huma.Operation{
		OperationID: "draw-payment", Method: http.MethodGet, Path: "/v1/payments/{id}/qr.svg",
		Tags: []string{"payments"}, Summary: "Where a payment is paid, as a QR code.",
		Description: "Without a key, so that a shop can show it to its customer.",
		Parameters:  path("id", "The payment's id."),
		Responses: problems(map[string]*huma.Response{"200": {Description: "OK", Content: text(&huma.Schema{Type: "string"},
			"image/svg+xml")}},
			http.StatusNotFound, http.StatusInternalServerError, http.StatusServiceUnavailable),
	})
}
