package dit

// cache holds things by the ids of entries. In one transaction there are few as a
// rule: those are found sooner by looking at one after the other than in a map. Its
// zero value is empty and ready for use.
type cache[T any] struct {
	few  []cached[T]
	many map[ID]*T
}

type cached[T any] struct {
	id    ID
	value *T
}

// cachedFew is how many things there are before a map is made.
const cachedFew = 16

func (c *cache[T]) len() int { return len(c.few) + len(c.many) }

// get returns what is held for id, nil for nothing.
func (c *cache[T]) get(id ID) *T {
	for i := range c.few {
		if c.few[i].id == id {
			return c.few[i].value
		}
	}
	if len(c.many) == 0 {
		return nil
	}
	return c.many[id]
}

// put holds v for id, for which nothing is held.
func (c *cache[T]) put(id ID, v *T) {
	if len(c.few) < cachedFew {
		c.few = append(c.few, cached[T]{id, v})
		return
	}
	if c.many == nil {
		c.many = map[ID]*T{}
	}
	c.many[id] = v
}

// drop ceases to hold what is held for id.
func (c *cache[T]) drop(id ID) {
	for i := range c.few {
		if c.few[i].id == id {
			last := len(c.few) - 1
			c.few[i], c.few[last] = c.few[last], cached[T]{}
			c.few = c.few[:last]
			return
		}
	}
	delete(c.many, id)
}

// clear ceases to hold anything; memory is kept for some of what may come.
func (c *cache[T]) clear() {
	clear(c.few)
	c.few = c.few[:0]
	if len(c.many) > 0 {
		c.many = nil
	}
}
