package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"example.com/orderd/cmd/orderd/internal/problem"
)

const (
	formType  = "application/x-www-form-urlencoded"
	formToken = "submit_token"
)

// form lets a call be made by an HTML form: fields such as items[0][sku] become the JSON body, and the
// hidden field submit_token the header Submit-Token. Everything else goes its usual way from there.
func (a *api) form(ctx huma.Context, next func(huma.Context)) {
	kind, _, err := mime.ParseMediaType(ctx.Header("Content-Type"))
	if err != nil || kind != formType {
		next(ctx)
		return
	}
	inner, err := fromForm(ctx)
	if err != nil {
		r, w := humago.Unwrap(ctx)
		a.problem(r.Context(), err).Write(w)
		return
	}
	next(inner)
}

func fromForm(ctx huma.Context) (huma.Context, error) {
	text, err := io.ReadAll(io.LimitReader(ctx.BodyReader(), bodyMax+1))
	switch {
	case err != nil:
		return nil, problem.New(problem.BadRequest, "the form could not be read: %v", err)
	case len(text) > bodyMax:
		return nil, problem.New(problem.TooLarge, "the body has more than %d bytes", bodyMax)
	}
	fields, err := url.ParseQuery(string(text))
	if err != nil {
		return nil, problem.New(problem.BadRequest, "the form is malformed").At("body", err.Error())
	}
	token := fields[formToken]
	delete(fields, formToken)
	body, err := formJSON(fields)
	if err != nil {
		return nil, err
	}
	return &formContext{plain: ctx, body: body, token: token}, nil
}

// plain is a request as it came; the alias lets it be embedded, because it has a method Context.
type plain = huma.Context

// formContext is a request whose form has become JSON.
type formContext struct {
	plain
	body  []byte
	token []string
}

func (c *formContext) BodyReader() io.Reader { return bytes.NewReader(c.body) }

func (c *formContext) Header(name string) string {
	switch {
	case strings.EqualFold(name, "Content-Type"):
		return "application/json"
	case strings.EqualFold(name, "Submit-Token") && len(c.token) > 0 && c.plain.Header(name) == "":
		return c.token[0]
	}
	return c.plain.Header(name)
}

func (c *formContext) EachHeader(f func(name, value string)) {
	c.plain.EachHeader(func(name, value string) {
		if !strings.EqualFold(name, "Content-Type") {
			f(name, value)
		}
	})
	f("Content-Type", "application/json")
	for _, token := range c.token {
		f("Submit-Token", token)
	}
}

// Bounds of a form's fields.
const (
	fieldsMax = 5000
	indexMax  = 500 // items in one list
)

var fieldName = regexp.MustCompile(`^([a-z_]{1,64})((?:\[[^\[\]]{1,64}\])*)$`)

// numbers are the fields whose text becomes a number.
var numbers = []string{"amount", "quantity", "unit_price"}

// formJSON turns fields such as metadata[colour] and items[2][quantity] into a JSON object. Lists have
// numbers from 0 without gaps; a field is given once.
func formJSON(fields url.Values) ([]byte, error) {
	if len(fields) > fieldsMax {
		return nil, problem.New(problem.BadRequest, "the form has %d fields, at most %d", len(fields), fieldsMax)
	}
	top := map[string]any{}
	for name, values := range fields {
		parts := fieldName.FindStringSubmatch(name)
		wrong := ""
		switch {
		case parts == nil:
			wrong = "not a field of this form"
		case len(values) != 1:
			wrong = "given more than once"
		default:
			path := []string{parts[1]}
			if parts[2] != "" {
				path = append(path, strings.Split(strings.Trim(parts[2], "[]"), "][")...)
			}
			if err := place(top, path, values[0], false); err != nil {
				wrong = err.Error()
			}
		}
		if wrong != "" {
			return nil, problem.New(problem.BadRequest, "body.%s: %s", name, wrong).At("body."+name, wrong)
		}
	}
	body, err := listed(top)
	if err != nil {
		return nil, problem.New(problem.BadRequest, "the form is malformed: %v", err).At("body", err.Error())
	}
	return json.Marshal(body)
}

// place puts a value where its path leads; texts says that all values there are. Lists are maps of numbers until listed
// makes them lists.
func place(at map[string]any, path []string, text string, texts bool) error {
	name := path[0]
	if len(path) > 1 {
		inner, ok := at[name].(map[string]any)
		if at[name] == nil {
			inner, ok = map[string]any{}, true
			at[name] = inner
		}
		if !ok {
			return errors.New("is a value and has parts")
		}
		return place(inner, path[1:], text, texts || name == "metadata")
	}
	if at[name] != nil {
		return errors.New("is a value and has parts")
	}
	at[name] = text
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && !texts && slices.Contains(numbers, name) {
		at[name] = n
	}
	return nil
}

// lists are the fields whose parts are numbered.
var lists = []string{"items"}

func listed(object map[string]any) (map[string]any, error) {
	for _, name := range lists {
		parts, ok := object[name].(map[string]any)
		if !ok {
			continue
		}
		if len(parts) > indexMax {
			return nil, fmt.Errorf("%s has %d parts, at most %d", name, len(parts), indexMax)
		}
		list := make([]any, len(parts))
		for number, part := range parts {
			i, err := strconv.Atoi(number)
			if err != nil || i < 0 || i >= len(list) || strconv.Itoa(i) != number {
				return nil, fmt.Errorf("%s[%s]: want numbers from 0 without gaps", name, number)
			}
			list[i] = part
		}
		object[name] = list
	}
	return object, nil
}

// describeForm adds to a JSON body that a form does as well.
func describeForm(body *huma.RequestBody) {
	body.Content[formType] = &huma.MediaType{Schema: &huma.Schema{
		Type: huma.TypeObject,
		Description: "The same fields, with parts written as items[0][sku] or metadata[name], and submit_token in place of " +
			"the header Submit-Token.",
		Properties: map[string]*huma.Schema{formToken: {Type: huma.TypeString, MaxLength: new(128),
			Description: "A token of POST /v1/tokens."}},
	}}
}
