package admin

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"example.com/orderd/engine"
	"example.com/orderd/orders"
)

// pageRows is how many orders one page of the list has.
const pageRows = 50

// tabs group the states by what staff does about them.
var tabs = []struct {
	name   string
	states []engine.State
}{
	{"All", nil},
	{"Unpaid", []engine.State{orders.OrderPlaced, orders.OrderPartlyPaid}},
	{"To ship", []engine.State{orders.OrderPaid, orders.OrderPartlyShipped}},
	{"On the way", []engine.State{orders.OrderShipped}},
	{"Delivered", []engine.State{orders.OrderDelivered, orders.OrderCompleted}},
	{"Coming back", []engine.State{orders.OrderReturning, orders.OrderRefunding, orders.OrderRefunded}},
	{"Ended", []engine.State{orders.OrderCancelled, orders.OrderExpired}},
}

// tabView is a link that filters by states.
type tabView struct {
	Name    string
	URL     string
	Current bool
	Tone    string
}

type listView struct {
	Tabs    []tabView
	Narrow  []tabView // the single states of the tab
	State   string    // as in the URL
	Query   string
	Orders  []orders.Order
	Now     time.Time
	First   string // URL of the first page, "" on it
	Next    string // URL of the next page, "" on the last one
	Problem string
	All     string // URL without filters
}

// Filtered tells whether anything is filtered away.
func (v listView) Filtered() bool { return v.State != "" || v.Query != "" }

// listURL is the address of a list.
func listURL(state, query, cursor string) string {
	q := url.Values{}
	for name, value := range map[string]string{"state": state, "q": query, "cursor": cursor} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if len(q) == 0 {
		return "/admin/orders"
	}
	return "/admin/orders?" + q.Encode()
}

// orders shows the list of orders.
func (a *admin) orders(w http.ResponseWriter, r *http.Request) {
	state, query, cursor := r.FormValue("state"), strings.TrimSpace(r.FormValue("q")), r.FormValue("cursor")
	filter := orders.OrderFilter{State: parseStates(state), Query: query, Limit: pageRows, Cursor: cursor}
	view := listView{State: state, Query: query, Now: a.Now(), All: listURL("", "", "")}
	view.Tabs, view.Narrow = tabsOf(filter.State, query)
	if cursor != "" {
		view.First = listURL(state, query, "")
	}
	page, err := a.Shop.Orders(r.Context(), filter)
	status := http.StatusOK
	switch wrong, isInput := asBadInput(err); {
	case isInput:
		view.Problem, status = wrong, http.StatusBadRequest
	case err != nil:
		a.failed(w, r, err)
		return
	}
	view.Orders = page.Data
	if page.NextCursor != "" {
		view.Next = listURL(state, query, page.NextCursor)
	}
	a.render(w, r, status, "Orders", ordersPage(view))
}

func parseStates(list string) []engine.State {
	if list == "" {
		return nil
	}
	var all []engine.State
	for state := range strings.SplitSeq(list, ",") {
		all = append(all, engine.State(state))
	}
	return all
}

func joinStates(states []engine.State) string {
	names := make([]string, len(states))
	for i, s := range states {
		names[i] = string(s)
	}
	return strings.Join(names, ",")
}

// tabsOf marks the tab that has the chosen states, and lists its states one by one if it has several.
func tabsOf(chosen []engine.State, query string) (all, narrow []tabView) {
	for _, t := range tabs {
		inside := len(t.states) > 0 && len(chosen) > 0
		for _, s := range chosen {
			inside = inside && slices.Contains(t.states, s)
		}
		current := inside || len(chosen) == 0 && len(t.states) == 0
		all = append(all, tabView{Name: t.name, URL: listURL(joinStates(t.states), query, ""), Current: current})
		if !inside || len(t.states) < 2 {
			continue
		}
		narrow = append(narrow, tabView{
			Name: "All of these", URL: listURL(joinStates(t.states), query, ""), Current: len(chosen) == len(t.states),
		})
		for _, s := range t.states {
			narrow = append(narrow, tabView{
				Name: label(s), URL: listURL(string(s), query, ""), Tone: tone(s), Current: len(chosen) == 1 && chosen[0] == s,
			})
		}
	}
	return all, narrow
}
