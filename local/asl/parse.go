package asl

import (
	"encoding/json"
	"fmt"
	"strings"
)

// parser collects findings while it reads a definition.
type parser struct {
	checker     Checker
	diagnostics []Diagnostic
}

func (p *parser) report(code, location, format string, args ...any) {
	p.diagnostics = append(p.diagnostics, Diagnostic{Severity: "ERROR", Code: code,
		Message: fmt.Sprintf(format, args...), Location: location})
}

// Parse reads a definition. If it reports anything, the machine is nil.
func Parse(definition []byte, c Checker) (*Machine, []Diagnostic) {
	p := &parser{checker: c}
	if !json.Valid(definition) {
		p.report(codeJSON, "", "The definition is not valid JSON")
		return nil, p.diagnostics
	}
	o := p.open(definition, "")
	jsonata := o.queryLanguage(false)
	if v := o.text("Version"); v != "" && v != "1.0" {
		o.report("Version", "The only version is 1.0")
	}
	m := &Machine{TimeoutSeconds: o.integer("TimeoutSeconds", 0, 1, 99999999)}
	m.Flow = p.flow(o, jsonata)
	if len(p.diagnostics) == 0 {
		p.check(&m.Flow)
	}
	if len(p.diagnostics) > 0 {
		return nil, p.diagnostics
	}
	return m, nil
}

// queryLanguage reads QueryLanguage; it reports whether JSONata is chosen here or above.
func (o *object) queryLanguage(inherited bool) bool {
	switch l := o.text("QueryLanguage"); l {
	case "":
		return inherited
	case "JSONata":
		return true
	default:
		o.report("QueryLanguage", "The query language '%s' is not supported here; only JSONata is", l)
		return true
	}
}

// flow reads StartAt and States of an object and finishes it.
func (p *parser) flow(o *object, jsonata bool) Flow {
	o.text("Comment")
	f := Flow{StartAt: o.required("StartAt"), States: map[string]*State{}}
	raw, ok := o.take("States")
	if !ok {
		o.report("States", "The required field 'States' is missing")
		raw = json.RawMessage("{}")
	}
	states := p.open(raw, o.path+"/States")
	if ok && len(states.order) == 0 {
		o.report("States", "There must be at least one state")
	}
	for _, name := range states.order {
		path := states.path + "/" + name
		if len(name) > 80 {
			p.report(codeSchema, path, "The name of a state must not be longer than 80 characters")
		}
		f.States[name] = p.state(name, states.fields[name], path, jsonata)
	}
	o.done()
	return f
}

func (p *parser) state(name string, raw json.RawMessage, path string, jsonata bool) *State {
	o := p.open(raw, path)
	s := &State{Name: name, Type: o.required("Type")}
	o.text("Comment")
	if !o.queryLanguage(jsonata) {
		o.report("QueryLanguage",
			"The query language is JSONPath unless QueryLanguage says JSONata; only JSONata is supported here")
	}
	read, known := map[string]func(*object, *State){
		typeTask: readTask, typeWait: readWait, typeChoice: readChoice, typePass: readPass, typeSucceed: readSucceed,
		typeFail: readFail, typeMap: readMap, typeParallel: readParallel,
	}[s.Type]
	if !known {
		if s.Type != "" {
			o.report("Type", "The state type '%s' is not supported here", s.Type)
		}
		return s
	}
	read(o, s)
	o.done()
	return s
}

// transition reads Next and End, of which there must be exactly one.
func (o *object) transition(s *State) {
	s.Next = o.text("Next")
	var end bool
	o.decode("End", &end, "true or false")
	if (s.Next != "") == end {
		o.p.report(codeSchema, o.path, "There must be exactly one of 'Next' and 'End': true")
	}
}

// outcome reads Assign and Output.
func (o *object) outcome() (assign, output *Template) {
	if raw, ok := o.fields["Assign"]; ok {
		o.variables(raw)
	}
	return o.template("Assign"), o.template("Output")
}

// variables checks the names that an Assign gives values to.
func (o *object) variables(raw json.RawMessage) {
	list, err := members(raw)
	if err != nil {
		o.report("Assign", "The field 'Assign' must be an object: %v", err)
	}
	for _, m := range list {
		if len(m.name) > 80 || m.name == "" || m.name == "states" || strings.ContainsAny(m.name, ".[] $") {
			o.report("Assign/"+m.name, "'%s' is not the name of a variable", m.name)
		}
	}
}

func readTask(o *object, s *State) {
	s.Resource = o.required("Resource")
	if s.Resource != "" && !supportedResource(s.Resource) {
		o.report("Resource", "The resource '%s' is not supported here", s.Resource)
	}
	s.Arguments = o.template("Arguments")
	s.TimeoutSeconds = o.seconds("TimeoutSeconds", 1)
	o.handlers(s)
	s.Assign, s.Output = o.outcome()
	o.transition(s)
}

