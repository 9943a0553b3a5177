package once_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/once"
)

func jobs(t *testing.T, db *gorm.DB, c *clock) *once.Jobs {
	t.Helper()
	j, err := once.NewJobs(t.Context(), db, once.Config{Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// A daily job is done once a day, by one of many that ask at once; a failed run is no run.
func TestAJobIsDoneOnceInEachPeriod(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		c := newClock()
		daily := once.Job{Name: "clean", Every: 24 * time.Hour}
		broken := errors.New("on purpose")
		ran, err := jobs(t, db, c).Run(t.Context(), daily, func(context.Context) error { return broken })
		if ran || !errors.Is(err, broken) {
			t.Fatalf("%t, %v", ran, err)
		}
		var runs atomic.Int64
		work := func(context.Context) error { runs.Add(1); return nil }
		for day := range 3 {
			var said atomic.Int64
			var all sync.WaitGroup
			for range 12 {
				j := jobs(t, db, c)
				all.Go(func() {
					ran, err := j.Run(t.Context(), daily, work)
					if err != nil {
						t.Error(err)
					}
					if ran {
						said.Add(1)
					}
				})
			}
			all.Wait()
			if runs.Load() != int64(day+1) || said.Load() != 1 {
				t.Errorf("day %d: %d runs, %d said so", day, runs.Load(), said.Load())
			}
			c.pass(24 * time.Hour)
		}
		if ran, err := jobs(t, db, c).Run(t.Context(), once.Job{Name: "other", Every: time.Hour}, work); !ran || err != nil {
			t.Errorf("another job: %t, %v", ran, err)
		}
		var rows int64
		if err := db.Table("engine_jobs").Count(&rows).Error; err != nil || rows != 3 { // of the last period and the one before, and of the other job
			t.Errorf("%d rows are kept, %v", rows, err)
		}
	})
}

// A run whose process died is taken over after its time, by one; its late end changes nothing.
func TestADeadRunIsTakenOver(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		c := newClock()
		daily := once.Job{Name: "clean", Every: 24 * time.Hour, Limit: time.Minute}
		var others atomic.Int64
		ran, err := jobs(t, db, c).Run(t.Context(), daily, func(ctx context.Context) error {
			if end, bounded := ctx.Deadline(); !bounded || time.Until(end) > time.Minute {
				t.Error("the run is not bounded")
			}
			try := func(want bool) {
				ran, err := jobs(t, db, c).Run(t.Context(), daily, func(context.Context) error { others.Add(1); return nil })
				if ran != want || err != nil {
					t.Errorf("another process: %t, %v", ran, err)
				}
			}
			c.pass(59 * time.Second)
			try(false)
			c.pass(2 * time.Second)
			try(true)
			try(false)
			return errors.New("woke up and failed")
		})
		if ran || err == nil || others.Load() != 1 {
			t.Errorf("%t, %v, %d others", ran, err, others.Load())
		}
		if ran, err := jobs(t, db, c).Run(t.Context(), daily, func(context.Context) error { return nil }); ran || err != nil {
			t.Errorf("a third: %t, %v", ran, err)
		}
	})
}

// A job that was done stays done, though its caller's time was over when it was to be noted.
func TestAJobThatWasDoneStaysDone(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		c := newClock()
		daily := once.Job{Name: "clean", Every: 24 * time.Hour, Limit: time.Minute}
		ctx, cancel := context.WithCancel(t.Context())
		ran, err := jobs(t, db, c).Run(ctx, daily, func(context.Context) error { cancel(); return nil })
		if !ran || err != nil {
			t.Fatalf("%t, %v", ran, err)
		}
		c.pass(time.Hour)
		again := func(context.Context) error { t.Error("done again"); return nil }
		if ran, err := jobs(t, db, c).Run(t.Context(), daily, again); ran || err != nil {
			t.Errorf("%t, %v", ran, err)
		}
	})
}

// Work that panics gives its claim back: the job is done by whoever asks next. So it is with a message.
func TestWorkThatPanicsIsDoneByTheNext(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		c := newClock()
		daily := once.Job{Name: "clean", Every: 24 * time.Hour}
		panics := func(run func() error) (value any) {
			defer func() { value = recover() }()
			return fmt.Sprint("no panic: ", run())
		}
		got := panics(func() error {
			_, err := jobs(t, db, c).Run(t.Context(), daily, func(context.Context) error { panic("boom") })
			return err
		})
		if got != "boom" {
			t.Errorf("the panic of a job: %v", got)
		}
		if ran, err := jobs(t, db, c).Run(t.Context(), daily, func(context.Context) error { return nil }); !ran || err != nil {
			t.Errorf("the next run: %t, %v", ran, err)
		}
		box := inbox(t, db, "mail", c)
		got = panics(func() error {
			_, err := box.Do(t.Context(), "m1", func(*gorm.DB) error { panic("boom") })
			return err
		})
		if got != "boom" {
			t.Errorf("the panic of work on a message: %v", got)
		}
		if done, err := box.Do(t.Context(), "m1", func(*gorm.DB) error { return nil }); !done || err != nil {
			t.Errorf("the next delivery: %t, %v", done, err)
		}
	})
}
