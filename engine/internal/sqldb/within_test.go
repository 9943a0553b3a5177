package sqldb

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"example.com/orderd/engine/dberr"
)

func TestEndThatHangsDoesNotHangTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan error)
		began := time.Now()
		assert.Equal(t, dberr.ErrNoAnswer, within(commitLimit, func() error { return <-answer }))
		assert.Equal(t, commitLimit, time.Since(began))
		assert.False(t, dberr.Aborted(dberr.ErrNoAnswer), "such a commit is unknown")
		answer <- nil // it goes on and may end later
	})
}
