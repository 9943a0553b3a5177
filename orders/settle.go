package orders

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// settleMax bounds deciding one fact, so that one which gets no answer leaves time for the others.
const settleMax = 10 * time.Second

// Settle decides facts that are kept but undecided, at most limit of them: what a crash or an
// unavailable database left behind. It goes round, so that a fact that cannot be decided does not
// keep later ones waiting: the next pass goes on behind the last fact that this one has begun, however
// it ended. It returns how many it decided; the error joins those of the others.
func (s *Shop) Settle(ctx context.Context, limit int) (int, error) {
	s.settling.Lock()
	defer s.settling.Unlock()
	var facts []*Fact
	err := s.db.WithContext(ctx).Where("status = ? AND id > ?", FactReceived, s.settled).Order("id").Limit(limit).Find(&facts).Error
	if err != nil {
		return 0, fmt.Errorf("find undecided payment facts: %w", err)
	}
	decided := 0
	var failures []error
	for _, f := range facts {
		s.settled = f.ID
		deciding, cancel := context.WithTimeout(ctx, settleMax)
		err := s.decide(deciding, f)
		cancel()
		if err != nil {
			failures = append(failures, err)
		} else {
			decided++
		}
		if ctx.Err() != nil {
			return decided, errors.Join(failures...)
		}
	}
	if len(facts) < limit {
		s.settled = ""
	}
	return decided, errors.Join(failures...)
}
