package admin_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/orderd/cmd/orderd/internal/auth"
)

func TestTheListFilters(t *testing.T) {
	s := start(t)
	b := s.as(auth.Viewer)
	require.Contains(t, b.get("/admin/orders").text, "No orders yet")

	placed, paid := s.place("ada"), s.paid("grace")
	shows := func(path string, yes, no string) {
		t.Helper()
		p := b.get(path)
		require.Equal(t, http.StatusOK, p.status)
		require.Contains(t, p.text, "/admin/orders/"+yes)
		require.NotContains(t, p.text, "/admin/orders/"+no)
	}
	shows("/admin/orders?state=placed,partly_paid", placed.ID, paid.ID)
	shows("/admin/orders?state=paid", paid.ID, placed.ID)
	shows("/admin/orders?q=grac", paid.ID, placed.ID)
	shows("/admin/orders?q="+placed.ID, placed.ID, paid.ID)

	p := b.get("/admin/orders?state=paid&q=ada")
	require.Contains(t, p.text, "No such orders")
	require.Contains(t, p.text, `value="ada"`, "the search keeps its text")
	require.Contains(t, p.text, `name="state" value="paid"`, "and its state")
	require.Contains(t, p.text, "q=ada&amp;state=shipped", "tabs keep the search")

	require.Equal(t, http.StatusBadRequest, b.get("/admin/orders?state=nonsense").status)
	require.Equal(t, http.StatusBadRequest, b.get("/admin/orders?cursor=nonsense").status)
	require.Equal(t, http.StatusNotFound, b.get("/admin/orders/ord_nobody").status)
	require.Equal(t, http.StatusNotFound, b.get("/admin/nothing").status)
}

var rows = regexp.MustCompile(`href="/admin/orders/(ord_[^"]+)"`)

func TestTheListHasPages(t *testing.T) {
	s := start(t)
	b := s.as(auth.Viewer)
	for i := range 60 {
		s.place(fmt.Sprintf("many-%02d", i))
	}
	seen := map[string]bool{}
	path := "/admin/orders?q=many&state=placed"
	for range 2 {
		p := b.get(path)
		require.Equal(t, http.StatusOK, p.status)
		for _, found := range rows.FindAllStringSubmatch(p.text, -1) {
			require.False(t, seen[found[1]])
			seen[found[1]] = true
		}
		next := regexp.MustCompile(`rel="next" href="([^"]+)"`).FindStringSubmatch(p.text)
		if next == nil {
			break
		}
		path = strings.ReplaceAll(next[1], "&amp;", "&")
		u, err := url.Parse(path)
		require.NoError(t, err)
		require.Equal(t, "many", u.Query().Get("q"))
		require.Equal(t, "placed", u.Query().Get("state"))
	}
	require.Len(t, seen, 60)
}
