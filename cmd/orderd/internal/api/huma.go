package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"example.com/orderd/cmd/orderd/internal/auth"
	"example.com/orderd/cmd/orderd/internal/problem"
	"example.com/orderd/cmd/orderd/internal/web"
	"example.com/orderd/engine"
	"example.com/orderd/engine/strictjson"
)

// bodyMax bounds the body of a call.
const bodyMax = 256 << 10

// huma keeps these in package variables; the daemon has one API, so they are set once for all.
func init() {
	huma.ValidateStrictCasing = true // "Amount" is not "amount"
	huma.DefaultArrayNullable = false
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		return malformed(status, msg, errs)
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, msg string, errs ...error) huma.StatusError {
		p := malformed(status, msg, errs)
		p.RequestID = web.RequestID(ctx.Context())
		return p
	}
}

// malformed turns what huma finds wrong with a request, before the daemon sees it, into a problem.
// huma says 422 to invalid content; here that is a word of the engine, and all of it is bad_request.
func malformed(status int, msg string, errs []error) *problem.Problem {
	p := problem.New(problem.BadRequest, "%s", msg)
	for _, err := range errs {
		var tooLong *http.MaxBytesError
		if errors.As(err, &tooLong) {
			status = http.StatusRequestEntityTooLarge
		}
		var at *huma.ErrorDetail
		switch {
		case status == http.StatusUnsupportedMediaType:
			p.At("header.Content-Type", "want application/json")
		case errors.As(err, &at):
			p.At(at.Location, at.Message)
		case err != nil:
			p.At("", err.Error())
		}
	}
	if status == http.StatusRequestEntityTooLarge {
		return problem.New(problem.TooLarge, "the body has more than %d bytes", bodyMax)
	}
	if len(p.Errors) > 0 {
		p.Detail = strings.TrimPrefix(p.Errors[0].Location+": "+p.Errors[0].Message, ": ")
	}
	return p
}

// strictFormat reads JSON strictly. huma reads every body twice: into plain values, which it
// validates against the schema, and then into the input's type.
var strictFormat = huma.Format{
	Marshal: func(w io.Writer, v any) error {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		return e.Encode(v)
	},
	Unmarshal: func(data []byte, v any) error {
		if _, first := v.(*any); first {
			if err := strictjson.Check(data, strictjson.Limits{}); err != nil {
				return err
			}
		}
		return json.Unmarshal(data, v)
	},
}

func newHuma(mux humago.Mux, version string) huma.API {
	return humago.New(mux, huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "orderd", Version: version,
				Description: "Orders, payments and their history. Every call may be repeated: with the same key it has its effect " +
					"once, and the answer says so.",
			},
			Tags: []*huma.Tag{
				{Name: "orders", Description: "Place, read and list orders."},
				{Name: "transitions", Description: "Let events happen to orders, and see what happened."},
				{Name: "payments", Description: "Start payments, and see what became of the money."},
				{Name: "accounts", Description: "Money and points of owners, and transfers between them."},
				{Name: "tokens", Description: "Tokens that let a form be sent once."},
				{Name: "messages", Description: "What transitions said to the outside."},
				{Name: "webhooks", Description: "Who is told, and whether it worked."},
				{Name: "machines", Description: "The definitions that decide."},
			},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"key": {Type: "http", Scheme: "bearer", Description: "A key made by orderd key create."},
				},
			},
		},
		Formats:                      map[string]huma.Format{"application/json": strictFormat, "json": strictFormat},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		// No CreateHooks: they would add $schema to every body.
	})
}

// statusesOf lists the statuses that an operation may answer with beside its success.
type statusesOf []int

var (
	reading = statusesOf{400, 401, 403, 404, 429, 500, 503}
	writing = statusesOf{400, 401, 403, 404, 409, 412, 413, 422, 428, 429, 500, 503}

	// submitting is writing with a submit token, which may come in a form.
	submitting = append(slices.Clone(writing), tokenStatus)
)

// tokenStatus stands for 403 token_unknown in a statusesOf.
const tokenStatus = -http.StatusForbidden

// register adds an operation. Who may call it is said in auth.Routes; an operation without an entry
// there is a mistake in the program, so it panics at start.
func register[I, O any](a *api, op huma.Operation, statuses statusesOf, f func(context.Context, *I) (*O, error)) {
	route := op.Method + " " + op.Path
	roles, ok := auth.Routes[route]
	if !ok {
		panic(fmt.Sprintf("route %s has no entry in auth.Routes", route))
	}
	a.routes = append(a.routes, route)
	op.MaxBodyBytes = bodyMax + 1 // huma refuses a body that reaches the limit
	op.Middlewares = huma.Middlewares{a.guard(route, roles)}
	takesForms := slices.Contains(statuses, tokenStatus)
	if takesForms {
		op.Middlewares = append(op.Middlewares, a.form)
	}
	op.Security = []map[string][]string{{"key": {}}}
	op.Extensions = map[string]any{"x-roles": names(roles)}
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	a.describeProblems(op.Responses, statuses)
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := f(ctx, in)
		var same notModified
		switch {
		case errors.As(err, &same):
			return nil, same
		case err != nil:
			return nil, a.problem(ctx, err)
		}
		return out, nil
	})
	if takesForms {
		describeForm(a.huma.OpenAPI().Paths[op.Path].Post.RequestBody)
	}
}

func (a *api) describeProblems(responses map[string]*huma.Response, statuses statusesOf) {
	schema := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[problem.Problem](), true, "Problem")
	for _, status := range statuses {
		if status == tokenStatus {
			continue
		}
		var codes []string
		for _, k := range problem.Kinds {
			code := string(k.Code)
			if k.Code == problem.TokenUnknown && !slices.Contains(statuses, tokenStatus) {
				continue
			}
			if k.Status == status && !slices.Contains(codes, code) {
				codes = append(codes, code)
			}
		}
		responses[strconv.Itoa(status)] = &huma.Response{
			Description: strings.Join(codes, ", "),
			Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schema}},
		}
	}
}

func names(roles []auth.Role) []string {
	var all []string
	for _, r := range roles {
		all = append(all, string(r))
	}
	return all
}

// guard lets a request pass whose key has a role for the route and whose query says everything once.
func (a *api) guard(route string, roles []auth.Role) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		p, err := a.Gate.Check(r)
		switch {
		case err != nil:
		case !p.May(roles):
			err = auth.Forbidden(p, route, roles)
		default:
			err = checkQuery(r.URL.RawQuery)
		}
		if err != nil {
			a.problem(r.Context(), err).Write(w)
			return
		}
		next(huma.WithContext(ctx, auth.With(r.Context(), p)))
	}
}

func checkQuery(raw string) error {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return problem.New(problem.BadRequest, "the query is malformed").At("query", err.Error())
	}
	for name, values := range query {
		if len(values) > 1 {
			return problem.New(problem.BadRequest, "query parameter %q is given %d times", name, len(values)).
				At("query."+name, "given more than once")
		}
	}
	return nil
}

// problem turns an error into its answer and logs it if it is the daemon's fault.
func (a *api) problem(ctx context.Context, err error) *problem.Problem {
	p := problem.From(err)
	p.RequestID = web.RequestID(ctx)
	if p.Status >= http.StatusInternalServerError {
		a.Log.ErrorContext(ctx, "a call failed", "request_id", p.RequestID, "code", p.Code, "error", err)
	}
	if p.State != "" && p.Status != http.StatusServiceUnavailable && p.AllowedEvents == nil {
		p.AllowedEvents = a.steps[engine.State(p.State)]
	}
	return p
}
