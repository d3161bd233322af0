package clientsfile

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// problem is a finding before it is known whose it is.
type problem struct {
	line, column  int
	path, message string
}

// maxNodes keeps aliases of aliases from becoming a tree that nothing can walk through.
const maxNodes = 200_000

// maxDepth is how many brackets may be open at once, and how many of - ? & ! a line may have: the parser calls itself
// for each. What is indented deeper needs long lines, so there cannot be too much of it.
const maxDepth = 100

// tooDeep returns the line in which the values are too deep, or 0.
func tooDeep(tokens token.Tokens) int {
	open, line, inLine := 0, 0, 0
	for _, t := range tokens {
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			open++
		case token.SequenceEndType, token.MappingEndType:
			open--
		case token.SequenceEntryType, token.MappingKeyType, token.AnchorType, token.TagType:
			if t.Position.Line != line {
				line, inLine = t.Position.Line, 0
			}
			inLine++
		}
		if open > maxDepth || inLine > maxDepth {
			return t.Position.Line
		}
	}
	return 0
}

// secondDocument returns where a further document begins that has something in it, or nil. It looks at the tokens,
// since the parser drops whatever comes after an empty document.
func secondDocument(tokens token.Tokens) *token.Token {
	var header *token.Token
	begun, further, directive := false, false, 0
	for _, t := range tokens {
		switch {
		case t.Type == token.CommentType, t.Position.Line == directive:
		case t.Type == token.DirectiveType:
			directive = t.Position.Line
		case t.Type == token.DocumentHeaderType:
			further, begun, header = further || begun, true, t
		case t.Type == token.DocumentEndType:
			further, header = further || begun, nil
		case further && header != nil:
			return header
		case further:
			return t
		default:
			begun = true
		}
	}
	return nil
}

var errTooLarge = errors.New("has too many values: are there aliases of aliases of aliases?")

// builder makes the tree of a document.
type builder struct {
	anchors  map[string]*node // nil while one is being made
	nodes    int
	problems []problem
}

func (b *builder) add(t *token.Token, path, format string, args ...any) {
	b.problems = append(b.problems, problem{t.Position.Line, t.Position.Column, path, fmt.Sprintf(format, args...)})
}

// parse reads the file's text into a tree. Whatever is not YAML is one problem, whose message shows nothing of the
// text: a key or password may have been pasted there.
func parse(data []byte) (root *node, problems []problem) {
	data, p := plainText(data)
	if p != nil {
		return nil, []problem{*p}
	}
	defer func() {
		switch recover() {
		case nil:
		case errTooLarge:
			root, problems = nil, []problem{{line: 1, message: errTooLarge.Error()}}
		default: // the parser's own fault
			root, problems = nil, []problem{{line: 1, message: "cannot be read as YAML"}}
		}
	}()
	tokens := lexer.Tokenize(string(data))
	if line := tooDeep(tokens); line > 0 {
		return nil, []problem{{line: line, message: fmt.Sprintf("has values inside one another more than %d deep",
			maxDepth)}}
	}
	if t := secondDocument(tokens); t != nil {
		return nil, []problem{{t.Position.Line, t.Position.Column, "", "begins a second document (---), which would " +
			"not be read: remove the line, or put what follows into a file of its own"}}
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, []problem{syntaxProblem(data, err)}
	}
	var body ast.Node
	for _, d := range file.Docs {
		if d.Body != nil && d.Body.Type() != ast.CommentType && d.Body.Type() != ast.DirectiveType && body == nil {
			body = d.Body
		}
	}
	if body == nil {
		return nil, []problem{{line: 1, message: "is empty: it needs stack and clients"}}
	}
	b := &builder{anchors: map[string]*node{}}
	root = b.build(body, "")
	return root, b.problems
}

// plainText is the text without a byte order mark, or why it is none.
func plainText(data []byte) ([]byte, *problem) {
	const save = "save it as UTF-8"
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) ||
		len(data) > 1 && (data[0] == 0 || data[1] == 0) {
		return nil, &problem{line: 1, message: "is UTF-16 or UTF-32: " + save}
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	for i, line := range bytes.Split(data, []byte("\n")) {
		at := func(r func(rune) bool) int { return bytes.IndexFunc(line, r) + 1 }
		switch {
		case !utf8.Valid(line):
			return nil, &problem{line: i + 1, message: "has a character that is not UTF-8: " + save}
		case at(func(r rune) bool { return r < ' ' && r != '\t' && r != '\r' || r == 0x7f }) > 0:
			return nil, &problem{line: i + 1, message: "has a control character: remove it"}
		}
		indent := bytes.TrimLeft(line, " ")
		if r, _ := utf8.DecodeRune(indent); r == '\ufeff' || r == '\u200b' || r != '\r' && r != '\t' &&
			unicode.IsSpace(r) {
			return nil, &problem{i + 1, len(line) - len(indent) + 1, "",
				"is indented with a character that looks like a space and is none: use spaces"}
		}
	}
	return data, nil
}

