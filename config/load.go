package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile is the size in bytes beyond which a settings file is not read.
const maxFile = 1 << 20

// loader gathers what the files and the environment set, and every problem.
type loader struct {
	path   string
	env    map[string]string
	places map[string]place
	rank   map[string]int
	// broken says that something was not understood at all, so that what
	// follows from its absence is not worth reporting.
	broken   bool
	problems []Problem
}

func newLoader(path string, env []string) *loader {
	l := &loader{path: path, env: map[string]string{}, places: map[string]place{}, rank: map[string]int{}}
	for _, kv := range env {
		if k, v, found := strings.Cut(kv, "="); found {
			l.env[k] = v
		}
	}
	return l
}

// files returns the main file and its additions, in reading order.
func (l *loader) files() []string {
	more, err := filepath.Glob(filepath.Join(filepath.Dir(l.path), "conf.d", "*.yml"))
	if err != nil {
		l.report(place{file: l.path}, "", fmt.Sprintf("conf.d: %v", err), "")
	}
	return append([]string{l.path}, more...)
}

func (l *loader) readFile(file string, cfg *Config) {
	l.rank[file] = len(l.rank)
	b, err := readLimited(file)
	if err != nil {
		l.brokenFile(file, 0, err)
		return
	}
	dec := yaml.NewDecoder(strings.NewReader(string(b)))
	var doc, second yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return
	} else if err != nil {
		line, text := yamlError(err)
		l.brokenFile(file, line, errors.New(text))
		return
	}
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		l.brokenFile(file, second.Line, errors.New("more than one YAML document"))
		return
	}
	d := decoder{loader: l, file: file}
	for _, root := range doc.Content {
		d.mapping(root, reflect.ValueOf(cfg).Elem(), "")
	}
}

func (l *loader) brokenFile(file string, line int, err error) {
	l.broken = true
	hint := ""
	var pe *os.PathError
	if errors.As(err, &pe) {
		err = pe.Err
		if errors.Is(err, os.ErrNotExist) {
			hint = "ldapsync config sample > " + file
		}
	}
	l.report(place{file, line}, "", err.Error(), hint)
}

func readLimited(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("larger than %d bytes", maxFile)
	}
	return b, err
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// yamlError takes apart the text of a syntax error of the YAML package.
func yamlError(err error) (line int, text string) {
	m := yamlLine.FindStringSubmatch(strings.ReplaceAll(err.Error(), "\n", " "))
	if m == nil {
		return 0, err.Error()
	}
	line, _ = strconv.Atoi(m[1])
	return line, m[2]
}
