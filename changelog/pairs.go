package changelog

// Pair is a key of a bucket with its value.
type Pair struct{ Key, Value []byte }

// Pairs reads from buckets what is no more than a few keys, into memory that it
// uses again. Its zero value is ready for use.
type Pairs struct {
	list []Pair
	max  int
	take func(key, value []byte) bool
}

// Under returns up to max of the keys of b that begin with prefix, in ascending
// order, with their values; valid until the next call and the next write.
func (p *Pairs) Under(b Bucket, prefix []byte, max int) []Pair {
	if p.take == nil {
		p.take = func(key, value []byte) bool {
			p.list = append(p.list, Pair{key, value})
			return len(p.list) < p.max
		}
	}
	p.list, p.max = p.list[:0], max
	b.Scan(prefix, nil, p.take)
	return p.list
}
