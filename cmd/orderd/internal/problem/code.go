// Package problem is how the daemon says no over HTTP: one table from outcomes and codes to status
// codes, and RFC 9457 problem documents made from it.
package problem

import (
	"net/http"
	"time"

	"example.com/orderd/engine"
)

// Code names a problem: an outcome of the engine that is not a success, or one of the codes below.
type Code string

// Codes of answers that the engine has no part in.
const (
	BadRequest       Code = "bad_request"
	Unauthorized     Code = "unauthorized"
	Forbidden        Code = "forbidden"
	TokenUnknown     Code = "token_unknown"
	MethodNotAllowed Code = "method_not_allowed"
	TooLarge         Code = "too_large"
	RateLimited      Code = "rate_limited"
	Internal         Code = "internal"
)

// The codes that are outcomes.
const (
	Stale       = Code(engine.Stale)
	Early       = Code(engine.Early)
	Illegal     = Code(engine.Illegal)
	Conflict    = Code(engine.Conflict)
	NotFound    = Code(engine.NotFound)
	Unavailable = Code(engine.Unavailable)
	Unknown     = Code(engine.Unknown)
)

// Kind is one row of the table: what a code, with its detail, means to a caller.
type Kind struct {
	Code   Code
	Detail engine.Detail // "" where the code has no details
	Status int           // of the HTTP answer

	// Retry is the least time after which asking again makes sense; 0 where it does not.
	Retry time.Duration

	Title  string // what it is, the same for every occurrence
	Cause  string // how a caller gets here
	Remedy string // what the caller does now
}

