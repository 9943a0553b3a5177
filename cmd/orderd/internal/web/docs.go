package web

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// reference is the API as the page shows it.
type reference struct {
	Title, Version, About string
	Groups                []group
	Schemas               []schema
}

type group struct {
	Name  string
	Calls []call
}

type call struct {
	ID, Method, Path, Summary, About, Roles string
	Params                                  []field
	Body                                    *typ
	Answers                                 []answerDoc
}

type answerDoc struct {
	Status, About string
	Body          typ
}

type schema struct {
	Name   string
	Fields []field
}

type field struct {
	Name, In, About string
	Required        bool
	Type            typ
}

// typ is a type in words, ending in a reference to a schema where it has one.
type typ struct{ Before, Ref string }

func (t typ) String() string { return t.Before + t.Ref }

// Docs serves the reference of an API, made once from its OpenAPI document.
func Docs(api *huma.OpenAPI) http.HandlerFunc {
	page := referenceOf(api)
	return func(w http.ResponseWriter, _ *http.Request) { render(w, http.StatusOK, "docs.html", page) }
}

func referenceOf(api *huma.OpenAPI) reference {
	page := reference{Title: api.Info.Title, Version: api.Info.Version, About: api.Info.Description}
	for _, path := range slices.Sorted(maps.Keys(api.Paths)) {
		for _, op := range operations(api.Paths[path]) {
			name := "other"
			if len(op.Tags) > 0 {
				name = op.Tags[0]
			}
			i := slices.IndexFunc(page.Groups, func(g group) bool { return g.Name == name })
			if i < 0 {
				i = len(page.Groups)
				page.Groups = append(page.Groups, group{Name: name})
			}
			page.Groups[i].Calls = append(page.Groups[i].Calls, callOf(path, op))
		}
	}
	rank := func(g group) int {
		return slices.IndexFunc(api.Tags, func(t *huma.Tag) bool { return t.Name == g.Name })
	}
	slices.SortStableFunc(page.Groups, func(a, b group) int { return rank(a) - rank(b) })
	schemas := api.Components.Schemas.Map()
	for _, name := range slices.Sorted(maps.Keys(schemas)) {
		page.Schemas = append(page.Schemas, schema{Name: name, Fields: fieldsOf(schemas[name])})
	}
	return page
}

func operations(item *huma.PathItem) []*huma.Operation {
	var ops []*huma.Operation
	for _, op := range []*huma.Operation{item.Get, item.Post, item.Patch, item.Put, item.Delete} {
		if op != nil {
			ops = append(ops, op)
		}
	}
	return ops
}

func callOf(path string, op *huma.Operation) call {
	c := call{ID: op.OperationID, Method: op.Method, Path: path, Summary: op.Summary, About: op.Description}
	if roles, ok := op.Extensions["x-roles"].([]string); ok {
		c.Roles = strings.Join(roles, ", ")
	}
	for _, p := range op.Parameters {
		c.Params = append(c.Params, field{Name: p.Name, In: p.In, About: about(p.Description, p.Schema),
			Required: p.Required, Type: typeOf(p.Schema)})
	}
	if op.RequestBody != nil {
		body := contentType(op.RequestBody.Content)
		c.Body = &body
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		answer := op.Responses[status]
		c.Answers = append(c.Answers, answerDoc{Status: status, About: answer.Description, Body: contentType(answer.Content)})
	}
	return c
}

func contentType(content map[string]*huma.MediaType) typ {
	names := slices.Sorted(maps.Keys(content))
	if len(names) == 0 {
		return typ{}
	}
	if s := content[names[0]].Schema; s != nil && s.Format != "binary" {
		return typeOf(s)
	}
	return typ{Before: names[0]}
}

func fieldsOf(s *huma.Schema) []field {
	var fields []field
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[name]
		fields = append(fields, field{
			Name: name, About: about(p.Description, p), Type: typeOf(p), Required: slices.Contains(s.Required, name),
		})
	}
	return fields
}

func typeOf(s *huma.Schema) typ {
	switch {
	case s == nil:
		return typ{Before: "any"}
	case s.Ref != "":
		return typ{Ref: s.Ref[strings.LastIndex(s.Ref, "/")+1:]}
	case s.Type == "array" && s.Items != nil:
		item := typeOf(s.Items)
		return typ{Before: "list of " + item.Before, Ref: item.Ref}
	case s.Type == "":
		return typ{Before: "any"}
	case s.Format != "":
		return typ{Before: s.Type + ", " + s.Format}
	}
	return typ{Before: s.Type}
}

// about is a description with the values that are allowed.
func about(text string, s *huma.Schema) string {
	if s == nil || len(s.Enum) == 0 {
		return text
	}
	var values []string
	for _, v := range s.Enum {
		if word, ok := v.(string); ok {
			values = append(values, word)
		}
	}
	return strings.TrimSpace(text + " One of " + strings.Join(values, ", ") + ".")
}

func slug(s string) string { return strings.ReplaceAll(strings.ToLower(s), " ", "-") }
