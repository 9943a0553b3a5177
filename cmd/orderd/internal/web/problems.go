package web

import (
	"net/http"

	"example.com/orderd/cmd/orderd/internal/problem"
)

// Problems serves /problems/{code}: cause and remedy of each problem. Its details are explained on
// the same page; /problems/{detail} leads there.
func Problems(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("code")
	var kinds []problem.Kind
	for _, k := range problem.Kinds {
		if string(k.Code) == name {
			kinds = append(kinds, k)
		}
		if k.Detail != "" && string(k.Detail) == name {
			http.Redirect(w, r, "/problems/"+string(k.Code)+"#"+name, http.StatusFound)
			return
		}
	}
	if len(kinds) == 0 {
		problem.New(problem.NotFound, "there is no such problem").Write(w)
		return
	}
	render(w, http.StatusOK, "problem.html", map[string]any{"Title": name, "Kinds": kinds, "Codes": problem.Codes()})
}

// ProblemList serves /problems/: all of them.
func ProblemList(w http.ResponseWriter, _ *http.Request) {
	render(w, http.StatusOK, "problem.html", map[string]any{
		"Title": "Problems", "Kinds": problem.Kinds, "Codes": problem.Codes(),
	})
}
