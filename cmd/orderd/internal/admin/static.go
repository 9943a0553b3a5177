package admin

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
)

//go:embed static/style.css static/page.js static/icon.svg
var static embed.FS

// versions are the hashes of the static files. They are part of their addresses, so that a browser
// may keep a file for ever and still sees a new one at once.
var versions = func() map[string]string {
	names := map[string]string{}
	entries, err := static.ReadDir("static")
	if err != nil { // it is embedded
		panic(err)
	}
	for _, entry := range entries {
		content, err := static.ReadFile("static/" + entry.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(content)
		names[entry.Name()] = hex.EncodeToString(sum[:6])
	}
	return names
}()

var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

// asset is the address of a static file.
func asset(name string) string { return "/admin/static/" + name + "?v=" + versions[name] }

func serveStatic(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if versions[name] == "" {
		http.NotFound(w, r)
		return
	}
	content, err := static.ReadFile("static/" + name)
	if err != nil { // it is embedded
		panic(err)
	}
	w.Header().Set("Content-Type", contentTypes[path.Ext(name)])
	w.Header().Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == versions[name] {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	_, _ = w.Write(content)
}
