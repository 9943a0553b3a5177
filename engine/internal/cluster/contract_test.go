package cluster

import (
	"testing"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/internal/conformance"
	"example.com/orderd/engine/mysqldb"
)

// Requests that go to the nodes in turn get the answers that one node would give.
func TestAnswersDoNotHangOnTheNode(t *testing.T) {
	var nodes []*gorm.DB
	conformance.Outcomes(t, conformance.Setup{
		Open: func(t *testing.T) *gorm.DB {
			nodes = enginetest.Galera(t).Open(t)
			return nodes[0]
		},
		Further: func(*testing.T) []*gorm.DB { return nodes[1:] },
	})
}

// A storm whose callers are spread over the nodes moves each step once.
func TestAStormOverThreeNodes(t *testing.T) {
	f := newFleet(t)
	enginetest.Storm(t, f.dbs[0], enginetest.Kit[crate]{
		Machine: f.machine,
		New:     func(n int) *crate { return &crate{ID: f.key().Seq} },
		Engine: func(db *gorm.DB) (*engine.Engine, engine.Applier, error) {
			e, err := engine.New(db, engine.Config{}, f.machine) // the one whose connections break
			return e, enginetest.InTurn(e, f.engines[1], f.engines[2]), err
		},
	}, enginetest.Storms{Callers: 12, Duplicates: 12})
	f.check()
}

// A commit of another node aborts a transaction before any of its calls. What is answered then is true,
// and nothing is half there.
func TestACommitOfAnotherNodeBeforeEachCall(t *testing.T) {
	for name, opts := range map[string][]mysqldb.Option{"as it comes": nil, "statement by statement": {mysqldb.Packets(false)}} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t)
			shaken, calls := enginetest.NewFaulty(f.Open(t, opts...)[0], nil)
			e := f.engine(shaken)
			const callsMax = 12
			beaten := 0
			for at := 1; at <= callsMax; at++ {
				id := f.make(0)
				f.Settle(t)
				var other engine.Result
				calls.Decide(func(n int, _ enginetest.CallKind, _ string) enginetest.Fault {
					if n == at {
						other = f.insist(1, f.request("ship", id))
						f.Settle(t) // node 0 has it, too, and has aborted what is in its way
					}
					return enginetest.NoFault
				})
				mine := f.askAt(e, f.request("cancel", id))
				happened := calls.Calls() >= at
				calls.Decide(nil)
				switch {
				case !happened:
					other = f.insist(1, f.request("ship", id))
					fallthrough
				case other.Outcome == engine.Stale:
					if mine.Outcome != engine.Applied || other.Outcome != engine.Stale {
						t.Errorf("call %d: cancel is answered %s, and ship later %s", at, mine.Outcome, other.Outcome)
					}
				default:
					beaten++
					if mine.Outcome != engine.Stale || other.Outcome != engine.Applied {
						t.Errorf("call %d: cancel is answered %s (%v), and ship on another node %s", at, mine.Outcome, mine.Err(), other.Outcome)
					}
				}
			}
			if beaten == 0 {
				t.Error("no commit of another node came first")
			}
			f.check()
		})
	}
}