// Kinds is the one table from outcomes and codes to answers. Of rows with one code, the first gives
// the answer to a detail that has no row.
var Kinds = []Kind{
	{Code: Stale, Detail: engine.Passed, Status: http.StatusConflict,
		Title: "The order has moved past this event",
		Cause: "The order has left a state in which the event was possible or still lay ahead.",
		Remedy: "Read the order and decide anew. possible_from lists the states ahead from which the event would be " +
			"possible again; if it is empty, it never will be. A cancel that lost against a payment is a refund now."},
	{Code: Stale, Detail: engine.VersionMoved, Status: http.StatusPreconditionFailed,
		Title:  "The order has changed since you read it",
		Cause:  "If-Match names a version that no longer holds.",
		Remedy: "Read the order again, decide again, and send the new version in If-Match."},
	{Code: Stale, Detail: engine.ReachedOtherwise, Status: http.StatusConflict,
		Title:  "The order is there, but by another event",
		Cause:  "The order is in a state this event leads to, came there in another way, and this event does not count that as done.",
		Remedy: "Read the history. If being there is all you wanted, nothing is left to do."},
	{Code: Early, Status: http.StatusConflict, Retry: 5 * time.Second,
		Title: "Not possible yet",
		Cause: "The event becomes possible in a state that the order can still reach.",
		Remedy: "Wait at least Retry-After seconds, or make the missing steps happen first, and send the same request with " +
			"the same key."},
	{Code: Illegal, Detail: engine.UnknownEvent, Status: http.StatusUnprocessableEntity,
		Title:  "No such event",
		Cause:  "The machine has no event of that name.",
		Remedy: "Correct the caller. GET /v1/machines/order lists the events."},
	{Code: Illegal, Detail: engine.NoPath, Status: http.StatusUnprocessableEntity,
		Title:  "Never possible for this order",
		Cause:  "No state that the order is in or can reach takes this event, and none that it was in did.",
		Remedy: "Correct the caller. allowed_events says what is possible from here."},
	{Code: Illegal, Detail: engine.GuardRefused, Status: http.StatusUnprocessableEntity,
		Title:  "A condition is not met",
		Cause:  "The step exists; conditions refuse it. refused names all that do, with their reasons.",
		Remedy: "Remove the reason or change the input, then send the request again."},
	{Code: Illegal, Detail: engine.IdentityRequired, Status: http.StatusPreconditionRequired,
		Title: "This event needs an identity",
		Cause: "The event can validly happen again or carries money, so a request without a key cannot be told from its " +
			"own duplicate.",
		Remedy: "Send an Idempotency-Key that you repeat on every retry, or pin the version with If-Match."},
	{Code: Conflict, Detail: engine.LostRace, Status: http.StatusConflict, Retry: time.Second,
		Title:  "Others keep moving the order",
		Cause:  "The request lost against concurrent ones as often as the engine tries. Nothing was done.",
		Remedy: "Send the same request with the same key after Retry-After seconds."},
	{Code: Conflict, Detail: engine.InputDiffers, Status: http.StatusConflict,
		Title: "It has happened, but with other input",
		Cause: "What was asked for is done, and this request says something else than the one that did it, such as another " +
			"tracking number. The first stays; nothing was done now.",
		Remedy: "Look at transition, which shows what was done. If that is what you meant, nothing is left to do."},
	{Code: Conflict, Detail: engine.KeyReused, Status: http.StatusUnprocessableEntity,
		Title:  "The key belongs to another request",
		Cause:  "This Idempotency-Key was used before with other content. The first result is kept; nothing was done now.",
		Remedy: "Use one new key per intention. To repeat a request, repeat its content as well."},
	{Code: Conflict, Detail: engine.FactMismatch, Status: http.StatusConflict,
		Title: "The same fact, told differently",
		Cause: "A provider told of the same transaction before, with another amount or currency. The first report is kept, " +
			"the second is stored for the money desk.",
		Remedy: "Ask the provider which one is right and settle it at the money desk."},
	{Code: NotFound, Status: http.StatusNotFound,
		Title:  "Not found",
		Cause:  "There is nothing at this address, or no subject with this id.",
		Remedy: "Check the id. Ids are case-sensitive."},
	{Code: Unavailable, Status: http.StatusServiceUnavailable, Retry: time.Second,
		Title:  "Not available now",
		Cause:  "The queue is full, the database is away, or the daemon is stopping. Nothing was done.",
		Remedy: "Send the same request with the same key after Retry-After seconds."},
	{Code: Unknown, Status: http.StatusServiceUnavailable, Retry: 2 * time.Second,
		Title:  "The outcome is not known",
		Cause:  "The database did not answer the commit, and it could not be settled in time. The effect happened once or not at all.",
		Remedy: "Send the same request with the same key: it settles the question and gives the first result if there is one."},
	{Code: BadRequest, Status: http.StatusBadRequest,
		Title: "The request is malformed",
		Cause: "A header, a parameter or the body is missing, malformed, out of bounds, or has a name that is unknown or " +
			"given twice. Nothing was looked up.",
		Remedy: "Correct the caller; errors says where. The same request will fail again."},
	{Code: Unauthorized, Status: http.StatusUnauthorized,
		Title: "No valid key",
		Cause: "There is no Authorization header with a bearer key, or the key is unknown, expired or revoked. On a " +
			"callback: the signature or its time does not hold, and nothing was stored.",
		Remedy: "Send Authorization: Bearer with a key made by orderd key create."},
	{Code: Forbidden, Status: http.StatusForbidden,
		Title:  "The key lacks a role",
		Cause:  "The key is valid, but none of its roles allows this. required_roles names those that would.",
		Remedy: "Use a key with one of these roles."},
	{Code: TokenUnknown, Status: http.StatusForbidden,
		Title:  "The submit token is not known",
		Cause:  "The token was never issued to this key for this call, or it has expired before it was spent.",
		Remedy: "Get a new token with POST /v1/tokens and show the form again."},
	{Code: MethodNotAllowed, Status: http.StatusMethodNotAllowed,
		Title:  "The method is not allowed here",
		Cause:  "The address exists, but not for this method. Allow names those that it takes.",
		Remedy: "Correct the caller. /docs lists all calls."},
	{Code: TooLarge, Status: http.StatusRequestEntityTooLarge,
		Title:  "The body is too large",
		Cause:  "A body may have 256 KiB.",
		Remedy: "Send less."},
	{Code: RateLimited, Status: http.StatusTooManyRequests, Retry: time.Second,
		Title:  "Too many requests",
		Cause:  "Too many requests with invalid keys came from this address, or this key asks for too many submit tokens.",
		Remedy: "Wait Retry-After seconds; use a valid key."},
	{Code: Internal, Status: http.StatusInternalServerError,
		Title: "A fault of the daemon",
		Cause: "The daemon met an error that it has no better answer to. It is in the log under request_id. A keyed " +
			"request did its work once or not at all.",
		Remedy: "Send the same request with the same key. If it fails again, report the request_id."},
}

// KindOf finds the row of a code and detail. A pair that the table does not know is Internal.
func KindOf(code Code, detail engine.Detail) Kind {
	var first *Kind
	for i := range Kinds {
		if Kinds[i].Code != code {
			continue
		}
		if Kinds[i].Detail == detail {
			return Kinds[i]
		}
		if first == nil {
			first = &Kinds[i]
		}
	}
	if first != nil {
		return *first
	}
	return KindOf(Internal, "")
}

// Codes lists the codes in the order of the table, each once.
func Codes() []Code {
	var codes []Code
	for i, k := range Kinds {
		if i == 0 || Kinds[i-1].Code != k.Code {
			codes = append(codes, k.Code)
		}
	}
	return codes
}
