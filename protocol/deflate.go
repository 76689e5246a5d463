package protocol

import (
	"bytes"
	"compress/zlib"
	"io"
)

// inflateBound is how many octets z octets of zlib may become. A batch that
// compresses better than this is sent with less compression.
func inflateBound(z int) int { return 1<<20 + 256*z }

// deflate returns the zlib form (RFC 1950) of doc, within inflateBound.
func deflate(doc []byte) []byte {
	z := deflateLevel(doc, zlib.DefaultCompression)
	if len(doc) > inflateBound(len(z)) {
		z = deflateLevel(doc, zlib.NoCompression)
	}
	return z
}

func deflateLevel(doc []byte, level int) []byte {
	var b bytes.Buffer
	// The level is valid and a bytes.Buffer never fails.
	w, _ := zlib.NewWriterLevel(&b, level)
	_, _ = w.Write(doc)
	_ = w.Close()
	return b.Bytes()
}

// inflate is the inverse of deflate; the result has at most size octets.
func inflate(z []byte, size int) ([]byte, error) {
	in := bytes.NewReader(z)
	r, err := zlib.NewReader(in)
	if err != nil {
		return nil, malformed("zlib: %v", err)
	}
	size = min(size, inflateBound(len(z)))
	doc, err := io.ReadAll(io.LimitReader(r, int64(size)+1))
	switch {
	case err != nil:
		return nil, malformed("zlib: %v", err)
	case len(doc) > size:
		return nil, malformed("zlib: more than %d octets in %d", size, len(z))
	case in.Len() > 0:
		return nil, malformed("zlib: octets after the end")
	}
	return doc, nil
}
