package ldif

// The limits of a Reader that was given none.
const (
	DefaultMaxLine   = 64 << 20
	DefaultMaxRecord = 256 << 20
)

// Option changes how a Reader reads.
type Option func(*options)

type options struct {
	file      string
	maxLine   int
	maxRecord int
	maxFile   int64
	lenient   bool
}

// WithName makes errors name the file.
func WithName(file string) Option { return func(o *options) { o.file = file } }

// WithMaxLine limits a line, its folded parts joined, to n bytes.
func WithMaxLine(n int) Option { return func(o *options) { o.maxLine = n } }

// WithMaxRecord limits a record to n bytes, each line counted as 64 bytes more
// than it has. What a Reader holds is within a small multiple of it.
func WithMaxRecord(n int) Option { return func(o *options) { o.maxRecord = n } }

// WithFileURLs reads values given as file: URLs from the local disk, regular
// files of at most n bytes each. Never use it on text that others wrote.
func WithFileURLs(n int64) Option { return func(o *options) { o.maxFile = n } }

// Lenient reads as ldapadd does what is refused otherwise because something of
// it gets lost on the way:
//   - lines before the dn: and records without one are skipped,
//   - a version other than 1 is ignored,
//   - a carriage return within a line is dropped,
//   - a record may begin with a space,
//   - dn:, changetype: and control: in the wrong place are attributes, and any
//     text is an attribute description,
//   - an add or increment that gives no value is left out,
//   - a deleteoldrdn: that does not begin with 0 is 1,
//   - one line after newsuperior: is overlooked,
//   - what follows the padding of base64 is ignored.
func Lenient() Option { return func(o *options) { o.lenient = true } }

// odd returns nil if the reader is lenient, and else what is wrong.
func (o *options) odd(line int, format string, args ...any) error {
	if o.lenient {
		return nil
	}
	return wrong(line, format, args...)
}
