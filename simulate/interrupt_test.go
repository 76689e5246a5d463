package simulate

import (
	"context"
	"errors"
	"testing"
)

// countdown is a context that ends after it has been asked left times.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestHistoryEndsWithItsContext: a history asks again and again whether it is to go on,
// until it is judged, and is otherwise what it would be.
func TestHistoryEndsWithItsContext(t *testing.T) {
	const most = 1 << 30
	cfg := Config{Profile: Mixed, Seed: 1, Steps: 40}
	all := &countdown{t.Context(), most}
	if _, err := Run(all, cfg); err != nil {
		t.Fatal(err)
	}
	asked := most - all.left
	if asked < 2*cfg.Steps {
		t.Errorf("asked %d times", asked)
	}
	for _, n := range []int{0, 1, asked / 2, asked - 1} {
		if stats, err := Run(&countdown{t.Context(), n}, cfg); !errors.Is(err, context.Canceled) || stats.Histories != 0 {
			t.Errorf("after being asked %d times: %v", n, err)
		}
	}
}

// TestShrinkEndsWithItsContext: what could be shortened stays as it is.
func TestShrinkEndsWithItsContext(t *testing.T) {
	f := &Failure{Config: Config{Profile: Tree, Seed: 1, Steps: 4}, Step: 4, Rule: "made up"}
	ctx := &countdown{t.Context(), 0}
	if Shrink(ctx, f) != f || ctx.left < -20 {
		t.Errorf("asked %d times", -ctx.left)
	}
}
