package dynamodb

import (
	"maps"
	"slices"
	"strings"
)

// maxExpression is the longest expression in bytes (developer guide, "Quotas").
const maxExpression = 4096

// token is a word, #name, :value, number or symbol of an expression; "" is its end.
type token string

func (t token) isWord() bool { return t != "" && isLetter(t[0]) }

func (t token) is(keyword string) bool { return strings.EqualFold(string(t), keyword) }

func (t token) String() string {
	if t == "" {
		return "<EOF>"
	}
	return string(t)
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isWordPart(c byte) bool { return isLetter(c) || isDigit(c) || c == '_' }

// placeholders is the ExpressionAttributeNames and ExpressionAttributeValues of a request.
type placeholders struct {
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues map[string]value

	used map[string]bool
}

// check looks at the placeholders before any expression is read; expressions says whether the request has one.
func (in *placeholders) check(expressions bool) error {
	in.used = map[string]bool{}
	switch {
	case in.ExpressionAttributeNames != nil && !expressions:
		return errValidation("ExpressionAttributeNames can only be specified when using expressions")
	case in.ExpressionAttributeValues != nil && !expressions:
		return errValidation("ExpressionAttributeValues can only be specified when using expressions")
	case in.ExpressionAttributeNames != nil && len(in.ExpressionAttributeNames) == 0:
		return errValidation("ExpressionAttributeNames must not be empty")
	case in.ExpressionAttributeValues != nil && len(in.ExpressionAttributeValues) == 0:
		return errValidation("ExpressionAttributeValues must not be empty")
	}
	for _, k := range slices.Sorted(maps.Keys(in.ExpressionAttributeNames)) {
		if len(k) < 2 || k[0] != '#' {
			return errValidation("ExpressionAttributeNames contains invalid key: Syntax error; key: %q", k)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(in.ExpressionAttributeValues)) {
		if len(k) < 2 || k[0] != ':' {
			return errValidation("ExpressionAttributeValues contains invalid key: Syntax error; key: %q", k)
		}
	}
	return nil
}

// checkUsed refuses placeholders that no expression used, as DynamoDB does. Call it after the last expression is read.
func (in *placeholders) checkUsed() error {
	if left := unused(maps.Keys(in.ExpressionAttributeNames), in.used); left != "" {
		return errValidation("Value provided in ExpressionAttributeNames unused in expressions: keys: {%s}", left)
	}
	if left := unused(maps.Keys(in.ExpressionAttributeValues), in.used); left != "" {
		return errValidation("Value provided in ExpressionAttributeValues unused in expressions: keys: {%s}", left)
	}
	return nil
}

func unused(keys func(func(string) bool), used map[string]bool) string {
	var left []string
	for k := range keys {
		if !used[k] {
			left = append(left, k)
		}
	}
	slices.Sort(left)
	return strings.Join(left, ", ")
}

// parser reads one expression.
type parser struct {
	kind   string // the parameter, e.g. ConditionExpression
	in     *placeholders
	tokens []token
	at     int
}

func newParser(kind, text string, in *placeholders) (*parser, error) {
	p := &parser{kind: kind, in: in}
	if strings.TrimSpace(text) == "" {
		return nil, p.errorf("The expression can not be empty;")
	}
	if len(text) > maxExpression {
		return nil, p.errorf("Expression size has exceeded the maximum allowed size; expression size: %d", len(text))
	}
	for rest := strings.TrimLeft(text, " \t\r\n"); rest != ""; rest = strings.TrimLeft(rest, " \t\r\n") {
		n := tokenLength(rest)
		if n == 0 {
			return nil, p.errorf("Syntax error; token: %q, near: %q", rest[:1], near(rest))
		}
		p.tokens = append(p.tokens, token(rest[:n]))
		rest = rest[n:]
	}
	return p, nil
}

// near is the beginning of a text, for an error.
func near(s string) string { return s[:min(len(s), 20)] }

// tokenLength is the length of the token that s begins with, 0 if there is none.
func tokenLength(s string) int {
	n := 1
	switch c := s[0]; {
	case isLetter(c), c == '#', c == ':':
		for n < len(s) && isWordPart(s[n]) {
			n++
		}
		if n == 1 && !isLetter(c) {
			return 0
		}
		return n
	case isDigit(c):
		for n < len(s) && isDigit(s[n]) {
			n++
		}
		return n
	case strings.HasPrefix(s, "<>"), strings.HasPrefix(s, "<="), strings.HasPrefix(s, ">="):
		return 2
	case strings.IndexByte("()[].,=<>+-", c) >= 0:
		return 1
	}
	return 0
}

func (p *parser) errorf(format string, args ...any) error {
	return errValidation("Invalid "+p.kind+": "+format, args...)
}

// syntaxError complains about the next token.
func (p *parser) syntaxError() error {
	var around []string
	for i := max(0, p.at-1); i < min(len(p.tokens), p.at+2); i++ {
		around = append(around, string(p.tokens[i]))
	}
	return p.errorf("Syntax error; token: \"%s\", near: \"%s\"", p.peek(), strings.Join(around, " "))
}

func (p *parser) peek() token { return p.peekAt(0) }

func (p *parser) peekAt(ahead int) token {
	if p.at+ahead < len(p.tokens) {
		return p.tokens[p.at+ahead]
	}
	return ""
}

func (p *parser) next() token {
	t := p.peek()
	p.at++
	return t
}

// accept consumes the next token if it is the keyword or symbol given.
func (p *parser) accept(t string) bool {
	if p.peek().is(t) {
		p.at++
		return true
	}
	return false
}

func (p *parser) expect(t string) error {
	if !p.accept(t) {
		return p.syntaxError()
	}
	return nil
}

// end refuses what is left after the expression.
func (p *parser) end() error {
	if p.peek() != "" {
		return p.syntaxError()
	}
	return nil
}

// name reads the name of an attribute: a document path of one step.
func (p *parser) name() (string, error) {
	t := p.peek()
	name := string(t)
	switch {
	case strings.HasPrefix(name, "#"):
		var ok bool
		if name, ok = p.in.ExpressionAttributeNames[string(t)]; !ok {
			return "", p.errorf("An expression attribute name used in the document path is not defined; attribute "+
				"name: %s", t)
		}
		p.in.used[string(t)] = true
	case !t.isWord():
		return "", p.syntaxError()
	case reserved[strings.ToUpper(name)]:
		return "", p.errorf("Attribute name is a reserved keyword; reserved keyword: %s", t)
	}
	p.at++
	if p.peek() == "." || p.peek() == "[" {
		return "", errNotImplemented("document paths of more than a name (after %s)", t)
	}
	return name, nil
}

// names reads a list of names, each of which may be there once.
func (p *parser) names() ([]string, error) {
	var out []string
	for {
		name, err := p.name()
		if err != nil {
			return nil, err
		}
		out = append(out, name)
		if !p.accept(",") {
			return out, nil
		}
	}
}

// checkOverlap refuses a name that is there twice.
func (p *parser) checkOverlap(names []string) error {
	for i, n := range names {
		if slices.Contains(names[:i], n) {
			return p.errorf("Two document paths overlap with each other; must remove or rewrite one of these paths; "+
				"path one: [%s], path two: [%[1]s]", n)
		}
	}
	return nil
}

// literal reads a :value.
func (p *parser) literal() (value, error) {
	t := p.peek()
	v, ok := p.in.ExpressionAttributeValues[string(t)]
	if !ok {
		return v, p.errorf("An expression attribute value used in expression is not defined; attribute value: %s", t)
	}
	p.at++
	p.in.used[string(t)] = true
	return v, nil
}

func (p *parser) atLiteral() bool { return strings.HasPrefix(string(p.peek()), ":") }

func (p *parser) atFunction() bool { return p.peek().isWord() && p.peekAt(1) == "(" }

// errFunction refuses a function: one that is not of this kind of expression, is not here, or does not exist.
func (p *parser) errFunction(name string, others []string) error {
	switch {
	case slices.Contains(others, name):
		return p.errorf("The function is not allowed in %s expression; function: %s", article[p.kind], name)
	case slices.Contains(conditionFunctions, name), slices.Contains(updateFunctions, name):
		return errNotImplemented("the function %s in %s", name, p.kind)
	}
	return p.errorf("Invalid function name; function: %s", name)
}

// The functions of DynamoDB. Their names are case-sensitive.
var (
	updateFunctions    = []string{"if_not_exists", "list_append"}
	conditionFunctions = []string{"attribute_exists", "attribute_not_exists", "attribute_type", "begins_with",
		"contains",
		"size"}
	article = map[string]string{"ConditionExpression": "a condition", "UpdateExpression": "an update"}
)
