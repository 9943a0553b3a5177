package api

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// KeyHeader is the part of an input that reads the Idempotency-Key header.
type KeyHeader struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"Your own name for this request, the same on every retry: 1 to 255 visible ASCII characters, bare or as a quoted string. It is yours: other principals cannot collide with it."`

	seq string
}

// Resolve reads the header; huma calls it.
func (h *KeyHeader) Resolve(ctx huma.Context) []error {
	lines := headerLines(ctx, "Idempotency-Key")
	if len(lines) == 0 {
		return nil
	}
	seq, wrong := parseKey(lines)
	if wrong != "" {
		return []error{&huma.ErrorDetail{Location: "header.Idempotency-Key", Message: wrong}}
	}
	h.seq = seq
	return nil
}

// KeyOrToken is the part of an input that reads the Idempotency-Key header or the Submit-Token header,
// of which a request may have one.
type KeyOrToken struct {
	KeyHeader
	SubmitToken string `header:"Submit-Token" maxLength:"128" doc:"A token of POST /v1/tokens, in place of an Idempotency-Key. In a form it is the field submit_token."`

	token string
}

// Resolve reads the headers; huma calls it.
func (h *KeyOrToken) Resolve(ctx huma.Context) []error {
	errs := h.KeyHeader.Resolve(ctx)
	lines := headerLines(ctx, "Submit-Token")
	if len(lines) == 0 {
		return errs
	}
	token, wrong := parseKey(lines)
	if wrong == "" && h.seq != "" {
		wrong = "given beside an Idempotency-Key: a request has one of them"
	}
	if wrong != "" {
		return append(errs, &huma.ErrorDetail{Location: "header.Submit-Token", Message: wrong})
	}
	h.token = token
	return errs
}

// none reports whether the request has neither.
func (h *KeyOrToken) none() bool { return h.seq == "" && h.token == "" }

const keyMax = 255 // visible ASCII characters

// parseKey reads the header's lines, or says what is wrong with them. A value in double quotes is a
// structured-field string and means the same key as its content does without them.
func parseKey(lines []string) (seq, wrong string) {
	if len(lines) != 1 {
		return "", "given more than once"
	}
	seq = strings.Trim(lines[0], " \t")
	if len(seq) >= 2 && seq[0] == '"' && seq[len(seq)-1] == '"' {
		content, ok := unquote(seq[1 : len(seq)-1])
		if !ok {
			return "", "not a valid quoted string"
		}
		seq = content
	}
	if len(seq) == 0 || len(seq) > keyMax {
		return "", "want 1 to 255 characters"
	}
	for i := range len(seq) {
		if seq[i] < 0x21 || seq[i] > 0x7e {
			return "", "want visible ASCII characters only"
		}
	}
	return seq, ""
}

// unquote reads the inside of a structured-field string, where only quotes and backslashes are
// escaped.
func unquote(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return "", false
		case '\\':
			i++
			if i == len(s) || s[i] != '"' && s[i] != '\\' {
				return "", false
			}
		}
		b.WriteByte(s[i])
	}
	return b.String(), true
}

// IfMatchHeader is the part of an input that reads the If-Match header.
type IfMatchHeader struct {
	IfMatch string `header:"If-Match" example:"\"7\"" doc:"Do it only to this version: one strong ETag, as GET gave it. No lists, no weak tags, no *."`

	version int64
}

var strongTag = regexp.MustCompile(`^"([1-9][0-9]{0,17})"$`)

// Resolve reads the header; huma calls it.
func (h *IfMatchHeader) Resolve(ctx huma.Context) []error {
	lines := headerLines(ctx, "If-Match")
	if len(lines) == 0 {
		return nil
	}
	parts := strongTag.FindStringSubmatch(strings.Trim(lines[0], " \t"))
	if len(lines) > 1 || parts == nil {
		return []error{&huma.ErrorDetail{Location: "header.If-Match", Message: `want one strong ETag with a version, such as "7"`}}
	}
	version, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil { // 18 digits fit
		return []error{err}
	}
	h.version = version
	return nil
}

func headerLines(ctx huma.Context, name string) []string {
	var lines []string
	ctx.EachHeader(func(n, value string) {
		if strings.EqualFold(n, name) {
			lines = append(lines, value)
		}
	})
	return lines
}

// etag is a version as a strong ETag.
func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// matches reports whether If-None-Match names a version: weak and strong tags compare alike there.
func matches(ifNoneMatch string, version int64) bool {
	for tag := range strings.SplitSeq(ifNoneMatch, ",") {
		tag = strings.Trim(tag, " \t")
		if tag == "*" || strings.TrimPrefix(tag, "W/") == etag(version) {
			return true
		}
	}
	return false
}

// notModified is the answer 304. To huma it is an error, because errors may have any status.
type notModified struct{ tag string }

func (notModified) Error() string             { return "not modified" }
func (notModified) GetStatus() int            { return http.StatusNotModified }
func (n notModified) GetHeaders() http.Header { return http.Header{"Etag": {n.tag}} }
