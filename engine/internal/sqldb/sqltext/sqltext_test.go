package sqltext_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"example.com/orderd/engine/internal/sqldb/sqltext"
)

func TestStatementsAreSplitOutsideTextAndComments(t *testing.T) {
	assert.Equal(t, []string{"CREATE TABLE a (x INT)", "INSERT INTO a VALUES ('; -- not'' a \\' comment', \"#;\", `;`)", "SELECT 1   2"},
		sqltext.Statements("-- first; comment\nCREATE TABLE a (x INT); # another;\n/* ; */\nINSERT INTO a VALUES ('; -- not'' a \\' comment', \"#;\", `;`);;\n;SELECT 1 /* ; */ 2"))
	assert.Empty(t, sqltext.Statements(" -- nothing\n ;"))
}

func TestOneLineKeepsWhatIsInQuotes(t *testing.T) {
	assert.Equal(t, "SELECT 'a\n b' , 1 FROM t", sqltext.OneLine(" SELECT\n  'a\n b' -- text\n  , 1\tFROM t "))
}
