package web

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
)

//go:embed page.html docs.html pay.html problem.html received.html style.css
var files embed.FS

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"slug": slug,
}).ParseFS(files, "*.html"))

// render answers with a page. A template that fails is a fault, so nothing is sent before it is done.
func render(w http.ResponseWriter, status int, name string, content any) {
	var page bytes.Buffer
	if err := pages.ExecuteTemplate(&page, name, content); err != nil {
		panic(err) // templates and what they show are ours; Outermost answers
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes())
}

// Style serves the style sheet of the pages.
func Style(w http.ResponseWriter, _ *http.Request) {
	css, err := files.ReadFile("style.css")
	if err != nil { // it is embedded
		panic(err)
	}
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, _ = w.Write(css)
}
