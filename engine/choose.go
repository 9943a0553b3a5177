package engine

import "context"

// choose takes the first of several edges whose guards all pass. If none does, it returns everything
// that was refused; if a guard panics, that panic. Each guard gets a copy of the row of its own,
// the last of which stays in c.
func choose(ctx context.Context, edges []*edge, c *call, copyRow func(any) (any, error)) (*edge, []Refused, error) {
	var refused []Refused
	original := c.subject
	for _, e := range edges {
		passed := true
		c.to = e.to
		for _, g := range e.guards {
			var no error
			var err error
			if c.subject, err = copyRow(original); err != nil {
				return nil, nil, err
			}
			if err := panicAsError(g.name, func() error { no = g.check(c); return nil }); err != nil {
				return nil, nil, err
			}
			if no != nil {
				passed = false
				refused = append(refused, Refused{Guard: g.name, Reason: no.Error()})
			}
		}
		if passed {
			return e, nil, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
	}
	return nil, refused, nil
}
