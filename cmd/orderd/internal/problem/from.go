package problem

import (
	"errors"
	"unicode"
	"unicode/utf8"

	"example.com/orderd/engine"
	"example.com/orderd/engine/dberr"
	"example.com/orderd/engine/once"
	"example.com/orderd/engine/outbox"
	"example.com/orderd/engine/outbox/webhook"
	"example.com/orderd/engine/strictjson"
	"example.com/orderd/engine/timer"
)

// From makes a problem of any error: the daemon's own problems stay as they are, outcomes and
// malformed requests get their rows of the table, and everything else is Internal, whose cause the
// caller never sees.
func From(err error) *Problem {
	var p *Problem
	var outcome *engine.Error
	var request *engine.RequestError
	var action *engine.ActionError
	var panicked *engine.PanicError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &outcome):
		return FromResult(outcome.Result).Because(err)
	case errors.As(err, &request):
		return fromRequest(request)
	case errors.Is(err, webhook.ErrNotFound), errors.Is(err, outbox.ErrNotFound), errors.Is(err, timer.ErrNotFound):
		return New(NotFound, "there is nothing with this id")
	case errors.Is(err, webhook.ErrBusy):
		return FromResult(engine.Result{Outcome: engine.Conflict, Detail: engine.LostRace})
	case errors.Is(err, once.ErrUnknown):
		return New(TokenUnknown, "the submit token was never issued to this key for this, or it has expired").Because(err)
	case errors.Is(err, once.ErrBound):
		return FromResult(engine.Result{Outcome: engine.Conflict, Detail: engine.KeyReused})
	case errors.Is(err, engine.ErrBadRequest), errors.Is(err, strictjson.ErrNotStrict):
		return New(BadRequest, "%v", err)
	case errors.Is(err, engine.ErrNotFound):
		return New(NotFound, "%v", err)
	case errors.As(err, &action), errors.As(err, &panicked): // whatever they wrap, it is not about the database
		return New(Internal, "a fault of the daemon").Because(err)
	}
	switch dberr.Classify(err) {
	case dberr.Unavailable, dberr.Conflict, dberr.LockWait, dberr.Canceled:
		return New(Unavailable, "the database is not available, nothing was done").Because(err)
	case dberr.Unknown:
		return New(Unknown, "the database did not answer the commit").Because(err)
	}
	return New(Internal, "a fault of the daemon").Because(err)
}

// places says where in an HTTP request the engine's fields come from.
var places = map[string]string{
	"Event": "body.event", "ID": "path.id", "Input": "body.input", "Reason": "body.reason",
	"IfVersion": "header.If-Match", "Key.Seq": "header.Idempotency-Key",
}

// fromRequest names the field that is wrong: of the request, or of input or filter as the caller wrote it.
func fromRequest(e *engine.RequestError) *Problem {
	if first, _ := utf8.DecodeRuneInString(e.Field); !unicode.IsUpper(first) {
		return New(BadRequest, "%v", e).At(e.Field, e.Problem)
	}
	place, known := places[e.Field]
	if !known {
		place = e.Field
	}
	what := e.Problem
	if e.Cause != nil {
		what += ": " + e.Cause.Error()
	}
	return New(BadRequest, "%s %s", place, what).At(place, what)
}