// supportedResource accepts request-response integrations only: no callbacks, no jobs to wait for, no activities.
func supportedResource(r string) bool {
	rest, ok := strings.CutPrefix(r, "arn:aws:states:::")
	parts := strings.Split(rest, ":")
	return ok && !strings.Contains(rest, ".") && (len(parts) == 2 || len(parts) == 3 && parts[0] == "aws-sdk")
}

// seconds reads a field that is a number of seconds or an expression.
func (o *object) seconds(name string, low int64) *Template {
	t := o.template(name)
	if t == nil || t.expression != "" {
		return t
	}
	if n, ok := wholeNumber(t.literal); !ok || n < low || n > 99999999 {
		o.report(name, "The value of '%s' must be a whole number from %d to 99999999 or a JSONata expression",
			name, low)
	}
	return t
}

func readWait(o *object, s *State) {
	s.Seconds, s.Timestamp = o.seconds("Seconds", 0), o.template("Timestamp")
	if (s.Seconds == nil) == (s.Timestamp == nil) {
		o.p.report(codeSchema, o.path, "There must be exactly one of 'Seconds' and 'Timestamp'")
	}
	if s.Timestamp != nil && s.Timestamp.expression == "" {
		if _, ok := timestamp(s.Timestamp.literal); !ok {
			o.report("Timestamp",
				"The value of 'Timestamp' must be a time such as 2026-03-01T10:00:00Z or a JSONata expression")
		}
	}
	s.Assign, s.Output = o.outcome()
	o.transition(s)
}

func readChoice(o *object, s *State) {
	n := o.list("Choices", func(raw json.RawMessage, path string) {
		r := o.p.open(raw, path)
		r.text("Comment")
		rule := Rule{Condition: r.template("Condition"), Next: r.required("Next")}
		if rule.Condition == nil {
			r.report("Condition", "The required field 'Condition' is missing")
		}
		rule.Assign, rule.Output = r.outcome()
		r.done()
		s.Choices = append(s.Choices, rule)
	})
	if n == 0 {
		o.report("Choices", "There must be at least one rule")
	}
	s.Default = o.text("Default")
	s.Assign, s.Output = o.outcome()
}

func readPass(o *object, s *State) {
	s.Assign, s.Output = o.outcome()
	o.transition(s)
}

func readSucceed(o *object, s *State) { s.Output = o.template("Output") }

func readFail(o *object, s *State) {
	s.Error, s.Cause = o.template("Error"), o.template("Cause")
	for name, t := range map[string]*Template{"Error": s.Error, "Cause": s.Cause} {
		if t != nil && t.expression == "" && typeOf(t.literal) != "string" {
			o.report(name, "The field '%s' must be a string", name)
		}
	}
}

func readMap(o *object, s *State) {
	s.Items, s.ItemSelector = o.template("Items"), o.template("ItemSelector")
	s.MaxConcurrency = o.seconds("MaxConcurrency", 0)
	if raw, ok := o.take("ItemProcessor"); ok {
		s.Processor, s.Distributed = o.p.processor(raw, o.path+"/ItemProcessor")
	} else {
		o.report("ItemProcessor", "The required field 'ItemProcessor' is missing")
	}
	o.handlers(s)
	s.Assign, s.Output = o.outcome()
	o.transition(s)
}

// processor reads what is done with each item, and whether an execution of its own does it.
func (p *parser) processor(raw json.RawMessage, path string) (f *Flow, distributed bool) {
	o := p.open(raw, path)
	if raw, ok := o.take("ProcessorConfig"); ok {
		c := p.open(raw, path+"/ProcessorConfig")
		switch mode, kind := c.text("Mode"), c.text("ExecutionType"); {
		case mode == "DISTRIBUTED" && kind == "STANDARD":
			distributed = true
		case mode != "INLINE" && mode != "DISTRIBUTED":
			c.report("Mode", "The mode '%s' is not supported here; only INLINE and DISTRIBUTED are", mode)
		case mode == "DISTRIBUTED" || kind != "":
			c.report("ExecutionType", "The execution type '%s' is not supported here: a distributed Map must have "+
				"STANDARD, an inline one none", kind)
		}
		c.done()
	}
	flow := p.flow(o, true)
	return &flow, distributed
}

func readParallel(o *object, s *State) {
	n := o.list("Branches", func(raw json.RawMessage, path string) {
		f := o.p.flow(o.p.open(raw, path), true)
		s.Branches = append(s.Branches, &f)
	})
	if n == 0 {
		o.report("Branches", "There must be at least one branch")
	}
	s.Arguments = o.template("Arguments")
	o.handlers(s)
	s.Assign, s.Output = o.outcome()
	o.transition(s)
}
