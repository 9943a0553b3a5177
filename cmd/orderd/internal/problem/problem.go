package problem

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"example.com/orderd/engine"
)

// Problem is an RFC 9457 problem document and the error that stands for it inside the daemon.
type Problem struct {
	Type       string `json:"type" format:"uri-reference" example:"/problems/illegal" doc:"Where the problem is explained: /problems/ and the code."`
	Title      string `json:"title" doc:"What kind of problem it is, the same for every occurrence."`
	Status     int    `json:"status" doc:"The HTTP status."`
	Detail     string `json:"detail,omitempty" doc:"What went wrong this time, for a person."`
	Code       Code   `json:"code" enum:"stale,early,illegal,conflict,not_found,unavailable,unknown,bad_request,unauthorized,forbidden,token_unknown,method_not_allowed,too_large,rate_limited,internal" doc:"The outcome, or another code."`
	DetailCode string `json:"detail_code,omitempty" enum:"passed,version,reached_otherwise,unknown_event,no_path,guard,identity_required,lost_race,input_differs,key_reused,fact_mismatch" doc:"Which kind of the outcome it is."`
	RequestID  string `json:"request_id,omitempty" doc:"Names the request in the daemon's log; also in X-Request-Id."`

	ID            string      `json:"id,omitempty" doc:"The subject that was asked to move."`
	Event         string      `json:"event,omitempty" doc:"The event that was asked for."`
	State         string      `json:"state,omitempty" doc:"Where the subject is now."`
	Version       int64       `json:"version,omitempty" doc:"The subject's version now."`
	AllowedEvents []string    `json:"allowed_events,omitempty" nullable:"false" doc:"Events that have a step from this state; their conditions were not asked."`
	Transition    *Transition `json:"transition,omitempty" doc:"The transition that proves the outcome."`
	Refused       []Refused   `json:"refused,omitempty" nullable:"false" doc:"All conditions that said no."`

	PossibleFrom []string `json:"possible_from,omitzero" required:"false" nullable:"false" doc:"On stale/passed: the states ahead of the subject from which the event would be possible again; empty means never."`

	RetryAfter    int64    `json:"retry_after,omitempty" doc:"Seconds after which asking again makes sense; also in Retry-After."`
	RequiredRoles []string `json:"required_roles,omitempty" nullable:"false" doc:"Any of these roles would be enough."`
	Errors        []Place  `json:"errors,omitempty" nullable:"false" doc:"What is malformed, and where."`

	header http.Header
	cause  error // for the log, never for the caller
}

// Place is one malformed part of a request.
type Place struct {
	Location string `json:"location,omitempty" example:"body.items[0].quantity" doc:"Where: body, query, path or header, and the path inside."`
	Message  string `json:"message" doc:"What is wrong with it."`
}

// Refused is one condition that said no.
type Refused struct {
	Guard  string `json:"guard" doc:"The condition's name."`
	Reason string `json:"reason" doc:"Why, in its own words."`
}

// Transition is one row of history as the API shows it.
type Transition struct {
	Version        int64           `json:"version" doc:"The version the subject got; 1 is its creation."`
	Event          string          `json:"event"`
	From           string          `json:"from" doc:"State before; empty on the first transition."`
	To             string          `json:"to" doc:"State after."`
	Actor          string          `json:"actor" doc:"Who did it."`
	Source         *string         `json:"source" doc:"Who gave the key; null where there was none."`
	Seq            *string         `json:"seq" doc:"The Idempotency-Key or its like; null where there was none."`
	Reason         string          `json:"reason" doc:"Why, in the words of the actor."`
	Input          json.RawMessage `json:"input,omitempty" doc:"What came with the event, in canonical form."`
	Messages       int             `json:"messages" doc:"How many messages it emitted."`
	MachineVersion string          `json:"machine_version" doc:"Hash of the definition that decided it."`
	At             time.Time       `json:"at" doc:"When, UTC with microseconds."`
}

