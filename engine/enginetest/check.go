package enginetest

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"
)

// check looks for anything that the machine's history cannot explain.
func check[S any](ctx context.Context, db *gorm.DB, kit Kit[S]) error {
	var mistakes []error
	var bad []struct {
		Machine, Subject string
		Version          int64
	}
	for what, query := range map[string]string{
		"history has a gap": `SELECT machine, subject, MAX(version) AS version FROM engine_transitions
			GROUP BY machine, subject HAVING MAX(version) <> COUNT(*) OR MIN(version) <> 1`,
		"messages are missing": `SELECT h.machine, h.subject, h.version FROM engine_transitions h
			LEFT JOIN engine_messages m ON m.machine = h.machine AND m.subject = h.subject AND m.version = h.version
			GROUP BY h.machine, h.subject, h.version, h.messages HAVING COUNT(m.ordinal) <> h.messages`,
	} {
		if err := db.WithContext(ctx).Raw(query).Scan(&bad).Error; err != nil {
			return err
		}
		for _, b := range bad {
			mistakes = append(mistakes, fmt.Errorf("%s %s at version %d: %s", b.Machine, b.Subject, b.Version, what))
		}
	}
	return errors.Join(mistakes...)
}
