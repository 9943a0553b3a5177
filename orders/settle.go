package orders

import (
	"context"
	"errors"
	"fmt"
)

// Settle decides facts that are kept but undecided, at most limit of them: what a crash or an
// unavailable database left behind. It goes round, so that a fact that cannot be decided does not
// keep later ones waiting. It returns how many it decided; the error joins those of the others.
func (s *Shop) Settle(ctx context.Context, limit int) (int, error) {
	s.settling.Lock()
	defer s.settling.Unlock()
	var facts []*Fact
	err := s.db.Gorm(ctx).Where("status = ? AND id > ?", FactReceived, s.settled).Order("id").Limit(limit).Find(&facts).Error
	if err != nil {
		return 0, fmt.Errorf("find undecided payment facts: %w", err)
	}
	decided := 0
	var failures []error
	for _, f := range facts {
		if err := s.decide(ctx, f); err != nil {
			failures = append(failures, err)
		} else {
			decided++
		}
		if ctx.Err() != nil {
			break
		}
		s.settled = f.ID
	}
	if len(facts) < limit {
		s.settled = ""
	}
	return decided, errors.Join(failures...)
}