// Show is a transition as the API shows it.
func Show(t engine.Transition) *Transition {
	shown := &Transition{
		Version: t.Version, Event: string(t.Event), From: string(t.From), To: string(t.To),
		Actor: t.Actor, Reason: t.Reason, Input: t.Input, Messages: t.Messages,
		MachineVersion: t.MachineVersion, At: t.At.UTC(),
	}
	if !t.Key.IsZero() {
		shown.Source, shown.Seq = &t.Key.Source, &t.Key.Seq
	}
	return shown
}

// PossibleFrom is from where an event would be possible again, as the API shows it: a list on stale/passed, empty
// where it is never, and nothing on every other answer.
func PossibleFrom(d engine.Detail, states []engine.State) []string {
	if d != engine.Passed {
		return nil
	}
	shown := make([]string, len(states))
	for i, s := range states {
		shown[i] = string(s)
	}
	return shown
}

// New makes a problem of a code that is not an outcome.
func New(code Code, format string, args ...any) *Problem {
	return of(KindOf(code, ""), fmt.Sprintf(format, args...))
}

func of(k Kind, detail string) *Problem {
	p := &Problem{
		Type: "/problems/" + string(k.Code), Title: k.Title, Status: k.Status,
		Detail: detail, Code: k.Code, DetailCode: string(k.Detail),
	}
	return p.Retry(k.Retry)
}

// FromResult makes a problem of an outcome that is not a success.
func FromResult(r engine.Result) *Problem {
	cause := r.Cause
	r.Cause = nil // the log's
	p := of(KindOf(Code(r.Outcome), r.Detail), r.Err().Error()).Because(cause)
	p.ID, p.Event, p.State, p.Version = r.ID, string(r.Event), string(r.State), r.Version
	p.PossibleFrom = PossibleFrom(r.Detail, r.PossibleFrom)
	if r.Proof != nil {
		p.Transition = Show(*r.Proof)
	}
	for _, no := range r.Refused {
		p.Refused = append(p.Refused, Refused{Guard: no.Guard, Reason: no.Reason})
	}
	if r.RetryAfter > 0 {
		p.Retry(r.RetryAfter)
	}
	return p
}

// Because notes what the log should say about it.
func (p *Problem) Because(err error) *Problem {
	p.cause = err
	return p
}

// Retry says when asking again makes sense, in whole seconds rounded up; 0 is never.
func (p *Problem) Retry(after time.Duration) *Problem {
	if after <= 0 {
		return p
	}
	p.RetryAfter = int64(math.Ceil(after.Seconds()))
	return p.Header("Retry-After", strconv.FormatInt(p.RetryAfter, 10))
}

// Header adds a header to the answer.
func (p *Problem) Header(name, value string) *Problem {
	if p.header == nil {
		p.header = http.Header{}
	}
	p.header.Set(name, value)
	return p
}

// At adds a malformed part.
func (p *Problem) At(location, message string) *Problem {
	p.Errors = append(p.Errors, Place{Location: location, Message: message})
	return p
}

// Error is what the caller is told, and the cause.
func (p *Problem) Error() string {
	if p.cause != nil {
		return p.Detail + ": " + p.cause.Error()
	}
	return p.Detail
}

// Unwrap is the cause.
func (p *Problem) Unwrap() error { return p.cause }

// GetStatus is the HTTP status. With GetHeaders and ContentType it lets huma write the problem.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders are the answer's additional headers.
func (p *Problem) GetHeaders() http.Header { return p.header }

// ContentType is that of RFC 9457.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// Write answers with the problem where huma has no part.
func (p *Problem) Write(w http.ResponseWriter) {
	p.RequestID = w.Header().Get("X-Request-Id")
	for name, values := range p.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	w.Header().Set("Cache-Control", "no-store")
	body, err := json.Marshal(p)
	if err != nil { // its parts are plain, and Input was JSON before
		body = []byte(`{"code":"internal","status":500}`)
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // the caller may have gone
}
