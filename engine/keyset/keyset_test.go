package keyset_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/keyset"
)

type leaf struct {
	Tree  string    `gorm:"size:64;primaryKey"`
	Twig  int64     `gorm:"primaryKey"`
	Name  string    `gorm:"size:64;primaryKey"`
	Grown time.Time `gorm:"precision:6"`
}

func (l leaf) key() []any { return []any{l.Grown, l.Tree, l.Twig, l.Name} }

var leaves = keyset.List{keyset.Time("grown"), keyset.Text("tree", 64), keyset.Int("twig"), keyset.ID("name", 64)}

// Pages of every size are the whole list, in its order, each row once, also while rows come and go around it.
func TestPagesAreTheList(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		require.NoError(t, db.AutoMigrate(&leaf{}))
		began := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
		var all []leaf
		for i := range 60 {
			all = append(all, leaf{fmt.Sprintf("tree é\"%d", i%2), int64(i % 3), fmt.Sprint("l", i), began.Add(time.Duration(i%4) * time.Microsecond)})
		}
		require.NoError(t, db.Create(&all).Error)
		var want []string
		require.NoError(t, db.Model(&leaf{}).Order("grown DESC, tree DESC, twig DESC, name DESC").Pluck("name", &want).Error)
		for _, limit := range []int{1, 2, 7, 59, 60, 61, 0} {
			var got []string
			cursor := ""
			for pages := 0; pages == 0 || cursor != ""; pages++ {
				part, err := leaves.Next(cursor, limit, "filter")
				require.NoError(t, err)
				var rows []leaf
				require.NoError(t, db.Where(part.Where, part.Args...).Order(part.Order).Limit(part.Limit+1).Find(&rows).Error)
				rows, cursor = keyset.Cut(part, rows, leaf.key)
				for _, r := range rows {
					got = append(got, r.Name)
				}
				require.LessOrEqual(t, pages, 60)
			}
			require.True(t, slices.Equal(want, got), "limit %d: %v", limit, got)
		}
	})
}

func TestAListOfOneColumn(t *testing.T) {
	list := keyset.List{keyset.ID("id", 8)}
	part, err := list.Next("", 5, nil)
	require.NoError(t, err)
	next, err := list.Next(part.Cursor("abc"), 5, nil)
	require.NoError(t, err)
	require.Equal(t, "id < ?", next.Where)
	require.Equal(t, []any{"abc"}, next.Args)
}

func TestWhatIsNoCursorIsRefused(t *testing.T) {
	part, err := leaves.Next("", 1, "filter")
	require.NoError(t, err)
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	good := part.Cursor(at, "tree", int64(1), "name")
	_, err = leaves.Next(good, 1, "filter")
	require.NoError(t, err)
	raw := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	for what, cursor := range map[string]string{
		"nonsense": "nonsense!", "not strict": good + "A", "padded": good + "=", "long": strings.Repeat("A", 5000), "empty": raw("{}"),
		"fewer columns": part.Cursor(at, "tree", int64(1)), "more": part.Cursor(at, "tree", int64(1), "name", "x"),
		"a far time": part.Cursor(math.MaxInt64, "tree", int64(1), "name"), "a past one": part.Cursor(math.MinInt64, "tree", int64(1), "name"),
		"the year 9999": part.Cursor(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), "tree", int64(1), "name"),
		"a control":     part.Cursor(at, "tr\x00ee", int64(1), "name"), "a long text": part.Cursor(at, strings.Repeat("x", 65), int64(1), "name"),
		"a text for a number": part.Cursor(at, "tree", "1", "name"), "a number for a text": part.Cursor(at, int64(1), int64(1), "name"),
		"a fraction": part.Cursor(at, "tree", 1.5, "name"), "nothing": part.Cursor(at, nil, int64(1), "name"),
		"no id": part.Cursor(at, "tree", int64(1), ""), "an odd id": part.Cursor(at, "tree", int64(1), "n é"),
		"a second field": raw(`{"k":[],"k":[]}`), "an unknown field": raw(`{"k":[],"x":1}`),
	} {
		_, err := leaves.Next(cursor, 1, "filter")
		var wrong *engine.RequestError
		require.True(t, errors.As(err, &wrong), what)
		require.Equal(t, "cursor", wrong.Field, what)
		require.NotContains(t, wrong.Problem, "filter", what)
	}
	for _, filter := range []any{nil, "another"} {
		_, err := leaves.Next(good, 1, filter)
		require.ErrorContains(t, err, "made for another filter")
	}
	for _, limit := range []int{-1, 201} {
		_, err := leaves.Next("", limit, nil)
		require.ErrorContains(t, err, "limit: want 1 to 200")
	}
}