var digits = regexp.MustCompile(`^[-+]?[0-9]+$`)

// quoted is what a parser's message shows of the text.
var quoted = regexp.MustCompile("\"[^\"]*\"|`[^`]*`")

// privateKey is how a private key in PEM begins.
const privateKey = "PRIVATE KEY-----"

func syntaxProblem(data []byte, err error) problem {
	var e yaml.Error
	if !errors.As(err, &e) || e.GetToken() == nil {
		return problem{line: 1, message: "is not YAML"}
	}
	at := e.GetToken().Position
	lines := strings.Split(string(data), "\n")
	for i, line := range lines {
		if strings.Contains(line, privateKey) {
			return problem{line: i + 1, message: isSecret}
		}
		if i < at.Line && strings.HasPrefix(strings.TrimLeft(line, " "), "\t") && strings.TrimSpace(line) != "" {
			return problem{line: i + 1, column: 1, message: "is not YAML: is indented with a tab; use spaces"}
		}
	}
	what := strings.Join(strings.Fields(quoted.ReplaceAllString(e.GetMessage(), "")), " ")
	return problem{at.Line, at.Column, "", "is not YAML (" + what + "): look at the indentation here and above, " +
		"and put " +
		"a value with : # { } [ ] & * ! % @ in quotes"}
}

// build makes the node of a value. path is where it is written.
func (b *builder) build(value ast.Node, path string) *node {
	before := b.nodes
	if b.nodes++; b.nodes > maxNodes {
		panic(errTooLarge)
	}
	t := value.GetToken()
	n := &node{path: path, line: t.Position.Line, column: t.Position.Column, kind: text}
	switch v := value.(type) {
	case *ast.NullNode:
		n.kind = null
	case *ast.BoolNode:
		n.kind, n.scalar = boolean, fmt.Sprint(v.Value)
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		n.kind, n.scalar = number, t.Value
	case *ast.StringNode:
		n.scalar = v.Value
		if t.Type == token.StringType && digits.MatchString(v.Value) { // 012345678901: the parser leaves it a text
			n.kind = number
		}
	case *ast.LiteralNode:
		n.scalar = v.Value.Value
	case *ast.SequenceNode:
		n.kind = list
		for i, item := range v.Values {
			n.items = append(n.items, b.build(item, fmt.Sprintf("%s[%d]", path, i)))
		}
	case *ast.MappingNode:
		b.members(n, v.Values)
	case *ast.MappingValueNode:
		b.members(n, []*ast.MappingValueNode{v})
	case *ast.AnchorNode:
		name := v.Name.GetToken().Value
		b.anchors[name] = nil
		n = b.build(v.Value, path)
		b.anchors[name] = n
	case *ast.AliasNode:
		if known := b.anchors[v.Value.GetToken().Value]; known != nil {
			b.nodes += known.size
			return known
		}
		b.add(t, path, "is an alias (*…) of no anchor (&…) above it: a text that begins with * must be in quotes")
		n.kind = null
	default: // tags among them
		b.add(t, path, "is not allowed here: a text that begins with ! must be in quotes")
		n.kind = null
	}
	n.size = b.nodes - before
	return n
}

// members reads the members of an object: what is merged into it (<<) counts where it has none of its own.
func (b *builder) members(n *node, values []*ast.MappingValueNode) {
	n.kind, n.members = object, map[string]member{}
	var merged []*node
	merges := 0
	for _, v := range values {
		t := v.Key.GetToken()
		if v.Key.Type() == ast.MergeKeyType {
			if merges++; merges > 1 {
				b.add(t, n.path, "merges (<<) twice: write <<: [*one, *other]")
			}
			merged = append(merged, b.mergedInto(n, v.Value)...)
			continue
		}
		name := t.Value
		if _, complex := v.Key.(*ast.MappingKeyNode); complex {
			b.add(t, n.path, "has a name that begins with ?: write NAME: VALUE")
			continue
		}
		if before, has := n.members[name]; has {
			b.add(t, joinPath(n.path, showName(name)), "is given twice, in line %d too", before.line)
			continue
		}
		value := b.build(v.Value, joinPath(n.path, showName(name)))
		if m := (member{t.Position.Line, t.Position.Column, value}); v.Value.Type() != ast.AliasType {
			if value.kind == object || value.kind == list || value.kind == null {
				value.line, value.column = m.line, m.column
			}
		}
		n.members[name] = member{t.Position.Line, t.Position.Column, value}
	}
	for _, from := range merged {
		for name, m := range from.members {
			if _, has := n.members[name]; !has {
				n.members[name] = m
			}
		}
	}
}

// mergedInto are the objects that a merge key names.
func (b *builder) mergedInto(n *node, value ast.Node) []*node {
	from := b.build(value, n.path)
	all := []*node{from}
	if from.kind == list {
		all = from.items
	}
	for _, x := range all {
		if x.kind != object && x.kind != null {
			b.add(value.GetToken(), n.path, "merges (<<) %s: only objects can be merged, as in <<: *anchor", x.kind)
			return nil
		}
	}
	return all
}
